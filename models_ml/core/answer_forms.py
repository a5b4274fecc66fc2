"""One rule for all answer forms: every answer is a value from -1 to +1.

The sign says whether two words belong together, the size how strongly; refinement takes the size as
the weight of a constraint, and 0 makes none. The paper asks for accept or reject, and names graded
answers and rankings as future work; the values are ours.

- *Verdict*: accepted +1, rejected -1, left open 0.
- *Graded*, five steps as in SimLex-999 (Hill et al. 2015), 0 to 4: (grade - 2) / 2.
- *Ranking*: the i-th best of m accepted words 1 - (i - 1) / m, the i-th worst of m rejected words
  the same below zero, so that the last of either is the least sure; words between them 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

GRADES = range(5)
_MIDDLE = 2

W = TypeVar("W", bound=Hashable)


def value_of_grade(grade: int) -> float:
    """Return the value of a grade; raises ValueError for one that there is not."""
    if grade not in GRADES:
        raise ValueError(f"a grade is one of 0 to {GRADES[-1]}, not {grade}")
    return (grade - _MIDDLE) / _MIDDLE


def grade_of_value(value: float) -> int:
    """Return the grade whose value is nearest."""
    return round(value * _MIDDLE) + _MIDDLE


def values_of_ranking(best_first: Sequence[W], worst_first: Sequence[W]) -> Mapping[W, float]:
    """Return the value of each ranked word; raises ValueError for a word that is there twice."""
    ranked = [*best_first, *worst_first]
    for word in ranked:
        if ranked.count(word) > 1:
            raise ValueError(f"{word!r} is ranked twice")
    above = {word: 1 - place / len(best_first) for place, word in enumerate(best_first)}
    below = {word: place / len(worst_first) - 1 for place, word in enumerate(worst_first)}
    return above | below
