"""A project on crowd platforms: its terms, what they cost, publishing and closing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from models_ml.admin import count
from tasks.admin.links import LinkPages
from tasks.crowd import offers, publishing
from tasks.crowd.ledger import dollars
from tasks.forms import OfferForm
from tasks.models import Listing, ListingState, Offer, Platform, Project
from tasks.platforms import PlatformError
from tasks.services import TaskError

# Who may spend money, and who may end what is there.
MAY_PUBLISH, MAY_CLOSE = "tasks.add_listing", "tasks.change_listing"
CROWD_PLATFORMS = {value: label for value, label in Platform.choices if value != Platform.DIRECT}


class OfferInline(admin.StackedInline[Offer, Project]):
    model = Offer
    form = OfferForm
    fk_name = "project"
    extra = 0
    max_num = len(CROWD_PLATFORMS)
    verbose_name_plural = "On crowd platforms"
    classes = ("collapse",)
    fieldsets = (
        (
            None,
            {
                "description": "These terms hold for what is published from now on; what is "
                "there keeps its own. “Publish on a platform”, above, shows what they cost.",
                "fields": (
                    "platform",
                    "title",
                    "description",
                    "search_words",
                    "reward_cents",
                    "layout",
                    "minutes_allowed",
                    "days_open",
                    "review_hours",
                    "countries",
                    "approval_percent",
                    "approved_count",
                    "needs_masters",
                    "screened_in",
                ),
            },
        ),
    )


class PublishPages(LinkPages):
    """The pages on which a project is published on a platform, and closed there."""

    def get_urls(self) -> list[URLPattern]:
        def page(view: Any) -> Any:
            return self.admin_site.admin_view(view)

        publish = "<int:project_id>/publish/"
        return [
            path(publish, page(self.publish_page), name="tasks_project_publish"),
            path(f"{publish}close/", page(self.close_page), name="tasks_project_close"),
            path(
                f"{publish}confirmed/",
                page(require_POST(self.publish)),
                name="tasks_project_publish_confirmed",
            ),
            *super().get_urls(),
        ]

    def publish_page(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Show terms and cost of a project on a platform, and what is there."""
        project = self._own(request, project_id)
        name = _platform(request.GET, project)
        plan, error = None, ""
        try:
            plan = offers.plan(project, name)
        except (PlatformError, TaskError) as refusal:
            error = str(refusal)
        listings = _listings(project, name)
        context = self._context(request, project, f"Publish {project}") | {
            "platform": name,
            "platform_label": CROWD_PLATFORMS[name],
            "platforms": CROWD_PLATFORMS,
            "plan": plan,
            "excluded": [str(other) for other in project.excluded_projects.all()],
            "error": error,
            "listings": listings,
            "is_running": any(one.state in _RUNNING for one in listings),
            "may_publish": request.user.has_perm(MAY_PUBLISH),
            "may_close": request.user.has_perm(MAY_CLOSE),
        }
        return render(request, "admin/tasks/project/publish.html", context)

    def publish(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Publish what was shown; where it costs something else by now, show it again."""
        project = self._own(request, project_id)
        if not request.user.has_perm(MAY_PUBLISH):
            raise PermissionDenied
        name = _platform(request.POST, project)
        label = CROWD_PLATFORMS[name]
        try:
            plan = offers.plan(project, name)
            shown = (request.POST.get("mode"), request.POST.get("total_cents"))
            if shown != (plan.mode, str(plan.chosen.total_cents)):
                text = (
                    "Nothing was published: what it costs, or the market, has changed since the "
                    "page was shown. Look again."
                )
                self.message_user(request, text, messages.WARNING)
                return _back(project, name)
            made = publishing.publish(project, name)
        except (PlatformError, TaskError) as error:
            text = f"Not everything was published on {label}: {error}."
            self.message_user(request, text, messages.ERROR)
            return _back(project, name)
        text = f"On {label} ({plan.mode}): {_made(made)}."
        self.message_user(request, text, messages.SUCCESS)
        self.log_change(request, project, text)
        return _back(project, name)

    def close_page(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """Ask whether to close what a project has on a platform; close it once that was said."""
        project = self._own(request, project_id)
        if not request.user.has_perm(MAY_CLOSE):
            raise PermissionDenied
        name = _platform(request.POST if request.method == "POST" else request.GET, project)
        if request.method == "POST":
            self._close(request, project, name)
            return _back(project, name)
        context = self._context(request, project, f"Close on {CROWD_PLATFORMS[name]}?") | {
            "platform": name,
            "platform_label": CROWD_PLATFORMS[name],
            "listings": [one for one in _listings(project, name) if one.state in _RUNNING],
        }
        return render(request, "admin/tasks/project/close.html", context)

    def _close(self, request: HttpRequest, project: Project, name: str) -> None:
        label = CROWD_PLATFORMS[name]
        try:
            closed = publishing.close(project, name)
        except (PlatformError, TaskError) as error:
            text = f"Not everything was closed on {label}: {error}."
            self.message_user(request, text, messages.ERROR)
            return
        text = f"{count(len(closed), 'listing')} closed on {label}: nobody can take a place now."
        self.message_user(request, text, messages.SUCCESS)
        self.log_change(request, project, text)


_RUNNING = {ListingState.PLANNED, ListingState.OPEN}


def _platform(asked: Any, project: Project) -> str:
    """Return the platform that was asked for, else one that the project has terms for."""
    name = asked.get("platform")
    if name is None:
        first = project.offers.order_by("platform").values_list("platform", flat=True).first()
        return first or next(iter(CROWD_PLATFORMS))
    if name not in CROWD_PLATFORMS:
        raise Http404
    return str(name)


def _listings(project: Project, name: str) -> list[Listing]:
    found = Listing.objects.filter(hit__project=project, platform=name)
    return list(found.select_related("hit__project"))


def _back(project: Project, name: str) -> HttpResponse:
    page = reverse("admin:tasks_project_publish", args=[project.pk])
    return redirect(f"{page}?platform={name}")


def _made(listings: list[Listing]) -> str:
    if not listings:
        return "nothing was missing, so nothing was made"
    cents = sum(one.cost_cents for one in listings)
    places = ", ".join(f"{one.platform_id or one.key} ({one.places})" for one in listings)
    return (
        f"{count(len(listings), 'listing')} published, with places: {places}; {dollars(cents)} "
        "with fees"
    )
