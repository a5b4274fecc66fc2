"""`manage.py simulate_crowd PROJECT`: simulated annotators work through the pages of the server."""

from __future__ import annotations

from argparse import ArgumentTypeError
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from itertools import count, islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.urls import reverse

from annotation.models import Session
from annotation.simulation import Browser, CrowdError, CrowdWorker, TrueLabel, Work
from models_ml import storage
from models_ml.core.simulation import Knowledge, SimulatedAnnotator, read_annotator
from models_ml.models import Document
from tasks import services
from tasks.models import Assignment, Project
from tasks.platforms import task_links


class Command(BaseCommand):
    help = (
        "Let simulated annotators answer a project through the pages of the running server. What "
        "they know comes from the data set's annotator.tsv."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug or number of the project")
        parser.add_argument("--annotators", type=_positive, default=1, metavar="N")
        parser.add_argument(
            "--noise",
            type=_probability,
            nargs="+",
            default=[0.0],
            help="how often they err; of several numbers each person has one, in turn",
        )
        parser.add_argument(
            "--sessions", type=_positive, default=1, help="how many the first ones do at most"
        )
        parser.add_argument(
            "--repeaters",
            type=_positive,
            metavar="N",
            help="how many people do more than one session; without it, all",
        )
        parser.add_argument("--at-once", type=_positive, default=1, metavar="N", help="people")
        parser.add_argument("--seed", type=int, default=0, help="of their errors")
        parser.add_argument("--url", default=settings.SITE_URL, help="where the server runs")
        parser.add_argument("--timeout-s", type=float, default=30.0, help="for each page")

    def handle(self, **options: Any) -> None:
        project = _find_project(options["project"])
        knowledge = _knowledge(project)
        _check_server(options["url"], timeout_s=options["timeout_s"])
        assignments = self._make_links(project, options["annotators"])
        true_labels = _true_labels(project)
        noises, repeaters = options["noise"], options["repeaters"] or len(assignments)
        categories = project.categories.count()

        def work(number: int) -> Work:
            worker = CrowdWorker(
                SimulatedAnnotator(
                    knowledge, noises[number % len(noises)], options["seed"] + number
                ),
                true_labels=true_labels,
                categories=categories,
                timeout_s=options["timeout_s"],
            )
            link = links[number]
            sessions = options["sessions"] if number < repeaters else 1
            return worker.work(urljoin(options["url"], urlsplit(link).path), sessions=sessions)

        links = [task_links.task_url(a) for a in assignments]
        with ThreadPoolExecutor(options["at_once"], "annotator") as people:
            working = {people.submit(work, number): number for number in range(len(links))}
            for done in as_completed(working):
                self._tell(assignments[working[done]], done, options["url"])

    @transaction.atomic
    def _make_links(self, project: Project, annotators: int) -> list[Assignment]:
        """Return an assignment for each, with the overlap raised where there are too few places."""
        missing = annotators - services.free_places(project)
        if missing > 0:
            project.overlap += missing
            project.save(update_fields=["overlap"])
        try:
            assignments = services.make_links(project, _unused_names(project, annotators))
        except services.TaskError as error:
            raise CommandError(str(error)) from error
        if missing > 0:
            self.stdout.write(f"Raised the overlap of {project} to {project.overlap}.")
        return assignments

    def _tell(self, assignment: Assignment, done: Future[Work], base: str) -> None:
        try:
            work = done.result()
        except CrowdError as error:
            raise CommandError(f"{assignment.worker_id}: {error}") from error
        session = Session.objects.of(assignment).get()
        report = urljoin(base, reverse("reports:session", args=[session.pk]))
        sessions = f" in {work.sessions} sessions" if work.sessions > 1 else ""
        self.stdout.write(
            f"{assignment.worker_id}: {work.judgements} judgements ({work.accepted} accepted, "
            f"{work.rejected} rejected, {work.added} added), {work.labelled} documents labelled"
            f"{sessions}; code {', '.join(work.codes)}; report {report}"
        )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of people")
    return int(text)


def _probability(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return number


def _find_project(name: str) -> Project:
    try:
        return services.find_project(name)
    except services.TaskError as error:
        raise CommandError(str(error)) from error


def _check_server(base: str, *, timeout_s: float) -> None:
    """Raise CommandError where no server answers, before anybody is given a place."""
    try:
        Browser(timeout_s=timeout_s).get(base)
    except CrowdError as error:
        raise CommandError(str(error)) from error


def _knowledge(project: Project) -> Knowledge:
    if project.annotator_file is None:
        raise CommandError(
            f"{project} came without an annotator.tsv, so nobody can be simulated for it."
        )
    return read_annotator(storage.local_path(project.annotator_file))


def _unused_names(project: Project, number: int) -> list[str]:
    taken = set(Assignment.objects.filter(hit__project=project).values_list("worker_id", flat=True))
    names = (f"simulated-{n}" for n in count(1))
    return list(islice((name for name in names if name not in taken), number))


def _true_labels(project: Project) -> dict[int, TrueLabel]:
    pool = Document.objects.filter(corpus=project.pool_corpus_id, label__isnull=False)
    rows = pool.values_list("pk", "number", "label")
    return {pk: TrueLabel(number, label) for pk, number, label in rows if label is not None}
