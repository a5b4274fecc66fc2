"""Training documents once more, with keywords replaced by the target words accepted for them.

The classifier meets target words in the sentences where they would stand, labelled as their
document is; vectors stay as they are. Source: Qin et al. 2020, with judgements for a dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models_ml.core.constraints import ACCEPTED, Constraint
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding, Side, WordIds

COPIES = 2
SHARE = 0.7  # of a keyword's occurrences that are replaced in a copy


def _no_ids() -> WordIds:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Switches:
    """Which target word may stand for which keyword: word ids, (pairs,) each, by keyword."""

    keywords: WordIds = field(default_factory=_no_ids)
    words: WordIds = field(default_factory=_no_ids)

    def __len__(self) -> int:
        return len(self.keywords)


def switches_of(embedding: Embedding, constraints: Sequence[Constraint]) -> Switches:
    """Return the target words that were accepted for source keywords."""
    first_target = embedding.offset(Side.TARGET)
    pairs = sorted(
        {
            (c.keyword, c.neighbour)
            for c in constraints
            if c.sign == ACCEPTED and c.keyword < first_target <= c.neighbour and c.weight > 0
        }
    )
    keywords, words = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Switches(keywords, words)


def code_switched(corpus: EncodedCorpus, switches: Switches, *, seed: int) -> EncodedCorpus:
    """Return the corpus followed by COPIES of the documents in which a keyword stands.

    In a copy each occurrence of a keyword is replaced with probability SHARE, by any of its words
    alike. The same seed gives the same documents. Without switches, the corpus itself.
    """
    if not len(switches):
        return corpus
    generator = np.random.default_rng(seed)
    holds = [i for i, ids in enumerate(corpus.ids) if np.isin(ids, switches.keywords).any()]
    chosen = corpus.select(holds)
    copies = [
        EncodedCorpus(
            tuple(_switched(ids, switches, generator) for ids in chosen.ids), chosen.labels
        )
        for _ in range(COPIES)
    ]
    return sum(copies, corpus)


def _switched(ids: WordIds, switches: Switches, generator: np.random.Generator) -> WordIds:
    first = np.searchsorted(switches.keywords, ids)
    counts = np.searchsorted(switches.keywords, ids, side="right") - first
    draws = generator.random((2, len(ids)))
    is_switched = (counts > 0) & (draws[0] < SHARE)
    place = first + (draws[1] * counts).astype(np.int64)
    switched = ids.copy()
    switched[is_switched] = switches.words[place[is_switched]]
    return switched
