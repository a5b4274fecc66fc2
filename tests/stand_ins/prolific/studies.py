"""Studies: what a draft needs, how it is published, and who may take part."""

from __future__ import annotations

from math import sqrt

from tests.stand_ins.prolific.world import (
    AT_WORK,
    Refused,
    Study,
    Submission,
    World,
    invalid,
    minutes,
    moment,
)

REQUIRED = (
    "name",
    "description",
    "external_study_url",
    "prolific_id_option",
    "total_available_places",
    "estimated_completion_time",
    "reward",
)
OPTIONAL = (
    "internal_name",
    "completion_codes",
    "maximum_allowed_time",
    "device_compatibility",
    "peripheral_requirements",
    "filters",
    "project",
    "submissions_config",
    "study_labels",
    "metadata",
)
CHANGEABLE_ONCE_PUBLISHED = {"internal_name", "total_available_places", "submissions_config"}
NUMBERS = (
    "total_available_places",
    "estimated_completion_time",
    "maximum_allowed_time",
    "reward",
)
ACTIONS = {
    "MANUALLY_REVIEW",
    "AUTOMATICALLY_APPROVE",
    "ADD_TO_PARTICIPANT_GROUP",
    "REMOVE_FROM_PARTICIPANT_GROUP",
    "REQUEST_RETURN",
    "DYNAMIC_PAYMENT",
    "FIXED_SCREEN_OUT_PAYMENT",
}
TRANSITIONS = {
    ("UNPUBLISHED", "PUBLISH"): "ACTIVE",
    ("ACTIVE", "PAUSE"): "PAUSED",
    ("ACTIVE", "STOP"): "COMPLETED",
    ("PAUSED", "START"): "ACTIVE",
    ("PAUSED", "STOP"): "COMPLETED",
    ("AWAITING REVIEW", "START"): "ACTIVE",  # of the submissions guide: to replace what was refused
}
LONGEST_MINUTES = 24 * 60 - 1  # "always less than 24 hours"


def create(world: World, told: dict) -> Study:
    for name in REQUIRED:
        if told.get(name) in (None, ""):
            raise invalid(**{name: "This field is required."})
    study = Study(world.new_id(), {}, world.now)
    study.told = _checked(told)
    study.told.setdefault("project", world.project_id)
    world.studies[study.id] = study
    return study


def update(world: World, study: Study, told: dict) -> None:
    """Change a draft at will; of a published study, its inner name and the number of places."""
    if study.status == "UNPUBLISHED":
        study.told = _checked({**study.told, **told})
        return
    for name in told.keys() - CHANGEABLE_ONCE_PUBLISHED:
        raise invalid(**{name: "This field cannot be changed once the study is published."})
    changed = _checked({**study.told, **told})
    more = changed["total_available_places"] - study.places
    if more < 0:
        raise invalid(total_available_places="The number of places can only be increased.")
    _afford(world, more * world.cost(study))
    study.told = changed
    if more and study.status in {"COMPLETED", "AWAITING REVIEW"}:
        study.status, study.is_stopped = "ACTIVE", False


def transition(world: World, study: Study, action: str) -> None:
    status = TRANSITIONS.get((study.status, action))
    if status is None:
        raise Refused(400, "Bad request", f"A study that is {study.status} cannot {action}.")
    if action == "PUBLISH":
        if not study.told.get("completion_codes"):
            raise invalid(completion_codes="Specify at least one completion code.")
        _afford(world, study.places * world.cost(study))
        study.published_at = world.now
    has_place = not study.is_stopped and world.places_taken(study) < study.places
    if action == "START" and not has_place:
        raise Refused(400, "Bad request", "There is no place to be taken.")  # guess
    study.is_stopped = action == "STOP"
    study.status = status


def delete(world: World, study: Study) -> None:
    if study.status != "UNPUBLISHED":
        raise Refused(400, "Bad request", "Published studies cannot be deleted.")
    del world.studies[study.id]


def settle(world: World, study: Study) -> None:
    """Move a published study to where its submissions have brought it."""
    submissions = world.submissions_of(study)
    is_full = world.places_taken(study) >= study.places
    if study.is_stopped:
        is_open = any(one.status == "AWAITING REVIEW" for one in submissions)
        study.status = "AWAITING REVIEW" if is_open else "COMPLETED"
    elif study.status == "ACTIVE" and is_full:
        if not any(one.status in AT_WORK for one in submissions):
            is_open = any(one.status == "AWAITING REVIEW" for one in submissions)
            study.status = "AWAITING REVIEW" if is_open else "COMPLETED"
    elif study.status == "AWAITING REVIEW":
        if not is_full:
            # "The study place becomes available for another participant": by the submission object
            # at once; by the submissions guide, once the study is started again.
            study.status = "ACTIVE" if world.reopens else "AWAITING REVIEW"
        elif not any(one.status == "AWAITING REVIEW" for one in submissions):
            study.status = "COMPLETED"


