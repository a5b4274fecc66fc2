"""Word vectors in word2vec's text format: read and checked quickly, written reproducibly."""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from models_ml.core.decimals import parse_decimals, parse_rows
from models_ml.core.embeddings import FloatMatrix, Vectors
from models_ml.core.errors import InputError
from models_ml.core.lines import Progress, are_words, decode, read_lines

_NUMBERS_PER_BLOCK = 32_768  # few enough that a block's arrays stay in the processor's cache
_ROWS_PER_BLOCK = 1024
_MOST_INFLATION = 1032  # deflate writes a byte for at most so many

NumberedLine = tuple[int, bytes]


def read_vectors(path: Path, *, progress: Progress | None = None) -> Vectors:
    """Return the words and raw vectors of a ".vec" or ".vec.gz" file.

    Its first line holds the number of words and of dimensions, each further line a word and its
    numbers. Words come in Unicode's normal form C. Raises InputError, with file, line and value,
    for all else: a header that lies, a word twice, a number that is not finite in float32, …
    """
    _keep_freed_memory()
    lines = read_lines(path, progress=progress)
    count, dim = _read_header(path, lines)
    matrix = _reserve(path, count, dim)
    line_of: dict[str, int] = {}
    while block := list(islice(lines, max(1, _NUMBERS_PER_BLOCK // dim))):
        try:
            words, rows = _parse_block(block, dim=dim, known=line_of)
        except ValueError:  # once more, slowly, to name the error or take the line after all
            words, rows = _parse_lines(block, dim=dim, known=line_of, path=path)
        first = len(line_of)
        line_of.update(zip(words, (number for number, _ in block), strict=True))
        if len(line_of) > count:
            surplus = list(line_of)[count]
            raise InputError(
                f"the header says {count} words, here is another", path, count + 2, surplus
            )
        matrix[first : len(line_of)] = rows
    if len(line_of) < count:
        raise InputError(
            f"the file ends here, but the header says {count} words", path, len(line_of) + 1
        )
    return Vectors(tuple(line_of), matrix)


def _reserve(path: Path, count: int, dim: int) -> FloatMatrix:
    """Return an unset matrix for all words; memory is taken up only as rows are written.

    A header that lies can promise more than memory holds, but no more rows than fit in the file.
    """
    most_bytes = path.stat().st_size * (_MOST_INFLATION if path.suffix == ".gz" else 1)
    shortest_line = 2 + 2 * dim  # "a 1 1\n"; the last one may lack its end
    try:
        return np.empty((min(count, most_bytes // shortest_line + 1), dim), dtype=np.float32)
    except MemoryError as error:
        promise = f"{count} {dim}"
        raise InputError("more numbers than memory holds", path, 1, promise) from error


def _keep_freed_memory() -> None:
    """Free a large array, after which glibc keeps smaller ones that are freed for the next.

    Else each block's arrays go back to the kernel and come anew, which takes as long as reading.
    """
    np.empty(2**23, dtype=np.uint8)


def write_vectors(path: Path, words: Sequence[str], matrix: FloatMatrix) -> None:
    """Write word2vec text with nine significant digits, which float32 survives unchanged.

    A name that ends in ".gz" is compressed. The same vectors give the same bytes. Raises
    ValueError for what could not be read back.
    """
    if matrix.shape[:1] != (len(words),) or not all(matrix.shape):
        raise ValueError(f"{len(words)} words, but vectors of shape {matrix.shape}")
    if not are_words(words) or not np.isfinite(matrix).all():
        raise ValueError("a word is empty or holds white space, or a number is not finite")
    numbers = " %.9g" * matrix.shape[1] + "\n"
    with _open_for_writing(path) as file:
        file.write(f"{len(words)} {matrix.shape[1]}\n".encode())
        for start in range(0, len(words), _ROWS_PER_BLOCK):
            rows = matrix[start : start + _ROWS_PER_BLOCK].tolist()
            lines = [
                word + numbers % tuple(row)
                for word, row in zip(words[start : start + len(rows)], rows, strict=True)
            ]
            file.write("".join(lines).encode())


@contextmanager
def _open_for_writing(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("wb") as file:
        if path.suffix == ".gz":
            # Neither its name nor the time goes into the file.
            with gzip.GzipFile("", "wb", 6, fileobj=file, mtime=0) as packed:
                yield packed
        else:
            yield file


def _read_header(path: Path, lines: Iterator[NumberedLine]) -> tuple[int, int]:
    """Return the number of words and of dimensions, both at least 1."""
    first = next(lines, None)
    if first is None:
        raise InputError("the file is empty", path)
    number, line = first
    header = re.fullmatch(rb"\s*0*([1-9]\d{0,8})\s+0*([1-9]\d{0,8})\s*", line)
    if header is None:
        value = line.decode("utf-8", "replace")
        raise InputError("must say how many words and dimensions follow", path, number, value)
    return int(header[1]), int(header[2])


def _parse_block(
    block: Sequence[NumberedLine], *, dim: int, known: Mapping[str, int]
) -> tuple[list[str], FloatMatrix]:
    """Return the words and vectors of well-formed lines; ValueError where any is not."""
    parts = [line.rstrip().partition(b" ") for _, line in block]
    rows = _as_float32(parse_rows([numbers for _, _, numbers in parts], columns=dim))
    if not np.isfinite(rows).all():
        raise ValueError("a number is not finite")
    text = b"\n".join(word for word, _, _ in parts).decode("utf-8")
    words = unicodedata.normalize("NFC", text).split("\n")
    if not are_words(words) or len(set(words)) < len(words) or any(word in known for word in words):
        raise ValueError("not a word, or a word twice")
    return words, rows


def _parse_lines(
    block: Sequence[NumberedLine], *, dim: int, known: Mapping[str, int], path: Path
) -> tuple[list[str], FloatMatrix]:
    """Return the words and vectors of lines with any white space; InputError for a bad one."""
    line_of: dict[str, int] = {}
    rows = np.empty((len(block), dim), dtype=np.float32)
    for row, (number, line) in zip(rows, block, strict=True):
        refuse = partial(InputError, path=path, line=number)
        start, _, rest = line.rstrip().partition(b" ")
        word, numbers = decode(start, path, number), rest.split()
        if not are_words([word]):
            raise refuse("is no word", value=word)
        if twin := line_of.get(word) or known.get(word):
            raise refuse(f"the word of line {twin} once more", value=word)
        if len(numbers) != dim:
            raise refuse(f"{len(numbers)} numbers where the header says {dim}", value=word)
        row[:] = [_parse_number(text, refuse) for text in numbers]
        line_of[word] = number
    return list(line_of), rows


def _parse_number(text: bytes, refuse: Callable[..., InputError]) -> float:
    value = text.decode("utf-8", "backslashreplace")
    try:
        number = _as_float32(parse_decimals(text + b" "))
    except ValueError as error:
        raise refuse("not a number", value=value) from error
    if not np.isfinite(number).all():
        raise refuse("not a finite number", value=value)
    return float(number[0])


def _as_float32(numbers: NDArray[np.float64]) -> FloatMatrix:
    """Return the numbers in single precision, infinite where that is too small for them."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)
