"""What changed: neighbours, judged pairs and predictions by a refinement, accuracy by more work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models_ml.core.batches import compact
from models_ml.core.classifiers import Classifier
from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, Side, WordIds
from models_ml.core.neighbours import Neighbour, nearest, unit
from models_ml.core.significance import Untestable, welch
from models_ml.core.training import predict, quick_forward

TOLERANCE = 1e-3
"""Cosines that differ by less are called equal: rounding, and what no figure would show."""
_SURE = 0.05
_VARIANTS_PER_BATCH = 100


@dataclass(frozen=True)
class NeighbourChange:
    """A word's nearest words of one language before and after, the nearest first."""

    keyword: int
    side: Side
    before: tuple[Neighbour, ...]
    after: tuple[Neighbour, ...]

    @property
    def entered(self) -> tuple[int, ...]:
        """Ids of the words that are among the nearest only after, the nearest first."""
        known = {neighbour.word_id for neighbour in self.before}
        return tuple(n.word_id for n in self.after if n.word_id not in known)

    @property
    def left(self) -> tuple[int, ...]:
        """Ids of the words that are among the nearest only before, the nearest first."""
        known = {neighbour.word_id for neighbour in self.after}
        return tuple(n.word_id for n in self.before if n.word_id not in known)


@dataclass(frozen=True)
class PairMovement:
    """A judged pair's cosines before and after.

    is_against: whether it moved against its judgement, by more than the tolerance: accepted words
    farther apart, rejected ones closer.
    """

    keyword: int
    neighbour: int
    sign: int
    weight: float
    cosine_before: float
    cosine_after: float
    is_against: bool


@dataclass(frozen=True)
class MovementSummary:
    """How judged pairs moved, each counting the same whatever its weight.

    accepted, rejected: how many pairs; accepted_change, rejected_change: the mean change of their
    cosines; share_against: of all pairs. None where there is no such pair.
    """

    accepted: int
    rejected: int
    accepted_change: float | None
    rejected_change: float | None
    share_against: float | None


@dataclass(frozen=True)
class WordContribution:
    """What a word adds to the log-odds of a document's new prediction.

    before, after: with the base and with the refined classifier; contribution: after - before.
    """

    word_id: int
    contribution: float
    before: float
    after: float


@dataclass(frozen=True)
class ChangedPrediction:
    """A document with another prediction than before, and the words that did most for it."""

    position: int
    label_before: int
    label_after: int
    words: tuple[WordContribution, ...]


@dataclass(frozen=True)
class CurvePoint:
    """The accuracies, as of several seeds, that so many answers or documents led to."""

    items: int
    accuracies: tuple[float, ...]


def neighbour_changes(
    before: Embedding, after: Embedding, word_ids: Sequence[int] | WordIds, *, k: int
) -> list[NeighbourChange]:
    """Return how the k nearest words of each word changed, by word, source neighbours first.

    Raises ValueError for a k below 1, an id outside the vocabulary, or different vocabularies.
    """
    _check_same_words(before, after)
    sides = {
        side: zip(
            nearest(before, word_ids, k=k, side=side),
            nearest(after, word_ids, k=k, side=side),
            strict=True,
        )
        for side in Side
    }
    return [
        NeighbourChange(int(word_id), side, *map(tuple, next(sides[side])))
        for word_id in word_ids
        for side in Side
    ]


def pair_movements(
    before: Embedding,
    after: Embedding,
    constraints: Sequence[Constraint],
    *,
    tolerance: float = TOLERANCE,
) -> list[PairMovement]:
    """Return how each judged pair moved, in the order of the constraints.

    A word whose vector is zero has the cosine 0 with all. Raises ValueError for an id outside the
    vocabulary or different vocabularies.
    """
    _check_same_words(before, after)
    cosines = _cosines(before, constraints), _cosines(after, constraints)
    return [
        PairMovement(
            pair.keyword,
            pair.neighbour,
            pair.sign,
            pair.weight,
            cosine_before=float(first),
            cosine_after=float(second),
            is_against=bool(pair.sign * (second - first) < -tolerance),
        )
        for pair, first, second in zip(constraints, *cosines, strict=True)
    ]


def movement_summary(movements: Iterable[PairMovement]) -> MovementSummary:
    """Return the mean movements of accepted and of rejected pairs, and how many went wrong."""
    all_pairs = list(movements)
    accepted, rejected = (
        [m.cosine_after - m.cosine_before for m in all_pairs if m.sign == sign]
        for sign in (ACCEPTED, REJECTED)
    )
    against = [float(movement.is_against) for movement in all_pairs]
    return MovementSummary(
        len(accepted), len(rejected), _mean(accepted), _mean(rejected), _mean(against)
    )


