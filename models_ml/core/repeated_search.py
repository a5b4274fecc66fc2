"""Nearest words, asked for again and again in a space that moves a little at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_ml.core.embeddings import Embedding, FloatMatrix, Side, WordIds
from models_ml.core.neighbours import ROUNDING, Neighbour, best_of, nearest, unit

SET_ASIDE = 100  # words near a query, beyond those asked for
_ROWS_PER_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class _Near:
    """Words of one language set aside for a query, by their vectors as they came.

    ids: (words,). vector: (dim,), the query, turned, when they were chosen. farthest: the cosine
    then that no other word exceeded.
    """

    ids: WordIds
    vector: FloatMatrix
    farthest: float


class RepeatedSearch:
    """A search for nearest words that remembers where to look.

    Words near a query are set aside, more than are asked for. Asked again, the query is compared
    with these and with the words that have moved since, until it has gone so far that others might
    be nearer; then the whole language is searched again. The result is always exact, and the
    vocabulary is never copied.
    """

    def __init__(self, base: Embedding) -> None:
        self._base = self._space = base
        self._turn: FloatMatrix | None = None
        self._inverse_lengths = {side: _inverse_lengths(base, side) for side in Side}
        self._near: defaultdict[tuple[Side, int], dict[int, _Near]] = defaultdict(dict)

    def move(self, space: Embedding, turn: FloatMatrix | None) -> None:
        """Search in other vectors from now on: the base's, its target side multiplied by `turn`
        where there is one, (dim, dim) and orthogonal, and some words moved by themselves.
        """
        self._space, self._turn = space, turn

    def nearest(
        self, word_ids: Sequence[int] | WordIds, *, k: int, side: Side
    ) -> list[list[Neighbour]]:
        """Return for each word the k nearest of one language: those of `neighbours.nearest`."""
        if k < 1:
            raise ValueError(f"k must be at least 1, but is {k}")
        queries = np.asarray(word_ids, dtype=np.int64)
        found, is_sure = self._nearest_of_near(queries, k, side)
        if not is_sure.all():
            self._look_far(queries[~is_sure], k, side)
            again, is_sure_now = self._nearest_of_near(queries[~is_sure], k, side)
            for place, near, is_known in zip(
                np.flatnonzero(~is_sure), again, is_sure_now, strict=True
            ):
                # So many words as near as the k-th that those set aside do not hold them all.
                found[place] = near if is_known else self._plainly(queries[place], k, side)
        return found

    def _plainly(self, query: int, k: int, side: Side) -> list[Neighbour]:
        return nearest(self._space, [query], k=k, side=side)[0]

    def _nearest_of_near(
        self, queries: WordIds, k: int, side: Side
    ) -> tuple[list[list[Neighbour]], NDArray[np.bool_]]:
        """Return each query's k nearest of the words set aside for it and of those that moved, and
        whether no other word can be nearer, (queries,).
        """
        vectors, turned = self._query_vectors(queries, side)
        set_aside = [self._near[side, k].get(query) for query in queries.tolist()]
        known = np.flatnonzero([near is not None for near in set_aside])
        found: list[list[Neighbour]] = [[] for _ in queries]
        is_sure: NDArray[np.bool_] = np.logical_not(vectors.any(axis=1))  # zero: it has none
        if not known.size:
            return found, is_sure
        near = [one for one in set_aside if one is not None]
        ids, cosines = self._compared(queries[known], vectors[known], turned[known], near, side)
        kth_best = np.full(len(known), -np.inf, dtype=np.float32)
        if ids.shape[1] >= k:
            kth_best = np.partition(cosines, -k, axis=1)[:, -k]
        # |cos(q, t) - cos(p, t)| ≤ |q - p|: so much nearer a word can have come since it was not
        # set aside.
        drift = np.linalg.norm(turned[known] - np.stack([one.vector for one in near]), axis=1)
        farthest = np.array([one.farthest for one in near])
        is_sure[known] |= kth_best - ROUNDING >= farthest + drift
        is_close = (cosines >= kth_best[:, None] - ROUNDING) & (cosines > -np.inf)
        best = best_of(
            self._space,
            queries[known],
            [row[close] for row, close in zip(ids, is_close, strict=True)],
            k=k,
        )
        for place, words in zip(known, best, strict=True):
            found[place] = words
        return found, is_sure

    def _query_vectors(self, queries: WordIds, side: Side) -> tuple[FloatMatrix, FloatMatrix]:
        """Return the queries at unit length, (queries, dim), as they are and turned.

        The few queries are turned instead of the many words: cos(s, tW) = cos(sWᵀ, t).
        """
        vectors = unit(self._space.gather(queries))
        turn = self._turn if side is Side.TARGET else None
        return vectors, vectors if turn is None else vectors @ turn.T

    def _compared(
        self,
        queries: WordIds,
        vectors: FloatMatrix,
        turned: FloatMatrix,
        near: Sequence[_Near],
        side: Side,
    ) -> tuple[NDArray[np.int64], FloatMatrix]:
        """Return the words to compare each query with and their cosines, (queries, words) each;
        -inf where there is no cosine, or the word is the query.
        """
        space, offset = self._space, self._base.offset(side)
        ids = np.stack([one.ids for one in near])  # (queries, set aside)
        base = self._base.vectors(side).matrix[ids - offset]
        standing = np.einsum("qd,qwd->qw", self._as_base(turned, side), base)
        inverse = self._inverse_lengths[side][ids - offset]
        standing *= inverse
        standing[np.isin(ids, space.moved_ids) | (inverse == 0)] = -np.inf
        first, last = np.searchsorted(space.moved_ids, [offset, offset + len(space.vectors(side))])
        if first == last:
            standing[ids == queries[:, None]] = -np.inf
            return ids, standing
        rows = unit(space.moved_rows[first:last])
        moving = vectors @ rows.T  # (queries, moved)
        moving[:, ~rows.any(axis=1)] = -np.inf
        moved_ids = np.broadcast_to(space.moved_ids[first:last], moving.shape)
        ids, cosines = np.hstack([ids, moved_ids]), np.hstack([standing, moving])
        cosines[ids == queries[:, None]] = -np.inf
        return ids, cosines

    def _look_far(self, queries: WordIds, k: int, side: Side) -> None:
        """Set aside for each query the nearest words of a whole language, as they came."""
        _, turned = self._query_vectors(queries, side)
        base, offset = self._base.vectors(side).matrix, self._base.offset(side)
        cosines = self._as_base(turned, side) @ base.T  # (queries, words)
        cosines *= self._inverse_lengths[side]
        count = min(k + SET_ASIDE, len(base))
        chosen = np.argpartition(cosines, -count, axis=1)[:, -count:]
        farthest = np.take_along_axis(cosines, chosen, axis=1).min(axis=1)
        if count == len(base):
            farthest[:] = -np.inf  # there is no other word
        for query, rows, vector, cosine in zip(
            queries.tolist(), chosen, turned, farthest, strict=True
        ):
            self._near[side, k][query] = _Near(offset + rows, vector, float(cosine))

    def _as_base(self, turned: FloatMatrix, side: Side) -> FloatMatrix:
        """Return what to multiply the base's rows by, where the base had a map of its own."""
        earlier = self._base.target_map if side is Side.TARGET else None
        return turned if earlier is None else turned @ earlier.T


def _inverse_lengths(embedding: Embedding, side: Side) -> FloatMatrix:
    """Return one by the length of each row of a language, (words,); 0 for a zero row."""
    blocks = embedding.blocks(side, _ROWS_PER_BLOCK)
    lengths = np.concatenate([np.linalg.norm(rows, axis=1) for _, rows in blocks])
    inverse: FloatMatrix = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths != 0)
    return inverse
