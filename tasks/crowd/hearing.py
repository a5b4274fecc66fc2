"""Notifications: each kept once, in whatever order they come; they say where to look.

Lost, late or repeated, they change nothing of the end, which polling alone would come to as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from models_ml import jobs
from tasks.crowd import following, matching
from tasks.models import Assignment, Listing, Platform, PlatformEvent
from tasks.platforms.base import Event
from tasks.platforms.mturk import notifications
from tasks.services import TaskError

logger = logging.getLogger(__name__)

LISTEN = "hear_platforms"  # a kind of jobs
MOST_ROUNDS = 100  # of a queue in one go; the rest waits for the next


@transaction.atomic
def hear(platform: str, events: Iterable[Event]) -> int:
    """Keep events that are new, act on them, and return how many these are.

    A place that was given back is free at once, unless somebody has arrived with it since.
    """
    new = 0
    for event in events:
        row, is_new = PlatformEvent.objects.get_or_create(
            platform=platform,
            event_id=event.event_id,
            defaults={
                "kind": event.kind,
                "subject": {"listing": event.listing_id, "assignment": event.assignment_id},
                "happened_at": event.happened_at,
            },
        )
        if not is_new:
            continue
        new += 1
        for listing in Listing.objects.filter(
            platform=platform, platform_id=event.listing_id
        ).exclude(platform_id=""):
            _act(listing, event)
        PlatformEvent.objects.filter(pk=row.pk).update(handled_at=timezone.now())
    return new


def _act(listing: Listing, event: Event) -> None:
    if event.is_given_back and event.assignment_id and event.happened_at:
        matching.give_back(
            Assignment.objects.filter(
                listing=listing,
                platform_id=event.assignment_id,
                arrived_at__lt=event.happened_at,
            )
        )
    following.look_soon(listing)


def listen(*, report: following.Report = lambda note, done, total: None) -> int:
    """Hear what waits in Mechanical Turk's queue, if there is one; return how many events were new.

    A message is deleted once its events are committed, and so may be read twice. Raises
    PlatformError.
    """
    queue = notifications.queue()
    new = 0
    for number in range(MOST_ROUNDS):
        messages = queue.receive() if queue else []
        if queue is None or not messages:
            break
        report("reading notifications", number, MOST_ROUNDS)
        for message in messages:
            if message.problem:
                logger.warning("a message of the notifications' queue: %s", message.problem)
            new += hear(Platform.MTURK, message.events)
            queue.delete(message)
    return new


def look_again() -> None:
    """Queue a poll of all platforms, while anything is to be followed there."""
    if following.has_work(Listing.objects.all()):
        jobs.enqueue(following.SYNC_ALL, 0)


def listen_again() -> None:
    """Queue a reading of the notifications, while anything is to be followed."""
    if settings.MTURK_NOTIFY_QUEUE_URL and following.has_work(Listing.objects.all()):
        jobs.enqueue(LISTEN, 0)


def check(outcome: following.Outcome) -> None:
    """Raise TaskError where a poll could not do all, with what it says of it."""
    if outcome.problems:
        raise TaskError("\n".join(outcome.problems))
