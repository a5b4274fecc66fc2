"""What judgements and labels buy: the runs of a report, for one session or for all people together.

Used by pipeline.py alone. Nothing here depends on who says it: a session and a consensus are
measured in the same way, and so can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from clime_project.answers import Said
from models_ml import jobs, refining, runs
from models_ml.core.refinement import RefinementConfig
from models_ml.models import Arm, CurvePoint, Embedding, Job, Report, ReportArm, Run
from models_ml.results import FEWEST_LABELS
from models_ml.services import ReportProgress
from tasks.models import Project

MOST_STEPS = 6  # on the way of a learning curve, the end included


@dataclass(frozen=True)
class Measured:
    """The embedding that answers made, and the runs that tell what it is worth."""

    refined: Embedding | None
    arms: Mapping[Arm, Run]
    curve: Mapping[int, Run]  # by number of keywords

    @property
    def runs(self) -> list[Run]:
        return [*self.arms.values(), *self.curve.values()]


def refinement_config(project: Project) -> RefinementConfig:
    """Return how a project wants its vectors refined."""
    return RefinementConfig(
        method=project.method,
        learning_rate=project.learning_rate,
        iterations=project.iterations,
        regularization=project.regularization,
    )


def run_of(
    project: Project,
    embedding: Embedding,
    *,
    labels: Sequence[tuple[int, int]] = (),
    test_labels: Sequence[tuple[int, int]] = (),
    seeds: int = 0,
) -> Run | None:
    """Return the run of a classifier, or None where there is nothing to measure accuracy on.

    labels: documents trained on as well. test_labels: what people said of documents, measured on
    where the project has no test corpus. seeds: 0 for the project's.
    """
    if project.test_corpus is None and len(test_labels) < FEWEST_LABELS:
        return None
    return runs.define_run(
        embedding,
        train_corpus=project.train_corpus,
        test_corpus=project.test_corpus,
        test_labels=test_labels,
        extra_labels=labels,
        classifier=project.classifier,
        classes=project.categories.count(),
        seeds=seeds or project.seeds,
        scale_free=refinement_config(project).training.scale_free,
    )


def trial_run(project: Project, *, labels: Sequence[tuple[int, int]]) -> Run:
    """Return a run, not stored, of a few seeds on a project's test corpus: for a quick look."""
    return Run(
        train_corpus=project.train_corpus,
        test_corpus=project.test_corpus,
        extra_labels=runs.in_order(labels),
        seeds=project.curve_seeds,
        config=runs.run_config(
            classifier=project.classifier,
            classes=project.categories.count(),
            scale_free=refinement_config(project).training.scale_free,
        ),
    )


def measure(project: Project, said: Said, *, parent: Embedding, report: ReportProgress) -> Measured:
    """Return the embedding that answers make of `parent`, and the runs to train."""
    config = refinement_config(project)
    is_measurable = project.test_corpus is not None or len(said.labels) >= FEWEST_LABELS
    refined = aligned = None
    on_the_way: dict[int, Embedding] = {}
    if said.constraints:
        refined = refining.refine_embedding(parent, said.constraints, config=config, report=report)
        if is_measurable:
            on_the_way = _embeddings_on_the_way(project, said, parent=parent, report=report)
        if config.uses_anchors and is_measurable:
            aligned = refining.turn_by_anchors(project.embedding, report=report)
    base, labels = project.embedding, said.labels
    wanted: dict[Arm, tuple[Embedding | None, Sequence[tuple[int, int]]]] = {
        Arm.BASE: (base, ()),
        Arm.ALIGNED: (aligned, ()),
        Arm.CLIME: (refined, ()),
        Arm.ACTIVE: (base if labels else None, labels),
        Arm.ACTIVE_CLIME: (refined if labels else None, labels),
    }
    arms = {
        arm: run
        for arm, (embedding, trained_on) in wanted.items()
        if embedding and (run := run_of(project, embedding, labels=trained_on, test_labels=labels))
    }
    curve = {
        keywords: run
        for keywords, embedding in on_the_way.items()
        if (run := run_of(project, embedding, test_labels=labels, seeds=project.curve_seeds))
    }
    return Measured(refined, arms, curve)


def _embeddings_on_the_way(
    project: Project, said: Said, *, parent: Embedding, report: ReportProgress
) -> dict[int, Embedding]:
    """Return what the first 10, 20, … keywords would have made, but for the last step.

    Of many keywords, as after several sessions, the steps are longer, so that they stay few.
    """
    count, step = len(said.keywords), project.curve_step
    if not step or not count:
        return {}
    stride = step * math.ceil(count / (step * MOST_STEPS))
    config = refinement_config(project)
    return {
        number: refining.refine_embedding(parent, said.first(number), config=config, report=report)
        for number in range(stride, count, stride)
    }


def store_report(former: Report | None, measured: Measured) -> Report:
    """Return the report of what was measured: the former one where it says the same.

    To be called in a transaction that locks the row which the report belongs to. Runs that are
    not finished are queued.
    """
    if former is not None and _says(former) == (_ids(measured.arms), _ids(measured.curve)):
        report = former
    else:
        report = Report.objects.create()
        ReportArm.objects.bulk_create(
            ReportArm(report=report, arm=arm, run=run) for arm, run in measured.arms.items()
        )
        CurvePoint.objects.bulk_create(
            CurvePoint(report=report, keywords=keywords, run=run)
            for keywords, run in measured.curve.items()
        )
    _start(report, measured.runs)
    return report


@transaction.atomic
def forget_report(report: Report) -> None:
    """Delete a report that another took the place of, and what was still to be trained for it.

    Finished runs are kept, to be found again; so are those that another report waits for.
    """
    unfinished = list(Run.objects.unfinished().of_report(report).distinct())
    report.delete()
    for run in unfinished:
        is_awaited = run.report_arms.exists() or run.curve_points.exists()
        if is_awaited or Project.objects.filter(base_run=run).exists():
            continue
        seeds = run.results.values("pk")
        for job in Job.objects.active().filter(kind="train_seed", subject_id__in=seeds):
            jobs.cancel(job.pk)
        run.delete()


def _ids(of: Mapping[Arm, Run] | Mapping[int, Run]) -> dict[str, int]:
    return {str(name): run.pk for name, run in of.items()}


def _says(report: Report) -> tuple[dict[str, int], dict[str, int]]:
    arms = dict(report.arms.values_list("arm", "run_id"))
    curve = report.curve.values_list("keywords", "run_id")
    return arms, {str(keywords): run for keywords, run in curve}


def _start(report: Report, of_report: Sequence[Run]) -> None:
    """Queue what is still to be trained, or the description where all has been."""
    # The lock on the runs makes the worker that ends the last seed see this report, or us its end.
    ids = [run.pk for run in of_report]
    held = list(Run.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    unfinished = [run for run in held if run.finished_at is None]
    for run in unfinished:
        start_run(run)
    if not unfinished and report.described_at is None:
        jobs.enqueue("describe_report", report.pk)


def start_run(run: Run) -> None:
    """Give each seed of a run that is still to be trained to whichever worker is free."""
    for result in run.results.untrained():
        jobs.enqueue("train_seed", result.pk)


@transaction.atomic
def finish_run(run_id: int) -> None:
    """Sum up a run whose seeds have all been trained, and go on with the reports it completes."""
    if not runs.finish_run(run_id):
        return
    of_run = Report.objects.filter(arms__run=run_id) | Report.objects.filter(curve__run=run_id)
    for report in of_run.distinct():
        if not Run.objects.unfinished().of_report(report).exists():
            jobs.enqueue("describe_report", report.pk)
