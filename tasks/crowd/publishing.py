"""Listings made, raised and closed: rows and promises first, then the platform."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tasks.crowd import ledger, people
from tasks.crowd.offers import (
    copies,
    missing_places,
    of_compensation,
    of_market,
    offer_of,
    plan,
    reward_cents,
    split,
)
from tasks.models import (
    HIT,
    LARGEST_BATCH,
    Listing,
    ListingState,
    Offer,
    Platform,
    PlatformCall,
    Project,
    ProjectState,
    Purpose,
    StatusThere,
)
from tasks.platforms import OutcomeUnknown, PlatformError, platform_of
from tasks.platforms.base import Market
from tasks.services import TaskError

SHORTEST_USE = timedelta(hours=1)  # a listing that ends sooner gets no more places


def publish(project: Project, platform_name: str) -> list[Listing]:
    """Return the listings made for the places that a project is missing on a platform.

    What an earlier try left unfinished is finished first. Published already: none is made. Raises
    TaskError or PlatformError; then every listing that the platform has is open here, one whose
    outcome is not known stays planned, and no promise is kept for the others.
    """
    finished = [complete(one) for one in _unfinished(project, platform_name)]
    planned = plan(project, platform_name)
    if planned.problems:
        raise TaskError("; ".join(planned.problems))
    finished += publish_later_sessions(project, platform_name, tries_again=True)
    if not planned.places_missing:
        return finished
    if planned.offer.pk is None:
        planned.offer.save()
    hits = copies(project, platform_name)
    with transaction.atomic():
        # All or none: the spending limit holds for the whole.
        _hold(project)
        made = [
            make_listing(hit, planned.offer, places=places, reward_cents=planned.reward_cents)
            for hit in hits
            for places in split(
                missing_places(project, hit.batch, platform_name, planned.market),
                planned.offer.largest_listing,
            )
        ]
    for done, listing in enumerate(made):
        try:
            finished.append(complete(listing))
        except PlatformError:
            for other in made[done + 1 :]:
                _give_up(other, "an earlier one of the same publication failed")
            raise
    return finished


@transaction.atomic
def make_listing(
    hit: HIT,
    offer: Offer,
    *,
    places: int,
    reward_cents: int,
    purpose: Purpose = Purpose.WORK,
    worker_id: str = "",
) -> Listing:
    """Return a planned listing, its rewards promised; the platform is not asked.

    Raises OverLimit, another TaskError without a reward, and PlatformError for settings that cannot
    work.
    """
    if reward_cents < 1:
        raise TaskError(f"{offer} pays nothing: set its reward")
    platform = platform_of(hit.platform)
    market = platform.market()
    listing = Listing.objects.create(
        hit=hit,
        platform=hit.platform,
        mode=market.mode,
        endpoint=market.endpoint,
        region=market.region,
        account=market.account,
        purpose=purpose,
        worker_id=worker_id or hit.worker_id,
        places=places,
        reward_cents=reward_cents,
        fee_cents=platform.fee_cents(
            reward_cents, places=places, needs_masters=offer.needs_masters
        ),
        minutes_allowed=offer.minutes_allowed,
    )
    ledger.reserve(listing, places)
    return listing


def complete(listing: Listing) -> Listing:
    """Return a planned listing as it is once the platform has it; an open one as it is.

    Raises PlatformError. Where that is permanent, the listing has failed and its promises have
    ended; else it stays planned, and asking again finishes it.
    """
    if listing.state != ListingState.PLANNED:
        return listing
    platform = platform_of(listing.platform)
    market = platform.market()
    check_market(listing, market)
    offer = offer_of(listing.hit.project, listing.platform)
    if listing.purpose == Purpose.COMPENSATION:
        offer = of_compensation(offer)
    forbidding, requiring = people.who_may(listing.hit, offer, market, worker_id=listing.worker_id)
    try:
        for qualification in requiring:
            if listing.worker_id:
                platform.grant(qualification, listing.worker_id)
        there = platform.publish(listing, offer, forbidding=forbidding, requiring=requiring)
    except PlatformError as error:
        if error.permanent and not isinstance(error, OutcomeUnknown):
            _give_up(listing, str(error))
        else:
            Listing.objects.filter(pk=listing.pk).update(error=str(error))
        raise
    Listing.objects.filter(pk=listing.pk, state=ListingState.PLANNED).update(
        state=ListingState.OPEN,
        platform_id=there.platform_id,
        group_id=there.group_id,
        expires_at=there.expires_at,
        error="",
    )
    listing.refresh_from_db()
    return listing


def refill(hit: HIT) -> list[Listing]:
    """Return the listings that got or are the places which a HIT is missing, as after a rejection.

    Places are added to a listing that has not ended, as far as its fee stays the same; beyond that
    a new one is made, closed to who took part. Once the last listing's days are over, or a manager
    has closed it, nothing is made until somebody publishes again. Raises TaskError, PlatformError.
    """
    market = platform_of(hit.platform).market()
    until = timezone.now() + SHORTEST_USE
    lasting = [
        one
        for one in of_market(hit.listings.filter(purpose=Purpose.WORK, closed_at=None), market)
        if one.state in {ListingState.OPEN, ListingState.CLOSED}
        and one.expires_at
        and one.expires_at > until
    ]
    if hit.project.state != ProjectState.OPEN or hit.worker_id or not lasting:
        return []
    if hit.listings.filter(
        state=ListingState.FAILED, created_at__gt=timezone.now() - SHORTEST_USE
    ).exists():
        return []  # what forbade it is to be told once in a while, not every minute
    changed = []
    for listing in lasting:
        if raised := _raise(listing, market):
            changed.append(raised)
    offer = offer_of(hit.project, hit.platform)
    reward, _ = reward_cents(offer, market.mode)
    with transaction.atomic():
        _hold(hit.project)
        missing = missing_places(hit.project, hit.batch, hit.platform, market)
        made = [
            make_listing(hit, offer, places=places, reward_cents=reward)
            for places in split(missing, offer.largest_listing)
        ]
    return changed + [complete(one) for one in made]


def _hold(project: Project) -> None:
    """Lock a project's row, so that counting what is missing and making it are one step."""
    Project.objects.select_for_update().get(pk=project.pk)