def take_part(world: World, study: Study, participant_id: str) -> Submission:
    """Return the place that a participant gets; refuses what the app would not show them."""
    if study.status != "ACTIVE" or world.places_taken(study) >= study.places:
        raise Refused(400, "Study full", f"Study {study.id} has no place.")
    config = study.told.get("submissions_config") or {}
    most = config.get("max_submissions_per_participant") or 1
    earlier = [s for s in world.submissions_of(study) if s.participant_id == participant_id]
    if most != -1 and len(earlier) >= most:  # whatever became of the earlier ones (guess)
        raise Refused(400, "Already taken", f"{participant_id} had a place.")
    if not all(_fits(world, choice, participant_id) for choice in study.told.get("filters") or ()):
        raise Refused(403, "Not eligible", f"{participant_id} is filtered out.")
    place = Submission(world.new_id(), study.id, participant_id, world.now, "RESERVED")
    world.submissions[place.id] = place
    return place


def longest(study: Study):
    """Return how long somebody may work on a study."""
    return minutes(study.told["maximum_allowed_time"])


def as_json(study: Study, world: World) -> dict:
    return {
        **study.told,
        "id": study.id,
        "status": study.status,
        "date_created": moment(study.created_at),
        "published_at": moment(study.published_at),
        "places_taken": world.places_taken(study),
        "number_of_submissions": len(world.submissions_of(study)),
        "is_ready_to_publish": bool(study.told.get("completion_codes")),
    }


def in_short(study: Study, world: World) -> dict:
    """Return a study as lists show it: neither its address nor its codes."""
    shown = (
        "id name internal_name status estimated_completion_time total_available_places"
        " places_taken number_of_submissions reward published_at date_created"
    )
    told = as_json(study, world)
    return {name: told.get(name) for name in shown.split()}


def _checked(told: dict) -> dict:
    for name in told.keys() - {*REQUIRED, *OPTIONAL}:
        raise invalid(**{name: "Unknown field."})  # sterner than the service (guess)
    for name in NUMBERS:
        if name in told and (isinstance(told[name], str | bool) or not told[name] > 0):
            raise invalid(**{name: "A positive number is required."})
    if told["prolific_id_option"] not in {"question", "url_parameters", "not_required"}:
        raise invalid(prolific_id_option="Not a valid choice.")
    if not told["external_study_url"].startswith(("https://", "http://")):
        raise invalid(external_study_url="Enter a valid URL.")
    codes = [_checked_code(code) for code in told.get("completion_codes") or []]
    if len({code["code"] for code in codes}) < len(codes):
        raise invalid(completion_codes="Each code must be unique within a study.")
    time = told["estimated_completion_time"]
    least = 2 + 2 * time + 2 * sqrt(time)
    allowed = told.get("maximum_allowed_time", min(LONGEST_MINUTES, round(10 * least)))
    if not int(least) <= allowed <= LONGEST_MINUTES:
        raise invalid(maximum_allowed_time=f"At least {int(least)} minutes, less than 24 hours.")
    return {**told, "completion_codes": codes, "maximum_allowed_time": allowed}


def _checked_code(code: dict) -> dict:
    for name in ("code", "code_type", "actions"):
        if name not in code:
            raise invalid(completion_codes=f"{name} is required.")
    actions = {action["action"] for action in code["actions"]}
    if not actions <= ACTIONS or {"MANUALLY_REVIEW", "AUTOMATICALLY_APPROVE"} <= actions:
        raise invalid(completion_codes="These actions are not valid together.")
    return {"actor": "participant", **code}


def _afford(world: World, cents: int) -> None:
    if cents > world.available_cents():
        raise Refused(400, "Insufficient funds", "Your balance is too low: please top up.")  # guess


def _fits(world: World, choice: dict, participant_id: str) -> bool:
    """Return whether a list, group or earlier study lets somebody in; other filters let all in."""
    kind, _, sense = choice["filter_id"].rpartition("_")
    chosen = choice.get("selected_values", ())
    if kind == "custom":
        named = participant_id in chosen
    elif kind == "participant_group":
        named = any(participant_id in world.groups[group].members for group in chosen)
    elif kind == "previous_studies":
        taken = {(s.study_id, s.participant_id) for s in world.submissions.values()}
        named = any((study, participant_id) in taken for study in chosen)
    else:
        return True
    return named if sense == "allowlist" else not named
