"""Words of a neighbourhood on a plane, before and after a refinement (Figure 5 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from models_ml.core.embeddings import FloatMatrix
from models_ml.core.neighbours import unit

Method = Literal["tsne", "pca"]
Plane = NDArray[np.float64]

FEWEST_WORDS = 8  # of fewer, t-SNE has no neighbourhoods to keep
_MOST_PERPLEXITY = 30.0
_ONE_POINT = 1e-9  # an extent that is but rounding: all words are in one place


@dataclass(frozen=True, eq=False)
class Projection:
    """Where the same words are before and after, (words, 2) each, on one plane.

    method: the one that was used: "pca" also where there were too few words for "tsne", or all
    in one place. The axes mean nothing; of "tsne" only who is near to whom does, of "pca"
    distances do as well.
    """

    before: Plane
    after: Plane
    method: Method


def project(
    before: FloatMatrix, after: FloatMatrix, *, method: Method = "tsne", seed: int = 0
) -> Projection:
    """Return words' places on one plane, fitted to both of their vectors together.

    before, after: (words, dim), a word in the same row of both; their lengths do not matter, as
    they do not to cosines. The same input gives the same bytes. Raises ValueError where there is
    no word, for different shapes, or for a number that is not finite.
    Source: Yuan et al. 2020, Figure 5; van der Maaten and Hinton 2008.
    """
    if before.shape != after.shape or before.ndim != 2 or not before.size:
        raise ValueError(f"no words, or not the same: {before.shape} before, {after.shape} after")
    stacked = np.concatenate([before, after]).astype(np.float64)
    if not np.isfinite(stacked).all():
        raise ValueError("a vector holds a number that is not finite")
    rows, words = unit(stacked), len(before)  # (2 words, dim)
    with threadpool_limits(limits=1):  # sums by several threads are rounded in another order
        plane = principal_plane(rows)
        if words < FEWEST_WORDS or np.ptp(plane[:, 0]) <= _ONE_POINT:
            method = "pca"
        if method == "tsne":
            plane = _tsne(rows, start=plane, seed=seed)
    return Projection(plane[:words], plane[words:], method)


def perplexity(points: int) -> float:
    """Return how many neighbours t-SNE looks for around each of so many points.

    A third of the others, at most 30, the usual value: with more, a small picture shows little
    but a ball. Half of the neighbours may be the words' own other selves.
    """
    return min(_MOST_PERPLEXITY, (points - 1) / 3)


def principal_plane(rows: NDArray[np.float64]) -> Plane:
    """Return the rows on their two directions of greatest variance, (n, 2).

    Zeros stand for a direction that does not exist. A direction points to where its largest
    coefficient is positive; singular value decompositions leave the sign to chance.
    """
    centred = rows - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    axes = directions[:2]  # (at most 2, dim)
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    plane = np.zeros((len(rows), 2))
    plane[:, : len(axes)] = centred @ (axes * np.where(largest < 0, -1, 1)).T
    return plane


def _tsne(rows: NDArray[np.float64], *, start: Plane, seed: int) -> Plane:
    """Return the rows' places by t-SNE over cosines, (n, 2), from the principal plane on.

    scikit-learn's own start by PCA is the same plane, but by a randomised decomposition. The
    exact gradient: a neighbourhood is too small for the trees of the approximate one to pay.
    """
    tsne: Any = TSNE(
        perplexity=perplexity(len(rows)),
        metric="cosine",
        init=1e-4 * start / start[:, 0].std(),
        method="exact",
        random_state=seed,
        n_jobs=1,
    )
    plane: Plane = tsne.fit_transform(rows).astype(np.float64)
    return plane
