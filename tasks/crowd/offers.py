"""On what terms a project is offered on a platform, and what that would cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tasks.crowd.ledger import committed_cents, dollars
from tasks.models import (
    HIT,
    LARGEST_BATCH,
    AssignmentState,
    HITItem,
    Layout,
    Listing,
    ListingState,
    Mode,
    Offer,
    Platform,
    Project,
    ProjectState,
    Purpose,
    StatusThere,
)
from tasks.platforms import CrowdPlatform, PlatformError, platform_of
from tasks.platforms.addresses import check_public_address
from tasks.platforms.base import Market

# Where a project names no time budget: as in the paper, where 50 keywords took fifty minutes.
MINUTES_A_KEYWORD, MINUTES_A_DOCUMENT = 1.0, 0.5
# What the sandbox shows where a project names no pay; nobody gets it.
SANDBOX_HOURLY_CENTS = 1200


@dataclass(frozen=True)
class LayoutCost:
    """What the missing places cost in one layout, in cents."""

    layout: Layout
    listings: tuple[int, ...]  # places of each
    rewards_cents: int
    fees_cents: int
    is_chosen: bool

    @property
    def total_cents(self) -> int:
        return self.rewards_cents + self.fees_cents


@dataclass(frozen=True)
class Plan:
    """What publishing a project now would make and cost."""

    offer: Offer
    market: Market | None  # None where the settings do not say where
    hits: int
    places_missing: int
    reward_cents: int
    rows: tuple[LayoutCost, ...]
    funds_cents: int | None
    limit_left_cents: int | None
    problems: tuple[str, ...]  # sentences; none: it can be published
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> LayoutCost:
        return next(row for row in self.rows if row.is_chosen)

    @property
    def mode(self) -> str:
        return self.market.mode if self.market else ""


def offer_of(project: Project, platform: str) -> Offer:
    """Return the terms on a platform as the manager set them, or the usual ones, not stored yet."""
    found = project.offers.filter(platform=platform).first()
    return found or Offer(project=project, platform=platform)


def of_compensation(offer: Offer) -> Offer:
    """Return the terms of a compensation, not to be stored: whom it is for may take it, whoever
    they are by the terms of the work."""
    title = offer.title or offer.project.question
    return Offer(
        project=offer.project,
        platform=offer.platform,
        title=f"Compensation: {title}"[:128],
        description=(
            "For work of yours that could not be handed in. There is nothing more to do: accept "
            "this, and hand it in."
        ),
        search_words=offer.search_words,
        minutes_allowed=offer.minutes_allowed,
        days_open=30,
        review_hours=offer.review_hours,
    )


def plan(project: Project, platform_name: str) -> Plan:
    """Return what publishing would make and cost, and what forbids it. Nothing is changed.

    Raises PlatformError for a platform that there is not.
    """
    platform = platform_of(platform_name)
    offer = offer_of(project, platform_name)
    problems, notes = list(_of_project(project)), list[str]()
    market, funds = None, None
    try:
        market = platform.market()
        check_public_address(offer.get_platform_display())
        funds = platform.funds_cents()
    except PlatformError as error:
        problems.append(str(error))
    mode = market.mode if market else ""
    reward, said = reward_cents(offer, mode)
    (notes if reward else problems).extend(said)
    if market:
        problems += _of_other_markets(project, platform_name, market)
    shared = _shared_hits(project)
    missing = [missing_places(project, hit.batch, platform_name, market) for hit in shared]
    rows = tuple(
        _cost(platform, offer, layout, [n for n in missing if n], reward)
        for layout in (Layout if platform_name == Platform.MTURK else [Layout.SINGLE])
    )
    chosen = next(row for row in rows if row.is_chosen)
    left = _limit_left(project, mode)
    if funds is not None and chosen.total_cents > funds:
        problems.append(
            f"{dollars(chosen.total_cents)} with fees are needed and the {mode} account has "
            f"{dollars(funds)}: nothing was published"
        )
    if left is not None and chosen.total_cents > left:
        problems.append(
            f"{dollars(chosen.total_cents)} with fees are needed and the project's spending limit "
            f"leaves {dollars(max(left, 0))}"
        )
    return Plan(
        offer=offer,
        market=market,
        hits=len(shared),
        places_missing=sum(missing),
        reward_cents=reward,
        rows=rows,
        funds_cents=funds,
        limit_left_cents=left,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def reward_cents(offer: Offer, mode: str) -> tuple[int, list[str]]:
    """Return a HIT's reward and what there is to say about it; 0 where it cannot be told."""
    if offer.reward_cents:
        return offer.reward_cents, []
    project = offer.project
    minutes = project.session_minutes or (
        project.keyword_count * MINUTES_A_KEYWORD + project.document_count * MINUTES_A_DOCUMENT
    )
    hits = max(1, len(_shared_hits(project)))
    if project.hourly_pay and offer.platform == Platform.MTURK and project.currency != "USD":
        return 0, [
            f"the hourly pay is in {project.currency}: set the reward of {offer} in US cents"
        ]
    if project.hourly_pay:
        hourly = int(project.hourly_pay * 100)
    elif mode == Mode.SANDBOX:
        hourly = SANDBOX_HOURLY_CENTS
    else:
        return 0, [f"nobody has said what {offer} pays: set its reward, or the hourly pay"]
    exact = Decimal(hourly) * Decimal(str(minutes)) / 60 / hits
    cents = max(1, int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)))
    how = f"{minutes:g} minutes at {dollars(hourly)} an hour"
    share = f", shared among {hits} HITs" if hits > 1 else ""
    return cents, [f"the reward is {dollars(cents)}: {how}{share}"]


