"""What runs and jobs say, ready to be shown: read from the database, and nothing computed twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Prefetch, Q, QuerySet

from models_ml.models import Arm, Job, JobState, Report, ReportArm, Run

JOB_TITLES = {
    "prepare_project": "Preparing the project",
    "process_session": "Processing the session",
    "evaluate_run": "Training and testing classifiers",
}


@dataclass(frozen=True)
class ArmResult:
    """One line of a report: accuracies are fractions, `gain_points` percentage points over Base.

    They are None until the run's last seed is done. The interval is a 95 % one, over seeds alone.
    """

    arm: str
    label: str
    run_id: int
    seeds: int
    seeds_done: int
    test_documents: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    gain_points: float | None

    @property
    def is_base(self) -> bool:
        return self.arm == Arm.BASE

    def overlaps(self, other: ArmResult) -> bool:
        """Return whether the two intervals share an accuracy; False while one is unknown."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return False
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class JobView:
    """The newest job about a row, in words."""

    id: int
    kind: str
    subject_id: int
    title: str
    state: str
    note: str
    done: int
    total: int
    error: str

    @property
    def is_active(self) -> bool:
        return self.state in {JobState.QUEUED, JobState.RUNNING}

    @property
    def is_failed(self) -> bool:
        return self.state == JobState.FAILED

    @property
    def percent(self) -> int | None:
        """How far it is, or None where it has not said."""
        return 100 * self.done // self.total if self.total else None


def runs_with_progress() -> QuerySet[Run]:
    """Runs with `seeds_done` and what a report says of them, in one query."""
    return Run.objects.annotate(seeds_done=Count("results")).select_related("test_corpus")


def arm_result(arm: str, run: Run, base: Run | None) -> ArmResult:
    """Return a report's line about a run that `runs_with_progress` gave."""
    known = base is not None and base.mean is not None and run.mean is not None
    gain = (run.mean - base.mean) * 100 if known and arm != Arm.BASE else None
    return ArmResult(
        arm=arm,
        label=Arm(arm).label,
        run_id=run.pk,
        seeds=run.seeds,
        seeds_done=run.seeds_done,
        test_documents=run.test_corpus.document_count,
        mean=run.mean,
        std=run.std,
        low=run.low,
        high=run.high,
        gain_points=gain,
    )


def report_arms(report_ids: Iterable[int]) -> dict[int, tuple[ArmResult, ...]]:
    """Return the lines of each report, in the paper's order (Base, Active, CLIME, A+C)."""
    arms = Prefetch(
        "arms", ReportArm.objects.prefetch_related(Prefetch("run", runs_with_progress()))
    )
    reports = Report.objects.filter(pk__in=list(report_ids)).prefetch_related(arms)
    return {report.pk: _lines(list(report.arms.all())) for report in reports}


def _lines(arms: list[ReportArm]) -> tuple[ArmResult, ...]:
    arms.sort(key=lambda line: Arm.values.index(line.arm))
    base = next((line.run for line in arms if line.arm == Arm.BASE), None)
    return tuple(arm_result(line.arm, line.run, base) for line in arms)


def latest_jobs(subjects: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobView]:
    """Return the newest job of each (kind, row) that ever had one, in one query."""
    rows_of_kind: dict[str, list[int]] = {}
    for kind, subject_id in subjects:
        rows_of_kind.setdefault(kind, []).append(subject_id)
    if not rows_of_kind:
        return {}
    wanted = Q()
    for kind, rows in rows_of_kind.items():
        wanted |= Q(kind=kind, subject_id__in=rows)
    # Oldest first, so that the newest is what stays in the dictionary.
    jobs = Job.objects.filter(wanted).order_by("id")
    return {(job.kind, job.subject_id): job_view(job) for job in jobs}


def job_view(job: Job) -> JobView:
    """Return a job in words; of its error, the line that says what was wrong."""
    return JobView(
        id=job.pk,
        kind=job.kind,
        subject_id=job.subject_id,
        title=JOB_TITLES.get(job.kind, job.kind),
        state=job.state,
        note=job.note,
        done=job.done,
        total=job.total,
        error=job.error.strip().split("\n", 1)[0],
    )
