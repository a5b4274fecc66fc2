"""How far a project's people and the machine are by now: counted by the database, for every poll.

Nothing here depends on the clock but who is working: what is the same has the same fingerprint.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, Max, Q, When
from django.utils import timezone

from annotation.models import (
    DocumentLabel,
    Judgement,
    Preview,
    Problem,
    Session,
    SessionState,
    Verdict,
)
from annotation.reporting.queue import Queue, queue_of
from models_ml.core.agreement import alpha_of_counts
from tasks.models import HIT, Assignment, Project

WORKING = timedelta(minutes=2)  # since the last sign of life
FEWEST_ANSWERS = 5  # before somebody's pace says anything


@dataclass(frozen=True)
class Items:
    """Keywords and documents."""

    keywords: int = 0
    documents: int = 0

    @property
    def total(self) -> int:
        return self.keywords + self.documents

    def __add__(self, other: Items) -> Items:
        return Items(self.keywords + other.keywords, self.documents + other.documents)


@dataclass(frozen=True)
class StoppedNow:
    """The accuracy that a session would have bought after its first keywords."""

    keywords: int
    seeds: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class OpenSession:
    """A person at work. minutes_left: by their own pace; None before it is known."""

    id: int
    annotator: str
    number: int
    session_count: int
    answered: Items
    asked: Items
    items_asked: int
    active_minutes: float
    minutes_left: float | None
    last_seen_at: datetime | None
    is_working: bool
    preview: StoppedNow | None

    @property
    def percent(self) -> int:
        return min(100, 100 * self.answered.total // self.items_asked) if self.items_asked else 0

    @property
    def has_answered_since(self) -> bool:
        return self.preview is not None and self.preview.keywords < self.answered.keywords


@dataclass(frozen=True)
class People:
    """invited: with a link that works or was used; submitted: with a session at its end."""

    invited: int
    working: int
    submitted: int


@dataclass(frozen=True)
class AgreementSoFar:
    """Over pairs that two people or more judged, open sessions included.

    alpha: Krippendorff's; None where it is undefined. alike: pairs on which all of them agree.
    """

    alpha: float | None
    pairs: int
    alike: int

    @property
    def share(self) -> float | None:
        return self.alike / self.pairs if self.pairs else None


@dataclass(frozen=True)
class ProjectProgress:
    """What a manager sees while people work.

    problems: reported and not resolved yet. base: mean accuracy, None until it is measured.
    """

    id: int
    slug: str
    people: People
    problems: int
    sessions: tuple[OpenSession, ...]
    agreement: AgreementSoFar
    queue: Queue
    base: float | None
    is_measurable: bool

    @property
    def answered(self) -> Items:
        return sum((session.answered for session in self.sessions), Items())

    @property
    def items_asked(self) -> int:
        return sum(session.items_asked for session in self.sessions)

    @property
    def is_under_way(self) -> bool:
        return bool(self.sessions) or self.queue.is_busy

    @property
    def has_answers(self) -> bool:
        return self.answered.total > 0


def project_progress(project: Project) -> ProjectProgress:
    """Return how far a project is, in a number of queries that depends on its settings alone."""
    now = timezone.now()
    sessions = _open_sessions(project, now)
    base = project.base_run
    return ProjectProgress(
        id=project.pk,
        slug=project.slug,
        people=_people(project, working=sum(session.is_working for session in sessions)),
        problems=Problem.objects.unresolved().filter(assignment__hit__project=project).count(),
        sessions=sessions,
        agreement=agreement_so_far(project),
        queue=queue_of(project),
        base=base.mean if base else None,
        is_measurable=project.test_corpus_id is not None,
    )


def _people(project: Project, *, working: int) -> People:
    held = Assignment.objects.holding_a_place().filter(hit__project=project)
    submitted = project.sessions.filter(state=SessionState.SUBMITTED)
    return People(
        invited=held.order_by().values("hit__platform", "worker_id").distinct().count(),
        working=working,
        submitted=submitted.order_by().values("annotator").distinct().count(),
    )


def _open_sessions(project: Project, now: datetime) -> tuple[OpenSession, ...]:
    rows = list(
        project.sessions.filter(state=SessionState.OPEN)
        .select_related("annotator", "preview")
        .order_by("id")
    )
    answered, asked = _answered(rows), _asked(project)
    return tuple(
        _open_session(
            project,
            session,
            answered=answered.get(session.pk, Items()),
            asked=_of_session(asked, session),
            now=now,
        )
        for session in rows
    )


def _open_session(
    project: Project, session: Session, *, answered: Items, asked: Items, now: datetime
) -> OpenSession:
    items_asked = project.session_size if project.is_adaptive else asked.total
    seen = session.last_seen_at
    return OpenSession(
        id=session.pk,
        annotator=session.annotator.worker_id,
        number=session.number,
        session_count=project.session_count,
        answered=answered,
        asked=asked,
        items_asked=items_asked,
        active_minutes=round(session.active_minutes, 1),
        minutes_left=_minutes_left(session, answered.total, items_asked),
        last_seen_at=seen,
        is_working=seen is not None and now - seen <= WORKING,
        preview=_stopped_now(session),
    )


def _minutes_left(session: Session, answered: int, asked: int) -> float | None:
    """Return the time that is left at this person's own pace so far, keywords and documents alike.

    None before FEWEST_ANSWERS, or while no time at work was counted.
    """
    if answered < FEWEST_ANSWERS or not session.active_seconds:
        return None
    return session.active_minutes / answered * max(0, asked - answered)


def _stopped_now(session: Session) -> StoppedNow | None:
    try:
        preview = session.preview
    except Preview.DoesNotExist:
        return None
    return StoppedNow(preview.keywords, preview.seeds, preview.mean, preview.low, preview.high)


def _answered(sessions: list[Session]) -> dict[int, Items]:
    """Return what each session answered: keywords and documents with any answer.

    Left open on purpose is an answer, as it is to who answers.
    """
    judgements = Judgement.objects.answered().filter(session__in=sessions).order_by()
    labels = DocumentLabel.objects.current().filter(session__in=sessions).order_by()
    keywords = dict(judgements.values_list("session").annotate(Count("keyword", distinct=True)))
    documents = dict(labels.values_list("session").annotate(Count("pk")))
    return {s.pk: Items(keywords.get(s.pk, 0), documents.get(s.pk, 0)) for s in sessions}


_Whose = tuple[str, str, int]  # platform, person, session number


def _asked(project: Project) -> Mapping[_Whose, Items]:
    """Return what the HITs of each session ask; an adaptive session's are those it has taken."""
    number = {"keywords": Count("items__keyword"), "documents": Count("items__document")}
    hits = HIT.objects.filter(project=project).order_by()
    if project.is_adaptive:
        taken = hits.filter(assignments__isnull=False)
        of_hit = taken.values_list("platform", "assignments__worker_id", "session_number")
    else:
        of_hit = hits.values_list("platform", "worker_id", "session_number")
    return {
        (platform, person, session): Items(keywords, documents)
        for platform, person, session, keywords, documents in of_hit.annotate(**number)
    }


