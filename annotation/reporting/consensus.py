"""What all people of a project reached together: its accuracy, its members, where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F, QuerySet
from django.db.models.functions import Abs, Least

from annotation.models import Consensus, ConsensusPair
from annotation.reporting.worth import Worth, worth
from models_ml.core.intervals import mean_with_interval
from models_ml.models import Arm
from models_ml.reports import ArmResult, JobView, latest_jobs
from models_ml.results import CurveResult, Results, jobs_of_reports, report_results
from tasks.models import Project

if TYPE_CHECKING:
    from annotation.reporting.sessions import SessionReport

TOP_CONFLICTS = 50


@dataclass(frozen=True)
class Member:
    """A person in a consensus. clime_mean: accuracy of their newest measured session."""

    annotator_id: int
    annotator: str
    votes: int
    reliability: float
    agreement: float | None
    clime_mean: float | None


@dataclass(frozen=True)
class Conflict:
    """A word beside a keyword of which some people accept what others reject."""

    keyword: str
    word: str
    word_tag: str
    accepted: int
    rejected: int
    posterior: float

    @property
    def outcome(self) -> str:
        """What becomes of the pair: "accepted", "rejected", or "left out" where votes tie."""
        if self.posterior == 0.5:
            return "left out"
        return "accepted" if self.posterior > 0.5 else "rejected"

    @property
    def certainty(self) -> float:
        """The probability that the outcome is right."""
        return max(self.posterior, 1 - self.posterior)


@dataclass(frozen=True)
class ConsensusReport:
    """A project's consensus. pairs, conflicts_count: of all; `conflicts` are the strongest."""

    method: str
    arms: tuple[ArmResult, ...]
    curve: tuple[CurveResult, ...]
    is_described: bool
    findings: dict[str, Any]
    worth: Worth
    members: tuple[Member, ...]
    pairs: int
    conflicts_count: int
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True)
class ArmOfPeople:
    """The mean accuracy of an arm over people, each by their newest session that measured it.

    low, high: 95 % interval over people, within 0 and 1; None for a single one.
    """

    arm: str
    label: str
    people: int
    mean: float
    low: float | None
    high: float | None
    gain_points: float | None


def consensus_report(
    project: Project, sessions: Sequence[SessionReport]
) -> tuple[ConsensusReport | None, tuple[JobView, ...]]:
    """Return a project's consensus, None where there is none yet, and the work on it.

    sessions: all of the project. The number of queries does not depend on how many there are.
    """
    aggregating = latest_jobs([("refresh_consensus", project.pk)]).values()
    row = Consensus.objects.filter(project=project).prefetch_related("members__annotator").first()
    if row is None:
        return None, tuple(aggregating)
    results = report_results([row.report_id] if row.report_id else [])
    jobs = (*aggregating, *jobs_of_reports(results.values()).of(row.report_id))
    found = results.get(row.report_id or 0, Results(0, (), (), is_described=False))
    counted = [session for session in sessions if session.is_counted]
    hours = sum(session.active_minutes for session in counted) / 60
    conflicts = _conflicts(row)
    report = ConsensusReport(
        method=row.get_method_display(),
        arms=found.arms,
        curve=found.curve,
        is_described=found.is_described,
        findings=found.findings,
        worth=worth(found.arms, hours=hours, project=project),
        members=_members(row, sessions),
        pairs=row.pairs.count(),
        conflicts_count=conflicts.count(),
        conflicts=tuple(_conflict(pair) for pair in conflicts[:TOP_CONFLICTS]),
    )
    return report, jobs


def _members(consensus: Consensus, sessions: Iterable[SessionReport]) -> tuple[Member, ...]:
    accuracy = {s.annotator_id: arm.mean for s, arm in newest(sessions, Arm.CLIME)}
    return tuple(
        Member(
            annotator_id=member.annotator_id,
            annotator=member.annotator.worker_id,
            votes=member.votes,
            reliability=member.reliability,
            agreement=member.agreement,
            clime_mean=accuracy.get(member.annotator_id),
        )
        for member in consensus.members.all()
    )


def _conflicts(consensus: Consensus) -> QuerySet[ConsensusPair]:
    """Return the pairs that people contradict one another on; the most on both sides first."""
    pairs = consensus.pairs.filter(accepted__gt=0, rejected__gt=0)
    return pairs.select_related("keyword", "word__vocabulary").order_by(
        Least("accepted", "rejected").desc(), Abs(F("posterior") - 0.5), "id"
    )


def _conflict(pair: ConsensusPair) -> Conflict:
    return Conflict(
        keyword=pair.keyword.text,
        word=pair.word.text,
        word_tag=pair.word.vocabulary.tag,
        accepted=pair.accepted,
        rejected=pair.rejected,
        posterior=pair.posterior,
    )


def newest(sessions: Iterable[SessionReport], name: Arm) -> list[tuple[SessionReport, ArmResult]]:
    """Return each person's newest session that measured an arm, with it; the paper's way to count.

    Sessions that a manager excluded do not count.
    """
    latest: dict[int, tuple[SessionReport, ArmResult]] = {}
    for session in sorted(sessions, key=lambda session: session.number):
        arm = session.arm(name)
        if arm is not None and arm.mean is not None and session.is_counted:
            latest[session.annotator_id] = session, arm
    return list(latest.values())


def means_over_people(sessions: Sequence[SessionReport]) -> tuple[ArmOfPeople, ...]:
    """Return the mean of Active, CLIME and A+C over people, those that anybody has."""
    found = []
    for name in (Arm.ACTIVE, Arm.CLIME, Arm.ACTIVE_CLIME):
        arms = [arm for _, arm in newest(sessions, name)]
        means = [arm.mean for arm in arms if arm.mean is not None]
        if not means:
            continue
        gains = [arm.gain_points for arm in arms if arm.gain_points is not None]
        mean, low, high = mean_with_interval(means)
        found.append(
            ArmOfPeople(
                arm=name.value,
                label=str(name.label),
                people=len(means),
                mean=mean,
                low=None if low is None else max(low, 0.0),
                high=None if high is None else min(high, 1.0),
                gain_points=sum(gains) / len(gains) if gains else None,
            )
        )
    return tuple(found)
