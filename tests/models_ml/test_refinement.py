from dataclasses import replace

import numpy as np
import pytest
import torch

from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding, Side, Vectors
from models_ml.core.refinement import (
    METHODS,
    Refinement,
    RefinementConfig,
    UnboundedCostWarning,
    constraint_graph,
    cost,
    cost_gradient,
    refine,
    similarity_cost,
    smallest_eigenvalue,
)

ACCEPTED, REJECTED = 1, -1
SPECTRAL = RefinementConfig("spectral")


def refined_space(*given: object, **options: object) -> Embedding:
    """Return the embedding alone of what `refine` returns."""
    return refine(*given, **options).embedding


def constraint(keyword: int, neighbour: int, sign: int, weight: float = 1.0) -> Constraint:
    return Constraint(keyword=keyword, neighbour=neighbour, sign=sign, weight=weight)


@pytest.fixture
def pair() -> Embedding:
    """Return one source word at (1, 0) and one target word at (0, 1), and one that nobody names."""
    source = Vectors(["fever", "idle"], np.array([[1, 0], [0.6, 0.8]], dtype=np.float32))
    return Embedding(source, Vectors(["homa"], np.array([[0, 1]], dtype=np.float32)))


@pytest.fixture
def judged(tiny_embedding: Embedding) -> list[Constraint]:
    """Return what an annotator said of two keywords."""

    def ids(*words: str) -> list[int]:
        return [tiny_embedding.word_id(word, Side.TARGET) for word in words]

    fever, goal = (tiny_embedding.word_id(word, Side.SOURCE) for word in ("fever", "goal"))
    homa, dawa, mvua, goli = ids("homa", "dawa", "mvua", "goli")
    return [
        constraint(fever, homa, ACCEPTED),
        constraint(fever, dawa, ACCEPTED, 0.5),
        constraint(fever, mvua, REJECTED),
        constraint(goal, goli, ACCEPTED),
        constraint(goal, fever, REJECTED),
    ]


def vectors(embedding: Embedding) -> np.ndarray:
    return embedding.gather(np.arange(len(embedding)))


def cosine(embedding: Embedding, c: Constraint) -> float:
    a, b = embedding.gather(np.array([c.keyword, c.neighbour]))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_first_step_of_an_accepted_pair_by_hand(pair):
    # C = -E_k·E_p + ‖Ê - E‖²: the gradient at Ê is -E_p = (0, -1) at the keyword and
    # -E_k = (-1, 0) at the neighbour; Adam's first step is the rate against the sign of each.
    config = RefinementConfig("paper", iterations=1, learning_rate=0.01)
    refined = refined_space(pair, [constraint(0, 2, ACCEPTED)], config=config)
    np.testing.assert_allclose(refined.gather([0, 2]), [[1, 0.01], [0.01, 1]], atol=1e-7)


def test_first_step_of_a_rejected_pair_by_hand(pair):
    config = RefinementConfig("paper", iterations=1, learning_rate=0.01)
    refined = refined_space(pair, [constraint(0, 2, REJECTED)], config=config)
    np.testing.assert_allclose(refined.gather([0, 2]), [[1, -0.01], [-0.01, 1]], atol=1e-7)


def test_a_single_pair_ends_at_the_minimum_of_the_cost(pair):
    # ∂C/∂E_k = -E_p + 2λ(E_k - Ê_k) = 0 and its mirror image give, with λ = 1,
    # E_k = (4 Ê_k + 2 Ê_p) / 3 and E_p = (4 Ê_p + 2 Ê_k) / 3.
    config = RefinementConfig("paper", iterations=3000, learning_rate=0.01)
    refined = refined_space(pair, [constraint(0, 2, ACCEPTED)], config=config)
    expected = [[4 / 3, 2 / 3], [2 / 3, 4 / 3]]
    np.testing.assert_allclose(refined.gather([0, 2]), expected, atol=1e-4)


