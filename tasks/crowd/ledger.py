"""The ledger: every cent that is promised or paid has a row, and no row passes the limit."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tasks.models import (
    Assignment,
    EntryKind,
    EntryState,
    LedgerEntry,
    LedgerEntryQuerySet,
    Listing,
    Project,
    Purpose,
    StatusThere,
)
from tasks.services import TaskError


class OverLimit(TaskError):
    """The project's spending limit would be passed."""


def dollars(cents: int) -> str:
    """Return an amount as managers read it."""
    return f"{cents // 100:,}.{cents % 100:02} USD"


def cents_of(amount: str) -> int:
    """Return an amount such as "1.50" in cents. Raises ValueError for what is none."""
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,2})?", amount.strip()) or float(amount) == 0:
        raise ValueError(f"{amount!r} is not an amount such as 1.50")
    whole, _, part = amount.strip().partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def committed_cents(project: Project, mode: str) -> int:
    """Return what a project has paid or promised in a market; the sandbox's money is not real."""
    return project.ledger.filter(mode=mode).committed().total_cents()


@transaction.atomic
def reserve(listing: Listing, places: int) -> None:
    """Promise the rewards of some places of a listing. Raises OverLimit; then none is promised."""
    cents = places * (listing.reward_cents + listing.fee_cents)
    _check_limit(_held(listing.hit.project), listing.mode, cents)
    LedgerEntry.objects.bulk_create(_reward(listing) for _ in range(places))


def _reward(listing: Listing) -> LedgerEntry:
    """Return a new row for the reward of one place of a listing; nothing is stored."""
    is_work = listing.purpose == Purpose.WORK
    return LedgerEntry(
        project_id=listing.hit.project_id,
        platform=listing.platform,
        mode=listing.mode,
        listing=listing,
        kind=EntryKind.REWARD if is_work else EntryKind.COMPENSATION,
        worker_id=listing.worker_id,
        cents=listing.reward_cents,
        fee_cents=listing.fee_cents,
    )


@transaction.atomic
def promise_bonus(
    assignment: Assignment,
    *,
    cents: int,
    fee_cents: int,
    reason: str,
    by: object = None,
    key: UUID | None = None,
) -> LedgerEntry:
    """Promise a bonus to an assignment's annotator, or return the row of the same one.

    key: which one is the same, as of a form that was sent twice; without it, one of the same amount
    for the same reason that was not refused. Whatever the key, one of which it is not known whether
    it was paid is the same: it is to be finished first. Raises OverLimit.
    """
    listing = assignment.listing
    if listing is None:
        raise TaskError(f"{assignment.worker_id} came by a direct link, and is paid by hand")
    project = _held(listing.hit.project)
    bonuses = assignment.ledger.filter(kind=EntryKind.BONUS)
    alike = bonuses.committed().filter(cents=cents, reason=reason)
    if key:
        is_open = Q(pk__in=alike.exclude(state=EntryState.CONFIRMED))
        alike = bonuses.filter(Q(key=key) | is_open)
    same = alike.first()
    if same is not None:
        return same
    _check_limit(project, listing.mode, cents + fee_cents)
    return LedgerEntry.objects.create(
        project_id=listing.hit.project_id,
        platform=listing.platform,
        mode=listing.mode,
        listing=listing,
        assignment=assignment,
        worker_id=assignment.worker_id,
        kind=EntryKind.BONUS,
        cents=cents,
        fee_cents=fee_cents,
        reason=reason,
        key=key or uuid4(),
        made_by=by,  # type: ignore[misc]  # a user, or None for a command
    )


def _held(project: Project) -> Project:
    """Return a project with its row locked, so that counting and promising are one step."""
    return Project.objects.select_for_update().get(pk=project.pk)


def _check_limit(held: Project, mode: str, cents: int) -> None:
    """Raise OverLimit where so much more would pass the limit of a project, whose row is locked."""
    if held.spend_limit_cents is None:
        return
    committed = committed_cents(held, mode)
    if committed + cents > held.spend_limit_cents:
        raise OverLimit(
            f"{dollars(cents)} more would pass the spending limit of {held}: "
            f"{dollars(held.spend_limit_cents)}, of which {dollars(committed)} are promised or paid"
        )


