"""How far annotators agree, and signs that a session was answered carelessly.

Signs are advice with their evidence: a person decides, and may leave a session out of the
consensus and take it back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from annotation.models import Judgement, Session, Verdict
from tasks.models import Control

LONGEST_GAP_S = 60  # a longer one is a break
ONE_ACT_S = 0.05  # nobody presses twice in this time; “reject the rest” answers many words at once
FEWEST_TIMED = 10  # answers that a pace is told from: the first has none before it
FEWEST_ALIKE, SHARE_ALIKE = 30, 0.95
FEWEST_CONTRADICTIONS, SHARE_CONTRADICTED = 2, 0.1
EXAMPLES = 5
FEWEST_KEYWORDS = 20  # of which a careful person looks at one at least in sentences
FEWEST_WRONG, SHARE_WRONG = 2, 0.25


@dataclass(frozen=True)
class Signal:
    """A sign of carelessness: its kind, what it is called, and what it was seen by."""

    kind: str
    title: str
    evidence: str


@dataclass(frozen=True)
class Answer:
    """A judgement, as far as it tells of care."""

    session: int
    person: tuple[int, int]  # project and annotator
    keyword: int
    word: int
    words: tuple[tuple[int, str], tuple[int, str]]  # the keyword's and the other's: id, spelling
    verdict: str
    is_added: bool
    is_control: bool
    is_first: bool
    is_current: bool
    chosen_at: datetime

    @property
    def is_decided(self) -> bool:
        return self.is_current and self.verdict != Verdict.LEAVE

    @property
    def is_about_words(self) -> bool:
        return self.is_decided and not self.is_control

    @property
    def pair(self) -> tuple[int, ...]:
        """The two words, whichever of them was the keyword."""
        return tuple(sorted(pk for pk, _ in self.words))

    def __str__(self) -> str:
        return " – ".join(text for _, text in self.words)


@dataclass(frozen=True)
class _Work:
    """A session and all that is known of how it was answered."""

    session: Session
    answers: Sequence[Answer]
    of_person: Sequence[Answer]  # in all of their sessions of the project
    controls: Mapping[tuple[int, int, int], bool]  # (project, keyword, word): is to be accepted

    @property
    def decided(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.is_decided]


@dataclass(frozen=True)
class SessionCare:
    """A session's signs of carelessness, and whether a person left it out of the consensus."""

    id: int
    annotator: str
    number: int
    signals: tuple[Signal, ...]
    excluded_at: datetime | None
    excluded_by: str


def care(sessions: Iterable[Session]) -> tuple[SessionCare, ...]:
    """Return sessions with their signs, in the order of their ids, in four queries at most."""
    rows = list(
        Session.objects.filter(pk__in=[session.pk for session in sessions])
        .select_related("annotator", "excluded_by")
        .order_by("id")
    )
    seen = signals(rows)
    return tuple(
        SessionCare(
            id=row.pk,
            annotator=row.annotator.worker_id,
            number=row.number,
            signals=seen[row.pk],
            excluded_at=row.excluded_at,
            excluded_by=row.excluded_by.get_username() if row.excluded_by else "",
        )
        for row in rows
    )


def signals(sessions: Iterable[Session]) -> dict[int, tuple[Signal, ...]]:
    """Return the signs of carelessness in each session, by its id; three queries for any number."""
    rows = list(
        Session.objects.filter(pk__in=[session.pk for session in sessions])
        .select_related("project")
        .order_by("id")
    )
    of_session: defaultdict[int, list[Answer]] = defaultdict(list)
    of_person: defaultdict[tuple[int, int], list[Answer]] = defaultdict(list)
    for answer in _answers(rows):
        of_session[answer.session].append(answer)
        of_person[answer.person].append(answer)
    controls = _expected(rows)
    return {
        row.pk: tuple(
            _signs(
                _Work(
                    session=row,
                    answers=of_session[row.pk],
                    of_person=of_person[row.project_id, row.annotator_id],
                    controls=controls,
                )
            )
        )
        for row in rows
    }


def _answers(sessions: Sequence[Session]) -> Iterator[Answer]:
    """Yield all that the people of these sessions said in these projects, in the order of time."""
    rows = Judgement.objects.filter(
        session__project__in={session.project_id for session in sessions},
        session__annotator__in={session.annotator_id for session in sessions},
    ).order_by("chosen_at", "id")
    for row in rows.values_list(
        "session",
        "session__project",
        "session__annotator",
        "keyword",
        "keyword__word",
        "keyword__word__text",
        "word",
        "word__text",
        "verdict",
        "is_added",
        "is_control",
        "revision",
        "is_current",
        "chosen_at",
    ):
        yield Answer(
            session=row[0],
            person=(row[1], row[2]),
            keyword=row[3],
            word=row[6],
            words=((row[4], row[5]), (row[6], row[7])),
            verdict=row[8],
            is_added=row[9],
            is_control=row[10],
            is_first=row[11] == 1,
            is_current=row[12],
            chosen_at=row[13],
        )


