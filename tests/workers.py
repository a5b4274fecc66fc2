"""People on the local Mechanical Turk who arrive, finish and hand in."""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from tasks.models import Assignment, AssignmentState

LONG_AGO = timedelta(minutes=30)


def arrive(mturk, listing, worker_id, *, ago=LONG_AGO):
    """Let somebody accept and arrive, some time ago; return their row."""
    platform_id = mturk.accept(listing.platform_id, worker_id)
    Assignment.objects.filter(listing=listing, platform_id=platform_id).exclude(
        worker_id=worker_id
    ).update(state=AssignmentState.RETURNED, link_version=F("link_version") + 1)
    then = timezone.now() - ago
    row, _ = Assignment.objects.update_or_create(
        hit=listing.hit,
        worker_id=worker_id,
        defaults={
            "listing": listing,
            "platform_id": platform_id,
            "state": AssignmentState.ACTIVE,
            "arrived_at": then,
            "expires_at": then + timedelta(minutes=listing.minutes_allowed),
        },
    )
    Assignment.objects.filter(pk=row.pk).update(created_at=then)
    return row


def finish(row):
    """Finish here, and hand nothing in."""
    changed = Assignment.objects.filter(pk=row.pk)
    changed.update(state=AssignmentState.SUBMITTED, submitted_at=timezone.now())


def hand_in(mturk, row):
    finish(row)
    mturk.submit(row.platform_id, {"completionCode": row.completion_code})
