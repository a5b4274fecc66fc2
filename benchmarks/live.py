"""How long a session's refinement takes after each keyword, and how long by the plain way.

    python benchmarks/live.py

An answer to one keyword, then the neighbours of the keywords that remain, in both languages. Plain
refines from all answers so far and searches the whole vocabulary. One thread, 13,000 words in each
language, 100 dimensions, 50 keywords of about 5 judgements each; the median over the keywords.
The second language is the first, turned a little and blurred, so that `realign` has work to do.

Plain is `refine` and `nearest`. But for `realign` and `realign_spectral`, `refine` also asks
held-out judgements whether to turn, which live leaves out, and may decide otherwise; so plain there
is the same rotation from all pairs, put on the whole target side. What one whole `refine` of all
answers takes is printed beside.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is imported

from statistics import median

import numpy as np
import torch
from side_by_side import require_agreement, timed, unit_rows

from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.core.embeddings import Embedding, Side, Vectors
from models_ml.core.live import FEWEST_KEYWORDS, LIVE_METHODS, SOLVING, TURNING, LiveRefinement
from models_ml.core.neighbours import Neighbour, nearest
from models_ml.core.realignment import (
    ANCHOR_WEIGHT,
    STIFFNESSES,
    accepted_pairs,
    anchor_pairs,
    rotation,
)
from models_ml.core.refinement import RefinementConfig, refine

K = 5
TARGET_MS = 20
Found = dict[Side, list[list[Neighbour]]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the refinement of an open session.")
    parser.add_argument("--words", type=int, default=13_000, help="in each language")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--keywords", type=int, default=50)
    parser.add_argument("--methods", nargs="*", choices=LIVE_METHODS, default=LIVE_METHODS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    space = synthetic_space(options.words, options.dim)
    keywords = np.random.default_rng(3).choice(options.words // 4, options.keywords, replace=False)
    print(f"{options.keywords} keywords, 2 × {options.words} words × {options.dim}")
    for method in options.methods:
        compare(space, keywords.tolist(), method)


def compare(space: Embedding, keywords: list[int], method: str) -> None:
    """Print both ways' times of one method; end the benchmark where they disagree."""
    config = RefinementConfig(method=method)
    begun_s, live = timed(lambda: LiveRefinement(space, config))
    first_s, _ = timed(lambda: live.neighbours(keywords, k=K))
    ours_s, answers_s, plain_s = [], [], []
    row_difference = cosine_difference = 0.0
    said: list[Constraint] = []
    for keyword in keywords:
        constraints = answers_to(space, keyword)
        said += constraints
        remaining = [other for other in keywords if other != keyword]
        answer_s, _ = timed(lambda: live.answer(keyword, constraints))  # noqa: B023
        search_s, found = timed(lambda: live.neighbours(remaining, k=K))  # noqa: B023
        full_s, (whole, wanted) = timed(lambda: plainly(space, said, remaining, config))  # noqa: B023
        answers_s.append(answer_s)
        ours_s.append(answer_s + search_s)
        plain_s.append(full_s)
        row_difference = max(row_difference, largest_difference(live.embedding, whole))
        cosine_difference = max(cosine_difference, disagreement(found, wanted))
    refine_s, _ = timed(lambda: refine(space, said, config=config))
    ours_ms, plain_ms = 1000 * median(ours_s), 1000 * median(plain_s)
    print(
        f"{method}: plain {plain_ms:.1f} ms, ours {ours_ms:.1f} ms "
        f"(of which the answer {1000 * median(answers_s):.1f}; slowest {1000 * max(ours_s):.1f}), "
        f"ratio {plain_ms / ours_ms:.1f}, {'under' if ours_ms < TARGET_MS else 'NOT UNDER'} "
        f"{TARGET_MS} ms"
    )
    print(
        f"once a session: {begun_s:.2f} s to begin, {first_s:.2f} s the first search; "
        f"a whole refine of all answers: {refine_s:.2f} s"
    )
    require_agreement("rows", row_difference, within=1e-6)
    require_agreement("neighbours (inf: other words)", cosine_difference, within=1e-6)


def plainly(
    space: Embedding, said: list[Constraint], remaining: list[int], config: RefinementConfig
) -> tuple[Embedding, Found]:
    """Return the vectors and neighbours from all answers, beginning anew."""
    whole = space
    if config.method in TURNING:
        pairs = accepted_pairs(space, said)
        if len(set(pairs.keywords.tolist())) >= FEWEST_KEYWORDS:
            prior = ANCHOR_WEIGHT * anchor_pairs(space).correlation
            prior += STIFFNESSES[0] * np.eye(space.dim)
            turn = rotation(prior + pairs.correlation).astype(np.float32)
            whole = space.mapped(turn)
    if config.method in SOLVING:
        solve = RefinementConfig(method="spectral", regularization=config.strength)
        whole = refine(whole, said, config=solve).embedding
    return whole, {side: nearest(whole, remaining, k=K, side=side) for side in Side}


def largest_difference(one: Embedding, other: Embedding) -> float:
    """Return by how much the moved rows, and frequent others, differ between two embeddings."""
    ids = np.union1d(one.moved_ids, other.moved_ids)
    frequent = one.offset(Side.TARGET) + np.arange(1_000)
    ids = np.union1d(ids, frequent)
    return float(np.abs(one.gather(ids) - other.gather(ids)).max())


def disagreement(found: Found, wanted: Found) -> float:
    """Return the largest difference of cosines; inf where the words are others."""
    worst = 0.0
    for side in Side:
        for ours, plain in zip(found[side], wanted[side], strict=True):
            if [n.word_id for n in ours] != [n.word_id for n in plain]:
                return float("inf")
            worst = max(
                [worst, *(abs(a.cosine - b.cosine) for a, b in zip(ours, plain, strict=True))]
            )
    return worst


def answers_to(space: Embedding, keyword: int) -> list[Constraint]:
    """Return about five judgements: the translation accepted, some neighbours one way or other."""
    generator = np.random.default_rng(keyword)
    words = len(space.source)
    near = generator.choice(words, 4, replace=False).tolist()
    chosen = {words + keyword, near[0], near[1], words + near[2], words + near[3]} - {keyword}
    return [
        Constraint(
            keyword,
            word,
            ACCEPTED if word == words + keyword or generator.random() < 0.5 else REJECTED,
        )
        for word in sorted(chosen)
    ]


def synthetic_space(words: int, dim: int) -> Embedding:
    """Return two languages in which word i means word i, but for a turn and some noise."""
    generator = np.random.default_rng(2)
    rows = unit_rows(words, dim)
    skew = generator.standard_normal((dim, dim)) / np.sqrt(dim)
    away = rotation(np.eye(dim) + 0.2 * (skew - skew.T)).astype(np.float32)
    target = rows @ away + generator.standard_normal(rows.shape, dtype=np.float32) / dim**0.5 / 2
    target /= np.linalg.norm(target, axis=1, keepdims=True)
    spellings = [str(i) for i in range(words)]
    return Embedding(Vectors(spellings, rows), Vectors(spellings, target))


if __name__ == "__main__":
    main()
