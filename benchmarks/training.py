"""How long the training of ten classifiers takes, and how long by the plain way.

    python benchmarks/training.py [DATASET] [--full]

Plain is what a textbook does: `Conv2d` over padded batches whose vectors are gathered each time,
one seed after another, with as many threads as torch likes. Ours is `training.fit`, a seed a core.
Both start from the same weights and see the documents in the same order. Without a dataset folder
the documents are synthetic: 550 of 300 tokens, vectors of 300 dimensions.

By default a few seeds and epochs are timed and scaled up, since time is linear in both; `--full`
times them all. Adam divides by a gradient's size, so float32's rounding of a gradient near zero
can move a weight by the whole learning rate, whichever way computes it. So what must agree is the
weights in float64; how far apart they are in float32 is only told.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from side_by_side import require_agreement, say_times, synthetic_corpus, timed
from torch import Tensor, nn
from torch.nn import functional

from models_ml.core.batches import CompactCorpus, compact, in_batches
from models_ml.core.classifiers import ClassifierConfig, KimCNN, new_classifier
from models_ml.core.convolution import valid_windows
from models_ml.core.corpus import encode
from models_ml.core.dataset import load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.evaluation import over_seeds
from models_ml.core.training import TrainingConfig, fit

SEEDS, EPOCHS = 10, 30
SETTINGS = TrainingConfig(
    epochs=EPOCHS, batch_size=100, clip=5.0, learning_rate=1e-3, scale_free=False
)
CLASSIFIER = ClassifierConfig("cnn", filters=100, widths=(3, 4, 5))
CORES = os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the training of ten classifiers.")
    parser.add_argument("dataset", type=Path, nargs="?", help="its source documents, not synthetic")
    parser.add_argument("--full", action="store_true", help=f"{SEEDS} seeds × {EPOCHS} epochs")
    parser.add_argument("--epochs", type=int, default=2, help="epochs timed (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="times a seed a core (%(default)s)")
    parser.add_argument("--plain-threads", type=int, help="torch's own choice if not given")
    parser.add_argument("--check-epochs", type=int, default=2, help="in float64 (%(default)s)")
    options = parser.parse_args()
    if options.plain_threads:  # on a busy machine one may be faster than torch's choice
        torch.set_num_threads(options.plain_threads)
    corpus, classes = read_corpus(options.dataset)
    print(f"{len(corpus)} documents, {corpus.lengths.mean():.0f} tokens each ", end="")
    print(f"(the longest {corpus.lengths.max()}), {corpus.dim} dimensions, {CORES} cores, ", end="")
    print(f"plain with {torch.get_num_threads()} threads")

    epochs = EPOCHS if options.full else options.epochs
    seeds = range(SEEDS if options.full else options.rounds * CORES)
    config = replace(SETTINGS, epochs=epochs)
    plain_s, ours_s, furthest = 0.0, 0.0, 0.0
    for first in range(0, len(seeds), CORES):
        some = seeds[first : first + CORES]
        plain, theirs = timed(partial(train_plainly, corpus, some, classes, config))
        ours, models = timed(partial(train_quickly, corpus, some, classes, config))
        print(f"  seeds {list(some)}, {epochs} epochs: plain {plain:.2f} s, ours {ours:.2f} s")
        plain_s, ours_s = plain_s + plain, ours_s + ours
        furthest = max(furthest, *map(difference, theirs, models))
    scale = (SEEDS / len(seeds)) * (EPOCHS / epochs)
    how = "measured" if options.full else f"scaled from {len(seeds)} × {epochs}"
    say_times(
        f"{SEEDS} seeds × {EPOCHS} epochs ({how})", plain_s=plain_s * scale, ours_s=ours_s * scale
    )
    print(f"weights after {epochs} epochs in float32: largest difference {furthest:.1e}")

    config = replace(SETTINGS, epochs=options.check_epochs)
    with double_precision():
        doubled = replace(corpus, matrix=cast(Any, corpus.matrix.astype(np.float64)))
        both = [way(doubled, [0], classes, config)[0] for way in (train_plainly, train_quickly)]
    require_agreement(
        f"weights after {options.check_epochs} epochs in float64", difference(*both), within=1e-5
    )


def read_corpus(folder: Path | None) -> tuple[CompactCorpus, int]:
    """Return the source documents of a dataset folder, or synthetic ones, and their classes."""
    if folder is None:
        return compact(*synthetic_corpus(550, tokens=300, dim=300)), 2
    dataset = load_dataset(folder)
    documents = encode(dataset.train, dataset.embedding, Side.SOURCE)
    return compact(documents, dataset.embedding), len(dataset.project.labels)


def train_quickly(
    corpus: CompactCorpus, seeds: Sequence[int], classes: int, config: TrainingConfig
) -> list[list[Tensor]]:
    """Return the weights of the classifier of each seed, a seed a core, one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def weights_of(seed: int) -> list[Tensor]:
        model = fit(corpus, classes=classes, classifier=CLASSIFIER, config=config, seed=seed)
        return list(model.state_dict().values())

    weights = list(over_seeds(weights_of, seeds, threads=CORES))
    torch.set_num_threads(threads)
    return weights


