"""What all charts are made of: SVG elements, in the text's own colour.

The elements are built, never written as strings, so labels cannot break out of them. A page may
restyle the parts by their class; there is no style attribute, which a page's policy would drop.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

Place = tuple[float, float]

WIDTH = 360  # user units: a pixel each on the narrowest screen
MARGIN = 14  # room for half a tick label


def percent(fraction: float) -> str:
    """Return a fraction as a percentage with one decimal and a non-breaking space."""
    return f"{100 * fraction:.1f}\u00a0%"


def picture(height: float, *, title: str, description: str, name: str = "chart") -> Element:
    """Return an empty picture with what a listener is told of it."""
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "class": name,
            "role": "img",
            "direction": "ltr",  # text anchors would swap sides on a right-to-left page
            "font-size": "13",
            "fill": "currentColor",
            "stroke-width": "1.5",
        },
    )
    SubElement(svg, "title").text = title
    SubElement(svg, "desc").text = description
    return svg


def line(
    svg: Element, name: str, start: Place, end: Place, *, opacity: str = "1", dashes: str = ""
) -> None:
    """Draw a straight line."""
    ends = {"x1": f"{start[0]}", "y1": f"{start[1]}", "x2": f"{end[0]}", "y2": f"{end[1]}"}
    ink = {"stroke": "currentColor", "stroke-opacity": opacity, "class": name}
    SubElement(svg, "line", ends | ink | _dashed(dashes))


def polyline(svg: Element, name: str, places: Sequence[Place], *, dashes: str = "") -> None:
    """Draw a line through places."""
    ink = {"stroke": "currentColor", "fill": "none", "class": name}
    SubElement(svg, "polyline", {"points": _points(places)} | ink | _dashed(dashes))


def area(svg: Element, name: str, places: Sequence[Place], *, opacity: str = "1") -> None:
    """Fill what a line through places surrounds."""
    ink = {"fill": "currentColor", "fill-opacity": opacity, "stroke": "none", "class": name}
    SubElement(svg, "polygon", {"points": _points(places)} | ink)


def mark(svg: Element, name: str, place: Place, *, shape: str, size: float, filled: bool) -> None:
    """Draw a dot, a square, a triangle or a diamond around a place, `size` from it at most."""
    x, y = place
    ink = {"class": name, "stroke": "currentColor", "fill": "currentColor" if filled else "none"}
    if shape == "dot":
        SubElement(svg, "circle", {"cx": f"{x}", "cy": f"{y}", "r": f"{size}"} | ink)
        return
    corners: dict[str, list[Place]] = {
        "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        "triangle": [(0, -1), (1, 0.8), (-1, 0.8)],
        "diamond": [(0, -1.1), (1.1, 0), (0, 1.1), (-1.1, 0)],
    }
    places = [(round(x + dx * size, 1), round(y + dy * size, 1)) for dx, dy in corners[shape]]
    SubElement(svg, "polygon", {"points": _points(places)} | ink)


def text(
    svg: Element,
    name: str,
    words: str,
    place: Place,
    *,
    anchor: str = "start",
    size: str = "13",
    weight: str = "normal",
) -> None:
    """Write words at a place."""
    style = {"text-anchor": anchor, "font-size": size, "font-weight": weight, "class": name}
    SubElement(svg, "text", {"x": f"{place[0]}", "y": f"{place[1]}"} | style).text = words


def _points(places: Sequence[Place]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)


def _dashed(dashes: str) -> dict[str, str]:
    return {"stroke-dasharray": dashes} if dashes else {}
