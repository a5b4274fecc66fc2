"""Whether accuracies differ by more than chance: the tests and intervals of reports.

All tests are two-sided unless asked otherwise: nobody knows beforehand that vectors get better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri, stdtr, stdtrit

Alternative = Literal["two-sided", "greater", "less"]

_ROUNDING = 1e-12  # equal accuracies, or differences of such, are this close; others never


class Untestable(StrEnum):
    """Why a t-test says nothing of some values."""

    TOO_FEW = "there are fewer than two values"
    NO_SPREAD = "the values do not vary"


@dataclass(frozen=True)
class TestResult:
    """A t-test of n values (or pairs).

    statistic, p_value: None where the values allow no test, for the reason given.
    df: degrees of freedom, whole except for `welch`; n: of `welch`, the values of both.
    """

    __test__ = False  # pytest takes a name that begins with Test for a test

    statistic: float | None
    p_value: float | None
    df: float
    n: int
    reason: Untestable | None = None


@dataclass(frozen=True)
class McNemarResult:
    """How many of n documents only one of two classifiers got right, and McNemar's p value."""

    only_a: int
    only_b: int
    p_value: float
    n: int


def single_sample(
    accuracies: Sequence[float], popmean: float, *, alternative: Alternative = "two-sided"
) -> TestResult:
    """Return Student's t-test of whether the mean differs from a fixed one.

    "greater" asks whether the mean is above `popmean`. The test takes `popmean` for exact: where
    it is itself a mean over seeds, as Base's accuracy is, it is somewhat too sure.
    Source: Yuan et al. 2020, section 4 and Table 2: each user's accuracy with CLIME against the
    accuracy of Base, and of active learning.
    """
    return _t_test(np.asarray(accuracies, dtype=np.float64) - popmean, alternative)


def paired(
    a: Sequence[float], b: Sequence[float], *, alternative: Alternative = "two-sided"
) -> TestResult:
    """Return Student's t-test of whether pairs differ, as two methods with the same annotators.

    "greater" asks whether `a` is above `b`. Raises ValueError for different numbers of values.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values cannot be paired with {len(b)}")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return _t_test(differences, alternative)


def welch(
    a: Sequence[float], b: Sequence[float], *, alternative: Alternative = "two-sided"
) -> TestResult:
    """Return Welch's t-test of whether two means differ, for unpaired values of any spread.

    "greater" asks whether the mean of `a` is above that of `b`.
    """
    n = len(a) + len(b)
    if min(len(a), len(b)) < 2:
        return TestResult(None, None, 0, n, Untestable.TOO_FEW)
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if _spread(first) <= _ROUNDING and _spread(second) <= _ROUNDING:
        return TestResult(None, None, 0, n, Untestable.NO_SPREAD)
    of_a, of_b = (float(values.var(ddof=1)) / len(values) for values in (first, second))
    statistic = float(first.mean() - second.mean()) / math.sqrt(of_a + of_b)
    df = (of_a + of_b) ** 2 / (of_a**2 / (len(a) - 1) + of_b**2 / (len(b) - 1))
    return TestResult(statistic, _p_value(statistic, df, alternative), df, n)


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float] | None:
    """Return the Student t interval of the mean; None for fewer than two values."""
    n = len(values)
    if n < 2:
        return None
    mean, std = float(np.mean(values)), float(np.std(values, ddof=1))
    margin = float(stdtrit(n - 1, (1 + level) / 2)) * std / math.sqrt(n)
    return mean - margin, mean + margin


def wilson_interval(accuracy: float, documents: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of one classifier's accuracy, for the chance choice of test documents.

    It stays within 0 and 1, and has a width where all answers or none are right. Raises
    ValueError for an accuracy outside 0 to 1 or no document.
    Source: Wilson 1927, without continuity correction.
    """
    if documents < 1 or not 0 <= accuracy <= 1:
        raise ValueError(f"an accuracy of {accuracy} on {documents} documents")
    z = float(ndtri((1 + level) / 2))
    shrink = 1 + z**2 / documents
    centre = (accuracy + z**2 / (2 * documents)) / shrink
    variance = accuracy * (1 - accuracy) / documents + z**2 / (4 * documents**2)
    margin = z * math.sqrt(variance) / shrink
    return max(centre - margin, 0.0), min(centre + margin, 1.0)


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemarResult:
    """Return McNemar's exact two-sided test of two classifiers on the same documents.

    correct_a, correct_b: (documents,) bool, whether each is right. Only documents on which one
    is right and the other wrong count; where there is none, p is 1. Raises ValueError for
    different numbers of documents.
    """
    a, b = np.asarray(correct_a, dtype=np.bool_), np.asarray(correct_b, dtype=np.bool_)
    if a.shape != b.shape:
        raise ValueError(f"{a.size} answers cannot be compared with {b.size}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    tail = float(bdtr(min(only_a, only_b), only_a + only_b, 0.5))
    return McNemarResult(only_a, only_b, min(1.0, 2 * tail), a.size)


def _t_test(differences: NDArray[np.float64], alternative: Alternative) -> TestResult:
    """Return the test of whether the mean of the values, (n,), is 0."""
    n = differences.size
    df = max(n - 1, 0)
    if n < 2:
        return TestResult(None, None, df, n, Untestable.TOO_FEW)
    if _spread(differences) <= _ROUNDING:
        return TestResult(None, None, df, n, Untestable.NO_SPREAD)
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    statistic = float(differences.mean()) / error
    return TestResult(statistic, _p_value(statistic, df, alternative), df, n)


def _spread(values: NDArray[np.float64]) -> float:
    return float(np.ptp(values))


def _p_value(statistic: float, df: float, alternative: Alternative) -> float:
    """Return how likely a t so far out is by chance."""
    if alternative == "two-sided":
        return float(2 * stdtr(df, -abs(statistic)))
    return float(stdtr(df, -statistic if alternative == "greater" else statistic))