def word_contributions(
    model_before: Classifier,
    model_after: Classifier,
    documents: EncodedCorpus,
    before: Embedding,
    after: Embedding,
    *,
    top: int = 5,
) -> list[ChangedPrediction]:
    """Return the documents whose prediction changed, each with the words that did it.

    By occlusion: what a word adds is by how much the log-odds of the new prediction, against all
    other classes, fall when all of its occurrences are removed; its contribution is what it adds
    with the refined classifier and vectors minus what it adds with the base ones. Up to `top`
    words, the greatest contribution first, none that is not above 0. There may be no word at all:
    retrained, a classifier also differs in what no single word shows. Contributions do not sum to
    the whole change. Raises ValueError for no document or different vocabularies.
    """
    _check_same_words(before, after)
    old = predict(model_before, documents, embedding=before).argmax(axis=1)
    new = predict(model_after, documents, embedding=after).argmax(axis=1)
    found = []
    for position in np.flatnonzero(old != new):
        label = int(new[position])
        types, variants = _without_each_word(documents.ids[position])
        added_before = _added(model_before, variants, embedding=before, label=label)
        added_after = _added(model_after, variants, embedding=after, label=label)
        words = _greatest(types, added_before, added_after, top=top)
        found.append(ChangedPrediction(int(position), int(old[position]), label, words))
    return found


def learning_curve_end(points: Sequence[CurvePoint]) -> int | None:
    """Return after how many items more did not help: the fewest that no later point beats.

    A later point beats one where its mean is above by Welch's one-sided test at 5 %. None where
    more may help still: only the last point is unbeaten; or where nothing can be said: a point
    with fewer than two accuracies, or fewer than two points. With few seeds only great gains are
    seen, so the end may come early. Raises ValueError where two points have as many items.
    """
    ordered = sorted(points, key=lambda point: point.items)
    items = [point.items for point in ordered]
    if len(set(items)) < len(items):
        raise ValueError(f"two points of the curve have as many items: {items}")
    if any(len(point.accuracies) < 2 for point in ordered):
        return None
    for place, point in enumerate(ordered[:-1]):
        if not any(_beats(later, point) for later in ordered[place + 1 :]):
            return point.items
    return None


def _beats(later: CurvePoint, earlier: CurvePoint) -> bool:
    result = welch(later.accuracies, earlier.accuracies, alternative="greater")
    if result.reason is Untestable.NO_SPREAD:
        return later.accuracies[0] > earlier.accuracies[0]
    return result.p_value is not None and result.p_value < _SURE


def _check_same_words(before: Embedding, after: Embedding) -> None:
    sizes = [(len(each.source), len(each.target)) for each in (before, after)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"source and target words: {sizes[0]} before, but {sizes[1]} after")


def _cosines(embedding: Embedding, pairs: Sequence[Constraint]) -> NDArray[np.float64]:
    """Return the cosine of each pair, (pairs,)."""
    keywords, neighbours = (
        unit(embedding.gather(np.array(ids, dtype=np.int64)).astype(np.float64))
        for ids in ([pair.keyword for pair in pairs], [pair.neighbour for pair in pairs])
    )
    cosines: NDArray[np.float64] = (keywords * neighbours).sum(axis=1)
    return cosines


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _without_each_word(ids: WordIds) -> tuple[WordIds, EncodedCorpus]:
    """Return a document's words, (types,), and the document: whole, then without each of them."""
    types = np.unique(ids[ids != OUT_OF_VOCABULARY])
    variants = (ids, *(ids[ids != word] for word in types))
    return types, EncodedCorpus(variants, np.zeros(len(variants), dtype=np.int64))


def _added(
    model: Classifier, variants: EncodedCorpus, *, embedding: Embedding, label: int
) -> NDArray[np.float64]:
    """Return what each word adds to the log-odds of a label, (types,).

    From logits: probabilities of a sure classifier are too close to 1 to tell apart.
    """
    words = compact(variants, embedding)
    logits_of = quick_forward(model, words)
    with torch.inference_mode():
        batches = [logits_of(batch) for batch in words.batches(_VARIANTS_PER_BATCH)]
        logits = torch.cat(batches).double()  # (1 + types, classes)
        others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)
        odds: NDArray[np.float64] = (logits[:, label] - others.logsumexp(dim=1)).numpy()
    added: NDArray[np.float64] = odds[0] - odds[1:]
    return added


def _greatest(
    types: WordIds, before: NDArray[np.float64], after: NDArray[np.float64], *, top: int
) -> tuple[WordContribution, ...]:
    """Return the words of the greatest contributions above 0, equal ones by word id."""
    contributions = after - before
    order = np.lexsort((types, -contributions))[:top]
    return tuple(
        WordContribution(int(types[i]), float(contributions[i]), float(before[i]), float(after[i]))
        for i in order
        if contributions[i] > 0
    )
