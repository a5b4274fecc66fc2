"""Bilingual vectors of a small dataset folder, made from its own texts and a dictionary.

Each language's words get vectors from the words they stand near; then some dictionary pairs tell
how both fit into one space. A pair that is not used stays for the annotator to find. Meant for a
few thousand sentences; for large corpora there are better tools.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds

from models_ml.core.corpus import read_documents
from models_ml.core.embeddings import Side, Vectors, centred_unit
from models_ml.core.errors import InputError
from models_ml.core.lines import are_words, decode, read_lines

TEXTS = {Side.SOURCE: ("train.jsonl",), Side.TARGET: ("test.jsonl", "pool.jsonl")}
DICTIONARY = "dictionary.tsv"
FUNCTION_WORDS = "function_words.tsv"
CONTEXT_SMOOTHING = 0.75

Matrix = NDArray[np.float64]
Pair = tuple[str, str]
Text = Sequence[str]


def write_aligned_vectors(
    folder: Path, *, dim: int = 50, pairs: int = 100, seed: int = 0, window: int = 5
) -> None:
    """Write source.vec.gz and target.vec.gz of a dataset folder, with five significant digits.

    The same texts, dictionary and options give the same bytes on the same machine.
    """
    source, target = build_vectors(folder, dim=dim, pairs=pairs, seed=seed, window=window)
    for name, vectors in (("source", source), ("target", target)):
        (folder / f"{name}.vec.gz").write_bytes(gzip.compress(short_text(vectors), mtime=0))


def short_text(vectors: Vectors) -> bytes:
    """Return the vectors in word2vec's text format with five significant digits.

    Half the size of the nine digits that float32 survives unchanged, and plenty for new vectors.
    """
    numbers = " %.5g" * vectors.dim + "\n"
    rows = vectors.matrix.tolist()
    lines = [word + numbers % tuple(row) for word, row in zip(vectors.words, rows, strict=True)]
    return "".join([f"{len(vectors)} {vectors.dim}\n", *lines]).encode()


def build_vectors(
    folder: Path, *, dim: int = 50, pairs: int = 100, seed: int = 0, window: int = 5
) -> tuple[Vectors, Vectors]:
    """Return the source's and the target's vectors in one space, of any length.

    dim: of the vectors. pairs: how many pairs of dictionary.tsv, drawn with the seed, align the
    languages; the others are held back. window: how many words to each side are near a word.
    Raises ValueError for a dictionary with fewer pairs of words that the texts hold.
    """
    source, target = (
        monolingual_vectors(_content(folder, side), dim=dim, window=window, seed=seed)
        for side in Side
    )
    dictionary = [
        (word, translation)
        for word, translation in read_pairs(folder / DICTIONARY, header=("source", "target"))
        if word in source.index and translation in target.index
    ]
    return aligned(source, target, pairs=draw_pairs(dictionary, count=pairs, seed=seed))


def _content(folder: Path, side: Side) -> list[Text]:
    """Return one language's texts without its function words.

    In texts as short as these, function words would be the keywords: their IDF is no hindrance.
    Without a vector they cannot be. Raises InputError for a folder without a text.
    """
    files = [folder / name for name in TEXTS[side] if (folder / name).exists()]
    if not files:
        raise InputError(f"holds no {side} text ({' or '.join(TEXTS[side])})", folder)
    path = folder / FUNCTION_WORDS
    listed = read_pairs(path, header=("word", "language")) if path.exists() else []
    dropped = {word for word, language in listed if language == side}
    return [
        [token for token in document.tokens if token not in dropped]
        for file in files
        for document in read_documents(file, labels=None, require_labels=False)
    ]


def read_pairs(path: Path, *, header: Pair) -> list[Pair]:
    """Return the rows below the header of a file with two tab-separated columns."""
    rows = []
    for number, line in read_lines(path):
        row = decode(line, path, number).split("\t")
        if number == 1 and tuple(row) != header:
            raise InputError(f"the header is not {' and '.join(header)}", path, number, row)
        if len(row) != 2 or not are_words(row):
            raise InputError("not a word, a tab and a word", path, number, row)
        rows.append((row[0], row[1]))
    return rows[1:]


def draw_pairs(dictionary: Sequence[Pair], *, count: int, seed: int) -> list[Pair]:
    """Return `count` pairs drawn without replacement, in the dictionary's order."""
    if not 0 < count <= len(dictionary):
        raise ValueError(f"{count} pairs asked for; the texts hold {len(dictionary)}")
    drawn = np.random.default_rng(seed).choice(len(dictionary), size=count, replace=False)
    return [dictionary[i] for i in np.sort(drawn)]


