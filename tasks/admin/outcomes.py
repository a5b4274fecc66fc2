"""What became of a bonus that was sent, where the platform does not say: somebody looks there."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tasks.admin.reviewing import MOST_AT_A_TIME
from tasks.crowd import bonuses
from tasks.models import LedgerEntry
from tasks.services import TaskError


class OutcomeActions(admin.ModelAdmin[LedgerEntry]):
    """The actions by which somebody says what they found; each is confirmed first."""

    outcome_actions = ("was_paid", "was_not_paid")

    @admin.action(description="Bonus: found there, it was paid …", permissions=["operate"])
    def was_paid(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> Any:
        return self._note_outcome(request, queryset, was_paid=True)

    @admin.action(description="Bonus: not found there, not paid …", permissions=["operate"])
    def was_not_paid(self, request: HttpRequest, queryset: QuerySet[LedgerEntry]) -> Any:
        return self._note_outcome(request, queryset, was_paid=False)

    def _note_outcome(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry], *, was_paid: bool
    ) -> HttpResponse | None:
        chosen = list(queryset.select_related("project").order_by("pk")[:MOST_AT_A_TIME])
        if "confirmed" in request.POST:
            for entry in chosen:
                try:
                    bonuses.note_outcome(entry, was_paid=was_paid, by=cast(User, request.user))
                except TaskError as error:
                    self.message_user(request, f"{error}.", messages.ERROR)
                else:
                    text = f"{entry}: {'paid' if was_paid else 'not paid'}."
                    self.message_user(request, text, messages.SUCCESS)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Were these bonuses paid?" if was_paid else "Were these bonuses not paid?",
            "opts": self.opts,
            "entries": chosen,
            "was_paid": was_paid,
            "action": request.POST.get("action"),
            "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/tasks/ledgerentry/outcome.html", context)
