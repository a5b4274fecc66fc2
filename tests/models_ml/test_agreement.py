"""Agreement: Krippendorff's worked examples, another program's numbers, and shares by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models_ml.core.agreement import (
    agreement_with,
    alpha_with_interval,
    krippendorff_alpha,
    pairwise_agreement,
)

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "crowd_kit.json").read_text())
_ = None


def ratings(table):
    """Return units, annotators and values of a table with a row an annotator, None for missing."""
    rows = [
        (unit, annotator, value)
        for annotator, row in enumerate(table)
        for unit, value in enumerate(row)
        if value is not None
    ]
    return tuple(map(list, zip(*rows, strict=True)))


# Krippendorff 2011: section A, two observers and binary data; section C, four and missing values.
TWO_OBSERVERS = ratings([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]])
FOUR_OBSERVERS = ratings(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)
# Two agree on eight units and contradict each other on two.
MOSTLY_ALIKE = ratings([[1, 1, 1, 1, 0, 0, 0, 0, 1, 0], [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]])


# --- Krippendorff's α -------------------------------------------------------------------------
def test_alpha_of_the_papers_examples():
    assert krippendorff_alpha(*TWO_OBSERVERS) == pytest.approx(0.095, abs=5e-4)
    assert krippendorff_alpha(*FOUR_OBSERVERS) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_the_hand_worked_one():
    # 20 values, ten of each: 1 - (20 - 1) · (2 + 2) / (10 · 10 + 10 · 10).
    assert krippendorff_alpha(*MOSTLY_ALIKE) == pytest.approx(1 - 19 * 4 / 200)


@pytest.mark.parametrize("name", ["votes", "categories"])
def test_alpha_is_that_of_another_program(name):
    columns = np.array(RECORDED[name]).T
    expected = RECORDED["krippendorff"][name]
    assert krippendorff_alpha(*columns) == pytest.approx(expected, abs=1e-8)


def test_full_agreement_is_one_and_contradiction_below_zero():
    assert krippendorff_alpha(*ratings([[0, 1, 1, 2], [0, 1, 1, 2]])) == 1
    # 1 - 7 · 8 / 32: of eight values, four of each, no unit has two alike.
    assert krippendorff_alpha(*ratings([[0, 1, 0, 1], [1, 0, 1, 0]])) == pytest.approx(-0.75)


def test_units_with_one_value_change_nothing():
    units, annotators, values = MOSTLY_ALIKE
    longer = ([*units, 77, 78], [*annotators, 0, 1], [*values, 5, 6])
    assert krippendorff_alpha(*longer) == krippendorff_alpha(*MOSTLY_ALIKE)


def test_neither_order_nor_names_change_alpha():
    units, annotators, values = (np.array(each) for each in FOUR_OBSERVERS)
    order = np.random.default_rng(0).permutation(len(units))
    renamed = (1000 - 7 * units[order], annotators[order] + 9, 10 - values[order])
    assert krippendorff_alpha(*renamed) == pytest.approx(krippendorff_alpha(*FOUR_OBSERVERS))
    letters = np.array(list("?abcde"))[values]
    assert krippendorff_alpha(units, annotators, letters) == krippendorff_alpha(*FOUR_OBSERVERS)


@pytest.mark.parametrize(
    "table",
    [
        [[1, 0], [1, _]],  # one pairable unit
        [[1, 1, 1], [1, 1, 1]],  # nothing but one value
        [[1, 1, 0, _], [1, 1, _, 0]],  # the only other values pair with nothing
    ],
)
def test_alpha_is_undefined_where_nothing_could_disagree(table):
    assert krippendorff_alpha(*ratings(table)) is None
    result = alpha_with_interval(*ratings(table))
    assert (result.value, result.low, result.high) == (None, None, None)


def test_without_ratings_everything_is_undefined():
    assert krippendorff_alpha([], [], []) is None
    assert alpha_with_interval([], [], []).units == 0
    share, units = pairwise_agreement([], [], [], annotator_count=2)
    assert np.isnan(share).all()
    assert not units.any()
    assert np.isnan(agreement_with(np.ones(3), [], [], [], annotator_count=2)).all()


# --- Its interval -----------------------------------------------------------------------------
def test_the_interval_says_of_how_many_units_and_values():
    result = alpha_with_interval(*FOUR_OBSERVERS)
    assert result.value == krippendorff_alpha(*FOUR_OBSERVERS)
    assert (result.units, result.pairable) == (11, 40)
    assert -1 < result.low < 0.743 < result.high <= 1


def test_the_interval_is_the_percentiles_of_alpha_of_redrawn_units():
    # The plain way: whole units are drawn and numbered anew.
    units, annotators, values = (np.array(each) for each in MOSTLY_ALIKE)
    generator = np.random.default_rng(0)
    alphas = []
    for _round in range(300):
        drawn = [np.flatnonzero(units == unit) for unit in generator.integers(10, size=10)]
        new = np.repeat(np.arange(10), 2)
        alphas.append(krippendorff_alpha(new, *(a[np.r_[*drawn]] for a in (annotators, values))))
    result = alpha_with_interval(*MOSTLY_ALIKE, resamples=300)
    expected = np.percentile([a for a in alphas if a is not None], [2.5, 97.5])
    assert [result.low, result.high] == pytest.approx(expected)


def test_more_units_narrow_the_interval():
    def width(units):
        generator = np.random.default_rng(2)
        truth = generator.random(units) < 0.5
        answers = np.where(generator.random((3, units)) < 0.8, truth, ~truth)
        annotator, unit = np.divmod(np.arange(3 * units), units)
        result = alpha_with_interval(unit, annotator, answers.ravel())
        # Two right answers are as likely as 0.8² + 0.2² = 0.68 to agree, by chance 0.5.
        assert result.low < 0.36 < result.high
        return result.high - result.low

    assert width(1600) == pytest.approx(width(100) / 4, rel=0.25)


def test_the_interval_depends_on_the_seed_alone():
    first, again, other = (alpha_with_interval(*FOUR_OBSERVERS, seed=s) for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_without_resamples_there_is_a_value_and_no_interval():
    result = alpha_with_interval(*FOUR_OBSERVERS, resamples=0)
    assert (result.low, result.high) == (None, None)
    assert result.value == pytest.approx(0.743, abs=5e-4)


# --- Two annotators ---------------------------------------------------------------------------
def test_pairwise_agreement_is_the_hand_counted_share_of_shared_units():
    table = [[1, 1, 0, _], [1, 0, 0, 0], [_, _, _, 1], [_, _, _, _]]
    share, units = pairwise_agreement(*ratings(table), annotator_count=4)
    assert units.tolist() == [[3, 3, 0, 0], [3, 4, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    nan = np.nan
    expected = [[1, 2 / 3, nan, nan], [2 / 3, 1, 0, nan], [nan, 0, 1, nan], [nan] * 4]
    assert share == pytest.approx(np.array(expected), nan_ok=True)


def test_pairwise_agreement_tells_more_than_two_values_apart():
    share, units = pairwise_agreement(*FOUR_OBSERVERS, annotator_count=4)
    assert units[0].tolist() == [9, 9, 8, 9]
    assert share[0] == pytest.approx([1, 8 / 9, 5 / 8, 8 / 9])


# --- The consensus ----------------------------------------------------------------------------
def test_agreement_with_the_consensus_leaves_out_what_it_has_not_decided():
    posterior = np.array([0.9, 0.2, 0.5, 0.6])
    table = [[True, False, True, False], [_, True, False, _], [_, _, True, _], [_] * 4]
    shares = agreement_with(posterior, *ratings(table), annotator_count=4)
    assert shares == pytest.approx([2 / 3, 0, np.nan, np.nan], nan_ok=True)


# --- Refusals ---------------------------------------------------------------------------------
def test_a_second_rating_of_one_person_for_a_unit_is_named():
    with pytest.raises(ValueError, match="annotator 3 rated unit 7 more than once"):
        krippendorff_alpha([7, 6, 7], [3, 3, 3], [0, 0, 1])


def test_unequal_lengths_are_named():
    with pytest.raises(ValueError, match=r"not one list each: \(\(2,\), \(2,\), \(1,\)\)"):
        krippendorff_alpha([0, 1], [0, 0], [1])


@pytest.mark.parametrize("annotator", [2, -1])
def test_an_annotator_outside_the_matrix_is_named(annotator):
    with pytest.raises(ValueError, match=f"annotator {annotator} is not among the 2 from 0"):
        pairwise_agreement([0], [annotator], [1], annotator_count=2)
    with pytest.raises(ValueError, match=f"annotator {annotator} is not among the 2 from 0"):
        agreement_with(np.ones(1), [0], [annotator], [True], annotator_count=2)


@pytest.mark.parametrize("unit", [1, -1])
def test_a_unit_without_a_posterior_is_named(unit):
    with pytest.raises(ValueError, match=f"unit {unit} is not among the 1 from 0"):
        agreement_with(np.ones(1), [unit], [0], [True], annotator_count=1)
