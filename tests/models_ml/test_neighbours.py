"""Nearest neighbours: exact, never the word itself, the same for every block size."""

from collections.abc import Sequence

import numpy as np
import pytest

from models_ml.core import neighbours
from models_ml.core.embeddings import Embedding, FloatMatrix, Side, Vectors
from models_ml.core.neighbours import nearest


@pytest.fixture(params=[1, 3, 8192], autouse=True)
def any_block_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_ROWS_PER_BLOCK", request.param)


def plane(
    source: Sequence[tuple[float, float]], target: Sequence[tuple[float, float]]
) -> Embedding:
    def vectors(rows: Sequence[tuple[float, float]]) -> Vectors:
        matrix: FloatMatrix = np.array(rows, dtype=np.float32)
        return Vectors([f"w{i}" for i in range(len(rows))], matrix)

    return Embedding(vectors(source), vectors(target))


def test_cosines_are_those_worked_by_hand_whatever_the_lengths() -> None:
    space = plane([(2, 0), (3, 3), (0, 7), (-1, 0)], [(1, 0), (6, 8)])
    (found,) = nearest(space, [0], k=3, side=Side.SOURCE)
    assert [neighbour.word_id for neighbour in found] == [1, 2, 3]
    assert [neighbour.cosine for neighbour in found] == pytest.approx([0.5**0.5, 0, -1])
    (across,) = nearest(space, [0], k=3, side=Side.TARGET)
    assert [neighbour.word_id for neighbour in across] == [4, 5]
    assert [neighbour.cosine for neighbour in across] == pytest.approx([1, 0.6])


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("k", [1, 2, 7, 30])
def test_the_answer_is_that_of_comparing_with_every_word(side: Side, k: int) -> None:
    rng = np.random.default_rng(0)
    source, target = (rng.normal(size=(n, 5)).astype(np.float32) for n in (40, 30))
    space = Embedding(Vectors(range(40), source), Vectors(range(30), target))  # type: ignore[arg-type]
    queries = [0, 39, 40, 69, 0]
    rows = np.concatenate([source, target]).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    allowed = range(40) if side is Side.SOURCE else range(40, 70)
    for query, found in zip(queries, nearest(space, queries, k=k, side=side), strict=True):
        others = sorted((-rows[query] @ rows[i], i) for i in allowed if i != query)[:k]
        assert [neighbour.word_id for neighbour in found] == [i for _, i in others]
        assert [-neighbour.cosine for neighbour in found] == pytest.approx([c for c, _ in others])


def test_a_word_is_not_its_own_neighbour_but_its_twin_in_the_other_language_is() -> None:
    space = plane([(1, 0), (0, 1)], [(1, 0), (0, 1)])
    assert [n.word_id for n in nearest(space, [0], k=5, side=Side.SOURCE)[0]] == [1]
    assert [n.word_id for n in nearest(space, [0], k=1, side=Side.TARGET)[0]] == [2]


def test_zero_vectors_neither_answer_nor_are_answered() -> None:
    space = plane([(1, 0), (0, 0), (-1, 0), (0, 0)], [(1, 1)])
    ids = [[n.word_id for n in row] for row in nearest(space, [0, 1], k=5, side=Side.SOURCE)]
    assert ids == [[2], []]


def test_equal_cosines_come_in_the_order_of_word_ids() -> None:
    cat, dog, cow = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    matrix = np.stack([cat, *[dog] * 99, cow, *[dog] * 99])
    space = Embedding(Vectors([str(i) for i in range(200)], matrix), Vectors(["t"], matrix[:1]))
    dogs = [*range(1, 100), *range(101, 200)]
    for k in (1, 4, 150):
        ids = [n.word_id for n in nearest(space, [100], k=k + 1, side=Side.SOURCE)[0]]
        assert [i for i in ids if i != 0][:k] == dogs[:k]


def test_moved_words_are_where_the_refinement_put_them(tiny_embedding: Embedding) -> None:
    fever, homa = 2, 11
    before = nearest(tiny_embedding, [fever], k=1, side=Side.TARGET)[0][0]
    rows = 40 * tiny_embedding.gather(np.array([fever]))
    assert not np.array_equal(tiny_embedding.gather(np.array([homa])), rows)
    away = tiny_embedding.moved([homa], -rows)
    close = away.moved([homa], rows)
    ids = [n.word_id for n in nearest(away, [fever], k=8, side=Side.TARGET)[0]]
    assert ids[-1] == homa
    best = nearest(close, [fever], k=1, side=Side.TARGET)[0][0]
    assert best.word_id == homa
    assert best.cosine == pytest.approx(1)
    assert best.cosine > before.cosine


def test_asking_about_no_words_or_a_moved_query(tiny_embedding: Embedding) -> None:
    assert nearest(tiny_embedding, [], k=5, side=Side.SOURCE) == []
    fever, doctor = 2, 3
    moved = tiny_embedding.moved([fever], 9 * tiny_embedding.gather(np.array([doctor])))
    best = nearest(moved, [fever], k=1, side=Side.SOURCE)[0][0]
    assert (best.word_id, best.cosine) == (doctor, pytest.approx(1))


def test_bad_questions_are_refused(tiny_embedding: Embedding) -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        nearest(tiny_embedding, [0], k=0, side=Side.SOURCE)
    with pytest.raises(ValueError, match="word id 18 is outside"):
        nearest(tiny_embedding, [18], k=1, side=Side.SOURCE)
