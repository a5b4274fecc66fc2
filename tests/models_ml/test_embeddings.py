"""The bilingual space: word ids, refined rows kept as a delta, and the centring of vectors."""

import numpy as np
import pytest

from models_ml.core import embeddings
from models_ml.core.embeddings import Embedding, Side, Vectors, centred_unit


def test_word_ids_run_through_the_source_and_then_the_target(tiny_embedding: Embedding) -> None:
    assert len(tiny_embedding) == 18
    assert [tiny_embedding.offset(side) for side in Side] == [0, 10]
    assert tiny_embedding.word_id("fever", Side.SOURCE) == 2
    assert tiny_embedding.word_id("homa", Side.TARGET) == 11
    assert tiny_embedding.word(2) == (Side.SOURCE, "fever")
    assert tiny_embedding.word(11) == (Side.TARGET, "homa")


def test_one_spelling_in_two_languages_is_two_words() -> None:
    both = Vectors(["radio"], np.ones((1, 2), dtype=np.float32))
    embedding = Embedding(both, both)
    assert embedding.word_id("radio", Side.SOURCE) == 0
    assert embedding.word_id("radio", Side.TARGET) == 1


def test_an_unknown_word_or_id_is_refused(tiny_embedding: Embedding) -> None:
    with pytest.raises(ValueError, match="'homa' is not in the source vocabulary"):
        tiny_embedding.word_id("homa", Side.SOURCE)
    for word_id in (-1, 18):
        with pytest.raises(ValueError, match=f"word id {word_id} is outside"):
            tiny_embedding.word(word_id)
        with pytest.raises(ValueError, match=f"word id {word_id} is outside"):
            tiny_embedding.gather(np.array([0, word_id]))


def test_languages_of_other_dimensions_are_refused(tiny_embedding: Embedding) -> None:
    flat = Vectors(["a"], np.ones((1, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="source vectors have 4 dimensions, target's 2"):
        Embedding(tiny_embedding.source, flat)


def test_gather_takes_words_of_both_languages_in_the_order_asked(
    tiny_embedding: Embedding,
) -> None:
    rows = tiny_embedding.gather(np.array([17, 0, 10, 0]))
    source, target = tiny_embedding.source.matrix, tiny_embedding.target.matrix
    np.testing.assert_array_equal(rows, np.stack([target[7], source[0], target[0], source[0]]))
    rows[:] = 0  # a copy: the vectors themselves stay
    assert np.linalg.norm(source[0]) == pytest.approx(1)
    assert tiny_embedding.gather(np.array([], dtype=np.int64)).shape == (0, 4)


def test_moved_words_have_their_new_vectors_and_no_other_has(tiny_embedding: Embedding) -> None:
    new = np.arange(8, dtype=np.float32).reshape(2, 4)
    refined = tiny_embedding.moved([12, 3], new)
    ids = np.arange(18)
    expected = tiny_embedding.gather(ids)
    expected[[12, 3]] = new
    np.testing.assert_array_equal(refined.gather(ids), expected)
    np.testing.assert_array_equal(refined.matrix(Side.SOURCE), expected[:10])
    np.testing.assert_array_equal(refined.matrix(Side.TARGET), expected[10:])
    assert not np.array_equal(tiny_embedding.gather(np.array([3]))[0], new[1])  # untouched


def test_a_second_move_keeps_the_first_ones_of_other_words(tiny_embedding: Embedding) -> None:
    ones, twos = np.full((2, 4), 1, np.float32), np.full((2, 4), 2, np.float32)
    refined = tiny_embedding.moved([5, 11], ones).moved([11, 0], twos)
    assert refined.moved_ids.tolist() == [0, 5, 11]
    assert refined.moved_rows[:, 0].tolist() == [2, 1, 2]


def test_a_language_where_nothing_moved_is_not_copied(tiny_embedding: Embedding) -> None:
    refined = tiny_embedding.moved([0], np.zeros((1, 4), dtype=np.float32))
    assert refined.matrix(Side.TARGET) is tiny_embedding.target.matrix
    assert refined.matrix(Side.SOURCE) is not tiny_embedding.source.matrix


def test_a_word_moved_twice_at_once_or_with_a_wrong_shape_is_refused(
    tiny_embedding: Embedding,
) -> None:
    with pytest.raises(ValueError, match="moved twice"):
        tiny_embedding.moved([1, 1], np.zeros((2, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="2 words of 4 dimensions"):
        tiny_embedding.moved([1, 2], np.zeros((2, 3), dtype=np.float32))


@pytest.mark.parametrize("size", [1, 3, 4, 100])
@pytest.mark.parametrize("side", Side)
def test_blocks_together_are_the_refined_matrix(
    tiny_embedding: Embedding, side: Side, size: int
) -> None:
    refined = tiny_embedding.moved([0, 4, 9, 10, 17], np.full((5, 4), 7, dtype=np.float32))
    blocks = list(refined.blocks(side, size))
    words = len(refined.vectors(side))
    assert [first for first, _ in blocks] == [
        refined.offset(side) + start for start in range(0, words, size)
    ]
    np.testing.assert_array_equal(np.concatenate([b for _, b in blocks]), refined.matrix(side))


def test_a_block_without_moved_words_is_the_base_itself(tiny_embedding: Embedding) -> None:
    refined = tiny_embedding.moved([0], np.full((1, 4), 7, dtype=np.float32))
    moved, still = (block for _, block in refined.blocks(Side.SOURCE, 5))
    assert np.shares_memory(still, tiny_embedding.source.matrix)
    assert not np.shares_memory(moved, tiny_embedding.source.matrix)


def test_vectors_are_centred_and_then_brought_to_unit_length() -> None:
    # The mean is (1, 1); what is left is (3, 4), (-3, -4) and nothing.
    raw = np.array([[4, 5], [-2, -3], [1, 1]], dtype=np.float32)
    expected = np.array([[0.6, 0.8], [-0.6, -0.8], [0, 0]], dtype=np.float32)
    centred = centred_unit(raw)
    assert centred.dtype == np.float32
    np.testing.assert_allclose(centred, expected, atol=1e-7)
    assert raw[0].tolist() == [4, 5]


def test_a_vector_that_is_the_mean_but_for_rounding_stays_zero() -> None:
    raw = np.array([[0.1, 0.1], [0.2, 0.2], [0.15, 0.15]], dtype=np.float32)
    assert not np.array_equal(raw[2], raw.mean(axis=0, dtype=np.float64))
    assert not centred_unit(raw)[2].any()
    assert not centred_unit(np.zeros((3, 5), dtype=np.float32)).any()


def test_the_size_of_blocks_does_not_show_in_centred_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = np.random.default_rng(0).normal(1, 1, size=(50, 6)).astype(np.float32)
    whole = centred_unit(raw)
    exact = raw.astype(np.float64) - raw.mean(axis=0, dtype=np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    monkeypatch.setattr(embeddings, "_ROWS_PER_BLOCK", 7)
    np.testing.assert_allclose(whole, exact, atol=1e-7)
    np.testing.assert_allclose(centred_unit(raw), exact, atol=1e-7)


@pytest.fixture
def swapped() -> np.ndarray:
    """Return the map that gives the first axis the last one's value, and so on."""
    return np.fliplr(np.eye(4, dtype=np.float32))


def test_a_map_turns_the_target_side_alone(tiny_embedding: Embedding, swapped: np.ndarray) -> None:
    mapped = tiny_embedding.mapped(swapped)
    assert mapped.matrix(Side.SOURCE) is tiny_embedding.source.matrix
    expected = tiny_embedding.target.matrix[:, ::-1]
    np.testing.assert_array_equal(mapped.matrix(Side.TARGET), expected)
    ids = np.arange(len(tiny_embedding))
    np.testing.assert_array_equal(
        mapped.gather(ids), np.concatenate([tiny_embedding.source.matrix, expected])
    )
    blocks = np.concatenate([block for _, block in mapped.blocks(Side.TARGET, 3)])
    np.testing.assert_array_equal(blocks, expected)


def test_moves_before_a_map_are_mapped_and_moves_after_it_are_not(
    tiny_embedding: Embedding, swapped: np.ndarray
) -> None:
    first = tiny_embedding.offset(Side.TARGET)
    row = np.array([[1, 2, 3, 4]], dtype=np.float32)
    moved_first = tiny_embedding.moved([first], row).moved([0], row).mapped(swapped)
    assert moved_first.gather([first]).tolist() == [[4, 3, 2, 1]]
    assert moved_first.gather([0]).tolist() == [[1, 2, 3, 4]]
    moved_last = tiny_embedding.mapped(swapped).moved([first], row)
    assert moved_last.gather([first]).tolist() == [[1, 2, 3, 4]]


def test_maps_add_up(tiny_embedding: Embedding, swapped: np.ndarray) -> None:
    twice = tiny_embedding.mapped(swapped).mapped(swapped)
    np.testing.assert_array_equal(twice.matrix(Side.TARGET), tiny_embedding.target.matrix)


def test_a_map_of_another_shape_is_refused(tiny_embedding: Embedding) -> None:
    with pytest.raises(ValueError, match=r"a map of 4 dimensions, but its shape is \(3, 3\)"):
        tiny_embedding.mapped(np.eye(3, dtype=np.float32))
