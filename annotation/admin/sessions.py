"""Admin pages of annotators and their sessions."""

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
    readonly_fields = (
        "judgements_link",
        "suggestions_link",
        "contexts_link",
        "minutes",
        "processing",
        "refined_link",
    )

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

    @admin.display(description="words suggested")
    def suggestions_link(self, session: Session) -> str:
        page, query = "admin:annotation_suggestion_changelist", f"?session__id__exact={session.pk}"
        return link(page, session.suggestions.filter(is_withdrawn=False).count(), query=query)

    @admin.display(description="looks at sentences")
    def contexts_link(self, session: Session) -> str:
        page, query = "admin:annotation_contextview_changelist", f"?session__id__exact={session.pk}"
        return link(page, session.context_views.count(), query=query)

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


@admin.register(PolicyDecision)
class PolicyDecisionAdmin(ReadOnlyAdmin[PolicyDecision]):
    list_display = ("session", "block", "kind", "reason", "made_at")
    list_filter = ("kind", "session__project", "made_at")
    list_select_related = ("session__annotator", "session__project")
    search_fields = ("session__annotator__worker_id", "reason")
