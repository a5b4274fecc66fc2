"""How long the salience of 20,000 documents takes, beside an epoch of training and the plain way.

    python benchmarks/salience.py

Plain is the definition: one document at a time, its loss differentiated at its vectors. It runs on
a sample of the documents, of which salience must come out the same both ways. One thread.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from side_by_side import in_turns, require_agreement, say_times, synthetic_corpus
from torch.nn import functional

from models_ml.core.batches import compact
from models_ml.core.classifiers import KINDS, Classifier, ClassifierConfig
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding
from models_ml.core.salience import inverse_document_frequency, salience
from models_ml.core.training import TrainingConfig, fit, train

EPOCH = TrainingConfig(epochs=1, batch_size=100)
CLASSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Time salience.")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--tokens", type=int, default=50)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--sample", type=int, default=500, help="documents of the plain way")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    corpus, embedding = synthetic_corpus(options.documents, tokens=options.tokens, dim=options.dim)
    sample = corpus.select(range(options.sample))
    print(f"{len(corpus)} documents of about {options.tokens} tokens, {options.dim} dimensions")
    for kind in KINDS:
        config = ClassifierConfig(kind)
        compare(config, corpus, sample, embedding, rounds=options.rounds)


def compare(
    config: ClassifierConfig,
    corpus: EncodedCorpus,
    sample: EncodedCorpus,
    embedding: Embedding,
    *,
    rounds: int,
) -> None:
    """Print the times of one kind of classifier; end the benchmark if the ways disagree."""
    words = compact(corpus, embedding)
    # A few epochs, so that the classifier has something to be sure of.
    model = train(
        sample,
        embedding=embedding,
        classes=CLASSES,
        classifier=config,
        config=replace(EPOCH, epochs=5),
        seed=0,
    )
    epoch_s, all_s, ours_s, plain_s = in_turns(
        lambda: fit(words, classes=CLASSES, classifier=config, config=EPOCH, seed=0),
        lambda: salience(model, corpus, embedding=embedding),
        lambda: salience(model, sample, embedding=embedding),
        lambda: plain_salience(model, sample, embedding),
        rounds=rounds,
    )
    print(f"{config.kind}: an epoch of training {epoch_s:.2f} s, salience {all_s:.2f} s, ", end="")
    print(f"{all_s / epoch_s:.2f} of the epoch")
    say_times(f"{config.kind}, {len(sample)} documents", plain_s=plain_s, ours_s=ours_s)
    double = model.double()
    precise = plain_salience(double, sample, embedding)
    _, ours = salience(model.float(), sample, embedding=embedding)
    require_agreement(
        f"{config.kind}, relative to the largest",
        float(np.abs(ours - precise).max() / precise.max()),
        within=1e-5,
    )


def plain_salience(
    model: Classifier, corpus: EncodedCorpus, embedding: Embedding
) -> NDArray[np.float64]:
    """Return the salience of the corpus's words, (types,), by its definition."""
    words = compact(corpus, embedding)
    matrix = torch.from_numpy(words.matrix).to(next(model.parameters()).dtype)
    sums = np.zeros(len(matrix))
    for tokens, length, label in zip(words.tokens, words.lengths, words.labels, strict=True):
        rows = tokens[:length]
        embedded = matrix[rows].requires_grad_()
        logits = model(embedded[None], torch.tensor([length]))
        loss = functional.cross_entropy(logits, torch.tensor([label]))
        (gradient,) = torch.autograd.grad(loss, embedded)
        np.add.at(sums, rows, gradient.norm(dim=1).numpy())
    return sums[1:] * inverse_document_frequency(words)


if __name__ == "__main__":
    main()
