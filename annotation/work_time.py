"""How long somebody worked: the time between signs of it, but for breaks.

Signs may come late, of work without a connection, and twice. What was counted once is not counted
again; of the silences that were not counted the last can still be filled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# A longer silence than this between two signs is a break, not work.
IDLE = timedelta(seconds=60)


@dataclass(frozen=True)
class Sign:
    """A moment at which an annotator was at work."""

    at: datetime
    on_document: bool = False


@dataclass
class WorkTime:
    """What signs of work come to.

    seen_at: the newest sign. paused_at: since when a break is taken. gap_began_at, gap_ended_at:
    the last silence that was not counted. worked, on_documents: to be added to the session.
    """

    seen_at: datetime | None = None
    paused_at: datetime | None = None
    gap_began_at: datetime | None = None
    gap_ended_at: datetime | None = None
    worked: timedelta = timedelta(0)
    on_documents: timedelta = timedelta(0)

    def note(self, signs: Iterable[Sign]) -> None:
        for sign in sorted(signs, key=lambda sign: sign.at):
            if self.seen_at is None:
                self.seen_at = sign.at
            elif sign.at > self.seen_at:
                self._go_on(self.seen_at, sign)
            else:
                self._fill_gap(sign)

    def pause(self, now: datetime) -> None:
        """Count nothing from now until the next sign."""
        self.note([Sign(now)])
        self.paused_at = self.seen_at

    def _go_on(self, seen_at: datetime, sign: Sign) -> None:
        if self.paused_at is not None:
            self.paused_at = None
        elif sign.at - seen_at <= IDLE:
            self._count(sign.at - seen_at, sign)
        else:
            self.gap_began_at, self.gap_ended_at = seen_at, sign.at
        self.seen_at = sign.at

    def _fill_gap(self, sign: Sign) -> None:
        began, ended = self.gap_began_at, self.gap_ended_at
        if began is None or ended is None or not began < sign.at < ended:
            return
        if sign.at - began <= IDLE:
            self._count(sign.at - began, sign)
        self.gap_began_at = sign.at
        if ended - sign.at <= IDLE:
            self._count(ended - sign.at, sign)
            self.gap_began_at = self.gap_ended_at = None

    def _count(self, time: timedelta, sign: Sign) -> None:
        self.worked += time
        if sign.on_document:
            self.on_documents += time
