"""What Prolific's API speaks of, as values. Money is in whole cents of the account's currency."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Self


class StudyAction(StrEnum):
    PUBLISH = "PUBLISH"
    PAUSE = "PAUSE"
    START = "START"
    STOP = "STOP"


class SubmissionStatus(StrEnum):
    RESERVED = "RESERVED"
    ACTIVE = "ACTIVE"
    TIMED_OUT = "TIMED-OUT"
    AWAITING_REVIEW = "AWAITING REVIEW"
    APPROVED = "APPROVED"
    PARTIALLY_APPROVED = "PARTIALLY APPROVED"
    SCREENED_OUT = "SCREENED OUT"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> "SubmissionStatus":
        return cls.UNKNOWN  # a status of next year stops no poll


class RejectionCategory(StrEnum):
    TOO_QUICKLY = "TOO_QUICKLY"
    TOO_SLOWLY = "TOO_SLOWLY"
    FAILED_INSTRUCTIONS = "FAILED_INSTRUCTIONS"
    INCOMP_LONGITUDINAL = "INCOMP_LONGITUDINAL"
    FAILED_CHECK = "FAILED_CHECK"
    LOW_EFFORT = "LOW_EFFORT"
    MALINGERING = "MALINGERING"
    NO_CODE = "NO_CODE"
    BAD_CODE = "BAD_CODE"
    NO_DATA = "NO_DATA"
    UNSUPP_DEVICE = "UNSUPP_DEVICE"
    OTHER = "OTHER"


@dataclass(frozen=True)
class CompletionCode:
    """What a participant hands in at the end; by default, a person then reviews the work."""

    code: str
    code_type: str = "COMPLETED"
    action: str = "MANUALLY_REVIEW"
    actor: str = "participant"

    def as_json(self) -> dict[str, Any]:
        actions = [{"action": self.action}]
        return {
            "code": self.code,
            "code_type": self.code_type,
            "actions": actions,
            "actor": self.actor,
        }


@dataclass(frozen=True)
class SelectFilter:
    """Who may take part, by choices: an answer's ids, or participants, groups or studies."""

    filter_id: str
    selected_values: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"filter_id": self.filter_id, "selected_values": list(self.selected_values)}


@dataclass(frozen=True)
class RangeFilter:
    """Who may take part, by a number; an end that is None stays open."""

    filter_id: str
    lower: int | None = None
    upper: int | None = None

    def as_json(self) -> dict[str, Any]:
        ends = {"lower": self.lower, "upper": self.upper}
        chosen = {end: value for end, value in ends.items() if value is not None}
        return {"filter_id": self.filter_id, "selected_range": chosen}


@dataclass(frozen=True)
class Filter:
    """What participants can be chosen by; `choices` has the name of each id."""

    id: str
    choices: dict[str, str]

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(id=told["filter_id"], choices=dict(told.get("choices") or {}))


@dataclass(frozen=True)
class NewStudy:
    """A study to be made. `internal_name` is not shown to participants: it carries our key."""

    name: str
    internal_name: str
    description: str
    external_study_url: str
    completion_codes: tuple[CompletionCode, ...]
    places: int
    estimated_minutes: int
    reward_cents: int
    project_id: str = ""
    maximum_minutes: int | None = None
    filters: tuple[SelectFilter | RangeFilter, ...] = ()
    devices: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": self.name,
            "internal_name": self.internal_name,
            "description": self.description,
            "external_study_url": self.external_study_url,
            "prolific_id_option": "url_parameters",
            "completion_codes": [code.as_json() for code in self.completion_codes],
            "total_available_places": self.places,
            "estimated_completion_time": self.estimated_minutes,
            "reward": self.reward_cents,
            "filters": [choice.as_json() for choice in self.filters],
            "device_compatibility": list(self.devices),
        }
        if self.project_id:
            told["project"] = self.project_id
        if self.maximum_minutes is not None:
            told["maximum_allowed_time"] = self.maximum_minutes
        return told


