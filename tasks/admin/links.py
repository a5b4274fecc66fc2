"""Annotators' links: made, shown to copy, downloaded, ended and made anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from models_ml.admin import count
from models_ml.spreadsheets import BYTE_ORDER_MARK
from tasks import services
from tasks.crowd import people
from tasks.forms import LinksForm
from tasks.links import as_csv, links_of
from tasks.models import Assignment, AssignmentState, Platform, Project

MAY_END_LINKS = "tasks.change_assignment"  # as of the actions in the list of assignments
TICKS = {
    "all": "all",
    AssignmentState.OFFERED: "not opened yet",
    AssignmentState.ACTIVE: "at work",
    AssignmentState.EXPIRED: "expired",
    AssignmentState.REVOKED: "revoked",
    "": "none",
}


class LinkPages(admin.ModelAdmin[Project]):
    """The pages of a project's links, and the action that leads there."""

    @admin.action(description="Make links for annotators …", permissions=["change"])
    def make_links(
        self, request: HttpRequest, queryset: QuerySet[Project]
    ) -> HttpResponseRedirect | None:
        if queryset.count() != 1:
            text = "Choose one project: links are made for one at a time."
            self.message_user(request, text, messages.ERROR)
            return None
        return HttpResponseRedirect(reverse("admin:tasks_project_links", args=[queryset.get().pk]))

    def get_urls(self) -> list[URLPattern]:
        def page(view: Any) -> Any:
            return self.admin_site.admin_view(view)

        links = "<int:project_id>/links"
        return [
            path(f"{links}/", page(self.links_page), name="tasks_project_links"),
            path(f"{links}.csv", page(self.links_csv), name="tasks_project_csv"),
            path(
                f"{links}/change/",
                page(require_POST(self.change_links)),
                name="tasks_project_change_links",
            ),
            *super().get_urls(),
        ]

    def _own(self, request: HttpRequest, project_id: int) -> Project:
        """Return a project that this person may change; links are as good as keys."""
        project = get_object_or_404(Project, pk=project_id)
        if not self.has_change_permission(request, project):
            raise PermissionDenied
        return project

    def _context(self, request: HttpRequest, project: Project, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "project": project,
        }

    def links_page(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Make links, and show all with their addresses."""
        project = self._own(request, project_id)
        form = LinksForm(request.POST or None, request.FILES or None)
        if (
            request.method == "POST"
            and form.is_valid()
            and self._give_links(request, project, form)
        ):
            return redirect("admin:tasks_project_links", project.pk)
        context = self._context(request, project, f"Annotators’ links of {project}") | {
            "form": form,
            "free_places": services.free_places(project),
            "links": links_of(project),
            "may_end_links": request.user.has_perm(MAY_END_LINKS),
            "ticks": TICKS,
            "ticked": request.GET.get("tick", ""),
        }
        return render(request, "admin/tasks/project/links.html", context)

    def _give_links(self, request: HttpRequest, project: Project, form: LinksForm) -> bool:
        worker_ids = form.worker_ids(project)
        known = Assignment.objects.filter(hit=project.first_hit, worker_id__in=worker_ids)
        had_one = {one.worker_id: one.state_now for one in known}
        try:
            people.check_links(project, worker_ids)
            services.make_links(project, worker_ids)
        except services.TaskError as error:
            form.add_error(None, f"No link was made: {error}.")
            return False
        made = count(len(worker_ids) - len(had_one), "link")
        kept = f" {len(had_one)} of these people had one already." if had_one else ""
        self.message_user(request, f"{made} made.{kept}", messages.SUCCESS)
        ends = {AssignmentState.EXPIRED, AssignmentState.REVOKED}
        if ended := [name for name, state in had_one.items() if state in ends]:
            text = f"Their links have ended, so re-issue them: {', '.join(ended)}."
            self.message_user(request, text, messages.WARNING)
        return True

    def links_csv(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Return all links as a table to download."""
        project = self._own(request, project_id)
        disposition = f'attachment; filename="links-{project.slug}.csv"'
        return HttpResponse(
            BYTE_ORDER_MARK + as_csv(links_of(project)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": disposition},
        )

    def change_links(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Revoke the chosen links, once that was confirmed, or make them anew."""
        project = self._own(request, project_id)
        if not request.user.has_perm(MAY_END_LINKS):
            raise PermissionDenied
        chosen = _chosen(project, request.POST.getlist("link"))
        action = request.POST.get("action")
        if action not in {"revoke", "confirmed_revoke", "reissue"}:
            return HttpResponseBadRequest("There is no such action.")
        if not chosen:
            text = "Nothing was changed: tick people first."
            self.message_user(request, text, messages.WARNING)
        elif action == "revoke":
            return self._ask_whether_to_revoke(request, project, chosen)
        elif action == "confirmed_revoke":
            self._revoke(request, chosen)
        else:
            self._reissue(request, chosen)
        return redirect("admin:tasks_project_links", project.pk)

    def _ask_whether_to_revoke(
        self, request: HttpRequest, project: Project, chosen: Iterable[Assignment]
    ) -> HttpResponse:
        context = self._context(request, project, "Revoke links?") | {
            "ending": [one for one in chosen if one.is_held],
            "ended": [one for one in chosen if not one.is_held],
        }
        return render(request, "admin/tasks/project/revoke_links.html", context)

    def _revoke(self, request: HttpRequest, chosen: Iterable[Assignment]) -> None:
        revoked, ended = [], defaultdict(list)
        for assignment in chosen:
            if services.revoke(assignment):
                revoked.append(assignment.worker_id)
            else:
                assignment.refresh_from_db(fields=["state"])
                ended[assignment.state].append(assignment.worker_id)
        if revoked:
            text = f"{count(len(revoked), 'link')} revoked: {', '.join(revoked)}."
            self.message_user(request, text, messages.SUCCESS)
        for state, names in ended.items():
            text = f"Not revoked, as {state} already: {', '.join(names)}."
            self.message_user(request, text, messages.WARNING)

    def _reissue(self, request: HttpRequest, chosen: Iterable[Assignment]) -> None:
        renewed, refused = [], defaultdict(list)
        for assignment in chosen:
            try:
                renewed.append(services.reissue(assignment).worker_id)
            except services.TaskError as error:
                refused[str(error)].append(assignment.worker_id)
        if renewed:
            text = (
                f"{count(len(renewed), 'new link')}: {', '.join(renewed)}. "
                "Older ones have ended: send the new ones."
            )
            self.message_user(request, text, messages.SUCCESS)
        for reason, names in refused.items():
            text = f"No new link for {', '.join(names)}: {reason}."
            self.message_user(request, text, messages.ERROR)


def _chosen(project: Project, ids: Iterable[str]) -> list[Assignment]:
    """Return the project's direct links of these ids; what is no id of one is passed over."""
    numbers = [int(text) for text in ids if text.isascii() and text.isdigit() and len(text) < 19]
    of_project = Assignment.objects.filter(hit__project=project, hit__platform=Platform.DIRECT)
    return list(of_project.filter(pk__in=numbers).select_related("hit").order_by("id"))
