"""The marketplace's state: what exists, what time it is, what is due, what is announced."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from threading import RLock

from tests.stand_ins.mturk.errors import insufficient_funds, missing
from tests.stand_ins.mturk.money import Entry, Ledger
from tests.stand_ins.mturk.records import (
    ADULT,
    HIT,
    LOCALE,
    MASTERS,
    NUMBER_APPROVED,
    PERCENT_APPROVED,
    Assignment,
    BonusPayment,
    Delivery,
    HITType,
    Qualification,
    Shape,
    Worker,
)

DAY_S = 86_400
DISPOSAL_S = 120 * DAY_S
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
EVENT_VERSION = "2014-08-15"
CUSTOMER_ID = "A3REQUESTER0EXAMPLE"
ACCOUNT_ID = "047991105548"


def new_id() -> str:
    """Return an id as the service makes them: 30 capitals and digits, a 3 first."""
    return "3" + "".join(secrets.choice(ALPHABET) for _ in range(29))


class Market:
    """All state, behind one lock that every call and every worker's act holds."""

    def __init__(self, *, mode: str, balance_cents: int, holds_rewards: bool) -> None:
        self.lock = RLock()
        self.mode = mode
        self.holds_rewards = holds_rewards
        self.reuses_assignment_ids = True
        self.lag_s = 0.0  # until the API shows what was submitted; minutes were seen in public
        self.ledger = Ledger()
        self.hit_types: dict[str, HITType] = {}
        self.hits: dict[str, HIT] = {}
        self.assignments: dict[str, Assignment] = {}
        self.bonuses: list[BonusPayment] = []
        self.qualification_types: dict[str, Shape] = {}
        self.qualifications: dict[tuple[str, str], Qualification] = {}
        self.workers: dict[str, Worker] = {}
        self.blocks: dict[str, str] = {}
        self.mails: list[Shape] = []
        self.tokens: dict[tuple[str, str], tuple[float, str]] = {}
        self.notification_settings: dict[str, Shape] = {}
        self.events: list[Shape] = []
        self.deliveries: list[Delivery] = []
        self._ahead_s = 0.0
        self.ledger.add(Entry(self.now, "deposit", balance_cents))

    # The clock

    @property
    def now(self) -> float:
        """Return the marketplace's time: the real one, as far ahead as tests moved it."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Move the clock and let happen what falls due meanwhile, in its order."""
        with self.lock:
            self._ahead_s += seconds
            self.catch_up()

    def catch_up(self) -> None:
        """Abandon, expire, approve and dispose what is due."""
        now = self.now
        due = [
            (moment, happen)
            for hit in list(self.hits.values())
            if not hit.is_disposed
            for moment, happen in self._due(hit)
            if moment <= now
        ]
        for moment, happen in sorted(due, key=lambda pair: pair[0]):
            happen(moment)

    def _due(self, hit: HIT) -> list[tuple[float, Callable[[float], None]]]:
        due: list[tuple[float, Callable[[float], None]]] = []
        for held in hit.assignments:
            if held.status == "Accepted":
                due.append((held.deadline, lambda at, held=held: self.leave(held, "Abandoned", at)))
            if held.status == "Submitted":
                due.append((held.auto_approval_at, lambda at, held=held: self.pay(held, at)))
        if not hit.was_told_expired:
            due.append((hit.expires_at, lambda at: self._expire(hit, at)))
        due.append((hit.expires_at + DISPOSAL_S, lambda at: self.dispose(hit, at)))
        return due

    # What happens to HITs and assignments

    def _expire(self, hit: HIT, at: float) -> None:
        hit.was_told_expired = True
        self.announce("HITExpired", hit, at=at)
        self.review_if_ready(hit, at)

    def leave(self, held: Assignment, status: str, at: float) -> None:
        """Free the place of an assignment that was returned or abandoned."""
        held.status = status
        self.announce(f"Assignment{status}", held.hit, held, at=at)
        self.review_if_ready(held.hit, at)

    def review_if_ready(self, hit: HIT, at: float) -> None:
        """Announce once that a HIT is reviewable, and again after it was extended."""
        is_ready = hit.status(at) in ("Reviewable", "Reviewing")
        if is_ready and not hit.was_told_reviewable:
            self.announce("HITReviewable", hit, at=at)
        if not is_ready:
            hit.is_reviewing = False
        hit.was_told_reviewable = is_ready

    def dispose(self, hit: HIT, at: float) -> None:
        hit.is_disposed = True
        self.announce("HITDisposed", hit, at=at)

    def pay(self, held: Assignment, at: float) -> None:
        """Approve an assignment: its reward and fee leave the account."""
        held.status, held.approved_at = "Approved", at
        about = (held.assignment_id, held.worker_id)
        self.ledger.add(Entry(at, "reward", -held.hit.hit_type.reward_cents, *about))
        self.ledger.add(Entry(at, "reward_fee", -held.hit.fee_cents, *about))
        self.announce("AssignmentApproved", held.hit, held, at=at)

    # Money

    @property
    def available_cents(self) -> int:
        """Return the balance less what open HITs may still cost (the "assignment liability")."""
        if not self.holds_rewards:
            return self.ledger.balance_cents
        now = self.now
        return self.ledger.balance_cents - sum(
            hit.liability_cents(now) for hit in self.hits.values()
        )

    def require_funds(self, cents: int) -> None:
        if self.available_cents < cents:
            raise insufficient_funds()

    # What is known by an id

    def hit(self, hit_id: str) -> HIT:
        if hit_id not in self.hits:
            raise missing("HIT", hit_id)
        return self.hits[hit_id]

    def assignment(self, assignment_id: str) -> Assignment:
        if assignment_id not in self.assignments:
            raise missing("Assignment", assignment_id)
        return self.assignments[assignment_id]

    def known_types(self) -> set[str]:
        """Return the ids of all qualification types; Masters differ by mode."""
        system = {PERCENT_APPROVED, NUMBER_APPROVED, LOCALE, ADULT, MASTERS[self.mode]}
        return system | set(self.qualification_types)

    def worker(self, worker_id: str) -> Worker:
        return self.workers.setdefault(worker_id, Worker(worker_id))

    def worked_for_us(self, worker_id: str) -> bool:
        return any(
            held.worker_id == worker_id and held.status in ("Approved", "Rejected")
            for held in self.assignments.values()
        )

    # Request tokens, alive for a day

    def used_token(self, family: str, token: str | None) -> str | None:
        """Return what a token was remembered with, if it was used within a day."""
        if token is None or (family, token) not in self.tokens:
            return None
        at, made = self.tokens[family, token]
        return made if self.now - at < DAY_S else None

    def remember_token(self, family: str, token: str | None, made: str = "") -> None:
        if token is not None:
            self.tokens[family, token] = (self.now, made or str(uuid.uuid4()))

    # Notifications

    def announce(
        self, kind: str, hit: HIT, held: Assignment | None = None, *, at: float | None = None
    ) -> None:
        """Note an event, and send it where the HIT type's settings ask for it."""
        event = event_of(
            kind,
            at=at or self.now,
            hit_type_id=hit.hit_type.hit_type_id,
            hit_id=hit.hit_id,
            assignment_id=held.assignment_id if held else None,
        )
        self.events.append(event)
        settings = self.notification_settings.get(hit.hit_type.hit_type_id)
        if settings and settings["Active"] and kind in settings["Notification"]["EventTypes"]:
            self.send(event, settings["Notification"])

    def send(self, event: Shape, specification: Shape) -> None:
        body = json.dumps(document_of(event, version=specification["Version"]))
        self.deliveries.append(
            Delivery(specification["Transport"], specification["Destination"], body)
        )


def event_of(
    kind: str, *, at: float, hit_type_id: str, hit_id: str, assignment_id: str | None = None
) -> Shape:
    event = {
        "EventType": kind,
        "EventTimestamp": datetime.fromtimestamp(int(at), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "HITTypeId": hit_type_id,
        "HITId": hit_id,
    }
    return {**event, "AssignmentId": assignment_id} if assignment_id else event


def document_of(*events: Shape, version: str = EVENT_VERSION) -> Shape:
    """Return a notification's body. Source: the reference on SQS, and messages seen in public."""
    return {
        "Events": list(events),
        "EventDocId": secrets.token_hex(20),
        "SourceAccount": ACCOUNT_ID,
        "CustomerId": CUSTOMER_ID,
        "EventDocVersion": version,
    }
