"""What one person did in a project, session by session (Figure 6)."""

from __future__ import annotations

from dataclasses import dataclass

from annotation.models import Annotator, ConsensusMember
from annotation.reporting.sessions import SessionReport, session_reports
from models_ml.reports import ArmResult
from tasks.models import Project


@dataclass(frozen=True)
class AnnotatorReport:
    """A person's sessions in a project. agreement, reliability, votes: in its consensus, if any."""

    id: int
    annotator: str
    platform: str
    project: str
    project_slug: str
    project_id: int
    hours: float
    cost: float | None
    currency: str
    votes: int
    reliability: float | None
    agreement: float | None
    sessions: tuple[SessionReport, ...]

    @property
    def is_under_way(self) -> bool:
        return any(session.is_under_way for session in self.sessions)

    @property
    def base(self) -> ArmResult | None:
        return next((s.base for s in reversed(self.sessions) if s.base), None)

    @property
    def newest(self) -> SessionReport | None:
        """The last session whose accuracy is known."""
        measured = [
            s for s in self.sessions if s.best_informed and s.best_informed.mean is not None
        ]
        return measured[-1] if measured else None


def annotator_report(project: Project, annotator: Annotator) -> AnnotatorReport:
    """Return a person's report, in a number of queries that does not depend on their sessions."""
    rows = project.sessions.filter(annotator=annotator)
    sessions = tuple(sorted(session_reports(rows), key=lambda session: session.number))
    hours = sum(session.active_minutes for session in sessions) / 60
    member = ConsensusMember.objects.filter(consensus__project=project, annotator=annotator).first()
    return AnnotatorReport(
        id=annotator.pk,
        annotator=annotator.worker_id,
        platform=annotator.get_platform_display(),
        project=project.name,
        project_slug=project.slug,
        project_id=project.pk,
        hours=hours,
        cost=None if project.hourly_pay is None else hours * float(project.hourly_pay),
        currency=project.currency,
        votes=member.votes if member else 0,
        reliability=member.reliability if member else None,
        agreement=member.agreement if member else None,
        sessions=sessions,
    )
