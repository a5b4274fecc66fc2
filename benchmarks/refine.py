"""How long a refinement takes: the exact solve beside the paper's descent, and both beside a check.

    python benchmarks/refine.py [--words 200000] [--dim 300] [--constraints 2000]

Random vectors of two languages, and keywords with ten judgements each. The paper's descent is the
plain way to the paper's cost; `spectral` is checked against a dense solve of its own system. One
thread; the descent runs a tenth of its steps and its seconds are multiplied.
"""

from __future__ import annotations

import argparse
import tracemalloc
import warnings

import numpy as np
import torch
from side_by_side import in_turns, require_agreement, say_times, timed, unit_rows

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, Vectors
from models_ml.core.realignment import anchor_pairs, realignment
from models_ml.core.refinement import (
    RefinementConfig,
    UnboundedCostWarning,
    constraint_graph,
    refine,
    similarity_cost,
)

SHARE_OF_STEPS = 10
SPECTRAL = RefinementConfig("spectral")
PER_KEYWORD = 10  # judgements


def main() -> None:
    parser = argparse.ArgumentParser(description="Time refinements.")
    parser.add_argument("--words", type=int, default=200_000, help="of each language")
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--constraints", type=int, default=2_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", UnboundedCostWarning)
    generator = np.random.default_rng(0)
    space = random_space(options.words, options.dim)
    judged = judgements(space, options.constraints, generator)
    print(f"{len(judged)} constraints over {len(space):,} words × {space.dim}")

    descent = RefinementConfig("paper", iterations=10_000 // SHARE_OF_STEPS)
    plain_s = SHARE_OF_STEPS * timed(lambda: refine(space, judged, config=descent))[0]
    (ours_s,) = in_turns(lambda: refine(space, judged, config=SPECTRAL), rounds=9)
    say_times("spectral beside paper", plain_s=plain_s, ours_s=ours_s)
    say_memory(space, judged)
    check_spectral(space, judged)

    anchors_s = timed(lambda: anchor_pairs(space))[0]
    (turn_s,) = in_turns(lambda: realignment(space, judged), rounds=3)
    print(f"realign: anchors, once a space, {anchors_s:.1f} s; then {1000 * turn_s:.0f} ms")


def random_space(words: int, dim: int) -> Embedding:
    """Return unit vectors at random, as many words in each language."""
    names, rows = [f"word{i}" for i in range(words)], unit_rows(2 * words, dim)
    return Embedding(Vectors(names, rows[:words]), Vectors(names, rows[words:]))


def judgements(space: Embedding, count: int, generator: np.random.Generator) -> list[Constraint]:
    """Return keywords of the source with judgements of words of both languages."""
    keywords = generator.choice(len(space.source), size=count // PER_KEYWORD, replace=False)
    return [
        Constraint(int(keyword), int(word), 1 if generator.random() < 0.5 else -1)
        for keyword in keywords
        for word in generator.choice(len(space), size=PER_KEYWORD, replace=False)
        if word != keyword
    ]


def say_memory(space: Embedding, judged: list[Constraint]) -> None:
    """Print how much numpy and Python took at most, beside the size of the matrices."""
    tracemalloc.start()
    refine(space, judged, config=SPECTRAL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    matrices = space.source.matrix.nbytes + space.target.matrix.nbytes
    print(f"spectral allocates {peak / 1e6:.1f} MB at most; the matrices hold {matrices / 1e6:.0f}")


def check_spectral(space: Embedding, judged: list[Constraint]) -> None:
    """Require that the rows solve the normalised system, densely written."""
    ids, links = constraint_graph(judged)
    costs = similarity_cost(links).toarray()
    scale = 1 / np.sqrt(2 * np.abs(costs).sum(axis=1))
    strength = 0.55
    system = costs * scale[:, None] * scale + strength * np.eye(len(ids))
    start = space.gather(ids).astype(np.float64)
    rows = np.linalg.solve(system, strength * start)
    rows *= (np.linalg.norm(start, axis=1) / np.linalg.norm(rows, axis=1))[:, None]
    found = refine(space, judged, config=SPECTRAL).embedding.gather(ids)
    require_agreement("spectral and a dense solve", np.abs(found - rows).max(), within=1e-5)


if __name__ == "__main__":
    main()
