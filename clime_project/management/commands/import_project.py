"""`manage.py import_project FOLDER`: a dataset folder becomes a project."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clime_project.terminal import ProgressLine
from models_ml.core.errors import InputError
from tasks.importing import import_project


class Command(BaseCommand):
    help = "Import a dataset folder as a new project (the README describes the format)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *, folder: Path, **options: Any) -> None:
        progress = ProgressLine()
        try:
            project = import_project(folder, report=progress)
        except InputError as error:
            raise CommandError(f"{error}\nNothing was imported.") from error
        finally:
            progress.close()
        self.stdout.write(f"Imported {project} as {project.slug}; prepare it in the admin.")
