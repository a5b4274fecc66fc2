"""The work report for invoices: a page with a choice of days, also as JSON and CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET
from rest_framework.utils.encoders import JSONEncoder

from annotation.reporting.invoices import Period, as_csv, invoice
from models_ml.spreadsheets import BYTE_ORDER_MARK
from tasks.models import Project


class PeriodForm(forms.Form):
    """Which days count."""

    first = forms.DateField(
        label="From", required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    last = forms.DateField(
        label="To, this day too",
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    unfinished = forms.BooleanField(label="Count unfinished sessions too", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first and last and first > last:
            raise forms.ValidationError("The first day comes after the last.")
        return data

    @property
    def period(self) -> Period:
        """The period that was chosen; only of a valid form."""
        data = self.cleaned_data
        return Period(data["first"], data["last"], with_unfinished=data["unfinished"])


@require_GET
@staff_member_required
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Return a project's work report as a page; 400, without figures, for days that are none."""
    project = get_object_or_404(Project, slug=slug)
    form = PeriodForm(request.GET, label_suffix="")
    is_valid = form.is_valid()
    context = {
        "form": form,
        "project": project,
        "report": invoice(project, form.period) if is_valid else None,
        "chosen": request.GET.urlencode(),
    }
    return render(request, "reports/invoice.html", context, status=200 if is_valid else 400)


@require_GET
@staff_member_required
def as_json_file(request: HttpRequest, slug: str) -> JsonResponse:
    """Return the same figures as JSON."""
    project = get_object_or_404(Project, slug=slug)
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    return JsonResponse(asdict(invoice(project, form.period)), encoder=JSONEncoder)


@require_GET
@staff_member_required
def as_csv_file(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the same figures as CSV, a person a row."""
    project = get_object_or_404(Project, slug=slug)
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return HttpResponse(form.errors.as_text(), content_type="text/plain", status=400)
    response = HttpResponse(
        BYTE_ORDER_MARK + as_csv(invoice(project, form.period)), content_type="text/csv"
    )
    response["Content-Disposition"] = f'attachment; filename="clime-{slug}-work.csv"'
    return response
