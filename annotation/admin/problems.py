"""Admin page of what annotators reported to the manager."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from annotation import services
from annotation.models import Problem
from models_ml.admin import ReadOnlyAdmin, count, link

SHOWN_LETTERS = 200


class StateFilter(admin.SimpleListFilter):
    """Problems that wait for somebody, or those that were dealt with."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("resolved", "resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Problem]) -> QuerySet[Problem]:
        if self.value() not in {"open", "resolved"}:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(Problem)
class ProblemAdmin(ReadOnlyAdmin[Problem]):
    list_display = ("problem", "project", "page", "who", "created_at", "resolved_at")
    list_filter = (StateFilter, "assignment__hit__project", "created_at")
    list_select_related = (
        "assignment__hit__project",
        "item__keyword__word",
        "item__document",
    )
    search_fields = ("text", "assignment__worker_id", "assignment__hit__project__name")
    ordering = (F("resolved_at").desc(nulls_first=True), "-id")
    actions = ("resolve",)
    fields = ("text", "project", "page", "who", "created_at", "resolved_at", "resolved_by")
    readonly_fields = ("project", "page", "who")

    @admin.display(description="problem", ordering="text")
    def problem(self, problem: Problem) -> str:
        return Truncator(problem.text).chars(SHOWN_LETTERS)

    @admin.display(description="project", ordering="assignment__hit__project")
    def project(self, problem: Problem) -> str:
        project = problem.assignment.hit.project
        return link("admin:tasks_project_change", project, project.pk)

    @admin.display(description="page")
    def page(self, problem: Problem) -> str:
        return str(problem.item) if problem.item else "–"

    @admin.display(description="who", ordering="assignment__worker_id")
    def who(self, problem: Problem) -> str:
        assignment = problem.assignment
        wanted = {"project__id__exact": assignment.hit.project_id, "q": assignment.worker_id}
        page = "admin:annotation_session_changelist"
        return link(page, assignment.worker_id, query=f"?{urlencode(wanted)}")

    @admin.action(description="Mark as resolved", permissions=["operate"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Problem]) -> None:
        by = cast(User, request.user)
        resolved = sum(services.resolve_problem(problem, by=by) for problem in queryset)
        if resolved:
            text = f"{count(resolved, 'problem')} marked as resolved."
            self.message_user(request, text, messages.SUCCESS)
        if skipped := queryset.count() - resolved:
            text = f"{count(skipped, 'problem')} had been resolved before."
            self.message_user(request, text, messages.WARNING)
