import math
from xml.etree import ElementTree

import pytest

from models_ml.core.findings import KeywordMap, MapWord
from models_ml.core.word_maps import HEIGHT, WIDTH, word_map
from tests.models_ml.test_charts import SVG, parts

NURSE = MapWord("nurse", "source", "keyword", (0.0, 0.0), (0.0, 0.0))
NEARER = MapWord("muuguzi", "target", "accept", (8.0, 0.0), (2.0, 0.0))
FARTHER = MapWord("soko", "target", "reject", (1.0, 1.0), (-8.0, -6.0))
NEAR = MapWord("medicine", "source", "", (-1.0, 4.0), (-1.0, 4.0))


def drawn(*words):
    return word_map(KeywordMap("nurse", "tsne", words or (NURSE, NEARER, FARTHER, NEAR)), "Map")


def in_map(chart, name):
    """Return the elements of a class but those of the legend."""
    return [
        e
        for e in parts(chart, name)
        if float(e.get("cy") or e.get("y1") or e.get("points", "0,0").split()[0].split(",")[1])
        <= HEIGHT
    ]


def test_an_arrow_goes_from_where_a_word_was_to_where_it_is():
    ways = [
        [(float(e.get("x1")), float(e.get("y1"))), (float(e.get("x2")), float(e.get("y2")))]
        for e in in_map(drawn(), "map-way")
    ]
    start, end = max(ways, key=lambda way: math.dist(*way))  # that of "soko", 11.4 long
    assert end[0] < start[0]
    assert end[1] > start[1]  # SVG counts downwards
    heads = [way for way in ways if math.dist(*way) == pytest.approx(5.6, abs=0.3)]
    assert len(heads) == 4  # two strokes for each word that moved


def test_both_axes_have_one_scale():
    chart = drawn(
        NURSE,
        MapWord("a", "target", "accept", (0, 0), (5, 0)),
        MapWord("b", "target", "accept", (0, 0), (0, 5)),
    )
    lengths = [
        math.hypot(float(e.get("x1")) - float(e.get("x2")), float(e.get("y1")) - float(e.get("y2")))
        for e in in_map(chart, "map-way")
    ]
    long = [length for length in lengths if length > 50]
    assert long[0] == pytest.approx(long[1], abs=0.2)


def test_shape_tells_the_language_and_filling_the_verdict():
    chart = drawn()
    [accepted], [rejected], [keyword] = (
        in_map(chart, f"map-mark map-{name}") for name in ("accept", "reject", "keyword")
    )
    assert (accepted.tag, accepted.get("fill")) == (f"{SVG}polygon", "currentColor")
    assert (rejected.tag, rejected.get("fill")) == (f"{SVG}polygon", "none")
    assert (keyword.tag, keyword.get("fill")) == (f"{SVG}circle", "currentColor")
    assert len(in_map(chart, "map-cross")) == 2
    assert "style=" not in chart


def test_judged_words_are_always_named_and_others_where_there_is_room():
    crowd = [MapWord(f"w{n}", "source", "", (0, 0), (0.1 * n, 0)) for n in range(30)]
    far = MapWord("mbali", "target", "", (0, 0), (90, 0))
    chart = drawn(NURSE, NEARER, far, *crowd)
    named = {e.text for name in ("map-word", "map-word map-near") for e in parts(chart, name)}
    assert {"nurse", "muuguzi", "mbali"} <= named
    assert len(named) < 20


def test_everything_drawn_lies_inside_the_picture():
    root = ElementTree.fromstring(drawn())
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, 0)) <= WIDTH


def test_words_at_one_place_are_drawn_and_no_word_is_refused():
    assert "nurse" in drawn(NURSE, NURSE)
    with pytest.raises(ValueError, match="map of 'nurse' has no word"):
        word_map(KeywordMap("nurse", "pca", ()), "Map")


def test_labels_are_text_whatever_they_hold():
    evil = "<script>alert('&')</script>"
    chart = drawn(MapWord(evil, "source", "keyword", (0, 0), (1, 1)))
    assert "<script" not in chart
    assert evil in [e.text for e in parts(chart, "map-word")]


def test_a_listener_is_told_the_verdicts():
    said = ElementTree.fromstring(drawn()).find(f"{SVG}desc").text
    assert said.endswith("Judged: muuguzi (accepted), soko (rejected).")
