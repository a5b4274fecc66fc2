"""Whether a keyword or a document is worth more per second: the paper's future work, as a bandit.

numpy alone: it runs in the web process, between two blocks of somebody's session.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

FEWEST_OBSERVATIONS = 2  # of a kind, before its worth is estimated at all
# What is believed of a kind before anything was observed: nothing is gained, give or take as much
# as 50 items that gain ten points do. Half an observation's weight.
PRIOR_MEAN, PRIOR_SPREAD, PRIOR_WEIGHT = 0.0, 10 / math.log1p(50), 0.5
FALLBACK_SECONDS = 30.0  # an item, where no past session was timed


class Kind(StrEnum):
    """What a block asks about."""

    KEYWORD = "keyword"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Observation:
    """What a past session of this project gained by its items of one kind.

    seconds: the time that they took, 0 where nobody knows; gain_points: of accuracy, in percentage
    points. Raises ValueError for an unknown kind, or numbers that cannot be.
    """

    kind: Kind
    items: int
    seconds: float
    gain_points: float

    def __post_init__(self) -> None:
        if self.kind not in tuple(Kind):
            raise ValueError(f"there is no kind {self.kind!r}, only {', '.join(Kind)}")
        if self.items < 0:
            raise ValueError(f"a session of {self.items} {self.kind}s")
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"a session that took {self.seconds} seconds")
        if not math.isfinite(self.gain_points):
            raise ValueError(f"a session that gained {self.gain_points} points")


@dataclass(frozen=True)
class Worth:
    """What the next block of a kind is thought to be worth.

    items: in the block, fewer where fewer are left. rate: points per unit of log(1 + items), the
    posterior's mean; sd its standard deviation; drawn the sample by which the kinds were compared.
    expected_points: of the whole block, by the drawn rate.
    """

    kind: Kind
    observations: int
    items: int
    rate: float
    sd: float
    drawn: float
    seconds_per_item: float
    expected_points: float
    points_per_minute: float


@dataclass(frozen=True)
class Decision:
    """The kind of the next block, why in a sentence, and what both kinds were thought worth."""

    kind: Kind
    reason: str
    worths: tuple[Worth, ...]


def decide(
    observations: Sequence[Observation],
    *,
    asked: Mapping[Kind, int],
    left: Mapping[Kind, int],
    block: int,
    seed: int,
) -> Decision:
    """Return what a session's next block is to ask about.

    asked, left: items of each kind that the session has asked, and could still ask. block: items in
    a block. Until each kind has FEWEST_OBSERVATIONS, the one asked less is next. Then Thompson
    sampling: a rate is drawn for each kind from what past sessions say of it, and the block worth
    more points per second is asked. Raises ValueError where nothing is left, or a block is empty.

    Source: Thompson 1933; Chapelle & Li 2011 for its use with uncertain means.
    """
    if block < 1:
        raise ValueError(f"a block of {block} items")
    open_kinds = [kind for kind in Kind if left.get(kind, 0) > 0]
    if not open_kinds:
        raise ValueError("no keyword and no document is left to ask about")
    if len(open_kinds) == 1:
        return Decision(open_kinds[0], f"Only {open_kinds[0]}s were left to ask about.", ())
    counts = {kind: sum(o.kind == kind and o.items > 0 for o in observations) for kind in Kind}
    if min(counts.values()) < FEWEST_OBSERVATIONS:
        return _alternate(counts, asked)
    chance = np.random.default_rng(seed)
    worths = tuple(
        _worth(
            kind,
            observations,
            asked=asked.get(kind, 0),
            block=min(block, left[kind]),
            chance=chance,
        )
        for kind in Kind
    )
    best = max(worths, key=lambda worth: worth.points_per_minute)
    other = next(worth for worth in worths if worth is not best)
    reason = (
        f"The next {best.items} {best.kind}s are worth {best.points_per_minute:.2f} points a "
        f"minute, the next {other.items} {other.kind}s {other.points_per_minute:.2f}, as drawn "
        f"from {best.observations} and {other.observations} past sessions."
    )
    return Decision(best.kind, reason, worths)


def _alternate(counts: Mapping[Kind, int], asked: Mapping[Kind, int]) -> Decision:
    """Return the kind that the session has asked about less: too little is known to compare."""
    kind = min(Kind, key=lambda one: asked.get(one, 0))
    reason = (
        f"Too little is known yet: {counts[Kind.KEYWORD]} past sessions tell what keywords gain, "
        f"{counts[Kind.DOCUMENT]} what documents gain, and each needs {FEWEST_OBSERVATIONS}. So "
        f"the kinds take turns."
    )
    return Decision(kind, reason, ())


def _worth(
    kind: Kind,
    observations: Sequence[Observation],
    *,
    asked: int,
    block: int,
    chance: np.random.Generator,
) -> Worth:
    """Return what a block is worth by a rate drawn from its posterior.

    The gain of n items is taken for rate · log(1 + n): each adds less than the one before.
    """
    own = [o for o in observations if o.kind == kind and o.items > 0]
    rate, sd = _posterior([o.gain_points / math.log1p(o.items) for o in own])
    drawn = float(chance.normal(rate, sd))
    per_item = _seconds_per_item(own, observations)
    points = drawn * (math.log1p(asked + block) - math.log1p(asked))
    return Worth(
        kind=kind,
        observations=len(own),
        items=block,
        rate=rate,
        sd=sd,
        drawn=drawn,
        seconds_per_item=per_item,
        expected_points=points,
        points_per_minute=60 * points / (per_item * block),
    )


def _seconds_per_item(own: Sequence[Observation], all_kinds: Sequence[Observation]) -> float:
    """Return the median seconds an item of timed sessions; of both kinds where this one has none.

    A session that nobody timed says nothing: were it taken for a quick one, its kind would always
    be the next.
    """
    for observations in (own, all_kinds):
        timed = [o.seconds / o.items for o in observations if o.items > 0 and o.seconds > 0]
        if timed:
            return float(np.median(timed))
    return FALLBACK_SECONDS


def _posterior(rates: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation of a kind's rate, a Normal one, given those observed.

    The spread between sessions is estimated with the prior's as one more observation of it, so that
    two sessions that happen to agree do not end all doubt.
    """
    values = np.array(rates)
    weight = PRIOR_WEIGHT + len(values)
    mean = (PRIOR_WEIGHT * PRIOR_MEAN + values.sum()) / weight
    spread = np.sqrt((PRIOR_SPREAD**2 + ((values - values.mean()) ** 2).sum()) / len(values))
    return float(mean), float(spread / np.sqrt(weight))
