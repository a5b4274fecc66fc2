"""The screening test: the practice words of a project, answered once before the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from annotation import services
from annotation.answering import NotAnswerable
from annotation.models import Session, Verdict
from annotation.practising import Attempt, Practice, practice_of
from tasks.crowd import people
from tasks.models import Assignment, Project, Screening

ANSWERS = (Verdict.ACCEPT, Verdict.REJECT)  # to leave a word would say nothing of the person


@dataclass(frozen=True)
class Sheet:
    """A test as somebody has filled it in so far; right and wrong are not told."""

    words: Practice
    attempts: Sequence[Attempt]

    @property
    def is_complete(self) -> bool:
        return all(one.given for one in self.attempts)

    @property
    def correct(self) -> int:
        return sum(
            (one.given == Verdict.ACCEPT) == one.item.is_accepted
            for one in self.attempts
            if one.given
        )


def fill_in(project: Project, form: Mapping[str, str] | None = None) -> Sheet:
    """Return a project's test as a form answers it; form: None before somebody sent one.

    Raises NotAnswerable for an answer that there is not.
    """
    words = practice_of(project)
    attempts = []
    for number, item in enumerate(words.words, start=1):
        field = f"word-{number}"
        answer = form.get(field, "") if form is not None else ""
        if answer and answer not in ANSWERS:
            raise NotAnswerable(_("Please press one of the buttons beside a word."))
        attempts.append(Attempt(field, item, given=Verdict(answer) if answer else None))
    return Sheet(words, attempts)


@transaction.atomic
def hand_in(session: Session, assignment: Assignment, sheet: Sheet) -> Screening:
    """Return what a complete test came to; the first one stands.

    Who passed has practised by it. Who failed has lost the place: the link ends.
    """
    result = people.note_screening(assignment, correct=sheet.correct, asked=len(sheet.attempts))
    if result.passed:
        services.end_practice(session)
    return result


def has_failed(assignment: Assignment) -> bool:
    """True for an assignment of somebody who failed its project's test."""
    hit = assignment.hit
    person = {"platform": hit.platform, "worker_id": assignment.worker_id}
    return hit.project.screenings.filter(**person, passed=False).exists()
