"""What goes wrong on the way, and when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["throttled", "broken", "unheard", "lost", "slow"]


@dataclass
class Fault:
    """One trouble. throttled: 429; broken: 500; both without doing anything. unheard: the line is
    cut before it is done; lost: after it is done. slow: it is answered late."""

    kind: Kind
    on: re.Pattern[str]
    times: int
    retry_after_s: int | None
    delay_s: float


class Faults:
    """Says for each call whether something happens to it."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._share = 0.0
        self._share_retry_after_s: int | None = None
        self._random = Random(0)

    def plan(
        self,
        kind: Kind,
        *,
        times: int = 1,
        on: str = "",
        retry_after_s: int | None = None,
        delay_s: float = 0.0,
    ) -> None:
        """Let the next `times` calls whose `METHOD path` contains the pattern go wrong."""
        self._planned.append(Fault(kind, re.compile(on), times, retry_after_s, delay_s))

    def throttle_share(self, share: float, *, seed: int, retry_after_s: int | None = None) -> None:
        """Answer 429 to a share of all calls, always the same ones for a seed."""
        self._share, self._random = share, Random(seed)
        self._share_retry_after_s = retry_after_s

    def next_for(self, call: str) -> Fault | None:
        for fault in self._planned:
            if fault.times and fault.on.search(call):
                fault.times -= 1
                return fault
        if self._random.random() < self._share:
            return Fault("throttled", re.compile(""), 0, self._share_retry_after_s, 0.0)
        return None
