from xml.etree import ElementTree

import pytest

from models_ml.core.line_charts import Level, Line, LinePoint, line_chart
from tests.models_ml.test_charts import SVG, parts, places

CLIME = Line("CLIME", (LinePoint(10, 0.70, 0.69, 0.71), LinePoint(20, 0.76), LinePoint(40, 0.78)))
ACTIVE = Line("Active", (LinePoint(10, 0.71), LinePoint(40, 0.72)))


def drawn(*lines, **options):
    return line_chart(lines or [CLIME], "Accuracy", counted="keywords", **options)


def points(element):
    return [tuple(map(float, place.split(","))) for place in element.get("points").split()]


def way(chart, number=1):
    lines = parts(chart, f"chart-line chart-line-{number}")
    return next(points(e) for e in lines if e.get("points"))


def test_a_line_goes_right_by_the_count_and_up_by_the_accuracy():
    (x1, y1), (x2, y2), (x3, y3) = way(drawn())
    assert x3 - x2 == pytest.approx(2 * (x2 - x1), abs=0.2)  # places are rounded to a tenth
    assert y1 - y2 == pytest.approx(3 * (y2 - y3), abs=0.3)


def test_a_mark_and_a_tick_of_one_count_stand_at_one_place():
    chart = drawn()
    ticks = {e.text: float(e.get("x")) for e in parts(chart, "chart-tick")}
    assert [ticks["10"], ticks["20"], ticks["40"]] == [x for x, _ in way(chart)]


def test_the_band_surrounds_what_has_an_interval():
    line = Line("CLIME", (LinePoint(1, 0.5, 0.4, 0.6), LinePoint(2, 0.6, 0.5, 0.7)))
    [band] = parts(drawn(line), "chart-band chart-line-1")
    (x1, high), _, _, (x4, low) = points(band)
    [(x, mean), _] = way(drawn(line))
    assert x1 == x == x4
    assert high < mean < low  # SVG counts downwards


def test_lines_differ_by_mark_and_dashes_without_colour():
    chart = drawn(CLIME, ACTIVE)
    dashes = {
        e.get("stroke-dasharray")
        for n in (1, 2)
        for e in parts(chart, f"chart-line chart-line-{n}")
    }
    assert len(dashes) == 2
    shapes = [{e.tag for e in parts(chart, f"chart-mark chart-mark-{n}")} for n in (1, 2)]
    assert shapes == [{f"{SVG}circle"}, {f"{SVG}polygon"}]
    assert "style=" not in chart


def test_a_level_goes_all_across_and_a_stop_stands_at_its_count():
    chart = drawn(levels=[Level("Base", 0.7)], stop=20)
    level = parts(chart, "chart-level")[0]
    assert float(level.get("y1")) == way(chart)[0][1]  # CLIME begins where Base is
    assert places(chart, "chart-stop", "x1") == [way(chart)[1][0]]


def test_one_point_alone_is_drawn():
    chart = drawn(Line("CLIME", (LinePoint(1, 0.8, 0.79, 0.81),)))
    assert len(parts(chart, "chart-mark chart-mark-1")) == 2  # and one in the legend
    assert not parts(chart, "chart-band chart-line-1")


@pytest.mark.parametrize("lines", [[], [Line("CLIME", ())], [CLIME] * 5])
def test_no_point_or_more_lines_than_marks_are_refused(lines):
    with pytest.raises(ValueError, match=f"^{len(lines)} lines with"):
        line_chart(lines, "Accuracy", counted="keywords")


def test_a_listener_is_told_each_point():
    root = ElementTree.fromstring(drawn(ACTIVE, levels=[Level("Base", 0.7)]))
    assert root.get("role") == "img"
    said = root.find(f"{SVG}desc").text.replace("\u00a0", " ")
    assert said == "Accuracy by keywords. Active: 71.0 % at 10, 72.0 % at 40; Base: 70.0 %."


def test_long_legends_stay_inside_the_picture():
    labels = ["Aligned by itself", "Active", "CLIME", "A+C"]
    chart = drawn(*(Line(label, CLIME.points) for label in labels), levels=[Level("Base", 0.7)])
    for element in parts(chart, "chart-label"):
        assert float(element.get("x")) + 8 * len(element.text) <= 360
