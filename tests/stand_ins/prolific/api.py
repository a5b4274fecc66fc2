"""The addresses of the API: which call does what."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.stand_ins.prolific import extras, studies, submissions
from tests.stand_ins.prolific.world import Refused, World, found, invalid

ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = []
DEFAULT_PAGE, LARGEST_PAGE = 20, 100


@dataclass(frozen=True)
class Asked:
    """A request that a route answers."""

    path: str
    query: dict[str, str]
    told: dict


@dataclass(frozen=True)
class Reply:
    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def route(method: str, pattern: str):
    """Register a function for an address; each {} in it becomes an argument."""

    def register(answer: Callable[..., Any]):
        address = re.compile("/api/v1/" + pattern.replace("{}", "([^/]+)"))
        ROUTES.append((method, address, answer))
        return answer

    return register


def answer(world: World, method: str, asked: Asked) -> Reply:
    methods = set()
    for verb, address, function in ROUTES:
        match = address.fullmatch(asked.path)
        if match and verb == method:
            reply = function(world, asked, *match.groups())
            return reply if isinstance(reply, Reply) else Reply(reply)
        if match:
            methods.add(verb)
    if methods:
        raise Refused(405, "Method not allowed", f"{method} is not among {sorted(methods)}.")
    raise Refused(404, "Not found", f"Nothing is at {asked.path}.")


def paged(asked: Asked, rows: list[dict]) -> dict:
    """Return a page, with links and count as the service gives and its reference leaves out."""
    size = min(_number(asked, "page_size", DEFAULT_PAGE), LARGEST_PAGE)  # largest: guess
    page = _number(asked, "page", 1)
    last = max(1, -(-len(rows) // size))
    if page > last:
        raise Refused(404, "Not found", "Invalid page.")
    following = f"{asked.path}?page={page + 1}&page_size={size}" if page < last else None
    links = {"next": {"href": following, "title": "Next"}}
    results = rows[(page - 1) * size : page * size]
    return {"results": results, "_links": links, "meta": {"count": len(rows)}}


def _number(asked: Asked, name: str, default: int) -> int:
    value = asked.query.get(name, str(default))
    if not value.isdigit() or not int(value):
        raise invalid(**{name: "A positive number is required."})
    return int(value)


@route("GET", "users/me/")
def me(world: World, asked: Asked):
    return {"id": world.researcher_id, "currency_code": "GBP", "balance": world.balance_cents}


@route("GET", "workspaces/")
def workspaces(world: World, asked: Asked):
    return {"results": [{"id": world.workspace_id, "title": "Research"}]}


@route("GET", "workspaces/{}/projects/")
def projects(world: World, asked: Asked, workspace_id: str):
    found({world.workspace_id: True}, workspace_id)
    return {"results": [{"id": world.project_id, "title": "Words", "type": "PRIVATE"}]}


@route("GET", "workspaces/{}/balance/")
def balance(world: World, asked: Asked, workspace_id: str):
    found({world.workspace_id: True}, workspace_id)
    return {
        "currency_code": "GBP",
        "total_balance": world.balance_cents,
        "available_balance": world.available_cents(),
    }


@route("GET", "studies/")
def all_studies(world: World, asked: Asked):
    state = asked.query.get("state")
    kept = [s for s in world.studies.values() if state in (None, s.status)]
    return paged(asked, [studies.in_short(study, world) for study in kept])


@route("GET", "projects/{}/studies/")
def project_studies(world: World, asked: Asked, project_id: str):
    kept = [s for s in world.studies.values() if s.told["project"] == project_id]
    return paged(asked, [studies.in_short(study, world) for study in kept])


@route("POST", "studies/")
def create_study(world: World, asked: Asked):
    return Reply(studies.as_json(studies.create(world, asked.told), world), 201)


@route("GET", "studies/{}/")
def get_study(world: World, asked: Asked, study_id: str):
    return studies.as_json(world.study(study_id), world)


@route("PATCH", "studies/{}/")
def update_study(world: World, asked: Asked, study_id: str):
    studies.update(world, world.study(study_id), asked.told)
    return studies.as_json(world.study(study_id), world)


@route("DELETE", "studies/{}/")
def delete_study(world: World, asked: Asked, study_id: str):
    studies.delete(world, world.study(study_id))
    return {}


@route("POST", "studies/{}/transition/")
def transition_study(world: World, asked: Asked, study_id: str):
    studies.transition(world, world.study(study_id), asked.told.get("action", ""))
    return studies.as_json(world.study(study_id), world)


@route("GET", "submissions/")
def list_submissions(world: World, asked: Asked):
    if "study" not in asked.query:
        raise invalid(study="This parameter is required.")
    study = world.study(asked.query["study"])
    wanted = asked.query.get("status", "").upper().replace("_", " ")
    kept = [s for s in world.submissions_of(study) if wanted in ("", s.status)]
    # Newest first unless asked otherwise: a caller that leans on an order must ask for it (guess).
    ordering = asked.query.get("ordering", "-started_at")
    if ordering not in {"started_at", "-started_at"}:
        raise invalid(ordering="Not supported here.")
    kept = kept if ordering == "started_at" else kept[::-1]
    return paged(asked, [submissions.in_short(submission) for submission in kept])


@route("GET", "submissions/{}/")
def get_submission(world: World, asked: Asked, submission_id: str):
    return submissions.as_json(world.submission(submission_id))


@route("POST", "submissions/{}/transition/")
def transition_submission(world: World, asked: Asked, submission_id: str):
    submission = world.submission(submission_id)
    submissions.transition(world, submission, asked.told)
    return submissions.as_json(submission)


@route("POST", "submissions/{}/request-return/")
def request_return(world: World, asked: Asked, submission_id: str):
    return submissions.request_return(world, world.submission(submission_id), asked.told)


@route("POST", "submissions/bonus-payments/")
def set_up_bonuses(world: World, asked: Asked):
    return Reply(submissions.set_up_bonuses(world, asked.told), 201)


@route("POST", "bulk-bonus-payments/{}/pay/")
def pay_bonuses(world: World, asked: Asked, batch_id: str):
    submissions.pay_bonuses(world, batch_id)
    return Reply(None, 202)


@route("GET", "filters/")
def list_filters(world: World, asked: Asked):
    if asked.query.get("workspace_id", world.workspace_id) != world.workspace_id:
        raise invalid(workspace_id="No such workspace.")
    return {"results": extras.FILTERS}


@route("GET", "participant-groups/")
def list_groups(world: World, asked: Asked):
    if asked.query.get("workspace_id") != world.workspace_id:
        raise invalid(workspace_id="This parameter is required.")
    return {"results": [extras.group_as_json(group) for group in world.groups.values()]}


@route("POST", "participant-groups/")
def create_group(world: World, asked: Asked):
    return Reply(extras.group_as_json(extras.create_group(world, asked.told)), 201)


@route("GET", "participant-groups/{}/participants/")
def group_members(world: World, asked: Asked, group_id: str):
    return extras.members_as_json(found(world.groups, group_id))


@route("POST", "participant-groups/{}/participants/")
def add_to_group(world: World, asked: Asked, group_id: str):
    group = found(world.groups, group_id)
    extras.add_to_group(world, group, asked.told)
    return extras.members_as_json(group)


@route("DELETE", "participant-groups/{}/participants/")
def remove_from_group(world: World, asked: Asked, group_id: str):
    group = found(world.groups, group_id)
    extras.remove_from_group(group, asked.told)
    return extras.members_as_json(group)


@route("POST", "messages/")
def send_message(world: World, asked: Asked):
    extras.send_messages(world, asked.told, recipients="recipient_id")
    return Reply(None, 204)


@route("POST", "messages/bulk/")
def send_messages(world: World, asked: Asked):
    extras.send_messages(world, asked.told, recipients="ids")
    return Reply(None, 204)


@route("GET", "hooks/event-types/")
def event_types(world: World, asked: Asked):
    return {"results": [{"event_type": name, "description": ""} for name in extras.EVENT_TYPES]}


@route("POST", "hooks/secrets/")
def create_secret(world: World, asked: Asked):
    return Reply(extras.create_secret(world, asked.told), 201)


@route("GET", "hooks/subscriptions/")
def list_subscriptions(world: World, asked: Asked):
    kept = [one for one in world.subscriptions.values() if one.is_enabled]
    return {"results": [extras.subscription_as_json(one) for one in kept]}


@route("POST", "hooks/subscriptions/")
def subscribe(world: World, asked: Asked):
    made = extras.subscribe(world, asked.told)
    return Reply(extras.subscription_as_json(made), 201, {"X-Hook-Secret": made.hook_secret})


@route("POST", "hooks/subscriptions/{}/")
def confirm_subscription(world: World, asked: Asked, subscription_id: str):
    subscription = found(world.subscriptions, subscription_id)
    extras.confirm(subscription, asked.told)
    return extras.subscription_as_json(subscription)


@route("DELETE", "hooks/subscriptions/{}/")
def unsubscribe(world: World, asked: Asked, subscription_id: str):
    del world.subscriptions[found(world.subscriptions, subscription_id).id]
    return Reply(None, 204)
