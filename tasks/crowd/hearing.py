"""Notifications: each kept once, in whatever order they come; they say where to look.

Lost, late or repeated, they change nothing of the end, which polling alone would come to as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from tasks.crowd import following, matching
from tasks.models import Assignment, Listing, Platform, PlatformEvent
from tasks.platforms.base import Event
from tasks.platforms.mturk import notifications

logger = logging.getLogger(__name__)

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


def listen() -> int:
    """Hear what waits in Mechanical Turk's queue; return how many events were new.

    A message is deleted once its events are committed, and so may be read twice. Raises
    PlatformError.
    """
    queue = notifications.queue()
    new = 0
    for _ in range(MOST_ROUNDS if queue else 0):
        messages = queue.receive() if queue else []
        for message in messages:
            if message.problem:
                logger.warning("a message of the notifications' queue: %s", message.problem)
            new += hear(Platform.MTURK, message.events)
            if queue:
                queue.delete(message)
        if not messages:
            break
    return new
