"""Which pages of others may show ours in a frame, and where a form of ours may go besides here.

Both are a platform's to say, for the pages of its own people: all others stay shut.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpResponse

from tasks.models import Listing
from tasks.platforms import platform_of
from tasks.platforms.base import Completion


def open_to_platform(response: HttpResponse, listing: Listing | None) -> HttpResponse:
    """Return a response which the platform of a listing, if it is one's, may show in its frame."""
    origins = platform_of(listing.platform).frame_origins(listing) if listing else []
    if origins:
        # Marks that django-csp and Django read.
        response._csp_replace = {"frame-ancestors": origins}  # type: ignore[attr-defined]
        response.xframe_options_exempt = True
    return response


def let_hand_in(response: HttpResponse, listing: Listing, completion: Completion) -> HttpResponse:
    """Return a page from which a form may go to the platform."""
    address = urlsplit(completion.address)
    # Where the answer to a form leads elsewhere, browsers hold that against the policy as well.
    targets = [f"{address.scheme}://{address.netloc}"]
    targets += platform_of(listing.platform).frame_origins(listing)
    response._csp_update = {"form-action": targets}  # type: ignore[attr-defined] # as above
    # With its usual policy a form would come from the origin "null". Only the origin is told.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response
