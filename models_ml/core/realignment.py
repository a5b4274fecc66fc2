"""Turning the whole target language towards the source, by accepted pairs and by itself.

An annotator sees a tenth of the words that a classifier will read. A rotation of the target side
lets the others follow: every pair of languages is first held together by *anchors*, words that find
one another without anybody's help, and then by the pairs that a person accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models_ml.core.constraints import ACCEPTED, Constraint
from models_ml.core.embeddings import Embedding, FloatMatrix, Side
from models_ml.core.neighbours import unit

Matrix = NDArray[np.float64]

ANCHOR_WEIGHT = 0.1  # of an anchor, where an accepted pair weighs 1
STIFFNESSES = (1.0, 3.0, 10.0, 30.0)
FREQUENT_WORDS = 4_000  # of each language, among which anchors are sought
ANCHOR_ROUNDS = 10
_HUB_NEIGHBOURS = 10  # k of CSLS, as in its source
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Pairs:
    """Cross-lingual pairs by their unit vectors.

    keywords: (pairs,) word id under which each was judged; source, target: (pairs, dim);
    weights: (pairs,).
    """

    keywords: NDArray[np.int64]
    source: Matrix
    target: Matrix
    weights: Matrix

    def __len__(self) -> int:
        return len(self.keywords)

    def select(self, chosen: NDArray[np.bool_]) -> Pairs:
        return Pairs(
            self.keywords[chosen], self.source[chosen], self.target[chosen], self.weights[chosen]
        )

    @property
    def correlation(self) -> Matrix:
        """Return Σ weight · target sourceᵀ, (dim, dim)."""
        return (self.target * self.weights[:, None]).T @ self.source

    def cosines(self, target_map: Matrix) -> Matrix:
        """Return the cosine of each pair, (pairs,), once the map has turned its target word."""
        cosines: Matrix = ((self.target @ target_map) * self.source).sum(axis=1)
        return cosines


@dataclass(frozen=True)
class Evidence:
    """Why a realignment was applied or was not: what it does to pairs that it has not seen.

    keywords, pairs: with accepted words of the other language, and how many of these; anchors:
    words of either language that found one another. cosine_before, cosine_after: mean cosine of
    accepted pairs, each measured by a rotation made without its keyword; standard_error: of their
    difference, over keywords; None where there are too few. stiffness: the chosen pull to where
    the space was; anchor_weight: that of an anchor; None where nothing is applied.
    """

    keywords: int
    pairs: int
    anchors: int
    cosine_before: float | None = None
    cosine_after: float | None = None
    standard_error: float | None = None
    stiffness: float | None = None
    anchor_weight: float | None = None

    @property
    def is_applied(self) -> bool:
        return self.stiffness is not None


def realignment(
    embedding: Embedding, constraints: Sequence[Constraint], *, stiffness: float | None = None
) -> tuple[FloatMatrix | None, Evidence]:
    """Return the rotation of the target side, (dim, dim), and its evidence; None to leave it.

    The rotation is the orthogonal W that is nearest to μI + α Σ anchors t sᵀ + Σ accepted w t sᵀ,
    with t, s the unit vectors of a target and a source word (Schönemann 1966). μ and α are those,
    of a few, under which the accepted words of held-out keywords come closest to their keyword. No
    target label is asked. Where held-out pairs do not come closer by more than the standard error
    of that difference over keywords, or fewer than two keywords have such pairs, the space stays as
    it is. stiffness: a fixed μ.
    """
    pairs = accepted_pairs(embedding, constraints)
    anchors = anchor_pairs(embedding)
    choices = _choices(len(anchors), stiffness)
    by_anchors, stiff = anchors.correlation, np.eye(embedding.dim)
    candidates = [weight * by_anchors + pull * stiff for weight, pull in choices]
    before = _by_keyword(pairs, pairs.cosines(stiff))
    evidence = Evidence(keywords=len(before), pairs=len(pairs), anchors=len(anchors))
    if len(before) < 2:
        return None, evidence
    after = [_by_keyword(pairs, held_out_cosines(pairs, prior)) for prior in candidates]
    best = int(np.argmax([cosines.mean() for cosines in after]))
    gain = after[best] - before
    evidence = replace(
        evidence,
        cosine_before=float(before.mean()),
        cosine_after=float(after[best].mean()),
        standard_error=float(gain.std(ddof=1) / np.sqrt(len(gain))),
    )
    if gain.mean() <= evidence.standard_error:
        return None, evidence
    weight, pull = choices[best]
    turned = rotation(candidates[best] + pairs.correlation).astype(np.float32)
    return turned, replace(evidence, stiffness=pull, anchor_weight=weight)


def _choices(anchors: int, stiffness: float | None) -> list[tuple[float, float]]:
    """Return the weights of an anchor and the stiffnesses to choose from."""
    weights = (ANCHOR_WEIGHT, 0.0) if anchors else (0.0,)
    return list(product(weights, STIFFNESSES if stiffness is None else (stiffness,)))


def accepted_pairs(embedding: Embedding, constraints: Sequence[Constraint]) -> Pairs:
    """Return the accepted pairs of a source and a target word, whichever was the keyword."""
    first_target = embedding.offset(Side.TARGET)
    chosen = [
        (c.keyword, *sorted((c.keyword, c.neighbour)), c.weight)
        for c in constraints
        if c.sign == ACCEPTED
        and (c.keyword < first_target) != (c.neighbour < first_target)
        and c.weight > 0
    ]
    keywords, source, target = np.array([p[:3] for p in chosen], dtype=np.int64).reshape(-1, 3).T
    return Pairs(
        keywords,
        unit(embedding.gather(source).astype(np.float64)),
        unit(embedding.gather(target).astype(np.float64)),
        np.array([p[3] for p in chosen], dtype=np.float64),
    )


def rotation(correlation: Matrix) -> Matrix:
    """Return the orthogonal W that maximises tr(Wᵀ · correlation), (dim, dim)."""
    left, _, right = np.linalg.svd(correlation)
    turned: Matrix = left @ right
    return turned


def held_out_cosines(pairs: Pairs, prior: Matrix) -> Matrix:
    """Return the cosine of each pair, (pairs,), by a rotation made of other keywords' pairs.

    prior: (dim, dim), the correlation to which theirs is added. A keyword's fold follows from its
    word id's rank alone, so the result repeats.
    """
    _, ranks = np.unique(pairs.keywords, return_inverse=True)
    cosines = np.empty(len(pairs))
    for fold in range(min(_FOLDS, int(ranks.max()) + 1)):
        is_held = ranks % _FOLDS == fold
        turned = rotation(prior + pairs.select(~is_held).correlation)
        cosines[is_held] = pairs.select(is_held).cosines(turned)
    return cosines


def _by_keyword(pairs: Pairs, cosines: Matrix) -> Matrix:
    """Return the weighted mean cosine of each keyword's pairs, (keywords,)."""
    _, places = np.unique(pairs.keywords, return_inverse=True)
    means: Matrix = np.bincount(places, pairs.weights * cosines) / np.bincount(
        places, pairs.weights
    )
    return means


