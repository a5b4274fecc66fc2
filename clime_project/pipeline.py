"""The whole loop, top to bottom; the only module that knows all apps.

prepare a project (train → rank → neighbours → concordance → HITs) → people answer (live: their
answers → neighbours of the keywords to come) → process their session (constraints → refine →
retrain) → report. Each function is a job: it takes a row's id, may be run twice, and ends the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from annotation import consensus
from annotation import services as annotation_services
from annotation.models import (
    Consensus,
    Preview,
    Session,
    SessionState,
)
from clime_project.answers import (
    Said,
    answered_words,
    constraints_of,
    constraints_of_ballot,
    constraints_of_consensus,
    labels_of,
    newest_judgement,
    what_counts,
)
from clime_project.measuring import (
    finish_run,
    forget_report,
    measure,
    refinement_config,
    run_of,
    start_run,
    store_report,
    trial_run,
)
from models_ml import describing, jobs, learning, previews, refining, runs, services
from models_ml.core import aggregation
from models_ml.core.constraints import Constraint
from models_ml.models import Document, Ranking, Run, SeedResult
from tasks import controls
from tasks import services as tasks_services
from tasks.crowd import following, hearing
from tasks.models import HITItem, Listing, Project, ProjectState


def prepare_project(project_id: int, progress: jobs.Progress) -> None:
    """Find a project's keywords, their neighbours and sentences, and offer them as HITs."""
    project = Project.objects.get(pk=project_id)
    ranking = learning.rank(
        project.embedding,
        project.train_corpus,
        classes=project.categories.count(),
        classifier=project.classifier,
        keywords=project.session_size if project.is_adaptive else project.keyword_count,
        neighbours=project.neighbour_count,
        report=progress,
    )
    progress("collecting sentences around words", 0, 1)
    services.store_concordance(project.train_corpus)
    if project.pool_corpus:
        services.store_concordance(project.pool_corpus)
    progress("choosing documents to label", 0, 1)
    documents = _documents(project, ranking)
    with transaction.atomic():
        keywords = list(ranking.keywords.select_related("word", "ranking__embedding"))
        controls.place_controls(project, keywords, far_words=learning.far_words)
        tasks_services.create_hits(project, keywords=keywords, documents=documents)
        base = run_of(project, project.embedding)
        Project.objects.filter(pk=project.pk).update(ranking=ranking, base_run=base)
        Project.objects.filter(pk=project.pk, state=ProjectState.DRAFT).update(
            state=ProjectState.OPEN
        )
        if base is not None:
            start_run(base)


def update_neighbours(session_id: int, progress: jobs.Progress) -> None:
    """Give the keywords that a live session has yet to open the neighbours its answers make.

    Nothing happens to a session that has ended. A late or repeated job finds the same answers, or
    newer ones, and stores what these make.
    """
    session = Session.objects.select_related("project__embedding").get(pk=session_id)
    project, newest = session.project, 0
    # An answer that comes while the job runs queues no second one, so the job looks for it.
    while project.live and newest != (newest := newest_judgement(session)):
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


def preview_session(session_id: int, progress: jobs.Progress) -> None:
    """Store what an open session would have bought, had its annotator stopped by now.

    Nothing happens to a session that has ended, nor where there is nothing to measure on.
    """
    session = Session.objects.select_related("project__embedding").get(pk=session_id)
    project = session.project
    if session.state != SessionState.OPEN or project.test_corpus_id is None:
        return
    keywords = session.judgements.answered().order_by().values("keyword").distinct().count()
    parent, said = what_counts(session)
    result = previews.preview(
        trial_run(project, labels=said.labels),
        parent,
        said.constraints,
        config=refinement_config(project),
        session=session.pk,
        report=progress,
    )
    low, high = result.interval or (None, None)
    found = {"mean": result.mean, "low": low, "high": high, "seeds": project.curve_seeds}
    asked = {"keywords": keywords, "constraints": len(said.constraints)}
    Preview.objects.update_or_create(session=session, defaults=found | asked)


def process_session(session_id: int, progress: jobs.Progress) -> None:
    """Refine the vectors by what a session says, and start the runs that show what it bought."""
    session = Session.objects.select_related("project", "annotator").get(
        pk=session_id, state=SessionState.SUBMITTED
    )
    project = session.project
    parent, said = what_counts(session)
    measured = measure(project, said, parent=parent, report=progress)
    with transaction.atomic():
        held = Session.objects.select_for_update().get(pk=session_id)
        former, is_same = held.report, held.refined == measured.refined
        held.refined = measured.refined
        held.report = store_report(former if is_same else None, measured)
        held.save(update_fields=["refined", "report"])
        if former is not None and former != held.report:
            forget_report(former)
        if session.has_next:
            jobs.enqueue("prepare_session", session_id)
        jobs.enqueue("refresh_consensus", project.pk, delay_s=project.consensus_delay_s, anew=True)


def prepare_session(session_id: int, progress: jobs.Progress) -> None:
    """Offer a person the session after this one, made from their own vectors and labels."""
    session = Session.objects.select_related("project", "annotator").get(pk=session_id)
    project, annotator = session.project, session.annotator
    if not session.has_next:
        return
    asked = HITItem.objects.filter(
        hit__project=project, hit__assignments__worker_id=annotator.worker_id
    )
    ranking = learning.rank(
        session.refined or project.embedding,
        project.train_corpus,
        classes=project.categories.count(),
        classifier=project.classifier,
        keywords=project.session_size if project.is_adaptive else project.keyword_count,
        neighbours=project.neighbour_count,
        labels=labels_of(session.up_to_now()),
        skip=() if project.repeats_keywords else answered_words(session),
        report=progress,
    )
    documents = _documents(project, ranking, skip=asked.values_list("document", flat=True))
    keywords = list(ranking.keywords.select_related("word", "ranking__embedding"))
    with transaction.atomic():
        controls.place_controls(project, keywords, far_words=learning.far_words)
        tasks_services.offer_session(
            project,
            session_number=session.number + 1,
            owner=tasks_services.Owner(annotator.platform, annotator.worker_id),
            keywords=keywords,
            documents=documents,
        )


