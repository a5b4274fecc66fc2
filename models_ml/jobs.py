"""The machine's work: leased rows, and the messages that tell a worker to look at one.

A message may be lost (a killed worker takes it along), late, or delivered twice. The row decides:
`run` takes it by a conditional update, renews its lease with every report of progress, and stops
when another worker has taken over. `sweep` gives expired leases to others and sends lost messages
again. So a job must be idempotent, and then ends the same whatever happens on the way.

Work that spreads over many workers is a job a piece (a *group*); the piece that ends last does what
comes after (a *chord*). Celery's own group and chord count their pieces in a result store, which a
killed worker or a repeated message puts wrong; rows cannot be miscounted.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from models_ml.models import Job, JobState

logger = logging.getLogger(__name__)

RUN_JOB = "clime_project.jobs.run_job"
# What a person waits for never queues behind training.
PEOPLE_QUEUE, TRAINING_QUEUE = "people", "training"
TRAINING_KINDS = ("train_seed", "describe_report")
_TRAINING = Q(kind__in=TRAINING_KINDS)
PROGRESS_EVERY_S = 1.0
SENDING_TAKES = timedelta(seconds=5)  # from a job's commit to its message


class JobLost(Exception):
    """The lease went to another worker, or the job was cancelled: stop, and write nothing more."""


Handler = Callable[[int, "Progress"], None]


class Progress:
    """Reports how far a job is, and so keeps its lease."""

    def __init__(self, job_id: int, owner: uuid.UUID) -> None:
        self._job_id, self._owner = job_id, owner
        self._last_written = 0.0
        self._note = ""

    def __call__(self, note: str, done: int, total: int) -> None:
        """Report `done` of `total` steps of what `note` names; written once a second at most.

        Raises JobLost where the job is no longer ours.
        """
        now = time.monotonic()
        if note == self._note and now - self._last_written < PROGRESS_EVERY_S and done < total:
            return
        self._note, self._last_written = note, now
        held = Job.objects.filter(
            pk=self._job_id, state=JobState.RUNNING, lease_owner=self._owner
        ).update(
            note=note[:200],
            done=min(done, total),
            total=total,
            lease_until=timezone.now() + timedelta(seconds=settings.JOB_LEASE_S),
        )
        if not held:
            raise JobLost(f"job {self._job_id} is no longer ours")


@transaction.atomic
def enqueue(kind: str, subject_id: int, *, delay_s: float = 0, anew: bool = False) -> Job:
    """Return the active job of this kind about this row, queued now if there was none.

    delay_s: how long a new one waits, so that others of its kind need not be. anew: whether one
    that is running already is to be done once more afterwards, as its inputs have changed.
    """
    not_before = timezone.now() + timedelta(seconds=delay_s) if delay_s else None
    job, created = Job.objects.get_or_create(
        kind=kind,
        subject_id=subject_id,
        state__in=[JobState.QUEUED, JobState.RUNNING],
        defaults={"state": JobState.QUEUED, "not_before": not_before},
    )
    if created and not delay_s:
        transaction.on_commit(lambda: send(job))
    if not created and anew:
        running = Job.objects.filter(pk=job.pk, state=JobState.RUNNING)
        if not running.update(is_asked_again=True) and not job_is_queued(job.pk):
            # It ended in between: its end did not see the new inputs.
            return enqueue(kind, subject_id, delay_s=delay_s)
    return job


def job_is_queued(job_id: int) -> bool:
    """Return whether a job waits for a worker."""
    return Job.objects.filter(pk=job_id, state=JobState.QUEUED).exists()


def send(job: Job) -> None:
    """Tell the workers of a queued job; if the broker cannot be reached, the sweeper will."""
    queue = TRAINING_QUEUE if job.kind in TRAINING_KINDS else PEOPLE_QUEUE
    try:
        current_app.send_task(RUN_JOB, args=[job.pk], retry=False, queue=queue)
    except (OSError, OperationalError):
        logger.warning("broker unreachable; job %s waits for the sweeper", job.pk, exc_info=True)
        return
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())


def run(job_id: int, handlers: Mapping[str, Handler]) -> bool:
    """Do a job if it is free; return whether it was done here.

    An error of the handler is stored with the job, for the manager to read.
    """
    owner, now = uuid.uuid4(), timezone.now()
    lease = now + timedelta(seconds=settings.JOB_LEASE_S)
    claimed = (
        Job.objects.filter(pk=job_id)
        .filter(Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, lease_until__lt=now))
        .update(
            state=JobState.RUNNING,
            lease_owner=owner,
            lease_until=lease,
            attempts=F("attempts") + 1,
            started_at=now,
            is_asked_again=False,
            done=0,
            note="",
            error="",
        )
    )
    if not claimed:
        return False
    job = Job.objects.get(pk=job_id)
    try:
        handlers[job.kind](job.subject_id, Progress(job_id, owner))
    except JobLost:
        logger.info("job %s was taken over or cancelled", job_id)
        return False
    except Exception as error:  # whatever it is, the manager is to read it beside the job
        logger.exception("job %s failed", job)
        return _finish(job_id, owner, JobState.FAILED, f"{error}\n\n{traceback.format_exc()}")
    return _finish(job_id, owner, JobState.DONE, "")


@transaction.atomic
def _finish(job_id: int, owner: uuid.UUID, state: JobState, error: str) -> bool:
    progress = {"done": F("total")} if state == JobState.DONE else {}
    ended = bool(
        Job.objects.filter(pk=job_id, state=JobState.RUNNING, lease_owner=owner).update(
            state=state, error=error, finished_at=timezone.now(), lease_until=None, **progress
        )
    )
    if ended and (job := Job.objects.get(pk=job_id)).is_asked_again:
        enqueue(job.kind, job.subject_id)
    return ended


def cancel(job_id: int) -> bool:
    """Stop a job; a worker that has it notices at its next report of progress."""
    return bool(
        Job.objects.active()
        .filter(pk=job_id)
        .update(state=JobState.CANCELLED, finished_at=timezone.now(), lease_until=None)
    )


def forget_finished(kind: str, subject_id: int, *, failed: bool = False) -> None:
    """Delete the rows of jobs of one kind about one row that went well.

    failed: also of those that did not, for jobs that come again and again by themselves.
    """
    states = [JobState.DONE, JobState.FAILED] if failed else [JobState.DONE]
    Job.objects.about(kind, subject_id).filter(state__in=states).delete()


def sweep() -> int:
    """Send messages for lost jobs and give up those that kill their workers; return how many.

    Lost are jobs whose lease ran out and queued jobs whose message was never sent or went astray.
    """
    now = timezone.now()
    expired = Job.objects.filter(state=JobState.RUNNING, lease_until__lt=now)
    expired.filter(attempts__gte=settings.JOB_MAX_ATTEMPTS).update(
        state=JobState.FAILED,
        finished_at=now,
        error=f"Gave up: its worker died {settings.JOB_MAX_ATTEMPTS} times.",
    )
    orphans = list(expired.values_list("pk", flat=True))
    expired.update(state=JobState.QUEUED, lease_owner=None, lease_until=None, sent_at=None)
    due = Q(not_before=None) | Q(not_before__lte=now)
    unsent = Q(sent_at=None) & (Q(created_at__lt=now - SENDING_TAKES) | Q(not_before__lte=now))
    lost = Q(pk__in=orphans) | unsent
    for queue in (_TRAINING, ~_TRAINING):
        lost |= queue & Q(sent_at__lt=_astray_before(now, queue))
    jobs = list(Job.objects.filter(due, lost, state=JobState.QUEUED))
    for job in jobs:
        send(job)
    return len(jobs)


def _astray_before(now: datetime, queue: Q) -> datetime:
    """Return of a queue: messages sent before this moment that still wait have gone astray.

    While many jobs queue, a message may be old and well. Workers take messages in about the order
    in which they were sent, so one is lost if workers took none for a whole lease, or a later one.
    """
    stale = now - timedelta(seconds=settings.JOB_LEASE_S)
    lately = Job.objects.filter(queue, started_at__gte=stale)
    if not lately.exists():
        return stale
    taken = lately.filter(sent_at__lt=stale).aggregate(newest=Max("sent_at"))["newest"]
    return taken - SENDING_TAKES if taken else now - timedelta(days=1)
