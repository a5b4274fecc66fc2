"""Charts as inline SVG: legible at phone width, in black and white, and on a dark page.

Every colour is the text's own (`currentColor`), and a page may restyle the parts by their class.
The elements are built, never written as strings, so labels cannot break out of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH = 360  # user units: a pixel each on the narrowest screen
MARGIN = 14  # room for half a tick label
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


def percent(fraction: float) -> str:
    """Return a fraction as a percentage with one decimal and a non-breaking space."""
    return f"{100 * fraction:.1f}\u00a0%"


def interval_chart(rows: Sequence[ChartRow], title: str) -> str:
    """Return an SVG element: for each row a dot at its mean and whiskers over its interval.

    The axis is in percent and need not begin at 0, so the lengths of bars would mislead.
    """
    axis = _Axis.around(rows)
    height = sum(_row_height(row) for row in rows) + AXIS_HEIGHT
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "class": "chart",
            "role": "img",
            "direction": "ltr",  # text anchors would swap sides on a right-to-left page
            "font-size": "13",
            "fill": "currentColor",
            "stroke-width": "1.5",
        },
    )
    SubElement(svg, "title").text = title
    SubElement(svg, "desc").text = "; ".join(_in_words(row) for row in rows) + "."
    top = 0
    for row in rows:
        _draw_row(svg, row, axis, top)
        top += _row_height(row)
    for tick in axis.ticks():
        place = (axis.x(tick), top + 12)
        _text(svg, "chart-tick", f"{tick}\u00a0%", place, anchor="middle", size="11")
    return tostring(svg, encoding="unicode")


@dataclass(frozen=True)
class _Axis:
    """Whole percents from `low` to `high`, a grid line every `step`."""

    low: int
    high: int
    step: int

    @classmethod
    def around(cls, rows: Sequence[ChartRow]) -> _Axis:
        """Return the finest axis of at most six steps that holds all rows, within 0-100 %."""
        shown = [100 * value for row in rows for value in _values(row)] or [0.0, 100.0]
        lowest, highest = max(min(shown), 0), min(max(shown), 100)
        for step in (1, 2, 5, 10, 20):
            low = max(math.floor(lowest / step - 0.25) * step, 0)
            high = min(math.ceil(highest / step + 0.25) * step, 100)
            if high - low <= 6 * step:
                break
        return cls(low, high, step)

    def ticks(self) -> Iterator[int]:
        yield from range(self.low, self.high + 1, self.step)

    def x(self, percentage: float) -> float:
        """Return the place of a percentage, in user units; the ends hold what lies beyond."""
        share = (percentage - self.low) / (self.high - self.low)
        return round(MARGIN + min(max(share, 0), 1) * (WIDTH - 2 * MARGIN), 1)


def _values(row: ChartRow) -> list[float]:
    return [value for value in (row.low, row.mean, row.high) if value is not None]


def _row_height(row: ChartRow) -> int:
    return TEXT_HEIGHT * (2 if row.note else 1) + TRACK_HEIGHT + ROW_GAP


def _in_words(row: ChartRow) -> str:
    words = f"{row.label}: {percent(row.mean)}"
    if row.low is not None and row.high is not None:
        words += f", 95\u00a0% interval {percent(row.low)} to {percent(row.high)}"
    return f"{words}, {row.note}" if row.note else words


def _draw_row(svg: Element, row: ChartRow, axis: _Axis, top: int) -> None:
    _text(svg, "chart-label", row.label, (0, top + 14))
    _text(svg, "chart-value", percent(row.mean), (WIDTH, top + 14), anchor="end", weight="bold")
    if row.note:
        _text(svg, "chart-note", row.note, (0, top + 14 + TEXT_HEIGHT), size="11")
    end = top + _row_height(row) - ROW_GAP
    for tick in axis.ticks():
        x = axis.x(tick)
        _line(svg, "chart-grid", (x, end - TRACK_HEIGHT), (x, end), opacity="0.25")
    _draw_interval(svg, row, axis, end - TRACK_HEIGHT / 2)


def _draw_interval(svg: Element, row: ChartRow, axis: _Axis, y: float) -> None:
    if row.low is not None and row.high is not None:
        low, high = axis.x(100 * row.low), axis.x(100 * row.high)
        _line(svg, "chart-interval", (low, y), (high, y))
        for x in (low, high):
            _line(svg, "chart-interval", (x, y - 7), (x, y + 7))
    dot = {"cx": f"{axis.x(100 * row.mean)}", "cy": f"{y}", "r": "4", "class": "chart-dot"}
    SubElement(svg, "circle", dot)


def _line(
    svg: Element,
    name: str,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    opacity: str = "1",
) -> None:
    ends = {"x1": f"{start[0]}", "y1": f"{start[1]}", "x2": f"{end[0]}", "y2": f"{end[1]}"}
    ink = {"stroke": "currentColor", "stroke-opacity": opacity, "class": name}
    SubElement(svg, "line", ends | ink)


def _text(
    svg: Element,
    name: str,
    text: str,
    place: tuple[float, float],
    *,
    anchor: str = "start",
    size: str = "13",
    weight: str = "normal",
) -> None:
    style = {"text-anchor": anchor, "font-size": size, "font-weight": weight, "class": name}
    SubElement(svg, "text", {"x": f"{place[0]}", "y": f"{place[1]}"} | style).text = text
