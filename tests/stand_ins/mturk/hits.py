"""Operations on HIT types and HITs."""

from __future__ import annotations

import hashlib
import json

from tests.stand_ins.mturk.checks import (
    MONTH_S,
    check_limits,
    check_requirements,
    external_url,
)
from tests.stand_ins.mturk.errors import (
    already_processed,
    hit_already_exists,
    invalid,
    missing,
    request_error,
    wrong_hit_state,
)
from tests.stand_ins.mturk.market import Market, new_id
from tests.stand_ins.mturk.money import CROWD_SIZE
from tests.stand_ins.mturk.paging import page
from tests.stand_ins.mturk.records import HIT, HITType, Shape

TYPE_PROPERTIES = (
    "AutoApprovalDelayInSeconds",
    "AssignmentDurationInSeconds",
    "Reward",
    "Title",
    "Keywords",
    "Description",
    "QualificationRequirements",
)


def create_hit_type(market: Market, parameters: Shape) -> Shape:
    return {"HITTypeId": hit_type_of(market, parameters).hit_type_id}


def hit_type_of(market: Market, parameters: Shape) -> HITType:
    """Return the type with these properties, an existing one if there is."""
    check_limits(parameters)
    properties = {"AutoApprovalDelayInSeconds": MONTH_S} | {
        name: parameters[name] for name in TYPE_PROPERTIES if name in parameters
    }
    check_requirements(
        properties.get("QualificationRequirements", []), known_types=market.known_types()
    )
    digest = hashlib.sha256(json.dumps(properties, sort_keys=True).encode()).hexdigest()
    hit_type = HITType("3" + digest[:29].upper(), properties)
    return market.hit_types.setdefault(hit_type.hit_type_id, hit_type)


def create_hit(market: Market, parameters: Shape) -> Shape:
    refuse_repeated_creation(market, parameters)
    return add_hit(market, hit_type_of(market, parameters), parameters)


def create_hit_with_hit_type(market: Market, parameters: Shape) -> Shape:
    refuse_repeated_creation(market, parameters)
    return add_hit(market, known_hit_type(market, parameters["HITTypeId"]), parameters)


def refuse_repeated_creation(market: Market, parameters: Shape) -> None:
    hit_id = market.used_token("CreateHIT", parameters.get("UniqueRequestToken"))
    if hit_id:
        raise hit_already_exists(hit_id)


def known_hit_type(market: Market, hit_type_id: str) -> HITType:
    if hit_type_id not in market.hit_types:
        raise missing("HITType", hit_type_id)
    return market.hit_types[hit_type_id]


def add_hit(market: Market, hit_type: HITType, parameters: Shape) -> Shape:
    check_limits(parameters)
    if "Question" not in parameters:
        raise invalid("This stand-in knows no HIT layouts: a Question must be provided.")
    external_url(parameters["Question"])
    hit = HIT(
        hit_id=new_id(),
        hit_type=hit_type,
        question=parameters["Question"],
        max_assignments=parameters.get("MaxAssignments", 1),
        created_at=market.now,
        expires_at=market.now + parameters["LifetimeInSeconds"],
        annotation=parameters.get("RequesterAnnotation"),
    )
    market.require_funds(hit.max_assignments * hit.cost_each_cents)
    market.hits[hit.hit_id] = hit
    market.remember_token("CreateHIT", parameters.get("UniqueRequestToken"), hit.hit_id)
    market.announce("HITCreated", hit)
    return {"HIT": hit.as_shape(market.now)}


def get_hit(market: Market, parameters: Shape) -> Shape:
    return {"HIT": market.hit(parameters["HITId"]).as_shape(market.now)}


def listed(market: Market) -> list[HIT]:
    return [hit for hit in market.hits.values() if not hit.is_disposed]


def list_hits(market: Market, parameters: Shape) -> Shape:
    return page("HITs", [hit.as_shape(market.now) for hit in listed(market)], parameters)


def list_hits_for_qualification_type(market: Market, parameters: Shape) -> Shape:
    wanted = parameters["QualificationTypeId"]
    rows = [
        hit.as_shape(market.now)
        for hit in listed(market)
        if any(wanted == needed["QualificationTypeId"] for needed in hit.hit_type.requirements)
    ]
    return page("HITs", rows, parameters)


