"""Mechanical Turk's notifications: what they say, and the queue in which they wait.

A HIT type's notifications go to one SQS queue or SNS topic. They may come late, twice, in any order
or never, so they only say where to look.
Source: "Elements of a Notification Message" of the API reference.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.dateparse import parse_datetime

from tasks.platforms.base import Event, PlatformError
from tasks.platforms.mturk.client import REGION

EVENT_TYPES = (
    "AssignmentAccepted",
    "AssignmentAbandoned",
    "AssignmentReturned",
    "AssignmentSubmitted",
    "AssignmentApproved",
    "AssignmentRejected",
    "HITExpired",
    "HITReviewable",
)
_GIVEN_BACK = {"AssignmentAbandoned", "AssignmentReturned"}
_VERSION = "2014-08-15"
_MOST_A_CALL = 10
_WAIT_S = 1
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com|([a-z0-9-]+)\.queue\.amazonaws\.com")


class NoNotification(ValueError):
    """A message that is none of Mechanical Turk's; the message says what it lacks."""


@dataclass(frozen=True)
class Message:
    """What one message of the queue says. It is deleted once that is written down."""

    events: list[Event]
    receipt: str
    problem: str = ""


def specification() -> dict[str, Any] | None:
    """Return what to ask notifications with, by the settings; None where they name no place."""
    if settings.MTURK_NOTIFY_QUEUE_URL:
        transport, destination = "SQS", settings.MTURK_NOTIFY_QUEUE_URL
    elif settings.MTURK_NOTIFY_TOPIC_ARN:
        transport, destination = "SNS", settings.MTURK_NOTIFY_TOPIC_ARN
    else:
        return None
    return {
        "Destination": destination,
        "Transport": transport,
        "Version": _VERSION,
        "EventTypes": list(EVENT_TYPES),
    }


def events_of(body: str) -> list[Event]:
    """Return the events of a notification, as it is or as SNS wraps it. Raises NoNotification."""
    told = _read(body)
    if told.get("Type") == "Notification" and isinstance(told.get("Message"), str):
        told = _read(told["Message"])
    rows = told.get("Events")
    if not isinstance(rows, list):
        raise NoNotification(f"there are no Events in {body[:200]!r}")
    # The same document can be sent twice; it keeps its id.
    document = str(told.get("EventDocId") or hashlib.sha256(body.encode()).hexdigest())
    return [
        _event(f"{document[:180]}-{place}", row)
        for place, row in enumerate(rows)
        if isinstance(row, dict)
    ]


def _read(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise NoNotification(f"this is no JSON: {text[:200]!r}") from error
    if not isinstance(told, dict):
        raise NoNotification(f"this is no notification: {text[:200]!r}")
    return told


def _event(event_id: str, row: Mapping[str, Any]) -> Event:
    kind = str(row.get("EventType", ""))[:64]
    return Event(
        event_id=event_id,
        kind=kind,
        listing_id=str(row.get("HITId") or "")[:100],
        assignment_id=str(row.get("AssignmentId") or "")[:100],
        happened_at=_moment(str(row.get("EventTimestamp") or "")),
        is_given_back=kind in _GIVEN_BACK,
    )


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found and found.tzinfo else None


class Queue:
    """The SQS queue of the settings. Its calls raise PlatformError."""

    def __init__(self, url: str) -> None:
        self._url = url
        host = _REGION.fullmatch(urlsplit(url).hostname or "")
        named = next(filter(None, host.groups()), None) if host else None
        # The endpoint is AWS's own, or that of the usual AWS_ENDPOINT_URL_SQS.
        self._boto = boto3.session.Session().client(
            "sqs",
            region_name=named or boto3.session.Session().region_name or REGION,
            config=Config(
                retries={"total_max_attempts": 4, "mode": "standard"},
                connect_timeout=10,
                read_timeout=30,
            ),
        )

    def receive(self) -> list[Message]:
        """Return some messages that wait; none is deleted yet, and each may come again."""
        told = self._call(
            "receive_message", MaxNumberOfMessages=_MOST_A_CALL, WaitTimeSeconds=_WAIT_S
        )
        return [_message(one) for one in told.get("Messages", [])]

    def delete(self, message: Message) -> None:
        """Take a message out of the queue."""
        self._call("delete_message", ReceiptHandle=message.receipt)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            told: dict[str, Any] = getattr(self._boto, operation)(QueueUrl=self._url, **parameters)
        except (BotoCoreError, ClientError) as error:
            raise PlatformError(
                f"the queue of Mechanical Turk's notifications, {self._url}, cannot be read: "
                f"{error}",
                permanent=False,
            ) from error
        return told


def _message(told: Mapping[str, Any]) -> Message:
    try:
        return Message(events_of(told.get("Body", "")), told["ReceiptHandle"])
    except NoNotification as error:
        return Message([], told["ReceiptHandle"], str(error))


def queue() -> Queue | None:
    """Return the queue that the settings name, if any."""
    return Queue(settings.MTURK_NOTIFY_QUEUE_URL) if settings.MTURK_NOTIFY_QUEUE_URL else None
