"""Documents as batches of tensors over the few words that they hold.

A corpus uses a small part of a vocabulary. Its own words are gathered once into a matrix that
stays in the processor's cache, and a token becomes a row of that matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, FloatMatrix, WordIds


@dataclass(frozen=True, eq=False)
class CompactCorpus:
    """Encoded documents and the vectors of their words.

    word_ids: (types,) ascending, each word of the corpus once.
    matrix: (1 + types, dim); row 0 is the zero vector of padding and unknown tokens.
    tokens: (documents, longest) rows of `matrix`, 0 past a document's end.
    lengths: (documents,), unknown tokens counted.
    labels: (documents,)
    """

    word_ids: WordIds
    matrix: FloatMatrix
    tokens: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    def batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        """Yield the positions of all documents in order, `size` at a time."""
        return in_batches(np.arange(len(self)), size)

    def tokens_of(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return tokens, (batch, longest of the batch), and lengths, (batch,)."""
        lengths = self.lengths[positions]
        tokens = self.tokens[positions, : lengths.max()]
        return torch.from_numpy(tokens), torch.from_numpy(lengths)

    def embedded(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return vectors, (batch, longest of the batch, dim), and lengths, (batch,)."""
        tokens, lengths = self.tokens_of(positions)
        return torch.from_numpy(self.matrix)[tokens], lengths


def in_batches(positions: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield the positions in their order, `size` at a time."""
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def compact(corpus: EncodedCorpus, embedding: Embedding) -> CompactCorpus:
    """Return the corpus over its own words' vectors; raises ValueError if it is empty."""
    if not len(corpus):
        raise ValueError("the corpus holds no document")
    lengths = np.array([len(ids) for ids in corpus.ids], dtype=np.int64)
    flat = np.concatenate(corpus.ids)
    word_ids = np.unique(flat[flat != OUT_OF_VOCABULARY])
    tokens = np.zeros((len(corpus), lengths.max()), dtype=np.int64)
    inside = np.arange(tokens.shape[1]) < lengths[:, None]
    tokens[inside] = np.where(flat == OUT_OF_VOCABULARY, 0, 1 + np.searchsorted(word_ids, flat))
    padding = np.zeros((1, embedding.dim), dtype=np.float32)
    matrix = np.concatenate([padding, embedding.gather(word_ids)])
    return CompactCorpus(word_ids, matrix, tokens, lengths, corpus.labels)
