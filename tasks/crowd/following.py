"""Following up: what became of published work, by polling its platform.

A poll may be repeated, run twice at once, or end half way: each step is a conditional update, and
calls to a platform are made outside of transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from models_ml import jobs
from tasks import services
from tasks.crowd import arrivals, ledger, matching, paying, people, publishing
from tasks.crowd.matching import Changes
from tasks.models import (
    HIT,
    Assignment,
    AssignmentState,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    ListingState,
    PlatformCall,
    Project,
    ProjectState,
    Purpose,
    QualificationHolder,
    QualificationPurpose,
    StatusThere,
)
from tasks.platforms import CrowdPlatform, PlatformError, platform_of
from tasks.platforms.base import Market, Standing, Submission, UnderWay

SYNC_ALL, SYNC_ONE = "sync_platforms", "sync_listing"  # kinds of jobs
# A platform's counts follow what people do by seconds, what was handed in by minutes.
JUST_ARRIVED = timedelta(minutes=2)
JUST_FINISHED = timedelta(hours=1)
# A planned listing of which nobody was asked by then was left by a crash.
PUBLISHING_TAKES = timedelta(minutes=10)
RAISING_TAKES = timedelta(minutes=10)
# A closed listing is looked at for so long after its end, for what was handed in last.
AFTERWARDS = timedelta(days=1)

Report = Callable[[str, int, int], None]


@dataclass
class Outcome:
    """What a poll found and did. `problems`: what it could not do, as sentences."""

    listings: int = 0
    changes: Changes = field(default_factory=Changes)
    closed: int = 0
    places_made: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def data(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "listings": self.listings,
            "handed_in": self.changes.handed_in,
            "approved": self.changes.approved,
            "rejected": self.changes.rejected,
            "given_back": self.changes.given_back,
            "strange": self.changes.strange,
            "closed": self.closed,
            "places_made": self.places_made,
            "notes": self.notes,
            "problems": self.problems,
        }


def sync(
    project: Project | None = None,
    *,
    platform: str | None = None,
    report: Report = lambda note, done, total: None,
) -> Outcome:
    """Return what one poll found: of a project or all, on a platform or all.

    report: told of each listing, as jobs.Progress is. Trouble with one does not stop the others.
    """
    services.expire_overdue()
    outcome = Outcome()
    listings = Listing.objects.all()
    if project is not None:
        listings = listings.filter(hit__project=project)
    if platform is not None:
        listings = listings.filter(platform=platform)
    for name in sorted(set(listings.order_by().values_list("platform", flat=True))):
        of_platform = listings.filter(platform=name)
        if not has_work(of_platform):
            continue  # its settings may be gone by now
        try:
            where = platform_of(name)
            market = where.market()
        except PlatformError as error:
            outcome.problems.append(f"{name}: {error}")
            continue
        here = of_platform.filter(mode=market.mode, account=market.account)
        if elsewhere := followed(of_platform, timezone.now()).exclude(pk__in=here).count():
            outcome.notes.append(_left_alone(elsewhere, market))
        troubled = _follow_all(where, here, outcome, report)
        _settle(name, here, project, outcome)
        _make_missing(name, here, troubled, outcome)
    return outcome


def sync_listing(listing: Listing) -> Outcome:
    """Return what one poll of a single listing found; its HIT's missing places are made."""
    outcome = Outcome()
    where = platform_of(listing.platform)
    market = where.market()
    if (listing.mode, listing.account) != (market.mode, market.account):
        outcome.notes.append(_left_alone(1, market))
    elif _follow(where, listing, outcome):
        _refill(listing.hit, outcome)
    return outcome


def look_soon(listing: Listing) -> None:
    """Have a worker poll a listing, as something is said to have happened to it."""
    jobs.enqueue(SYNC_ONE, listing.pk, anew=True)


def has_work(listings: QuerySet[Listing]) -> bool:
    """Return whether any of some listings is to be followed, in whichever market."""
    unpaid = LedgerEntry.objects.filter(state__in=[EntryState.PLANNED, EntryState.SENT])
    return (
        listings.filter(hit__project__state=ProjectState.OPEN).exists()
        or followed(listings, timezone.now()).exists()
        or unpaid.filter(listing__in=listings).exists()
    )


