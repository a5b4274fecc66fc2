"""Fees and the account's ledger, in cents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

BASE_PERCENT = 20
CROWD_PERCENT = 20  # more, for HITs of ten assignments or more
CROWD_SIZE = 10
MASTERS_PERCENT = 5
MINIMUM_FEE_CENTS = 1


def to_cents(dollars: str) -> int:
    """Return what a currency amount of the API ("0.50", "5", "5.") is in cents."""
    return int(Decimal(dollars) * 100)


def to_dollars(cents: int) -> str:
    return f"{Decimal(cents) / 100:.2f}"


def share_of(cents: int, *, percent: int) -> int:
    """Return a fee: rounded half up to the cent, never under one. Source: the pricing page."""
    fee = (Decimal(cents) * percent / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return max(int(fee), MINIMUM_FEE_CENTS)


def reward_fee(reward_cents: int, *, max_assignments: int, needs_masters: bool) -> int:
    """Return the fee of one assignment's reward. Source: the pricing page."""
    percent = BASE_PERCENT
    if max_assignments >= CROWD_SIZE:
        percent += CROWD_PERCENT
    if needs_masters:
        percent += MASTERS_PERCENT
    return share_of(reward_cents, percent=percent)


def bonus_fee(bonus_cents: int) -> int:
    """Return the fee of a bonus; the surcharges are on rewards alone."""
    return share_of(bonus_cents, percent=BASE_PERCENT)


@dataclass(frozen=True)
class Entry:
    """One movement of money; what leaves the account is negative."""

    at: float
    kind: str  # deposit, reward, reward_fee, bonus, bonus_fee
    cents: int
    assignment_id: str = ""
    worker_id: str = ""


class Ledger:
    """Every cent that came or went; the balance is their sum."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    @property
    def balance_cents(self) -> int:
        return sum(entry.cents for entry in self.entries)

    def spent_cents(self, *kinds: str, assignment_id: str | None = None) -> int:
        """Return what was spent, on some kinds or all, for one assignment or all."""
        return -sum(
            entry.cents
            for entry in self.entries
            if entry.kind != "deposit"
            and (not kinds or entry.kind in kinds)
            and assignment_id in (None, entry.assignment_id)
        )
