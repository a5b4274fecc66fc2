"""Training classifiers on labelled documents, and what they predict of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name torch's own pages use
from torch.nn.utils import clip_grad_norm_

from models_ml.core.batches import CompactCorpus, compact, in_batches
from models_ml.core.classifiers import (
    Averaging,
    Classifier,
    ClassifierConfig,
    KimCNN,
    mean_vectors,
    new_classifier,
)
from models_ml.core.convolution import best_windows
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding

Progress = Callable[[int, int], object]
"""Called now and then with how much is done and how much there is."""


@dataclass(frozen=True)
class TrainingConfig:
    """Adam with its default moments; clip is the largest norm of a step's whole gradient.

    scale_free: whether vectors are read at the scale at which the root mean square length of the
    training tokens is 1, so that the length of all vectors together decides nothing.
    """

    epochs: int = 30
    batch_size: int = 100
    clip: float = 5.0
    learning_rate: float = 1e-3
    scale_free: bool = True


KIM_CNN = ClassifierConfig()
SCALE_FREE = TrainingConfig()
PAPER_TRAINING = TrainingConfig(scale_free=False)


def train(
    corpus: EncodedCorpus,
    *,
    embedding: Embedding,
    classes: int,
    classifier: ClassifierConfig = KIM_CNN,
    config: TrainingConfig = SCALE_FREE,
    seed: int,
    progress: Progress | None = None,
) -> Classifier:
    """Return a classifier trained with mean cross-entropy over the frozen embedding.

    The seed draws the first weights and the order of each epoch's documents. `progress` is told
    (epochs done, epochs). Raises ValueError for an empty corpus or a label outside the classes.
    """
    return fit(
        compact(corpus, embedding),
        classes=classes,
        classifier=classifier,
        config=config,
        seed=seed,
        progress=progress,
    )


def fit(
    corpus: CompactCorpus,
    *,
    classes: int,
    classifier: ClassifierConfig,
    config: TrainingConfig,
    seed: int,
    progress: Progress | None = None,
) -> Classifier:
    """Return the classifier that `train` returns, from a corpus that holds its own vectors."""
    labels = checked_labels(corpus.labels, classes)
    generator = torch.Generator().manual_seed(seed)
    model = new_classifier(classifier, dim=corpus.dim, classes=classes, generator=generator)
    scale = input_scale(corpus) if config.scale_free else 1.0
    logits_of = quick_forward(model, replace(corpus, matrix=corpus.matrix * np.float32(scale)))
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for epoch in range(config.epochs):
        order = torch.randperm(len(corpus), generator=generator).numpy()
        for batch in in_batches(order, config.batch_size):
            optimizer.zero_grad()
            loss = F.cross_entropy(logits_of(batch), labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
        if progress:
            progress(epoch + 1, config.epochs)
    model.read_scaled(scale)
    return model


def input_scale(corpus: CompactCorpus) -> float:
    """Return by what to multiply vectors so that tokens have a root mean square length of 1.

    Unknown tokens and words whose vector is zero are not counted; 1 where there are no others.
    """
    squares = np.square(corpus.matrix, dtype=np.float64).sum(axis=1)[corpus.tokens]
    known = squares[squares > 0]
    return float(known.mean() ** -0.5) if known.size else 1.0


def checked_labels(labels: NDArray[np.int64], classes: int) -> Tensor:
    """Return the labels, (documents,); raises ValueError where one is none of the classes."""
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if bad.size:
        raise ValueError(
            f"document {bad[0]} has the label {labels[bad[0]]}, not one of 0 to {classes - 1}"
        )
    return torch.from_numpy(labels)


def quick_forward(
    model: Classifier, corpus: CompactCorpus
) -> Callable[[NDArray[np.int64]], Tensor]:
    """Return a function from documents' positions to their logits, as `model.forward` gives them.

    What does not depend on the weights is done once, or once per word type of a batch. Raises
    ValueError where the classifier was trained for vectors of another size.
    """
    check_dimensions(model, corpus)
    matrix = torch.from_numpy(corpus.matrix)
    if isinstance(model, Averaging):
        sums = F.embedding_bag(torch.from_numpy(corpus.tokens), matrix, mode="sum")
        means = mean_vectors(sums, torch.from_numpy(corpus.lengths))
        return lambda positions: model.from_means(means[positions])
    assert isinstance(model, KimCNN)

    def convolved(positions: NDArray[np.int64]) -> Tensor:
        tokens, lengths = corpus.tokens_of(positions)
        weights = [layer.weight for layer in model.convolutions]
        return model.from_best_windows(best_windows(weights, matrix, tokens, lengths))

    return convolved


def check_dimensions(model: Classifier, corpus: CompactCorpus) -> None:
    """Raise ValueError where a classifier was trained for vectors of another size."""
    if model.dim != corpus.dim:
        raise ValueError(
            f"the classifier reads vectors of {model.dim} dimensions, these have {corpus.dim}"
        )


def predict(
    classifier: Classifier, corpus: EncodedCorpus, *, embedding: Embedding, batch_size: int = 100
) -> NDArray[np.float32]:
    """Return class probabilities, (documents, classes); raises ValueError for an empty corpus."""
    return predict_compact(classifier, compact(corpus, embedding), batch_size=batch_size)


def predict_compact(
    classifier: Classifier, corpus: CompactCorpus, *, batch_size: int = 100
) -> NDArray[np.float32]:
    """Return what `predict` returns, from a corpus that holds its own vectors."""
    logits_of = quick_forward(classifier, corpus)
    with torch.inference_mode():
        logits = torch.cat([logits_of(batch) for batch in corpus.batches(batch_size)])
        return F.softmax(logits, dim=1).numpy()
