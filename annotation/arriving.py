"""Where platforms send people: from a listing's signed address to a task link."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse

from tasks.platforms import UnknownAssignment
from tasks.platforms.addresses import listing_of


def arrive(request: HttpRequest, token: str) -> HttpResponse:
    """Lead somebody whom a platform sends to their task."""
    try:
        listing_of(token)
    except UnknownAssignment as error:
        raise Http404 from error
    raise Http404