def followed(listings: QuerySet[Listing], now: datetime) -> QuerySet[Listing]:
    """Return the listings of which something may yet become known."""
    waiting = Assignment.objects.filter(listing=OuterRef("pk")).filter(
        Q(status_there=StatusThere.SUBMITTED)
        | Q(
            status_there="",
            state__in=[*matching.UNFINISHED, AssignmentState.SUBMITTED],
        )
    )
    unpaid = LedgerEntry.objects.filter(
        listing=OuterRef("pk"), state__in=[EntryState.PLANNED, EntryState.SENT]
    ).exclude(kind=EntryKind.BONUS)
    lately = Q(closed_at__gt=now - AFTERWARDS) | Q(expires_at__gt=now - AFTERWARDS)
    closed = Q(state=ListingState.CLOSED) & (lately | Exists(waiting) | Exists(unpaid))
    return listings.filter(
        Q(state__in=[ListingState.PLANNED, ListingState.OPEN]) | closed & ~Q(platform_id="")
    )


def _left_alone(number: int, market: Market) -> str:
    whose = f" of {market.account}" if market.account else ""
    are = "1 listing is" if number == 1 else f"{number} listings are"
    return f"{are} of another market than {market.mode}{whose}, and was left alone"


def _follow_all(
    where: CrowdPlatform, listings: QuerySet[Listing], outcome: Outcome, report: Report
) -> set[int]:
    """Poll listings; return the HITs of those where that did not go well."""
    due = followed(listings, timezone.now()).select_related("hit__project").order_by("pk")
    troubled = set()
    for done, listing in enumerate(due):
        report("polling", done, len(due))
        if not _follow(where, listing, outcome):
            troubled.add(listing.hit_id)
    return troubled


def _settle(
    name: str, listings: QuerySet[Listing], project: Project | None, outcome: Outcome
) -> None:
    """Do on the platform what people have decided, and tell it who took part."""
    _note_took_part(listings)
    for told in (paying.settle_all, people.grant_waiting):
        try:
            outcome.problems += told(name, project=project)
        except (PlatformError, services.TaskError) as error:
            outcome.problems.append(str(error))


def _make_missing(
    name: str, listings: QuerySet[Listing], troubled: set[int], outcome: Outcome
) -> None:
    """Make the places that HITs are missing, and publish later sessions that are due."""
    projects = Project.objects.filter(state=ProjectState.OPEN, hits__listings__in=listings)
    for project in projects.distinct():
        with _problems_in(outcome, str(project)):
            made = publishing.publish_later_sessions(project, name)
            outcome.places_made += sum(one.places for one in made)
    # What is for one person alone is never refilled.
    shared = HIT.objects.filter(worker_id="", project__state=ProjectState.OPEN)
    hits = shared.filter(listings__in=listings)
    for hit in hits.exclude(pk__in=troubled).select_related("project").distinct():
        _refill(hit, outcome)


def _refill(hit: HIT, outcome: Outcome) -> None:
    """Make the places that a HIT is missing."""
    before = _places(hit)
    with _problems_in(outcome, str(hit)):
        publishing.refill(hit)
    outcome.places_made += _places(hit) - before


def _places(hit: HIT) -> int:
    listings = hit.listings.exclude(state=ListingState.FAILED)
    return sum(listings.values_list("places", flat=True))


@contextmanager
def _problems_in(outcome: Outcome, what: str) -> Iterator[None]:
    """Write down what a platform does not do, and go on."""
    try:
        yield
    except UnderWay as error:
        outcome.notes.append(f"{what}: {error}")
    except (PlatformError, services.TaskError) as error:
        outcome.problems.append(f"{what}: {error}")


def _follow(where: CrowdPlatform, listing: Listing, outcome: Outcome) -> bool:
    """Poll a listing; return whether that went well. What does not is in the outcome."""
    outcome.listings += 1
    with _problems_in(outcome, str(listing)):
        if listing.state == ListingState.PLANNED and _was_left(listing):
            listing = publishing.complete(listing)
        if listing.platform_id:
            asked_at = timezone.now()
            # In this order: whoever hands in between is missing in neither.
            standing = where.look(listing)
            told = list(where.submissions(listing))
            _note_standing(listing, standing, asked_at)
            outcome.changes += matching.note_submissions(listing, told)
            outcome.changes.given_back += _give_back(listing, standing, told)
            outcome.closed += _close_if_over(listing, standing)
        return True
    return False


def _was_left(listing: Listing) -> bool:
    """True for a planned listing whose publication was begun and not finished."""
    calls = PlatformCall.objects.filter(key=f"listing-{listing.key}")
    is_old = listing.created_at < timezone.now() - PUBLISHING_TAKES
    return listing.hit.project.state == ProjectState.OPEN and (is_old or calls.exists())


