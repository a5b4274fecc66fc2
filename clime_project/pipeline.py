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
from clime_project.measuring import (
    Said,
    finish_run,
    measure,
    refinement_config,
    run_of,
    store_report,
)
from models_ml import jobs, learning, refining, runs, services
from models_ml.core.constraints import Constraint
from models_ml.models import Run, SeedResult
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
        base = run_of(project, project.embedding)
        Project.objects.filter(pk=project.pk).update(ranking=ranking, base_run=base)
        Project.objects.filter(pk=project.pk, state=ProjectState.DRAFT).update(
            state=ProjectState.OPEN
        )
        if base is not None and base.finished_at is None:
            jobs.enqueue("evaluate_run", base.pk)


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
    measured = measure(project, said_by(session), parent=project.embedding, report=progress)
    with transaction.atomic():
        held = Session.objects.select_for_update().select_related("report").get(pk=session_id)
        former = held.report
        held.refined, held.report = measured.refined, store_report(former, measured)
        held.save(update_fields=["refined", "report"])
        if former is not None and former != held.report:
            former.delete()


def evaluate_run(run_id: int, progress: jobs.Progress) -> None:
    """Give each seed of a run that is still to be trained to whichever worker is free."""
    run = Run.objects.get(pk=run_id)
    for result in run.results.untrained():
        jobs.enqueue("train_seed", result.pk)
    finish_run(run.pk)


def train_seed(result_id: int, progress: jobs.Progress) -> None:
    """Train one seed of a run; with its last seed the run is summed up."""
    result = SeedResult.objects.select_related("run").get(pk=result_id)
    runs.train_seed(result, report=progress)
    finish_run(result.run_id)


def describe_report(report_id: int, progress: jobs.Progress) -> None:
    """Say what the finished runs of a report mean."""


HANDLERS: Mapping[str, jobs.Handler] = {
    "prepare_project": prepare_project,
    "update_neighbours": update_neighbours,
    "process_session": process_session,
    "evaluate_run": evaluate_run,
    "train_seed": train_seed,
    "describe_report": describe_report,
}


def constraints_of(session: Session) -> list[Constraint]:
    """Return what a session accepted (+1) and rejected (-1), ready for refinement."""
    embedding = session.project.embedding
    judgements = Judgement.objects.filter(session=session).decided().about_words()
    judgements = judgements.order_by("keyword__position", "id")
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


def said_by(session: Session) -> Said:
    """Return all that a session says."""
    return Said(constraints_of(session), labels_of(session))
