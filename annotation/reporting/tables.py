"""A report as one long table, for spreadsheets: section, row, column, value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models_ml.spreadsheets import csv_of, harmless

HEADER = ("section", "row", "column", "value")
# What names an item of a list; several parts where none alone does.
_NAMES = (
    ("annotator", "number"),
    ("arm", "against", "kind"),
    ("arm",),
    ("annotator",),
    ("keyword", "word"),
    ("keyword",),
    ("keywords",),
    ("document",),
    ("word", "side"),
    ("label",),
    ("block",),
    ("side",),
)
Row = tuple[str, str, str, str]


def as_csv(report: Mapping[str, Any]) -> str:
    """Return a report's data as CSV, with every figure of its JSON."""
    return csv_of(HEADER, map(harmless, rows(report)))


def rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows of a report: single figures first, then a section for each of its parts."""
    parts = {name: value for name, value in report.items() if _is_nested(value)}
    for name, value in report.items():
        if name not in parts:
            yield ("report", "", name, _cell(value))
    for section, part in parts.items():
        if isinstance(part, Mapping):
            yield from _sections(section, part)
        else:
            yield from _items(section, part)


def _sections(section: str, part: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the rows of a part that is itself made of parts: each list in it is a section."""
    for name, value in part.items():
        if isinstance(value, Mapping):
            yield from _sections(f"{section}.{name}", value)
        elif _is_nested(value):
            yield from _items(f"{section}.{name}", value)
        else:
            yield (section, "", str(name), _cell(value))


def _items(section: str, items: Sequence[Any]) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        row = _name(item) or str(number)
        for column, value in _leaves(item):
            yield (section, row, column, _cell(value))


def _name(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    parts = next((keys for keys in _NAMES if all(key in item for key in keys)), ())
    return " ".join(str(item[key]) for key in parts)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each figure with where it stands; items of lists by name, or by number from 1."""
    if isinstance(value, Mapping):
        inner = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(_name(each) or str(n), each) for n, each in enumerate(value, start=1)]
    else:
        yield path or "value", value
        return
    for name, each in inner:
        yield from _leaves(each, f"{path}.{name}" if path else name)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
