"""The page that lists what does not fit between us and a platform, and mends it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse

from models_ml.admin import ReadOnlyAdmin
from tasks.admin.publishing import CROWD_PLATFORMS
from tasks.crowd.mending import mend_all
from tasks.crowd.reconciling import Finding, compare
from tasks.models import Listing
from tasks.platforms import PlatformError

ALL = "all"


class ReconcilePages(ReadOnlyAdmin[Listing]):
    """The page of a comparison, beside the list of listings."""

    change_list_template = "admin/tasks/listing/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        page: Any = self.admin_site.admin_view(self.reconcile_page)
        return [path("reconcile/", page, name="tasks_listing_reconcile"), *super().get_urls()]

    def reconcile_page(self, request: HttpRequest) -> HttpResponse:
        """Show what does not fit; mend what was asked for, as it is found now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.POST if request.method == "POST" else request.GET
        name = _platform(asked.get("platform"))
        if request.method == "POST":
            if not self.has_operate_permission(request):
                raise PermissionDenied
            self._mend(request, name, asked.get("finding", ""))
            page = reverse("admin:tasks_listing_reconcile")
            return redirect(f"{page}?platform={name}")
        told, error = None, ""
        try:
            told = compare(name)
        except PlatformError as refusal:
            error = str(refusal)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Reconcile with {CROWD_PLATFORMS[name]}",
            "opts": self.opts,
            "platform": name,
            "platform_label": CROWD_PLATFORMS[name],
            "platforms": CROWD_PLATFORMS,
            "told": told,
            "error": error,
            "may_mend": self.has_operate_permission(request),
            "mendable": sum(bool(one.mending) for one in told.findings) if told else 0,
        }
        return render(request, "admin/tasks/listing/reconcile.html", context)

    def _mend(self, request: HttpRequest, name: str, key: str) -> None:
        try:
            findings = [one for one in compare(name).findings if _is_asked(one, key)]
        except PlatformError as error:
            self.message_user(request, f"Nothing was mended: {error}.", messages.ERROR)
            return
        if not findings:
            text = "There was nothing to mend: it fits by now."
            self.message_user(request, text, messages.WARNING)
        for finding, said, is_mended in mend_all(findings, by=request.user):
            if is_mended:
                self.message_user(request, f"Mended: {said}.", messages.SUCCESS)
                if finding.listing:
                    self.log_change(request, finding.listing, f"Reconciled: {said}.")
            else:
                text = f"Not mended: {finding.sentence}: {said}."
                self.message_user(request, text, messages.ERROR)


def _is_asked(finding: Finding, key: str) -> bool:
    return bool(finding.mending) and key in {ALL, finding.key}


def _platform(name: str | None) -> str:
    if name is None:
        return next(iter(CROWD_PLATFORMS))
    if name not in CROWD_PLATFORMS:
        raise Http404
    return name
