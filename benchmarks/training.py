"""How long a training step takes by a classifier's definition, and by the quick way.

    python benchmarks/training.py DATASET

Both ways run in turns on the same batch of the dataset's source documents, so that a busy machine
slows both; one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models_ml.core.batches import CompactCorpus, compact
from models_ml.core.classifiers import KINDS, Classifier, ClassifierConfig, new_classifier
from models_ml.core.corpus import encode
from models_ml.core.dataset import load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.training import quick_forward

BATCH = 100  # documents
ROUNDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a training step in two ways.")
    parser.add_argument("dataset", type=Path)
    dataset = load_dataset(parser.parse_args().dataset)
    torch.set_num_threads(1)
    corpus = compact(encode(dataset.train, dataset.embedding, Side.SOURCE), dataset.embedding)
    print(f"{BATCH} of {len(corpus)} documents, {corpus.lengths.mean():.0f} tokens each,")
    print(f"vectors of {corpus.dim} dimensions, {len(corpus.word_ids)} word types")
    print("kind      definition      quick  ratio")
    for kind in KINDS:
        generator = torch.Generator().manual_seed(0)
        classes = len(dataset.project.labels)
        model = new_classifier(
            ClassifierConfig(kind), dim=corpus.dim, classes=classes, generator=generator
        )
        plain, quick = step_times(model, corpus)
        print(f"{kind:8} {plain:8.2f} ms {quick:8.2f} ms {plain / quick:6.1f}")


def step_times(model: Classifier, corpus: CompactCorpus) -> tuple[float, float]:
    """Return the median milliseconds of a forward and a backward pass, by definition and quick."""
    positions = np.arange(min(BATCH, len(corpus)))
    labels = torch.from_numpy(corpus.labels[positions])
    quick_logits = quick_forward(model, corpus)

    def plain_step() -> Tensor:
        logits: Tensor = model(*corpus.embedded(positions))
        return functional.cross_entropy(logits, labels)

    def quick_step() -> Tensor:
        return functional.cross_entropy(quick_logits(positions), labels)

    rounds = [(timed(plain_step), timed(quick_step)) for _ in range(ROUNDS)]
    plain, quick = zip(*rounds, strict=True)
    return median(plain), median(quick)


def timed(loss: Callable[[], Tensor]) -> float:
    """Return the milliseconds of a loss and its gradients."""
    started = time.perf_counter()
    torch.autograd.backward(loss())
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
