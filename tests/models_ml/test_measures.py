"""Confusion, precision, recall, F1 and votes: worked by hand, and beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from models_ml.core.measures import (
    ClassMeasure,
    confusion,
    macro_f1,
    majority_prediction,
    mean_confusion,
    per_class,
    vote_shares,
)

TRUTH = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
PREDICTED = [0, 0, 0, 1, 1, 1, 2, 2, 0, 0]


def test_rows_are_the_truth_and_columns_the_predictions():
    counts = confusion(TRUTH, PREDICTED, 3)
    assert counts.tolist() == [[3, 1, 0], [0, 2, 1], [2, 0, 1]]
    assert counts.dtype == np.int64


def test_measures_of_each_class_by_hand():
    measures = per_class(confusion(TRUTH, PREDICTED, 3))
    # F1 is twice the hits by all that are or were taken for the class: 6/9, 4/6, 2/5.
    expected = [(0, 3 / 5, 3 / 4, 2 / 3, 4), (1, 2 / 3, 2 / 3, 2 / 3, 3), (2, 1 / 2, 1 / 3, 0.4, 3)]
    for measure, (label, precision, recall, f1, support) in zip(measures, expected, strict=True):
        assert (measure.label, measure.support) == (label, support)
        figures = measure.precision, measure.recall, measure.f1
        assert figures == pytest.approx((precision, recall, f1))


def test_macro_f1_by_hand():
    assert macro_f1(confusion(TRUTH, PREDICTED, 3)) == pytest.approx((2 / 3 + 2 / 3 + 0.4) / 3)


def test_numbers_recorded_from_scikit_learn():
    truth = [2, 0, 3, 1, 1, 0, 2, 2, 3, 0, 1, 3, 3, 2]
    predicted = [2, 1, 3, 1, 0, 0, 2, 3, 3, 0, 1, 2, 3, 1]
    # precision_recall_fscore_support and f1_score(average="macro") of scikit-learn 1.9.1
    counts = confusion(truth, predicted, 4)
    assert [m.precision for m in per_class(counts)] == pytest.approx([2 / 3, 1 / 2, 2 / 3, 3 / 4])
    assert [m.recall for m in per_class(counts)] == pytest.approx([2 / 3, 2 / 3, 1 / 2, 3 / 4])
    assert [m.f1 for m in per_class(counts)] == pytest.approx(
        [0.666667, 0.571429, 0.571429, 0.75], abs=1e-6
    )
    assert macro_f1(counts) == pytest.approx(0.6398809523809523)


def test_undefined_fractions_are_zero():
    never_predicted, never_true, neither = per_class(confusion([0, 0, 3], [1, 3, 3], 4))[:3]
    assert never_predicted == ClassMeasure(0, precision=0, recall=0, f1=0, support=2)
    assert never_true == ClassMeasure(1, precision=0, recall=0, f1=0, support=0)
    assert neither == ClassMeasure(2, precision=0, recall=0, f1=0, support=0)


@pytest.mark.parametrize("seed", range(4))
def test_measures_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(5, size=12), rng.integers(4, size=12)  # class 5 is nobody's
    counts = confusion(truth, predicted, 6)
    theirs = {"labels": range(6), "zero_division": 0}
    assert counts.tolist() == confusion_matrix(truth, predicted, labels=range(6)).tolist()
    ours = [(m.precision, m.recall, m.f1, m.support) for m in per_class(counts)]
    by_class = precision_recall_fscore_support(truth, predicted, **theirs)
    np.testing.assert_allclose(np.transpose(ours), by_class)
    macro = precision_recall_fscore_support(truth, predicted, average="macro", **theirs)
    assert macro_f1(counts) == pytest.approx(macro[2])


def test_a_mean_of_confusions_by_hand():
    first, second = confusion([0, 0, 1], [0, 1, 1], 2), confusion([0, 0, 1], [0, 0, 0], 2)
    mean = mean_confusion([first, second])
    assert mean.tolist() == [[1.5, 0.5], [0.5, 0.5]]
    assert [measure.support for measure in per_class(mean)] == [2, 1]
    assert macro_f1(mean) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_supports_of_a_mean_over_three_seeds_are_whole():
    counts = [confusion([0] * 10, [0] * hits + [1] * (10 - hits), 2) for hits in (9, 8, 8)]
    assert [measure.support for measure in per_class(mean_confusion(counts))] == [10, 0]


def test_confusions_of_other_documents_are_not_averaged():
    with pytest.raises(ValueError, match=r"\(1, 1\) in one, \(2, 0\) in another"):
        mean_confusion([confusion([0, 1], [0, 0], 2), confusion([0, 0], [0, 0], 2)])
    with pytest.raises(ValueError, match="no confusion"):
        mean_confusion([])


def test_the_majority_of_the_seeds_predicts_and_ties_go_to_the_lower_label():
    votes = [[2, 1, 0], [2, 2, 1], [0, 2, 2], [2, 1, 2]]
    assert majority_prediction(votes, 3).tolist() == [2, 1, 2]
    assert vote_shares(votes, 3).tolist() == [[0.25, 0, 0.75], [0, 0.5, 0.5], [0.25, 0.25, 0.5]]


def test_a_single_seed_is_its_own_majority():
    assert majority_prediction([[1, 0, 1]], 2).tolist() == [1, 0, 1]


def test_bad_labels_are_refused():
    with pytest.raises(ValueError, match="label -1 is not one of 0 to 1"):
        confusion([0, -1], [0, 0], 2)
    with pytest.raises(ValueError, match="label 2 is not one of 0 to 1"):
        majority_prediction([[0, 2]], 2)
    with pytest.raises(ValueError, match="2 true labels, but 1 predictions"):
        confusion([0, 1], [0], 2)
    with pytest.raises(ValueError, match=r"their shape is \(2,\)"):
        majority_prediction([0, 1], 2)