@transaction.atomic
def reward_of(assignment: Assignment, *, was_paid: bool = False) -> LedgerEntry:
    """Return an assignment's reward: one of its listing's promised rows, taken over if need be.

    was_paid: the platform has paid it, so that it has a row whatever the limit. Raises OverLimit
    where the listing has no promise left, as after a rejection that is taken back.
    """
    listing = _held_listing(assignment)
    rewards = _rewards(listing)
    own = rewards.filter(assignment=assignment)
    if (still_owed := own.committed().first()) is not None:
        return still_owed
    free = None
    if not own.exists():  # else its place's promise has ended, and the others are other people's
        free = rewards.filter(assignment=None, state=EntryState.PLANNED).first()
    if free is None:
        if not was_paid:
            project = _held(listing.hit.project)
            _check_limit(project, listing.mode, listing.reward_cents + listing.fee_cents)
        free = _reward(listing)
    free.assignment, free.worker_id = assignment, assignment.worker_id
    free.save()
    return free


@transaction.atomic
def end_reward(assignment: Assignment, why: str) -> None:
    """Note that an assignment is not paid: the promise of its place ends, once however often."""
    listing = _held_listing(assignment)
    rewards = _rewards(listing)
    own = rewards.filter(assignment=assignment)
    ending = own.committed().first()
    if ending is None and not own.exists():
        ending = rewards.filter(assignment=None, state=EntryState.PLANNED).first()
    if ending is None:
        return
    ending.assignment, ending.worker_id = assignment, assignment.worker_id
    ending.save(update_fields=["assignment", "worker_id"])
    note_failed(ending, why)


def _held_listing(assignment: Assignment) -> Listing:
    """Return an assignment's listing with its row locked, so that looking and taking are one."""
    if assignment.listing is None:
        raise TaskError(f"{assignment.worker_id} came by a direct link, and is paid by hand")
    listings = Listing.objects.select_for_update(of=("self",)).select_related("hit__project")
    return listings.get(pk=assignment.listing.pk)


def _rewards(listing: Listing) -> LedgerEntryQuerySet:
    return listing.ledger.exclude(kind=EntryKind.BONUS)


def note_sent(entry: LedgerEntry) -> bool:
    """Note that the platform is about to be told; return False where that was noted before."""
    noted = LedgerEntry.objects.filter(pk=entry.pk, state=EntryState.PLANNED).update(
        state=EntryState.SENT, sent_at=timezone.now()
    )
    entry.refresh_from_db()
    return bool(noted)


def note_not_done(entry: LedgerEntry, why: str) -> None:
    """Note that the platform surely did not do what it was told; it stays promised."""
    LedgerEntry.objects.filter(pk=entry.pk, state=EntryState.SENT).update(
        state=EntryState.PLANNED, note=why
    )
    entry.refresh_from_db()


def note_confirmed(entry: LedgerEntry) -> None:
    """Note that the platform says that it is paid."""
    LedgerEntry.objects.filter(pk=entry.pk).exclude(state=EntryState.CONFIRMED).update(
        state=EntryState.CONFIRMED, settled_at=timezone.now(), note=""
    )
    entry.refresh_from_db()


def note_failed(entry: LedgerEntry, why: str) -> None:
    """Note that it is not paid; what was confirmed stays."""
    LedgerEntry.objects.filter(pk=entry.pk).exclude(state=EntryState.CONFIRMED).update(
        state=EntryState.FAILED, settled_at=timezone.now(), note=why
    )
    entry.refresh_from_db()


@transaction.atomic
def release(listing: Listing) -> int:
    """End the promises of places that nobody took any more; return how many.

    What was handed in and is undecided keeps its promise.
    """
    listing = Listing.objects.select_for_update().get(pk=listing.pk)
    own = LedgerEntry.objects.committed().filter(assignment=OuterRef("pk"))
    waiting = listing.assignments.filter(
        ~Exists(own.exclude(kind=EntryKind.BONUS)),
        status_there__in=[StatusThere.SUBMITTED, StatusThere.APPROVED],
    )
    free = listing.ledger.filter(assignment=None, state=EntryState.PLANNED).order_by("pk")
    ended = list(free.values_list("pk", flat=True))[waiting.count() :]
    return LedgerEntry.objects.filter(pk__in=ended, state=EntryState.PLANNED).update(
        state=EntryState.FAILED, settled_at=timezone.now(), note="nobody took this place"
    )
