"""How long the nearest words of 50 queries take, and how long by the plain way.

    python benchmarks/neighbours.py

Plain is one product of the queries with the whole vocabulary and a sort of all its cosines; its
vectors have unit length beforehand. Ours divides by the lengths on the way, and compares what comes
close again in float64. One thread, 200,000 words, 300 dimensions.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is imported

import numpy as np
from numpy.typing import NDArray
from side_by_side import in_turns, require_agreement, say_times, unit_rows

from models_ml.core.embeddings import Embedding, FloatMatrix, Side, Vectors
from models_ml.core.neighbours import nearest

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the search for nearest words.")
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    matrix = unit_rows(options.words, options.dim)
    words = [f"word{i}" for i in range(options.words)]
    embedding = Embedding(Vectors(words, matrix), Vectors(["neno"], matrix[:1]))
    queries = np.random.default_rng(2).choice(options.words, options.queries, replace=False)

    ours_s, plain_s = in_turns(
        lambda: nearest(embedding, queries, k=K, side=Side.SOURCE),
        lambda: plain_nearest(matrix, queries),
        rounds=options.rounds,
    )
    size = f"{options.queries} queries, {options.words} × {options.dim}"
    say_times(size, plain_s=plain_s, ours_s=ours_s)

    ours = nearest(embedding, queries, k=K, side=Side.SOURCE)
    ids, cosines = plain_nearest(matrix, queries)
    found = np.array([[neighbour.word_id for neighbour in row] for row in ours])
    ours_cosines = np.array([[neighbour.cosine for neighbour in row] for row in ours])
    print(f"the same words in the same order: {np.mean(found == ids):.1%}")
    # Words whose cosines are equal in float32 may change places; their cosines say so.
    require_agreement("cosines", float(np.abs(ours_cosines - cosines).max()), within=1e-6)


def plain_nearest(
    matrix: FloatMatrix, queries: NDArray[np.int64]
) -> tuple[NDArray[np.int64], FloatMatrix]:
    """Return the ids and cosines of the nearest words, (queries, K) each."""
    cosines = matrix[queries] @ matrix.T
    cosines[np.arange(len(queries)), queries] = -np.inf
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :K]
    return order, np.take_along_axis(cosines, order, axis=1)


if __name__ == "__main__":
    main()
