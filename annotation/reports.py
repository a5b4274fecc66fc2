"""What a session's work was and what it bought: one dataclass each, for pages and JSON alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, Prefetch, Q

from annotation.models import DocumentLabel, Judgement, Session, SessionState, Verdict
from models_ml.models import Arm, Corpus, Keyword, Run
from models_ml.reports import (
    ArmResult,
    JobView,
    arm_result,
    latest_jobs,
    report_arms,
    runs_with_seeds,
)
from tasks.models import Assignment, Project
from tasks.services import free_places

TOP_KEYWORDS = 50


@dataclass(frozen=True)
class Answers:
    """How much one session answered: latest revisions only."""

    accepted: int
    rejected: int
    added: int
    left_open: int
    keywords_answered: int
    keywords_shown: int
    documents_labelled: int
    documents_shown: int

    @property
    def judgements(self) -> int:
        """Decisions that the refinement learns from."""
        return self.accepted + self.rejected + self.added


@dataclass(frozen=True)
class SessionReport:
    """An annotator's session and the classifiers trained with it."""

    id: int
    project: str
    project_slug: str
    project_id: int
    annotator: str
    number: int
    state: str
    started_at: datetime
    submitted_at: datetime | None
    active_minutes: float
    answers: Answers
    test_documents: int | None
    arms: tuple[ArmResult, ...]
    gain_points_per_hour: float | None
    jobs: tuple[JobView, ...]
    embedding_id: int | None
    settings: dict[str, Any]
    evidence: dict[str, Any] | None

    @property
    def is_submitted(self) -> bool:
        return self.state == SessionState.SUBMITTED

    @property
    def base(self) -> ArmResult | None:
        return next((arm for arm in self.arms if arm.is_base), None)

    @property
    def has_control(self) -> bool:
        return any(arm.arm == Arm.ALIGNED for arm in self.arms)

    @property
    def best_informed(self) -> ArmResult | None:
        """The arm that learned from all that this annotator answered."""
        return _best_informed(self.arms)

    @property
    def is_under_way(self) -> bool:
        return any(job.is_active for job in self.jobs)


@dataclass(frozen=True)
class KeywordTally:
    """What all annotators of a project said of one keyword's neighbours."""

    position: int
    keyword: str
    sessions: int
    accepted: int
    rejected: int
    added: int


@dataclass(frozen=True)
class ProjectReport:
    """A project's preparation, its untouched vectors' accuracy, and every session."""

    id: int
    name: str
    slug: str
    state: str
    source_language: str
    source_tag: str
    target_language: str
    train_documents: int
    test_documents: int | None
    free_places: int
    is_prepared: bool
    base: ArmResult | None
    sessions: tuple[SessionReport, ...]
    keywords: tuple[KeywordTally, ...]
    jobs: tuple[JobView, ...]

    @property
    def is_under_way(self) -> bool:
        return any(job.is_active for job in self.jobs) or any(s.is_under_way for s in self.sessions)


def session_report(session: Session) -> SessionReport:
    """Return a session's report, in a number of queries that does not depend on its size."""
    return _session_reports([session])[0]


def project_report(project: Project) -> ProjectReport:
    """Return a project's report, in a number of queries that does not depend on its sessions."""
    project = (
        Project.objects.select_related(
            "embedding__source", "embedding__target", "train_corpus", "test_corpus"
        )
        .prefetch_related(Prefetch("base_run", runs_with_seeds()))
        .get(pk=project.pk)
    )
    subjects = [("prepare_project", project.pk)]
    if project.base_run_id:
        subjects.append(("evaluate_run", project.base_run_id))
    return ProjectReport(
        id=project.pk,
        name=project.name,
        slug=project.slug,
        state=project.state,
        source_language=project.embedding.source.language,
        source_tag=project.embedding.source.tag,
        target_language=project.embedding.target.language,
        train_documents=project.train_corpus.document_count,
        test_documents=_size(project.test_corpus),
        free_places=free_places(project),
        is_prepared=project.ranking_id is not None,
        base=_base(project.base_run),
        sessions=_session_reports(project.sessions.order_by("id")),
        keywords=_keyword_tallies(project),
        jobs=_worth_showing(latest_jobs(subjects).values()),
    )


def _size(corpus: Corpus | None) -> int | None:
    return corpus.document_count if corpus else None


def _base(run: Run | None) -> ArmResult | None:
    return arm_result(Arm.BASE, run, None) if run else None


def _worth_showing(jobs: Iterable[JobView]) -> tuple[JobView, ...]:
    """Return jobs that a manager has to see to (first) or wait for."""
    jobs = [job for job in jobs if job.is_active or job.is_failed]
    return tuple(sorted(jobs, key=lambda job: job.is_active))


def _session_reports(sessions: Iterable[Session]) -> tuple[SessionReport, ...]:
    ids = [session.pk for session in sessions]
    rows = list(
        Session.objects.filter(pk__in=ids)
        .select_related("annotator", "project__test_corpus", "refined")
        .order_by("id")
    )
    arms = report_arms(row.report_id for row in rows if row.report_id)
    answers = _answers(rows)
    jobs = latest_jobs(
        subject
        for row in rows
        for subject in [
            ("process_session", row.pk),
            *(("evaluate_run", arm.run_id) for arm in arms.get(row.report_id or 0, ())),
        ]
    )
    return tuple(
        _session_report(row, answers[row.pk], arms.get(row.report_id or 0, ()), jobs)
        for row in rows
    )