def _raise(listing: Listing, market: Market) -> Listing | None:
    """Return a listing that was given places which its HIT is missing; None where none fit in."""
    with transaction.atomic():
        # In this order, as the ledger locks them.
        held = Listing.objects.select_for_update().get(pk=listing.pk)
        hit = listing.hit
        _hold(hit.project)
        number = missing_places(hit.project, hit.batch, hit.platform, market)
        if hit.platform == Platform.MTURK and held.places <= LARGEST_BATCH:
            # A HIT made with fewer than ten assignments never gets ten.
            number = min(number, LARGEST_BATCH - held.places)
        if number:
            ledger.reserve(held, number)
            held.places += number
            held.state = ListingState.OPEN
            held.save(update_fields=["places", "state"])
    if number or _has_fewer_there(held):
        platform_of(listing.platform).raise_places(held)
        return held
    return None


def _has_fewer_there(listing: Listing) -> bool:
    """True where the platform, when it was last asked, had fewer places, as after a crash between
    the row and the call."""
    if listing.pending_there is None or listing.available_there is None:
        return False
    handed_in = [StatusThere.SUBMITTED, StatusThere.APPROVED, StatusThere.REJECTED]
    done = listing.assignments.filter(status_there__in=handed_in).count()
    return listing.pending_there + listing.available_there + done < listing.places


def publish_later_sessions(
    project: Project, platform_name: str, *, tries_again: bool = False
) -> list[Listing]:
    """Return the listings made for people's own later sessions whose pause is over.

    tries_again: also those that have failed before.
    """
    if project.state != ProjectState.OPEN:
        return []
    market = platform_of(platform_name).market()
    offer = offer_of(project, platform_name)
    rested_since = timezone.now() - timedelta(hours=project.pause_hours)
    due = project.hits.filter(
        platform=platform_name, session_number__gt=1, created_at__lte=rested_since
    ).exclude(worker_id="")
    failed = Q(listings__isnull=True)
    if tries_again:
        failed |= ~Q(listings__in=Listing.objects.exclude(state=ListingState.FAILED))
    due = due.filter(failed).distinct()
    made = []
    for hit in due:
        if people.refusal(project, platform_name, hit.worker_id):
            continue  # as somebody who was blocked since
        reward, _ = reward_cents(offer, market.mode)
        made.append(complete(_make_own(hit, offer, reward)))
    return made


@transaction.atomic
def _make_own(hit: HIT, offer: Offer, reward: int) -> Listing:
    """Return the listing of a HIT for one person; there is never a second one."""
    HIT.objects.select_for_update().get(pk=hit.pk)
    existing = hit.listings.exclude(state=ListingState.FAILED).first()
    return existing or make_listing(hit, offer, places=1, reward_cents=reward)


def close(project: Project, platform_name: str) -> list[Listing]:
    """Return the listings closed: nobody can take a place any more, who holds one may finish.

    Promises of places that nobody took end with the next poll, which knows who holds one. Raises
    PlatformError; what was closed by then stays closed.
    """
    platform = platform_of(platform_name)
    market = platform.market()
    running = Listing.objects.filter(
        hit__project=project,
        platform=platform_name,
        state__in=[ListingState.OPEN, ListingState.PLANNED],
    )
    closed = []
    for listing in of_market(running, market):
        if listing.state == ListingState.PLANNED:
            if not PlatformCall.objects.filter(key=f"listing-{listing.key}").exists():
                _give_up(listing, "closed before the platform was asked")
                continue
            complete(listing)
        platform.close(listing.platform_id)
        Listing.objects.filter(pk=listing.pk).update(
            state=ListingState.CLOSED, closed_at=timezone.now()
        )
        listing.refresh_from_db()
        closed.append(listing)
    return closed


def check_market(listing: Listing, market: Market) -> None:
    """Raise PlatformError where a listing was made elsewhere than where calls go now."""
    if (listing.mode, listing.account) == (market.mode, market.account):
        return
    account = f", account {listing.account!r}" if listing.account != market.account else ""
    raise PlatformError(
        f"{listing} belongs to the {listing.mode} market{account}; the settings say {market.mode}"
        + (f", account {market.account!r}" if account else ""),
        permanent=True,
    )


def _unfinished(project: Project, platform_name: str) -> list[Listing]:
    market = platform_of(platform_name).market()
    planned = Listing.objects.filter(
        hit__project=project, platform=platform_name, state=ListingState.PLANNED
    )
    return of_market(planned, market)


def _give_up(listing: Listing, why: str) -> None:
    """Note that a planned listing never came about; its promises end."""
    with transaction.atomic():
        if Listing.objects.filter(pk=listing.pk, state=ListingState.PLANNED).update(
            state=ListingState.FAILED, error=why
        ):
            ledger.release(listing)
    listing.refresh_from_db()
