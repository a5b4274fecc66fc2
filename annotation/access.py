"""From the token in an address to the task it opens.

The token is the whole authority: there is no account, no cookie and no server-side login, because
crowd platforms show task pages in a cross-site frame, where cookies are blocked.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

from annotation import services
from annotation.models import Session
from tasks.models import Assignment, AssignmentState, Project
from tasks.platforms import ReplacedLink, UnknownAssignment, task_links

__all__ = [
    "LinkEnded",
    "LinkResting",
    "ReplacedLink",
    "UnknownAssignment",
    "Visit",
    "find_visit",
    "is_offered",
    "reading_language",
]


@dataclass(frozen=True)
class Visit:
    """Someone with a working link."""

    token: str
    assignment: Assignment
    session: Session | None  # None until consent: nothing is stored about a mere look

    @property
    def project(self) -> Project:
        return self.assignment.hit.project

    @property
    def is_submitted(self) -> bool:
        return self.assignment.state == AssignmentState.SUBMITTED

    @property
    def agreed(self) -> Session | None:
        """The session, once its annotator has agreed to take part."""
        return self.session if self.session and self.session.consented_at else None

    @property
    def admitted(self) -> Session | None:
        """The session of who has agreed, once the screening test is passed where there is one."""
        agreed = self.agreed
        if agreed is None or self.is_submitted or not services.has_yet_to_pass(agreed):
            return agreed
        return None


class LinkEnded(Exception):
    """The link was good once, but was revoked or ran out before the work was submitted."""

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self.visit = visit


class LinkResting(LinkEnded):
    """The link is of a later session, and will open once the pause before it is over."""


def find_visit(token: str) -> Visit:
    """Return what a token opens.

    Raises UnknownAssignment for a forged, mistyped or replaced token, LinkResting and LinkEnded.
    """
    assignment = task_links.identify(token)
    session = Session.objects.of(assignment).select_related("annotator").first()
    if session is not None:
        session.project = assignment.hit.project  # the same row, read already
    visit = Visit(token=token, assignment=assignment, session=session)
    if assignment.is_held and assignment.is_resting:
        raise LinkResting(visit)
    if not (assignment.is_open or visit.is_submitted):
        raise LinkEnded(visit)
    return visit


def is_offered(language: str) -> bool:
    """True for a language that the task pages speak."""
    return language in dict(settings.LANGUAGES)


def reading_language(request: HttpRequest, visit: Visit | None) -> str:
    """Return the language in which someone reads: as they chose it, or else as their browser asks.

    Who has not agreed yet chooses in the address: nothing is stored of them.
    """
    chosen = visit.session.annotator.language if visit and visit.session else ""
    accepted = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    for tag in (request.GET.get("language", ""), chosen, *(tag for tag, _ in accepted)):
        try:
            return get_supported_language_variant(tag)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
