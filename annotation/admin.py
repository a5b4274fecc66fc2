"""Admin pages of annotators, their sessions and what they answered."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest

from annotation import services
from annotation.models import (
    Annotator,
    Consensus,
    ConsensusPair,
    DocumentLabel,
    Judgement,
    PolicyDecision,
    Session,
    SessionState,
    Verdict,
)
from models_ml.admin import SUBJECT_PAGES, ReadOnlyAdmin, count, enqueue_for_each, link
from models_ml.models import Job, JobState

for _kind in ("process_session", "prepare_session", "update_neighbours", "preview_session"):
    SUBJECT_PAGES[_kind] = "admin:annotation_session_change"


@admin.register(Annotator)
class AnnotatorAdmin(ReadOnlyAdmin[Annotator]):
    list_display = ("worker_id", "platform", "sessions_link", "created_at")
    list_filter = ("platform", "created_at")
    search_fields = ("worker_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Annotator]:
        return super().get_queryset(request).annotate(_sessions=Count("sessions"))

    @admin.display(description="sessions", ordering="_sessions")
    def sessions_link(self, annotator: Any) -> str:
        query = f"?annotator__id__exact={annotator.pk}"
        return link("admin:annotation_session_changelist", annotator._sessions, query=query)


def _newest_processing() -> QuerySet[Job, Any]:
    jobs = Job.objects.filter(kind="process_session", subject_id=OuterRef("pk")).order_by("-id")
    return jobs.values_list(JSONObject(id="id", state="state"))[:1]


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin[Session]):
    list_display = (
        "annotator",
        "project",
        "number",
        "state",
        "judgements_link",
        "minutes",
        "processing",
        "report_link",
        "submitted_at",
    )
    list_filter = (
        "state",
        "project",
        "submitted_at",
        ("excluded_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("annotator", "project")
    search_fields = ("annotator__worker_id", "project__name", "project__slug")
    actions = ("process", "leave_out", "take_back")
    readonly_fields = ("judgements_link", "minutes", "processing", "refined_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        decided = Q(judgements__is_current=True) & ~Q(judgements__verdict=Verdict.LEAVE)
        return (
            super()
            .get_queryset(request)
            .annotate(
                _decided=Count("judgements", filter=decided),
                _processing=Subquery(_newest_processing()),
            )
        )

    @admin.display(description="judgements", ordering="_decided")
    def judgements_link(self, session: Any) -> str:
        query = f"?session__id__exact={session.pk}"
        return link("admin:annotation_judgement_changelist", session._decided, query=query)

    @admin.display(description="active minutes", ordering="active_seconds")
    def minutes(self, session: Session) -> str:
        return f"{session.active_minutes:.1f}"

    @admin.display(description="processing")
    def processing(self, session: Any) -> str:
        job = session._processing
        if job is None:
            return "–"
        if job["state"] == JobState.DONE:
            return "done"
        return link("admin:models_ml_job_change", job["state"], job["id"])

    @admin.display(description="report")
    def report_link(self, session: Session) -> str:
        return link("reports:session", "report", session.pk)

    @admin.display(description="refined embedding")
    def refined_link(self, session: Session) -> str:
        if session.refined_id is None:
            return "–"
        label = f"embedding {session.refined_id}"
        return link("admin:models_ml_embedding_change", label, session.refined_id)

    @admin.action(description="Re-run: refine and train again", permissions=["operate"])
    def process(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        submitted = queryset.filter(state=SessionState.SUBMITTED)
        enqueue_for_each(request, self, "process_session", submitted)
        for session in queryset.exclude(state=SessionState.SUBMITTED):
            text = f"{session}: not submitted yet, so there is nothing to run."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Leave out of the consensus", permissions=["operate"])
    def leave_out(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        by = cast(User, request.user)
        changed = sum(services.exclude_session(session, by=by) for session in queryset)
        text = f"{count(changed, 'session')} left out of the consensus."
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description="Take back into the consensus", permissions=["operate"])
    def take_back(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        changed = sum(services.include_session(session) for session in queryset)
        text = f"{count(changed, 'session')} taken back into the consensus."
        self.message_user(request, text, messages.SUCCESS)


@admin.register(Consensus)
class ConsensusAdmin(ReadOnlyAdmin[Consensus]):
    list_display = ("project", "method", "people", "pairs_link", "refined_link", "made_at")
    list_filter = ("method", "made_at")
    list_select_related = ("project",)
    search_fields = ("project__name", "project__slug")
    readonly_fields = ("people", "pairs_link", "refined_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consensus]:
        return (
            super()
            .get_queryset(request)
            .annotate(_people=Count("members", distinct=True), _pairs=Count("pairs", distinct=True))
        )

    @admin.display(description="annotators")
    def people(self, consensus: Any) -> int:
        return int(consensus._people)

    @admin.display(description="pairs of words")
    def pairs_link(self, consensus: Any) -> str:
        query = f"?consensus__id__exact={consensus.pk}"
        return link("admin:annotation_consensuspair_changelist", consensus._pairs, query=query)

    @admin.display(description="consensus embedding")
    def refined_link(self, consensus: Consensus) -> str:
        if consensus.refined_id is None:
            return "–"
        label = f"embedding {consensus.refined_id}"
        return link("admin:models_ml_embedding_change", label, consensus.refined_id)


@admin.register(ConsensusPair)
class ConsensusPairAdmin(ReadOnlyAdmin[ConsensusPair]):
    list_display = ("keyword", "word", "accepted", "rejected", "posterior", "consensus")
    list_filter = ("consensus__project",)
    list_select_related = ("keyword", "word", "consensus__project")
    search_fields = ("keyword__text", "word__text")


@admin.register(PolicyDecision)
class PolicyDecisionAdmin(ReadOnlyAdmin[PolicyDecision]):
    list_display = ("session", "block", "kind", "reason", "made_at")
    list_filter = ("kind", "session__project", "made_at")
    list_select_related = ("session__annotator", "session__project")
    search_fields = ("session__annotator__worker_id", "reason")


@admin.register(Judgement)
class JudgementAdmin(ReadOnlyAdmin[Judgement]):
    list_display = (
        "keyword",
        "word",
        "verdict",
        "is_added",
        "is_current",
        "revision",
        "session",
        "created_at",
    )
    list_filter = ("verdict", "is_added", "is_control", "is_current", "session__project")
    list_select_related = ("keyword__word", "word", "session__annotator", "session__project")
    search_fields = ("keyword__word__text", "word__text", "session__annotator__worker_id")


@admin.register(DocumentLabel)
class DocumentLabelAdmin(ReadOnlyAdmin[DocumentLabel]):
    list_display = ("document", "label", "is_current", "revision", "session", "created_at")
    list_filter = ("label", "is_current", "session__project")
    list_select_related = ("document", "session__annotator", "session__project")
    search_fields = ("document__text", "session__annotator__worker_id")
