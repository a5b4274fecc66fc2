"""What the product asks of a crowd platform, and the values in which it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tasks.models import (
    Assignment,
    LedgerEntry,
    Listing,
    Offer,
    Project,
    Qualification,
    StatusThere,
)


class UnknownAssignment(Exception):
    """The address was not made by us, or was replaced by a newer one."""


class ReplacedLink(UnknownAssignment):
    """The address was replaced by a newer one of the same assignment."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__()
        self.assignment = assignment


class NotArrivable(Exception):
    """An address that a platform never makes, or not for us; the message says what is wrong."""


class PlatformError(Exception):
    """A platform did not do what was asked; the message is a sentence for a manager.

    permanent: asking again changes nothing until a person has done something about it.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class OutcomeUnknown(PlatformError):
    """What was asked was sent, and nobody has said whether it was done: look, then ask again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


class UnderWay(OutcomeUnknown):
    """Another process is at the same call just now; it will see to it."""


class DoneBefore(PlatformError):
    """The same token was used before: what was asked is done, or another process is doing it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


class AlreadyDecided(PlatformError):
    """The platform has decided otherwise meanwhile, as by approving by itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True)
class Market:
    """Where calls go now. What was made in one market is never touched from another."""

    mode: str
    endpoint: str
    region: str
    account: str


@dataclass(frozen=True)
class Published:
    """A listing as the platform has it."""

    platform_id: str
    group_id: str
    expires_at: datetime | None


@dataclass(frozen=True)
class Found:
    """A listing that is there; `key` is empty where it is none of ours by its looks."""

    platform_id: str
    key: str
    title: str
    status: str
    created_at: datetime | None
    can_be_taken: bool = False  # somebody may take a place of it now
    places: int | None = None  # in all; None where the platform counts them in another way


@dataclass(frozen=True)
class Standing:
    """How many places of a listing are taken, as the platform counts them."""

    status: str
    pending: int
    available: int
    is_over: bool  # nobody can take a place any more, and nobody holds one


@dataclass(frozen=True)
class Submission:
    """What the platform says of one person's take of a listing."""

    platform_id: str
    worker_id: str
    status: StatusThere | None  # None: being worked on
    submitted_at: datetime | None = None
    approves_itself_at: datetime | None = None
    feedback: str = ""


@dataclass(frozen=True)
class Event:
    """A notification, by the platform's names. It is a hint where to look, and no more."""

    event_id: str  # the same however often it comes
    kind: str
    listing_id: str
    assignment_id: str = ""
    happened_at: datetime | None = None
    is_given_back: bool = False  # the assignment's place was freed then


@dataclass(frozen=True)
class Arrival:
    """Somebody whom a platform sends: the assignment's name there, and who holds it.

    Neither alone says who it is: after a return, the same assignment can go to another person.
    """

    platform_id: str
    worker_id: str
    submit_to: str = ""


@dataclass(frozen=True)
class Completion:
    """How a finished annotator tells the platform: a form to be posted, or a page to go to."""

    address: str
    fields: Mapping[str, str]  # empty: a page to go to
    code: str = ""  # to be copied, should the page not open


class CrowdPlatform(Protocol):
    """A market for work. Each method raises PlatformError where the platform does not do it.

    What creates or pays is safe to repeat with the same row: a key or token says that it is the
    same. Where the platform has none, OutcomeUnknown is raised instead of repeating.
    """

    def market(self) -> Market:
        """Return where calls go, by the settings. Raises PlatformError for settings that cannot
        work, before anything is asked."""

    def fee_cents(self, cents: int, *, places: int, needs_masters: bool = False) -> int:
        """Return the fee for one reward (or, with places=1, a bonus) in a listing of so many."""

    def funds_cents(self) -> int:
        """Return what the account can still spend."""

    # --- Listings
    def publish(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> Published:
        """Make a listing there, or return it as it is if it was made before."""

    def listings(self) -> Iterator[Found]:
        """Return all that the account has there, ours or not."""

    def look(self, listing: Listing) -> Standing:
        """Return how a listing stands."""

    def page_there(self, listing: Listing) -> str:
        """Return the address at which people find a listing there; "" where there is none."""

    def raise_places(self, listing: Listing) -> None:
        """Give a listing there as many places as it has here; it never has fewer than before."""

    def close(self, platform_id: str) -> None:
        """Let nobody take a place any more; who holds one may finish. Once closed, no failure."""

    # --- People
    def arrival(self, query: Mapping[str, str], listing: Listing) -> Arrival | None:
        """Return who comes, by the query of the address; None for a mere preview.

        Raises NotArrivable.
        """

    def frame_origins(self, listing: Listing) -> list[str]:
        """Return the origins whose pages show tasks in a frame."""

    def completion(self, assignment: Assignment) -> Completion | None:
        """Return how a finished assignment is handed in; None where nothing needs to be."""

    def submissions(self, listing: Listing) -> Iterator[Submission]:
        """Return what was handed in (or, where the platform tells, taken and given back)."""

    def submission(self, assignment: Assignment) -> Submission:
        """Return what the platform says of one assignment."""

    # --- Decisions and money
    def approve(self, assignment: Assignment, *, overrules: bool) -> None:
        """Approve and so pay; approved already is done. overrules: a rejection. Raises
        AlreadyDecided."""

    def reject(self, assignment: Assignment) -> None:
        """Reject with its feedback; rejected already is done. Raises AlreadyDecided."""

    def pay_bonus(self, entry: LedgerEntry) -> None:
        """Pay a bonus once, however often it is asked for."""

    def bonuses_cents(self, listing: Listing) -> int | None:
        """Return what the bonuses of a listing come to there, without fees; None where the
        platform does not tell."""

    # --- Who may
    def grant(self, qualification: Qualification, worker_id: str) -> None:
        """Give somebody a qualification, which is made first if need be."""

    def withdraw(self, qualification: Qualification, worker_id: str) -> None:
        """Take it from them; not having it is no failure."""

    def block(self, worker_id: str, reason: str) -> None:
        """Show somebody no more of the account's work."""

    def unblock(self, worker_id: str) -> None:
        """Undo a block."""

    def notify(
        self, worker_ids: Sequence[str], *, subject: str, text: str, project: Project
    ) -> dict[str, PlatformError]:
        """Write to at most 100 people; return who could not be written to, and why; of some it may
        be OutcomeUnknown."""
