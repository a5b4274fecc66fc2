"""Bilingual word vectors: centring, and refined copies kept as deltas.

This module needs numpy alone, so that the import of a project does not load torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float32]
WordIds = NDArray[np.int64]

OUT_OF_VOCABULARY = -1
_ROWS_PER_BLOCK = 8192


class Side(StrEnum):
    """Which of the two languages a word belongs to."""

    SOURCE = "source"
    TARGET = "target"


@dataclass(frozen=True, eq=False)
class Vectors:
    """The words of one language, most frequent first, and a vector for each.

    matrix: (words, dim) float32; may be memory-mapped and is never written to.
    """

    words: Sequence[str]
    matrix: FloatMatrix

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of each word."""
        return {word: row for row, word in enumerate(self.words)}

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.words)


def _no_ids() -> WordIds:
    return np.empty(0, dtype=np.int64)


def _no_rows() -> FloatMatrix:
    return np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Embedding:
    """Two languages in one space, and the rows in which it differs from its base.

    A *word id* numbers the words of both languages: the source's rows come first, then the
    target's, so the same spelling in two languages is two words.

    moved_ids: (moved,) word ids, ascending, whose vectors were set one by one.
    moved_rows: (moved, dim) float32, their vectors.
    target_map: (dim, dim) float32, by which every other target row is multiplied from the right;
    None where the target side stands as it came.
    """

    source: Vectors
    target: Vectors
    moved_ids: WordIds = field(default_factory=_no_ids)
    moved_rows: FloatMatrix = field(default_factory=_no_rows)
    target_map: FloatMatrix | None = None

    def __post_init__(self) -> None:
        if self.source.dim != self.target.dim:
            raise ValueError(
                f"source vectors have {self.source.dim} dimensions, target's {self.target.dim}"
            )

    @property
    def dim(self) -> int:
        return self.source.dim

    def __len__(self) -> int:
        """Return the number of words of both languages."""
        return len(self.source) + len(self.target)

    def vectors(self, side: Side) -> Vectors:
        """Return the unrefined vectors of one language."""
        return self.source if side is Side.SOURCE else self.target

    def offset(self, side: Side) -> int:
        """Return the id of the first word of a language."""
        return 0 if side is Side.SOURCE else len(self.source)

    def word_id(self, word: str, side: Side) -> int:
        """Return the id of a word; raises ValueError where it is not in the vocabulary."""
        row = self.vectors(side).index.get(word)
        if row is None:
            raise ValueError(f"{word!r} is not in the {side} vocabulary")
        return self.offset(side) + row

    def word(self, word_id: int) -> tuple[Side, str]:
        """Return the language and spelling of a word id."""
        if not 0 <= word_id < len(self):
            raise ValueError(f"word id {word_id} is outside the vocabulary of {len(self)}")
        if word_id < len(self.source):
            return Side.SOURCE, self.source.words[word_id]
        return Side.TARGET, self.target.words[word_id - len(self.source)]

    def gather(self, ids: WordIds) -> FloatMatrix:
        """Return the (refined) vectors of word ids, shape (ids, dim), as a new array."""
        ids = np.asarray(ids, dtype=np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= len(self)):
            bad = ids[(ids < 0) | (ids >= len(self))][0]
            raise ValueError(f"word id {bad} is outside the vocabulary of {len(self)}")
        rows = np.empty((ids.size, self.dim), dtype=np.float32)
        in_source = ids < len(self.source)
        rows[in_source] = self.source.matrix[ids[in_source]]
        rows[~in_source] = self._in_space(
            Side.TARGET, self.target.matrix[ids[~in_source] - len(self.source)]
        )
        if self.moved_ids.size:
            place = np.searchsorted(self.moved_ids, ids)
            place[place == self.moved_ids.size] = 0
            is_moved = self.moved_ids[place] == ids
            rows[is_moved] = self.moved_rows[place[is_moved]]
        return rows

    def _in_space(self, side: Side, rows: FloatMatrix) -> FloatMatrix:
        """Return base rows of one language, (n, dim), by the map of its side."""
        if side is Side.SOURCE or self.target_map is None:
            return rows
        return rows @ self.target_map

    def matrix(self, side: Side) -> FloatMatrix:
        """Return all (refined) vectors of one language; the base itself where nothing moved."""
        base, offset = self.vectors(side), self.offset(side)
        mapped = self._in_space(side, base.matrix)
        here = (self.moved_ids >= offset) & (self.moved_ids < offset + len(base))
        if not here.any():
            return mapped
        refined = np.array(mapped)
        refined[self.moved_ids[here] - offset] = self.moved_rows[here]
        return refined

    def blocks(self, side: Side, size: int) -> Iterator[tuple[int, FloatMatrix]]:
        """Yield the (refined) vectors of one language, `size` at a time, each block with the id
        of its first word; only blocks in which something moved are made anew.
        """
        base, offset = self.vectors(side).matrix, self.offset(side)
        for start in range(0, len(base), size):
            block = self._in_space(side, base[start : start + size])
            first, last = np.searchsorted(
                self.moved_ids, [offset + start, offset + start + len(block)]
            )
            if first < last:
                block = np.array(block)
                block[self.moved_ids[first:last] - offset - start] = self.moved_rows[first:last]
            yield offset + start, block

    def moved(self, ids: Iterable[int] | WordIds, rows: FloatMatrix) -> Embedding:
        """Return an embedding in which the words `ids` have the vectors `rows`.

        ids: (n,) word ids, each once, in any order; rows: (n, dim). Earlier moves of other
        words are kept. Raises ValueError for a repeated id or a wrong shape.
        """
        ids = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.int64)
        if rows.shape != (ids.size, self.dim):
            raise ValueError(f"{ids.size} words of {self.dim} dimensions, but rows {rows.shape}")
        if np.unique(ids).size != ids.size:
            raise ValueError("a word is moved twice")
        kept = ~np.isin(self.moved_ids, ids)
        kept_rows = self.moved_rows[kept] if self.moved_ids.size else rows[:0]
        all_ids = np.concatenate([self.moved_ids[kept], ids])
        all_rows = np.concatenate([kept_rows, rows]).astype(np.float32, copy=False)
        order = np.argsort(all_ids, kind="stable")
        return replace(self, moved_ids=all_ids[order], moved_rows=all_rows[order])

    def mapped(self, target_map: FloatMatrix) -> Embedding:
        """Return an embedding with every target vector multiplied by a map, (dim, dim).

        Earlier maps and moves are kept: what they made is multiplied. Raises ValueError for a
        map of another shape.
        """
        if target_map.shape != (self.dim, self.dim):
            raise ValueError(f"a map of {self.dim} dimensions, but its shape is {target_map.shape}")
        target_map = target_map.astype(np.float32, copy=False)
        rows = self.moved_rows
        if rows.size:
            is_target = self.moved_ids >= len(self.source)
            rows = np.where(is_target[:, None], rows @ target_map, rows)
        earlier = self.target_map
        whole = target_map if earlier is None else earlier @ target_map
        return replace(self, moved_rows=rows, target_map=whole)


def centred_unit(matrix: FloatMatrix) -> FloatMatrix:
    """Return the vectors minus their mean, each brought to unit length; (words, dim) float32.

    A vector that equals the mean, as far as float32 can tell, has no direction: it stays zero.
    The mean is summed in float64, a block of rows at a time, so that memory stays small.
    """
    size = _ROWS_PER_BLOCK
    starts = range(0, len(matrix), size)
    sums = [matrix[i : i + size].sum(axis=0, dtype=np.float64) for i in starts]
    mean = np.sum(sums, axis=0) / len(matrix)
    no_length = np.finfo(np.float32).eps * np.linalg.norm(mean)
    centred = np.empty(matrix.shape, dtype=np.float32)
    for i in starts:
        rows = matrix[i : i + size] - mean  # (block, dim) float64
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows[lengths[:, 0] <= no_length] = 0
        centred[i : i + size] = rows / np.where(lengths <= no_length, 1, lengths)
    return centred