@dataclass(frozen=True)
class Study:
    """A study as Prolific tells it: empty or None is what an answer leaves out."""

    id: str
    name: str
    internal_name: str
    status: str
    places: int | None
    reward_cents: int | None
    created_at: datetime | None = None

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(
            id=told["id"],
            name=told.get("name") or "",
            internal_name=told.get("internal_name") or "",
            status=told.get("status") or "",
            places=_whole(told.get("total_available_places")),
            reward_cents=_whole(told.get("reward")),
            created_at=_moment(told.get("date_created")),
        )


@dataclass(frozen=True)
class Submission:
    """One participant's place in a study. Its id is what task pages get as SESSION_ID."""

    id: str
    study_id: str
    participant_id: str
    status: SubmissionStatus
    started_at: datetime | None
    completed_at: datetime | None
    code: str
    return_requested: bool
    bonus_cents: tuple[int, ...]  # as paid; a list of submissions leaves it out

    @classmethod
    def from_json(cls, told: dict[str, Any], *, study_id: str = "") -> Self:
        """Read either form: a list of one study's submissions names things otherwise, or not."""
        participant = told.get("participant_id") or told.get("participant")
        code = told.get("study_code") or told.get("entered_code")
        bonuses = (_whole(cents) for cents in told.get("bonus_payments") or ())
        return cls(
            id=told["id"],
            study_id=told.get("study_id", study_id),
            participant_id=participant or "",
            status=SubmissionStatus(told["status"]),
            started_at=_moment(told.get("started_at")),
            completed_at=_moment(told.get("completed_at")),
            code=code or "",
            return_requested=bool(told.get("return_requested")),
            bonus_cents=tuple(cents for cents in bonuses if cents is not None),
        )


@dataclass(frozen=True)
class Bonus:
    """A bonus to be paid. `recipient` is a participant's id or, better, a submission's."""

    recipient: str
    cents: int

    def as_csv(self) -> str:
        """Return the line that Prolific takes: an amount in pounds or dollars, not in cents.

        Raises ValueError for an amount or an id that would pay something else.
        """
        if self.cents <= 0:
            raise ValueError(f"a bonus of {self.cents} cents is none")
        return f"{checked_id(self.recipient)},{self.cents // 100}.{self.cents % 100:02}"


@dataclass(frozen=True)
class BonusBatch:
    """Bonuses that are set up and not paid. `total_cents` is what leaves the balance, with fees."""

    id: str
    total_cents: int

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(id=told["id"], total_cents=_cents(told["total_amount"]))


@dataclass(frozen=True)
class Balance:
    """A workspace's money; `available_cents` is what no running study holds."""

    currency: str
    total_cents: int
    available_cents: int

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(
            currency=told["currency_code"],
            total_cents=_cents(told["total_balance"]),
            available_cents=_cents(told["available_balance"]),
        )


@dataclass(frozen=True)
class Named:
    """Something with an id and a name: a workspace, a project, a participant group."""

    id: str
    name: str

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(id=told["id"], name=told["title"] if "title" in told else told["name"])


@dataclass(frozen=True)
class Subscription:
    """A webhook's subscription; nothing comes before it is confirmed with its secret."""

    id: str
    event_type: str
    target_url: str
    is_enabled: bool

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(
            id=told["id"],
            event_type=told["event_type"],
            target_url=told["target_url"],
            is_enabled=bool(told.get("is_enabled")),
        )


def checked_id(identifier: str) -> str:
    """Return an id; raises ValueError for a text that would make an address or a CSV line of it."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", identifier):
        raise ValueError(f"{identifier!r} is no id of Prolific's")
    return identifier


def _whole(value: Decimal | int | None) -> int | None:
    """Return a number of the API as a whole one; raises ValueError for half a place or cent."""
    if value is None:
        return None
    if value != int(value):
        raise ValueError(f"{value} is not a whole number")
    return int(value)


def _cents(value: Decimal | int) -> int:
    """Return an amount in whole cents; fees may come with fractions of one."""
    return int(Decimal(value).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