def split(places: int, largest: int | None) -> list[int]:
    """Return the places of each listing into which a HIT's places are split."""
    if largest is None:
        return [places] if places else []
    full, rest = divmod(places, largest)
    return [largest] * full + ([rest] if rest else [])


@transaction.atomic
def copies(project: Project, platform: str) -> list[HIT]:
    """Return a platform's own HITs of the first session: copies of those that links begin with."""
    Project.objects.select_for_update().get(pk=project.pk)
    made = []
    for hit in _shared_hits(project):
        copy, is_new = HIT.objects.get_or_create(
            project=project,
            session_number=hit.session_number,
            platform=platform,
            worker_id="",
            batch=hit.batch,
        )
        if is_new:
            HITItem.objects.bulk_create(
                HITItem(
                    hit=copy,
                    position=item.position,
                    keyword_id=item.keyword_id,
                    document_id=item.document_id,
                )
                for item in hit.items.all()
            )
        made.append(copy)
    return made


def missing_places(project: Project, batch: int, platform: str, market: Market | None) -> int:
    """Return how many more places a shared HIT needs until `overlap` people have answered it."""
    listings = Listing.objects.filter(
        hit__project=project,
        hit__session_number=1,
        hit__worker_id="",
        hit__batch=batch,
        platform=platform,
        purpose=Purpose.WORK,
    )
    now = timezone.now()
    offered = sum(places_given(one, now) for one in of_market(listings, market))
    return max(0, project.overlap - offered)


def of_market(listings: QuerySet[Listing], market: Market | None) -> list[Listing]:
    """Return those of some listings that were made where calls go now, the oldest first."""
    if market is None:
        return []
    return list(listings.filter(mode=market.mode, account=market.account).order_by("pk"))


def places_given(listing: Listing, now: datetime) -> int:
    """Return how many of a listing's places are taken, or can be taken still.

    A rejected assignment does not give its place back to the listing.
    """
    if listing.state == ListingState.FAILED:
        return 0
    rejected = listing.assignments.filter(status_there=StatusThere.REJECTED).count()
    if listing.closed_at is None and listing.is_running(now):
        return listing.places - rejected
    return sum(
        one.status_there in {StatusThere.SUBMITTED, StatusThere.APPROVED}
        or (one.status_there == "" and (one.is_held or one.state == AssignmentState.SUBMITTED))
        for one in listing.assignments.all()
    )


def _shared_hits(project: Project) -> list[HIT]:
    shared = project.hits.filter(session_number=1, worker_id="", platform=Platform.DIRECT)
    return list(shared.order_by("batch"))


def _cost(
    platform: CrowdPlatform, offer: Offer, layout: Layout, missing: Sequence[int], reward: int
) -> LayoutCost:
    largest = LARGEST_BATCH if layout == Layout.BATCHES else None
    listings = [places for number in missing for places in split(number, largest)]
    fees = [
        places * platform.fee_cents(reward, places=places, needs_masters=offer.needs_masters)
        for places in listings
        if reward
    ]
    return LayoutCost(
        layout=layout,
        listings=tuple(listings),
        rewards_cents=sum(listings) * reward,
        fees_cents=sum(fees),
        is_chosen=offer.largest_listing == largest,
    )


def _limit_left(project: Project, mode: str) -> int | None:
    if project.spend_limit_cents is None:
        return None
    return project.spend_limit_cents - committed_cents(project, mode)


def _of_project(project: Project) -> Iterator[str]:
    """Return what forbids to publish a project, whatever the platform."""
    if project.state != ProjectState.OPEN:
        yield f"{project} is {project.state}; prepare it first"
    elif not _shared_hits(project):
        yield f"{project} has no HITs; prepare it first"
    if project.is_adaptive:
        yield (
            f"{project} decides after each block what it asks next, and HITs on a platform are "
            "fixed when they are published: switch the adaptive mix off"
        )


def _of_other_markets(project: Project, platform: str, market: Market) -> Iterator[str]:
    """Return why a project that was published in one market cannot be in another."""
    others = Listing.objects.filter(hit__project=project, platform=platform).exclude(
        state=ListingState.FAILED
    )
    for other in others.exclude(mode=market.mode, account=market.account)[:1]:
        account = f" of {other.account!r}" if other.account != market.account else ""
        yield (
            f"{project} was published in the {other.mode} market{account}, and the settings say "
            f"{market.mode}: sandbox and live are never mixed, so make a project of its own"
        )
