"""Axes with whole numbers at their ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Whole numbers from `low` to `high`, a grid line every `step`, between two places."""

    low: int
    high: int
    step: int
    start: float
    end: float

    @classmethod
    def of_percents(cls, fractions: Iterable[float], *, start: float, end: float) -> Axis:
        """Return the finest axis of at most six steps that holds all, within 0-100 %."""
        shown = [100 * value for value in fractions] or [0.0, 100.0]
        lowest, highest = max(min(shown), 0), min(max(shown), 100)
        for step in (1, 2, 5, 10, 20):
            low = max(math.floor(lowest / step - 0.25) * step, 0)
            high = min(math.ceil(highest / step + 0.25) * step, 100)
            if high - low <= 6 * step:
                break
        return cls(low, high, step, start, end)

    @classmethod
    def of_counts(cls, counts: Iterable[float], *, start: float, end: float) -> Axis:
        """Return the finest axis of at most six steps that holds all counts."""
        shown = list(counts) or [0]
        step, sizes = 1, (2, 2.5, 2)
        for n in range(30):
            low, high = math.floor(min(shown) / step) * step, math.ceil(max(shown) / step) * step
            if high - low <= 6 * step:
                break
            step = round(step * sizes[n % 3])
        return cls(low, max(high, low + step), step, start, end)

    def ticks(self) -> Iterator[int]:
        yield from range(self.low, self.high + 1, self.step)

    def place(self, number: float) -> float:
        """Return where a number stands, in user units; the ends hold what lies beyond."""
        share = (number - self.low) / (self.high - self.low)
        return round(self.start + min(max(share, 0), 1) * (self.end - self.start), 1)
