"""Bonuses: promised under the spending limit, and paid once."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q, QuerySet

from tasks.crowd import ledger
from tasks.crowd.looking import look, own_platform
from tasks.models import (
    Assignment,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    Platform,
)
from tasks.platforms import CrowdPlatform, OutcomeUnknown, PlatformError
from tasks.services import TaskError

# Where the same bonus is asked for again by itself: the platform knows tokens, and pays it once.
_REPEATS = {Platform.MTURK}


def bonus(
    assignment: Assignment,
    *,
    cents: int,
    reason: str,
    by: AbstractBaseUser | None = None,
    key: UUID | None = None,
) -> LedgerEntry:
    """Pay somebody who handed in more than the reward; return the ledger's row of it.

    key: which bonus it is, so that a form sent twice pays once; without it, one of the same amount
    for the same reason is the same. Raises TaskError and PlatformError.
    """
    reason = reason.strip()
    if cents < 1:
        raise TaskError(f"a bonus is of at least one cent, and this is {cents}")
    if not reason:
        raise TaskError(f"{assignment.worker_id} is to be told why: a bonus needs a reason")
    platform = own_platform(assignment)
    look(platform, assignment)
    fee = platform.fee_cents(cents, places=1)
    entry = ledger.promise_bonus(
        assignment, cents=cents, fee_cents=fee, reason=reason, by=by, key=key
    )
    if entry.state == EntryState.FAILED:
        raise TaskError(f"this bonus to {entry.worker_id} was not paid: {entry.note}")
    return pay(platform, entry)


def resend(entry: LedgerEntry) -> LedgerEntry:
    """Finish a bonus of which it is not known whether it was paid.

    Raises OutcomeUnknown where the platform does not say, and asking again could pay it twice.
    """
    if entry.kind != EntryKind.BONUS or entry.assignment is None:
        raise TaskError(f"{entry} is no bonus")
    return pay(own_platform(entry.assignment), entry)


def note_outcome(entry: LedgerEntry, *, was_paid: bool, by: AbstractBaseUser | None = None) -> None:
    """Note what somebody found on the platform of a bonus of which it does not say.

    Raises TaskError for one of which it is known, or will be without a person.
    """
    if (
        entry.kind != EntryKind.BONUS
        or entry.state != EntryState.SENT
        or entry.platform in _REPEATS
    ):
        raise TaskError(f"the {entry} is {entry.state}, and nobody has to say whether it was paid")
    if was_paid:
        ledger.note_confirmed(entry)
    else:
        who = by.get_username() if by else "the command line"
        ledger.note_failed(entry, f"not found on the platform by {who}")


def unpaid(listings: QuerySet[Listing]) -> list[LedgerEntry]:
    """Return the bonuses that were promised and can be asked for, for the first time or again."""
    may_repeat = Q(state=EntryState.SENT, platform__in=_REPEATS)
    promised = LedgerEntry.objects.filter(kind=EntryKind.BONUS, listing__in=listings)
    return list(
        promised.filter(Q(state=EntryState.PLANNED) | may_repeat).select_related("assignment")
    )


def pay(platform: CrowdPlatform, entry: LedgerEntry) -> LedgerEntry:
    """Pay a promised bonus, once however often; return its row. Raises PlatformError."""
    ledger.note_sent(entry)
    if entry.state in {EntryState.CONFIRMED, EntryState.FAILED}:
        return entry
    try:
        platform.pay_bonus(entry)
    except OutcomeUnknown:
        raise
    except PlatformError as error:
        note = ledger.note_failed if error.permanent else ledger.note_not_done
        note(entry, str(error))
        raise
    ledger.note_confirmed(entry)
    return entry