def _note_standing(listing: Listing, standing: Standing, asked_at: datetime) -> None:
    Listing.objects.filter(pk=listing.pk).update(
        synced_at=asked_at,
        status_there=standing.status,
        pending_there=standing.pending,
        available_there=standing.available,
    )


def _give_back(listing: Listing, standing: Standing, told: Sequence[Submission]) -> int:
    """Free the places of those who must have given them back; return how many.

    Mechanical Turk tells how many people are at work, and not who. Where these are fewer than ours,
    those idle longest are taken to be gone; they are let in again should they come back.
    """
    now = timezone.now()
    at_work = {(one.platform_id, one.worker_id) for one in told if one.status is None}
    handed_in = {one.platform_id for one in told if one.status in matching.HANDED_IN}
    rows = listing.assignments.holding_a_place().filter(status_there="")
    waiting = [
        row
        for row in rows.order_by("-submitted_at", "pk")
        if (row.platform_id, row.worker_id) not in at_work and row.platform_id not in handed_in
    ]
    # Places that are neither free nor held were handed in, though they may not be listed yet.
    unlisted = listing.places - standing.pending - standing.available - len(handed_in)
    finished = [row for row in waiting if _is_after(row.submitted_at, now - JUST_FINISHED)]
    spared = {row.pk for row in finished[: max(0, unlisted)]}
    waiting = [row for row in waiting if row.pk not in spared]
    held = max(0, standing.pending - len(at_work))
    gone = [row for row in waiting if not _is_after(row.arrived_at, now - JUST_ARRIVED)]
    if held:
        signs = arrivals.last_signs(listing.hit, rows)
        seen = {row: max(at, row.submitted_at or at) for row, at in signs.items()}
        idle = [row for row in gone if seen[row] <= now - arrivals.IDLE]
        idle.sort(key=lambda row: (seen[row], row.pk))
        gone = idle[: max(0, len(waiting) - held)]
    return sum(
        matching.give_back(
            Assignment.objects.filter(
                pk=row.pk, platform_id=row.platform_id, arrived_at=row.arrived_at
            )
        )
        for row in gone
    )


def _is_after(moment: datetime | None, other: datetime) -> bool:
    return moment is not None and moment > other


def _close_if_over(listing: Listing, standing: Standing) -> int:
    """Close a listing whose time is over and end the promises that nobody can use any more.

    One whose places are all taken stays open: more can be added.
    """
    now = timezone.now()
    is_late = listing.expires_at is not None and listing.expires_at <= now
    closed = 0
    if standing.is_over and (is_late or (standing.available and not _was_raised(listing, now))):
        same = Listing.objects.filter(pk=listing.pk, state=ListingState.OPEN)
        # Over there before we thought so, as where it was ended on the platform's own pages.
        ended = listing.expires_at if is_late else now
        closed = same.update(state=ListingState.CLOSED, expires_at=ended)
    is_held = listing.assignments.holding_a_place().filter(status_there="").exists()
    if not (standing.pending or is_held):
        for over in Listing.objects.filter(pk=listing.pk, state=ListingState.CLOSED):
            ledger.release(over)
    return closed


def _was_raised(listing: Listing, now: datetime) -> bool:
    """True where places were added so lately that the platform may still think it full."""
    calls = PlatformCall.objects.filter(key__startswith=f"places-{listing.key}-")
    return calls.filter(sent_at__gt=now - RAISING_TAKES).exists()


def _note_took_part(listings: QuerySet[Listing]) -> None:
    """Note of everybody who holds a place, or handed in, that they took part."""
    noted = QualificationHolder.objects.filter(
        qualification__purpose=QualificationPurpose.TOOK_PART,
        qualification__hit=OuterRef("hit"),
        qualification__mode=OuterRef("listing__mode"),
        qualification__account=OuterRef("listing__account"),
        worker_id=OuterRef("worker_id"),
    )
    rows = Assignment.objects.filter(
        listing__in=listings, listing__purpose=Purpose.WORK, hit__worker_id=""
    )
    holds = Q(pk__in=rows.holding_a_place()) | Q(status_there__in=matching.HANDED_IN)
    for row in rows.filter(holds).exclude(Exists(noted)).select_related("hit__project", "listing"):
        people.note_took_part(row)
