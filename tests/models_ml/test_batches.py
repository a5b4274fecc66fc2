import numpy as np
import pytest

from models_ml.core.batches import compact
from models_ml.core.corpus import Document, EncodedCorpus, encode
from models_ml.core.embeddings import Embedding, Side


def corpus_of(embedding: Embedding, *texts: str) -> EncodedCorpus:
    return encode(
        [Document(i, tuple(text.split()), 0) for i, text in enumerate(texts)],
        embedding,
        Side.SOURCE,
    )


def test_each_token_becomes_the_row_of_its_vector(tiny_embedding):
    corpus = compact(corpus_of(tiny_embedding, "fever the fever", "market"), tiny_embedding)
    words = [tiny_embedding.word_id(w, Side.SOURCE) for w in ("the", "fever", "market")]
    assert corpus.word_ids.tolist() == words
    assert corpus.tokens.tolist() == [[2, 1, 2], [3, 0, 0]]
    assert corpus.lengths.tolist() == [3, 1]
    assert np.array_equal(corpus.matrix[1:], tiny_embedding.gather(np.array(words)))


def test_an_unknown_token_is_a_zero_vector_that_keeps_its_place(tiny_embedding):
    corpus = compact(corpus_of(tiny_embedding, "the zebra fever"), tiny_embedding)
    assert corpus.tokens.tolist() == [[1, 0, 2]]
    assert corpus.lengths.tolist() == [3]
    assert not corpus.matrix[0].any()


def test_a_refined_word_brings_its_refined_vector(tiny_embedding):
    fever = tiny_embedding.word_id("fever", Side.SOURCE)
    refined = tiny_embedding.moved([fever], np.full((1, 4), 7, dtype=np.float32))
    corpus = compact(corpus_of(tiny_embedding, "the fever"), refined)
    assert corpus.matrix[2].tolist() == [7, 7, 7, 7]


def test_a_batch_is_as_long_as_its_own_longest_document(tiny_embedding):
    corpus = compact(corpus_of(tiny_embedding, "the fever of", "rain", "goal the"), tiny_embedding)
    batches = list(corpus.batches(2))
    assert [batch.tolist() for batch in batches] == [[0, 1], [2]]
    vectors, lengths = corpus.embedded(batches[1])
    assert vectors.shape == (1, 2, 4)
    assert lengths.tolist() == [2]


def test_an_empty_corpus_is_refused(tiny_embedding):
    with pytest.raises(ValueError, match="no document"):
        compact(corpus_of(tiny_embedding), tiny_embedding)
