"""What runs and jobs say, ready to be shown: read from the database, and nothing computed twice."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet

from models_ml.core.charts import percent
from models_ml.models import Arm, Job, JobState, ReportArm, Run, SeedResult

JOB_TITLES = {
    "prepare_project": "Preparing the project",
    "process_session": "Processing the session",
    "prepare_session": "Preparing the next session",
    "refresh_consensus": "Aggregating all answers",
    "evaluate_run": "Training classifiers",
    "train_seed": "Training one classifier",
    "describe_report": "Describing the results",
    "preview_session": "Working out “if they stopped now”",
    "update_neighbours": "Updating neighbours",
    "sync_platforms": "Asking the crowd platforms",
    "sync_listing": "Asking a crowd platform about one listing",
    "hear_platforms": "Reading the crowd platforms’ notifications",
}


@dataclass(frozen=True)
class ArmResult:
    """One line of a report: accuracies are fractions, `gain_points` percentage points over Base.

    Mean and interval are None until the run's last seed is done. The interval is a 95 % one, over
    seeds alone. is_estimate: measured on documents that people labelled, for want of a test corpus.
    macro_f1: None until the report is described.
    """

    arm: str
    label: str
    run_id: int
    seeds: int
    accuracies: tuple[float, ...]
    test_documents: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    gain_points: float | None
    is_estimate: bool = False
    macro_f1: float | None = None

    @property
    def seeds_done(self) -> int:
        return len(self.accuracies)

    @property
    def is_base(self) -> bool:
        return self.arm == Arm.BASE

    @property
    def sampling_points(self) -> float:
        """What the choice of test documents may add to the interval, at most: 95 %, in points."""
        return 100 * 1.96 * 0.5 / math.sqrt(self.test_documents)

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


def runs_with_seeds() -> QuerySet[Run]:
    """Runs, with all that a report says of them at hand."""
    # Not what they predicted of each document, nor what they learned from: that is much to read.
    trained = Prefetch("results", SeedResult.objects.trained().defer("predictions"))
    return Run.objects.select_related("test_corpus").defer("extra_labels").prefetch_related(trained)


def arm_result(arm: str, run: Run, base: Run | None) -> ArmResult:
    """Return a report's line about a run."""
    return ArmResult(
        arm=arm,
        label=Arm(arm).label,
        run_id=run.pk,
        seeds=run.seeds,
        accuracies=tuple(r.accuracy for r in run.results.all() if r.accuracy is not None),
        test_documents=run.test_documents,
        mean=run.mean,
        std=run.std,
        low=run.low,
        high=run.high,
        gain_points=_gain(run, base) if arm != Arm.BASE else None,
        is_estimate=run.test_corpus_id is None,
    )


def _gain(run: Run, base: Run | None) -> float | None:
    if run.mean is None or base is None or base.mean is None:
        return None
    return 100 * (run.mean - base.mean)


def in_words(arm: ArmResult, base: ArmResult, *, is_tested: bool = False) -> str:
    """Return a sentence that compares a finished arm with Base; empty while one is not finished.

    is_tested: whether a test is going to say what the intervals would only hint at.
    """
    if arm.gain_points is None or arm.mean is None or base.mean is None:
        return ""
    points = f"{abs(arm.gain_points):.1f}"
    if points == "0.0":
        return f"{arm.label} is as accurate as Base ({percent(base.mean)})."
    direction = "above" if arm.gain_points > 0 else "below"
    against = f"{percent(arm.mean)} against {percent(base.mean)}"
    sentence = f"{arm.label} is {points} points {direction} Base: {against}."
    if arm.overlaps(base) and not is_tested:
        sentence += " The intervals overlap, so chance alone may explain the difference."
    return sentence


def report_means(report_ids: Iterable[int]) -> dict[int, dict[str, float]]:
    """Return the mean accuracy of each finished arm of each report, in one query."""
    finished = ReportArm.objects.filter(report__in=list(report_ids), run__mean__isnull=False)
    means: dict[int, dict[str, float]] = {}
    for report_id, arm, mean in finished.values_list("report_id", "arm", "run__mean"):
        means.setdefault(report_id, {})[arm] = float(mean or 0)
    return means


def arm_results(arms: list[ReportArm]) -> tuple[ArmResult, ...]:
    """Return a report's lines in the paper's order (Base, Active, CLIME, A+C)."""
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
