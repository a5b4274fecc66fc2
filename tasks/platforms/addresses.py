"""The address at which a platform's people arrive, signed for each listing."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from tasks.models import Listing
from tasks.platforms.base import PlatformError, UnknownAssignment

_signer = Signer(salt="tasks.platforms.arrival", sep="~")


def arrival_url(listing: Listing) -> str:
    """Return the address to give the platform. Raises PlatformError where it is not https."""
    if urlsplit(settings.PUBLIC_BASE_URL).scheme != "https":
        raise PlatformError(
            f"{listing.get_platform_display()} shows pages of https addresses alone, and "
            f"PUBLIC_BASE_URL is {settings.PUBLIC_BASE_URL}",
            permanent=True,
        )
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
