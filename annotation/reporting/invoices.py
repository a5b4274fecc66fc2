"""What each person worked in a project and is to be paid for it, as an invoice wants it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import QuerySet
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from annotation.models import Session, SessionState
from annotation.reporting.tallies import Answers, answers_of
from models_ml.spreadsheets import as_text, csv_of
from tasks.models import Assignment, AssignmentState, Project

TOTAL = "TOTAL"
COLUMNS = (
    "person",
    "platform",
    "sessions",
    "hours_minutes",
    "hours",
    "keywords",
    "words",
    "documents",
    "first_day",
    "last_day",
    "hourly_pay",
    "amount",
    "currency",
    "completion_codes",
)
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True)
class Period:
    """Days that count, both included; None is no bound.

    with_unfinished: sessions that nobody submitted count as well, by the day of their last
    activity. Once submitted they count again, on that day.
    """

    first: date | None = None
    last: date | None = None
    with_unfinished: bool = False


@dataclass(frozen=True)
class Work:
    """How much was done, in whole minutes; words: decided on, accepted, rejected or added.

    amount: None where the project names no pay.
    """

    sessions: int
    minutes: int
    keywords: int
    words: int
    documents: int
    amount: Decimal | None

    @property
    def hours(self) -> Decimal:
        """Hours to a hundredth, which is coarser than the minutes that are paid."""
        return _to_hundredth(Decimal(self.minutes) / 60)

    @property
    def hours_minutes(self) -> str:
        return f"{self.minutes // 60}:{self.minutes % 60:02d}"


@dataclass(frozen=True)
class PersonWork:
    """One person's work. codes: of the assignments that they submitted in these sessions."""

    annotator_id: int
    annotator: str
    platform: str
    work: Work
    first_day: date
    last_day: date
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Invoice:
    """The work of a project's people in a period; total: amounts are added up as rounded.

    unfinished: sessions that were left out because nobody submitted them, and minutes: theirs.
    """

    project: str
    project_slug: str
    project_id: int
    hourly_pay: Decimal | None
    currency: str
    period: Period
    people: tuple[PersonWork, ...]
    total: Work
    unfinished: int
    unfinished_minutes: int


def invoice(project: Project, period: Period) -> Invoice:
    """Return what a project's people worked in a period, in a constant number of queries."""
    counted = list(_in_period(project, period).select_related("annotator").order_by("number"))
    answers, codes = answers_of(counted), _codes(project)
    by_person: dict[int, list[Session]] = defaultdict(list)
    for session in counted:
        by_person[session.annotator_id].append(session)
    people = [_person(sessions, answers, codes, project) for sessions in by_person.values()]
    people.sort(key=lambda person: (person.annotator.casefold(), person.annotator_id))
    left_out = [] if period.with_unfinished else _seconds_unfinished(project)
    return Invoice(
        project=project.name,
        project_slug=project.slug,
        project_id=project.pk,
        hourly_pay=project.hourly_pay,
        currency=project.currency,
        period=period,
        people=tuple(people),
        total=_total([person.work for person in people], has_pay=project.hourly_pay is not None),
        unfinished=len(left_out),
        unfinished_minutes=_minutes(sum(left_out)),
    )


def _in_period(project: Project, period: Period) -> QuerySet[Session]:
    ended_at = Coalesce("submitted_at", "last_seen_at", "started_at")
    sessions = project.sessions.annotate(day=TruncDate(ended_at))
    if not period.with_unfinished:
        sessions = sessions.filter(state=SessionState.SUBMITTED)
    if period.first:
        sessions = sessions.filter(day__gte=period.first)
    if period.last:
        sessions = sessions.filter(day__lte=period.last)
    return sessions


def _seconds_unfinished(project: Project) -> list[float]:
    worked_at = project.sessions.filter(state=SessionState.OPEN, active_seconds__gt=0)
    return list(worked_at.values_list("active_seconds", flat=True))


def _person(
    sessions: Sequence[Session],
    answers: dict[int, Answers],
    codes: dict[tuple[str, str, int], list[str]],
    project: Project,
) -> PersonWork:
    annotator = sessions[0].annotator
    said = [answers[session.pk] for session in sessions]
    minutes = _minutes(sum(session.active_seconds for session in sessions))
    own = [(annotator.platform, annotator.worker_id, session.number) for session in sessions]
    return PersonWork(
        annotator_id=annotator.pk,
        annotator=annotator.worker_id,
        platform=annotator.get_platform_display(),
        work=Work(
            sessions=len(sessions),
            minutes=minutes,
            keywords=sum(each.keywords_answered for each in said),
            words=sum(each.judgements for each in said),
            documents=sum(each.documents_labelled for each in said),
            amount=_amount(minutes, project.hourly_pay),
        ),
        first_day=_day(min(session.started_at for session in sessions)),
        last_day=_day(max(_ended_at(session) for session in sessions)),
        codes=tuple(code for key in own for code in codes[key]),
    )


def _ended_at(session: Session) -> datetime:
    return session.submitted_at or session.last_seen_at or session.started_at


def _codes(project: Project) -> dict[tuple[str, str, int], list[str]]:
    """Return completion codes by platform, person and session, a batch's after the other."""
    submitted = Assignment.objects.filter(
        hit__project=project, state=AssignmentState.SUBMITTED
    ).order_by("hit__batch", "id")
    codes: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for platform, name, number, code in submitted.values_list(
        "hit__platform", "worker_id", "hit__session_number", "completion_code"
    ):
        codes[platform, name, number].append(code)
    return codes


def _total(parts: Iterable[Work], *, has_pay: bool) -> Work:
    parts = list(parts)
    return Work(
        sessions=sum(part.sessions for part in parts),
        minutes=sum(part.minutes for part in parts),
        keywords=sum(part.keywords for part in parts),
        words=sum(part.words for part in parts),
        documents=sum(part.documents for part in parts),
        amount=sum((part.amount or Decimal(0) for part in parts), Decimal("0.00"))
        if has_pay
        else None,
    )


def _minutes(seconds: float) -> int:
    """Return whole minutes, half a minute rounded up."""
    return int((Decimal(seconds) / 60).quantize(Decimal(1), ROUND_HALF_UP))


def _amount(minutes: int, hourly_pay: Decimal | None) -> Decimal | None:
    return None if hourly_pay is None else _to_hundredth(minutes * hourly_pay / 60)


def _to_hundredth(number: Decimal) -> Decimal:
    return number.quantize(_HUNDREDTH, ROUND_HALF_UP)


def _day(time: datetime) -> date:
    return timezone.localtime(time).date()


def as_csv(report: Invoice) -> str:
    """Return an invoice as a table, a person a row; the last row, TOTAL, adds them up."""
    return csv_of(COLUMNS, _rows(report))


def _rows(report: Invoice) -> Iterator[list[str]]:
    for person in report.people:
        days = (person.first_day.isoformat(), person.last_day.isoformat())
        names = (as_text(person.annotator), person.platform)
        yield _row(report, names, person.work, days, " ".join(person.codes))
    yield _row(report, (TOTAL, ""), report.total, ("", ""), "")


def _row(
    report: Invoice, names: tuple[str, str], work: Work, days: tuple[str, str], codes: str
) -> list[str]:
    counts = (work.keywords, work.words, work.documents)
    pay = (report.hourly_pay, work.amount, report.currency)
    return [
        *names,
        str(work.sessions),
        work.hours_minutes,
        str(work.hours),
        *map(str, counts),
        *days,
        *("" if report.hourly_pay is None else str(cell) for cell in pay),
        codes,
    ]
