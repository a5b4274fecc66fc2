"""Annotators' links: made, shown to copy, downloaded."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse

from models_ml.admin import count
from tasks import services
from tasks.forms import LinksForm
from tasks.models import Assignment, Project
from tasks.platforms import platform_of


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

        return [
            path("<int:project_id>/links/", page(self.links_page), name="tasks_project_links"),
            path("<int:project_id>/links.csv", page(self.links_csv), name="tasks_project_csv"),
            *super().get_urls(),
        ]

    def _own(self, request: HttpRequest, project_id: int) -> Project:
        """Return a project that this person may change; links are as good as keys."""
        project = get_object_or_404(Project, pk=project_id)
        if not self.has_change_permission(request, project):
            raise PermissionDenied
        return project

    def links_page(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Make links, and show the addresses of those that work."""
        project = self._own(request, project_id)
        form = LinksForm(request.POST or None)
        if (
            request.method == "POST"
            and form.is_valid()
            and self._give_links(request, project, form)
        ):
            return redirect("admin:tasks_project_links", project.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Annotators’ links of {project}",
            "opts": self.opts,
            "project": project,
            "form": form,
            "free_places": services.free_places(project),
            "links": _working_links(project),
        }
        return render(request, "admin/tasks/project/links.html", context)

    def _give_links(self, request: HttpRequest, project: Project, form: LinksForm) -> bool:
        worker_ids = form.worker_ids(project)
        known = Assignment.objects.filter(hit__project=project, worker_id__in=worker_ids)
        had_one = known.filter(hit__session_number=1, hit__batch=1).count()
        try:
            services.make_links(project, worker_ids)
        except services.TaskError as error:
            form.add_error(None, f"No link was made: {error}.")
            return False
        made = count(len(worker_ids) - had_one, "link")
        kept = f" {had_one} of these people had one already." if had_one else ""
        self.message_user(request, f"{made} made.{kept}", messages.SUCCESS)
        return True

    def links_csv(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Return the working links as a table to download."""
        project = self._own(request, project_id)
        disposition = f'attachment; filename="links-{project.slug}.csv"'
        response = HttpResponse(
            content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
        )
        rows = csv.writer(response)
        rows.writerow(["annotator", "state", "expires", "address"])
        for assignment, address in _working_links(project):
            expires = assignment.expires_at.isoformat(timespec="minutes")
            rows.writerow([assignment.worker_id, assignment.state, expires, address])
        return response


def _working_links(project: Project) -> list[tuple[Assignment, str]]:
    """Return the open assignments that a person begins with, and their addresses."""
    first = Assignment.objects.filter(hit__project=project, hit__session_number=1, hit__batch=1)
    assignments = first.select_related("hit").order_by("id")
    return [(a, platform_of(a.hit.platform).task_url(a)) for a in assignments if a.is_open]
