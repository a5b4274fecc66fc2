"""Many people and many workers at once: nothing is lost, doubled, or different for it."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from annotation.models import Consensus, Session
from clime_project import pipeline
from models_ml import jobs
from models_ml.models import Embedding, Job, JobState, Report, Run
from tasks.importing import import_project
from tasks.models import Assignment, Project
from tests.annotation.visitor import Visitor
from tests.clime_project.loop import begin, do_all_jobs, judge, quiet, submit
from tests.e2e.processes import tell, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def make_crowd_project(tiny_dataset_folder):
    """Give a function that prepares a small project with two sessions for everybody."""

    def make(**fields):
        project = import_project(tiny_dataset_folder, report=quiet)
        wanted = {
            "keyword_count": 3,
            "neighbour_count": 2,
            "document_count": 1,
            "seeds": 2,
            "curve_step": 2,
            "curve_seeds": 1,
            "method": "spectral",
            "session_count": 2,
            "overlap": 25,
            "consensus_delay_s": 0,
        }
        Project.objects.filter(pk=project.pk).update(**wanted | fields)
        pipeline.prepare_project(project.pk, quiet)
        project.refresh_from_db()
        return project

    return make


def in_threads(function, items, *, threads):
    """Return the function's results, called from several threads with connections of their own."""

    def call(item):
        try:
            return function(item)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, items))


def outcome(project):
    """Return everything that the reports and the consensus of a project say, without ids."""

    def of_run(run):
        results = run.results.order_by("seed").values_list("seed", "accuracy", "predictions")
        return run.embedding.key, run.mean, run.std, run.low, run.high, list(results)

    def of_report(report):
        arms = {line.arm: of_run(line.run) for line in report.arms.all()}
        curve = {point.keywords: of_run(point.run) for point in report.curve.all()}
        return arms, curve, report.findings, report.described_at is not None

    sessions = {
        (session.annotator.worker_id, session.number): (
            session.refined.key if session.refined else None,
            of_report(session.report),
        )
        for session in project.sessions.select_related("annotator", "refined", "report")
    }
    pairs = project.consensus.pairs.values_list("keyword", "word", "accepted", "posterior")
    members = project.consensus.members.values_list("annotator", "votes", "reliability")
    offered = Assignment.objects.filter(hit__project=project, hit__session_number=2)
    asked = {
        assignment.worker_id: [
            item.keyword.word.text if item.keyword else item.document.number
            for item in assignment.hit.items.all()
        ]
        for assignment in offered
    }
    consensus = of_report(project.consensus.report), sorted(pairs), sorted(members)
    return sessions, consensus, asked


def opinion_of(name):
    """Return a person's own rule for answers: all differ, and each is always the same."""
    return lambda keyword, word: random.Random(f"{name} {keyword} {word}").choice(
        ["accept", "accept", "reject"]
    )


def test_25_people_submit_at_once_and_each_has_one_report(make_crowd_project):
    project = make_crowd_project(session_count=1)
    visitors = []
    for n in range(25):
        session = begin(project, f"person-{n:02}")
        judge(session, opinion_of(n))
        visitors.append(Visitor(Assignment.objects.get(worker_id=session.annotator.worker_id)))
    answers = in_threads(lambda visitor: visitor.post("finish/"), visitors * 2, threads=25)
    assert {answer.status_code for answer in answers} == {303}
    assert set(Session.objects.values_list("state", flat=True)) == {"submitted"}
    assert Job.objects.filter(kind="process_session").count() == 25

    def work(place):
        """Do jobs as a worker does, until none is left that somebody else is not doing."""
        done = 0
        while queued := list(Job.objects.filter(state=JobState.QUEUED).order_by("id")[:8]):
            job = queued[place % len(queued)]  # workers reach for the same ones now and then
            done += jobs.run(job.pk, pipeline.HANDLERS)
        return done

    in_threads(work, range(6), threads=6)
    do_all_jobs()  # what was queued while the last threads looked
    assert not Job.objects.exclude(state=JobState.DONE).exists()
    reports = list(Session.objects.values_list("report", flat=True))
    assert None not in reports and len(set(reports)) == 25
    assert Report.objects.count() == 26  # and the consensus has one
    assert not Report.objects.filter(described_at=None).exists()
    assert not Run.objects.unfinished().exists()
    assert project.consensus.members.count() == 25
    assert outcome(project) == outcome_anew(project)


def outcome_anew(project):
    """Return what the same answers come to when one worker does one job after the other."""
    forget_what_was_made(project)
    for session in project.sessions.order_by("id"):
        jobs.enqueue("process_session", session.pk)
    do_all_jobs()
    return outcome(Project.objects.get(pk=project.pk))


def forget_what_was_made(project):
    """Delete all that processing made, and keep what people answered."""
    Job.objects.all().delete()
    Consensus.objects.all().delete()
    Session.objects.update(refined=None, report=None)
    Report.objects.all().delete()
    Project.objects.update(base_run=None)
    Run.objects.all().delete()
    second = project.hits.filter(session_number=2)
    Assignment.objects.filter(hit__in=second).delete()
    rankings = {item.keyword.ranking for hit in second for item in hit.items.all() if item.keyword}
    second.delete()
    for ranking in rankings:
        ranking.delete()
    Embedding.objects.exclude(parent=None).delete()


def test_workers_killed_at_ten_random_points_leave_every_report_once_and_the_same(
    make_crowd_project, environment, start_worker
):
    project = make_crowd_project()
    names = [f"person-{n}" for n in range(4)]
    for name in names:
        session = begin(project, name)
        judge(session, opinion_of(name))
        submit(session)
    undisturbed = outcome_anew(project)
    environment["JOB_MAX_ATTEMPTS"] = "50"  # of ten kills, chance may send several to one job
    chance, kills = random.Random(7), 0
    workers = [start_worker(), start_worker()]

    def is_under_way_or_over():
        running = Job.objects.filter(state=JobState.RUNNING)
        return running.exists() or not Job.objects.active().exists()

    def is_over():
        tell(environment, "jobs.sweep()")
        return not Job.objects.active().exists()

    while kills < 10:  # where all is done before, it is done anew
        forget_what_was_made(project)
        for session in project.sessions.order_by("id"):
            tell(environment, f"jobs.enqueue('process_session', {session.pk})")
        while kills < 10:
            wait_for(is_under_way_or_over, timeout_s=60, what="a job under way")
            if not Job.objects.active().exists():
                break
            time.sleep(chance.uniform(0, 0.4))
            victim = workers.pop(chance.randrange(2))
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            kills += 1
            workers.append(start_worker())
            tell(environment, "jobs.sweep()")
        wait_for(is_over, timeout_s=180, what="the end of all jobs")
        assert not Job.objects.exclude(state=JobState.DONE).exists()
        assert Report.objects.count() == len(names) + 1
        assert outcome(Project.objects.get(pk=project.pk)) == undisturbed
