"""What a HIT says to the service: its question, its fees, who may take it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from xml.sax.saxutils import escape

from tasks.models import Mode, Offer
from tasks.platforms.base import PlatformError
from tasks.platforms.mturk.client import Shape

# Pricing page: 20 % of a reward or bonus, at least a cent; 20 % more from ten assignments of a HIT
# on, 5 % more for Masters.
_FEE, _CROWD_FEE, _MASTERS_FEE, _CROWD = 20, 20, 5, 10
# System qualifications (API reference, QualificationRequirement).
_LOCALE = "00000000000000000071"
_APPROVED_PERCENT = "000000000000000000L0"
_APPROVED_NUMBER = "00000000000000000040"
_MASTERS = {
    Mode.SANDBOX: "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6",
    Mode.LIVE: "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH",
}
MOST_REQUIREMENTS = 10
_SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2006-07-14/"
    "ExternalQuestion.xsd"
)


def fee_cents(cents: int, *, places: int, needs_masters: bool) -> int:
    """Return the fee of one reward of a HIT with so many assignments, in cents."""
    percent = _FEE + (_CROWD_FEE if places >= _CROWD else 0)
    percent += _MASTERS_FEE if needs_masters else 0
    exact = Decimal(cents) * percent / 100
    return max(1, int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP)))


def dollars(cents: int) -> str:
    """Return an amount as the API takes it."""
    return f"{cents // 100}.{cents % 100:02}"


def external_question(address: str) -> str:
    """Return the document that shows a page of ours; a height of 0 fills the window."""
    return (
        f'<ExternalQuestion xmlns="{_SCHEMA}"><ExternalURL>{escape(address)}</ExternalURL>'
        "<FrameHeight>0</FrameHeight></ExternalQuestion>"
    )


def title_of(offer: Offer) -> str:
    return (offer.title or offer.project.question)[:128]


def description_of(offer: Offer) -> str:
    return offer.description or offer.project.instructions[:2000]


def requirements(
    offer: Offer, mode: str, *, forbidding: Sequence[str], requiring: Sequence[str]
) -> list[Shape]:
    """Return who may see and take a HIT.

    forbidding, requiring: ids of qualification types that one must not, or must, have. Raises
    PlatformError for more requirements than the service takes.
    """
    guarded = {"ActionsGuarded": "DiscoverPreviewAndAccept"}
    found: list[Shape] = [
        {"QualificationTypeId": one, "Comparator": "Exists", **guarded} for one in requiring
    ]
    found += [
        {"QualificationTypeId": one, "Comparator": "DoesNotExist", **guarded} for one in forbidding
    ]
    if offer.country_codes:
        places = [{"Country": code} for code in offer.country_codes]
        found.append(
            {"QualificationTypeId": _LOCALE, "Comparator": "In", "LocaleValues": places, **guarded}
        )
    least = ((_APPROVED_PERCENT, offer.approval_percent), (_APPROVED_NUMBER, offer.approved_count))
    found += [
        {
            "QualificationTypeId": one,
            "Comparator": "GreaterThanOrEqualTo",
            "IntegerValues": [value],
            **guarded,
        }
        for one, value in least
        if value is not None
    ]
    if offer.needs_masters:
        found.append(
            {"QualificationTypeId": _MASTERS[Mode(mode)], "Comparator": "Exists", **guarded}
        )
    if len(found) > MOST_REQUIREMENTS:
        raise PlatformError(
            f"a HIT takes {MOST_REQUIREMENTS} qualification requirements at most, and this would "
            f"have {len(found)}",
            permanent=True,
        )
    return found
