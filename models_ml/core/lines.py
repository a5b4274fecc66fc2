"""Lines of text files, plain or gzip, one at a time; what cannot be read is an InputError."""

from __future__ import annotations

import gzip
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from models_ml.core.errors import InputError

Progress = Callable[[int, int], object]
"""Called now and then with the bytes read so far and the bytes of the whole file."""

_LINES_BETWEEN_REPORTS = 1000
_DAMAGES = (gzip.BadGzipFile, EOFError, zlib.error)
_LONGEST_WORD = 255
_BUFFER_BYTES = 2**20  # a line of numbers is long: the usual buffer holds only a few
_NOT_IN_A_WORD = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def read_lines(path: Path, *, progress: Progress | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield each line's number, from 1, and its bytes without the line's end.

    A name that ends in ".gz" is decompressed on the way; progress then counts compressed bytes.
    """
    number = 0
    with _open(path) as raw:
        total = path.stat().st_size
        lines = _split(_decompressed(raw)) if path.suffix == ".gz" else raw
        try:
            for number, line in enumerate(lines, start=1):
                yield number, line.rstrip(b"\r\n")
                if progress and number % _LINES_BETWEEN_REPORTS == 0:
                    progress(raw.tell(), total)
        except _DAMAGES as error:
            raise InputError(
                "the gzip data are damaged or cut off after this line", path, number, str(error)
            ) from error
        if progress:
            progress(total, total)


def _decompressed(raw: IO[bytes]) -> Iterator[bytes]:
    """Yield the content in pieces; a thread decompresses the next one meanwhile.

    What comes before a damage is yielded before the damage is raised.
    """
    file = gzip.GzipFile(fileobj=raw)

    def next_piece() -> tuple[bytes, Exception | None]:
        piece = bytearray()
        try:
            while len(piece) < _BUFFER_BYTES and (part := file.read1(_BUFFER_BYTES)):
                piece += part
        except _DAMAGES as error:
            return bytes(piece), error
        return bytes(piece), None

    with ThreadPoolExecutor(1, "gzip") as pool:
        ahead = pool.submit(next_piece)
        while True:
            piece, damage = ahead.result()
            if piece and not damage:
                ahead = pool.submit(next_piece)
            yield piece
            if damage:
                raise damage
            if not piece:
                return


def _split(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text that comes in pieces."""
    begun = b""
    for piece in pieces:
        *lines, begun = (begun + piece).split(b"\n")
        yield from lines
    if begun:
        yield begun


def decode(line: bytes, path: Path, number: int) -> str:
    """Return a line as text in Unicode's normal form C, in which all words are compared."""
    try:
        return unicodedata.normalize("NFC", line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("not valid UTF-8", path, number, line[error.start :][:20]) from error


def are_words(texts: Sequence[str]) -> bool:
    """Return whether each text can be a token or a word of a vocabulary.

    Such a text is not empty, not absurdly long, and has no white space, control character or
    lone surrogate, which files of words and databases do not bring back as they were.
    """
    lengths = [len(text) for text in texts]
    return (
        min(lengths, default=1) > 0
        and max(lengths, default=1) <= _LONGEST_WORD
        and not _NOT_IN_A_WORD.search("".join(texts))
    )


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise InputError(f"cannot be opened ({error.strerror})", path) from error
