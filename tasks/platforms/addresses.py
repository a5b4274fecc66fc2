"""What names a listing outside: the signed address of its arrivals, its mark on the platform."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from tasks.models import Listing
from tasks.platforms.base import PlatformError, UnknownAssignment

_MARK = re.compile("clime-(?P<key>[0-9a-f]{24})-(?P<proof>[0-9a-f]{8})")
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


def mark_of(key: str) -> str:
    """Return what the listing of a key bears on its platform, for our eyes: by it, it is found."""
    return f"clime-{key}-{_proof(key)}"


def key_in(mark: str) -> str:
    """Return the key in a mark of this installation; "" for what is none, or another's.

    Two installations may share an account, and must leave each other's listings alone.
    """
    ours = _MARK.fullmatch(mark)
    if ours is None:
        return ""
    is_proven = constant_time_compare(_proof(ours["key"]), ours["proof"])
    # A row is proof as well: the secret key may have been changed since.
    is_known = is_proven or Listing.objects.filter(key=ours["key"]).exists()
    return ours["key"] if is_known else ""


def _proof(key: str) -> str:
    return salted_hmac("tasks.platforms.mark", key, algorithm="sha256").hexdigest()[:8]


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
