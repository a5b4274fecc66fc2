"""How far annotators agree: beyond chance, with each other, and with their consensus.

Everywhere three parallel arrays say who said what, (ratings,) each: units (items) and annotators
by number, and values of any kind; what was not rated is not there. numpy alone: the web process
imports this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

COVERAGE = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's α with its 95 % interval.

    value: 1 for full agreement, 0 for that of chance, below where annotators contradict; None
    where it is undefined. low, high: None where value is, or where no resample has one.
    units: with two values or more; pairable: the values in them.
    """

    value: float | None
    low: float | None
    high: float | None
    units: int
    pairable: int


def krippendorff_alpha(units: ArrayLike, annotators: ArrayLike, values: ArrayLike) -> float | None:
    """Return α of nominal values, of which any may be missing; None where it is undefined.

    α = 1 - observed / expected disagreement. It is undefined where fewer than two units have two
    values, and where all pairable values are one: nothing could disagree, so nothing tells
    agreement from a habit. (Some programs call that 1.)
    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C.
    """
    return _value(_unit_sums(units, annotators, values))


def alpha_of_counts(counts: ArrayLike) -> float | None:
    """Return the same α by how many annotators gave each unit each value, (units, values).

    Where a database counts, a poll need not read every vote.
    """
    return _value(_sums_of_counts(np.asarray(counts, dtype=np.float64)))


def alpha_with_interval(
    units: ArrayLike,
    annotators: ArrayLike,
    values: ArrayLike,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Alpha:
    """Return α with the percentile interval of a bootstrap over units (Efron 1979).

    Units are drawn, with all of their values, as many as there are. Resamples in which α is
    undefined, as they miss every unit with a rare value, are left out.
    """
    sums = _unit_sums(units, annotators, values)
    value, pairable = _value(sums), int(sums[:, 1:].sum())
    if value is None:
        return Alpha(None, None, None, len(sums), pairable)
    resampled = list(_resampled(sums, resamples, seed))
    alphas = _alpha(np.array(resampled).reshape(-1, sums.shape[1]))
    defined = alphas[~np.isnan(alphas)]
    low, high = np.percentile(defined, COVERAGE).tolist() if len(defined) else (None, None)
    return Alpha(value, low, high, len(sums), pairable)


@dataclass(frozen=True, eq=False)
class _Ratings:
    """Checked ratings; units and values by their rank among those that occur."""

    unit: NDArray[np.int64]
    annotator: NDArray[np.int64]
    value: NDArray[np.int64]

    @classmethod
    def of(cls, units: ArrayLike, annotators: ArrayLike, values: ArrayLike) -> _Ratings:
        """Return the ratings; ValueError for unequal lengths, or two of one person for a unit."""
        unit, annotator = (np.asarray(array, dtype=np.int64) for array in (units, annotators))
        value = np.asarray(values)
        shapes = (unit.shape, annotator.shape, value.shape)
        if len(set(shapes)) > 1 or unit.ndim != 1:
            raise ValueError(f"units, annotators and values are not one list each: {shapes}")
        pairs, times = np.unique(np.stack([unit, annotator]), axis=1, return_counts=True)
        if (times > 1).any():
            of_unit, twice = pairs[:, times.argmax()]
            raise ValueError(f"annotator {twice} rated unit {of_unit} more than once")
        unit, value = (np.unique(array, return_inverse=True)[1] for array in (unit, value))
        return cls(unit, annotator, value)

    @property
    def units(self) -> int:
        return int(self.unit.max(initial=-1)) + 1

    @property
    def values(self) -> int:
        return int(self.value.max(initial=-1)) + 1


def _unit_sums(units: ArrayLike, annotators: ArrayLike, values: ArrayLike) -> Floats:
    """Return what each unit with two values or more adds to α, (units, 1 + values).

    First Σ_c n_uc (m_u - n_uc) / (m_u - 1), its pairs that disagree; then n_uc, how many of its m_u
    annotators gave each value.
    """
    ratings = _Ratings.of(units, annotators, values)
    counts = np.zeros((ratings.units, ratings.values))
    np.add.at(counts, (ratings.unit, ratings.value), 1)
    return _sums_of_counts(counts)


def _sums_of_counts(counts: Floats) -> Floats:
    of_unit = counts.sum(axis=1)
    counts, of_unit = counts[of_unit >= 2], of_unit[of_unit >= 2]
    disagreeing = (counts * (of_unit[:, None] - counts)).sum(axis=1) / (of_unit - 1)
    return np.column_stack([disagreeing, counts])


def _value(sums: Floats) -> float | None:
    alpha = float(_alpha(sums.sum(axis=0))) if len(sums) >= 2 else np.nan
    return None if np.isnan(alpha) else alpha


def _alpha(sums: Floats) -> Floats:
    """Return α by sums over units, (…, 1 + values); NaN where no disagreement is expected.

    1 - (n - 1) · disagreeing / Σ_c n_c (n - n_c), with n_c of the n values being c.
    """
    of_value = sums[..., 1:]
    n = of_value.sum(axis=-1)
    expected = (of_value * (n[..., None] - of_value)).sum(axis=-1)
    return 1 - _share((n - 1) * sums[..., 0], expected)


def _resampled(sums: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield the sums over as many units as there are, drawn with replacement, (1 + values,)."""
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        times = np.bincount(generator.integers(len(sums), size=len(sums)), minlength=len(sums))
        yield times @ sums


def pairwise_agreement(
    units: ArrayLike, annotators: ArrayLike, values: ArrayLike, *, annotator_count: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Return how alike each two annotators answer, and on how many units both did.

    Both (annotator_count, annotator_count), by annotators' numbers from 0: the share of the units
    of both on which they gave one value, NaN where there are none; and the number of those units.
    """
    ratings = _Ratings.of(units, annotators, values)
    _require_numbers("annotator", ratings.annotator, annotator_count)
    alike = np.zeros((annotator_count, annotator_count))
    given = np.zeros((annotator_count, ratings.units))
    for value in range(ratings.values):
        chosen = ratings.value == value
        said = np.zeros_like(given)
        said[ratings.annotator[chosen], ratings.unit[chosen]] = 1
        alike += said @ said.T
        given += said
    shared = given @ given.T
    return _share(alike, shared), shared.astype(np.int64)


def agreement_with(
    posterior: Floats,
    units: ArrayLike,
    annotators: ArrayLike,
    accepted: ArrayLike,
    *,
    annotator_count: int,
) -> Floats:
    """Return the share of each annotator's votes that the consensus shares, (annotator_count,).

    posterior: by units' numbers from 0, probability to be accepted; accepted: booleans. Units of
    which the consensus is undecided, at ½, do not count; NaN for whoever has no other.
    """
    ratings = _Ratings.of(units, annotators, accepted)
    _require_numbers("annotator", ratings.annotator, annotator_count)
    numbers = np.asarray(units, dtype=np.int64)
    _require_numbers("unit", numbers, len(posterior))
    of_votes = posterior[numbers]
    decided = of_votes != 0.5
    shared = decided & ((of_votes > 0.5) == np.asarray(accepted, dtype=np.bool_))
    right, votes = (
        np.bincount(ratings.annotator[chosen], minlength=annotator_count)
        for chosen in (shared, decided)
    )
    return _share(right, votes)


def _require_numbers(what: str, numbers: NDArray[np.int64], count: int) -> None:
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if len(outside):
        raise ValueError(f"{what} {outside[0]} is not among the {count} from 0")


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Return part / whole, NaN where there is nothing."""
    share: Floats = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share
