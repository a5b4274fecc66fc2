"""`manage.py start_demo DATASET`: the way into a running demo. Called by `./run demo`."""

import secrets
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from clime_project.terminal import ProgressLine
from models_ml import jobs
from models_ml.core.errors import InputError
from models_ml.models import Job, JobState
from tasks.importing import import_project
from tasks.models import Assignment, Project, ProjectState
from tasks.platforms import task_links
from tasks.services import make_links

MANAGER = "manager"
ANNOTATOR = "demo"


class Command(BaseCommand):
    help = "Import a dataset once, wait until it is prepared, and print the addresses."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", type=Path)

    def handle(self, *, dataset: Path, **options: Any) -> None:
        password = self._manager_password()
        project = self._project(dataset)
        self._wait_until_open(project)
        link = self._annotator_link(project)
        report = settings.SITE_URL + reverse("reports:project", args=[project.slug])
        self.stdout.write(
            f"\n{self.style.SUCCESS(project.name)} is ready.\n\n"
            f"  an annotator's task   {link}\n"
            f"  the admin             {settings.SITE_URL}{reverse('admin:index')}\n"
            f"                        login: {MANAGER}   password: {password}\n"
            f"  the report            {report}\n\n"
            f"Simulated annotators, from another terminal:\n"
            f"  ./run manage simulate_crowd {project.slug} --annotators 3"
            f" --url {settings.SITE_URL}\n\n"
            f"Logs are in {settings.DATA_DIR / 'logs'}. Ctrl-C stops everything."
        )

    def _manager_password(self) -> str:
        """Return the manager's password, made and noted beside the database at the first start.

        A manager who is there already, with a password of their own, is left alone.
        """
        note = settings.DATA_DIR / "manager-password"
        users = get_user_model()
        manager = users.objects.filter(username=MANAGER).first()
        if manager is None:
            password = secrets.token_urlsafe(9)
            users.objects.create_superuser(MANAGER, password=password)
            note.touch(mode=0o600)
            note.write_text(password)
            return password
        noted: str = note.read_text() if note.exists() else ""
        return noted if manager.check_password(noted) else "(the one that was set for it)"

    def _project(self, dataset: Path) -> Project:
        """Return the project of a dataset folder, imported if this data folder has not seen it."""
        seen = settings.DATA_DIR / "demo-projects"
        seen.mkdir(exist_ok=True)
        note = seen / str(dataset).strip("/").replace("/", "_")
        if note.exists():
            project = Project.objects.filter(pk=int(note.read_text())).first()
            if project:
                return project
        self.stdout.write(f"Importing {dataset}")
        progress = ProgressLine()
        try:
            project = import_project(dataset, report=progress)
        except InputError as error:
            raise CommandError(f"{error}\nNothing was imported.") from error
        finally:
            progress.close()
        note.write_text(str(project.pk))
        return project

    def _wait_until_open(self, project: Project) -> None:
        if project.state != ProjectState.DRAFT:
            return
        self.stdout.write(f"Preparing {project.name}")
        job = jobs.enqueue("prepare_project", project.pk)
        progress = ProgressLine()
        while job.is_active:
            progress(job.note or "waiting for a worker", job.done, job.total)
            time.sleep(0.3)
            job = Job.objects.get(pk=job.pk)
        progress(job.note, job.total, job.total)
        progress.close()
        if job.state != JobState.DONE:
            raise CommandError(f"The project could not be prepared: {job.error or job.state}")
        project.refresh_from_db()

    def _annotator_link(self, project: Project) -> str:
        assignment = (
            Assignment.objects.filter(hit__project=project, worker_id=ANNOTATOR)
            .order_by("hit__batch")
            .first()
        )
        if assignment is None:
            assignment = make_links(project, [ANNOTATOR])[0]
        return task_links.task_url(assignment)
