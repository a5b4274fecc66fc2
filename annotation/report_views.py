"""Report pages for project managers."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import SafeString, mark_safe
from rest_framework.utils.encoders import JSONEncoder

from annotation.live_views import live_context
from annotation.models import Session
from annotation.reports import ProjectReport, SessionReport, project_report, session_report
from models_ml.core.charts import ChartRow, interval_chart
from models_ml.reports import ArmResult, in_words
from tasks.models import Project


@staff_member_required
def session_page(request: HttpRequest, session_id: int) -> HttpResponse:
    """Return a session's report as a page."""
    report = session_report(get_object_or_404(Session, pk=session_id))
    context = {"report": report, "chart": _session_chart(report), "findings": _findings(report)}
    return render(request, "reports/session.html", context)


@staff_member_required
def session_json(request: HttpRequest, session_id: int) -> JsonResponse:
    """Return a session's report as JSON."""
    return _as_json(session_report(get_object_or_404(Session, pk=session_id)))


@staff_member_required
def project_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Return a project's report as a page."""
    report = project_report(get_object_or_404(Project, slug=slug))
    context = {"report": report, "chart": _project_chart(report)}
    context |= live_context(request, slug)
    return render(request, "reports/project.html", context)


@staff_member_required
def project_json(request: HttpRequest, slug: str) -> JsonResponse:
    """Return a project's report as JSON."""
    return _as_json(project_report(get_object_or_404(Project, slug=slug)))


def _as_json(report: SessionReport | ProjectReport) -> JsonResponse:
    # The encoder of the interface for programs, so that both write the same.
    return JsonResponse(asdict(report), encoder=JSONEncoder)


def _findings(report: SessionReport) -> list[str]:
    base = report.base
    if base is None:
        return []
    sentences = [in_words(arm, base) for arm in report.arms if not arm.is_base]
    return [sentence for sentence in sentences if sentence]


def _session_chart(report: SessionReport) -> SafeString | None:
    rows = [_chart_row(arm.label, arm) for arm in report.arms]
    return _chart(rows, f"Accuracy of {report.annotator}, session {report.number}")


def _project_chart(report: ProjectReport) -> SafeString | None:
    rows = [_chart_row(report.base.label, report.base)] if report.base else []
    for session in report.sessions:
        if arm := session.best_informed:
            label = f"{session.annotator}, session {session.number}"
            rows.append(_chart_row(label, arm, note=arm.label))
    return _chart(rows, f"Accuracy of every session of {report.name}")


def _chart_row(label: str, arm: ArmResult, note: str = "") -> ChartRow | None:
    if arm.mean is None:
        return None
    return ChartRow(label=label, mean=arm.mean, low=arm.low, high=arm.high, note=note)


def _chart(rows: list[ChartRow | None], title: str) -> SafeString | None:
    """Return a chart of the finished rows, or None where nothing is finished."""
    finished = [row for row in rows if row]
    # The chart is built as elements, which escape their labels.
    return mark_safe(interval_chart(finished, title)) if finished else None  # noqa: S308
