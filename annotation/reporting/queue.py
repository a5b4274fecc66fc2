"""What the machine has yet to do for a project, and what it could not do."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotation.models import SessionState
from models_ml.models import Job, JobState, Report, Run, SeedResult
from models_ml.reports import JOB_TITLES, JobView, job_view
from tasks.models import Project

OF_PROJECT = ("prepare_project", "refresh_consensus")
OF_SESSION = ("process_session", "prepare_session", "preview_session")


@dataclass(frozen=True)
class QueueLine:
    """Jobs of one kind."""

    kind: str
    title: str
    waiting: int
    running: int
    failed: int


@dataclass(frozen=True)
class Queue:
    """Jobs of a project by kind, and the seeds that its reports want.

    failed are those that nobody has done again since.
    """

    lines: tuple[QueueLine, ...]
    seeds_trained: int
    seeds_wanted: int
    newest_failure: JobView | None

    @property
    def waiting(self) -> int:
        return sum(line.waiting for line in self.lines)

    @property
    def running(self) -> int:
        return sum(line.running for line in self.lines)

    @property
    def failed(self) -> int:
        return sum(line.failed for line in self.lines)

    @property
    def is_busy(self) -> bool:
        return bool(self.waiting or self.running)


def queue_of(project: Project) -> Queue:
    """Return what a project waits for, in three queries."""
    jobs = _jobs(project).order_by()
    counted = {
        (kind, state): number
        for kind, state, number in jobs.values_list("kind", "state").annotate(Count("pk"))
    }
    lines = tuple(
        QueueLine(
            kind=kind,
            title=title,
            waiting=counted.get((kind, JobState.QUEUED), 0),
            running=counted.get((kind, JobState.RUNNING), 0),
            failed=counted.get((kind, JobState.FAILED), 0),
        )
        for kind, title in JOB_TITLES.items()
    )
    seeds = SeedResult.objects.filter(run__in=_runs(project)).aggregate(
        wanted=Count("pk"), trained=Count("accuracy")
    )
    failure = jobs.filter(state=JobState.FAILED).order_by("-finished_at", "-id").first()
    return Queue(
        lines=tuple(line for line in lines if line.waiting or line.running or line.failed),
        seeds_trained=seeds["trained"],
        seeds_wanted=seeds["wanted"],
        newest_failure=job_view(failure) if failure else None,
    )


def _jobs(project: Project) -> QuerySet[Job]:
    """Return a project's jobs that are to be done, or failed and were not asked for again."""
    sessions, runs = project.sessions.order_by(), _runs(project)
    # Updates that went well are forgotten, so a failed one says nothing once its session ended.
    open_sessions = sessions.filter(state=SessionState.OPEN)
    about = (
        Q(kind__in=OF_PROJECT, subject_id=project.pk)
        | Q(kind__in=OF_SESSION, subject_id__in=sessions.values("pk"))
        | Q(kind="update_neighbours", subject_id__in=open_sessions.values("pk"))
        | Q(kind="evaluate_run", subject_id__in=runs.values("pk"))
        | Q(kind="train_seed", subject_id__in=SeedResult.objects.filter(run__in=runs).values("pk"))
        | Q(kind="describe_report", subject_id__in=_reports(project).values("pk"))
    )
    newer = Job.objects.filter(
        kind=OuterRef("kind"), subject_id=OuterRef("subject_id"), pk__gt=OuterRef("pk")
    )
    to_do = Q(state__in=[JobState.QUEUED, JobState.RUNNING])
    return Job.objects.filter(about, to_do | (Q(state=JobState.FAILED) & ~Exists(newer)))


def _reports(project: Project) -> QuerySet[Report]:
    return Report.objects.filter(Q(session__project=project) | Q(consensus__project=project))


def _runs(project: Project) -> QuerySet[Run]:
    """Return the runs of a project: Base, and those of its sessions' and its consensus' reports."""
    reports = _reports(project).values("pk")
    return Run.objects.filter(
        Q(pk=project.base_run_id)
        | Q(report_arms__report__in=reports)
        | Q(curve_points__report__in=reports)
    ).distinct()
