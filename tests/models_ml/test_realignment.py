from dataclasses import replace

import numpy as np
import pytest
import torch

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, Side, Vectors
from models_ml.core.realignment import (
    Pairs,
    accepted_pairs,
    anchor_pairs,
    held_out_cosines,
    mutually_nearest,
    realignment,
    rotation,
    turned_by_anchors,
)
from models_ml.core.refinement import RefinementConfig, refine

ACCEPTED, REJECTED = 1, -1
WORDS, DIM = 60, 12


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def random_rotation(seed: int, strength: float) -> np.ndarray:
    """Return an orthogonal matrix, the nearer to the identity the smaller the strength."""
    noise = np.random.default_rng(seed).normal(size=(DIM, DIM))
    return rotation(np.eye(DIM) + strength * (noise - noise.T))


@pytest.fixture
def turned_away() -> tuple[Embedding, np.ndarray]:
    """Return a space in which word i means word i, but for one rotation of the target side."""
    rows = unit(np.random.default_rng(0).normal(size=(WORDS, DIM)))
    away = random_rotation(1, 0.15)
    source = Vectors(range(WORDS), rows.astype(np.float32))
    return Embedding(source, Vectors(range(WORDS), (rows @ away).astype(np.float32))), away


def accepted(keywords: range, *, shift: int = 0) -> list[Constraint]:
    return [Constraint(k, WORDS + (k + shift) % WORDS, ACCEPTED) for k in keywords]


def translation_cosines(space: Embedding) -> np.ndarray:
    return (unit(space.matrix(Side.SOURCE)) * unit(space.matrix(Side.TARGET))).sum(axis=1)


def test_a_rotation_by_hand():
    # A target word at (0, 1) that should be at (1, 0), and nothing else said: a quarter turn.
    quarter = rotation(np.outer([0, 1], [1, 0]) + np.outer([-1, 0], [0, 1]))
    np.testing.assert_allclose(np.array([0, 1]) @ quarter, [1, 0], atol=1e-12)
    np.testing.assert_allclose(quarter @ quarter.T, np.eye(2), atol=1e-12)


def test_a_stiff_space_hardly_turns():
    pull = np.outer([0, 1], [1, 0])
    angles = [np.arccos(rotation(mu * np.eye(2) + pull)[0, 0]) for mu in (1, 10, 100)]
    # In two dimensions tr(Rᵀ(μI + t sᵀ)) = 2μ cos φ + sin φ, which is most at tan φ = 1/2μ.
    np.testing.assert_allclose(np.tan(angles), [1 / 2, 1 / 20, 1 / 200], rtol=1e-9)


def test_words_that_nobody_annotated_follow(turned_away):
    space, away = turned_away
    turned, evidence = realignment(space, accepted(range(20)))
    assert evidence.is_applied
    assert evidence.cosine_after > evidence.cosine_before + evidence.standard_error
    moved = space.mapped(turned)
    unasked = slice(20, WORDS)
    gain = translation_cosines(moved)[unasked] - translation_cosines(space)[unasked]
    assert (gain > 0).mean() > 0.95
    np.testing.assert_allclose(turned @ turned.T, np.eye(DIM), atol=1e-6)
    # The pull to where the space was keeps it from going all the way back.
    assert np.linalg.norm(turned - away.T) < np.linalg.norm(np.eye(DIM) - away.T) / 2


def test_accepted_words_at_random_leave_the_space_as_it_is():
    rows = unit(np.random.default_rng(3).normal(size=(2, WORDS, DIM))).astype(np.float32)
    space = Embedding(Vectors(range(WORDS), rows[0]), Vectors(range(WORDS), rows[1]))
    # Nothing is alike in the two languages, so what some pairs say tells nothing of the others.
    refinement = refine(space, accepted(range(30), shift=7), config=RefinementConfig("realign"))
    assert not refinement.evidence.is_applied
    assert refinement.embedding is space
    assert refinement.evidence.keywords == refinement.evidence.pairs == 30


