"""`manage.py links PROJECT`: direct links made in bulk, and printed."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks import services
from tasks.crowd import people
from tasks.links import Link, as_csv, as_links, links_of, values
from tasks.models import Project
from tasks.names import MOST_BYTES, MOST_NAMES, NamesError, read_names


class Command(BaseCommand):
    help = (
        "Make direct links of a project and print them, as CSV or JSON. Somebody who has a link "
        "keeps it. With neither names nor a number, all links are printed and none is made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug or number of the project")
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--csv", type=Path, metavar="FILE", help="of names (docs/platforms)")
        who.add_argument(
            "--number", type=_number, metavar="N", help="of new people: link-1, link-2, …"
        )
        parser.add_argument("--json", action="store_true", help="print JSON instead of CSV")

    def handle(
        self, *, project: str, csv: Path | None, number: int | None, json: bool, **options: Any
    ) -> None:
        try:
            links = _links(services.find_project(project), csv, number)
        except services.TaskError as error:
            raise CommandError(f"No link was made: {error}.") from error
        self.stdout.write(_as_json(links) if json else as_csv(links), ending="")


def _links(project: Project, file: Path | None, number: int | None) -> list[Link]:
    if file is None and number is None:
        return links_of(project)
    names = _names(file) if file else services.next_worker_ids(project, number or 0)
    people.check_links(project, names)
    return as_links(services.make_links(project, names))


def _names(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            return read_names(opened.read(MOST_BYTES + 1))
    except OSError as error:
        raise CommandError(f"No link was made: {file} cannot be read: {error.strerror}.") from error
    except NamesError as error:
        raise CommandError(f"No link was made: {file}: {error}") from error


def _as_json(links: list[Link]) -> str:
    return json.dumps([values(link) for link in links], ensure_ascii=False, indent=2) + "\n"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_NAMES):
        raise ArgumentTypeError(f"{text!r} is not a number of people, 1 to {MOST_NAMES}")
    return int(text)
