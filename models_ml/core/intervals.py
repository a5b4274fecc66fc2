"""Intervals of means without scipy: for the web process, which must not load it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

# Student's t, 97.5th percentile, by degrees of freedom from 1; the series below is too rough there.
_FEW = (12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157)


def mean_with_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return the mean and its 95 % Student t interval, which is None for fewer than two values.

    The same as core.significance.mean_interval, to five digits. Raises ValueError for no value.
    """
    if not values:
        raise ValueError("no values have no mean")
    mean = fmean(values)
    if len(values) < 2:
        return mean, None, None
    margin = student_t(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return mean, mean - margin, mean + margin


def student_t(df: int) -> float:
    """Return the 97.5th percentile of Student's t. Raises ValueError for df below 1.

    Source: Abramowitz and Stegun 1964, 26.7.5 (an expansion around the normal distribution).
    """
    if df < 1:
        raise ValueError(f"{df} degrees of freedom")
    if df <= len(_FEW):
        return _FEW[df - 1]
    z = NormalDist().inv_cdf(0.975)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / float(df) ** n for n, term in enumerate(terms, start=1))
