"""A keyword's neighbourhood before and after as inline SVG (Yuan et al. 2020, Figure 5).

A shape tells the language and its filling the verdict, so the map needs no colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from models_ml.core.drawing import WIDTH, Place, line, mark, picture, text
from models_ml.core.findings import KeywordMap, MapWord

HEIGHT = 300
EDGE_X, EDGE_Y = 30, 18  # room for words and marks at the sides
LEGEND_HEIGHT = 44
HEAD = 5.0  # the length of an arrow's head
LETTER, LINE = 6.2, 12  # about the size of a letter in a label

_SIZES = {"keyword": 6.5, "accept": 5.0, "reject": 5.0, "": 3.2}
_Box = tuple[float, float, float, float]


def word_map(words: KeywordMap, title: str) -> str:
    """Return an SVG element: an arrow from where each word was to a mark where it is now.

    Words that nobody judged are named only where their name fits. Raises ValueError for no word.
    """
    if not words.words:
        raise ValueError(f"the map of {words.keyword!r} has no word")
    svg = picture(
        HEIGHT + LEGEND_HEIGHT, title=title, description=_in_words(words), name="chart map"
    )
    places = _placed(words.words)
    for word, (before, after) in zip(words.words, places, strict=True):
        _draw_way(svg, word, before, after)
    marked = _judged_first(words, places)
    taken = [_around(after, _SIZES[word.verdict]) for word, (_, after) in marked]
    for word, (_, after) in marked:
        _draw_mark(svg, word, after)
        if label := _free_label(word, after, taken):
            _draw_label(svg, word, *label)
            taken.append(label[1])
    _draw_legend(svg)
    return tostring(svg, encoding="unicode")


def _draw_label(svg: Element, word: MapWord, anchor: str, box: _Box) -> None:
    x = {"start": box[0], "end": box[2], "middle": (box[0] + box[2]) / 2}[anchor]
    name = "map-word" if word.verdict else "map-word map-near"
    weight = "bold" if word.verdict == "keyword" else "normal"
    place = (round(x, 1), round(box[3] - 2, 1))
    text(svg, name, word.word, place, anchor=anchor, size="11", weight=weight)


def _judged_first(
    words: KeywordMap, places: Sequence[tuple[Place, Place]]
) -> list[tuple[MapWord, tuple[Place, Place]]]:
    order = ("keyword", "accept", "reject", "")
    pairs = zip(words.words, places, strict=True)
    return sorted(pairs, key=lambda pair: order.index(pair[0].verdict))


def _in_words(words: KeywordMap) -> str:
    said = {"accept": "accepted", "reject": "rejected"}
    judged = [f"{word.word} ({said[word.verdict]})" for word in words.words if word.verdict in said]
    near = ", ".join(judged) or "no judged word"
    return f"Where {len(words.words)} words around {words.keyword} were and are. Judged: {near}."


def _placed(words: Sequence[MapWord]) -> list[tuple[Place, Place]]:
    """Return where each word was and is, in user units; both axes at one scale."""
    xs = [end[0] for word in words for end in (word.before, word.after)]
    ys = [end[1] for word in words for end in (word.before, word.after)]
    spread = max(
        (max(xs) - min(xs)) / (WIDTH - 2 * EDGE_X), (max(ys) - min(ys)) / (HEIGHT - 2 * EDGE_Y)
    )
    scale = 1 / spread if spread else 1.0
    middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2

    def place(end: Place) -> Place:
        x = WIDTH / 2 + (end[0] - middle[0]) * scale
        y = HEIGHT / 2 - (end[1] - middle[1]) * scale
        return round(x, 1), round(y, 1)

    return [(place(word.before), place(word.after)) for word in words]


def _draw_way(svg: Element, word: MapWord, before: Place, after: Place) -> None:
    opacity = "0.8" if word.verdict else "0.35"
    line(svg, "map-way", before, after, opacity=opacity)
    _draw_head(svg, before, after, gap=_SIZES[word.verdict] + 1, opacity=opacity)


def _draw_head(svg: Element, before: Place, after: Place, *, gap: float, opacity: str) -> None:
    """Draw the head of an arrow, `gap` before its end; none where the way is too short for one."""
    dx, dy = after[0] - before[0], after[1] - before[1]
    length = math.hypot(dx, dy)
    if length < gap + HEAD:
        return
    dx, dy = dx / length, dy / length
    tip = after[0] - gap * dx, after[1] - gap * dy
    for turn in (-0.5, 0.5):
        x = tip[0] - HEAD * (dx + turn * dy)
        y = tip[1] - HEAD * (dy - turn * dx)
        line(svg, "map-way", _rounded(tip), (round(x, 1), round(y, 1)), opacity=opacity)


def _rounded(place: Place) -> Place:
    return round(place[0], 1), round(place[1], 1)


def _draw_mark(svg: Element, word: MapWord, place: Place) -> None:
    shape = "dot" if word.side == "source" else "square"
    size = _SIZES[word.verdict]
    name = f"map-mark map-{word.verdict or 'near'}"
    filled = word.verdict in {"accept", "keyword"}
    mark(svg, name, place, shape=shape, size=size, filled=filled)
    x, y = place
    if word.verdict == "reject":
        reach = size * 0.6
        line(svg, "map-cross", (x - reach, y - reach), (x + reach, y + reach))
        line(svg, "map-cross", (x - reach, y + reach), (x + reach, y - reach))
    if word.verdict == "keyword":
        mark(svg, "map-ring", place, shape="dot", size=size + 3, filled=False)


def _around(place: Place, size: float) -> _Box:
    return place[0] - size, place[1] - size, place[0] + size, place[1] + size


def _free_label(word: MapWord, place: Place, taken: Sequence[_Box]) -> tuple[str, _Box] | None:
    """Return the anchor and the box of a word's label: right, left, above or below its mark.

    Where none is free, a judged word has the least covered one, and another word none.
    """
    width, gap = LETTER * len(word.word), _SIZES[word.verdict] + 3
    x, y = place
    choices: list[tuple[str, _Box]] = [
        ("start", (x + gap, y - 6, x + gap + width, y + 6)),
        ("end", (x - gap - width, y - 6, x - gap, y + 6)),
        ("middle", (x - width / 2, y - gap - LINE, x + width / 2, y - gap)),
        ("middle", (x - width / 2, y + gap, x + width / 2, y + gap + LINE)),
    ]
    inside = [c for c in choices if c[1][0] >= 0 and c[1][2] <= WIDTH and c[1][1] >= 0]
    best = min(inside or choices, key=lambda choice: _covered(choice[1], taken))
    return best if word.verdict or _covered(best[1], taken) == 0 else None


def _covered(box: _Box, taken: Sequence[_Box]) -> float:
    """Return how much of a box others cover, in square units."""
    return sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in taken
    )


def _draw_legend(svg: Element) -> None:
    top, bottom = HEIGHT + 16, HEIGHT + 36
    entries = [
        (MapWord("source language", "source", "", (0, 0), (0, 0)), (12, top)),
        (MapWord("target language", "target", "", (0, 0), (0, 0)), (140, top)),
        (MapWord("keyword", "source", "keyword", (0, 0), (0, 0)), (272, top)),
        (MapWord("accepted", "target", "accept", (0, 0), (0, 0)), (12, bottom)),
        (MapWord("rejected", "target", "reject", (0, 0), (0, 0)), (100, bottom)),
    ]
    for word, place in entries:
        _draw_mark(svg, word, place)
        text(svg, "map-legend", word.word, (place[0] + 14, place[1] + 4), size="11")
    start, end = (188, bottom), (212, bottom)
    line(svg, "map-way", start, end, opacity="0.8")
    _draw_head(svg, start, end, gap=_SIZES[""] + 1, opacity="0.8")
    mark(svg, "map-mark map-near", (212, bottom), shape="square", size=3.2, filled=False)
    text(svg, "map-legend", "where it was and is", (222, bottom + 4), size="11")
