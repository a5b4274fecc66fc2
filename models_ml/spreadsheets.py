"""Tables that spreadsheets open: text in them must never be taken for a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

# Tells spreadsheets that what follows is Unicode.
BYTE_ORDER_MARK = "\ufeff"

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(cell: str) -> str:
    """Return a person's text so that no spreadsheet computes it: an apostrophe goes before."""
    return f"'{cell}" if cell.startswith(_BEGINS_FORMULA) else cell


def as_typed(cell: str) -> str:
    """Return what `as_text` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_BEGINS_FORMULA) else cell


def harmless(cells: Sequence[str]) -> list[str]:
    """Return cells as `as_text` has them, but plain numbers, signed ones too, as they are."""
    return [cell if _NUMBER.fullmatch(cell) else as_text(cell) for cell in cells]


def csv_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV; the cells are made safe already."""
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()
