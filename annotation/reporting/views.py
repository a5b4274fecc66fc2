"""Report pages for project managers, each also as JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST
from rest_framework.utils.encoders import JSONEncoder

from annotation import services
from annotation.models import Annotator, Session
from annotation.reporting import charts
from annotation.reporting import words as in_words
from annotation.reporting.live_views import live_context
from annotation.reporting.people import AnnotatorReport, annotator_report
from annotation.reporting.projects import ProjectReport, project_report
from annotation.reporting.sessions import SessionReport, session_report
from annotation.reporting.tables import as_csv
from models_ml.models import Report
from models_ml.reports import ArmResult
from models_ml.reports import in_words as compared
from models_ml.results import FEWEST_LABELS, CurveResult
from models_ml.spreadsheets import BYTE_ORDER_MARK
from tasks.models import Project


@staff_member_required
def session_page(request: HttpRequest, session_id: int) -> HttpResponse:
    """Return a session's report as a page."""
    report = _of_session(session_id)
    context = {
        "report": report,
        "chart": charts.session_chart(report),
        "sentences": _comparisons(report.arms, report.findings),
        "fewest_labels": FEWEST_LABELS,
        "care": report.care,
        **_shown(report.findings, report.arms, report.curve, report.categories),
    }
    return render(request, "reports/session.html", context)


@staff_member_required
def session_json(request: HttpRequest, session_id: int) -> JsonResponse:
    """Return a session's report as JSON."""
    return _as_json(_of_session(session_id))


@staff_member_required
def session_csv(request: HttpRequest, session_id: int) -> HttpResponse:
    """Return a session's report as CSV."""
    return _as_csv(_of_session(session_id), f"session-{session_id}")


@staff_member_required
def project_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Return a project's report as a page."""
    report = _of_project(slug)
    context: dict[str, Any] = {
        "report": report,
        "chart": charts.project_chart(report),
        "agreement": report.agreement,
        "care": [session.care for session in report.sessions],
        "people_chart": charts.people_chart(report),
    }
    if report.consensus:
        shown = report.consensus
        context |= {"consensus": shown, "sentences": _comparisons(shown.arms, shown.findings)}
        context |= _shown(shown.findings, shown.arms, shown.curve, report.categories)
    context |= live_context(request, slug)
    return render(request, "reports/project.html", context)


@staff_member_required
@permission_required("annotation.change_session", raise_exception=True)
@require_POST
def exclude(request: HttpRequest, session_id: int) -> HttpResponse:
    """Leave a session out of the consensus, and lead back to where that was decided."""
    session = get_object_or_404(Session.objects.select_related("project"), pk=session_id)
    services.exclude_session(session, by=cast(User, request.user))  # staff are logged in
    return _back(request, session)


@staff_member_required
@permission_required("annotation.change_session", raise_exception=True)
@require_POST
def include(request: HttpRequest, session_id: int) -> HttpResponse:
    """Take a session back into the consensus, and lead back to where that was decided."""
    session = get_object_or_404(Session.objects.select_related("project"), pk=session_id)
    services.include_session(session)
    return _back(request, session)


def _back(request: HttpRequest, session: Session) -> HttpResponse:
    if request.POST.get("back") == "session":
        return redirect("reports:session", session.pk)
    return redirect("reports:project", session.project.slug)


@staff_member_required
def project_json(request: HttpRequest, slug: str) -> JsonResponse:
    """Return a project's report as JSON."""
    return _as_json(_of_project(slug))


@staff_member_required
def project_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """Return a project's report as CSV."""
    return _as_csv(_of_project(slug), slug)


@staff_member_required
def annotator_page(request: HttpRequest, slug: str, annotator_id: int) -> HttpResponse:
    """Return a person's report as a page."""
    report = _of_annotator(slug, annotator_id)
    context = {"report": report, "chart": charts.annotator_chart(report)}
    return render(request, "reports/annotator.html", context)


@staff_member_required
def annotator_json(request: HttpRequest, slug: str, annotator_id: int) -> JsonResponse:
    """Return a person's report as JSON."""
    return _as_json(_of_annotator(slug, annotator_id))


@staff_member_required
def annotator_csv(request: HttpRequest, slug: str, annotator_id: int) -> HttpResponse:
    """Return a person's report as CSV."""
    return _as_csv(_of_annotator(slug, annotator_id), f"{slug}-annotator-{annotator_id}")


@staff_member_required
def results_page(request: HttpRequest, report_id: int) -> HttpResponse:
    """Lead to the page that shows a report's results: its session's, or its project's."""
    report = get_object_or_404(
        Report.objects.select_related("session", "consensus__project"), pk=report_id
    )
    if session := getattr(report, "session", None):
        return redirect("reports:session", session.pk)
    if consensus := getattr(report, "consensus", None):
        return redirect("reports:project", consensus.project.slug)
    return redirect("admin:models_ml_run_changelist")


def _of_session(session_id: int) -> SessionReport:
    return session_report(get_object_or_404(Session, pk=session_id))


def _of_project(slug: str) -> ProjectReport:
    return project_report(get_object_or_404(Project, slug=slug))


def _of_annotator(slug: str, annotator_id: int) -> AnnotatorReport:
    """Return a person's report; a person without a session in the project has none."""
    project = get_object_or_404(Project, slug=slug)
    people = Annotator.objects.filter(sessions__project=project).distinct()
    return annotator_report(project, get_object_or_404(people, pk=annotator_id))


def _as_json(report: SessionReport | ProjectReport | AnnotatorReport) -> JsonResponse:
    # The encoder of the interface for programs, so that both write the same.
    return JsonResponse(asdict(report), encoder=JSONEncoder)


def _as_csv(report: SessionReport | ProjectReport | AnnotatorReport, name: str) -> HttpResponse:
    response = HttpResponse(BYTE_ORDER_MARK + as_csv(asdict(report)), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="clime-{name}.csv"'
    return response


def _comparisons(arms: Sequence[ArmResult], findings: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each finished arm but Base, with what its test says, if any."""
    base = next((arm for arm in arms if arm.is_base), None)
    if base is None:
        return []
    sentences = []
    for arm in arms:
        tested = in_words.verdict_over_seeds(findings, arm.arm)
        if not arm.is_base and (sentence := compared(arm, base, is_tested=bool(tested))):
            sentences.append(f"{sentence} {tested}".strip())
    return sentences


def _shown(
    findings: Mapping[str, Any],
    arms: Sequence[ArmResult],
    curve: Sequence[CurveResult],
    categories: Mapping[int, str],
) -> dict[str, Any]:
    """Return what a page shows of a report's findings and its curve."""
    rows = charts.curve_rows(curve, arms, len(findings.get("keywords", ())))
    title = "Accuracy against the number of keywords"
    return {
        "findings": findings,
        "tests": in_words.comparisons(findings),
        "confusions": in_words.confusion_tables(findings, categories),
        "movement": in_words.movement_in_words(findings),
        "changed": in_words.changed_texts(findings, categories),
        "maps": charts.maps(findings),
        "curve": rows,
        "curve_sentence": in_words.curve_in_words(findings, [row.keywords for row in rows]),
        "curve_chart": charts.curve_chart(rows, arms, findings, title),
    }
