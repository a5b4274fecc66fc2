"""People as a platform sends them: an arrival becomes an assignment, or a reason why not.

Who arrives is (the assignment's name there, the worker): after a return the same name can go to
somebody else, and the same person can come back under another name. An arrival is a hint alone, for
whoever has a HIT's address can make up a worker: nobody is paid by it (see `following`), and nobody
loses by it more than a reload of their page brings back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from tasks.crowd.people import Refusal, note_took_part, refusal
from tasks.models import (
    HIT,
    Assignment,
    AssignmentQuerySet,
    AssignmentState,
    Listing,
    ListingState,
    ProjectState,
    Purpose,
    StatusThere,
)
from tasks.platforms.base import Arrival

# A block is not told, so that nobody learns to come back as somebody else.
_REASONS = {
    Refusal.BLOCKED: "not_for_them",
    Refusal.TOOK_PART_ELSEWHERE: "took_part_elsewhere",
    Refusal.FAILED_SCREENING: "failed_screening",
}
# Without a sign of work for so long, somebody may have given their place back unknown to us.
IDLE = timedelta(minutes=15)

UNFINISHED = [AssignmentState.OFFERED, AssignmentState.ACTIVE]
HOLDING = [*UNFINISHED, AssignmentState.SUBMITTED]
HANDED_IN = {StatusThere.SUBMITTED, StatusThere.APPROVED, StatusThere.REJECTED}


class Reason(StrEnum):
    """Why somebody is not let in; the page words it."""

    CLOSED = "closed"
    ANOTHERS = "anothers"
    NOT_FOR_THEM = "not_for_them"
    TOOK_PART_ELSEWHERE = "took_part_elsewhere"
    FAILED_SCREENING = "failed_screening"
    DID_IT = "did_it"
    RESTING = "resting"
    FULL = "full"


class NotLetIn(Exception):
    """A platform's person gets no assignment here, and should give theirs back there.

    opens_at: when to come again, of those who rest before a later session.
    """

    def __init__(self, reason: Reason, *, opens_at: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.opens_at = opens_at


@transaction.atomic
def arrive(listing: Listing, arrival: Arrival) -> Assignment:
    """Return the assignment of somebody who arrives at a listing, new if need be.

    Arriving again leads to the same one. Raises NotLetIn; then nothing was changed.
    """
    # The row lock makes counting and taking one step, so that overlap is never exceeded.
    hits = HIT.objects.select_for_update(of=("self",)).select_related("project")
    hit = hits.get(pk=listing.hit_id)
    listing = Listing.objects.get(pk=listing.pk)  # places may have been added
    listing.hit = hit
    now = timezone.now()
    hit.assignments.overdue(now).update(state=AssignmentState.EXPIRED)
    # The lock keeps a submission, which takes none on the HIT, from passing in between.
    held = hit.assignments.select_for_update().filter(worker_id=arrival.worker_id).first()
    if held is not None and _is_as_it_was(held, listing, arrival):
        return _changed(held, submit_to=arrival.submit_to, arrived_at=now)
    _check_may(listing, arrival, held, now)
    _free_place_of_former_holder(hit, arrival)
    _make_room(listing, arrival.worker_id, now)
    if held is None:
        assignment = _new_assignment(listing, arrival, now)
    else:
        assignment = _let_in_again(held, listing, arrival, now)
    note_took_part(assignment)
    return assignment


def _is_as_it_was(held: Assignment, listing: Listing, arrival: Arrival) -> bool:
    """True for a mere reload."""
    is_same = held.listing_id == listing.pk and held.platform_id == arrival.platform_id
    return held.state in HOLDING and is_same


# --- Who may ---


def _check_may(listing: Listing, arrival: Arrival, held: Assignment | None, now: datetime) -> None:
    """Raise NotLetIn for somebody who is to have no place, however many are free."""
    hit = listing.hit
    the_only_one = listing.worker_id or hit.worker_id
    if the_only_one not in {"", arrival.worker_id}:
        raise NotLetIn(Reason.ANOTHERS)
    if held is not None and held.status_there in HANDED_IN:
        raise NotLetIn(Reason.DID_IT)
    is_finished = held is not None and held.submitted_at is not None
    if is_finished or listing.purpose == Purpose.COMPENSATION:
        return  # nothing is asked of them but to hand in, whatever became of the project
    is_at_work = held is not None and held.state in UNFINISHED
    is_over = hit.project.state != ProjectState.OPEN or _nobody_can_hold_a_place(listing, now)
    is_withdrawn = held is not None and held.state == AssignmentState.REVOKED
    if is_withdrawn or (is_over and not is_at_work):
        raise NotLetIn(Reason.CLOSED)
    if why := refusal(hit.project, listing.platform, arrival.worker_id):
        raise NotLetIn(Reason(_REASONS[why]))
    if held is not None and held.is_resting:
        raise NotLetIn(Reason.RESTING, opens_at=held.opens_at)


def _nobody_can_hold_a_place(listing: Listing, now: datetime) -> bool:
    """True once all have run out of time who may have accepted before a listing ended.

    Many accept first, and open the page when its turn in their queue has come.
    """
    if listing.state == ListingState.FAILED:
        return True
    ends = [end for end in (listing.closed_at, listing.expires_at) if end is not None]
    return bool(ends) and min(ends) + timedelta(minutes=listing.minutes_allowed) <= now


# --- Places ---


def _free_place_of_former_holder(hit: HIT, arrival: Arrival) -> None:
    """Note that who had this assignment there gave it back; what they answered stays.

    Raises NotLetIn where the platform says that it was handed in: then nobody else can have it.
    """
    former = hit.assignments.filter(platform_id=arrival.platform_id)
    former = former.exclude(worker_id=arrival.worker_id)
    if former.filter(status_there__in=HANDED_IN).exists():
        raise NotLetIn(Reason.DID_IT)
    _note_returned(former.holding_a_place())


def _note_returned(holders: AssignmentQuerySet) -> int:
    """End the links of those who gave their place back, unless it was handed in meanwhile."""
    return (
        holders.holding_a_place()
        .exclude(status_there__in=HANDED_IN)
        .update(state=AssignmentState.RETURNED, link_version=F("link_version") + 1)
    )


def _make_room(listing: Listing, worker_id: str, now: datetime) -> None:
    """Raise NotLetIn where neither the listing nor the HIT has a place for this person.

    A listing that looks full while the platform sends one more has lost somebody: the one longest
    without a sign of work.
    """
    others = listing.hit.assignments.exclude(worker_id=worker_id)
    # What was handed in there takes a place there for good, and none here once it was rejected.
    is_taken_there = Q(state__in=HOLDING) | Q(status_there__in=HANDED_IN)
    taken_there = others.filter(is_taken_there, listing=listing).count()
    if taken_there >= listing.places and not _free_idle_place(listing, worker_id, now):
        raise NotLetIn(Reason.FULL)
    taken = others.holding_a_place().exclude(status_there=StatusThere.REJECTED).count()
    if not listing.hit.worker_id and taken >= listing.hit.project.overlap:
        raise NotLetIn(Reason.FULL)


def _free_idle_place(listing: Listing, worker_id: str, now: datetime) -> bool:
    """Take the place of who has most likely given it back; False where nobody seems to have."""
    here = listing.assignments.filter(status_there="").exclude(worker_id=worker_id)
    seen_at = last_signs(listing.hit, here.filter(state__in=UNFINISHED))
    may_be_gone = {one for one, at in seen_at.items() if at <= now - IDLE}
    may_be_gone |= _not_counted_there(listing, seen_at)
    finished = here.filter(state=AssignmentState.SUBMITTED).order_by("submitted_at")
    left = [
        *sorted(may_be_gone, key=seen_at.__getitem__),
        *(one for one in finished if _was_not_handed_in(one, listing)),
    ]
    # One of them may hand in just now, and keeps the place.
    return any(_note_returned(here.filter(pk=one.pk, state=one.state)) for one in left)


def _not_counted_there(listing: Listing, seen_at: dict[Assignment, datetime]) -> set[Assignment]:
    """Return those of whom one has given a place back: the platform, when it was last asked, knew
    of fewer people at work than had come by then, and they have given no sign since."""
    asked_at, pending = listing.synced_at, listing.pending_there
    if asked_at is None or pending is None:
        return set()
    had_come = [one for one in seen_at if (one.arrived_at or one.created_at) <= asked_at]
    if len(had_come) <= pending:
        return set()
    return {one for one in had_come if seen_at[one] <= asked_at}


def _was_not_handed_in(finished: Assignment, listing: Listing) -> bool:
    """True where the platform, asked well after somebody finished here, knew nothing of it."""
    asked_at, finished_at = listing.synced_at, finished.submitted_at
    return asked_at is not None and finished_at is not None and asked_at >= finished_at + IDLE


def last_signs(hit: HIT, holders: AssignmentQuerySet) -> dict[Assignment, datetime]:
    """Return when each of these people last came or worked."""
    sessions = hit.project.sessions.filter(
        number=hit.session_number,
        annotator__platform=hit.platform,
        annotator__worker_id__in=[one.worker_id for one in holders],
        last_seen_at__isnull=False,
    )
    worked = dict(sessions.values_list("annotator__worker_id", "last_seen_at"))
    came = {one: one.arrived_at or one.created_at for one in holders}
    return {one: max(at, worked.get(one.worker_id) or at) for one, at in came.items()}


# --- Rows ---


def _new_assignment(listing: Listing, arrival: Arrival, now: datetime) -> Assignment:
    # A compensation asks for nothing but to be handed in.
    is_work = listing.purpose == Purpose.WORK
    return Assignment.objects.create(
        hit=listing.hit,
        worker_id=arrival.worker_id,
        state=AssignmentState.OFFERED if is_work else AssignmentState.SUBMITTED,
        submitted_at=None if is_work else now,
        listing=listing,
        platform_id=arrival.platform_id,
        submit_to=arrival.submit_to,
        arrived_at=now,
        expires_at=now + timedelta(minutes=listing.minutes_allowed),
    )


def _let_in_again(
    held: Assignment, listing: Listing, arrival: Arrival, now: datetime
) -> Assignment:
    """Return somebody's row as it is after they came back, perhaps under another name there."""
    state = held.state
    if state in {AssignmentState.RETURNED, AssignmentState.EXPIRED}:
        state = AssignmentState.SUBMITTED if held.submitted_at else AssignmentState.OFFERED
    # Under another name, a page that is still open would be handed in under the former one.
    is_renamed = held.platform_id not in {"", arrival.platform_id}
    has_ended = held.state == AssignmentState.RETURNED
    return _changed(
        held,
        state=state,
        link_version=held.link_version + (is_renamed and not has_ended),
        listing=listing,
        platform_id=arrival.platform_id,
        submit_to=arrival.submit_to,
        arrived_at=now,
        expires_at=now + timedelta(minutes=listing.minutes_allowed),
        status_there="",
        submitted_there_at=None,
        approves_itself_at=None,
    )


def _changed(held: Assignment, **fields: object) -> Assignment:
    """Return a row, which is locked, after a change of some of its fields."""
    for name, value in fields.items():
        setattr(held, name, value)
    held.save(update_fields=list(fields))
    return held
