"""The order of a ranking's words, as forms change it; ranking.js does the same in a browser."""

from __future__ import annotations

from dataclasses import dataclass

from annotation.models import Verdict
from annotation.pages import Column
from models_ml.models import Word


@dataclass(frozen=True)
class Order:
    """The words of a ranking, by their ids."""

    best_first: list[int]
    worst_first: list[int]
    left: list[int]


def moved(column: Column, word: Word, *, up: bool) -> Order:
    """Return the order of a column's words after one of them moved a place up or down.

    At the end of its part, accepted, open or rejected, a word moves over the line to the next.
    """
    places = _places(column)
    here = places.index(word.pk)
    there = min(max(here + (-1 if up else 1), 0), len(places) - 1)
    places[here], places[there] = places[there], places[here]
    return _order(places, column, moved=word)


def placed(column: Column, word: Word, verdict: Verdict) -> Order:
    """Return the order of a column's words after one was accepted, rejected or taken back.

    It comes to stand where its part is nearest to the middle.
    """
    places = _places(column)
    places.remove(word.pk)
    line = places.index(_LINES[0] if verdict == Verdict.ACCEPT else _LINES[1])
    places.insert(line + (verdict == Verdict.REJECT), word.pk)
    return _order(places, column, moved=word)


def order_of(column: Column) -> Order:
    """Return the order of a column's words as it is."""
    return _order(_places(column), column)


# The lines of a ranking: above the first all is accepted, below the second rejected.
_LINES = (Verdict.ACCEPT, Verdict.REJECT)


def _places(column: Column) -> list[int | Verdict]:
    best, still_open, worst = ([one.word.pk for one in words] for _, words in column.zones)
    return [*best, _LINES[0], *still_open, _LINES[1], *worst]


def _order(places: list[int | Verdict], column: Column, *, moved: Word | None = None) -> Order:
    first, second = (places.index(line) for line in _LINES)
    return Order(
        best_first=[int(pk) for pk in places[:first]],
        worst_first=[int(pk) for pk in reversed(places[second + 1 :])],
        left=[one.word.pk for one in column.words if one.is_left and one.word != moved],
    )
