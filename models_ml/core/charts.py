"""Accuracies and their intervals as inline SVG: one row each.

Legible at phone width, in black and white, and on a dark page: every colour is the text's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from models_ml.core.axes import Axis
from models_ml.core.drawing import MARGIN, WIDTH, line, percent, picture, text

__all__ = ["ChartRow", "interval_chart", "percent"]

TEXT_HEIGHT = 18
TRACK_HEIGHT = 22
ROW_GAP = 10
AXIS_HEIGHT = 18


@dataclass(frozen=True)
class ChartRow:
    """One line of a chart: a mean and its 95 % interval, as fractions; None without one."""

    label: str
    mean: float
    low: float | None = None
    high: float | None = None
    note: str = ""


def interval_chart(rows: Sequence[ChartRow], title: str) -> str:
    """Return an SVG element: for each row a dot at its mean and whiskers over its interval.

    The axis is in percent and need not begin at 0, so the lengths of bars would mislead.
    """
    values = [value for row in rows for value in _values(row)]
    axis = Axis.of_percents(values, start=MARGIN, end=WIDTH - MARGIN)
    height = sum(_row_height(row) for row in rows) + AXIS_HEIGHT
    description = "; ".join(_in_words(row) for row in rows) + "."
    svg = picture(height, title=title, description=description)
    top = 0
    for row in rows:
        _draw_row(svg, row, axis, top)
        top += _row_height(row)
    for tick in axis.ticks():
        place = (axis.place(tick), top + 12)
        text(svg, "chart-tick", f"{tick}\u00a0%", place, anchor="middle", size="11")
    return tostring(svg, encoding="unicode")


def _values(row: ChartRow) -> list[float]:
    return [value for value in (row.low, row.mean, row.high) if value is not None]


def _row_height(row: ChartRow) -> int:
    return TEXT_HEIGHT * (2 if row.note else 1) + TRACK_HEIGHT + ROW_GAP


def _in_words(row: ChartRow) -> str:
    words = f"{row.label}: {percent(row.mean)}"
    if row.low is not None and row.high is not None:
        words += f", 95\u00a0% interval {percent(row.low)} to {percent(row.high)}"
    return f"{words}, {row.note}" if row.note else words


def _draw_row(svg: Element, row: ChartRow, axis: Axis, top: int) -> None:
    text(svg, "chart-label", row.label, (0, top + 14))
    text(svg, "chart-value", percent(row.mean), (WIDTH, top + 14), anchor="end", weight="bold")
    if row.note:
        text(svg, "chart-note", row.note, (0, top + 14 + TEXT_HEIGHT), size="11")
    end = top + _row_height(row) - ROW_GAP
    for tick in axis.ticks():
        x = axis.place(tick)
        line(svg, "chart-grid", (x, end - TRACK_HEIGHT), (x, end), opacity="0.25")
    _draw_interval(svg, row, axis, end - TRACK_HEIGHT / 2)


def _draw_interval(svg: Element, row: ChartRow, axis: Axis, y: float) -> None:
    if row.low is not None and row.high is not None:
        low, high = axis.place(100 * row.low), axis.place(100 * row.high)
        line(svg, "chart-interval", (low, y), (high, y))
        for x in (low, high):
            line(svg, "chart-interval", (x, y - 7), (x, y + 7))
    dot = {"cx": f"{axis.place(100 * row.mean)}", "cy": f"{y}", "r": "4", "class": "chart-dot"}
    SubElement(svg, "circle", dot)