def list_reviewable_hits(market: Market, parameters: Shape) -> Shape:
    """Return ids alone: seen in public (aws-sdk-js's issue 2522)."""
    status = parameters.get("Status", "Reviewable")
    hit_type_id = parameters.get("HITTypeId")
    rows = [
        {"HITId": hit.hit_id}
        for hit in listed(market)
        if hit.status(market.now) == status and hit_type_id in (None, hit.hit_type.hit_type_id)
    ]
    return page("HITs", rows, parameters)


def update_expiration(market: Market, parameters: Shape) -> Shape:
    """Move a HIT's end; a time in the past ends it now.

    The same HIT and second twice is refused: seen in public (Dallinger's issue 3109).
    """
    hit = market.hit(parameters["HITId"])
    if hit.is_disposed:
        raise wrong_hit_state("Disposed", allowed="Assignable, Unassignable, Reviewing, Reviewable")
    expires_at = float(parameters.get("ExpireAt", 0))
    token = f"{hit.hit_id}{int(expires_at)}"
    request_id = market.used_token("UpdateExpirationForHIT", token)
    if request_id:
        raise already_processed(token, request_id=request_id)
    market.remember_token("UpdateExpirationForHIT", token)
    is_over = hit.was_told_expired and expires_at <= market.now
    if not is_over:
        move_end(market, hit, expires_at)
    return {}


def move_end(market: Market, hit: HIT, expires_at: float) -> None:
    hit.expires_at = max(expires_at, market.now)
    hit.was_told_expired = False
    if expires_at > market.now:
        market.announce("HITExtended", hit)
        market.review_if_ready(hit, market.now)
    market.catch_up()


def create_additional_assignments(market: Market, parameters: Shape) -> Shape:
    hit = market.hit(parameters["HITId"])
    token = parameters.get("UniqueRequestToken")
    request_id = market.used_token("CreateAdditionalAssignmentsForHIT", token)
    if request_id:
        raise already_processed(token, request_id=request_id)
    check_limits(parameters)
    if hit.is_disposed:
        raise wrong_hit_state("Disposed", allowed="Assignable, Unassignable, Reviewing, Reviewable")
    more = parameters["NumberOfAdditionalAssignments"]
    if hit.max_assignments < CROWD_SIZE <= hit.max_assignments + more:
        raise request_error(
            "InvalidMaximumAssignmentsIncrease",
            "HITs created with fewer than 10 assignments cannot be extended to have 10 or more.",
        )
    if market.now < hit.expires_at:
        market.require_funds(more * hit.cost_each_cents)
    hit.max_assignments += more
    market.remember_token("CreateAdditionalAssignmentsForHIT", token)
    market.announce("HITExtended", hit)
    market.review_if_ready(hit, market.now)
    return {}


def update_review_status(market: Market, parameters: Shape) -> Shape:
    hit = market.hit(parameters["HITId"])
    wanted = "Reviewing" if parameters.get("Revert") else "Reviewable"
    if hit.status(market.now) != wanted:
        raise wrong_hit_state(hit.status(market.now), allowed=wanted)
    hit.is_reviewing = not parameters.get("Revert", False)
    return {}


def update_hit_type_of_hit(market: Market, parameters: Shape) -> Shape:
    hit = market.hit(parameters["HITId"])
    hit.hit_type = known_hit_type(market, parameters["HITTypeId"])
    return {}


def delete_hit(market: Market, parameters: Shape) -> Shape:
    """Dispose a HIT whose every submitted assignment is decided.

    The real service says "Reviewable" is wrong and allowed in one sentence where one is undecided.
    """
    hit = market.hit(parameters["HITId"])
    status = hit.status(market.now)
    if status not in ("Reviewable", "Reviewing") or hit.count("Submitted"):
        raise wrong_hit_state(status, allowed="Reviewing, Reviewable")
    market.dispose(hit, market.now)
    return {}


OPERATIONS = {
    "CreateHITType": create_hit_type,
    "CreateHIT": create_hit,
    "CreateHITWithHITType": create_hit_with_hit_type,
    "GetHIT": get_hit,
    "ListHITs": list_hits,
    "ListHITsForQualificationType": list_hits_for_qualification_type,
    "ListReviewableHITs": list_reviewable_hits,
    "UpdateExpirationForHIT": update_expiration,
    "CreateAdditionalAssignmentsForHIT": create_additional_assignments,
    "UpdateHITReviewStatus": update_review_status,
    "UpdateHITTypeOfHIT": update_hit_type_of_hit,
    "DeleteHIT": delete_hit,
}
