"""Jobs: leased rows that survive lost messages, dead workers and double delivery."""

from datetime import timedelta

import pytest
from celery import Celery
from django.utils import timezone

from models_ml import jobs
from models_ml.models import Job, JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """Record messages instead of sending them; the broker has its own tests."""
    messages = []
    monkeypatch.setattr(jobs, "send", lambda job: messages.append(job.pk))
    return messages


def new_job(**fields):
    return Job.objects.create(**{"kind": "count", "subject_id": 7} | fields)


def test_a_job_is_queued_once_and_its_message_sent_after_the_commit(
    sent, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        first = jobs.enqueue("count", 7)
        assert jobs.enqueue("count", 7) == first
        assert sent == []
    assert sent == [first.pk]


def test_a_finished_job_can_be_queued_again(sent):
    old = new_job(state=JobState.DONE)
    assert jobs.enqueue("count", 7) != old


def test_a_job_is_done_by_its_handler_and_only_once():
    job, seen = new_job(), []
    assert jobs.run(job.pk, {"count": lambda pk, progress: seen.append(pk)})
    assert not jobs.run(job.pk, {"count": lambda pk, progress: seen.append(pk)})
    job.refresh_from_db()
    assert (seen, job.state, job.attempts) == ([7], JobState.DONE, 1)


def test_a_failing_job_keeps_its_error_for_the_manager(caplog):
    job = new_job()

    def fail(pk, progress):
        raise ValueError(f"document {pk} is empty")

    jobs.run(job.pk, {"count": fail})
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.error.startswith("document 7 is empty\n")
    assert "Traceback" in job.error


def test_progress_is_stored_and_renews_the_lease():
    job = new_job()
    seen = []

    def work(pk, progress):
        progress("counting", 2, 5)
        row = Job.objects.get(pk=job.pk)
        seen.append((row.note, row.done, row.total, row.lease_until > timezone.now()))

    jobs.run(job.pk, {"count": work})
    assert seen == [("counting", 2, 5, True)]


def test_a_worker_whose_job_was_cancelled_stops_at_its_next_report():
    job, reached = new_job(), []

    def work(pk, progress):
        assert jobs.cancel(job.pk)
        progress("counting", 1, 5)
        reached.append("went on")

    assert not jobs.run(job.pk, {"count": work})
    job.refresh_from_db()
    assert (job.state, reached) == (JobState.CANCELLED, [])


def test_a_leased_job_is_left_alone_and_an_expired_one_taken_over():
    job = new_job(state=JobState.RUNNING, lease_until=timezone.now() + timedelta(seconds=30))
    assert not jobs.run(job.pk, {"count": lambda pk, progress: None})
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs.run(job.pk, {"count": lambda pk, progress: None})


def test_a_worker_that_lost_its_lease_cannot_finish_the_job():
    job, inner = new_job(), []

    def slow(pk, progress):
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        inner.append(jobs.run(job.pk, {"count": lambda pk, progress: None}))

    assert not jobs.run(job.pk, {"count": slow})
    assert inner == [True]
    job.refresh_from_db()
    assert (job.state, job.attempts) == (JobState.DONE, 2)


def test_the_sweeper_sends_lost_jobs_again_and_leaves_the_others(sent):
    now = timezone.now()
    dead = new_job(state=JobState.RUNNING, lease_until=now - timedelta(seconds=1), attempts=1)
    stale = new_job(kind="b", sent_at=now - timedelta(hours=1))
    never_sent = new_job(kind="c")
    Job.objects.filter(pk=never_sent.pk).update(created_at=now - timedelta(minutes=1))
    new_job(kind="d", state=JobState.RUNNING, lease_until=now + timedelta(seconds=30))
    new_job(kind="e", sent_at=now)
    new_job(kind="f", state=JobState.DONE)
    assert jobs.sweep() == 3
    assert sorted(sent) == sorted([dead.pk, stale.pk, never_sent.pk])
    dead.refresh_from_db()
    assert dead.state == JobState.QUEUED


def test_an_old_message_behind_a_long_queue_is_not_sent_again_but_one_passed_over_is(
    sent, settings
):
    now = timezone.now()
    minutes = [timedelta(minutes=n) for n in range(10)]
    passed_over = new_job(kind="train_seed", subject_id=1, sent_at=now - minutes[9])
    new_job(
        kind="train_seed",
        subject_id=2,
        state=JobState.DONE,
        sent_at=now - minutes[8],
        started_at=now - timedelta(seconds=5),
    )
    new_job(kind="train_seed", subject_id=3, sent_at=now - minutes[7])  # its turn is still to come
    waited_for = new_job(kind="prepare_session", subject_id=4, sent_at=now - minutes[2])
    jobs.sweep()
    assert sorted(sent) == [passed_over.pk, waited_for.pk]


def test_a_job_that_waits_for_company_is_sent_when_its_time_has_come(sent):
    job = jobs.enqueue("refresh", 7, delay_s=60)
    assert jobs.enqueue("refresh", 7, delay_s=60) == job
    jobs.sweep()
    assert sent == []
    Job.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    jobs.sweep()
    assert sent == [job.pk]


def test_a_running_job_asked_for_anew_is_queued_once_more_when_it_ends(sent):
    job = new_job()

    def work(pk, progress):
        for _ in range(3):  # more answers arrive while it runs
            assert jobs.enqueue("count", pk, anew=True) == job

    assert jobs.run(job.pk, {"count": work})
    again = Job.objects.about("count", 7).active().get()
    assert again.state == JobState.QUEUED
    assert jobs.run(again.pk, {"count": lambda pk, progress: None})
    assert not Job.objects.active().exists()


def test_a_running_job_asked_for_again_without_new_inputs_is_done_once(sent):
    job = new_job()
    jobs.run(job.pk, {"count": lambda pk, progress: jobs.enqueue("count", pk) and None})
    assert not Job.objects.active().exists()


def test_training_has_a_queue_of_its_own(monkeypatch):
    queues = []
    monkeypatch.setattr(
        jobs.current_app, "send_task", lambda *args, queue, **options: queues.append(queue)
    )
    for kind in ("train_seed", "prepare_session"):
        jobs.send(new_job(kind=kind))
    assert queues == ["training", "people"]


def test_a_job_that_kills_its_workers_is_given_up(sent, settings):
    job = new_job(
        state=JobState.RUNNING,
        lease_until=timezone.now() - timedelta(seconds=1),
        attempts=settings.JOB_MAX_ATTEMPTS,
    )
    jobs.sweep()
    job.refresh_from_db()
    assert (job.state, sent) == (JobState.FAILED, [])
    assert "died" in job.error


def test_an_unreachable_broker_leaves_the_job_to_the_sweeper(settings, monkeypatch, caplog):
    nowhere = Celery(set_as_current=False)
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    nowhere.conf.update(broker_write_url="redis://127.0.0.1:1/0", broker_transport_options=options)
    monkeypatch.setattr(jobs, "current_app", nowhere)
    job = new_job()
    jobs.send(job)
    job.refresh_from_db()
    assert (job.state, job.sent_at) == (JobState.QUEUED, None)
