"""What a project came to: every person's sessions, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch

from annotation.reporting.agreement import ProjectAgreement, agreement
from annotation.reporting.consensus import (
    ArmOfPeople,
    ConsensusReport,
    consensus_report,
    means_over_people,
)
from annotation.reporting.sessions import (
    SessionReport,
    names_of_categories,
    session_reports,
    size,
    worth_showing,
)
from annotation.reporting.suggestions import SuggestedWord, suggested_words
from annotation.reporting.tallies import KeywordTally, keyword_tallies
from models_ml.models import Arm, Run
from models_ml.reports import ArmResult, JobView, arm_result, latest_jobs, runs_with_seeds
from models_ml.results import training_jobs
from tasks.models import Category, Project
from tasks.services import free_places


@dataclass(frozen=True)
class ProjectReport:
    """A project's preparation, its untouched vectors' accuracy, every session, and the consensus.

    hours: at work, of all sessions. cost: of these; None where the project names no pay.
    people: accuracies' means over people.
    """

    id: int
    name: str
    slug: str
    state: str
    source_language: str
    source_tag: str
    target_language: str
    target_tag: str
    train_documents: int
    test_documents: int | None
    categories: dict[int, str]
    free_places: int
    is_prepared: bool
    base: ArmResult | None
    hours: float
    cost: float | None
    currency: str
    people: tuple[ArmOfPeople, ...]
    consensus: ConsensusReport | None
    agreement: ProjectAgreement
    sessions: tuple[SessionReport, ...]
    keywords: tuple[KeywordTally, ...]
    suggestions: tuple[SuggestedWord, ...]
    jobs: tuple[JobView, ...]

    @property
    def is_under_way(self) -> bool:
        return any(job.is_active for job in self.jobs) or any(s.is_under_way for s in self.sessions)

    @property
    def is_estimated(self) -> bool:
        """Whether people's labels stand in for test documents."""
        return self.test_documents is None


def project_report(project: Project) -> ProjectReport:
    """Return a project's report, in a number of queries that does not depend on its sessions."""
    project = (
        Project.objects.select_related(
            "embedding__source", "embedding__target", "train_corpus", "test_corpus"
        )
        .prefetch_related(
            Prefetch("base_run", runs_with_seeds()),
            Prefetch("categories", Category.objects.order_by("label")),
        )
        .get(pk=project.pk)
    )
    sessions = session_reports(project.sessions.order_by("id"))
    consensus, of_consensus = consensus_report(project, sessions)
    hours = sum(session.active_minutes for session in sessions) / 60
    return ProjectReport(
        id=project.pk,
        name=project.name,
        slug=project.slug,
        state=project.state,
        source_language=project.embedding.source.language,
        source_tag=project.embedding.source.tag,
        target_language=project.embedding.target.language,
        target_tag=project.embedding.target.tag,
        train_documents=project.train_corpus.document_count,
        test_documents=size(project.test_corpus),
        categories=names_of_categories(project),
        free_places=free_places(project),
        is_prepared=project.ranking_id is not None,
        base=_base(project.base_run),
        hours=hours,
        cost=None if project.hourly_pay is None else hours * float(project.hourly_pay),
        currency=project.currency,
        people=means_over_people(sessions),
        consensus=consensus,
        agreement=agreement(project),
        sessions=sessions,
        keywords=keyword_tallies(project),
        suggestions=suggested_words(project),
        jobs=worth_showing((*_own_jobs(project), *of_consensus)),
    )


def _base(run: Run | None) -> ArmResult | None:
    return arm_result(Arm.BASE, run, None) if run else None


def _own_jobs(project: Project) -> list[JobView]:
    """Return the newest jobs that prepared the project and trained its Base."""
    subjects = [("prepare_project", project.pk)]
    if project.base_run_id is None:
        return list(latest_jobs(subjects).values())
    subjects.append(("evaluate_run", project.base_run_id))
    training = training_jobs([project.base_run_id]).get(project.base_run_id, ())
    return [*latest_jobs(subjects).values(), *training]
