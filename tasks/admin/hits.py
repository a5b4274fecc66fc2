"""Admin pages of the work made from projects, and of who has it."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html

from models_ml.admin import ReadOnlyAdmin, count, link
from tasks import services
from tasks.admin.reviewing import ReviewActions, ReviewFilter
from tasks.models import HIT, Assignment, AssignmentState, HITItem
from tasks.platforms import task_links


class HITItemInline(admin.TabularInline[HITItem, HIT]):
    model = HITItem
    extra = 0
    can_delete = False
    fields = readonly_fields = ("position", "keyword", "document")

    def get_queryset(self, request: HttpRequest) -> QuerySet[HITItem]:
        return super().get_queryset(request).select_related("hit", "keyword__word", "document")

    def has_add_permission(self, request: HttpRequest, obj: HIT | None = None) -> bool:
        return False


@admin.register(HIT)
class HITAdmin(ReadOnlyAdmin[HIT]):
    list_display = ("__str__", "platform", "items_count", "taken", "submitted", "assignments_link")
    list_filter = ("project", "platform", "session_number")
    list_select_related = ("project",)
    search_fields = ("project__name", "project__slug")
    inlines = (HITItemInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[HIT]:
        held = Q(assignments__in=Assignment.objects.holding_a_place())
        submitted = Q(assignments__state=AssignmentState.SUBMITTED)
        items = HITItem.objects.filter(hit=OuterRef("pk")).order_by().values("hit")
        return (
            super()
            .get_queryset(request)
            .annotate(
                _items=Subquery(items.annotate(n=Count("pk")).values("n")),
                _taken=Count("assignments", filter=held),
                _submitted=Count("assignments", filter=submitted),
            )
        )

    @admin.display(description="items")
    def items_count(self, hit: Any) -> int:
        return cast(int, hit._items or 0)

    @admin.display(description="places taken", ordering="_taken")
    def taken(self, hit: Any) -> str:
        return f"{hit._taken} of {hit.project.overlap}"

    @admin.display(description="submitted", ordering="_submitted")
    def submitted(self, hit: Any) -> int:
        return cast(int, hit._submitted)

    @admin.display(description="assignments")
    def assignments_link(self, hit: HIT) -> str:
        query = f"?hit__id__exact={hit.pk}"
        return link("admin:tasks_assignment_changelist", "assignments", query=query)


@admin.register(Assignment)
class AssignmentAdmin(ReviewActions, ReadOnlyAdmin[Assignment]):
    list_display = (
        "worker_id",
        "hit_link",
        "state_word",
        *ReviewActions.review_columns,
        "expires_at",
        "submitted_at",
        "page",
        "work",
        "opens_at",
        "remark",
    )
    list_filter = (
        ReviewFilter,
        "state",
        "status_there",
        "decision",
        "hit__project",
        "hit__platform",
        "listing__mode",
        "expires_at",
    )
    list_select_related = ("hit__project", "listing", "decided_by")
    search_fields = ("worker_id", "hit__project__name", "completion_code", "platform_id")
    actions = (*ReviewActions.review_actions, "revoke", "reissue")
    readonly_fields = ("money", "page", "work")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).prefetch_related("ledger")

    @admin.display(description="state", ordering="state")
    def state_word(self, assignment: Assignment) -> str:
        return assignment.state

    @admin.display(description="HIT", ordering="hit")
    def hit_link(self, assignment: Assignment) -> str:
        return link("admin:tasks_hit_change", assignment.hit, assignment.hit_id)

    @admin.display(description="task page")
    def page(self, assignment: Assignment) -> str:
        if not assignment.is_held:
            return "–"
        address = task_links.task_url(assignment)
        return format_html('<a href="{}">open</a>', address)

    @admin.display(description="session")
    def work(self, assignment: Assignment) -> str:
        wanted = {"project__id__exact": assignment.hit.project_id, "q": assignment.worker_id}
        query = f"?{urlencode(wanted)}"
        return link("admin:annotation_session_changelist", "session", query=query)

    @admin.action(description="Revoke: end the link, free the place", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        revoked = sum(services.revoke(assignment) for assignment in queryset)
        if revoked:
            self.message_user(request, f"{count(revoked, 'link')} revoked.", messages.SUCCESS)
        if skipped := queryset.count() - revoked:
            text = f"{count(skipped, 'assignment')} had ended already."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Re-issue: a new link, the old one ends", permissions=["operate"])
    def reissue(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        for assignment in queryset.select_related("hit"):
            try:
                renewed = services.reissue(assignment)
            except services.TaskError as error:
                text = f"No new link for {assignment.worker_id}: {error}."
                self.message_user(request, text, messages.ERROR)
                continue
            address = task_links.task_url(renewed)
            text = f"New link for {renewed.worker_id}: {address}"
            self.message_user(request, text, messages.SUCCESS)
