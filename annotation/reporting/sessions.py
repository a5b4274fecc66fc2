"""What a session's work was and what it bought: one dataclass, for pages and JSON alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch

from annotation.models import PolicyDecision, Session, SessionState
from annotation.reporting.quality import SessionCare, care
from annotation.reporting.tallies import Answers, answers_of, labels_up_to
from annotation.reporting.worth import Worth, best_informed, hours_up_to, worth
from models_ml.models import Arm, Corpus
from models_ml.reports import ArmResult, JobView, latest_jobs
from models_ml.results import CurveResult, Results, RunJobs, jobs_of_reports, report_results
from tasks.models import Category, Project


@dataclass(frozen=True)
class Decision:
    """What an adaptive session was asked next, and why."""

    block: int
    kind: str
    reason: str


@dataclass(frozen=True)
class SessionReport:
    """An annotator's session and the classifiers trained with it.

    labels: documents that this person had labelled by then, which estimate the accuracy where
    there are no test documents. gain_points_per_hour: of all the person's hours up to this session.
    findings: as of models_ml.core.findings; empty until described, and inside a project's report.
    """

    id: int
    project: str
    project_slug: str
    project_id: int
    annotator: str
    annotator_id: int
    number: int
    state: str
    started_at: datetime
    submitted_at: datetime | None
    excluded_at: datetime | None
    active_minutes: float
    document_minutes: float
    answers: Answers
    source_language: str
    target_language: str
    test_documents: int | None
    labels: int
    categories: dict[int, str]
    arms: tuple[ArmResult, ...]
    curve: tuple[CurveResult, ...]
    is_described: bool
    findings: dict[str, Any]
    worth: Worth
    gain_points_per_hour: float | None
    decisions: tuple[Decision, ...]
    care: SessionCare
    jobs: tuple[JobView, ...]
    embedding_id: int | None
    settings: dict[str, Any]
    evidence: dict[str, Any] | None

    @property
    def is_submitted(self) -> bool:
        return self.state == SessionState.SUBMITTED

    @property
    def is_counted(self) -> bool:
        """Whether the session counts for the consensus."""
        return self.is_submitted and self.excluded_at is None

    def arm(self, name: Arm) -> ArmResult | None:
        """Return the line of an arm, None where the report has none."""
        return next((arm for arm in self.arms if arm.arm == name), None)

    @property
    def base(self) -> ArmResult | None:
        return self.arm(Arm.BASE)

    @property
    def has_control(self) -> bool:
        return self.arm(Arm.ALIGNED) is not None

    @property
    def best_informed(self) -> ArmResult | None:
        """The arm that learned from all that this annotator answered."""
        return best_informed(self.arms)

    @property
    def is_under_way(self) -> bool:
        return any(job.is_active for job in self.jobs)

    @property
    def is_estimated(self) -> bool:
        """Whether the person's own labels stand in for test documents."""
        return any(arm.is_estimate for arm in self.arms)


def session_report(session: Session) -> SessionReport:
    """Return a session's report, in a number of queries that does not depend on its size."""
    return session_reports([session], with_findings=True)[0]


def session_reports(
    sessions: Iterable[Session], *, with_findings: bool = False
) -> tuple[SessionReport, ...]:
    """Return reports of sessions of any projects, in a constant number of queries, by id."""
    ids = [session.pk for session in sessions]
    rows = list(
        Session.objects.filter(pk__in=ids)
        .select_related(
            "annotator",
            "project__test_corpus",
            "project__embedding__source",
            "project__embedding__target",
            "refined",
        )
        .prefetch_related(
            Prefetch("project__categories", Category.objects.order_by("label")),
            Prefetch("decisions", PolicyDecision.objects.defer("evidence")),
        )
        .order_by("id")
    )
    results = report_results(
        (row.report_id for row in rows if row.report_id), with_findings=with_findings
    )
    read = _Read(
        answers=answers_of(rows),
        labels=labels_up_to(rows),
        hours=hours_up_to(rows),
        care={one.id: one for one in care(rows)},
        results=results,
        processing=latest_jobs(("process_session", row.pk) for row in rows),
        training=jobs_of_reports(results.values()),
    )
    return tuple(_session_report(row, read) for row in rows)


@dataclass(frozen=True)
class _Read:
    """What was read of all sessions at once, by session or by report."""

    answers: dict[int, Answers]
    labels: dict[int, int]
    hours: dict[int, float]
    care: dict[int, SessionCare]
    results: dict[int, Results]
    processing: dict[tuple[str, int], JobView]
    training: RunJobs


_NOTHING = Results(id=0, arms=(), curve=(), is_described=False)


def _session_report(session: Session, read: _Read) -> SessionReport:
    project = session.project
    results = read.results.get(session.report_id or 0, _NOTHING)
    own = read.processing.get(("process_session", session.pk))
    bought = worth(results.arms, hours=read.hours[session.pk], project=project)
    settings = dict(session.refined.config) if session.refined else {}
    evidence = settings.pop("evidence", None)
    return SessionReport(
        id=session.pk,
        project=project.name,
        project_slug=project.slug,
        project_id=session.project_id,
        annotator=session.annotator.worker_id,
        annotator_id=session.annotator_id,
        number=session.number,
        state=session.state,
        started_at=session.started_at,
        submitted_at=session.submitted_at,
        excluded_at=session.excluded_at,
        active_minutes=session.active_minutes,
        document_minutes=session.document_seconds / 60,
        answers=read.answers[session.pk],
        source_language=project.embedding.source.language,
        target_language=project.embedding.target.language,
        test_documents=size(project.test_corpus),
        labels=read.labels[session.pk],
        categories=names_of_categories(project),
        arms=results.arms,
        curve=results.curve,
        is_described=results.is_described,
        findings=results.findings,
        worth=bought,
        gain_points_per_hour=bought.above_base.points_per_hour,
        decisions=tuple(
            Decision(block=one.block, kind=one.kind, reason=one.reason)
            for one in session.decisions.all()
        ),
        care=read.care[session.pk],
        jobs=worth_showing((*([own] if own else ()), *read.training.of(session.report_id))),
        embedding_id=session.refined_id,
        settings=settings,
        evidence=evidence,
    )


def size(corpus: Corpus | None) -> int | None:
    """Return how many documents a corpus has; None for no corpus."""
    return corpus.document_count if corpus else None


def names_of_categories(project: Project) -> dict[int, str]:
    """Return what each label of a project is called, by label; categories are prefetched."""
    return {category.label: category.name for category in project.categories.all()}


def worth_showing(jobs: Iterable[JobView]) -> tuple[JobView, ...]:
    """Return jobs that a manager has to see to (first) or wait for."""
    jobs = [job for job in jobs if job.is_active or job.is_failed]
    return tuple(sorted(jobs, key=lambda job: job.is_active))
