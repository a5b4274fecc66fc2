"""Vectors from small texts: counts, weights and maps worked by hand, and what a run promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from models_ml.core.alignment import (
    aligned,
    build_vectors,
    canonical_maps,
    cooccurrences,
    draw_pairs,
    factors,
    monolingual_vectors,
    positive_pmi,
    read_pairs,
    write_aligned_vectors,
)
from models_ml.core.embeddings import Vectors
from models_ml.core.errors import InputError
from models_ml.core.vector_files import read_vectors

WORDS = 30
OPTIONS = {"dim": 3, "pairs": 10}


def write_folder(folder: Path) -> Path:
    """Write random texts of thirty words a language, s0 … and t0 …, and their dictionary."""
    generator = np.random.default_rng(5)
    for name, letter in (("train", "s"), ("test", "t"), ("pool", "t")):
        texts = [[f"{letter}{i}" for i in row] for row in generator.integers(WORDS, size=(40, 8))]
        lines = [json.dumps({"id": i, "text": text, "label": 0}) for i, text in enumerate(texts)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_dictionary(folder, [(f"s{i}", f"t{i}") for i in range(WORDS)])
    return folder


def write_dictionary(folder: Path, pairs: list[tuple[str, str]]) -> None:
    lines = ["source\ttarget", *("\t".join(pair) for pair in pairs)]
    (folder / "dictionary.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def matrices(folder: Path, seed: int = 0) -> np.ndarray:
    return np.concatenate([v.matrix for v in build_vectors(folder, seed=seed, **OPTIONS)])


# --- The vectors of one language --------------------------------------------------------------
@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (1, [[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
        (2, [[0, 1, 2], [1, 0, 1], [2, 1, 0]]),
        (9, [[0, 1, 2], [1, 0, 1], [2, 1, 0]]),
    ],
)
def test_words_are_counted_within_the_window_and_the_text(window, expected):
    counts = cooccurrences([["a", "b", "c"], ["c", "a"]], ["a", "b", "c"], window=window)
    assert counts.toarray().tolist() == expected


def test_positive_pmi_is_the_hand_worked_one():
    # Contexts were seen 1 and 9 times: smoothed 1 and 9^¾ = 3√3, together 1 + 3√3 = 6.196.
    weights = positive_pmi(csr_array(np.array([[0.0, 1.0], [1.0, 8.0]]))).toarray()
    seldom = np.log(1 * 6.19615 / (1 * 5.19615))  # word 0 in context 1
    often = np.log(1 * 6.19615 / (9 * 1))  # word 1 in context 0: below zero
    common = np.log(8 * 6.19615 / (9 * 5.19615))
    assert often < 0
    assert weights == pytest.approx(np.array([[0, seldom], [0, common]]), abs=1e-5)


def test_factors_are_left_singular_vectors_times_roots_of_singular_values():
    rows = factors(csr_array(np.diag([4.0, 1.0, 9.0])), dim=2, seed=0)
    assert rows == pytest.approx(np.array([[0, 2], [0, 0], [3, 0]]), abs=1e-9)


def test_factors_do_not_depend_on_where_the_iteration_starts():
    matrix = csr_array(np.random.default_rng(0).normal(size=(20, 20)))
    assert factors(matrix, dim=4, seed=1) == pytest.approx(factors(matrix, dim=4, seed=2))


def test_frequent_words_come_first_and_ties_by_alphabet():
    texts = [["b", "c", "a", "c"], ["d", "b", "a", "c"]]
    assert monolingual_vectors(texts, dim=2, window=2, seed=0).words == ["c", "a", "b", "d"]


def test_words_in_the_same_company_are_alike():
    texts = [["red", "x", "y"], ["blue", "x", "y"], ["green", "z", "w"]] * 3
    vectors = monolingual_vectors(texts, dim=3, window=2, seed=0)
    red, blue, green = (vectors.matrix[vectors.index[word]] for word in ("red", "blue", "green"))
    assert red @ blue == pytest.approx(1, abs=1e-5)
    assert red @ green < 0.5


def test_more_dimensions_than_words_are_refused():
    with pytest.raises(ValueError, match="2 dimensions need more words than the 2"):
        monolingual_vectors([["a", "b"]], dim=2, window=1, seed=0)


# --- One space for both languages -------------------------------------------------------------
def test_a_rotated_language_is_brought_back_by_a_part_of_its_words():
    generator = np.random.default_rng(3)
    rotation = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    rows = generator.normal(size=(60, 5)).astype(np.float32)
    source = Vectors([f"s{i}" for i in range(60)], rows)
    target = Vectors([f"t{i}" for i in range(60)], (rows @ rotation).astype(np.float32))
    source, target = aligned(source, target, pairs=[(f"s{i}", f"t{i}") for i in range(20)])
    assert target.matrix == pytest.approx(source.matrix, abs=1e-5)
    assert np.linalg.norm(source.matrix, axis=1).min() > 0.01


def test_mapped_pairs_are_uncorrelated_but_with_their_own_dimension():
    generator = np.random.default_rng(4)
    first, second = generator.normal(size=(2, 12, 3))
    of_first, of_second = canonical_maps(first, second)
    a, b = ((m - m.mean(axis=0)) @ to for m, to in ((first, of_first), (second, of_second)))
    between = a.T @ b
    assert a.T @ a == pytest.approx(np.eye(3), abs=1e-9)
    assert b.T @ b == pytest.approx(np.eye(3), abs=1e-9)
    assert between == pytest.approx(np.diag(np.diag(between)), abs=1e-9)
    assert 1 > between[0, 0] > between[1, 1] > between[2, 2] > 0


@pytest.mark.parametrize("rows", [np.eye(3), np.ones((9, 3))])
def test_pairs_that_do_not_span_the_dimensions_are_refused(rows):
    with pytest.raises(ValueError, match="do not span 3 dimensions"):
        canonical_maps(rows, rows)


def test_drawn_pairs_are_each_once_and_in_order():
    dictionary = [(f"s{i}", f"t{i}") for i in range(9)]
    drawn = draw_pairs(dictionary, count=6, seed=1)
    assert len(set(drawn)) == 6
    assert drawn == [pair for pair in dictionary if pair in drawn]


def test_more_pairs_than_the_texts_hold_are_refused(tmp_path):
    folder = write_folder(tmp_path)
    write_dictionary(folder, [("s0", "t0"), ("elsewhere", "t1"), ("s1", "ailleurs")])
    with pytest.raises(ValueError, match="10 pairs asked for; the texts hold 1"):
        build_vectors(folder, **OPTIONS)


# --- A folder ---------------------------------------------------------------------------------
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    folder = write_folder(tmp_path)
    files = [folder / "source.vec.gz", folder / "target.vec.gz"]
    runs = []
    for seed in (0, 0, 1):
        write_aligned_vectors(folder, seed=seed, **OPTIONS)
        runs.append([path.read_bytes() for path in files])
    assert runs[0] == runs[1]
    assert runs[0][1] != runs[2][1]


def test_what_is_written_is_what_was_built_to_five_digits(tmp_path):
    folder = write_folder(tmp_path)
    write_aligned_vectors(folder, seed=0, **OPTIONS)
    _, target = build_vectors(folder, seed=0, **OPTIONS)
    written = read_vectors(folder / "target.vec.gz")
    assert list(written.words) == target.words
    assert written.matrix == pytest.approx(target.matrix, rel=6e-5)
    assert not np.array_equal(written.matrix, target.matrix)


def test_held_back_pairs_are_not_used_and_the_others_are(tmp_path):
    folder = write_folder(tmp_path)
    dictionary = read_pairs(folder / "dictionary.tsv", header=("source", "target"))
    used = set(draw_pairs(dictionary, count=OPTIONS["pairs"], seed=0))
    before = matrices(folder)

    write_dictionary(folder, [p if p in used else (p[0], "t0") for p in dictionary])
    assert np.array_equal(matrices(folder), before)
    write_dictionary(folder, [(p[0], "t0") if p == max(used) else p for p in dictionary])
    assert not np.allclose(matrices(folder), before)


def test_function_words_get_no_vector_in_their_own_language_only(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "function_words.tsv").write_text("word\tlanguage\ns3\tsource\nt4\tsource\n")
    source, target = build_vectors(folder, **OPTIONS)
    assert len(source) == WORDS - 1
    assert "s3" not in source.words
    assert "t4" in target.words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("english\tfrench\n", "dictionary.tsv:1: the header is not source and target"),
        ("source\ttarget\ns0\tt0\ns1\n", "dictionary.tsv:3: not a word, a tab and a word: ['s1']"),
        ("source\ttarget\ns0\t\n", "dictionary.tsv:2: not a word"),
    ],
)
def test_a_bad_dictionary_is_named_with_its_line(tmp_path, content, message):
    path = tmp_path / "dictionary.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_pairs(path, header=("source", "target"))
    assert message in str(caught.value)
