"""What pages say of money and of the market that they are about."""

from __future__ import annotations

from dataclasses import dataclass

from django import template

from tasks.crowd import ledger
from tasks.models import Listing, Mode, Offer, Platform
from tasks.platforms import PlatformError, platform_of

register = template.Library()

MODE_WORDS = {Mode.SANDBOX: "SANDBOX – nobody is paid", Mode.LIVE: "LIVE – real money"}


@dataclass(frozen=True)
class Badge:
    """Which market of a platform calls go to now."""

    text: str
    mode: str  # empty: the settings cannot work


@register.filter
def dollars(cents: int | None) -> str:
    """Return an amount as managers read it; a dash for None."""
    return "–" if cents is None else ledger.dollars(cents)


@register.filter
def mode_words(mode: str) -> str:
    """Return a market's mode in words that nobody overlooks."""
    return MODE_WORDS[Mode(mode)]


@register.simple_tag
def market_badges() -> list[Badge]:
    """Return a badge for each platform that anything is, or is to be, offered on."""
    used = Offer.objects.order_by().values_list("platform")
    used = used.union(Listing.objects.order_by().values_list("platform"))
    return [badge_of(name) for name in sorted({name for (name,) in used})]


def badge_of(platform_name: str) -> Badge:
    """Return the badge of a platform, by the settings as they are now."""
    label = Platform(platform_name).label
    try:
        mode = platform_of(platform_name).market().mode
    except PlatformError as error:
        return Badge(f"{label}: {error}", "")
    return Badge(f"{label}: {mode_words(mode)}", mode)
