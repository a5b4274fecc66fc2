"""Accuracy against a count as inline SVG: lines, with the band of their intervals behind.

Lines differ by their marks and dashes, and only then by colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from models_ml.core.axes import Axis
from models_ml.core.drawing import MARGIN, WIDTH, area, line, mark, percent, picture, polyline, text

PLOT_HEIGHT = 180
LEFT = 44  # room for "100 %"
LEGEND_ROW = 20
AXIS_ROWS = 38  # numbers, then what they count

_SHAPES = ("dot", "square", "triangle", "diamond")
_DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class LinePoint:
    """A mean and its 95 % interval, as fractions, at a count."""

    x: int
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """Points that belong together, in the order of their counts."""

    label: str
    points: tuple[LinePoint, ...]


@dataclass(frozen=True)
class Level:
    """An accuracy that does not depend on the count: a line all across."""

    label: str
    mean: float


def line_chart(
    lines: Sequence[Line],
    title: str,
    *,
    counted: str,
    levels: Sequence[Level] = (),
    stop: int | None = None,
) -> str:
    """Return an SVG element. counted: what the x axis counts. stop: a count to point out.

    Raises ValueError where there is no point at all, or more lines than can be told apart.
    """
    points = [point for each in lines for point in each.points]
    if not points or len(lines) > len(_SHAPES):
        raise ValueError(f"{len(lines)} lines with {len(points)} points")
    legend = list(_legend_rows([*(each.label for each in lines), *(at.label for at in levels)]))
    top = LEGEND_ROW * (legend[-1][1] + 1) + 6
    bottom = top + PLOT_HEIGHT
    values = [value for point in points for value in _values(point)] + [at.mean for at in levels]
    y = Axis.of_percents(values, start=bottom, end=top)
    counts = [point.x for point in points]
    x = Axis.of_counts(counts, start=LEFT + 6, end=WIDTH - MARGIN)
    svg = picture(bottom + AXIS_ROWS, title=title, description=_in_words(lines, levels, counted))
    _draw_axes(svg, x, y, counted)
    if stop is not None:
        line(svg, "chart-stop", (x.place(stop), top), (x.place(stop), bottom), dashes="1 3")
    for at in levels:
        height = y.place(100 * at.mean)
        line(svg, "chart-level", (LEFT, height), (WIDTH - MARGIN, height), dashes="10 4")
    for number, each in enumerate(lines):
        _draw_line(svg, each, number, x, y)
    _draw_legend(svg, legend, len(lines))
    return tostring(svg, encoding="unicode")


def _values(point: LinePoint) -> list[float]:
    return [value for value in (point.low, point.mean, point.high) if value is not None]


def _in_words(lines: Sequence[Line], levels: Sequence[Level], counted: str) -> str:
    said = [
        f"{each.label}: "
        + ", ".join(f"{percent(point.mean)} at {point.x}" for point in each.points)
        for each in lines
    ]
    said += [f"{at.label}: {percent(at.mean)}" for at in levels]
    return f"Accuracy by {counted}. " + "; ".join(said) + "."


def _legend_rows(labels: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each label with its row and its x; a row ends where the next would not fit."""
    row, x = 0, LEFT
    for label in labels:
        width = 34 + 8 * len(label)
        if x > LEFT and x + width > WIDTH:
            row, x = row + 1, LEFT
        yield label, row, x
        x += width + 8


def _draw_legend(svg: Element, legend: Sequence[tuple[str, int, int]], lines: int) -> None:
    for number, (label, row, x) in enumerate(legend):
        y = LEGEND_ROW * row + 10
        if number < lines:
            name = f"chart-line chart-line-{number + 1}"
            line(svg, name, (x, y), (x + 26, y), dashes=_DASHES[number])
            _draw_mark(svg, number, (x + 13, y))
        else:
            line(svg, "chart-level", (x, y), (x + 26, y), dashes="10 4")
        text(svg, "chart-label", label, (x + 32, y + 4), size="12")


def _draw_mark(svg: Element, number: int, place: tuple[float, float]) -> None:
    name = f"chart-mark chart-mark-{number + 1}"
    mark(svg, name, place, shape=_SHAPES[number], size=4, filled=True)


def _draw_axes(svg: Element, x: Axis, y: Axis, counted: str) -> None:
    for tick in y.ticks():
        height = y.place(tick)
        line(svg, "chart-grid", (LEFT, height), (WIDTH - MARGIN, height), opacity="0.25")
        text(svg, "chart-tick", f"{tick}\u00a0%", (LEFT - 6, height + 4), anchor="end", size="11")
    for tick in x.ticks():
        place = (x.place(tick), y.start + 16)
        text(svg, "chart-tick", f"{tick}", place, anchor="middle", size="11")
    middle = ((LEFT + WIDTH - MARGIN) / 2, y.start + 33)
    text(svg, "chart-note", counted, middle, anchor="middle", size="11")


def _draw_line(svg: Element, each: Line, number: int, x: Axis, y: Axis) -> None:
    band = [point for point in each.points if point.low is not None and point.high is not None]
    above = [(x.place(point.x), y.place(100 * (point.high or 0))) for point in band]
    below = [(x.place(point.x), y.place(100 * (point.low or 0))) for point in band]
    name = f"chart-line-{number + 1}"
    if len(band) > 1:
        area(svg, f"chart-band {name}", [*above, *reversed(below)], opacity="0.12")
    elif band:
        line(svg, f"chart-line {name}", above[0], below[0])
    places = [(x.place(point.x), y.place(100 * point.mean)) for point in each.points]
    polyline(svg, f"chart-line {name}", places, dashes=_DASHES[number])
    for place in places:
        _draw_mark(svg, number, place)
