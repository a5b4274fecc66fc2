"""What a person at a terminal sees: progress on stderr, tables or JSON on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

BAR_WIDTH = 24
SECONDS_BETWEEN_DRAWINGS = 0.1
SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """A bar on one line of a terminal; plain lines now and then where there is no terminal.

    Call it with what is being done, how much is done, and how much there is.
    """

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_terminal = self._stream.isatty()
        self._what = ""
        self._next_report = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_terminal:
            self._write("\r\x1b[K")

    def __call__(self, what: str, done: int, total: int) -> None:
        now, is_new = time.monotonic(), what != self._what
        if now < self._next_report and not is_new:
            return
        self._what = what
        if self._is_terminal:
            self._next_report = now + SECONDS_BETWEEN_DRAWINGS
            filled = BAR_WIDTH * done // total if total else 0
            self._write(f"\r\x1b[K{'█' * filled}{'░' * (BAR_WIDTH - filled)} {what}")
        else:
            self._next_report = now + SECONDS_BETWEEN_LINES
            share = f" {100 * done // total} %" if total and not is_new else ""
            self._write(f"{what}{share}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def print_json(data: Any) -> None:
    """Print data as JSON, alone on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2))


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header, words aligned left and numbers right."""
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first = rows[0] if rows else header
    is_word = [not str(cell).lstrip("-")[:1].isdigit() for cell in first]
    for line in lines:
        cells = [
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(line, widths, is_word, strict=True)
        ]
        print("  ".join(cells).rstrip())
