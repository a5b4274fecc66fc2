"""A search that remembers where to look finds what a search of everything finds."""

import numpy as np
import pytest

from models_ml.core import repeated_search
from models_ml.core.embeddings import Embedding, Side, Vectors
from models_ml.core.neighbours import nearest
from models_ml.core.realignment import rotation
from models_ml.core.repeated_search import RepeatedSearch

WORDS, DIM = 200, 8
QUERIES = [0, 5, 60, WORDS + 4]


@pytest.fixture(params=[0, 2, 20, 1000], autouse=True)
def any_number_set_aside(request, monkeypatch):
    monkeypatch.setattr(repeated_search, "SET_ASIDE", request.param)


def space_of(source, target):
    matrices = (np.asarray(rows, dtype=np.float32) for rows in (source, target))
    return Embedding(*(Vectors(range(len(rows)), rows) for rows in matrices))


def random_space(seed=0):
    generator = np.random.default_rng(seed)
    return space_of(*generator.normal(size=(2, WORDS, DIM)))


def same_as_everything(search, space, *, k=4):
    for side in Side:
        wanted = nearest(space, QUERIES, k=k, side=side)
        for ours, plain in zip(search.nearest(QUERIES, k=k, side=side), wanted, strict=True):
            assert [n.word_id for n in ours] == [n.word_id for n in plain]
            np.testing.assert_allclose(
                [n.cosine for n in ours], [n.cosine for n in plain], atol=1e-6
            )


def test_the_space_as_it_came():
    space = random_space()
    same_as_everything(RepeatedSearch(space), space)


@pytest.mark.parametrize("strength", [0.001, 0.05, 1.0])  # of each turn: hardly any, some, a leap
def test_a_side_that_turns_and_words_that_move(strength):
    space, search = random_space(), RepeatedSearch(random_space())
    generator = np.random.default_rng(1)
    for step in range(8):
        skew = generator.normal(size=(DIM, DIM))
        turn = rotation(np.eye(DIM) + strength * (skew - skew.T)).astype(np.float32)
        ids = generator.choice(2 * WORDS, 5 * step, replace=False)
        rows = generator.normal(size=(len(ids), DIM)).astype(np.float32)
        now = space.mapped(turn).moved(ids, rows)
        search.move(now, turn)
        same_as_everything(search, now)
    search.move(space, None)
    same_as_everything(search, space)


def test_words_that_all_point_one_way_come_in_the_order_of_their_ids():
    space = space_of(np.ones((WORDS, DIM)), np.ones((WORDS, DIM)))
    search = RepeatedSearch(space)
    same_as_everything(search, space)
    moved = space.moved([1, 3], -np.ones((2, DIM), dtype=np.float32))
    search.move(moved, None)
    same_as_everything(search, moved)


def test_words_without_a_direction_are_nobodys_neighbours():
    source, target = np.ones((2, WORDS, DIM))
    source[3:], target[:-2] = 0, 0
    space = space_of(source, target)
    search = RepeatedSearch(space)
    same_as_everything(search, space)
    moved = space.moved([1, 60], np.zeros((2, DIM), dtype=np.float32))
    search.move(moved, None)
    same_as_everything(search, moved)


def test_a_second_search_looks_at_what_was_set_aside(monkeypatch):
    monkeypatch.setattr(repeated_search, "SET_ASIDE", 20)
    search = RepeatedSearch(random_space())
    looked = []
    far = search._look_far
    monkeypatch.setattr(search, "_look_far", lambda *args: [looked.append(args), far(*args)])
    for _ in range(2):
        search.nearest(QUERIES, k=4, side=Side.TARGET)
    assert len(looked) == 1
