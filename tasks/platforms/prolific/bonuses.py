"""Bonuses: set up, which costs nothing, then paid by one call that is never sent twice."""

from __future__ import annotations

from tasks.models import EntryKind, EntryState, LedgerEntry, Platform
from tasks.platforms.base import OutcomeUnknown, PlatformError
from tasks.platforms.outbox import Answer, once
from tasks.platforms.prolific.client import ProlificClient
from tasks.platforms.prolific.types import Bonus


def pay(client: ProlificClient, entry: LedgerEntry) -> None:
    """Pay a bonus. Raises OutcomeUnknown where it may be paid: each call would pay again."""
    if entry.assignment is None or entry.listing is None:
        raise ValueError(f"{entry} is for no assignment")
    submission_id, study_id = entry.assignment.platform_id, entry.listing.platform_id
    try:
        batch = once(
            f"batch-{entry.key.hex}",
            platform=Platform.PROLIFIC,
            mode=entry.mode,
            operation="SetUpBonuses",
            send=lambda _token: _set_up(client, entry, submission_id, study_id),
            find=lambda: None,  # one that is not paid costs nothing, so another is set up
        )
    except OutcomeUnknown as error:
        raise PlatformError(f"{error}; nothing is paid yet", permanent=False) from error

    def send(_token: str) -> Answer:
        client.pay_bonuses(batch["batch_id"])
        return {}

    once(
        f"bonus-{entry.key.hex}",
        platform=Platform.PROLIFIC,
        mode=entry.mode,
        operation="PayBonuses",
        send=send,
        find=lambda: _find(client, entry, submission_id, paid_before=batch["paid_before"]),
        repeats=False,
    )


def _set_up(
    client: ProlificClient, entry: LedgerEntry, submission_id: str, study_id: str
) -> Answer:
    paid = client.submission(submission_id).bonus_cents
    batch = client.set_up_bonuses(study_id, [Bonus(submission_id, entry.cents)])
    promised = entry.cents + entry.fee_cents
    if batch.total_cents > promised:
        raise PlatformError(
            f"with its fee Prolific takes {_amount(batch.total_cents)} for this bonus, and "
            f"{_amount(promised)} are promised: raise PROLIFIC_FEE_PERCENT",
            permanent=True,
        )
    return {"batch_id": batch.id, "paid_before": paid.count(entry.cents)}


def _find(
    client: ProlificClient, entry: LedgerEntry, submission_id: str, *, paid_before: int
) -> Answer | None:
    """Return {} where a bonus whose answer was lost is surely paid: Prolific lists amounts alone.

    Raises OutcomeUnknown where another of the same amount cannot be told from it.
    """
    alike = LedgerEntry.objects.filter(
        assignment=entry.assignment_id,
        kind=EntryKind.BONUS,
        cents=entry.cents,
        state__in=[EntryState.SENT, EntryState.CONFIRMED],
    ).exclude(pk=entry.pk)
    if paid_before or alike.exists():
        raise OutcomeUnknown(
            f"{_amount(entry.cents)} were sent to {entry.worker_id} more than once, and Prolific "
            "does not say which of them it has paid; look there, then decide"
        )
    paid = client.submission(submission_id).bonus_cents
    return {} if entry.cents in paid else None


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
