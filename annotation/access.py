"""From the token in an address to the task it opens.

The token is the whole authority: there is no account, no cookie and no server-side login, because
crowd platforms show task pages in a cross-site frame, where cookies are blocked.
"""

from __future__ import annotations

from dataclasses import dataclass

from annotation.models import Session
from tasks.models import Assignment, AssignmentState, Platform, Project
from tasks.platforms import UnknownAssignment, platform_of

__all__ = ["LinkEnded", "LinkResting", "UnknownAssignment", "Visit", "find_visit"]


class LinkEnded(Exception):
    """The link was good once, but was revoked or ran out before the work was submitted."""


class LinkResting(LinkEnded):
    """The link is of a later session, and will open once the pause before it is over."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__()
        self.assignment = assignment


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


def find_visit(token: str) -> Visit:
    """Return what a token opens.

    Raises UnknownAssignment for a forged, mistyped or replaced token, LinkResting and LinkEnded.
    """
    assignment = platform_of(Platform.DIRECT).identify(token)
    if assignment.is_held and assignment.is_resting:
        raise LinkResting(assignment)
    if not (assignment.is_open or assignment.state == AssignmentState.SUBMITTED):
        raise LinkEnded
    related = ["project__embedding__source", "project__embedding__target"]
    session = Session.objects.of(assignment).select_related(*related).first()
    return Visit(token=token, assignment=assignment, session=session)
