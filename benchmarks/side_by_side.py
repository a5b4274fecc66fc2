"""What the benchmarks share: two ways to one result, timed in turns in one process.

A busy machine slows both ways alike, so the ratio says more than the seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

import numpy as np

from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding, FloatMatrix, Vectors

Result = TypeVar("Result")

VOCABULARY = 50_000
# English news holds 1,300 to 1,700 types in 5,000 running tokens and 4,400 to 6,100 in 30,000;
# with this exponent there are 1,700 and 6,500, so no less to multiply than in real text.
ZIPF_EXPONENT = 1.1


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that the work takes, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def in_turns(*ways: Callable[[], object], rounds: int) -> list[float]:
    """Return the median seconds of each way, after all have run in turns."""
    seconds = [[timed(way)[0] for way in ways] for _ in range(rounds)]
    return [median(each) for each in zip(*seconds, strict=True)]


def say_times(what: str, *, plain_s: float, ours_s: float) -> None:
    """Print the seconds of both ways and how many times as fast ours is."""
    print(f"{what}: plain {plain_s:.2f} s, ours {ours_s:.2f} s, ratio {plain_s / ours_s:.1f}")


def require_agreement(what: str, difference: float, *, within: float) -> None:
    """Print by how much the two ways differ; end the benchmark where that is too much."""
    print(f"{what}: largest difference {difference:.1e}, allowed {within:.0e}")
    if not difference <= within:  # NaN is no agreement either
        raise SystemExit("THE TWO WAYS DISAGREE")


def synthetic_corpus(
    documents: int, *, tokens: int, dim: int, classes: int = 2
) -> tuple[EncodedCorpus, Embedding]:
    """Return documents of about so many tokens, their words as frequent as Zipf says."""
    generator = np.random.default_rng(0)
    frequency = np.arange(1, VOCABULARY + 1) ** -ZIPF_EXPONENT
    lengths = generator.normal(tokens, tokens / 4, documents).clip(1).astype(np.int64)
    words = generator.choice(VOCABULARY, lengths.sum(), p=frequency / frequency.sum())
    ids = tuple(np.split(words.astype(np.int64), lengths.cumsum()[:-1]))
    source = Vectors([f"word{i}" for i in range(VOCABULARY)], unit_rows(VOCABULARY, dim))
    target = Vectors(["neno"], unit_rows(1, dim))
    labels = generator.integers(0, classes, documents)
    return EncodedCorpus(ids, labels), Embedding(source, target)


def unit_rows(rows: int, dim: int) -> FloatMatrix:
    """Return random vectors of unit length, (rows, dim)."""
    matrix = np.random.default_rng(1).standard_normal((rows, dim), dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix
