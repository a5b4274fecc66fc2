"""A neighbourhood before and after on one plane: the same bytes, the same places for who stayed."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models_ml.core.projection import perplexity, principal_plane, project


def two_clusters(words: int) -> np.ndarray:
    """Half of the words around one axis, half around another, in 20 dimensions."""
    rows = 0.05 * np.random.default_rng(0).normal(size=(words, 20))
    rows[: words // 2, 3] += 1
    rows[words // 2 :, 7] += 1
    return rows.astype(np.float32)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_word_that_joins_the_other_cluster_is_drawn_there(method):
    before = two_clusters(20)
    after = before.copy()
    after[0] = before[10:].mean(axis=0)
    plane = project(before, after, method=method)
    assert plane.method == method
    here, there = plane.before[1:10].mean(axis=0), plane.before[10:].mean(axis=0)
    assert distance(plane.before[0], here) < distance(plane.before[0], there) / 2
    assert distance(plane.after[0], there) < distance(plane.after[0], here) / 2


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_words_that_stayed_are_drawn_where_they_were(method):
    before = two_clusters(20)
    after = before.copy()
    after[0] = -before[0]
    plane = project(before, after, method=method)
    extent = np.ptp(plane.before)
    np.testing.assert_allclose(plane.before[1:], plane.after[1:], atol=1e-3 * extent)
    assert distance(plane.before[0], plane.after[0]) > 0.1 * extent


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_the_same_vectors_give_the_same_bytes_with_any_number_of_threads(method):
    before, after = two_clusters(30), two_clusters(30)[::-1].copy()
    first = project(before, after, method=method)
    with threadpool_limits(limits=2):
        second = project(before, after, method=method)
    assert first.before.tobytes() == second.before.tobytes()
    assert first.after.tobytes() == second.after.tobytes()


def test_the_length_of_vectors_does_not_matter():
    before, after = two_clusters(12), two_clusters(12)[::-1].copy()
    first = project(before, after, method="pca")
    second = project(4 * before, after / 2, method="pca")
    np.testing.assert_allclose(first.before, second.before, atol=1e-9)
    np.testing.assert_allclose(first.after, second.after, atol=1e-9)


def test_fewer_than_eight_words_are_drawn_by_pca_and_it_says_so():
    rows = two_clusters(8)
    assert project(rows, rows).method == "tsne"
    assert project(rows[:7], rows[:7]).method == "pca"


def test_words_in_one_place_stay_in_one_place():
    rows = np.ones((9, 5), dtype=np.float32)
    plane = project(rows, rows)
    assert plane.method == "pca"
    np.testing.assert_allclose(plane.before, 0, atol=1e-9)
    np.testing.assert_allclose(plane.after, 0, atol=1e-9)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("zeros", [1, 8])
def test_zero_vectors_are_drawn_somewhere(method, zeros):
    rows = two_clusters(9)
    rows[:zeros] = 0
    plane = project(rows, rows, method=method)
    assert np.isfinite([plane.before, plane.after]).all()


@pytest.mark.parametrize("words", [1, 2])
def test_one_word_or_one_dimension_has_a_place(words):
    plane = project(np.ones((words, 1), np.float32), -np.ones((words, 1), np.float32))
    assert plane.before.tolist() == [[1, 0]] * words
    assert plane.after.tolist() == [[-1, 0]] * words


def test_the_principal_plane_by_hand():
    # The greatest variance is along (1, 1) / √2, the rest along (1, -1) / √2.
    places = principal_plane(np.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]]))
    np.testing.assert_allclose(np.abs(places), [[18**0.5, 0]] * 2 + [[0, 2**0.5]] * 2, atol=1e-12)


def test_a_direction_points_to_where_its_largest_coefficient_is_positive():
    rows = np.array([[-4.0, 1.0, 0.0], [4.0, -1.0, 0.0], [0.0, 0.0, 0.1], [0.0, 0.0, -0.1]])
    for flipped in (rows, rows[[1, 0, 3, 2]]):
        places = principal_plane(flipped)
        np.testing.assert_allclose(places[:, 0], flipped[:, :2] @ [4, -1] / 17**0.5, atol=1e-12)
        np.testing.assert_allclose(places[:, 1], flipped[:, 2], atol=1e-12)


def test_perplexity_grows_with_the_points_up_to_the_usual_value():
    assert perplexity(16) == 5
    assert perplexity(1000) == 30


def test_what_cannot_be_drawn_is_refused():
    rows = two_clusters(9)
    with pytest.raises(ValueError, match=r"\(9, 20\) before, \(8, 20\) after"):
        project(rows, rows[:8])
    with pytest.raises(ValueError, match="no words"):
        project(rows[:0], rows[:0])
    broken = rows.copy()
    broken[2, 2] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        project(rows, broken)
