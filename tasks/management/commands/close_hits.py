"""`manage.py close_hits PROJECT`: let nobody take a place any more."""

from __future__ import annotations

import json as json_format
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks import services
from tasks.crowd import publishing
from tasks.models import Platform
from tasks.platforms import PlatformError


class Command(BaseCommand):
    help = (
        "Close what a project has published: nobody can take a place any more, and who holds one "
        "may finish. What is closed already is left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug or number of the project")
        parser.add_argument("--platform", choices=Platform.values[1:], help="default: each")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, project: str, platform: str | None, json: bool, **options: Any) -> None:
        closed = []
        try:
            found = services.find_project(project)
            used = found.hits.exclude(listings=None).values_list("platform", flat=True)
            for name in [platform] if platform else sorted(set(used)):
                closed += publishing.close(found, name)
        except (services.TaskError, PlatformError) as error:
            done = f"; closed before that: {len(closed)}" if closed else ""
            raise CommandError(f"Not closed: {error}{done}.") from error
        told = [{"key": one.key, "platform_id": one.platform_id} for one in closed]
        if json:
            self.stdout.write(json_format.dumps({"project": found.slug, "closed": told}, indent=2))
        else:
            self.stdout.write(f"{len(closed)} closed.")
