import re
from xml.etree import ElementTree

import pytest

from models_ml.core.charts import ChartRow, interval_chart, percent

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    ChartRow("Base", 0.758, 0.751, 0.765),
    ChartRow("CLIME", 0.781, 0.773, 0.789, note="210 judgements"),
]


def parts(chart: str, name: str) -> list[ElementTree.Element]:
    """Return the elements of a class, in the order of the drawing."""
    return [e for e in ElementTree.fromstring(chart).iter() if e.get("class") == name]


def places(chart: str, name: str, attribute: str) -> list[float]:
    return [float(element.get(attribute)) for element in parts(chart, name)]


def test_each_dot_stands_inside_its_whiskers_and_a_higher_mean_further_right():
    chart = interval_chart(ROWS, "Accuracy")
    base, clime = places(chart, "chart-dot", "cx")
    lines = parts(chart, "chart-interval")
    spans = [(float(e.get("x1")), float(e.get("x2"))) for e in lines if e.get("x1") != e.get("x2")]
    assert base < clime
    assert spans[0][0] < base < spans[0][1]
    assert spans[1][0] < clime < spans[1][1]


def test_places_are_proportional_to_percentages():
    rows = [ChartRow("a", 0.60), ChartRow("b", 0.65), ChartRow("c", 0.75)]
    a, b, c = places(interval_chart(rows, "Accuracy"), "chart-dot", "cx")
    assert c - b == pytest.approx(2 * (b - a), abs=0.2)  # places are rounded to a tenth


def test_a_grid_line_stands_at_its_percentage():
    chart = interval_chart([ChartRow("a", 0.70), ChartRow("b", 0.78)], "Accuracy")
    ticks = {e.text: float(e.get("x")) for e in parts(chart, "chart-tick")}
    assert ticks["70\u00a0%"] == places(chart, "chart-dot", "cx")[0]
    assert ticks["78\u00a0%"] == places(chart, "chart-dot", "cx")[1]


def test_a_row_without_an_interval_has_a_dot_alone():
    chart = interval_chart([ChartRow("one seed", 0.8)], "Accuracy")
    assert len(parts(chart, "chart-dot")) == 1
    assert not parts(chart, "chart-interval")


@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0])
def test_everything_drawn_lies_inside_the_picture(mean):
    chart = interval_chart([ChartRow("a", mean, mean - 0.1, mean + 0.1)], "Accuracy")
    width, height = (float(n) for n in ElementTree.fromstring(chart).get("viewBox").split()[2:])
    for element in ElementTree.fromstring(chart).iter():
        for attribute, limit in (("x", width), ("x1", width), ("x2", width), ("cx", width)):
            assert 0 <= float(element.get(attribute, 0)) <= limit
        for attribute in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(attribute, 0)) <= height


def test_a_listener_is_told_what_a_viewer_sees():
    root = ElementTree.fromstring(interval_chart(ROWS, "Accuracy on the test documents"))
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "Accuracy on the test documents"
    said = root.find(f"{SVG}desc").text.replace("\u00a0", " ")
    assert said == (
        "Base: 75.8 %, 95 % interval 75.1 % to 76.5 %; "
        "CLIME: 78.1 %, 95 % interval 77.3 % to 78.9 %, 210 judgements."
    )


def test_labels_are_text_whatever_they_hold():
    evil = "<script>alert('&')</script>"
    chart = interval_chart([ChartRow(evil, 0.5, note=evil)], evil)
    assert "<script" not in chart
    assert [e.text for e in parts(chart, "chart-label")] == [evil]


def test_no_colour_is_fixed():
    chart = interval_chart(ROWS, "Accuracy")
    colours = re.findall(r'(?:fill|stroke)="([^"]*)"', chart)
    assert set(colours) == {"currentColor"}
    assert "style=" not in chart  # a content security policy would drop it


def test_percent_has_one_decimal():
    assert percent(0.7575) == "75.8\u00a0%"
