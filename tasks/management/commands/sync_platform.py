"""`manage.py sync_platform [PROJECT]`: ask the platforms once what has become of the work."""

from __future__ import annotations

import json as json_format
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks import services
from tasks.crowd import following, hearing
from tasks.crowd.following import Outcome
from tasks.models import Platform
from tasks.platforms import PlatformError


class Command(BaseCommand):
    help = (
        "Poll the crowd platforms once: what was handed in, given back, approved or has ended is "
        "noted, what was decided is done there, and missing places are made. Can be repeated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", nargs="?", help="slug or number; default: all projects")
        parser.add_argument("--platform", choices=Platform.values[1:], help="default: each")
        parser.add_argument("--json", action="store_true")

    def handle(
        self, *, project: str | None, platform: str | None, json: bool, **options: Any
    ) -> None:
        try:
            found = services.find_project(project) if project else None
        except services.TaskError as error:
            raise CommandError(f"Nothing was polled: {error}.") from error
        trouble = _listen() if platform in {None, Platform.MTURK} else []
        outcome = following.sync(found, platform=platform)
        outcome.problems += trouble
        if found:  # then what was left alone was asked for
            outcome.problems += outcome.notes
        if json:
            self.stdout.write(json_format.dumps(outcome.data(), indent=2, ensure_ascii=False))
        else:
            self.stdout.write(_as_text(outcome))
        if outcome.problems:
            raise CommandError("Not all was done: " + "; ".join(outcome.problems))


def _listen() -> list[str]:
    """Hear the notifications that wait; return what went wrong."""
    try:
        hearing.listen()
    except PlatformError as error:
        return [str(error)]
    return []


def _as_text(outcome: Outcome) -> str:
    changes = outcome.changes
    lines = [
        f"{outcome.listings} listings polled: {changes.handed_in} handed in, "
        f"{changes.approved} approved, {changes.rejected} rejected, {changes.given_back} given "
        f"back, {outcome.closed} ended; {outcome.places_made} places made."
    ]
    if changes.strange:
        lines.append(f"{changes.strange} that do not fit what people said: see the notes.")
    return "\n".join([*lines, *(f"{note}." for note in outcome.notes)])
