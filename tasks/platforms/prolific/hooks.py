"""Prolific's webhooks as they come in: each is kept once, and only makes the next poll sooner."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tasks.crowd import following
from tasks.models import Listing, ListingState, Platform, PlatformEvent
from tasks.platforms.prolific.webhooks import Event, is_genuine, read_event

_LONGEST_ID = 200


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Keep a genuine webhook; refuse one that is forged, changed or older than five minutes."""
    timestamp = request.headers.get("X-Prolific-Request-Timestamp", "")
    if not is_genuine(
        request.body,
        timestamp=timestamp,
        signature=request.headers.get("X-Prolific-Request-Signature", ""),
        secret=settings.PROLIFIC_WEBHOOK_SECRET,
        now_s=timezone.now().timestamp(),
    ):
        return HttpResponse("not signed by Prolific, or too old\n", status=403)
    try:
        event = read_event(request.body)
    except ValueError as error:
        return HttpResponse(f"{error}\n", status=400)
    # Its id is the same however often it is delivered. It is not signed: at worst a hint is lost.
    event_id = request.headers.get("X-Event-ID", "") or hashlib.sha256(request.body).hexdigest()
    _hear(event, event_id[:_LONGEST_ID], happened_at=datetime.fromtimestamp(float(timestamp), UTC))
    return HttpResponse(status=204)


@transaction.atomic
def _hear(event: Event, event_id: str, *, happened_at: datetime) -> None:
    """Keep an event that is new, and have the listings polled that it may be about."""
    kept, is_new = PlatformEvent.objects.get_or_create(
        platform=Platform.PROLIFIC,
        event_id=event_id,
        defaults={
            "kind": event.event_type[:64],
            "subject": {"resource": event.resource_id, "status": event.status},
            "happened_at": happened_at,
        },
    )
    if not is_new:
        return
    for listing in _listings_of(event):
        following.look_soon(listing)
    PlatformEvent.objects.filter(pk=kept.pk).update(handled_at=timezone.now())


def _listings_of(event: Event) -> QuerySet[Listing]:
    """Return the listing that an event names; all open ones where it names somebody who has not
    arrived: a submission's event does not name the study."""
    ours = Listing.objects.filter(platform=Platform.PROLIFIC).exclude(platform_id="")
    resource = event.resource_id
    named = ours.filter(Q(platform_id=resource) | Q(assignments__platform_id=resource)).distinct()
    return named if named.exists() else ours.filter(state=ListingState.OPEN)
