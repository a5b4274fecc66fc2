"""Direct links: one person's signed, revocable address, for people hired by the manager."""

import re

from django.conf import settings
from django.core.signing import BadSignature, Signer

from tasks.models import Assignment
from tasks.platforms.base import ReplacedLink, UnknownAssignment

_CLAIM = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)")
_SHOWN_ON_EVERY_PAGE = [
    "listing",
    *(f"hit__project__embedding__{side}" for side in ("source", "target")),
]


class DirectLink:
    """The token is `assignment-version~signature`; raising the version ends older links."""

    _signer = Signer(salt="tasks.platforms.direct", sep="~")

    def token(self, assignment: Assignment) -> str:
        """Return the token of an assignment's newest link."""
        return self._signer.sign(f"{assignment.pk}-{assignment.link_version}")

    def task_url(self, assignment: Assignment) -> str:
        return f"{settings.SITE_URL}/t/{self.token(assignment)}/"

    def identify(self, token: str) -> Assignment:
        """Return what a token opens. Raises UnknownAssignment, ReplacedLink for an older token."""
        try:
            claim = _CLAIM.fullmatch(self._signer.unsign(token))
        except BadSignature:
            claim = None
        if claim is None:
            raise UnknownAssignment
        shown = Assignment.objects.select_related(*_SHOWN_ON_EVERY_PAGE)
        assignment = shown.filter(pk=int(claim[1])).first()
        if assignment is None:
            raise UnknownAssignment
        if assignment.link_version != int(claim[2]):
            raise ReplacedLink(assignment)
        return assignment
