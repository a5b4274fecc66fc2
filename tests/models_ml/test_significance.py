"""Tests and intervals of accuracies: worked by hand, and beside SciPy's."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from models_ml.core.significance import (
    McNemarResult,
    Untestable,
    mcnemar,
    mean_interval,
    paired,
    single_sample,
    welch,
    wilson_interval,
)

ALTERNATIVES = ("two-sided", "greater", "less")


def test_a_single_sample_by_hand():
    result = single_sample([0.7, 0.8, 0.9], 0.7)
    # mean .8, standard deviation .1: t = .1 / (.1 / √3); with two degrees of freedom
    # the two-sided p is 1 - t / √(t² + 2).
    assert result.statistic == pytest.approx(sqrt(3))
    assert result.p_value == pytest.approx(1 - sqrt(3) / sqrt(5))
    assert (result.df, result.n, result.reason) == (2, 3, None)


def test_pairs_by_hand():
    result = paired([0.8, 0.9], [0.7, 0.6])
    # differences .1 and .3: mean .2, standard deviation .1 · √2, t = .2 / .1; with one degree of
    # freedom t is Cauchy's: p = 1 - 2 · arctan(2) / π.
    assert result.statistic == pytest.approx(2)
    assert result.p_value == pytest.approx(0.2951672, abs=1e-7)
    assert (result.df, result.n) == (1, 2)


def test_welch_by_hand():
    # means .8 and .5, variances .02 and .08: t = .3 / √(.01 + .04), df = .05² / (.01² + .04²)
    result = welch([0.7, 0.9], [0.3, 0.7])
    assert result.statistic == pytest.approx(0.3 / sqrt(0.05))
    assert result.df == pytest.approx(0.0025 / 0.0017)
    assert result.n == 4


def test_one_sided_tests_ask_whether_the_first_is_above_or_below():
    values = [0.7, 0.8, 0.9]
    both = single_sample(values, 0.7).p_value
    assert single_sample(values, 0.7, alternative="greater").p_value == pytest.approx(both / 2)
    assert single_sample(values, 0.7, alternative="less").p_value == pytest.approx(1 - both / 2)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("seed", range(3))
def test_t_tests_are_scipys(seed, alternative):
    a, b = np.random.default_rng(seed).normal(0.7, 0.05, size=(2, 6))
    same = {"alternative": alternative}
    pairs = [
        (single_sample(a.tolist(), 0.68, **same), stats.ttest_1samp(a, 0.68, **same)),
        (paired(a.tolist(), b.tolist(), **same), stats.ttest_rel(a, b, **same)),
        (
            welch(a.tolist(), b[:3].tolist(), **same),
            stats.ttest_ind(a, b[:3], equal_var=False, **same),
        ),
    ]
    for ours, theirs in pairs:
        assert (ours.statistic, ours.p_value, ours.df) == pytest.approx(
            (theirs.statistic, theirs.pvalue, theirs.df)
        )


@pytest.mark.parametrize("values", [[], [0.7]])
def test_fewer_than_two_values_allow_no_test(values):
    for result in (single_sample(values, 0.6), paired(values, values), welch(values, [0.5, 0.6])):
        assert (result.statistic, result.p_value) == (None, None)
        assert result.reason is Untestable.TOO_FEW
    assert single_sample(values, 0.6).n == len(values)
    assert mean_interval(values) is None


def test_values_that_do_not_vary_allow_no_test():
    same = [0.7] * 3  # whose standard deviation is not 0, but rounding
    assert np.std(same) > 0
    assert 0.3 - 0.2 != 0.2 - 0.1
    results = single_sample(same, 0.6), paired([0.3, 0.2], [0.2, 0.1]), welch(same, [0.2, 0.2])
    for result in results:
        assert (result.statistic, result.p_value) == (None, None)
        assert result.reason is Untestable.NO_SPREAD


def test_welch_needs_a_spread_on_one_side_only():
    result = welch([0.7, 0.9], [0.5, 0.5])
    # t = .3 / √(.01); all of the uncertainty is that of two values: one degree of freedom
    assert (result.statistic, result.df) == pytest.approx((3, 1))


def test_values_of_different_numbers_are_not_paired():
    with pytest.raises(ValueError, match="2 values cannot be paired with 1"):
        paired([0.7, 0.8], [0.7])


def test_the_interval_of_a_mean_by_hand():
    # Student's t at .975 with two degrees of freedom is 4.302653; 4.302653 · .1 / √3 = .248414.
    assert mean_interval([0.7, 0.8, 0.9]) == pytest.approx((0.551586, 1.048414), abs=1e-6)
    assert mean_interval([0.5, 0.5]) == (0.5, 0.5)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_of_a_mean_is_scipys(level):
    values = [0.61, 0.67, 0.7, 0.66, 0.72]
    theirs = stats.t.interval(level, 4, loc=np.mean(values), scale=stats.sem(values))
    assert mean_interval(values, level=level) == pytest.approx(theirs)


def test_wilsons_interval_by_hand():
    # z² = 3.841459 and n = 10: centre (.8 + .1920729) / 1.3841459 = .7167401;
    # margin 1.959964 · √(.016 + .00960365) / 1.3841459 = .2265777.
    assert wilson_interval(0.8, 10) == pytest.approx((0.4901624, 0.9433178), abs=3e-7)


@pytest.mark.parametrize(("correct", "documents"), [(0, 7), (7, 7), (1, 1), (130, 200)])
def test_wilsons_interval_is_scipys(correct, documents):
    theirs = stats.binomtest(correct, documents).proportion_ci(method="wilson")
    low, high = wilson_interval(correct / documents, documents)
    assert (low, high) == pytest.approx((theirs.low, theirs.high))
    assert 0 <= low < high <= 1


def test_no_accuracy_has_no_interval():
    with pytest.raises(ValueError, match=r"an accuracy of 0\.5 on 0 documents"):
        wilson_interval(0.5, 0)
    with pytest.raises(ValueError, match=r"an accuracy of 1\.5 on 4 documents"):
        wilson_interval(1.5, 4)


def test_mcnemar_by_hand():
    a = [True] * 6 + [False] * 2 + [True, False]
    b = [False] * 5 + [True] + [True] + [False] + [True, False]
    # Six documents tell the two apart, five to one: p = 2 · (1 + 6) / 2⁶.
    assert mcnemar(a, b) == McNemarResult(only_a=5, only_b=1, p_value=pytest.approx(14 / 64), n=10)


@pytest.mark.parametrize(("only_a", "only_b"), [(3, 3), (9, 1), (0, 8), (40, 61)])
def test_mcnemar_is_scipys_binomial_test(only_a, only_b):
    a = [True] * only_a + [False] * only_b
    result = mcnemar(a, np.logical_not(a))
    assert result.p_value == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)


def test_classifiers_that_are_right_of_the_same_documents_do_not_differ():
    assert mcnemar([True, False], [True, False]) == McNemarResult(0, 0, 1.0, 2)


def test_answers_to_other_documents_are_not_compared():
    with pytest.raises(ValueError, match="2 answers cannot be compared with 1"):
        mcnemar([True, False], [True])
