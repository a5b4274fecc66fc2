"""The whole loop, top to bottom; the only module that knows all apps.

prepare a project (train → rank → neighbours → concordance → HITs) → people answer (live: their
answers → neighbours of the keywords to come) → process their session (constraints → refine →
retrain) → report. Each function is a job: it takes a row's id, may be run twice, and ends the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from annotation import services as annotation_services
from annotation.models import DocumentLabel, Judgement, Session, SessionState, Verdict
from models_ml import jobs, learning, refining, services
from models_ml.core.constraints import Constraint
from models_ml.core.refinement import RefinementConfig
from models_ml.models import Arm, Embedding, Report, ReportArm, Run
from tasks import services as tasks_services
from tasks.models import Project, ProjectState


def prepare_project(project_id: int, progress: jobs.Progress) -> None:
    """Find a project's keywords, their neighbours and sentences, and offer them as HITs."""
    project = Project.objects.get(pk=project_id)
    ranking = learning.rank(
        project.embedding,
        project.train_corpus,
        classes=project.categories.count(),
        classifier=project.classifier,
        keywords=project.keyword_count,
        neighbours=project.neighbour_count,
        report=progress,
    )
    progress("collecting sentences around words", 0, 1)
    services.store_concordance(project.train_corpus)
    documents = []
    if project.pool_corpus:
        services.store_concordance(project.pool_corpus)
        progress("choosing documents to label", 0, 1)
        documents = learning.choose_documents(
            ranking, project.pool_corpus, count=project.document_count
        )
    with transaction.atomic():
        tasks_services.create_hits(project, keywords=ranking.keywords.all(), documents=documents)
        base = _run(project, project.embedding)
        Project.objects.filter(pk=project.pk).update(ranking=ranking, base_run=base)
        Project.objects.filter(pk=project.pk, state=ProjectState.DRAFT).update(
            state=ProjectState.OPEN
        )
        _evaluate_unless_finished(base)


def update_neighbours(session_id: int, progress: jobs.Progress) -> None:
    """Give the keywords that a live session has yet to open the neighbours its answers make.

    Nothing happens to a session that has ended. A late or repeated job finds the same answers, or
    newer ones, and stores what these make.
    """
    session = Session.objects.select_related("project__embedding").get(pk=session_id)
    project, newest = session.project, 0
    # An answer that comes while the job runs queues no second one, so the job looks for it.
    while project.live and newest != (newest := _newest_judgement(session)):
        progress("finding neighbours", 0, 1)
        neighbours = refining.live_neighbours(
            project.embedding,
            constraints_of(session),
            keywords=list(session.unopened_keywords().select_related("word")),
            count=project.neighbour_count,
            config=refinement_config(project),
            session=session.pk,
        )
        annotation_services.store_neighbours(session, neighbours)
    # There is one for nearly every answer; the last is enough to look at.
    jobs.forget_finished("update_neighbours", session_id)


def _newest_judgement(session: Session) -> int:
    """Return the id of an open session's last judgement; 0 where there is none."""
    judgements = Judgement.objects.filter(session=session, session__state=SessionState.OPEN)
    return judgements.order_by("-id").values_list("id", flat=True).first() or 0


def process_session(session_id: int, progress: jobs.Progress) -> None:
    """Refine the vectors by what a session says, and start the runs that show what it bought."""
    session = Session.objects.select_related("project").get(
        pk=session_id, state=SessionState.SUBMITTED
    )
    project = session.project
    constraints = constraints_of(session)
    labels = labels_of(session)
    refined = aligned = None
    config = refinement_config(project)
    if constraints:
        refined = refining.refine_embedding(
            project.embedding, constraints, config=config, report=progress
        )
        if config.uses_anchors and project.test_corpus:
            aligned = refining.turn_by_anchors(project.embedding, report=progress)
    with transaction.atomic():
        arms = {Arm.BASE: _run(project, project.embedding)}
        if aligned:
            arms[Arm.ALIGNED] = _run(project, aligned)
        if refined:
            arms[Arm.CLIME] = _run(project, refined)
        if labels:
            arms[Arm.ACTIVE] = _run(project, project.embedding, labels)
        if refined and labels:
            arms[Arm.ACTIVE_CLIME] = _run(project, refined, labels)
        _store_report(session, refined, arms)
        for run in arms.values():
            _evaluate_unless_finished(run)


def evaluate_run(run_id: int, progress: jobs.Progress) -> None:
    """Train a run's classifiers and measure them."""
    learning.evaluate_run(Run.objects.get(pk=run_id), report=progress)


HANDLERS: Mapping[str, jobs.Handler] = {
    "prepare_project": prepare_project,
    "update_neighbours": update_neighbours,
    "process_session": process_session,
    "evaluate_run": evaluate_run,
}


def refinement_config(project: Project) -> RefinementConfig:
    """Return how a project wants its vectors refined."""
    return RefinementConfig(
        method=project.method,
        learning_rate=project.learning_rate,
        iterations=project.iterations,
        regularization=project.regularization,
    )


def constraints_of(session: Session) -> list[Constraint]:
    """Return what a session accepted (+1) and rejected (-1), ready for refinement."""
    embedding = session.project.embedding
    judgements = Judgement.objects.filter(session=session).decided()
    return [
        Constraint(
            keyword=refining.word_id(embedding, judgement.keyword.word),
            neighbour=refining.word_id(embedding, judgement.word),
            sign=1 if judgement.verdict == Verdict.ACCEPT else -1,
        )
        for judgement in judgements.select_related("keyword__word", "word")
    ]


def labels_of(session: Session) -> list[tuple[int, int]]:
    """Return (document, label) for each document that a session labelled."""
    given = DocumentLabel.objects.filter(session=session, label__isnull=False).current()
    return [(label.document_id, int(label.label or 0)) for label in given]


def _run(
    project: Project, embedding: Embedding, labels: list[tuple[int, int]] | None = None
) -> Run | None:
    """Return the run of an arm, or None where there is nothing to measure accuracy on."""
    if project.test_corpus is None:
        return None
    return learning.define_run(
        embedding,
        train_corpus=project.train_corpus,
        test_corpus=project.test_corpus,
        extra_labels=labels or [],
        classifier=project.classifier,
        classes=project.categories.count(),
        seeds=project.seeds,
        scale_free=refinement_config(project).training.scale_free,
    )


def _evaluate_unless_finished(run: Run | None) -> None:
    if run is not None and run.finished_at is None:
        jobs.enqueue("evaluate_run", run.pk)


def _store_report(
    session: Session, refined: Embedding | None, arms: Mapping[Arm, Run | None]
) -> None:
    """Give a session its report; processed again, it gets a new one."""
    report = Report.objects.create()
    ReportArm.objects.bulk_create(
        ReportArm(report=report, arm=arm, run=run) for arm, run in arms.items() if run is not None
    )
    Session.objects.filter(pk=session.pk).update(refined=refined, report=report)
    if session.report is not None:
        session.report.delete()
