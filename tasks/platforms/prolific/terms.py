"""What a study says to Prolific: its name, its times, its code, who may take part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from math import ceil, sqrt

from django.conf import settings
from django.utils.crypto import salted_hmac

from tasks.models import HIT, Listing, Offer, Purpose
from tasks.platforms.addresses import arrival_url, mark_of
from tasks.platforms.base import PlatformError
from tasks.platforms.prolific.countries import choice_ids
from tasks.platforms.prolific.types import (
    CompletionCode,
    NewStudy,
    RangeFilter,
    RejectionCategory,
    SelectFilter,
)

SHORTEST_REJECTION = 100  # characters
LONGEST_MINUTES = 24 * 60 - 1  # "always less than 24 hours"
COUNTRY_FILTER = "current-country-of-residence"
_CODE_LETTERS = "BCDFGHJKMNPQRTVWXZ2346789"  # as of the completion codes of direct links
_CODE_LENGTH = 12
_CATEGORY = re.compile(r"\s*([A-Z_]+)\s*:\s*(.*)", re.DOTALL)


def fee_cents(cents: int) -> int:
    """Return Prolific's fee by PROLIFIC_FEE_PERCENT: an estimate, rounded up to a cent."""
    exact = Decimal(cents) * settings.PROLIFIC_FEE_PERCENT / 100
    return int(exact.quantize(Decimal(1), rounding=ROUND_CEILING))


def completion_code(listing: Listing) -> str:
    """Return the code that a study's participants hand in: nobody can guess it who knows the key.

    It follows from SECRET_KEY, so that every process makes the same one and none is stored.
    """
    digest = salted_hmac("tasks.platforms.prolific.code", listing.key, algorithm="sha256").digest()
    number = int.from_bytes(digest, "big")
    letters = []
    for _ in range(_CODE_LENGTH):
        number, place = divmod(number, len(_CODE_LETTERS))
        letters.append(_CODE_LETTERS[place])
    return "".join(letters)


def study_of(
    listing: Listing,
    offer: Offer,
    *,
    project_id: str,
    filters: Sequence[SelectFilter | RangeFilter],
) -> NewStudy:
    """Return the study that a listing is to be. Raises PlatformError for terms that cannot be."""
    project = listing.hit.project
    return NewStudy(
        name=(offer.title or project.question)[:128],
        internal_name=mark_of(listing.key),
        description=offer.description or project.instructions,
        external_study_url=_study_url(listing),
        completion_codes=(CompletionCode(completion_code(listing)),),
        places=listing.places,
        estimated_minutes=_estimated_minutes(listing),
        reward_cents=listing.reward_cents,
        project_id=project_id,
        maximum_minutes=listing.minutes_allowed,
        filters=tuple(filters),
        devices=("desktop", "tablet", "mobile"),
    )


def _study_url(listing: Listing) -> str:
    """Return the address with Prolific's own placeholders, which it fills in for each person."""
    names = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
    return f"{arrival_url(listing)}?" + "&".join(f"{name}={{{{%{name}%}}}}" for name in names)


def _estimated_minutes(listing: Listing) -> int:
    """Return how long the work takes, as its people read it.

    The time budget, shared among a session's HITs; else the time that the reward pays for by the
    hourly pay; else as in the paper, a minute a keyword.
    """
    allowed, hit, project = listing.minutes_allowed, listing.hit, listing.hit.project
    if allowed > LONGEST_MINUTES:
        raise PlatformError(
            f"Prolific gives people less than 24 hours: allow at most {LONGEST_MINUTES} minutes, "
            f"not {allowed}",
            permanent=True,
        )
    if listing.purpose == Purpose.COMPENSATION:
        minutes = 1
    elif project.session_minutes:
        minutes = ceil(project.session_minutes / HIT.objects.of_session(hit).count())
    elif project.hourly_pay:
        minutes = ceil(listing.reward_cents * 60 / (project.hourly_pay * 100))
    else:
        documents = hit.items.exclude(document=None).count()
        minutes = max(1, ceil(hit.items.count() - documents / 2))
    least = int(2 + 2 * minutes + 2 * sqrt(minutes))  # by the reference
    if allowed < least:
        raise PlatformError(
            f"for work of {minutes} minutes Prolific allows no less than {least}: raise the "
            f"minutes allowed, which are {allowed}",
            permanent=True,
        )
    return minutes


def filters_of(
    listing: Listing,
    offer: Offer,
    *,
    country_choices: Mapping[str, str],
    forbidding: Sequence[str],
    requiring: Sequence[str],
) -> list[SelectFilter | RangeFilter]:
    """Return who may take part.

    country_choices: Prolific's names of countries by their ids. forbidding, requiring: ids of
    participant groups; people are in none of the former and in one of the latter, which is all that
    Prolific's list of groups says. Raises PlatformError.
    """
    if offer.needs_masters:
        raise PlatformError(
            "Masters are Mechanical Turk's alone: take them off the offer on Prolific",
            permanent=True,
        )
    found: list[SelectFilter | RangeFilter] = []
    person = listing.worker_id or listing.hit.worker_id
    if person:
        found.append(SelectFilter("custom_allowlist", (person,)))
    if forbidding:
        found.append(SelectFilter("participant_group_blocklist", tuple(forbidding)))
    if requiring:
        found.append(SelectFilter("participant_group_allowlist", tuple(requiring)))
    if offer.country_codes:
        found.append(SelectFilter(COUNTRY_FILTER, choice_ids(offer.country_codes, country_choices)))
    if offer.approval_percent is not None:
        found.append(RangeFilter("approval_rate", offer.approval_percent, 100))
    if offer.approved_count is not None:
        found.append(RangeFilter("approval_numbers", offer.approved_count))
    return found


def reason_of(feedback: str) -> tuple[RejectionCategory, str]:
    """Return a rejection's category and words: `LOW_EFFORT: why` names one, else it is OTHER.

    Raises PlatformError for words that are fewer than Prolific takes.
    """
    named = _CATEGORY.fullmatch(feedback)
    category, words = RejectionCategory.OTHER, feedback.strip()
    if named and named[1] in RejectionCategory.__members__:
        category, words = RejectionCategory[named[1]], named[2].strip()
    missing = SHORTEST_REJECTION - len(words)
    if missing > 0:
        raise PlatformError(
            f"Prolific wants a reason of at least {SHORTEST_REJECTION} characters for a rejection; "
            f"this one is {missing} short",
            permanent=True,
        )
    return category, words