def _expected(sessions: Sequence[Session]) -> dict[tuple[int, int, int], bool]:
    """Return of each control of the sessions' projects whether it is to be accepted."""
    found = Control.objects.filter(project__in={session.project_id for session in sessions})
    return {(c.project_id, c.keyword_id, c.word_id): c.is_to_be_accepted for c in found}


def _signs(work: _Work) -> Iterator[Signal]:
    for sign in (_speed, _sameness, _contradictions, _no_context, _wrong_controls):
        if evidence := sign(work):
            kind, title = _TITLES[sign.__name__]
            yield Signal(kind, title, evidence)


_TITLES = {
    "_speed": ("speed", "Very quick answers"),
    "_sameness": ("same_answer", "Nearly always the same answer"),
    "_contradictions": ("contradictions", "Contradicts their own answers"),
    "_no_context": ("no_context", "Never looked at a sentence"),
    "_wrong_controls": ("controls", "Control words answered wrongly"),
}


def _speed(work: _Work) -> str | None:
    """Return the evidence that first answers follow one another faster than people read.

    By when they were chosen: answers of work without a connection arrive all together.
    """
    firsts = [answer for answer in work.answers if answer.is_first]
    gaps = [_gap_s(a, b) for a, b in pairwise(firsts) if not _are_one_act(a, b)]
    gaps = [gap for gap in gaps if gap <= LONGEST_GAP_S]
    fastest = work.session.project.fastest_answer_s
    if len(gaps) < FEWEST_TIMED - 1 or median(gaps) >= fastest:
        return None
    return (
        f"Half of {len(gaps)} answers came within {median(gaps):.2g} seconds of the one "
        f"before; a careful answer is taken to need {fastest:g} seconds."
    )


def _gap_s(one: Answer, following: Answer) -> float:
    return (following.chosen_at - one.chosen_at).total_seconds()


def _are_one_act(one: Answer, following: Answer) -> bool:
    """True for answers that one press gave to several words beside a keyword."""
    return one.keyword == following.keyword and _gap_s(one, following) <= ONE_ACT_S


def _sameness(work: _Work) -> str | None:
    """Return the evidence that nearly all words shown got one answer."""
    shown = [a for a in work.decided if a.is_about_words and not a.is_added]
    if len(shown) < FEWEST_ALIKE:
        return None
    accepted = sum(answer.verdict == Verdict.ACCEPT for answer in shown)
    most, said = max((accepted, "accepted"), (len(shown) - accepted, "rejected"))
    if most < SHARE_ALIKE * len(shown):
        return None
    return f"{most} of {len(shown)} decided words were {said}."


def _contradictions(work: _Work) -> str | None:
    """Return the evidence that a person judged the same two words differently.

    Among all their sessions, as long as this one has a part in it.
    """
    said: defaultdict[tuple[int, ...], list[Answer]] = defaultdict(list)
    for answer in work.of_person:
        if answer.is_about_words:
            said[answer.pair].append(answer)
    repeated = [
        answers
        for answers in said.values()
        if len(answers) > 1 and any(a.session == work.session.pk for a in answers)
    ]
    differing = [answers for answers in repeated if len({a.verdict for a in answers}) > 1]
    if len(differing) < max(FEWEST_CONTRADICTIONS, SHARE_CONTRADICTED * len(repeated)):
        return None
    examples = ", ".join(str(answers[0]) for answers in differing[:EXAMPLES])
    return (
        f"{len(differing)} of {len(repeated)} pairs of words that were judged more than once were "
        f"both accepted and rejected: {examples}."
    )


def _no_context(work: _Work) -> str | None:
    """Return the evidence that many keywords were answered and no sentence read."""
    keywords = {answer.keyword for answer in work.decided}
    if work.session.contexts_opened or len(keywords) < FEWEST_KEYWORDS:
        return None
    return f"{len(keywords)} keywords were answered, and no word was looked at in sentences."


def _wrong_controls(work: _Work) -> str | None:
    """Return the evidence that words whose answers are known were answered otherwise."""
    wanted = [
        (answer, work.controls.get((answer.person[0], answer.keyword, answer.word)))
        for answer in work.decided
        if answer.is_control
    ]
    known = [(answer, accept) for answer, accept in wanted if accept is not None]
    wrong = [a for a, accept in known if (a.verdict == Verdict.ACCEPT) != accept]
    if len(wrong) < FEWEST_WRONG or len(wrong) <= SHARE_WRONG * len(known):
        return None
    examples = ", ".join(
        f"{answer} was {'accepted' if answer.verdict == Verdict.ACCEPT else 'rejected'}"
        for answer in wrong[:EXAMPLES]
    )
    return f"{len(wrong)} of {len(known)} control words were answered wrongly: {examples}."
