"""Where Amazon SNS posts Mechanical Turk's notifications, should they go to a topic."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tasks.crowd import hearing
from tasks.models import Platform
from tasks.platforms.mturk import notifications, sns

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Take a message of the topic that the settings name; anything else is refused."""
    if not settings.MTURK_NOTIFY_TOPIC_ARN:
        raise Http404
    try:
        told = sns.checked(request.body, topic=settings.MTURK_NOTIFY_TOPIC_ARN)
        if told["Type"] == "SubscriptionConfirmation":
            sns.confirm(told)
        elif told["Type"] == "Notification":
            hearing.hear(Platform.MTURK, notifications.events_of(told["Message"]))
    except sns.NotGenuine as error:
        logger.warning("refused a message to the address of SNS: %s", error)
        return HttpResponse("This is no message of our topic.", status=403)
    except sns.NotReachable as error:
        logger.warning("SNS is asked to send again: %s", error)
        return HttpResponse("Not now.", status=503)
    except notifications.NoNotification as error:
        # Sent again, it would be the same.
        logger.warning("a message of the topic: %s", error)
    return HttpResponse("Received.", content_type="text/plain")