def train_plainly(
    corpus: CompactCorpus, seeds: Sequence[int], classes: int, config: TrainingConfig
) -> list[list[Tensor]]:
    """Return the same weights, one seed after another, each product split among the cores."""
    return [train_one_plainly(corpus, seed, classes, config) for seed in seeds]


def train_one_plainly(
    corpus: CompactCorpus, seed: int, classes: int, config: TrainingConfig
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = new_classifier(CLASSIFIER, dim=corpus.dim, classes=classes, generator=generator)
    assert isinstance(first, KimCNN)
    model, labels = PlainCNN(first), torch.from_numpy(corpus.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for _ in range(config.epochs):
        order = torch.randperm(len(corpus), generator=generator).numpy()
        for batch in in_batches(order, config.batch_size):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(*corpus.embedded(batch)), labels[batch])
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
    return model.weights()


class PlainCNN(nn.Module):
    """The classifier as its paper draws it: filters as high as a vector slide over a document."""

    def __init__(self, first: KimCNN) -> None:
        super().__init__()
        self.classifier = first.classifier
        self.convolutions = nn.ModuleList()
        for layer in first.convolutions:
            filters, dim, width = layer.weight.shape
            convolution = nn.Conv2d(1, filters, (width, dim))
            with torch.no_grad():
                convolution.weight.copy_(layer.weight.transpose(1, 2)[:, None])
                cast(Tensor, convolution.bias).copy_(cast(Tensor, layer.bias))
            self.convolutions.append(convolution)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        pooled = []
        for width, convolution in zip(CLASSIFIER.widths, self.convolutions, strict=True):
            filled = functional.pad(embedded, (0, 0, 0, max(width - embedded.shape[1], 0)))
            scores = convolution(filled[:, None])[:, :, :, 0]  # (batch, filters, windows)
            exists = valid_windows(lengths, width=width, windows=scores.shape[2])
            scores = functional.relu(scores.masked_fill_(~exists[:, None], 0))
            pooled.append(functional.max_pool1d(scores, scores.shape[2])[:, :, 0])
        logits: Tensor = self.classifier(torch.cat(pooled, dim=1))
        return logits

    def weights(self) -> list[Tensor]:
        """Return the weights in the order and shape of `KimCNN.state_dict`."""
        return [
            value[:, 0].transpose(1, 2) if value.dim() == 4 else value
            for value in self.state_dict().values()
        ]


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Return the largest difference between two classifiers' weights."""
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


@contextmanager
def double_precision() -> Iterator[None]:
    """Make new weights float64."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


if __name__ == "__main__":
    main()
