"""A real Celery worker over each broker: it does jobs, and a killed one loses none."""

import os
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from clime_project import pipeline
from models_ml.models import Job, JobState
from tasks.importing import import_project
from tasks.models import Project
from tests.annotation.visitor import Visitor
from tests.e2e.processes import HOME, tell, wait_for
from tests.factories import make_link

BROKERS = {
    "files": "filesystem://localhost",
    "redis": "redis://127.0.0.1:6379/8",
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
}
pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=BROKERS)
def broker(request):
    """Give the address of a broker that answers; a missing one is a failure in CI, else a skip."""
    url = BROKERS[request.param]
    place = urlsplit(url)
    if place.port:
        try:
            socket.create_connection((place.hostname, place.port), timeout=2).close()
        except OSError as error:
            missing = f"{request.param} does not answer at {place.hostname}:{place.port}: {error}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return url


def test_a_killed_workers_job_is_finished_by_another(environment, start_worker):
    project = import_project(HOME / "demo", report=lambda *step: None)
    first = start_worker()
    tell(environment, f"jobs.enqueue('prepare_project', {project.pk})")
    job = Job.objects.get()

    def is_state(state):
        return lambda: Job.objects.filter(pk=job.pk, state=state).exists()

    wait_for(is_state(JobState.RUNNING), timeout_s=40, what="the first worker's start")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert Job.objects.get(pk=job.pk).state == JobState.RUNNING, "killed too late to test anything"
    start_worker()
    time.sleep(2.5)  # the dead worker's lease
    tell(environment, "jobs.sweep()")  # RabbitMQ may have given the message back before
    wait_for(is_state(JobState.DONE), timeout_s=60, what="the second worker's end")
    project.refresh_from_db()
    assert project.state == "open"
    assert project.ranking.keywords.count() == project.keyword_count
    assert Job.objects.get(pk=job.pk).attempts == 2


def test_a_worker_gives_an_open_live_session_its_own_neighbours(
    environment, start_worker, tiny_dataset_folder
):
    project = import_project(tiny_dataset_folder, report=lambda *step: None)
    Project.objects.update(keyword_count=3, neighbour_count=2, live=True, method="spectral")
    pipeline.prepare_project(project.pk, lambda *step: None)
    visitor = Visitor(make_link(Project.objects.get()))
    visitor.agree()
    word = visitor.item(1).keyword.neighbours.first().word
    visitor.post("1/", word=word.pk, verdict="reject")
    job = Job.objects.about("update_neighbours", visitor.session.pk).get()
    start_worker()
    tell(
        environment, f"jobs.send(jobs.Job.objects.get(pk={job.pk}))"
    )  # the web process of this test has another broker
    done = Job.objects.filter(pk=job.pk, state=JobState.DONE)
    wait_for(done.exists, timeout_s=60, what="the update")
    keywords = {visitor.item(position).keyword for position in (2, 3)}
    assert {row.keyword for row in visitor.session.neighbours.all()} == keywords
    own = visitor.session.neighbours.filter(keyword=visitor.item(2).keyword)
    page = visitor.text("2/")
    assert all(f'id="w-{row.word_id}"' in page for row in own)
