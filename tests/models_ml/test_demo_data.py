"""The demo dataset keeps what its README promises."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from models_ml.core.alignment import build_vectors, read_pairs
from models_ml.core.corpus import Document, read_documents
from models_ml.core.dataset import load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.simulation import Topic, read_annotator
from models_ml.core.vector_files import read_vectors

DEMO = Path(__file__).parents[2] / "demo"
SIZES = {"train": 204, "test": 86, "pool": 104}
FILES = {
    "README.md", "annotator.tsv", "dictionary.tsv", "function_words.tsv", "pool.jsonl",
    "project.toml", "source.vec.gz", "target.vec.gz", "test.jsonl", "train.jsonl",
}  # fmt: skip


def documents(name: str) -> list[Document]:
    return list(read_documents(DEMO / f"{name}.jsonl", labels=2, require_labels=True))


def vocabulary(side: Side) -> set[str]:
    return set(read_vectors(DEMO / f"{side}.vec.gz").words)


def dictionary() -> list[tuple[str, str]]:
    return read_pairs(DEMO / "dictionary.tsv", header=("source", "target"))


def test_the_folder_is_small_and_holds_the_format_only():
    assert {path.name for path in DEMO.iterdir()} == FILES
    assert sum(path.stat().st_size for path in DEMO.iterdir()) <= 500_000


def test_the_folder_is_a_dataset():
    dataset = load_dataset(DEMO)
    assert (dataset.project.source.tag, dataset.project.target.tag) == ("en", "fr")
    assert dataset.embedding.dim == 50
    assert {"train": len(dataset.train), "pool": len(dataset.pool)}.items() <= SIZES.items()


@pytest.mark.parametrize("name", SIZES)
def test_half_of_the_documents_are_emergencies(name):
    half = SIZES[name] // 2
    assert Counter(document.label for document in documents(name)) == {0: half, 1: half}


@pytest.mark.parametrize("name", SIZES)
def test_documents_are_short_and_made_of_lower_case_letters(name):
    for document in documents(name):
        assert 15 <= len(document.tokens) <= 40, document
        for token in document.tokens:
            assert token.isalpha(), document
            assert token == unicodedata.normalize("NFC", token.lower()), document


def test_no_text_stands_twice():
    texts = [document.tokens for name in SIZES for document in documents(name)]
    assert len(set(texts)) == len(texts) == sum(SIZES.values())


def test_the_vectors_are_those_of_the_command():
    built = build_vectors(DEMO, dim=50, pairs=100, window=5, seed=0)
    for side, vectors in zip(Side, built, strict=True):
        written = read_vectors(DEMO / f"{side}.vec.gz")
        assert list(written.words) == vectors.words
        # Singular value decompositions differ in their last digits between machines.
        np.testing.assert_allclose(written.matrix, vectors.matrix, atol=1e-3)


def test_every_token_has_a_vector_or_is_a_function_word():
    listed = read_pairs(DEMO / "function_words.tsv", header=("word", "language"))
    for side, names in ((Side.SOURCE, ["train"]), (Side.TARGET, ["test", "pool"])):
        tokens = {token for name in names for d in documents(name) for token in d.tokens}
        function_words = {word for word, language in listed if language == side}
        assert function_words.isdisjoint(vocabulary(side))
        assert function_words | vocabulary(side) == tokens


def test_the_dictionary_joins_words_of_both_texts():
    pairs = dictionary()
    assert len(set(pairs)) == len(pairs) >= 500
    assert {source for source, _ in pairs} <= vocabulary(Side.SOURCE)
    assert {target for _, target in pairs} <= vocabulary(Side.TARGET)


def test_the_annotator_knows_the_words_that_have_vectors_and_no_others():
    known = read_annotator(DEMO / "annotator.tsv").words
    assert set(known) == {(side, word) for side in Side for word in vocabulary(side)}
    for side in Side:
        topics = Counter(about.topic for (of, _), about in known.items() if of is side)
        assert set(topics) == {Topic.HEALTH, Topic.ANOTHER, Topic.NEUTRAL}
        assert min(topics.values()) > 100


def test_the_annotator_translates_by_the_dictionary_both_ways():
    known = read_annotator(DEMO / "annotator.tsv").words
    there = {(w, t) for (s, w), k in known.items() if s is Side.SOURCE for t in k.translations}
    back = {(t, w) for (s, w), k in known.items() if s is Side.TARGET for t in k.translations}
    assert there == back == set(dictionary())
