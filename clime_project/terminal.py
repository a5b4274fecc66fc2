"""What commands show on a terminal."""

import sys
from typing import TextIO


class ProgressLine:
    """One line that shows how far the present step is; on a pipe, one line a step."""

    WIDTH = 28

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._step = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` parts of a step are done; a new step begins a new line."""
        if step != self._step:
            self.close()
            self._step = step
            if not self._is_terminal:
                print(f"  {step}", file=self._stream, flush=True)
        if self._is_terminal:
            share = min(1.0, done / total) if total else 0.0
            bar = ("█" * round(share * self.WIDTH)).ljust(self.WIDTH, "░")
            print(f"\r  {bar} {share:4.0%}  {step}\x1b[K", end="", file=self._stream, flush=True)

    def close(self) -> None:
        """End the present line."""
        if self._step and self._is_terminal:
            print(file=self._stream, flush=True)
        self._step = ""