def test_held_out_cosines_are_those_of_a_rotation_that_has_not_seen_the_keyword(turned_away):
    space, _ = turned_away
    judged = accepted(range(10)) + accepted(range(10), shift=1)
    pairs, prior = accepted_pairs(space, judged), 3 * np.eye(DIM)
    found = held_out_cosines(pairs, prior)
    for fold in range(5):
        is_held = pairs.keywords % 5 == fold
        seen = pairs.select(~is_held)
        own = rotation(
            prior + sum(np.outer(t, s) for s, t in zip(seen.source, seen.target, strict=True))
        )
        np.testing.assert_allclose(
            found[is_held], ((pairs.target[is_held] @ own) * pairs.source[is_held]).sum(axis=1)
        )


def test_weights_count_and_what_weighs_nothing_or_stays_in_one_language_does_not(turned_away):
    space, _ = turned_away
    judged = [
        Constraint(3, WORDS + 3, ACCEPTED, 2.0),
        Constraint(WORDS + 5, 4, ACCEPTED),  # a target keyword
        Constraint(3, WORDS + 9, ACCEPTED, 0.0),
        Constraint(3, WORDS + 8, REJECTED),
        Constraint(3, 4, ACCEPTED),
    ]
    pairs = accepted_pairs(space, judged)
    assert pairs.keywords.tolist() == [3, WORDS + 5]
    assert pairs.weights.tolist() == [2, 1]
    s, t = (space.matrix(side).astype(float) for side in Side)
    expected = 2 * np.outer(t[3], s[3]) + np.outer(t[5], s[4])
    np.testing.assert_allclose(pairs.correlation, expected, atol=1e-6)


@pytest.mark.parametrize("judged", [[Constraint(0, 1, REJECTED)], accepted(range(1))])
def test_without_pairs_of_two_keywords_nothing_turns(turned_away, judged):
    turned, evidence = realignment(turned_away[0], judged)
    assert turned is None
    assert not evidence.is_applied
    assert evidence.cosine_before is None


def test_mutual_neighbours_by_hand():
    # The second target word is nearest to both source words, and chooses the second.
    source = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    target = torch.tensor([[0.0, -1.0], [0.8, 0.6]])
    rows, columns = mutually_nearest(source, target)
    assert (1, 1) in set(zip(rows.tolist(), columns.tolist(), strict=True))
    assert len(set(rows)) == len(rows) == len(set(columns))


def test_anchors_turn_a_space_without_any_answer(turned_away):
    space, _ = turned_away
    anchors = anchor_pairs(space)
    alone = turned_by_anchors(space)
    assert len(anchors) > WORDS / 2
    assert translation_cosines(alone).mean() > translation_cosines(space).mean()


def test_words_without_a_direction_are_nobodys_anchor(turned_away):
    space, _ = turned_away
    rows = space.source.matrix.copy()
    rows[:5] = 0
    anchors = anchor_pairs(replace(space, source=Vectors(range(WORDS), rows)))
    np.testing.assert_allclose(np.linalg.norm(anchors.source, axis=1), 1, rtol=1e-6)


def test_the_length_of_vectors_does_not_matter(turned_away):
    space, _ = turned_away
    longer = replace(space, source=Vectors(range(WORDS), 7 * space.source.matrix))
    first, second = (realignment(e, accepted(range(10)))[0] for e in (space, longer))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_realign_then_spectral_moves_annotated_words_in_the_turned_space(turned_away):
    space, _ = turned_away
    judged = [*accepted(range(10)), Constraint(0, WORDS + 30, REJECTED)]
    both = refine(space, judged, config=RefinementConfig("realign_spectral"))
    alone = refine(space, judged, config=RefinementConfig("realign")).embedding
    after = refine(alone, judged, config=RefinementConfig("spectral", regularization=0.8)).embedding
    ids = np.arange(len(space))
    np.testing.assert_array_equal(both.embedding.gather(ids), after.gather(ids))
    assert both.evidence.is_applied


def test_pairs_of_none_have_no_correlation():
    nothing = Pairs(np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3)), np.empty(0))
    assert not nothing.correlation.any()
