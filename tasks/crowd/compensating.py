"""Compensation: a HIT of their own for somebody who did the work and could not hand it in.

It asks nothing. Who takes it finds the work done, hands in, and is approved: by the manager who
made it.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from tasks.crowd import offers, publishing
from tasks.models import (
    HIT,
    Assignment,
    AssignmentState,
    Decision,
    Listing,
    ListingState,
    Platform,
    Project,
    Purpose,
)
from tasks.services import TaskError

SESSION = 1  # everybody has one, so that the page which offers to hand in knows who comes


def compensate(
    project: Project,
    worker_id: str,
    *,
    cents: int,
    reason: str,
    by: AbstractBaseUser | None = None,
) -> Listing:
    """Return the listing by which somebody who worked in a project is compensated.

    Asked for again with the same amount and reason, it is the same one. Raises TaskError and
    PlatformError.
    """
    reason = reason.strip()
    if cents < 1:
        raise TaskError(f"a compensation is of at least one cent, and this is {cents}")
    if not reason:
        raise TaskError(f"{worker_id} is to be told why: a compensation needs a reason")
    return publishing.complete(_planned(project, worker_id, cents, reason, by))


@transaction.atomic
def _planned(
    project: Project, worker_id: str, cents: int, reason: str, by: AbstractBaseUser | None
) -> Listing:
    """Return the row of a compensation, its money promised and its approval decided."""
    # The lock makes looking and making one step, so that a form sent twice makes one.
    Project.objects.select_for_update().get(pk=project.pk)
    theirs = Assignment.objects.filter(hit__project=project, worker_id=worker_id)
    worked = theirs.exclude(hit__platform=Platform.DIRECT).order_by("pk").last()
    if worked is None:
        raise TaskError(f"{worker_id} did not come to {project} by a platform")
    platform = worked.hit.platform
    alike = Listing.objects.filter(
        hit__project=project,
        platform=platform,
        worker_id=worker_id,
        purpose=Purpose.COMPENSATION,
        reward_cents=cents,
        assignments__feedback=reason,
    )
    same = alike.exclude(state=ListingState.FAILED).first()
    if same is not None:
        return same
    whose = HIT.objects.filter(
        project=project, session_number=SESSION, platform=platform, worker_id=worker_id
    )
    last = whose.aggregate(batch=Max("batch", default=0))["batch"]
    hit = HIT.objects.create(
        project=project,
        session_number=SESSION,
        platform=platform,
        worker_id=worker_id,
        batch=last + 1,
    )
    offer = offers.of_compensation(offers.offer_of(project, platform))
    listing = publishing.make_listing(
        hit,
        offer,
        places=1,
        reward_cents=cents,
        purpose=Purpose.COMPENSATION,
        worker_id=worker_id,
    )
    now = timezone.now()
    # The work is done, and nobody is there yet: as for who gave a place back, an arrival lets them
    # in again.
    Assignment.objects.create(
        hit=hit,
        listing=listing,
        worker_id=worker_id,
        state=AssignmentState.RETURNED,
        submitted_at=now,
        expires_at=now + timedelta(days=offer.days_open),
        decision=Decision.APPROVE,
        decided_at=now,
        decided_by=by,  # type: ignore[misc]  # a user, or None for a command
        feedback=reason,
    )
    return listing
