"""What annotators said about pairs of words, and the file that carries it between tools."""

from __future__ import annotations

import ast
import csv
import json
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from models_ml.core.embeddings import Embedding, Side
from models_ml.core.errors import InputError
from models_ml.core.lines import decode, read_lines

ACCEPTED: Literal[1] = 1
REJECTED: Literal[-1] = -1
_SECONDS = re.compile(r"\d+(\.\d*)?")


class SuggestionWarning(UserWarning):
    """An annotator added a word that has no vector; nothing can be done with it."""


@dataclass(frozen=True)
class Constraint:
    """A judgement of a pair of words, ready for refinement.

    keyword, neighbour: word ids; sign: +1 accepted, -1 rejected; weight: how far it is trusted.
    """

    keyword: int
    neighbour: int
    sign: int
    weight: float = 1.0


@dataclass(frozen=True)
class FeedbackRow:
    """One annotator's answer to one keyword, a row of the published tool's CSV file.

    timestamp: ISO 8601, UTC where it says no zone, or seconds; blank is before all others.
    added: words that the annotator wrote, which count as accepted.
    """

    keyword: str
    timestamp: str = ""
    accepted_source: tuple[str, ...] = ()
    accepted_target: tuple[str, ...] = ()
    rejected_source: tuple[str, ...] = ()
    rejected_target: tuple[str, ...] = ()
    added_source: tuple[str, ...] = ()
    added_target: tuple[str, ...] = ()


_LISTS = {  # the file's columns: field of the row, language, sign
    "pos1": ("accepted_source", Side.SOURCE, ACCEPTED),
    "pos2": ("accepted_target", Side.TARGET, ACCEPTED),
    "neg1": ("rejected_source", Side.SOURCE, REJECTED),
    "neg2": ("rejected_target", Side.TARGET, REJECTED),
    "new1": ("added_source", Side.SOURCE, ACCEPTED),
    "new2": ("added_target", Side.TARGET, ACCEPTED),
}
COLUMNS = ("keyword", "timestamp", *_LISTS)


def read_feedback(path: Path, embedding: Embedding) -> list[Constraint]:
    """Return the constraints of a feedback file: by keyword as they come, then by word id.

    Of several verdicts on a pair the latest holds: by timestamp, then by line. An added word
    that has no vector is skipped with a SuggestionWarning. Raises InputError, with file, line
    and value, for any other unknown word, a keyword beside itself, a word accepted and rejected
    in one row, and for what is not in the format.
    """
    verdicts: dict[int, dict[int, tuple[float, int]]] = {}  # keyword, word: time, sign
    for number, row in read_rows(path):
        refuse = partial(InputError, path=path, line=number)
        time = _seconds(row.timestamp, refuse)
        keyword, signs = _resolve(row, embedding, refuse)
        known = verdicts.setdefault(keyword, {})
        for word, sign in signs.items():
            if word not in known or time >= known[word][0]:
                known[word] = time, sign
    return [
        Constraint(keyword, word, sign)
        for keyword, of_keyword in verdicts.items()
        for word, (_, sign) in sorted(of_keyword.items())
    ]


def read_rows(path: Path) -> Iterator[tuple[int, FeedbackRow]]:
    """Yield the rows of a feedback file with the number of the line where each ends."""
    lines = (decode(line, path, number).removeprefix("\ufeff") for number, line in read_lines(path))
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise InputError("the file is empty", path)
        for missing in (column for column in COLUMNS if column not in header):
            raise InputError("a column is missing", path, 1, missing)
        for cells in filter(None, reader):
            refuse = partial(InputError, path=path, line=reader.line_num)
            if len(cells) != len(header):
                raise refuse(f"{len(cells)} cells under {len(header)} columns", value=cells)
            yield reader.line_num, _parse_row(dict(zip(header, cells, strict=True)), refuse)
    except csv.Error as error:
        raise InputError(f"not CSV ({error})", path, reader.line_num) from error


def write_feedback(path: Path, rows: Iterable[FeedbackRow]) -> None:
    """Write a feedback file that read_rows, and the published tool, read back."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            lists = (getattr(row, field) for field, _, _ in _LISTS.values())
            cells = (json.dumps(words, ensure_ascii=False) for words in lists)
            writer.writerow([row.keyword, row.timestamp, *cells])


def _resolve(
    row: FeedbackRow, embedding: Embedding, refuse: Callable[..., InputError]
) -> tuple[int, dict[int, int]]:
    """Return the keyword's id and the sign of each word that a row judges."""
    keyword = embedding.source.index.get(row.keyword)
    if keyword is None:
        raise refuse("the keyword is not in the source vocabulary", value=row.keyword)
    signs: dict[int, int] = {}
    for column, (field, side, sign) in _LISTS.items():
        index, offset = embedding.vectors(side).index, embedding.offset(side)
        for word in getattr(row, field):
            if word in index:
                word_id = offset + index[word]
            elif column.startswith("new"):
                what = f"{column} is not in the {side} vocabulary and is skipped"
                warnings.warn(str(refuse(what, value=word)), SuggestionWarning, stacklevel=3)
                continue
            else:
                raise refuse(f"{column} is not in the {side} vocabulary", value=word)
            if word_id == keyword:
                raise refuse(f"{column} holds the keyword itself", value=word)
            if signs.setdefault(word_id, sign) != sign:
                raise refuse(f"{column} holds a word both accepted and rejected", value=word)
    return keyword, signs


def _parse_row(cells: dict[str, str], refuse: Callable[..., InputError]) -> FeedbackRow:
    lists = {
        field: _parse_list(column, cells[column], refuse)
        for column, (field, _, _) in _LISTS.items()
    }
    return FeedbackRow(cells["keyword"].strip(), cells["timestamp"].strip(), **lists)


def _parse_list(column: str, cell: str, refuse: Callable[..., InputError]) -> tuple[str, ...]:
    """Return the words of a cell: a JSON or Python list of texts, or nothing."""
    if not cell.strip():
        return ()
    try:
        words = json.loads(cell)
    except (ValueError, RecursionError):
        words = _literal(cell)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise refuse(f"{column} is not a list of words", value=cell)
    return tuple(unicodedata.normalize("NFC", word) for word in words)


def _literal(cell: str) -> object:
    """Return the value of a Python literal; None for any other text."""
    try:
        value: object = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value


def _seconds(timestamp: str, refuse: Callable[..., InputError]) -> float:
    """Return a time as seconds since 1970; before all others where there is none."""
    if not timestamp:
        return -math.inf
    if _SECONDS.fullmatch(timestamp):
        return float(timestamp)
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise refuse("the timestamp is no time", value=timestamp) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
