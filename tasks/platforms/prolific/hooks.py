"""Prolific's webhooks as they come in: each is kept once, and only makes the next poll sooner."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tasks.models import Platform, PlatformEvent
from tasks.platforms.prolific.webhooks import Event, is_genuine, read_event

_LONGEST_ID = 200


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Keep a genuine webhook; refuse one that is forged, changed or older than five minutes."""
    timestamp = request.headers.get("X-Prolific-Request-Timestamp", "")
    signature = request.headers.get("X-Prolific-Request-Signature", "")
    if not is_genuine(
        request.body,
        timestamp=timestamp,
        signature=signature,
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
    _keep(event, event_id[:_LONGEST_ID], happened_at=datetime.fromtimestamp(float(timestamp), UTC))
    return HttpResponse(status=204)


@transaction.atomic
def _keep(event: Event, event_id: str, *, happened_at: datetime) -> None:
    PlatformEvent.objects.get_or_create(
        platform=Platform.PROLIFIC,
        event_id=event_id,
        defaults={
            "kind": event.event_type[:64],
            "subject": {"resource_id": event.resource_id, "status": event.status},
            "happened_at": happened_at,
        },
    )
