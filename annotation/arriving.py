"""The address at which a platform's people arrive: a sample for those who only look, and for those
who took a place the way to their task."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page

from annotation import frames, pages, progress, welcoming
from annotation.access import reading_language
from annotation.sampling import sample_of
from annotation.scripts import fonts_for
from tasks.crowd import arrivals, following
from tasks.models import Listing
from tasks.platforms import UnknownAssignment, platform_of, task_links
from tasks.platforms.addresses import listing_of
from tasks.platforms.base import NotArrivable


@csrf_exempt
@gzip_page
@cache_control(no_store=True)
def arrive(request: HttpRequest, token: str) -> HttpResponse:
    """Show a sample, or lead to the task of who arrives. Without a cookie, as all task pages."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with translation.override(reading_language(request, None)):
        try:
            listing = listing_of(token)
        except UnknownAssignment:
            return render(request, "annotation/refused.html", {"reason": "unknown"}, status=404)
        return frames.open_to_platform(_answer(request, listing), listing)


def _answer(request: HttpRequest, listing: Listing) -> HttpResponse:
    try:
        arrival = platform_of(listing.platform).arrival(request.GET, listing)
        if arrival is None:
            return _sample(request, listing)
        if _is_only_a_look(request):
            return HttpResponse(status=204)
        assignment = arrivals.arrive(listing, arrival)
    except NotArrivable:
        return _not_let_in(request, listing, "not_arrivable", status=400)
    except arrivals.NotLetIn as refusal:
        if refusal.reason == arrivals.Reason.FULL:
            following.look_soon(listing)  # somebody may have given a place back unknown to us
        return _not_let_in(request, listing, refusal.reason, status=403, opens_at=refusal.opens_at)
    start = reverse("annotation:start", args=[task_links.token(assignment)])
    return HttpResponseRedirect(start, status=303)


def _is_only_a_look(request: HttpRequest) -> bool:
    """True where no person arrives: a check of the address, or a browser that fetches ahead."""
    return request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", "")


def _sample(request: HttpRequest, listing: Listing) -> HttpResponse:
    """Show one page of the work. Nothing is stored of those who look."""
    project = listing.hit.project
    embedding = project.embedding
    return render(
        request,
        "annotation/sample.html",
        {
            "listing": listing,
            "project": project,
            "texts": pages.texts(project),
            "outline": progress.outline_of(listing.hit),
            "usual_minutes": welcoming.usual_minutes(project),
            "reward": welcoming.reward(listing),
            "sample": sample_of(listing.hit),
            "steps": pages.grade_steps(),
            "fonts": fonts_for([embedding.source.tag, embedding.target.tag]),
        },
    )


def _not_let_in(
    request: HttpRequest, listing: Listing, reason: str, *, status: int, **said: object
) -> HttpResponse:
    page = {"reason": reason, "listing": listing, "project": listing.hit.project, **said}
    return render(request, "annotation/not_let_in.html", page, status=status)
