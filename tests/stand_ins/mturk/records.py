"""What the service knows: HIT types, HITs, assignments, qualifications, workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.stand_ins.mturk.money import reward_fee, to_cents, to_dollars

Shape = dict[str, Any]  # a structure of the API, by its own names

PERCENT_APPROVED = "000000000000000000L0"
NUMBER_APPROVED = "00000000000000000040"
LOCALE = "00000000000000000071"
ADULT = "00000000000000000060"
MASTERS = {
    "sandbox": "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6",
    "live": "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH",
}
TAKEN = ("Accepted", "Submitted", "Approved", "Rejected")
HANDED_IN = ("Submitted", "Approved", "Rejected")


@dataclass(frozen=True)
class HITType:
    """Properties that HITs share; the same properties are the same type."""

    hit_type_id: str
    properties: Shape

    @property
    def requirements(self) -> list[Shape]:
        return self.properties.get("QualificationRequirements", [])

    @property
    def reward_cents(self) -> int:
        return to_cents(self.properties["Reward"])

    @property
    def needs_masters(self) -> bool:
        wanted = {requirement["QualificationTypeId"] for requirement in self.requirements}
        return not wanted.isdisjoint(MASTERS.values())


@dataclass(eq=False)
class Assignment:
    """One worker's hold on a place; its id may be another worker's after a return."""

    assignment_id: str
    hit: HIT
    worker_id: str
    accepted_at: float
    status: str = "Accepted"  # then Submitted, Approved, Rejected, or Returned, Abandoned
    submitted_at: float | None = None
    approved_at: float | None = None
    rejected_at: float | None = None
    answer: str = ""
    feedback: str | None = None

    @property
    def deadline(self) -> float:
        return self.accepted_at + self.hit.hit_type.properties["AssignmentDurationInSeconds"]

    @property
    def auto_approval_at(self) -> float | None:
        if self.submitted_at is None:
            return None
        return self.submitted_at + self.hit.hit_type.properties["AutoApprovalDelayInSeconds"]

    def as_shape(self) -> Shape:
        return {
            "AssignmentId": self.assignment_id,
            "WorkerId": self.worker_id,
            "HITId": self.hit.hit_id,
            "AssignmentStatus": self.status,
            "AutoApprovalTime": self.auto_approval_at,
            "AcceptTime": self.accepted_at,
            "SubmitTime": self.submitted_at,
            "ApprovalTime": self.approved_at,
            "RejectionTime": self.rejected_at,
            "Deadline": self.deadline,
            "Answer": self.answer,
            "RequesterFeedback": self.feedback,
        }


@dataclass(eq=False)
class HIT:
    """A task with a number of places; its status follows from who holds them and from the clock."""

    hit_id: str
    hit_type: HITType
    question: str
    max_assignments: int
    created_at: float
    expires_at: float
    annotation: str | None = None
    assignments: list[Assignment] = field(default_factory=list)
    is_reviewing: bool = False
    is_disposed: bool = False
    was_told_expired: bool = False
    was_told_reviewable: bool = False

    def count(self, *statuses: str) -> int:
        return sum(assignment.status in statuses for assignment in self.assignments)

    @property
    def available(self) -> int:
        return self.max_assignments - self.count(*TAKEN)

    @property
    def cost_each_cents(self) -> int:
        """Return one assignment's reward and fee."""
        return self.hit_type.reward_cents + self.fee_cents

    @property
    def fee_cents(self) -> int:
        return reward_fee(
            self.hit_type.reward_cents,
            max_assignments=self.max_assignments,
            needs_masters=self.hit_type.needs_masters,
        )

    def liability_cents(self, now: float) -> int:
        """Return what the HIT may still cost; rejected work and expired places cost nothing."""
        open_places = self.available if now < self.expires_at and not self.is_disposed else 0
        return (open_places + self.count("Accepted", "Submitted")) * self.cost_each_cents

    def status(self, now: float) -> str:
        """Return the HITStatus. Source: "Retrieving HIT status" in the requester's guide.

        A guess: an expired HIT is Unassignable while somebody still works on it.
        """
        if self.is_disposed:
            return "Disposed"
        if now < self.expires_at and self.available > 0:
            return "Assignable"
        if self.count("Accepted"):
            return "Unassignable"
        return "Reviewing" if self.is_reviewing else "Reviewable"

    def as_shape(self, now: float) -> Shape:
        properties = self.hit_type.properties
        return {
            **properties,
            "Reward": to_dollars(self.hit_type.reward_cents),
            "QualificationRequirements": self.hit_type.requirements,
            "HITId": self.hit_id,
            "HITTypeId": self.hit_type.hit_type_id,
            "HITGroupId": self.hit_type.hit_type_id[::-1],
            "CreationTime": self.created_at,
            "Question": self.question,
            "HITStatus": self.status(now),
            "HITReviewStatus": "NotReviewed",
            "MaxAssignments": self.max_assignments,
            "Expiration": self.expires_at,
            "RequesterAnnotation": self.annotation,
            "NumberOfAssignmentsPending": self.count("Accepted"),
            "NumberOfAssignmentsAvailable": self.available,
            "NumberOfAssignmentsCompleted": self.count("Approved", "Rejected"),
        }


@dataclass
class Qualification:
    """A worker's score of a type that the requester made."""

    type_id: str
    worker_id: str
    value: int
    granted_at: float
    status: str = "Granted"

    def as_shape(self) -> Shape:
        return {
            "QualificationTypeId": self.type_id,
            "WorkerId": self.worker_id,
            "GrantTime": self.granted_at,
            "IntegerValue": self.value,
            "Status": self.status,
        }


@dataclass(frozen=True)
class Worker:
    """What the marketplace itself says about a worker."""

    worker_id: str
    country: str = "US"
    subdivision: str | None = None
    percent_approved: int = 100
    number_approved: int = 0
    is_master: bool = False
    is_adult_approved: bool = False


@dataclass(frozen=True)
class BonusPayment:
    assignment: Assignment
    cents: int
    reason: str
    at: float

    def as_shape(self) -> Shape:
        return {
            "WorkerId": self.assignment.worker_id,
            "BonusAmount": to_dollars(self.cents),
            "AssignmentId": self.assignment.assignment_id,
            "Reason": self.reason,
            "GrantTime": self.at,
        }


@dataclass(frozen=True)
class Delivery:
    """A notification that the service would send now."""

    transport: str
    destination: str
    body: str
