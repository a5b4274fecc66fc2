"""What a crowd's consensus buys, by how its weights are made of the posterior.

    python benchmarks/consensus.py DATASET [--crowds 3] [--seeds 5] --out cells.jsonl

Crowds of simulated annotators judge the pairs that they are shown; `one_coin` makes one posterior
of their votes; the default refinement takes it as constraints, weighted in several ways. `each
alone` refines by single annotators of the crowd. A cell that stands in the file already is not run
again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray

from models_ml.core.aggregation import AGGREGATORS, Votes, aggregate, constraint_weights
from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.core.corpus import encode
from models_ml.core.dataset import Dataset, load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.evaluation import evaluate
from models_ml.core.refinement import RefinementConfig, refine
from models_ml.core.salience import rank_keywords
from models_ml.core.simulation import SimulatedAnnotator, feedback_for, read_annotator
from models_ml.core.training import KIM_CNN, SCALE_FREE, train

KEYWORDS = 50
NEIGHBOURS = 5  # in each language
CROWDS = {  # noise of each annotator
    "25 of 0, 0.1, 0.3": [0.0] * 9 + [0.1] * 8 + [0.3] * 8,
    "3 of 0, 0.1, 0.3": [0.0, 0.1, 0.3],
    "3 of 0.3": [0.3] * 3,
    "5 of 0.4": [0.4] * 5,
}
LONGEST_LOG_ODDS = 4.0

Floats = NDArray[np.float64]
Pair = tuple[int, int]


def sign_only(posterior: Floats) -> Floats:
    return np.sign(constraint_weights(posterior))


def sign_where_sure(posterior: Floats) -> Floats:
    weights = constraint_weights(posterior)
    return np.where(np.abs(weights) < 0.5, 0, np.sign(weights))


def clipped_log_odds(posterior: Floats) -> Floats:
    """Return the log-odds, at most 4 either way, so divided that the surest weigh 1."""
    with np.errstate(divide="ignore"):
        log_odds = np.log(posterior) - np.log1p(-posterior)
    return log_odds.clip(-LONGEST_LOG_ODDS, LONGEST_LOG_ODDS) / LONGEST_LOG_ODDS


WEIGHTINGS: dict[str, Callable[[Floats], Floats]] = {
    "2p - 1": constraint_weights,
    "sign": sign_only,
    "sign where sure": sign_where_sure,
    "log-odds": clipped_log_odds,
}
ALONE = "each alone"


@dataclass(frozen=True)
class Bench:
    """What all crowds share: documents, the keywords shown, and whose knowledge it is."""

    dataset: Dataset
    keywords: list[int]
    seeds: int

    @classmethod
    def of(cls, dataset: Dataset, seeds: int) -> Bench:
        documents = encode(dataset.train, dataset.embedding, Side.SOURCE)
        first = train(
            documents,
            embedding=dataset.embedding,
            classes=len(dataset.project.labels),
            classifier=KIM_CNN,
            config=SCALE_FREE,
            seed=0,
        )
        ranked = rank_keywords(first, documents, embedding=dataset.embedding)
        return cls(dataset, [keyword.word_id for keyword in ranked[:KEYWORDS]], seeds)

    def answers(self, noise: Sequence[float], crowd: int) -> list[list[Constraint]]:
        """Return what each annotator of a crowd says; no two crowds share a seed."""
        knowledge = read_annotator(self.dataset.folder / "annotator.tsv")
        people = (
            SimulatedAnnotator(knowledge, each, seed=1 + 100 * crowd + place)
            for place, each in enumerate(noise)
        )
        return [
            feedback_for(self.keywords, self.dataset.embedding, k=NEIGHBOURS, annotator=person)
            for person in people
        ]

    def accuracy(self, constraints: Sequence[Constraint]) -> float:
        """Return the mean test accuracy after refinement by the constraints."""
        refinement = refine(self.dataset.embedding, constraints, config=RefinementConfig())
        assert self.dataset.test is not None
        return evaluate(
            refinement.embedding,
            encode(self.dataset.train, self.dataset.embedding, Side.SOURCE),
            encode(self.dataset.test, self.dataset.embedding, Side.TARGET),
            classes=len(self.dataset.project.labels),
            seeds=range(self.seeds),
        ).mean


def votes_on_pairs(answers: Sequence[Sequence[Constraint]]) -> tuple[list[Pair], Votes]:
    """Return the pairs that anybody judged, ascending, and the votes on them."""
    rows = [(c.keyword, c.neighbour, who, c.sign) for who, of in enumerate(answers) for c in of]
    pairs = sorted({row[:2] for row in rows})
    place = {pair: number for number, pair in enumerate(pairs)}
    item = np.array([place[row[:2]] for row in rows])
    who, sign = np.array([row[2:] for row in rows]).T
    return pairs, Votes(item, who, sign == ACCEPTED, len(pairs), len(answers))


def weighted_pairs(pairs: Sequence[Pair], weights: Floats) -> list[Constraint]:
    return [
        Constraint(keyword, neighbour, ACCEPTED if weight > 0 else REJECTED, abs(float(weight)))
        for (keyword, neighbour), weight in zip(pairs, weights, strict=True)
        if weight
    ]


def cells(bench: Bench, name: str, crowd: int) -> Iterator[tuple[str, list[list[Constraint]]]]:
    """Yield what is measured of a crowd, and the constraints, several where their mean counts."""
    answers = bench.answers(CROWDS[name], crowd)
    pairs, votes = votes_on_pairs(answers)
    posterior = aggregate(votes).posterior
    for way, weigh in WEIGHTINGS.items():
        yield way, [weighted_pairs(pairs, weigh(posterior))]
    yield ALONE, answers[:: max(1, len(answers) // 5)]


def share_right(bench: Bench, name: str, crowd: int, method: str) -> float:
    """Return the share of shown pairs that the consensus answers as one who never errs would."""
    (truth,) = bench.answers([0.0], 0)
    true_sign = {(c.keyword, c.neighbour): c.sign for c in truth}
    pairs, votes = votes_on_pairs(bench.answers(CROWDS[name], crowd))
    signs = np.sign(constraint_weights(aggregate(votes, method).posterior))
    right = [
        (1 + float(sign) * true_sign[pair]) / 2
        for pair, sign in zip(pairs, signs, strict=True)
        if pair in true_sign
    ]
    return mean(right)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what consensus weights are worth.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--crowds", type=int, default=3, help="of each kind")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    known: dict[str, float] = {}
    if options.out.exists():
        known = dict(json.loads(line) for line in options.out.read_text().splitlines())
    bench = Bench.of(load_dataset(options.dataset), options.seeds)
    for crowd in range(options.crowds):
        for name in CROWDS:
            for way, sets in cells(bench, name, crowd):
                key = f"{name} | {way} | {crowd}"
                if key in known:
                    continue
                known[key] = mean(bench.accuracy(constraints) for constraints in sets)
                print(key, f"{100 * known[key]:.1f}", flush=True)
                with options.out.open("a") as file:
                    file.write(json.dumps([key, known[key]]) + "\n")
    print(f"Base {100 * bench.accuracy([]):.1f}")
    show(bench, known, options.crowds)


def show(bench: Bench, known: dict[str, float], crowds: int) -> None:
    """Print the mean accuracies over crowds, and how often each method's consensus is right."""
    for name in CROWDS:
        for way in (*WEIGHTINGS, ALONE):
            values = [100 * known[f"{name} | {way} | {crowd}"] for crowd in range(crowds)]
            print(f"{name} | {way} | {mean(values):.1f} | {min(values):.1f} to {max(values):.1f}")
        for method in AGGREGATORS:
            rights = [share_right(bench, name, crowd, method) for crowd in range(crowds)]
            print(f"{name} | {method} is right | {100 * mean(rights):.1f}")


if __name__ == "__main__":
    main()
