"""Refinement while somebody answers: the same rows and neighbours as if all were done anew."""

from dataclasses import replace

import numpy as np
import pytest

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, Side, Vectors
from models_ml.core.live import FEWEST_KEYWORDS, LIVE_METHODS, LiveRefinement
from models_ml.core.neighbours import nearest
from models_ml.core.realignment import ANCHOR_WEIGHT, STIFFNESSES, anchor_pairs, rotation
from models_ml.core.refinement import METHODS, RefinementConfig, refine

WORDS, DIM, KEYWORDS = 300, 16, 12


@pytest.fixture(scope="module")
def space() -> Embedding:
    """Return a space in which word i means word i, but for one rotation and some noise."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(WORDS, DIM))
    skew = generator.normal(size=(DIM, DIM))
    away = rotation(np.eye(DIM) + 0.2 * (skew - skew.T))
    target = rows @ away + 0.3 * generator.normal(size=rows.shape)
    rows[17] = target[23] = 0  # words without a direction
    lengths = generator.uniform(0.5, 2, size=(WORDS, 1))  # and of any length
    return Embedding(
        Vectors(range(WORDS), (rows * lengths).astype(np.float32)),
        Vectors(range(WORDS), target.astype(np.float32)),
    )


def config(method: str) -> RefinementConfig:
    return RefinementConfig(method=method)


def answers_to(space: Embedding, keyword: int) -> list[Constraint]:
    """Return what a person might say: the translation, a word that keywords share, and noise."""
    generator = np.random.default_rng(keyword)
    shared = 40 + keyword % 3  # ties keywords together in three components
    words = {WORDS + keyword, shared, *(WORDS + generator.choice(WORDS, 2)).tolist()}
    signs = [1, 1, -1, -1]
    return [Constraint(keyword, w, s) for w, s in zip(sorted(words), signs, strict=False)]


def answered(space: Embedding, method: str, keywords: range = range(KEYWORDS)) -> LiveRefinement:
    live = LiveRefinement(space, config(method))
    for keyword in keywords:
        live.answer(keyword, answers_to(space, keyword))
    return live


def same_vectors(one: Embedding, other: Embedding) -> None:
    for side in Side:
        np.testing.assert_allclose(one.matrix(side), other.matrix(side), atol=1e-6)


def same_neighbours(live: LiveRefinement, words: list[int], *, k: int = 5) -> None:
    found = live.neighbours(words, k=k)
    for side in Side:
        wanted = nearest(live.embedding, words, k=k, side=side)
        for ours, plain in zip(found[side], wanted, strict=True):
            assert [n.word_id for n in ours] == [n.word_id for n in plain]
            np.testing.assert_allclose(
                [n.cosine for n in ours], [n.cosine for n in plain], atol=1e-6
            )


def test_after_every_keyword_rows_are_those_of_a_full_refinement(space):
    live = LiveRefinement(space, config("spectral"))
    for keyword in range(KEYWORDS):
        live.answer(keyword, answers_to(space, keyword))
        whole = refine(space, live.constraints, config=config("spectral"))
        np.testing.assert_array_equal(live.embedding.moved_ids, whole.embedding.moved_ids)
        same_vectors(live.embedding, whole.embedding)


@pytest.mark.parametrize("method", LIVE_METHODS)
def test_neighbours_are_those_of_the_current_vectors_after_every_keyword(space, method):
    live = LiveRefinement(space, config(method))
    remaining = [*range(KEYWORDS), 17, 40, 41, WORDS + 3]  # also zero, moved, and target words
    for keyword in range(KEYWORDS):
        live.answer(keyword, answers_to(space, keyword))
        same_neighbours(live, remaining)


def test_neighbours_of_another_number_are_found_as_well(space):
    live = answered(space, "realign_spectral")
    for k in (3, 8, 5):
        same_neighbours(live, [60, 61], k=k)
    with pytest.raises(ValueError, match="k must be at least 1"):
        live.neighbours([60], k=0)


def test_a_small_language_gives_all_it_has(tiny_embedding):
    live = LiveRefinement(tiny_embedding, config("spectral"))
    live.answer(2, [Constraint(2, 11, 1)])
    same_neighbours(live, [3, 4], k=20)
    same_neighbours(live, [3, 4], k=20)


@pytest.mark.parametrize("method", LIVE_METHODS)
def test_a_changed_mind_leaves_nothing_of_the_first_answer(space, method):
    live = answered(space, method)
    live.neighbours([60, 61], k=5)
    live.answer(3, [Constraint(3, WORDS + 9, -1)])
    live.answer(4, [])
    fresh = LiveRefinement(space, config(method))
    for keyword, constraints in reversed(live.answered.items()):
        fresh.answer(keyword, constraints)
    assert 4 not in live.answered
    same_vectors(live.embedding, fresh.embedding)
    same_neighbours(live, [4, 60, 61])


def test_withdrawing_everything_gives_the_base_back(space):
    live = answered(space, "realign_spectral")
    for keyword in range(KEYWORDS):
        live.answer(keyword, [])
    assert live.constraints == []
    assert live.embedding is space


def test_an_answer_moves_only_the_component_it_touches(space):
    live = answered(space, "spectral")
    before = live.embedding
    live.answer(3, [])
    theirs = [k for k in range(KEYWORDS) if k % 3 != 0]
    np.testing.assert_array_equal(live.embedding.gather(theirs), before.gather(theirs))
    mates = [k for k in range(KEYWORDS) if k % 3 == 0]
    assert not np.array_equal(live.embedding.gather(mates), before.gather(mates))


def test_a_pair_whose_verdicts_cancel_still_ties_its_words_together(space):
    said = {1: [Constraint(1, 2, 1)], 2: [Constraint(2, 1, -1), Constraint(2, 3, 1)]}
    live = LiveRefinement(space, config("spectral"))
    for keyword, constraints in said.items():
        live.answer(keyword, constraints)
    whole = refine(space, live.constraints, config=config("spectral"))
    same_vectors(live.embedding, whole.embedding)


def test_the_target_side_turns_once_enough_keywords_speak_for_it(space):
    live = answered(space, "realign", range(FEWEST_KEYWORDS - 1))
    live.answer(40, [Constraint(40, 41, 1)])  # accepted, but of the same language
    assert live.embedding is space
    live.answer(7, answers_to(space, 7))
    turn = live.embedding.target_map
    np.testing.assert_allclose(turn @ turn.T, np.eye(DIM), atol=1e-6)
    unasked = np.arange(50, WORDS)
    truth = space.gather(unasked)

    def cosines(embedding):
        rows = embedding.gather(WORDS + unasked)
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(truth, axis=1)
        return (rows * truth).sum(axis=1) / lengths

    assert cosines(live.embedding).mean() > cosines(space).mean()


def test_the_turn_is_that_of_anchors_and_accepted_pairs_at_the_first_stiffness(space):
    live = answered(space, "realign")
    pairs = [(c.keyword, c.neighbour) for c in live.constraints if c.sign > 0]
    pairs = [(s, t) for s, t in pairs if t >= WORDS]
    source, target = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (space.gather(ids).astype(float) for ids in np.transpose(pairs))
    )
    prior = ANCHOR_WEIGHT * anchor_pairs(space).correlation + STIFFNESSES[0] * np.eye(DIM)
    np.testing.assert_allclose(
        live.embedding.target_map, rotation(prior + target.T @ source), atol=1e-6
    )


def test_realign_keeps_a_chosen_stiffness(space):
    stiff = LiveRefinement(space, replace(config("realign"), regularization=1e6))
    for keyword in range(KEYWORDS):
        stiff.answer(keyword, answers_to(space, keyword))
    np.testing.assert_allclose(stiff.embedding.target_map, np.eye(DIM), atol=1e-3)


def test_words_are_moved_where_the_turned_side_puts_them(space):
    live = answered(space, "realign_spectral")
    turned = space.mapped(answered(space, "realign").embedding.target_map)
    spectral = replace(config("spectral"), regularization=config("realign_spectral").strength)
    whole = refine(turned, live.constraints, config=spectral)
    same_vectors(live.embedding, whole.embedding)


def test_an_embedding_that_was_refined_before_is_a_base_like_any_other(space):
    refined = answered(space, "realign_spectral").embedding
    live = LiveRefinement(refined, config("realign_spectral"))
    for keyword in range(50, 60):
        live.answer(keyword, answers_to(refined, keyword))
        same_neighbours(live, [0, 5, 60, 61])


def test_the_order_of_keywords_and_answering_twice_change_nothing(space):
    live = answered(space, "realign_spectral")
    before = live.embedding
    live.answer(3, answers_to(space, 3))
    assert live.embedding is before
    backwards = answered(space, "realign_spectral", range(KEYWORDS)[::-1])
    same_vectors(live.embedding, backwards.embedding)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(LIVE_METHODS)))
def test_methods_without_a_live_form_are_refused(space, method):
    with pytest.raises(ValueError, match="realign, realign_spectral, spectral can"):
        LiveRefinement(space, config(method))


def test_a_constraint_of_another_keyword_is_refused(space):
    live = LiveRefinement(space, config("spectral"))
    with pytest.raises(ValueError, match="is not about keyword 1"):
        live.answer(1, [Constraint(2, 3, 1)])


@pytest.mark.parametrize("constraint", [Constraint(1, 2 * WORDS, 1), Constraint(-1, 2, 1)])
def test_a_word_outside_the_vocabulary_is_refused(space, constraint):
    live = LiveRefinement(space, config("spectral"))
    with pytest.raises(ValueError, match="outside the vocabulary"):
        live.answer(constraint.keyword, [constraint])
    assert live.constraints == []
