"""What the stand-in remembers: studies, submissions, money, groups, webhooks; and its clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil

EPOCH = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOLDS_A_PLACE = ("RESERVED", "ACTIVE", "AWAITING REVIEW", "APPROVED", "SCREENED OUT")
AT_WORK = ("RESERVED", "ACTIVE")


class Refused(Exception):
    """The service's answer to what it does not do."""

    def __init__(self, status: int, title: str, detail: object) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status, self.title, self.detail = status, title, detail

    def as_json(self) -> dict:
        # The reference has error codes without a list of them: guess.
        told = {"status": self.status, "error_code": 140000 + self.status}
        return {"error": {**told, "title": self.title, "detail": self.detail}}


def invalid(**fields: str) -> Refused:
    """Return a 400 that names what is wrong with each field."""
    return Refused(400, "Validation error", {name: [why] for name, why in fields.items()})


@dataclass
class Study:
    id: str
    told: dict  # the fields as the client gave them
    created_at: datetime
    status: str = "UNPUBLISHED"
    published_at: datetime | None = None
    is_stopped: bool = False

    @property
    def reward(self) -> int:
        return self.told["reward"]

    @property
    def places(self) -> int:
        return self.told["total_available_places"]

    def code(self, code: str | None, actor: str) -> dict | None:
        """Return the completion code that this actor may hand in, None for a wrong one."""
        codes = self.told.get("completion_codes") or []
        fitting = (c for c in codes if c["code"] == code and c["actor"] == actor)
        return next(fitting, None)


@dataclass
class Submission:
    id: str
    study_id: str
    participant_id: str
    started_at: datetime
    status: str
    completed_at: datetime | None = None
    code: str | None = None
    return_requested: datetime | None = None
    bonuses: list[int] = field(default_factory=list)
    rejection: tuple[str, str] | None = None  # category, message


@dataclass(frozen=True)
class Payment:
    """A row of the ledger: what one person got, and what Prolific took for it."""

    kind: str  # "reward", "bonus"
    study_id: str
    submission_id: str
    participant_id: str
    cents: int
    fee_cents: int


@dataclass
class BonusBatch:
    id: str
    study_id: str
    amounts: list[tuple[str, int]]  # submission id, cents
    due: list[datetime] = field(default_factory=list)  # one entry a pay call that is not done yet


@dataclass
class Group:
    id: str
    name: str
    workspace_id: str
    members: dict[str, datetime] = field(default_factory=dict)


@dataclass
class Subscription:
    id: str
    event_type: str
    target_url: str
    workspace_id: str
    hook_secret: str
    is_enabled: bool = False


@dataclass(frozen=True)
class Delivery:
    """A webhook that left Prolific; a test posts it, twice or late or not at all."""

    target_url: str
    headers: dict[str, str]
    body: bytes


@dataclass
class World:
    balance_cents: int
    fee_share: Fraction
    workspace_id: str = "5f00000000000000000000a1"
    project_id: str = "5f00000000000000000000b1"
    researcher_id: str = "5f00000000000000000000c1"
    now: datetime = EPOCH
    reopens: bool = True  # whether a full study takes somebody as soon as work is refused
    studies: dict[str, Study] = field(default_factory=dict)
    submissions: dict[str, Submission] = field(default_factory=dict)
    batches: dict[str, BonusBatch] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    secret: str = ""
    ledger: list[Payment] = field(default_factory=list)
    messages: list[tuple[str, str, str]] = field(default_factory=list)  # participant, text, study
    deliveries: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Return an id of the form that Prolific's have: 24 hexadecimal digits."""
        return f"6a{next(self._numbers):022x}"

    def study(self, study_id: str) -> Study:
        return found(self.studies, study_id)

    def submission(self, submission_id: str) -> Submission:
        return found(self.submissions, submission_id)

    def submissions_of(self, study: Study) -> list[Submission]:
        return [one for one in self.submissions.values() if one.study_id == study.id]

    def places_taken(self, study: Study) -> int:
        return sum(one.status in HOLDS_A_PLACE for one in self.submissions_of(study))

    def fee(self, cents: int) -> int:
        """Return Prolific's fee, rounded up to a cent (guess)."""
        return ceil(cents * self.fee_share)

    def held_cents(self) -> int:
        """Return what published studies hold: places that are open, at work, or unreviewed."""
        return sum(self._held_by(study) for study in self.studies.values())

    def available_cents(self) -> int:
        return self.balance_cents - self.held_cents()

    def cost(self, study: Study) -> int:
        """Return what one place of a study costs."""
        return study.reward + self.fee(study.reward)

    def _held_by(self, study: Study) -> int:
        if study.status == "UNPUBLISHED":
            return 0
        statuses = [one.status for one in self.submissions_of(study)]
        unpaid = sum(status in (*AT_WORK, "AWAITING REVIEW") for status in statuses)
        is_open = study.status in {"ACTIVE", "PAUSED"}
        free = study.places - self.places_taken(study) if is_open else 0
        return (unpaid + free) * self.cost(study)

    def pay(self, kind: str, submission: Submission, cents: int) -> None:
        fee = self.fee(cents)
        self.balance_cents -= cents + fee
        self.ledger.append(
            Payment(kind, submission.study_id, submission.id, submission.participant_id, cents, fee)
        )


def found(things: dict, identifier: str):
    """Return a thing by its id, or refuse as for one that nobody has made."""
    if identifier not in things:
        raise Refused(404, "Not found", "No object matches this id.")
    return things[identifier]


def moment(value: datetime | None) -> str | None:
    """Return a moment in the API's form."""
    return value and value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
