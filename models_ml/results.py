"""All that the report rows of sessions and consensuses say, and the training they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import F, Prefetch

from models_ml.models import CurvePoint, Job, JobState, Report, ReportArm, Run, SeedResult
from models_ml.reports import (
    JOB_TITLES,
    ArmResult,
    JobView,
    arm_results,
    job_view,
    latest_jobs,
    runs_with_seeds,
)

# Fewer documents labelled by people are too few to measure an accuracy on.
FEWEST_LABELS = 10


@dataclass(frozen=True)
class CurveResult:
    """Accuracy with the first keywords only: a point of the way to CLIME's (Figure 4)."""

    keywords: int
    run_id: int
    seeds: int
    accuracies: tuple[float, ...]
    mean: float | None
    low: float | None
    high: float | None

    @property
    def seeds_done(self) -> int:
        return len(self.accuracies)


@dataclass(frozen=True)
class Results:
    """A report's lines, its curve, and what it says of them.

    findings: data of models_ml.core.findings; empty until the report is described, and where it
    was not asked for.
    """

    id: int
    arms: tuple[ArmResult, ...]
    curve: tuple[CurveResult, ...]
    is_described: bool
    findings: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> dict[int, str]:
        """What each run of the report is called."""
        curve = {point.run_id: f"CLIME after {point.keywords} keywords" for point in self.curve}
        return curve | {arm.run_id: arm.label for arm in self.arms}


def report_results(report_ids: Iterable[int], *, with_findings: bool = True) -> dict[int, Results]:
    """Return what each report says, in a number of queries that does not depend on how many.

    Findings are much to read: without them, their macro F1 alone is read.
    """
    of_run = Prefetch("run", runs_with_seeds())
    reports = Report.objects.filter(pk__in=list(report_ids)).prefetch_related(
        Prefetch("arms", ReportArm.objects.prefetch_related(of_run)),
        Prefetch("curve", CurvePoint.objects.prefetch_related(of_run)),
    )
    if not with_findings:
        reports = reports.defer("findings").annotate(figures=F("findings__arms"))
    return {report.pk: _results(report, with_findings) for report in reports}


def _results(report: Any, with_findings: bool) -> Results:
    findings = report.findings if with_findings else {}
    figures = findings.get("arms") if with_findings else report.figures
    macro_f1 = {figure["arm"]: figure["macro_f1"] for figure in figures or ()}
    return Results(
        id=report.pk,
        arms=tuple(
            replace(arm, macro_f1=macro_f1.get(arm.arm))
            for arm in arm_results(list(report.arms.all()))
        ),
        curve=tuple(_curve_result(point.keywords, point.run) for point in report.curve.all()),
        is_described=report.described_at is not None,
        findings=findings,
    )


def _curve_result(keywords: int, run: Run) -> CurveResult:
    return CurveResult(
        keywords=keywords,
        run_id=run.pk,
        seeds=run.seeds,
        accuracies=tuple(r.accuracy for r in run.results.all() if r.accuracy is not None),
        mean=run.mean,
        low=run.low,
        high=run.high,
    )


@dataclass(frozen=True)
class RunJobs:
    """What is queued, running or failed of the jobs about some reports and their runs."""

    by_report: Mapping[int, tuple[JobView, ...]]

    def of(self, report_id: int | None) -> tuple[JobView, ...]:
        return self.by_report.get(report_id or 0, ())


def jobs_of_reports(results: Iterable[Results]) -> RunJobs:
    """Return the work on each report, an arm each, in a constant number of queries."""
    results = list(results)
    runs = {run_id for one in results for run_id in one.names}
    subjects = [("evaluate_run", run_id) for run_id in runs]
    subjects += [("describe_report", one.id) for one in results]
    others, training = latest_jobs(subjects), training_jobs(runs)
    by_report = {}
    for one in results:
        named = [
            replace(job, title=f"{job.title}: {name}")
            for run_id, name in one.names.items()
            for job in (others.get(("evaluate_run", run_id)), *training.get(run_id, ()))
            if job
        ]
        described = others.get(("describe_report", one.id))
        by_report[one.id] = (*_at_once(named), *([described] if described else ()))
    return RunJobs(by_report)


def _at_once(training: Sequence[JobView]) -> Iterator[JobView]:
    """Yield the failed jobs of a report's runs, and those under way as one, as far as all are."""
    yield from (job for job in training if not job.is_active)
    active = [job for job in training if job.is_active]
    if len(active) == 1:
        yield active[0]
    elif active:
        first = next((job for job in active if job.state == JobState.RUNNING), active[0])
        done, total = sum(job.done for job in active), sum(job.total for job in active)
        note = f"{done} of {total} seeds of {len(active)} accuracies"
        title = JOB_TITLES["evaluate_run"]
        yield replace(first, title=title, done=done, total=total, note=note)


def training_jobs(run_ids: Iterable[int]) -> dict[int, tuple[JobView, ...]]:
    """Return of each run with seeds to train: how far it is, and a seed that failed; two queries.

    The jobs of a run are shown as one: `done` and `total` are seeds, `subject_id` is the run.
    """
    untrained = SeedResult.objects.untrained().filter(run__in=list(run_ids)).order_by("run", "seed")
    # Oldest first, so that a seed's newest job is what stays in the dictionary.
    jobs = Job.objects.filter(kind="train_seed", subject_id__in=untrained.order_by().values("pk"))
    newest = {job.subject_id: job for job in jobs.order_by("id")}
    missing: dict[tuple[int, int], list[Job | None]] = {}
    for seed, run_id, seeds in untrained.values_list("pk", "run", "run__seeds"):
        missing.setdefault((run_id, seeds), []).append(newest.get(seed))
    return {
        run_id: tuple(_as_one(run_id, jobs_of_run, seeds))
        for (run_id, seeds), jobs_of_run in missing.items()
    }


def _as_one(run_id: int, jobs: Sequence[Job | None], seeds: int) -> Iterator[JobView]:
    """Yield a failed job of a run's untrained seeds, and all that are to be done as one."""
    failed = next((job for job in jobs if job and job.state == JobState.FAILED), None)
    active = [job for job in jobs if job and job.is_active]
    if failed:
        yield replace(job_view(failed), subject_id=run_id, title=JOB_TITLES["evaluate_run"])
    if active:
        done = seeds - len(jobs)
        running = [job for job in active if job.state == JobState.RUNNING]
        yield replace(
            job_view((running or active)[0]),
            subject_id=run_id,
            title=JOB_TITLES["evaluate_run"],
            note=f"{done} of {seeds} seeds",
            done=done,
            total=seeds,
        )
