"""People on the local Mechanical Turk who arrive, finish and hand in."""

from datetime import timedelta

from django.utils import timezone

from tasks import services
from tasks.crowd import arrivals
from tasks.models import Assignment
from tasks.platforms.base import Arrival

LONG_AGO = timedelta(minutes=30)


def arrive(mturk, listing, worker_id, *, ago=LONG_AGO):
    """Let somebody accept, arrive and begin, some time ago; return their row."""
    platform_id = mturk.accept(listing.platform_id, worker_id)
    row = arrivals.arrive(listing, Arrival(platform_id, worker_id, mturk.url))
    services.activate(row)
    then = timezone.now() - ago
    Assignment.objects.filter(pk=row.pk).update(arrived_at=then, created_at=then)
    row.refresh_from_db()
    return row


def finish(row):
    """Finish here, and hand nothing in."""
    assert services.submit(row)


def hand_in(mturk, row):
    """Finish here, and hand in there."""
    finish(row)
    mturk.submit(row.platform_id, {"completionCode": row.completion_code})
