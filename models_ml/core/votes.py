"""Who accepted and who rejected what, and what aggregation makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_ITERATIONS = 1_000
TOLERANCE = 1e-7  # the largest change of a probability that ends the iterations


@dataclass(frozen=True, eq=False)
class Votes:
    """Who said what: three parallel arrays, (votes,), a vote a place.

    item, annotator: numbers from 0; items, annotators: how many there are, with votes or without.
    Raises ValueError for a number outside, a second vote of an annotator on an item, or answers
    that are not booleans.
    """

    item: NDArray[np.int64]
    annotator: NDArray[np.int64]
    accepted: NDArray[np.bool_]
    items: int
    annotators: int

    def __post_init__(self) -> None:
        lengths = (len(self.item), len(self.annotator), len(self.accepted))
        if len(set(lengths)) > 1:
            raise ValueError(f"items, annotators and answers are not as many: {lengths}")
        if self.accepted.dtype != np.bool_:
            raise ValueError(f"answers are booleans, not {self.accepted.dtype}")
        for what, numbers, count in (
            ("item", self.item, self.items),
            ("annotator", self.annotator, self.annotators),
        ):
            outside = numbers[(numbers < 0) | (numbers >= count)]
            if len(outside):
                raise ValueError(f"{what} {outside[0]} is not among the {count} from 0")
        pairs, times = np.unique(self.item * self.annotators + self.annotator, return_counts=True)
        if len(pairs) and times.max() > 1:
            item, annotator = divmod(int(pairs[times.argmax()]), self.annotators)
            raise ValueError(f"annotator {annotator} voted more than once on item {item}")

    @property
    def signs(self) -> Floats:
        """+1 for an accept and -1 for a reject, (votes,)."""
        return np.where(self.accepted, 1.0, -1.0)

    def by_item(self, values: Floats | None = None) -> Floats:
        """Return the sum of values, (votes,), over each item, (items,); without them the number."""
        return self._sums(self.item, values, self.items)

    def by_annotator(self, values: Floats | None = None) -> Floats:
        """Return the same over each annotator's votes, (annotators,)."""
        return self._sums(self.annotator, values, self.annotators)

    @staticmethod
    def _sums(group: NDArray[np.int64], values: Floats | None, groups: int) -> Floats:
        return np.bincount(group, weights=values, minlength=groups).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Aggregate:
    """What the votes come to.

    posterior: (items,), probability that the item is to be accepted; 0.5 where nobody voted.
    reliability: (annotators,), estimated probability that a vote of the annotator is right.
    iterations: rounds until nothing moved, at most MOST_ITERATIONS; 0 for a method without rounds.
    """

    posterior: Floats
    reliability: Floats
    iterations: int


def probability_right(votes: Votes, posterior: Floats) -> Floats:
    """Return the probability that each vote is right, (votes,)."""
    to_accept = posterior[votes.item]
    return np.where(votes.accepted, to_accept, 1 - to_accept)


def settled(
    step: Callable[[Floats], Floats], start: Floats, *, most: int = MOST_ITERATIONS
) -> tuple[Floats, int]:
    """Return where a step, repeated from a start, no longer moves, and after how many of them."""
    state = start
    for iteration in range(1, most + 1):
        latest = step(state)
        moved = float(np.abs(latest - state).max(initial=0))
        state = latest
        if moved < TOLERANCE:
            return state, iteration
    return state, most


def sigmoid(log_odds: Floats) -> Floats:
    result: Floats = (1 + np.tanh(log_odds / 2)) / 2  # exp would overflow
    return result