@lru_cache(maxsize=1)  # an experiment refines the same space many times
def anchor_pairs(embedding: Embedding) -> Pairs:
    """Return frequent words of both languages that find one another without anybody's help.

    The target side is turned by the pairs that are mutually nearest, new pairs are found, and so on
    until they stay (at most ANCHOR_ROUNDS times). Source: Artetxe, Labaka & Agirre 2017, with the
    criterion of `mutually_nearest`. Without an answer of an annotator this turns the space already:
    what annotators add is to be measured beside it.
    """
    source, target = (_frequent(embedding, side) for side in Side)
    turned = torch.from_numpy(target)
    found: tuple[NDArray[np.int64], NDArray[np.int64]] = (_nothing(), _nothing())
    for _ in range(ANCHOR_ROUNDS):
        latest = mutually_nearest(torch.from_numpy(source), turned)
        if all(np.array_equal(a, b) for a, b in zip(found, latest, strict=True)):
            break
        found = latest
        correlation = target[found[1]].T.astype(np.float64) @ source[found[0]]
        stiff = np.eye(embedding.dim) * STIFFNESSES[0]
        by_anchors = rotation(correlation * ANCHOR_WEIGHT + stiff)
        turned = torch.from_numpy(target @ by_anchors.astype(np.float32))
    rows, columns = found
    return Pairs(
        rows, source[rows].astype(float), target[columns].astype(float), np.ones(len(rows))
    )


def turned_by_anchors(embedding: Embedding) -> Embedding:
    """Return the embedding turned by its anchors alone: the control that asks nobody."""
    stiff = STIFFNESSES[0] * np.eye(embedding.dim)
    by_anchors = rotation(ANCHOR_WEIGHT * anchor_pairs(embedding).correlation + stiff)
    return embedding.mapped(by_anchors.astype(np.float32))


def _nothing() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


def _frequent(embedding: Embedding, side: Side) -> FloatMatrix:
    """Return the unit vectors of a language's most frequent words that have a direction."""
    count = min(FREQUENT_WORDS, len(embedding.vectors(side)))
    rows = unit(embedding.gather(embedding.offset(side) + np.arange(count)))
    return rows[rows.any(axis=1)]


def mutually_nearest(source: Tensor, target: Tensor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of source and target words that are each other's nearest, (pairs,) twice.

    source: (words, dim), target: (others, dim), unit length. Nearest by CSLS, 2cos − the mean
    cosine of either word with its ten nearest, which keeps hubs from being everybody's neighbour.
    Source: Conneau et al. 2018, section 2.3.
    """
    cosines = source @ target.T
    of_source, of_target = (
        scores.topk(min(_HUB_NEIGHBOURS, scores.shape[1]), dim=1).values.mean(dim=1)
        for scores in (cosines, cosines.T)
    )
    scores = cosines.mul_(2).sub_(of_source[:, None]).sub_(of_target)
    nearest_target, nearest_source = scores.argmax(dim=1), scores.argmax(dim=0)
    rows = np.flatnonzero((nearest_source[nearest_target] == torch.arange(len(source))).numpy())
    return rows, nearest_target.numpy()[rows]