@pytest.fixture
def space() -> Embedding:
    """Return eight random unit vectors, four a language."""
    rows = np.random.default_rng(0).normal(size=(2, 4, 20)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    return Embedding(Vectors("abcd", rows[0]), Vectors("wxyz", rows[1]))


@pytest.mark.filterwarnings("ignore::models_ml.core.refinement.UnboundedCostWarning")
@pytest.mark.parametrize("config", [RefinementConfig("paper", iterations=300), SPECTRAL])
def test_accepted_pairs_come_closer_and_rejected_ones_part(space, config):
    judged = [constraint(0, neighbour, ACCEPTED) for neighbour in (1, 4, 5)]
    judged += [constraint(2, 6, ACCEPTED), constraint(2, 7, REJECTED), constraint(2, 0, REJECTED)]
    refined = refined_space(space, judged, config=config)
    for c in judged:
        assert c.sign * (cosine(refined, c) - cosine(space, c)) > 0.2


def test_only_words_in_constraints_move_and_the_input_stays(tiny_embedding, judged):
    before = vectors(tiny_embedding)
    refined = refined_space(tiny_embedding, judged, config=RefinementConfig("paper", iterations=10))
    changed = np.flatnonzero((vectors(refined) != before).any(axis=1))
    named = sorted({word for c in judged for word in (c.keyword, c.neighbour)})
    assert changed.tolist() == refined.moved_ids.tolist() == named
    assert np.array_equal(vectors(tiny_embedding), before)
    assert tiny_embedding.moved_ids.size == 0


def test_refining_again_starts_from_the_vectors_that_came_in(pair):
    once = pair.moved([0], np.array([[3, 0]], dtype=np.float32))
    config = RefinementConfig("paper", iterations=3000, learning_rate=0.01)
    twice = refined_space(once, [constraint(0, 2, ACCEPTED)], config=config)
    expected = [[4 / 3 * 3, 2 / 3], [2 / 3 * 3, 4 / 3]]
    np.testing.assert_allclose(twice.gather([0, 2]), expected, atol=1e-4)


def test_the_cost_is_that_of_the_paper(tiny_embedding, judged):
    ids, links = constraint_graph(judged)
    generator = torch.Generator().manual_seed(0)
    start, rows = (
        torch.randn(len(ids), 4, dtype=torch.float64, generator=generator) for _ in range(2)
    )
    row = {int(word): rows[i] for i, word in enumerate(ids)}
    feedback = sum(-c.sign * c.weight * row[c.keyword] @ row[c.neighbour] for c in judged)
    distance = sum(torch.dist(a, b) ** 2 for a, b in zip(rows, start, strict=True))
    torch.testing.assert_close(cost(rows, start, links, 0.7), feedback + 0.7 * distance)


def test_the_gradient_equals_finite_differences(tiny_embedding, judged):
    ids, links = constraint_graph(judged)
    generator = torch.Generator().manual_seed(0)
    start, rows = (
        torch.randn(len(ids), 4, dtype=torch.float64, generator=generator) for _ in range(2)
    )
    expected = torch.zeros_like(rows)
    for place in np.ndindex(*rows.shape):
        step = torch.zeros_like(rows)
        step[place] = 1e-5
        up, down = (cost(rows + s, start, links, 0.7) for s in (step, -step))
        expected[place] = (up - down) / 2e-5
    torch.testing.assert_close(
        cost_gradient(rows, start, links, 0.7), expected, rtol=1e-7, atol=1e-8
    )


@pytest.mark.filterwarnings("ignore::models_ml.core.refinement.UnboundedCostWarning")
def test_a_pair_judged_under_both_of_its_words_counts_twice(pair):
    config = RefinementConfig("paper", iterations=50)
    both = [constraint(0, 2, ACCEPTED), constraint(2, 0, ACCEPTED)]
    doubled = [constraint(0, 2, ACCEPTED, weight=2.0)]
    single = [constraint(0, 2, ACCEPTED)]
    results = [vectors(refined_space(pair, c, config=config)) for c in (both, doubled, single)]
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_spectral_weighs_answers_against_one_another(tiny_embedding, judged):
    def refined(scale):
        scaled = [replace(c, weight=c.weight * scale) for c in judged]
        return vectors(refined_space(tiny_embedding, scaled, config=SPECTRAL))

    assert refined(0.5) == pytest.approx(refined(1), abs=1e-6)
    alike = [replace(c, weight=1.0) for c in judged]
    evenly = vectors(refined_space(tiny_embedding, alike, config=SPECTRAL))
    assert not np.allclose(evenly, refined(1), atol=1e-3)


def test_a_constraint_without_weight_changes_nothing(pair):
    refined = refined_space(
        pair, [constraint(0, 2, ACCEPTED, 0.0)], config=RefinementConfig("paper", iterations=5)
    )
    assert np.array_equal(vectors(refined), vectors(pair))


def test_without_constraints_nothing_moves(pair):
    assert refined_space(pair, [], config=RefinementConfig("paper")) is pair


def star(accepted: int) -> list[Constraint]:
    """Return one keyword with that many accepted neighbours."""
    return [constraint(0, neighbour, ACCEPTED) for neighbour in range(1, 1 + accepted)]


@pytest.mark.parametrize("leaves", [1, 4, 9, 600])
def test_the_smallest_eigenvalue_of_a_star_is_minus_half_the_root_of_its_leaves(leaves):
    _, links = constraint_graph(star(leaves))
    assert smallest_eigenvalue(similarity_cost(links)) == pytest.approx(-(leaves**0.5) / 2)


def test_the_paper_warns_where_its_cost_has_no_minimum(space):
    refined_space(space, star(3), config=RefinementConfig("paper", iterations=1))
    with pytest.warns(UnboundedCostWarning, match=r"λ above 1\.118"):
        refined_space(space, star(5), config=RefinementConfig("paper", iterations=1))


def test_spectral_of_a_single_pair_by_hand(pair):
    # |S| = ½ gives D = 1, so (S + λI)E = λÊ with S = -½ off the diagonal: E_k ∝ λÊ_k + ½Ê_p.
    refined = refined_space(pair, [constraint(0, 2, ACCEPTED)], config=SPECTRAL)
    long, short = np.array([0.55, 0.5]) / np.hypot(0.55, 0.5)
    np.testing.assert_allclose(refined.gather([0, 2]), [[long, short], [short, long]], atol=1e-6)


def test_spectral_solves_the_normalised_system_and_keeps_lengths(tiny_embedding, judged):
    long = tiny_embedding.moved([0], 3 * tiny_embedding.gather([0]))
    judged = [*judged, constraint(0, 2, ACCEPTED)]
    ids, links = constraint_graph(judged)
    s = links.to_dense().numpy() / 2
    d = np.diag(1 / np.sqrt(2 * np.abs(s).sum(axis=1)))
    start = long.gather(ids)
    rows = np.linalg.solve(d @ s @ d + 0.7 * np.eye(len(ids)), 0.7 * start)
    rows *= np.linalg.norm(start, axis=1)[:, None] / np.linalg.norm(rows, axis=1)[:, None]
    refined = refined_space(long, judged, config=RefinementConfig("spectral", regularization=0.7))
    assert np.array_equal(refined.moved_ids, ids)
    np.testing.assert_allclose(refined.gather(ids), rows, atol=1e-6)


def test_spectral_stays_bounded_however_many_constraints_a_keyword_has():
    rows = np.random.default_rng(0).normal(size=(400, 10)).astype(np.float32)
    space = Embedding(Vectors(range(300), rows[:300]), Vectors(range(100), rows[300:]))
    before, after = vectors(space), vectors(refined_space(space, star(399), config=SPECTRAL))
    lengths = [np.linalg.norm(v, axis=1) for v in (before, after)]
    np.testing.assert_allclose(lengths[0], lengths[1], rtol=1e-5)


def test_judgements_that_cancel_leave_spectral_words_where_they_were(pair):
    both = [constraint(0, 2, ACCEPTED), constraint(2, 0, REJECTED)]
    refined = refined_space(pair, both, config=SPECTRAL)
    np.testing.assert_allclose(vectors(refined), vectors(pair), atol=1e-7)


def test_spectral_refuses_a_regularization_without_a_minimum():
    with pytest.raises(ValueError, match=r"above 0\.5 for spectral, but is 0\.5"):
        RefinementConfig("spectral", regularization=0.5)


@pytest.mark.parametrize("config", [RefinementConfig("paper", iterations=100), SPECTRAL])
def test_the_same_constraints_give_the_same_bytes(tiny_embedding, judged, config):
    first, again = (refined_space(tiny_embedding, judged, config=config) for _ in range(2))
    assert first.moved_rows.dtype == np.float32
    assert first.moved_rows.tobytes() == again.moved_rows.tobytes()


def test_progress_ends_at_the_last_iteration(pair):
    told = []
    refined_space(
        pair,
        [constraint(0, 2, ACCEPTED)],
        config=RefinementConfig("paper", iterations=250),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(100, 250), (200, 250), (250, 250)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("word", [-1, 3])
def test_a_word_id_outside_the_vocabulary_is_refused(pair, word, method):
    judged = [constraint(0, word, REJECTED)]
    with pytest.raises(ValueError, match=f"word id {word} is outside the vocabulary of 3"):
        refined_space(pair, judged, config=RefinementConfig(method, iterations=1))


def test_settings_hold_what_a_method_takes_and_nothing_else():
    of_paper = {"learning_rate": 0.001, "iterations": 10_000, "regularization": 1.0}
    assert RefinementConfig("paper").settings == {"method": "paper"} | of_paper
    assert SPECTRAL.settings == {"method": "spectral", "regularization": 0.55}


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method 'magic' is none of paper"):
        RefinementConfig("magic")


def test_a_method_is_one_function_in_the_registry(pair, monkeypatch):
    def mirror(embedding, constraints, config, progress):
        ids = np.unique([c.keyword for c in constraints])
        return Refinement(embedding.moved(ids, -config.regularization * embedding.gather(ids)))

    monkeypatch.setitem(METHODS, "mirror", mirror)
    refined = refined_space(
        pair, [constraint(0, 2, ACCEPTED)], config=RefinementConfig("mirror", regularization=2)
    )
    assert refined.gather([0]).tolist() == [[-2, 0]]
