"""The pictures of report pages; None where there is nothing to draw yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from annotation.reporting.people import AnnotatorReport
from annotation.reporting.projects import ProjectReport
from annotation.reporting.sessions import SessionReport
from models_ml.core.charts import ChartRow, interval_chart
from models_ml.core.findings import KeywordMap, MapWord
from models_ml.core.line_charts import Level, Line, LinePoint, line_chart
from models_ml.core.word_maps import word_map
from models_ml.models import Arm
from models_ml.reports import ArmResult
from models_ml.results import CurveResult


@dataclass(frozen=True)
class CurveRow:
    """A point of a learning curve, as its table shows it."""

    keywords: int
    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True)
class DrawnMap:
    """A keyword's map with the words in it."""

    keyword: str
    chart: SafeString
    words: tuple[MapWord, ...]


def session_chart(report: SessionReport) -> SafeString | None:
    """Return every arm of a session."""
    what = "Estimated accuracy" if report.is_estimated else "Accuracy"
    return arms_chart(report.arms, f"{what} of {report.annotator}, session {report.number}")


def arms_chart(arms: Iterable[ArmResult], title: str) -> SafeString | None:
    """Return a row for each arm that is finished."""
    return _intervals([_row(arm.label, arm) for arm in arms], title)


def project_chart(report: ProjectReport) -> SafeString | None:
    """Return Base, every session's best informed arm, and the consensus."""
    rows = [_row(report.base.label, report.base)] if report.base else []
    for session in report.sessions:
        if arm := session.best_informed:
            label = f"{session.annotator}, session {session.number}"
            rows.append(_row(label, arm, note=arm.label))
    return _intervals(rows, f"Accuracy of every session of {report.name}")


def people_chart(report: ProjectReport) -> SafeString | None:
    """Return the means over people, between Base and the consensus."""
    rows = [_row(report.base.label, report.base)] if report.base else []
    for arm in report.people:
        note = f"mean of {arm.people} people" if arm.people > 1 else "one person"
        rows.append(ChartRow(arm.label, arm.mean, arm.low, arm.high, note=note))
    if report.consensus:
        notes = {Arm.ALIGNED: "asks nobody"}
        rows += [
            _row(arm.label, arm, note=notes.get(Arm(arm.arm), "consensus of all"))
            for arm in report.consensus.arms
            if not arm.is_base
        ]
    if not report.people and not report.consensus:
        return None
    return _intervals(rows, f"Accuracy over people and of the consensus of {report.name}")


def curve_rows(curve: Sequence[CurveResult], arms: Iterable[ArmResult], end: int) -> list[CurveRow]:
    """Return the finished points of a learning curve; CLIME itself is its end.

    end: how many keywords CLIME learned from.
    """
    rows = [
        CurveRow(point.keywords, point.mean, point.low, point.high, point.seeds)
        for point in curve
        if point.mean is not None
    ]
    clime = next((arm for arm in arms if arm.arm == Arm.CLIME), None)
    if clime and clime.mean is not None and curve and end > max(p.keywords for p in curve):
        rows.append(CurveRow(end, clime.mean, clime.low, clime.high, clime.seeds))
    return rows


def curve_chart(
    rows: Sequence[CurveRow], arms: Iterable[ArmResult], findings: Mapping[str, Any], title: str
) -> SafeString | None:
    """Return accuracy against the number of keywords (Figure 4)."""
    if not rows:
        return None
    points = tuple(LinePoint(row.keywords, row.mean, row.low, row.high) for row in rows)
    base = next((arm for arm in arms if arm.is_base and arm.mean is not None), None)
    levels = [Level(base.label, base.mean)] if base and base.mean is not None else []
    return _safe(
        line_chart(
            [Line(str(Arm.CLIME.label), points)],
            title,
            counted="number of keywords, the first asked first",
            levels=levels,
            stop=findings.get("curve_end"),
        )
    )


def annotator_chart(report: AnnotatorReport) -> SafeString | None:
    """Return a person's accuracy by session (Figure 6)."""
    lines = []
    for name in (Arm.CLIME, Arm.ACTIVE, Arm.ACTIVE_CLIME):
        arms = [(session.number, session.arm(name)) for session in report.sessions]
        points = tuple(
            LinePoint(number, arm.mean, arm.low, arm.high)
            for number, arm in arms
            if arm and arm.mean is not None
        )
        if points:
            lines.append(Line(str(name.label), points))
    base = report.base
    if not lines:
        return None
    levels = [Level(base.label, base.mean)] if base and base.mean is not None else []
    title = f"Accuracy of {report.annotator} by session"
    return _safe(line_chart(lines, title, counted="session", levels=levels))


def maps(findings: Mapping[str, Any]) -> list[DrawnMap]:
    """Return the map of each keyword that a report drew one of (Figure 5)."""
    drawn = []
    for data in findings.get("maps", ()):
        words = tuple(_map_word(word) for word in data["words"])
        if words:
            one = KeywordMap(data["keyword"], data["method"], words)
            title = f"Neighbourhood of {one.keyword} before and after"
            drawn.append(DrawnMap(one.keyword, _safe(word_map(one, title)), words))
    return drawn


def _map_word(data: Mapping[str, Any]) -> MapWord:
    before, after = (tuple(map(float, data[end])) for end in ("before", "after"))
    return MapWord(
        data["word"], data["side"], data["verdict"], (before[0], before[1]), (after[0], after[1])
    )


def _row(label: str, arm: ArmResult, note: str = "") -> ChartRow | None:
    if arm.mean is None:
        return None
    return ChartRow(label=label, mean=arm.mean, low=arm.low, high=arm.high, note=note)


def _intervals(rows: Iterable[ChartRow | None], title: str) -> SafeString | None:
    finished = [row for row in rows if row]
    return _safe(interval_chart(finished, title)) if finished else None


def _safe(chart: str) -> SafeString:
    # Charts are built as elements, which escape their labels.
    return mark_safe(chart)  # noqa: S308
