"""The ledger: every cent that is promised or paid has a row, and no row passes the limit."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from tasks.models import (
    Assignment,
    EntryKind,
    EntryState,
    LedgerEntry,
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


def committed_cents(project: Project, mode: str) -> int:
    """Return what a project has paid or promised in a market; the sandbox's money is not real."""
    return project.ledger.filter(mode=mode).committed().total_cents()


@transaction.atomic
def reserve(listing: Listing, places: int) -> None:
    """Promise the rewards of some places of a listing. Raises OverLimit; then none is promised."""
    cents = places * (listing.reward_cents + listing.fee_cents)
    _check_limit(listing.hit.project, listing.mode, cents)
    is_work = listing.purpose == Purpose.WORK
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            project_id=listing.hit.project_id,
            platform=listing.platform,
            mode=listing.mode,
            listing=listing,
            kind=EntryKind.REWARD if is_work else EntryKind.COMPENSATION,
            worker_id=listing.worker_id,
            cents=listing.reward_cents,
            fee_cents=listing.fee_cents,
        )
        for _ in range(places)
    )


@transaction.atomic
def promise_bonus(
    assignment: Assignment, *, cents: int, fee_cents: int, reason: str, by: object = None
) -> LedgerEntry:
    """Promise a bonus to an assignment's annotator. Raises OverLimit."""
    listing = assignment.listing
    if listing is None:
        raise TaskError(f"{assignment.worker_id} came by a direct link, and is paid by hand")
    _check_limit(listing.hit.project, listing.mode, cents + fee_cents)
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
        made_by=by,  # type: ignore[misc]  # a user, or None for a command
    )


def _check_limit(project: Project, mode: str, cents: int) -> None:
    """Raise OverLimit where so much more would pass the limit. Locks the project's row, so that
    counting and promising are one step."""
    held = Project.objects.select_for_update().get(pk=project.pk)
    if held.spend_limit_cents is None:
        return
    committed = committed_cents(held, mode)
    if committed + cents > held.spend_limit_cents:
        raise OverLimit(
            f"{dollars(cents)} more would pass the spending limit of {held}: "
            f"{dollars(held.spend_limit_cents)}, of which {dollars(committed)} are promised or paid"
        )


@transaction.atomic
def reward_of(assignment: Assignment) -> LedgerEntry:
    """Return an assignment's reward: one of its listing's promised rows, taken over if need be.

    Raises OverLimit where the listing has no promise left, as after a rejection that is taken back.
    """
    listing = assignment.listing
    if listing is None:
        raise TaskError(f"{assignment.worker_id} came by a direct link, and is paid by hand")
    # The lock makes looking and taking one step.
    listing = (
        Listing.objects.select_for_update(of=("self",))
        .select_related("hit__project")
        .get(pk=listing.pk)
    )
    rewards = listing.ledger.exclude(kind=EntryKind.BONUS).committed()
    own = rewards.filter(assignment=assignment).first()
    if own is not None:
        return own
    free = rewards.filter(assignment=None, state=EntryState.PLANNED).first()
    if free is None:
        reserve(listing, 1)
        free = rewards.filter(assignment=None, state=EntryState.PLANNED).latest("pk")
    free.assignment, free.worker_id = assignment, assignment.worker_id
    free.save(update_fields=["assignment", "worker_id"])
    return free


def note_sent(entry: LedgerEntry) -> None:
    """Note that the platform is about to be told; what was settled stays as it is."""
    if LedgerEntry.objects.filter(pk=entry.pk, state=EntryState.PLANNED).update(
        state=EntryState.SENT, sent_at=timezone.now()
    ):
        entry.refresh_from_db()


def note_confirmed(entry: LedgerEntry) -> None:
    """Note that the platform says that it is paid."""
    LedgerEntry.objects.filter(pk=entry.pk).exclude(state=EntryState.CONFIRMED).update(
        state=EntryState.CONFIRMED, settled_at=timezone.now()
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
