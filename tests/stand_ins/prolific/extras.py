"""Participant groups, messages and webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import uuid

from tests.stand_ins.prolific.world import (
    Delivery,
    Group,
    Study,
    Submission,
    Subscription,
    World,
    found,
    invalid,
    moment,
)

# Some of what participants can be chosen by. The names of countries are those of ISO 3166 (guess).
FILTERS = [
    {
        "filter_id": "current-country-of-residence",
        "title": "Current country of residence",
        "type": "select",
        "data_type": "ChoiceID",
        "choices": {
            "0": "United Kingdom",
            "1": "United States",
            "110": "Kenya",
            "211": "Tanzania, United Republic of",
            "235": "Viet Nam",
        },
    },
    {"filter_id": "approval_rate", "title": "Approval rate", "type": "range"},
    {"filter_id": "approval_numbers", "title": "Approved submissions", "type": "range"},
]
EVENT_TYPES = ("study.status.change", "study.progress.change", "submission.status.change")


def create_group(world: World, told: dict) -> Group:
    if not told.get("name"):
        raise invalid(name="This field is required.")
    if told.get("workspace_id") != world.workspace_id:
        raise invalid(workspace_id="Either a workspace or organisation ID must be specified.")
    group = Group(world.new_id(), told["name"], world.workspace_id)
    world.groups[group.id] = group
    add_to_group(world, group, told)
    return group


def add_to_group(world: World, group: Group, told: dict) -> None:
    for participant_id in told.get("participant_ids", ()):
        group.members.setdefault(participant_id, world.now)


def remove_from_group(group: Group, told: dict) -> None:
    for participant_id in told.get("participant_ids", ()):
        group.members.pop(participant_id, None)


def group_as_json(group: Group) -> dict:
    return {
        "id": group.id,
        "name": group.name,
        "workspace_id": group.workspace_id,
        "participant_count": len(group.members),
        "is_deleted": False,
    }


def members_as_json(group: Group) -> dict:
    members = group.members.items()
    return {"results": [{"participant_id": p, "datetime_created": moment(m)} for p, m in members]}


def send_messages(world: World, told: dict, *, recipients: str) -> None:
    for name in (recipients, "body", "study_id"):
        if not told.get(name):
            raise invalid(**{name: "This field is required."})
    found(world.studies, told["study_id"])
    ids = told[recipients]
    for participant_id in [ids] if isinstance(ids, str) else ids:
        world.messages.append((participant_id, told["body"], told["study_id"]))


def create_secret(world: World, told: dict) -> dict:
    """Make a secret; a former one of the workspace ends."""
    if told.get("workspace_id") != world.workspace_id:
        raise invalid(workspace_id="No such workspace.")
    world.secret = secrets.token_urlsafe(32)
    return {"id": world.new_id(), "value": world.secret, "workspace_id": world.workspace_id}


def subscribe(world: World, told: dict) -> Subscription:
    for name in ("workspace_id", "event_type", "target_url"):
        if not told.get(name):
            raise invalid(**{name: "This field is required."})
    if not world.secret:
        raise invalid(workspace_id="Create a secret for your workspace first.")
    if told["event_type"] not in EVENT_TYPES:
        raise invalid(event_type="No such event type.")
    if not told["target_url"].startswith("https://"):
        raise invalid(target_url="The address must use https.")
    fields = (told["event_type"], told["target_url"], told["workspace_id"])
    made = Subscription(world.new_id(), *fields, hook_secret=secrets.token_urlsafe(16))
    world.subscriptions[made.id] = made
    return made


def confirm(subscription: Subscription, told: dict) -> None:
    if told.get("secret") != subscription.hook_secret:
        raise invalid(secret="The secret is wrong.")
    subscription.is_enabled = True


def subscription_as_json(subscription: Subscription) -> dict:
    names = ("id", "event_type", "target_url", "workspace_id", "is_enabled")
    return {name: getattr(subscription, name) for name in names}


def tell_study(world: World, study: Study) -> None:
    _tell(world, "study.status.change", {"resource_id": study.id, "status": study.status})


def tell_submission(world: World, submission: Submission) -> None:
    told = {"resource_id": submission.id, "participant_id": submission.participant_id}
    _tell(world, "submission.status.change", {**told, "status": submission.status})


def _tell(world: World, event_type: str, told: dict) -> None:
    for subscription in world.subscriptions.values():
        if subscription.is_enabled and subscription.event_type == event_type:
            body = json.dumps({"event_type": event_type, **told}).encode()
            headers = signed_headers(body, world.secret, str(int(world.now.timestamp())))
            world.deliveries.append(Delivery(subscription.target_url, headers, body))


def signed_headers(body: bytes, secret: str, timestamp: str) -> dict[str, str]:
    """Return a webhook's headers: base64 of HMAC-SHA256 over timestamp and body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "X-Event-ID": str(uuid.uuid4()),
        "X-Prolific-Request-Timestamp": timestamp,
        "X-Prolific-Request-Signature": base64.b64encode(digest).decode(),
    }
