"""What annotators are called: what may be a name, and a CSV file of names as managers keep it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

from models_ml.spreadsheets import as_typed

MOST_LETTERS = 100
MOST_NAMES = 1000
MOST_BYTES = 1_000_000
SHOWN_ERRORS = 10
_JOINERS = "\u200c\u200d"  # invisible, but part of the spelling of Persian or Sinhala names
_SEPARATORS = ",;\t"  # spreadsheets write any of these, by the country they are set to


class NamesError(ValueError):
    """A file is not a list of names. errors: a sentence for each thing that is wrong."""

    def __init__(self, errors: Sequence[str]) -> None:
        shown = list(errors[:SHOWN_ERRORS])
        if more := len(errors) - len(shown):
            shown.append(f"And {more} more.")
        super().__init__(" ".join(shown))
        self.errors = shown


def is_name(text: str) -> bool:
    """Return whether somebody can be called this."""
    letters = "".join(letter for letter in text if letter not in _JOINERS)
    return 0 < len(text) <= MOST_LETTERS and letters.isprintable() and bool(letters.strip())


def read_names(content: bytes) -> list[str]:
    """Return the names in a CSV file in UTF-8, in its order.

    With a header, they stand in the column `name`; without one, in the first column. Other columns
    are passed over. Raises NamesError, which names lines and values.
    """
    if len(content) > MOST_BYTES:
        raise NamesError([f"The file is larger than {MOST_BYTES // 1_000_000} MB."])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise NamesError([f"Line {line} is not in UTF-8: save the file as “CSV UTF-8”."]) from error
    return _checked(_cells_of_names(list(_rows(text))))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not empty, with the number of the line on which each begins."""
    head = text.lstrip().partition("\n")[0]
    separator = next((letter for letter in _SEPARATORS if letter in head), ",")
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise NamesError([f"Line {line} is not CSV: {error}."]) from error


def _cells_of_names(rows: Sequence[tuple[int, list[str]]]) -> list[tuple[int, str]]:
    """Return each line's cell that holds the name, without the header."""
    header = [cell.casefold() for cell in rows[0][1]] if rows else []
    column = header.index("name") if "name" in header else None
    names = rows if column is None else rows[1:]
    place = column or 0
    return [(line, cells[place] if place < len(cells) else "") for line, cells in names]


def _checked(cells: Sequence[tuple[int, str]]) -> list[str]:
    if not cells:
        raise NamesError(["The file has no names."])
    if len(cells) > MOST_NAMES:
        raise NamesError([f"The file has {len(cells)} names: send at most {MOST_NAMES} at once."])
    lines: dict[str, int] = {}
    errors = []
    for line, cell in cells:
        name = as_typed(cell)
        if not name:
            errors.append(f"Line {line} has no name.")
        elif len(name) > MOST_LETTERS:
            errors.append(f"Line {line}: {name[:20]!r}… is longer than {MOST_LETTERS} letters.")
        elif not is_name(name):
            errors.append(f"Line {line}: {name!r} cannot be a name.")
        elif name in lines:
            errors.append(f"Line {line}: {name!r} stands on line {lines[name]} already.")
        else:
            lines[name] = line
    if errors:
        raise NamesError(errors)
    return list(lines)
