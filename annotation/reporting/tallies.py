"""How much was answered: in each session, and of each keyword by all people together."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Min, Q

from annotation.models import DocumentLabel, Judgement, Session, Verdict
from models_ml.models import Keyword
from tasks.models import Assignment, Project

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
class KeywordTally:
    """What all annotators of a project said of one keyword's neighbours."""

    position: int
    keyword: str
    sessions: int
    accepted: int
    rejected: int
    added: int


_ACCEPTED = Q(verdict=Verdict.ACCEPT, is_added=False)
_REJECTED = Q(verdict=Verdict.REJECT)
_ADDED = Q(verdict=Verdict.ACCEPT, is_added=True)
_DECIDED = ~Q(verdict=Verdict.LEAVE)
_ANSWERED = _DECIDED | Q(strength__isnull=False)  # left open on purpose is an answer too
_DECIDED_SHOWN = _DECIDED & Q(is_added=False)


def answers_of(sessions: list[Session]) -> dict[int, Answers]:
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
            keywords=Count("keyword", filter=_ANSWERED, distinct=True),
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


def labels_up_to(sessions: list[Session]) -> dict[int, int]:
    """Return how many documents each session's annotator had labelled by its end; one query."""
    rows = DocumentLabel.objects.current().filter(
        session__project__in={session.project_id for session in sessions},
        session__annotator__in={session.annotator_id for session in sessions},
        label__isnull=False,
    )
    labelled = (
        rows.order_by()
        .values_list("session__project", "session__annotator", "document")
        .annotate(first=Min("session__number"))
    )
    firsts: dict[tuple[int, int], list[int]] = {}
    for project, annotator, _, first in labelled:
        firsts.setdefault((project, annotator), []).append(first)
    return {
        session.pk: sum(
            first <= session.number
            for first in firsts.get((session.project_id, session.annotator_id), ())
        )
        for session in sessions
    }


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


def keyword_tallies(project: Project) -> tuple[KeywordTally, ...]:
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