def monolingual_vectors(texts: Sequence[Text], *, dim: int, window: int, seed: int) -> Vectors:
    """Return a vector for each word of the texts, unit rows; words in like company are alike.

    The most frequent words come first, equally frequent ones by alphabet.
    Raises ValueError for texts with too few words for the dimensions.
    Source: Levy, Goldberg & Dagan 2015: positive PMI factored by a truncated SVD.
    """
    counts = Counter(chain.from_iterable(texts))
    words = sorted(counts, key=lambda word: (-counts[word], word))
    if dim >= len(words):
        raise ValueError(f"{dim} dimensions need more words than the {len(words)} of the texts")
    near = cooccurrences(texts, words, window=window)
    rows = factors(positive_pmi(near), dim=dim, seed=seed)
    return Vectors(words, centred_unit(rows.astype(np.float32)))


def cooccurrences(
    texts: Sequence[Text], words: Sequence[str], *, window: int
) -> csr_array[np.float64]:
    """Return how often two words stand at most `window` words apart, (words, words), symmetric."""
    index = {word: row for row, word in enumerate(words)}
    tokens = np.array([index[word] for word in chain.from_iterable(texts)])
    text_of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    pairs = []  # (2, pairs) of words at each distance, the earlier one above
    for distance in range(1, window + 1):
        together = text_of[:-distance] == text_of[distance:]
        pairs.append(np.stack([tokens[:-distance], tokens[distance:]])[:, together])
    earlier, later = np.concatenate(pairs, axis=1)
    both = np.concatenate([earlier, later]), np.concatenate([later, earlier])
    ones = np.ones(2 * len(earlier))
    return coo_array((ones, both), shape=(len(words), len(words))).tocsr()


def positive_pmi(counts: csr_array[np.float64]) -> csr_array[np.float64]:
    """Return max(0, log(P(w, c) / P(w) P_α(c))), (words, contexts), 0 where nothing was counted.

    P_α(c) ∝ count(c)^0.75 keeps rare contexts from looking important.
    Source: Levy, Goldberg & Dagan 2015, section 3.1 and Eq. 3.
    """
    cells = counts.tocoo()
    of_word: NDArray[np.float64] = np.asarray(counts.sum(axis=1))
    of_context = np.asarray(counts.sum(axis=0)) ** CONTEXT_SMOOTHING
    expected = of_word[cells.row] * of_context[cells.col] / of_context.sum()
    positive = np.maximum(np.log(cells.data / expected), 0)
    return coo_array((positive, (cells.row, cells.col)), shape=counts.shape).tocsr()


def factors(matrix: csr_array[np.float64], *, dim: int, seed: int) -> Matrix:
    """Return U √Σ of the `dim` largest singular values, (rows, dim), the largest first.

    seed: of the vector from which the iteration starts; it tells in the last digits only.
    """
    start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
    left, values, _ = svds(matrix, k=dim, v0=start)
    order = np.argsort(-values)
    left, values = left[:, order], values[order]
    scaled: Matrix = left * signs(left) * np.sqrt(values)
    return scaled


def signs(columns: Matrix) -> Matrix:
    """Return ±1 for each column, (columns,), to make its largest entry positive.

    Singular vectors have no sign of their own; with these a run repeats on another machine.
    """
    largest = np.abs(columns).argmax(axis=0)
    chosen: Matrix = np.sign(columns[largest, np.arange(columns.shape[1])])
    return chosen


def aligned(source: Vectors, target: Vectors, *, pairs: Sequence[Pair]) -> tuple[Vectors, Vectors]:
    """Return the vectors of both languages in their space of canonical correlation.

    Source: Faruqui & Dyer 2014, all dimensions kept.
    """
    source_rows = source.matrix[[source.index[word] for word, _ in pairs]]
    target_rows = target.matrix[[target.index[translation] for _, translation in pairs]]
    maps = canonical_maps(source_rows.astype(np.float64), target_rows.astype(np.float64))
    of_source, of_target = (
        Vectors(v.words, (v.matrix.astype(np.float64) @ to_shared).astype(np.float32))
        for v, to_shared in zip((source, target), maps, strict=True)
    )
    return of_source, of_target


def canonical_maps(first: Matrix, second: Matrix) -> tuple[Matrix, Matrix]:
    """Return the maps A and B, (dim, dim), that make rows · A and rows · B correlate most.

    first, second: (pairs, dim), a translation pair in each row. A column of the mapped rows has
    length 1 around its mean and correlates with the same column of the other language alone.
    Raises ValueError where the pairs are too few or too alike to span the dimensions.
    Source: Hotelling 1936, by the QR and singular value decompositions of Björck & Golub 1973.
    """
    bases, triangles = zip(
        *(np.linalg.qr(m - m.mean(axis=0)) for m in (first, second)), strict=True
    )
    if min(np.linalg.matrix_rank(triangle) for triangle in triangles) < first.shape[1]:
        raise ValueError(f"{len(first)} pairs do not span {first.shape[1]} dimensions; use more")
    left, _, right = np.linalg.svd(bases[0].T @ bases[1])
    sign = signs(left)
    return (
        np.linalg.solve(triangles[0], left * sign),
        np.linalg.solve(triangles[1], right.T * sign),
    )
