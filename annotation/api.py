"""What the task pages' script sends and asks, as JSON."""

from __future__ import annotations

from typing import Any

from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import letters, pages, services
from annotation.access import (
    LinkEnded,
    ReplacedLink,
    UnknownAssignment,
    Visit,
    find_visit,
    reading_language,
)
from annotation.answering import NotAnswerable, SessionEnded
from annotation.models import Session
from models_ml.models import Side


class Gone(APIException):
    status_code = status.HTTP_410_GONE
    default_detail = gettext_lazy("This task has ended, so the answer was not saved.")
    default_code = "gone"


class AnswersInput(serializers.Serializer[Any]):
    letters = serializers.ListField(max_length=letters.MOST_LETTERS)
    position = serializers.IntegerField(min_value=1, max_value=32767, allow_null=True, default=None)


class SearchInput(serializers.Serializer[Any]):
    side = serializers.ChoiceField(Side.choices)
    q = serializers.CharField(max_length=255, allow_blank=True)


@method_decorator(cache_control(no_store=True), name="dispatch")
class TaskAPI(APIView):
    """Something asked within a task. The token in the address is the authority, so no login."""

    authentication_classes = []
    permission_classes = [AllowAny]
    visit: Visit
    session: Session

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        translation.activate(reading_language(request._request, None))
        try:
            self.visit = find_visit(kwargs["token"])
        except ReplacedLink as replaced:
            if replaced.assignment.listing is None:
                raise NotFound(_("This link is not known.")) from replaced
            raise Gone from replaced  # given back on the platform, or taken anew
        except UnknownAssignment as error:
            raise NotFound(_("This link is not known.")) from error
        except LinkEnded as ended:
            translation.activate(reading_language(request._request, ended.visit))
            raise Gone from ended
        translation.activate(reading_language(request._request, self.visit))
        session = self.visit.admitted
        if session is None:
            raise PermissionDenied(_("Please read the first page and agree before you start."))
        self.session = session

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        translation.deactivate()
        return super().finalize_response(request, response, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, SessionEnded):
            exc = Gone(str(exc))
        elif isinstance(exc, NotAnswerable):
            exc = ValidationError({"detail": str(exc)})
        return super().handle_exception(exc)


def _now_ms() -> int:
    """Return the server's clock, by which a device sets the times of its answers."""
    return round(timezone.now().timestamp() * 1000)


class Answers(TaskAPI):
    """POST {letters: […], position?}: answers, as `annotation.letters` describes them.

    Returns {now, receipts: [{id, state: saved | superseded | refused, …}]}, and for the page at
    `position` its `standing`: what its answers now are, so that two tabs, or two devices, come to
    show the same.
    """

    def post(self, request: Request, token: str) -> Response:
        given = AnswersInput(data=request.data)
        given.is_valid(raise_exception=True)
        assignment, position = self.visit.assignment, given.validated_data["position"]
        item = assignment.hit.items.filter(position=position).first() if position else None
        if position and item is None:
            raise NotAnswerable(_("There is no such page in your task"))
        sent = given.validated_data["letters"]
        receipts = letters.deliver(self.session, assignment, sent)
        answer: dict[str, object] = {"now": _now_ms(), "receipts": receipts}
        if item is not None:
            answer["standing"] = pages.standing(self.session, item)
        return Response(answer)


class Words(TaskAPI):
    """GET ?side=&q=: words of a language's vocabulary that begin with q."""

    def get(self, request: Request, token: str) -> Response:
        asked = SearchInput(data=request.query_params)
        asked.is_valid(raise_exception=True)
        services.note_presence(self.session)
        vocabulary = self.session.project.embedding.vocabulary(asked.validated_data["side"])
        found = pages.find_words(vocabulary, asked.validated_data["q"])
        return Response({"words": [{"id": word.pk, "text": word.text} for word in found]})
