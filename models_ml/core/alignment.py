"""Bilingual vectors of a small dataset folder, made from its own texts and a dictionary.

Each language's words get vectors from the words they stand near; then some dictionary pairs tell
how to rotate the target language onto the source. A pair that is not used stays for the annotator
to find. Meant for a few thousand sentences; for large corpora there are better tools.
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
from models_ml.core.embeddings import FloatMatrix, Side, Vectors, centred_unit
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
    folder: Path, *, dim: int = 40, pairs: int = 100, seed: int = 0, window: int = 10
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
    folder: Path, *, dim: int = 40, pairs: int = 100, seed: int = 0, window: int = 10
) -> tuple[Vectors, Vectors]:
    """Return the source's and the target's vectors in one space, unit rows.

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
    return source, aligned(target, source, pairs=draw_pairs(dictionary, count=pairs, seed=seed))


def _content(folder: Path, side: Side) -> list[Text]:
    """Return one language's texts without its function words.

    In texts as short as these, function words would be the keywords: their IDF is no hindrance.
    Without a vector they cannot be.
    """
    path = folder / FUNCTION_WORDS
    listed = read_pairs(path, header=("word", "language")) if path.exists() else []
    dropped = {word for word, language in listed if language == side}
    return [
        [token for token in document.tokens if token not in dropped]
        for name in TEXTS[side]
        if (folder / name).exists()
        for document in read_documents(folder / name, labels=None, require_labels=False)
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

    A singular vector's sign is free; here its largest entry is positive, so that a run repeats.
    """
    start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
    left, values, _ = svds(matrix, k=dim, v0=start)
    order = np.argsort(-values)
    left, values = left[:, order], values[order]
    largest = left[np.abs(left).argmax(axis=0), np.arange(dim)]
    scaled: Matrix = left * np.sign(largest) * np.sqrt(values)
    return scaled


def aligned(target: Vectors, source: Vectors, *, pairs: Sequence[Pair]) -> Vectors:
    """Return the target's vectors, rotated so that translations lie close; the inputs stay."""
    onto = source.matrix[[source.index[word] for word, _ in pairs]]
    rows = target.matrix[[target.index[translation] for _, translation in pairs]]
    # In float64, so that rounding does not depend on how many threads multiply.
    rotated = target.matrix.astype(np.float64) @ rotation(rows, onto)
    return Vectors(target.words, rotated.astype(np.float32))


def rotation(rows: FloatMatrix, onto: FloatMatrix) -> Matrix:
    """Return the orthogonal W, (dim, dim), that minimises ‖rows · W − onto‖; both (pairs, dim).

    Source: Schönemann 1966; Smith et al. 2017 for dictionaries: W = U Vᵀ of rowsᵀ · onto = U Σ Vᵀ.
    """
    left, _, right = np.linalg.svd(rows.T.astype(np.float64) @ onto)
    product: Matrix = left @ right
    return product
