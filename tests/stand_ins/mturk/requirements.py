"""Whether a worker meets a HIT's qualification requirements."""

from __future__ import annotations

import operator
from collections.abc import Callable

from tests.stand_ins.mturk.market import Market
from tests.stand_ins.mturk.records import (
    ADULT,
    LOCALE,
    MASTERS,
    NUMBER_APPROVED,
    PERCENT_APPROVED,
    HITType,
    Shape,
    Worker,
)

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "EqualTo": operator.eq,
    "NotEqualTo": operator.ne,
}
GUARDS = {
    "Accept": {"Accept", "PreviewAndAccept", "DiscoverPreviewAndAccept"},
    "Preview": {"PreviewAndAccept", "DiscoverPreviewAndAccept"},
    "Discover": {"DiscoverPreviewAndAccept"},
}


def may(action: str, market: Market, hit_type: HITType, worker_id: str) -> bool:
    """Return whether a worker may "Discover", "Preview" or "Accept" HITs of a type."""
    return all(
        meets(requirement, market, market.worker(worker_id))
        for requirement in hit_type.requirements
        if guard_of(requirement) in GUARDS[action]
    )


def guard_of(requirement: Shape) -> str:
    """Return what a requirement guards; RequiredToPreview is the former way to say it."""
    former = "PreviewAndAccept" if requirement.get("RequiredToPreview") else "Accept"
    return requirement.get("ActionsGuarded", former)


def meets(requirement: Shape, market: Market, worker: Worker) -> bool:
    comparator = requirement["Comparator"]
    if requirement["QualificationTypeId"] == LOCALE:
        return meets_locale(requirement, worker)
    score = score_of(requirement["QualificationTypeId"], market, worker)
    if comparator in ("Exists", "DoesNotExist"):
        return (score is not None) == (comparator == "Exists")
    if score is None:  # a guess: a comparison wants something to compare
        return False
    values = requirement["IntegerValues"]
    if comparator in ("In", "NotIn"):
        return (score in values) == (comparator == "In")
    return COMPARISONS[comparator](score, values[0])


def meets_locale(requirement: Shape, worker: Worker) -> bool:
    comparator = requirement["Comparator"]
    if comparator in ("Exists", "DoesNotExist"):  # every worker has a locale
        return comparator == "Exists"
    is_there = any(is_within(worker, place) for place in requirement["LocaleValues"])
    return is_there == (comparator in ("EqualTo", "In"))


def is_within(worker: Worker, place: Shape) -> bool:
    is_country = worker.country == place["Country"]
    return is_country and place.get("Subdivision") in (None, worker.subdivision)


def score_of(type_id: str, market: Market, worker: Worker) -> int | None:
    """Return a worker's score, None for a qualification never granted or revoked."""
    if type_id == PERCENT_APPROVED:
        return worker.percent_approved
    if type_id == NUMBER_APPROVED:
        return worker.number_approved
    if type_id in MASTERS.values():
        return 1 if worker.is_master else None
    if type_id == ADULT:
        return int(worker.is_adult_approved)
    held = market.qualifications.get((type_id, worker.worker_id))
    return held.value if held and held.status == "Granted" else None
