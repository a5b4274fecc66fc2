"""What goes wrong on purpose: throttling, faults, lost requests and answers, delays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from random import Random
from threading import Lock

KINDS = ("throttle", "fault", "lost_request", "lost_answer", "delay")


@dataclass
class Rule:
    """One thing that goes wrong, for a share of the calls or for the next few of them."""

    kind: str
    share: float
    calls_left: float
    operations: Collection[str] | None
    delay_s: float

    def meets(self, operation: str, *, random: Random) -> bool:
        if self.calls_left <= 0 or (self.operations and operation not in self.operations):
            return False
        return self.share >= 1 or random.random() < self.share


class Faults:
    """Says what becomes of each call, from a seed; nothing goes wrong until `add` says so."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._rules: list[Rule] = []
        self._lock = Lock()

    def add(
        self,
        kind: str,
        *,
        share: float = 1.0,
        next_calls: int | None = None,
        operations: Collection[str] | None = None,
        delay_s: float = 0.0,
    ) -> None:
        """Let a kind of fault meet a share of the calls, or the next ones, of some operations.

        throttle and fault: nothing is done. lost_request: nothing is done and the line is cut.
        lost_answer: all is done and the line is cut. delay: all is done, late.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault; choose one of {KINDS}")
        calls_left = float("inf") if next_calls is None else next_calls
        with self._lock:
            self._rules.append(Rule(kind, share, calls_left, operations, delay_s))

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def draw(self, operation: str) -> Rule | None:
        """Return what goes wrong with this call, if anything."""
        with self._lock:
            for rule in self._rules:
                if rule.meets(operation, random=self._random):
                    rule.calls_left -= 1
                    return rule
        return None
