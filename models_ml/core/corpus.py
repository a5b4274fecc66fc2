"""Documents: reading and checking JSON lines, and their words as word ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, Side, WordIds

UNLABELLED = -1


@dataclass(frozen=True)
class Document:
    """One tokenised text of a corpus; label is None where nobody labelled it."""

    id: int
    tokens: tuple[str, ...]
    label: int | None = None


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """Documents as word ids, ready for a classifier.

    ids: for each document its tokens' word ids, OUT_OF_VOCABULARY for unknown tokens.
    labels: (documents,), UNLABELLED where there is none.
    """

    ids: tuple[WordIds, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __add__(self, other: EncodedCorpus) -> EncodedCorpus:
        return EncodedCorpus(self.ids + other.ids, np.concatenate([self.labels, other.labels]))

    def select(self, positions: Sequence[int]) -> EncodedCorpus:
        """Return the documents at these positions, in that order."""
        return EncodedCorpus(
            tuple(self.ids[i] for i in positions), self.labels[np.asarray(positions, dtype=int)]
        )

    def labelled(self, labels: Sequence[int]) -> EncodedCorpus:
        """Return the same documents with other labels."""
        return EncodedCorpus(self.ids, np.asarray(labels, dtype=np.int64))


def encode(documents: Iterable[Document], embedding: Embedding, side: Side) -> EncodedCorpus:
    """Return the documents with each token as the id of that language's word."""
    index, offset = embedding.vectors(side).index, embedding.offset(side)
    ids, labels = [], []
    for document in documents:
        rows = (index.get(token) for token in document.tokens)
        ids.append(
            np.array([OUT_OF_VOCABULARY if r is None else offset + r for r in rows], dtype=np.int64)
        )
        labels.append(UNLABELLED if document.label is None else document.label)
    return EncodedCorpus(tuple(ids), np.array(labels, dtype=np.int64))
