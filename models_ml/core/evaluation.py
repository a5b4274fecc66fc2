"""How accurate retrained classifiers are with a set of vectors: mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar

import numpy as np
import torch

from models_ml.core.batches import CompactCorpus, compact
from models_ml.core.classifiers import Classifier, ClassifierConfig
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding
from models_ml.core.significance import mean_interval
from models_ml.core.training import (
    KIM_CNN,
    SCALE_FREE,
    Progress,
    TrainingConfig,
    checked_labels,
    fit,
    predict_compact,
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Evaluation:
    """Accuracies, as fractions, of classifiers that differ by their seed only.

    std: sample standard deviation over seeds; 0 for a single seed.
    interval: 95 % Student t interval of the mean over seeds, None for a single seed. It tells
    nothing of the sampling error of the test documents, the same ones for every seed.
    """

    accuracies: tuple[float, ...]
    mean: float
    std: float
    interval: tuple[float, float] | None

    @classmethod
    def summary(cls, accuracies: Sequence[float]) -> Self:
        """Return the accuracies and their mean, std and interval; ValueError if there is none."""
        if not accuracies:
            raise ValueError("there is no accuracy to summarise")
        mean = float(np.mean(accuracies))
        if len(accuracies) == 1:
            return cls(tuple(accuracies), mean, 0.0, None)
        std = float(np.std(accuracies, ddof=1))
        return cls(tuple(accuracies), mean, std, mean_interval(accuracies))


def accuracy(classifier: Classifier, corpus: EncodedCorpus, *, embedding: Embedding) -> float:
    """Return the share of documents whose likeliest class is their label."""
    return _accuracy(classifier, compact(corpus, embedding))


def _accuracy(classifier: Classifier, corpus: CompactCorpus) -> float:
    labels = checked_labels(corpus.labels, classifier.classes).numpy()
    return float(np.mean(predict_compact(classifier, corpus).argmax(axis=1) == labels))


def evaluate(
    embedding: Embedding,
    train: EncodedCorpus,
    test: EncodedCorpus,
    *,
    classes: int,
    seeds: Sequence[int],
    classifier: ClassifierConfig = KIM_CNN,
    config: TrainingConfig = SCALE_FREE,
    threads: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the test accuracy of a classifier trained with each seed, after its last epoch.

    threads: how many seeds to train at the same time; the result does not depend on it.
    `progress` is told (seeds done, seeds). Raises ValueError for an empty corpus or a label
    outside the classes.
    """
    checked_labels(test.labels, classes)  # before the training, not after it
    of_seed = partial(
        _accuracy_of_seed,
        train=compact(train, embedding),
        test=compact(test, embedding),
        classes=classes,
        classifier=classifier,
        config=config,
    )
    accuracies = []
    for result in over_seeds(of_seed, seeds, threads=threads):
        accuracies.append(result)
        if progress:
            progress(len(accuracies), len(seeds))
    return Evaluation.summary(accuracies)


def over_seeds(
    function: Callable[[int], Result], seeds: Sequence[int], *, threads: int
) -> Iterator[Result]:
    """Yield the function's result for each seed, in their order."""
    if threads == 1:  # in this thread, where an interrupt takes effect at once
        yield from map(function, seeds)
        return
    # Torch splits sums among threads of its own; as many in each of ours give the same result.
    of_torch = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "seed", torch.set_num_threads, (of_torch,)) as pool:
        yield from pool.map(function, seeds)


def _accuracy_of_seed(
    seed: int,
    *,
    train: CompactCorpus,
    test: CompactCorpus,
    classes: int,
    classifier: ClassifierConfig,
    config: TrainingConfig,
) -> float:
    """Return the test accuracy of the classifier trained with this seed."""
    model = fit(train, classes=classes, classifier=classifier, config=config, seed=seed)
    return _accuracy(model, test)
