"""Which unlabelled documents are worth a person's label.

This module needs numpy alone, so that a page can offer the strategies by their names.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, FloatMatrix, centred_unit

STRATEGIES = ("entropy", "margin", "random")
UNCERTAINTY_SHARE = 0.5  # of a diverse choice; the rest is distance from what was chosen before
SHORTLIST = 5  # diverse documents are chosen among so many times as many of the most uncertain
_DECIMALS = 6  # features that agree in so many are those of one text


def choose(
    probabilities: NDArray[np.floating],
    count: int,
    *,
    strategy: str = "entropy",
    features: NDArray[np.floating] | None = None,
    diverse: bool = False,
    seed: int = 0,
) -> list[int]:
    """Return the positions of `count` documents to ask for, first first; all where there are fewer.

    probabilities: (documents, classes), what a classifier predicts of each.
    strategy: `entropy`, the least certain first; `margin`, those whose two likeliest classes are
    nearest to each other first; `random`, in an order that the seed draws. Ties by position.
    diverse: prefer documents unlike those chosen before, by `features`, (documents, dim) of unit
    length (or zero), as `document_features` gives them. Copies come only once all else is chosen.
    Raises ValueError for an unknown strategy, a negative count, or numbers that are not so.
    """
    if count < 0:
        raise ValueError(f"{count} documents cannot be chosen")
    uncertainty = _uncertainty(_checked_probabilities(probabilities), strategy, seed)
    order = np.argsort(-uncertainty, kind="stable")
    if diverse:
        order = _diversified(order, uncertainty, _checked_features(features, len(order)), count)
    return [int(position) for position in order[:count]]


def entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy of each predicted distribution in nats, (documents,).

    probabilities: (documents, classes)
    """
    p = probabilities.astype(np.float64)
    entropies: NDArray[np.float64] = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)
    return entropies


def margin(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return by how much the likeliest class of each document leads the second, (documents,)."""
    ascending = np.sort(probabilities.astype(np.float64), axis=1)
    margins: NDArray[np.float64] = ascending[:, -1] - ascending[:, -2]
    return margins


def document_features(corpus: EncodedCorpus, embedding: Embedding) -> FloatMatrix:
    """Return the mean vector of each document's known words, (documents, dim), for `choose`.

    What all documents share is taken away: the mean of all is subtracted before each is brought to
    unit length, since otherwise every text looks like every other.
    """
    means = np.zeros((len(corpus), embedding.dim), dtype=np.float32)
    for row, ids in enumerate(corpus.ids):
        known = ids[ids != OUT_OF_VOCABULARY]
        if known.size:
            means[row] = embedding.gather(known).mean(axis=0, dtype=np.float64)
    return centred_unit(means)


def _uncertainty(
    probabilities: NDArray[np.floating], strategy: str, seed: int
) -> NDArray[np.float64]:
    """Return how much each document is worth asking for, (documents,), from 0 to 1."""
    if strategy == "entropy":
        return entropy(probabilities) / math.log(probabilities.shape[1])
    if strategy == "margin":
        return 1 - margin(probabilities)
    if strategy == "random":
        return np.random.default_rng(seed).random(len(probabilities))
    raise ValueError(f"there is no strategy {strategy!r}, only {', '.join(STRATEGIES)}")


def _diversified(
    order: NDArray[np.intp],
    uncertainty: NDArray[np.float64],
    features: NDArray[np.floating],
    count: int,
) -> NDArray[np.intp]:
    """Return an order whose first `count` documents are uncertain and unlike one another.

    Maximal marginal relevance: each next document has the highest w·uncertainty − (1−w)·cosine to
    the nearest one chosen before (Carbonell & Goldstein 1998; for active learning Kim et al. 2006).
    """
    distinct, copies = _parted_copies(order, features)
    shortlist = distinct[: SHORTLIST * count]
    vectors = features[shortlist]
    worth = UNCERTAINTY_SHARE * uncertainty[shortlist]
    nearest = np.full(len(shortlist), -1.0)
    chosen: list[int] = []
    for _ in range(min(count, len(shortlist))):
        best = int(np.argmax(worth - (1 - UNCERTAINTY_SHARE) * nearest))
        chosen.append(best)
        worth[best] = -np.inf
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return np.concatenate([shortlist[chosen], copies])


def _parted_copies(
    order: NDArray[np.intp], features: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first document of each text, and all its copies, both in the order given."""
    rounded = np.round(features[order], _DECIMALS) + 0.0  # so that −0 is 0
    _, first = np.unique(rounded, axis=0, return_index=True)
    is_copy = np.ones(len(order), dtype=bool)
    is_copy[first] = False
    return order[~is_copy], order[is_copy]


def _checked_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the probabilities; raises ValueError where they are none of two or more classes."""
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities of shape {probabilities.shape}, not (documents, classes)")
    is_bad = ~((probabilities >= 0).all(axis=1) & (abs(probabilities.sum(axis=1) - 1) < 1e-3))
    if is_bad.any():
        position = int(np.argmax(is_bad))
        raise ValueError(f"document {position} has the probabilities {probabilities[position]}")
    return probabilities


def _checked_features(
    features: NDArray[np.floating] | None, documents: int
) -> NDArray[np.floating]:
    """Return the features; raises ValueError where they are not one direction for each document."""
    if features is None:
        raise ValueError("a diverse choice needs features, not None")
    if features.ndim != 2 or len(features) != documents:
        raise ValueError(f"{documents} documents, but features of shape {features.shape}")
    lengths = np.linalg.norm(features, axis=1)
    is_bad = ~((abs(lengths - 1) < 1e-3) | (lengths == 0))
    if is_bad.any():
        position = int(np.argmax(is_bad))
        raise ValueError(f"document {position} has features of the length {lengths[position]}")
    return features
