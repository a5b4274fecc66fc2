"""Bonuses: promised under the spending limit, and paid once."""

from __future__ import annotations

from datetime import datetime
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

# Where asking for the same bonus again pays it once: the platform knows tokens.
_BONUS_REPEATS = {Platform.MTURK}


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
    """Ask again for a bonus of which it is not known whether it was paid.

    Raises OutcomeUnknown where that could pay it twice: then a person looks there.
    """
    if entry.kind != EntryKind.BONUS or entry.assignment is None:
        raise TaskError(f"{entry} is no bonus")
    return pay(own_platform(entry.assignment), entry)


def unpaid(listings: QuerySet[Listing]) -> list[LedgerEntry]:
    """Return the bonuses that were promised and can be asked for, for the first time or again."""
    may_repeat = Q(state=EntryState.SENT, platform__in=_BONUS_REPEATS)
    promised = LedgerEntry.objects.filter(kind=EntryKind.BONUS, listing__in=listings)
    return list(
        promised.filter(Q(state=EntryState.PLANNED) | may_repeat).select_related("assignment")
    )


def pay(platform: CrowdPlatform, entry: LedgerEntry) -> LedgerEntry:
    is_ours_to_send = ledger.note_sent(entry)  # whoever moves the row is the one who sends
    if entry.state in {EntryState.CONFIRMED, EntryState.FAILED}:
        return entry
    if not is_ours_to_send and entry.platform not in _BONUS_REPEATS:
        raise OutcomeUnknown(
            f"a bonus to {entry.worker_id} was sent at {_minute(entry.sent_at)} and what became of "
            "it is not known; look on the platform, then decide"
        )
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


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "a time not known"
