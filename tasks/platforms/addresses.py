"""The address at which a platform's people arrive, signed for each listing."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from tasks.models import Listing
from tasks.platforms.base import PlatformError, UnknownAssignment

_signer = Signer(salt="tasks.platforms.arrival", sep="~")


def check_public_address(platform: str) -> None:
    """Raise PlatformError where platforms would not take the address of this site."""
    if urlsplit(settings.PUBLIC_BASE_URL).scheme != "https":
        raise PlatformError(
            f"{platform} shows pages of https addresses alone, and PUBLIC_BASE_URL is "
            f"{settings.PUBLIC_BASE_URL}",
            permanent=True,
        )


def arrival_url(listing: Listing) -> str:
    """Return the address to give the platform. Raises PlatformError where it is not https."""
    check_public_address(listing.get_platform_display())
    return settings.PUBLIC_BASE_URL + reverse("annotation:arrive", args=[_signer.sign(listing.key)])


def listing_of(token: str) -> Listing:
    """Return the listing whose address holds a token. Raises UnknownAssignment for a forged one."""
    try:
        key = _signer.unsign(token)
    except BadSignature as error:
        raise UnknownAssignment from error
    listing = Listing.objects.select_related("hit__project").filter(key=key).first()
    if listing is None:
        raise UnknownAssignment
    return listing
