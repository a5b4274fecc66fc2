"""The nearest words of a word, by exact cosine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models_ml.core.embeddings import Embedding, Side, WordIds

Real = TypeVar("Real", np.float32, np.float64)

_SCORES_PER_BLOCK = 2**22  # 16 MB
_ROWS_PER_BLOCK = 8192
ROUNDING = 1e-5  # more than a cosine in float32 can be wrong by


@dataclass(frozen=True)
class Neighbour:
    """A word and its cosine, -1 to 1, with the word that was asked about."""

    word_id: int
    cosine: float


def nearest(
    embedding: Embedding, word_ids: Sequence[int] | WordIds, *, k: int, side: Side
) -> list[list[Neighbour]]:
    """Return for each word the k words of one language with the highest cosine, highest first.

    Never the word itself and never a word whose vector is zero, for which there is no cosine;
    so fewer than k where a language is small, and none for a zero vector. Equal cosines are in
    the order of word ids. The search runs in float32 over blocks of the vocabulary, and all
    that come close are compared again in float64: the block's size changes nothing.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but is {k}")
    queries = np.asarray(word_ids, dtype=np.int64)
    candidates: list[list[WordIds]] = [[] for _ in queries]
    for ids, is_close in _close_words(embedding, queries, k=k, side=side):
        for query, row in enumerate(is_close):
            candidates[query].append(ids[row])
    return [
        best_of(embedding, queries[[query]], [np.concatenate(found)], k=k)[0]
        for query, found in enumerate(candidates)
    ]


def _close_words(
    embedding: Embedding, queries: WordIds, *, k: int, side: Side
) -> Iterator[tuple[WordIds, NDArray[np.bool_]]]:
    """Yield blocks of word ids, (block,), and which may be among the k best, (queries, block)."""
    unit_queries = unit(embedding.gather(queries))
    kth_best = np.full((len(queries), 1), -np.inf, dtype=np.float32)
    size = min(_ROWS_PER_BLOCK, max(1, _SCORES_PER_BLOCK // max(1, len(queries))))
    for first, rows in embedding.blocks(side, size):
        ids = first + np.arange(len(rows))
        cosines = unit_queries @ rows.T  # (queries, block)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        cosines /= np.where(lengths == 0, 1, lengths)  # fewer numbers to divide than in rows
        cosines[:, ~rows.any(axis=1)] = -np.inf
        cosines[queries[:, None] == ids] = -np.inf
        if len(rows) >= k:
            kth_here = np.partition(cosines, -k, axis=1)[:, -k, None]
            kth_best = np.maximum(kth_best, kth_here)
        yield ids, (cosines >= kth_best - ROUNDING) & np.isfinite(cosines)


def best_of(
    embedding: Embedding, queries: WordIds, candidates: Sequence[WordIds], *, k: int
) -> list[list[Neighbour]]:
    """Return for each query the k of its candidates with the highest cosine, by float64.

    A query whose vector is zero has none.
    """
    vectors = unit(embedding.gather(queries).astype(np.float64))  # (queries, dim)
    counts = [len(found) for found in candidates]
    ids = np.concatenate([_no_words(), *candidates])
    owners = np.repeat(np.arange(len(queries)), counts)
    # A sum along each row, not a matrix product: equal vectors get equal cosines to the bit.
    cosines = (unit(embedding.gather(ids).astype(np.float64)) * vectors[owners]).sum(axis=1)
    order = np.lexsort((ids, -cosines, owners))
    ids, cosines = ids[order], cosines[order]
    return [
        [Neighbour(int(ids[i]), float(cosines[i])) for i in range(first, first + min(k, count))]
        if vector.any()
        else []
        for first, count, vector in zip(np.cumsum([0, *counts[:-1]]), counts, vectors, strict=True)
    ]


def _no_words() -> WordIds:
    return np.empty(0, dtype=np.int64)


def unit(rows: NDArray[Real]) -> NDArray[Real]:
    """Return the rows at unit length; zero rows stay zero."""
    lengths: NDArray[Real] = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: NDArray[Real] = rows / lengths
    return unit
