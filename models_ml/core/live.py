"""Refining while somebody answers: what one keyword's answers change, and nothing else.

`refinement.refine` begins anew from all constraints. Here an open session keeps what it has solved:
an answer solves the connected part of the constraint graph that it touches, and the keywords still
to come are compared with the vocabulary as it stands, which is never copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, FloatMatrix, Side, WordIds
from models_ml.core.neighbours import Neighbour
from models_ml.core.realignment import (
    ANCHOR_WEIGHT,
    STIFFNESSES,
    Matrix,
    accepted_pairs,
    anchor_pairs,
    rotation,
)
from models_ml.core.refinement import (
    RefinementConfig,
    constraint_graph,
    similarity_cost,
    spectral_rows,
    with_lengths_of,
)
from models_ml.core.repeated_search import RepeatedSearch

TURNING = ("realign", "realign_spectral")
SOLVING = ("spectral", "realign_spectral")
LIVE_METHODS = ("realign", "realign_spectral", "spectral")
FEWEST_KEYWORDS = 5  # with accepted words of the other language, before the target side turns


@dataclass(frozen=True, eq=False)
class _Component:
    """Constraints that share words, and the rows that they move, solved.

    ids: (moved,) ascending. start, rows: (moved, 2 · dim) float64, before and after, source words
    in the left half and target words in the right: so the target side can turn afterwards, as the
    system is linear in where the words started.
    """

    constraints: tuple[Constraint, ...]
    ids: WordIds
    start: Matrix
    rows: Matrix


class LiveRefinement:
    """What one open session has answered so far, and the vectors that this makes.

    embedding: the current vectors, replaced by every answer; the base is never changed.

    For `spectral` they are those of `refine`. The turn of `realign` is made of the anchors and the
    accepted pairs at one stiffness (the configured one, or else the first of STIFFNESSES), without
    the held-out judgements that decide at the end whether to turn at all; before FEWEST_KEYWORDS
    keywords have accepted words of the other language it stays out.
    """

    def __init__(self, embedding: Embedding, config: RefinementConfig) -> None:
        """Raises ValueError for a method that has no live form."""
        if config.method not in LIVE_METHODS:
            raise ValueError(f"{config.method!r} cannot refine live; {', '.join(LIVE_METHODS)} can")
        self.embedding = embedding
        self._base, self._config = embedding, config
        self._answers: dict[int, tuple[Constraint, ...]] = {}
        self._components: list[_Component] = []
        self._prior = self._anchored() if config.method in TURNING else np.eye(embedding.dim)
        self._turn: FloatMatrix | None = None
        self._search = RepeatedSearch(embedding)

    @property
    def constraints(self) -> list[Constraint]:
        """Everything answered so far."""
        return [c for answers in self._answers.values() for c in answers]

    @property
    def answered(self) -> dict[int, tuple[Constraint, ...]]:
        """The constraints of each keyword that has any."""
        return dict(self._answers)

    def answer(self, keyword: int, constraints: Sequence[Constraint]) -> None:
        """Put these constraints in the place of what was said of a keyword before; none withdraws.

        Raises ValueError for a constraint of another keyword or an id outside the vocabulary.
        """
        for constraint in constraints:
            if constraint.keyword != keyword:
                raise ValueError(f"{constraint} is not about keyword {keyword}")
            self._base.word(constraint.neighbour)  # raises where it is none
        self._base.word(keyword)
        if tuple(constraints) == self._answers.get(keyword, ()):
            return
        self._answers.pop(keyword, None)
        if constraints:
            self._answers[keyword] = tuple(constraints)
        if self._config.method in SOLVING:
            self._solve_around(keyword, constraints)
        self._turn = self._rotation()
        self.embedding = self._moved()
        self._search.move(self.embedding, self._turn)

    def neighbours(self, word_ids: Sequence[int], *, k: int) -> dict[Side, list[list[Neighbour]]]:
        """Return for each word its k nearest of either language in the current vectors.

        They are those of `nearest(self.embedding, …)`; a word asked about again takes less time.
        """
        return {side: self._search.nearest(word_ids, k=k, side=side) for side in Side}

    # --- The vectors ---

    def _solve_around(self, keyword: int, constraints: Sequence[Constraint]) -> None:
        """Solve anew the components that a keyword was part of, or is now."""
        words = {keyword, *(c.neighbour for c in constraints)}
        touched = [c for c in self._components if not words.isdisjoint(c.ids.tolist())]
        affected = [c for part in touched for c in part.constraints if c.keyword != keyword]
        solved = [self._solve(part) for part in _components([*affected, *constraints])]
        self._components = [c for c in self._components if c not in touched] + solved

    def _solve(self, constraints: Sequence[Constraint]) -> _Component:
        ids, links = constraint_graph(constraints)
        own = self._base.gather(ids).astype(np.float64)
        is_target = (ids >= self._base.offset(Side.TARGET))[:, None]
        start = np.hstack([np.where(is_target, 0, own), np.where(is_target, own, 0)])
        strength = self._config.strength
        assert strength is not None  # methods that solve have one of their own
        rows = spectral_rows(similarity_cost(links), start, strength)
        return _Component(tuple(constraints), ids, start, rows)

    def _anchored(self) -> Matrix:
        """Return what holds the target side before anybody has answered, (dim, dim)."""
        chosen = self._config.regularization if self._config.method == "realign" else None
        stiffness = STIFFNESSES[0] if chosen is None else chosen
        anchors = anchor_pairs(self._base).correlation
        prior: Matrix = ANCHOR_WEIGHT * anchors + stiffness * np.eye(self._base.dim)
        return prior

    def _rotation(self) -> FloatMatrix | None:
        """Return the rotation of the target side; None where it does not turn."""
        if self._config.method not in TURNING:
            return None
        pairs = accepted_pairs(self._base, self.constraints)
        if len(np.unique(pairs.keywords)) < FEWEST_KEYWORDS:
            return None
        return rotation(self._prior + pairs.correlation).astype(np.float32)

    def _moved(self) -> Embedding:
        turn = self._turn
        whole = self._base if turn is None else self._base.mapped(turn)
        if not self._components:
            return whole
        ids = np.concatenate([c.ids for c in self._components])
        start, rows = (
            _turned(np.concatenate(parts), turn)
            for parts in (
                [c.start for c in self._components],
                [c.rows for c in self._components],
            )
        )
        return whole.moved(ids, with_lengths_of(start, rows).astype(np.float32))


def _components(constraints: Sequence[Constraint]) -> list[list[Constraint]]:
    """Return the constraints by connected component of their graph."""
    if not constraints:
        return []
    pairs = [(c.keyword, c.neighbour) for c in constraints]
    words, places = np.unique(pairs, return_inverse=True)
    ends = places.reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), tuple(ends)), shape=(len(words), len(words)))
    count, labels = connected_components(graph, directed=False)
    parts: list[list[Constraint]] = [[] for _ in range(count)]
    for constraint, label in zip(constraints, labels[ends[0]], strict=True):
        parts[label].append(constraint)
    return parts


def _turned(halves: Matrix, turn: FloatMatrix | None) -> Matrix:
    """Return rows, (n, dim), of their source and target halves, (n, 2 · dim), the latter turned."""
    source, target = np.hsplit(halves, 2)
    rows: Matrix = source + (target if turn is None else target @ turn)
    return rows
