"""What a platform says of people's work, written beside what we know of it.

The platform's word, read by polling, is the truth about who handed in what and what was decided
there. Rows are matched by the assignment's name there *and* the person: after a return the same
name can be another person's, and anybody who has an address can make up a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tasks.crowd import ledger, paying
from tasks.crowd.looking import add_note
from tasks.models import (
    HIT,
    Assignment,
    AssignmentQuerySet,
    AssignmentState,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    StatusThere,
)
from tasks.platforms.base import Submission

DECIDED = (StatusThere.APPROVED, StatusThere.REJECTED)
HANDED_IN = (StatusThere.SUBMITTED, *DECIDED)
UNFINISHED = (AssignmentState.OFFERED, AssignmentState.ACTIVE)


@dataclass
class Changes:
    """What became different here by what the platform said."""

    handed_in: int = 0
    approved: int = 0
    rejected: int = 0
    given_back: int = 0
    strange: int = 0

    def __iadd__(self, other: Changes) -> Changes:
        self.handed_in += other.handed_in
        self.approved += other.approved
        self.rejected += other.rejected
        self.given_back += other.given_back
        self.strange += other.strange
        return self


def note_submissions(listing: Listing, told: Iterable[Submission]) -> Changes:
    """Write down what the platform says of each person's take of a listing.

    Told the same again, nothing changes.
    """
    changes = Changes()
    rows = {(row.platform_id, row.worker_id): row for row in listing.assignments.all()}
    holders: dict[str, set[str]] = {}
    for row in listing.assignments.holding_a_place():
        holders.setdefault(row.platform_id, set()).add(row.worker_id)
    paid = _settled(listing)
    for one in told:
        if one.status is None or not one.worker_id:
            continue
        theirs = rows.get((one.platform_id, one.worker_id))
        others = holders.get(one.platform_id, set()) - {one.worker_id}
        if one.status in HANDED_IN and (theirs is None or others):
            theirs = _row_of(listing, one, others, changes)
        if theirs is None:
            continue
        _note_status(theirs, one, changes)
        if one.status in DECIDED and (theirs.pk, one.status) not in paid:
            _note_money(theirs, one)
    return changes


def give_back(rows: AssignmentQuerySet) -> int:
    """Free the places of people who gave them back; return how many.

    Judgements stay, the link ends, and who comes back with the place is let in again. What was
    handed in meanwhile is left alone.
    """
    held = rows.holding_a_place().filter(status_there__in=["", StatusThere.RETURNED])
    return held.update(state=AssignmentState.RETURNED, link_version=F("link_version") + 1)


@transaction.atomic
def _row_of(
    listing: Listing, told: Submission, others: Collection[str], changes: Changes
) -> Assignment | None:
    """Return the row of the person who handed something in, made now if there was none.

    others: who has a row here under the same assignment. It is not theirs, and so no place is.
    """
    HIT.objects.select_for_update().get(pk=listing.hit_id)
    rows = Assignment.objects.filter(hit=listing.hit_id)
    claimed = rows.filter(listing=listing, platform_id=told.platform_id, worker_id__in=others)
    for other in claimed.holding_a_place():
        text = f"{told.platform_id} was handed in by {told.worker_id}, not by {other.worker_id}"
        if text not in other.note.splitlines():
            changes.strange += 1
            add_note(other, text)
        changes.given_back += give_back(rows.filter(pk=other.pk))
    own = rows.filter(worker_id=told.worker_id).first()
    if own is None:
        changes.strange += 1
        return Assignment.objects.create(
            hit_id=listing.hit_id,
            worker_id=told.worker_id,
            listing=listing,
            platform_id=told.platform_id,
            state=AssignmentState.EXPIRED,
            expires_at=timezone.now(),
            note=f"{told.platform_id} was handed in, but {told.worker_id} never came here with it",
        )
    if (own.listing_id, own.platform_id) == (listing.pk, told.platform_id):
        return own
    if own.status_there in HANDED_IN:
        text = f"{told.platform_id} was handed in as well ({told.status})"
        if text not in own.note.splitlines():
            changes.strange += 1
            add_note(own, text)
        if told.status == StatusThere.APPROVED:
            _note_paid_besides(listing, told)
        return None
    # They came with another name of the place: one they gave back, or one that was made up.
    changes.strange += 1
    add_note(own, f"came with {own.platform_id or 'nothing'}, handed in {told.platform_id}")
    rows.filter(pk=own.pk).update(platform_id=told.platform_id, listing=listing)
    own.refresh_from_db()
    return own


def _note_status(row: Assignment, told: Submission, changes: Changes) -> None:
    """Write down what became of a person's take there."""
    held = Assignment.objects.filter(
        pk=row.pk, platform_id=told.platform_id, worker_id=told.worker_id
    )
    if told.status == StatusThere.RETURNED:
        # On Prolific, also what was handed in can be given back until it is decided.
        held.exclude(status_there__in=DECIDED).update(status_there=StatusThere.RETURNED)
        changes.given_back += give_back(held)
        return
    stored = {
        "status_there": told.status,
        "submitted_there_at": told.submitted_at,
        "approves_itself_at": told.approves_itself_at,
    }
    if all(getattr(row, name) == value for name, value in stored.items()):
        return
    if told.status not in DECIDED:
        held = held.exclude(status_there__in=DECIDED)  # an older answer that came later
    before = row.status_there
    if not held.exclude(status_there=told.status).update(**stored):
        held.update(**stored)
        return
    if before not in HANDED_IN:
        changes.handed_in += 1
        _note_handed_in(row)
    changes.approved += told.status == StatusThere.APPROVED
    changes.rejected += told.status == StatusThere.REJECTED


