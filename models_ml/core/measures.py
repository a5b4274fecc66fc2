"""How good predictions are, class by class. This module needs numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True)
class ClassMeasure:
    """How well one class is found, as fractions; 0 where a fraction would divide by nothing.

    precision: the share of the documents predicted to be of the class that are.
    recall: the share of the class's documents that were found.
    f1: the harmonic mean of both; support: how many documents are of the class.
    """

    label: int
    precision: float
    recall: float
    f1: float
    support: int


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Return how many documents of each class were predicted as each, (classes, classes).

    Rows are true classes, columns predicted ones. truth, predicted: (documents,) labels from 0.
    Raises ValueError for different numbers of documents or a label outside the classes.
    """
    true, guess = _labels(truth, classes), _labels(predicted, classes)
    if true.shape != guess.shape:
        raise ValueError(f"{true.size} true labels, but {guess.size} predictions")
    cells = np.bincount(classes * true + guess, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64, copy=False)


def mean_confusion(confusions: Sequence[Counts]) -> NDArray[np.float64]:
    """Return the mean of confusions of the same documents, as of several seeds.

    Raises ValueError where there is none, or where they are not of the same documents.
    """
    if not confusions:
        raise ValueError("there is no confusion to average")
    supports = [tuple(counts.sum(axis=1).tolist()) for counts in confusions]
    other = next((support for support in supports if support != supports[0]), None)
    if other is not None:
        raise ValueError(f"documents of each class: {supports[0]} in one, {other} in another")
    mean: NDArray[np.float64] = np.mean(np.stack(confusions), axis=0, dtype=np.float64)
    return mean


def per_class(confusion: Counts) -> tuple[ClassMeasure, ...]:
    """Return the measures of each class, by label; of a confusion or of a mean of some."""
    counts = confusion.astype(np.float64)
    hits, support, found = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    fractions = zip(
        _share(hits, found), _share(hits, support), _share(2 * hits, support + found), strict=True
    )
    return tuple(
        ClassMeasure(label, float(precision), float(recall), float(f1), round(support[label]))
        for label, (precision, recall, f1) in enumerate(fractions)
    )


def macro_f1(confusion: Counts) -> float:
    """Return the mean F1 of all classes, each counting the same; 0 to 1.

    A class that is neither true nor predicted of any document counts 0, as with scikit-learn's
    f1_score(labels=range(classes), average="macro", zero_division=0).
    """
    return float(np.mean([measure.f1 for measure in per_class(confusion)]))


def vote_shares(predictions: ArrayLike, classes: int) -> NDArray[np.float64]:
    """Return the share of the seeds that predict each class, (documents, classes).

    predictions: (seeds, documents) labels. Raises ValueError where there is no seed.
    """
    votes = _labels(predictions, classes)
    if votes.ndim != 2 or not len(votes):
        raise ValueError(f"predictions are (seeds, documents), but their shape is {votes.shape}")
    return np.stack([np.mean(votes == label, axis=0) for label in range(classes)], axis=1)


def majority_prediction(predictions: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Return the class that most seeds predict of each document, (documents,).

    Of equally many votes the lower label has them. predictions: (seeds, documents) labels.
    """
    winners: NDArray[np.int64] = vote_shares(predictions, classes).argmax(axis=1)
    return winners


def _labels(labels: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Return the labels as an array; raises ValueError where one is none of the classes."""
    array = np.asarray(labels, dtype=np.int64)
    bad = array[(array < 0) | (array >= classes)]
    if bad.size:
        raise ValueError(f"label {bad[0]} is not one of 0 to {classes - 1}")
    return array


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, and 0 where the whole is 0."""
    result: NDArray[np.float64] = part / np.where(whole == 0, 1, whole)
    return result
