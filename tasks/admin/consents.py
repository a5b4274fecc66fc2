"""Admin page of the texts that annotators agreed to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from models_ml.admin import ReadOnlyAdmin, link
from tasks.models import ConsentVersion

SHOWN_LETTERS = 80


@admin.register(ConsentVersion)
class ConsentVersionAdmin(ReadOnlyAdmin[ConsentVersion]):
    list_display = ("__str__", "begins", "agreed", "made_at")
    list_filter = ("project", "made_at")
    list_select_related = ("project",)
    search_fields = ("project__name", "project__slug", "consent", "privacy")
    readonly_fields = ("agreed",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsentVersion]:
        return super().get_queryset(request).annotate(_sessions=Count("sessions"))

    @admin.display(description="consent text")
    def begins(self, version: ConsentVersion) -> str:
        return Truncator(version.consent).chars(SHOWN_LETTERS)

    @admin.display(description="sessions that agreed", ordering="_sessions")
    def agreed(self, version: Any) -> str:
        query = f"?consent__id__exact={version.pk}"
        return link("admin:annotation_session_changelist", version._sessions, query=query)