def _of_session(asked: Mapping[_Whose, Items], session: Session) -> Items:
    """Return what is asked of one person: what anybody is asked, and what was made for them."""
    person = session.annotator
    own = asked.get((person.platform, person.worker_id, session.number), Items())
    return own + asked.get((person.platform, "", session.number), Items())


def agreement_so_far(project: Project) -> AgreementSoFar:
    """Return how far people agree by now, of every session that nobody left out."""
    shared = [pair for pair in _votes(project) if sum(pair) > 1]
    alike = sum(0 in pair for pair in shared)
    return AgreementSoFar(alpha_of_counts(shared) if shared else None, len(shared), alike)


def _votes(project: Project) -> list[tuple[int, int]]:
    """Return how many people accept and reject each pair of a keyword and a word."""
    counting = project.sessions.filter(excluded_at=None).order_by().values("pk")
    votes = Judgement.objects.decided().about_words().filter(session__in=counting).order_by()
    pairs = votes.values(pair_keyword=F("keyword__word"), pair_word=F("word"))
    if project.session_count > 1:
        return _last_votes(pairs.annotate(person=F("session__annotator")))
    counts = pairs.annotate(
        accepted=Count("pk", filter=Q(verdict=Verdict.ACCEPT)),
        rejected=Count("pk", filter=Q(verdict=Verdict.REJECT)),
    )
    return list(counts.values_list("accepted", "rejected"))


def _last_votes(of_people: Any) -> list[tuple[int, int]]:
    """Return the same where people have several sessions: the last word stands, as in a consensus.

    Twice the session's number, and one for an accept: its greatest tells the last word.
    """
    accepted = Case(When(verdict=Verdict.ACCEPT, then=1), default=0)
    latest = of_people.annotate(latest=Max(2 * F("session__number") + accepted))
    counts: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for keyword, word, said in latest.values_list("pair_keyword", "pair_word", "latest"):
        counts[keyword, word][said % 2] += 1
    return [(accepted, rejected) for rejected, accepted in counts.values()]