def _session_report(
    session: Session,
    answers: Answers,
    arms: tuple[ArmResult, ...],
    jobs: dict[tuple[str, int], JobView],
) -> SessionReport:
    own = [jobs.get(("process_session", session.pk))]
    own += [_named(jobs.get(("evaluate_run", arm.run_id)), arm) for arm in arms]
    settings = dict(session.refined.config) if session.refined else {}
    evidence = settings.pop("evidence", None)
    return SessionReport(
        id=session.pk,
        project=session.project.name,
        project_slug=session.project.slug,
        project_id=session.project_id,
        annotator=session.annotator.worker_id,
        number=session.number,
        state=session.state,
        started_at=session.started_at,
        submitted_at=session.submitted_at,
        active_minutes=session.active_minutes,
        answers=answers,
        test_documents=_size(session.project.test_corpus),
        arms=arms,
        gain_points_per_hour=_gain_per_hour(_best_informed(arms), session.active_minutes),
        jobs=_worth_showing(job for job in own if job),
        embedding_id=session.refined_id,
        settings=settings,
        evidence=evidence,
    )


def _named(job: JobView | None, arm: ArmResult) -> JobView | None:
    return replace(job, title=f"{job.title}: {arm.label}") if job else None


def _best_informed(arms: tuple[ArmResult, ...]) -> ArmResult | None:
    order = (Arm.ACTIVE_CLIME, Arm.CLIME, Arm.ACTIVE)
    return next((line for name in order for line in arms if line.arm == name), None)


def _gain_per_hour(arm: ArmResult | None, active_minutes: float) -> float | None:
    """Return what an hour of an annotator's time bought; None for less than a minute of work."""
    if arm is None or arm.gain_points is None or active_minutes < 1:
        return None
    return arm.gain_points / (active_minutes / 60)


_ACCEPTED = Q(verdict=Verdict.ACCEPT, is_added=False)
_REJECTED = Q(verdict=Verdict.REJECT)
_ADDED = Q(verdict=Verdict.ACCEPT, is_added=True)
_DECIDED = ~Q(verdict=Verdict.LEAVE)
_DECIDED_SHOWN = _DECIDED & Q(is_added=False)


def _answers(sessions: list[Session]) -> dict[int, Answers]:
    """Return each session's answers: three queries, however many sessions."""
    said, labelled, shown = _said(sessions), _labelled(sessions), _shown(sessions)
    answers = {}
    for session in sessions:
        accepted, rejected, added, decided_shown, keywords = said.get(session.pk, (0,) * 5)
        keywords_shown, documents_shown, neighbours = shown.get(_take(session), (0,) * 3)
        answers[session.pk] = Answers(
            accepted=accepted,
            rejected=rejected,
            added=added,
            left_open=max(0, neighbours - decided_shown),
            keywords_answered=keywords,
            keywords_shown=keywords_shown,
            documents_labelled=labelled.get(session.pk, 0),
            documents_shown=documents_shown,
        )
    return answers


def _said(sessions: list[Session]) -> dict[int, tuple[int, ...]]:
    """Return accepted, rejected, added, decided among the shown, and keywords answered."""
    counts = (
        Judgement.objects.current()
        .about_words()
        .filter(session__in=sessions)
        .order_by()
        .values_list("session")
        .annotate(
            accepted=Count("pk", filter=_ACCEPTED),
            rejected=Count("pk", filter=_REJECTED),
            added=Count("pk", filter=_ADDED),
            decided_shown=Count("pk", filter=_DECIDED_SHOWN),
            keywords=Count("keyword", filter=_DECIDED, distinct=True),
        )
    )
    return {row[0]: row[1:] for row in counts}


def _labelled(sessions: list[Session]) -> dict[int, int]:
    """Return how many documents were given a category ("can't tell" is none)."""
    return dict(
        DocumentLabel.objects.current()
        .filter(session__in=sessions, label__isnull=False)
        .order_by()
        .values_list("session")
        .annotate(Count("pk"))
    )


_Take = tuple[int, str, str, int]


def _take(session: Session) -> _Take:
    """Return what a session has in common with its assignments."""
    annotator = session.annotator
    return session.project_id, annotator.platform, annotator.worker_id, session.number


def _shown(sessions: list[Session]) -> dict[_Take, tuple[int, ...]]:
    """Return what each session's HITs ask: keywords, documents, and the keywords' neighbours."""
    counts = (
        Assignment.objects.filter(
            hit__project__in={session.project_id for session in sessions},
            worker_id__in={session.annotator.worker_id for session in sessions},
        )
        .order_by()
        .values_list("hit__project", "hit__platform", "worker_id", "hit__session_number")
        .annotate(
            keywords=Count("hit__items__keyword", distinct=True),
            documents=Count("hit__items__document", distinct=True),
            neighbours=Count("hit__items__keyword__neighbours"),
        )
    )
    return {row[:4]: row[4:] for row in counts}


def _keyword_tallies(project: Project) -> tuple[KeywordTally, ...]:
    """Return the project's most salient keywords with what was said of their neighbours."""
    said = Q(
        judgements__session__project=project,
        judgements__is_current=True,
        judgements__is_control=False,
    )
    decided = said & ~Q(judgements__verdict=Verdict.LEAVE)
    accepted = said & Q(judgements__verdict=Verdict.ACCEPT)
    rows = (
        Keyword.objects.filter(ranking=project.ranking_id, position__lte=TOP_KEYWORDS)
        .select_related("word")
        .annotate(
            sessions=Count("judgements__session", filter=decided, distinct=True),
            accepted=Count("judgements", filter=accepted & Q(judgements__is_added=False)),
            rejected=Count("judgements", filter=said & Q(judgements__verdict=Verdict.REJECT)),
            added=Count("judgements", filter=accepted & Q(judgements__is_added=True)),
        )
        .order_by("position")
    )
    return tuple(
        KeywordTally(
            position=row.position,
            keyword=row.word.text,
            sessions=row.sessions,
            accepted=row.accepted,
            rejected=row.rejected,
            added=row.added,
        )
        for row in rows
    )
