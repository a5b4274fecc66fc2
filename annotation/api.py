"""What the task pages' script sends and asks: one answer at a time, as JSON."""

from __future__ import annotations

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import pages, services
from annotation.access import LinkEnded, UnknownAssignment, Visit, find_visit
from annotation.models import Session, Verdict
from annotation.services import NotAnswerable, SessionEnded
from models_ml.models import Document, Keyword, Side, Word


class Gone(APIException):
    status_code = status.HTTP_410_GONE
    default_detail = "This task has ended, so the answer was not saved."
    default_code = "gone"


class JudgementInput(serializers.Serializer[Any]):
    keyword = serializers.PrimaryKeyRelatedField(queryset=Keyword.objects.all())
    word = serializers.PrimaryKeyRelatedField(queryset=Word.objects.all())
    verdict = serializers.ChoiceField(Verdict.choices)


class LabelInput(serializers.Serializer[Any]):
    document = serializers.PrimaryKeyRelatedField(queryset=Document.objects.all())
    # DRF takes declared fields off the class, so this one does not hide `Field.label`.
    label = serializers.IntegerField(allow_null=True, min_value=0)  # type: ignore[assignment]


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
        try:
            self.visit = find_visit(kwargs["token"])
        except UnknownAssignment as error:
            raise NotFound("This link is not known.") from error
        except LinkEnded as error:
            raise Gone from error
        if self.visit.agreed is None:
            raise PermissionDenied("Please read the first page and agree before you start.")
        self.session = self.visit.agreed

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, SessionEnded):
            exc = Gone(str(exc))
        elif isinstance(exc, NotAnswerable):
            exc = ValidationError({"detail": str(exc)})
        return super().handle_exception(exc)


class Judgements(TaskAPI):
    """POST {keyword, word, verdict}: what the annotator says of a word beside a keyword."""

    def post(self, request: Request, token: str) -> Response:
        given = JudgementInput(data=request.data)
        given.is_valid(raise_exception=True)
        judgement = services.record_judgement(
            self.session, self.visit.assignment, **given.validated_data
        )
        services.note_presence(self.session)
        return Response(
            {
                "keyword": given.validated_data["keyword"].pk,
                "word": given.validated_data["word"].pk,
                "verdict": judgement.verdict if judgement else Verdict.LEAVE,
                "is_added": judgement.is_added if judgement else False,
                "revision": judgement.revision if judgement else 0,
            }
        )


class Labels(TaskAPI):
    """POST {document, label}: the category of a document; null says "can't tell"."""

    def post(self, request: Request, token: str) -> Response:
        given = LabelInput(data=request.data)
        given.is_valid(raise_exception=True)
        label = services.record_document_label(
            self.session, self.visit.assignment, **given.validated_data
        )
        services.note_presence(self.session, on_document=True)
        return Response(
            {"document": label.document_id, "label": label.label, "revision": label.revision}
        )


class Words(TaskAPI):
    """GET ?side=&q=: words of a language's vocabulary that begin with q."""

    def get(self, request: Request, token: str) -> Response:
        asked = SearchInput(data=request.query_params)
        asked.is_valid(raise_exception=True)
        services.note_presence(self.session)
        vocabulary = self.session.project.embedding.vocabulary(asked.validated_data["side"])
        found = pages.find_words(vocabulary, asked.validated_data["q"])
        return Response({"words": [{"id": word.pk, "text": word.text} for word in found]})