def _note_handed_in(row: Assignment) -> None:
    """Let a row say what its annotator did, now that the platform has it."""
    ended = Assignment.objects.filter(
        pk=row.pk, state__in=[AssignmentState.EXPIRED, AssignmentState.RETURNED]
    )
    # The time was over by our clock alone, or the return was none.
    ended.exclude(submitted_at=None).update(state=AssignmentState.SUBMITTED)
    ended.filter(submitted_at=None).update(state=AssignmentState.EXPIRED)
    if Assignment.objects.filter(pk=row.pk, submitted_at=None).exists():
        add_note(row, "handed in there, but not finished here")


def _settled(listing: Listing) -> set[tuple[int | None, str]]:
    """Return whose rewards already say what the platform said, for each word of it."""
    says = {EntryState.CONFIRMED: StatusThere.APPROVED, EntryState.FAILED: StatusThere.REJECTED}
    entries = listing.ledger.exclude(kind=EntryKind.BONUS).filter(state__in=says)
    return {
        (assignment_id, says[EntryState(state)])
        for assignment_id, state in entries.values_list("assignment_id", "state")
    }


def _note_money(row: Assignment, told: Submission) -> None:
    """Let the ledger say of a reward what the platform says: paid, or not to be paid."""
    if told.status == StatusThere.APPROVED:
        ledger.note_confirmed(ledger.reward_of(row, was_paid=True))
    elif not row.ledger.committed().filter(reason=paying.OVERRULED).exists():
        # Else the rejection was taken back here, and the platform is still to be told.
        ledger.end_reward(row, f"rejected: {told.feedback}" if told.feedback else "rejected")


@transaction.atomic
def _note_paid_besides(listing: Listing, told: Submission) -> None:
    """Write down a reward that was paid for what has no row of its own."""
    Listing.objects.select_for_update().get(pk=listing.pk)
    note = f"approved there besides: {told.platform_id}"
    if listing.ledger.filter(worker_id=told.worker_id, reason=note).exists():
        return
    entry = listing.ledger.filter(assignment=None, state=EntryState.PLANNED).first()
    entry = entry or LedgerEntry(
        project_id=listing.hit.project_id,
        platform=listing.platform,
        mode=listing.mode,
        listing=listing,
        kind=EntryKind.REWARD,
        cents=listing.reward_cents,
        fee_cents=listing.fee_cents,
    )
    entry.worker_id, entry.reason = told.worker_id, note
    entry.save()
    ledger.note_confirmed(entry)