def refresh_consensus(project_id: int, progress: jobs.Progress) -> None:
    """Aggregate what all people said, and measure the embedding that it makes.

    Sessions that arrive together are waited for (the job is queued with a delay). The same answers
    leave the consensus as it is.
    """
    project = Project.objects.get(pk=project_id)
    if consensus.people_with_work(project) < consensus.FEWEST_PEOPLE:
        consensus.forget(project)
        return
    progress("aggregating answers", 0, 1)
    ballot = consensus.collect(project)
    aggregate = aggregation.aggregate(ballot.votes, project.consensus_method)
    said = Said(constraints_of_ballot(project, ballot, aggregate), consensus.agreed_labels(project))
    measured = measure(project, said, parent=project.embedding, report=progress)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project_id)
        held, _ = Consensus.objects.get_or_create(
            project=project, defaults={"method": project.consensus_method}
        )
        former, is_same = held.report, held.refined == measured.refined
        held.method, held.refined = project.consensus_method, measured.refined
        held.report = store_report(former if is_same else None, measured)
        held.save()
        consensus.store_pairs(held, ballot, aggregate)
        if former is not None and former != held.report:
            forget_report(former)


def evaluate_run(run_id: int, progress: jobs.Progress) -> None:
    """Train what is missing of a run: for one that was cancelled, or whose seeds failed."""
    start_run(Run.objects.get(pk=run_id))
    finish_run(run_id)


def train_seed(result_id: int, progress: jobs.Progress) -> None:
    """Train one seed of a run; with its last seed the run is summed up."""
    result = SeedResult.objects.select_related("run").get(pk=result_id)
    runs.train_seed(result, report=progress)
    finish_run(result.run_id)


def describe_report(report_id: int, progress: jobs.Progress) -> None:
    """Say what the finished runs of a report mean; a report that was replaced belongs to nobody."""
    session = Session.objects.filter(report=report_id).select_related("project__embedding").first()
    held = Consensus.objects.filter(report=report_id).select_related("project__embedding").first()
    if session is not None:
        _describe_consensus(session.project)
        constraints = what_counts(session)[1].constraints
        _describe(session, constraints, people=(), progress=progress)
    elif held is not None and (people := consensus.means_of_people(held.project)) is not None:
        _describe(held, constraints_of_consensus(held), people=people, progress=progress)


def _describe(
    owner: Session | Consensus,
    constraints: Sequence[Constraint],
    *,
    people: Sequence[Mapping[str, float]],
    progress: jobs.Progress,
) -> None:
    """Describe the report of a session or a consensus, if its runs have ended and it is new."""
    report = owner.report
    if report is None or report.described_at or Run.objects.unfinished().of_report(report).exists():
        return
    findings = describing.describe(
        report,
        base=owner.project.embedding,
        refined=owner.refined,
        constraints=constraints,
        people=people,
        progress=progress,
    )
    describing.store(report, findings)


def _describe_consensus(project: Project) -> None:
    """Have a consensus described that waited for the runs of its people.

    Called with every person's runs that end: the last of them finds that all have.
    """
    held = Consensus.objects.filter(project=project, report__described_at=None).first()
    if held is not None and held.report_id and consensus.means_of_people(held.project) is not None:
        jobs.enqueue("describe_report", held.report_id, anew=True)


def sync_platforms(_subject_id: int, progress: jobs.Progress) -> None:
    """Poll the crowd platforms; what they did not do is an error for the manager to read."""
    jobs.forget_finished(following.SYNC_ALL, 0, failed=True)
    hearing.check(following.sync(report=progress))


def sync_listing(listing_id: int, progress: jobs.Progress) -> None:
    """Poll one listing, as something is said to have happened to it."""
    jobs.forget_finished(following.SYNC_ONE, listing_id, failed=True)
    progress("polling", 0, 1)
    listing = Listing.objects.select_related("hit__project").get(pk=listing_id)
    hearing.check(following.sync_listing(listing))


def hear_platforms(_subject_id: int, progress: jobs.Progress) -> None:
    """Read the queue of notifications."""
    jobs.forget_finished(hearing.LISTEN, 0, failed=True)
    hearing.listen(report=progress)


HANDLERS: Mapping[str, jobs.Handler] = {
    "prepare_project": prepare_project,
    "update_neighbours": update_neighbours,
    "preview_session": preview_session,
    "process_session": process_session,
    "prepare_session": prepare_session,
    "refresh_consensus": refresh_consensus,
    "evaluate_run": evaluate_run,
    "train_seed": train_seed,
    "describe_report": describe_report,
    following.SYNC_ALL: sync_platforms,
    following.SYNC_ONE: sync_listing,
    hearing.LISTEN: hear_platforms,
}


def _documents(
    project: Project, ranking: Ranking, *, skip: Iterable[int | None] = ()
) -> list[Document]:
    """Return the documents that a session is to ask about."""
    if project.pool_corpus is None:
        return []
    return learning.choose_documents(
        ranking,
        project.pool_corpus,
        count=project.session_size if project.is_adaptive else project.document_count,
        strategy=project.document_strategy,
        diverse=project.is_diverse,
        skip={document for document in skip if document is not None},
    )
