"""How right each consensus of 25 annotators on 500 items is, and how long it takes.

    python benchmarks/aggregation.py

Crowds of several kinds, the truth known. Then the default method beside its plain way, a loop over
votes, which must come to the same. One thread.
"""

from __future__ import annotations

import argparse
from functools import partial
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from side_by_side import in_turns, require_agreement, say_times

from models_ml.core.aggregation import (
    ACCURACY_PRIOR,
    AGGREGATORS,
    SHARE_PRIOR,
    Votes,
    aggregate,
    one_coin,
    weighted,
)

CROWDS = {  # how often annotators are right, of what is to be accepted and to be rejected
    "careful (0.95)": [(0.95, 0.95)],
    "mixed (0.95, 0.75, 0.55)": [(0.95, 0.95), (0.75, 0.75), (0.55, 0.55)],
    "careless (0.8, two of three guess)": [(0.8, 0.8), (0.5, 0.5), (0.5, 0.5)],
    "generous (accept 0.95, reject 0.5)": [(0.95, 0.5)],
}
SHARE = 0.6  # of items to accept


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure aggregation.")
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--annotators", type=int, default=25)
    parser.add_argument("--asked", default="1,0.2", help="shares of items that each one judges")
    parser.add_argument("--crowds", type=int, default=20, help="of each kind")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{options.items} items, {options.annotators} annotators")
    print("crowd, share judged | method | right % | ms | times as long as majority")
    for asked in map(float, options.asked.split(",")):
        for name, accuracies in CROWDS.items():
            crowds = [
                simulated(
                    np.resize(accuracies, (options.annotators, 2)),
                    options.items,
                    asked=asked,
                    seed=seed,
                )
                for seed in range(options.crowds)
            ]
            compare(f"{name}, {asked:g}", crowds, rounds=options.rounds)
    _, votes = crowds[0]
    plain_s, ours_s = in_turns(
        lambda: plain_one_coin(votes), lambda: one_coin(votes), rounds=options.rounds
    )
    say_times(f"one_coin, {len(votes.item)} votes", plain_s=plain_s, ours_s=ours_s)
    difference = np.abs(plain_one_coin(votes) - one_coin(votes).posterior).max()
    require_agreement("posterior", float(difference), within=1e-9)


def simulated(
    accuracies: NDArray[np.float64], items: int, *, asked: float, seed: int
) -> tuple[NDArray[np.bool_], Votes]:
    """Return the truth, (items,), and votes of annotators who are right so often.

    accuracies: (annotators, 2), of items to accept and of items to reject.
    """
    generator = np.random.default_rng(seed)
    truth = generator.random(items) < SHARE
    item, annotator = np.nonzero(generator.random((items, len(accuracies))) < asked)
    right = generator.random(len(item)) < accuracies[annotator, 1 - truth[item]]
    return truth, Votes(item, annotator, truth[item] == right, items, len(accuracies))


def compare(name: str, crowds: list[tuple[NDArray[np.bool_], Votes]], *, rounds: int) -> None:
    """Print how right and how quick each method is on crowds of one kind."""
    _, first = crowds[0]
    seconds = in_turns(*(partial(aggregate, first, m) for m in AGGREGATORS), rounds=rounds)
    for method, taken in zip(AGGREGATORS, seconds, strict=True):
        rights = [right(aggregate(votes, method).posterior, truth) for truth, votes in crowds]
        print(
            f"{name} | {method} | {100 * mean(rights):.1f} | {1000 * taken:.1f} |"
            f" {taken / seconds[0]:.0f}"
        )


def right(posterior: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the share of items on the right side of ½; half a point where it is undecided."""
    return float(np.where(posterior == 0.5, 0.5, (posterior > 0.5) == truth).mean())


def plain_one_coin(votes: Votes) -> NDArray[np.float64]:
    """Return the posterior, (items,), by going from vote to vote; as many rounds as ours takes."""
    posterior = weighted(votes).posterior
    rows = list(zip(votes.item, votes.annotator, votes.accepted, strict=True))
    for _ in range(one_coin(votes).iterations):
        right = np.full(votes.annotators, ACCURACY_PRIOR[0] - 1.0)
        total = np.full(votes.annotators, sum(ACCURACY_PRIOR) - 2.0)
        for item, annotator, accepted in rows:
            right[annotator] += posterior[item] if accepted else 1 - posterior[item]
            total[annotator] += 1
        judged = {item for item, _, _ in rows}
        share = sum(posterior[item] for item in judged) + SHARE_PRIOR[0] - 1
        share /= len(judged) + sum(SHARE_PRIOR) - 2
        odds = np.full(votes.items, share / (1 - share))
        for item, annotator, accepted in rows:
            ratio = right[annotator] / (total[annotator] - right[annotator])
            odds[item] *= ratio if accepted else 1 / ratio
        posterior = np.array(
            [
                odds[item] / (1 + odds[item]) if item in judged else 0.5
                for item in range(votes.items)
            ]
        )
    return posterior


if __name__ == "__main__":
    main()
