"""Prolific's webhooks: whether one is genuine, and what it says.

A webhook comes at least once, in any order, and its event id is not signed. So it only tells what
to ask Prolific about; nothing is believed on its word.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass

OLDEST_S = 300.0
SUBMISSION_CHANGED = "submission.status.change"
STUDY_CHANGED = "study.status.change"


@dataclass(frozen=True)
class Event:
    """What happened to which submission or study; `status` is empty where the event has none."""

    event_type: str
    resource_id: str
    status: str


def is_genuine(body: bytes, *, timestamp: str, signature: str, secret: str, now_s: float) -> bool:
    """Return whether Prolific sent this body within five minutes of now.

    body: as it came, byte by byte. timestamp, signature: X-Prolific-Request-Timestamp and
    X-Prolific-Request-Signature. now_s: seconds since 1970.
    """
    if not secret or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", timestamp):
        return False
    signed = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    is_signed = hmac.compare_digest(base64.b64encode(signed), signature.encode())
    return is_signed and abs(now_s - float(timestamp)) <= OLDEST_S


def read_event(body: bytes) -> Event:
    """Return what a genuine webhook says; raises ValueError for a body that is no event."""
    match json.loads(body):
        case {"event_type": str(event_type), "resource_id": str(resource_id), **rest}:
            return Event(event_type, resource_id, str(rest.get("status") or ""))
    raise ValueError("a webhook's body is an object with event_type and resource_id")
