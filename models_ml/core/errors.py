"""What is wrong with a file that somebody gave us, and where."""

from __future__ import annotations

from pathlib import Path

_LONGEST_VALUE = 80


class InputError(ValueError):
    """A file cannot be used; the message names the file, the line and the offending value.

    line: counted from 1; None where no single line is to blame.
    value: what stands there; None where nothing does.
    """

    def __init__(
        self, what: str, path: str | Path, line: int | None = None, value: object = None
    ) -> None:
        super().__init__(what, path, line, value)  # as args, so that it survives pickling
        self.what, self.path, self.line, self.value = what, path, line, value

    def __str__(self) -> str:
        place = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        shown = "" if self.value is None else f": {_shortened(repr(self.value))}"
        return f"{place}: {self.what}{shown}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
