"""Answers as they are given: of each word beside a keyword and of each text the last one counts.

Phones lose their connection, networks repeat and reorder, and one person may work in two tabs. So
an answer comes with the time at which it was chosen and the revision that its page showed, and the
outcome is the same whatever order answers arrive in: the last choice. For that, an answer is held
against all that was said of its word or text before, not against the latest row alone: a device
whose clock is behind may have seen the one and not the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation.models import (
    ContextView,
    DocumentLabel,
    Judgement,
    Problem,
    Session,
    SessionState,
    Suggestion,
    Verdict,
)
from models_ml import jobs
from models_ml.core.answer_forms import value_of_grade, values_of_ranking
from models_ml.models import Document, Keyword, Word
from tasks import services as tasks_services
from tasks.models import AnswerForm, Assignment, AssignmentState, HITItem

LONGEST_SUGGESTION = 100
LONGEST_PROBLEM = 2000


class NotAnswerable(Exception):
    """The answer does not belong to this session; the message is for the annotator."""


class SessionEnded(NotAnswerable):
    """The session was submitted, or its link expired or was revoked."""


@dataclass(frozen=True)
class Stamp:
    """When something was chosen, and what its page knew: enough to tell which choice is the last.

    saw: the revision on the page; None for a form, whose page was read just before. letter: the
    device's own number for the answer, the same however often it is sent.
    """

    at: datetime = field(default_factory=timezone.now)
    saw: int | None = None
    letter: UUID | None = None

    def is_after(self, stored: Judgement | DocumentLabel) -> bool:
        """True where this was chosen after what is stored: knowing it, or else later by the clock.

        Knowing comes first, since the clocks of two devices may differ.
        """
        if self.letter is not None and self.letter == stored.letter:
            return False  # it came before
        return self.saw is None or self.saw >= stored.revision or self.at > stored.chosen_at

    def is_last(self, stored: Iterable[Judgement | DocumentLabel]) -> bool:
        """True where this was chosen after all that is stored."""
        return all(self.is_after(one) for one in stored)

    @property
    def fields(self) -> dict[str, Any]:
        """What is stored of it: its own time, even where that is before the time of what it saw."""
        return {"chosen_at": self.at, "letter": self.letter}


@dataclass(frozen=True)
class Answer:
    """What is said of a word beside a keyword; strength as in `Judgement`."""

    verdict: Verdict
    strength: float | None = None

    @classmethod
    def of(cls, judgement: Judgement) -> Answer:
        """Return what a stored row says."""
        return cls(Verdict(judgement.verdict), judgement.strength)

    @classmethod
    def of_value(cls, value: float) -> Answer:
        """Return the answer of a value as `models_ml.core.answer_forms` gives it."""
        if value == 0:
            return cls(Verdict.LEAVE, 0.0)
        return cls(Verdict.ACCEPT if value > 0 else Verdict.REJECT, abs(value))


TAKEN_BACK = Answer(Verdict.LEAVE)
LEFT_ON_PURPOSE = Answer.of_value(0)


@contextmanager
def open_sheet(session: Session, assignment: Assignment) -> Iterator[AnswerSheet]:
    """Give the sheet on which answers are stored; raises SessionEnded where it is too late.

    The session's row is held meanwhile: its answers are stored one after the other, whatever tabs
    they come from.
    """
    with transaction.atomic():
        held = Session.objects.select_for_update().only("state").get(pk=session.pk)
        what_matters = ["state", "opens_at", "expires_at", "link_version", "listing_id"]
        current = Assignment.objects.only(*what_matters).get(pk=assignment.pk)
        # By a link made anew, or on a platform by another HIT of the session.
        is_renewed = current.link_version > 1 or current.listing_id is not None
        if not current.is_open or (held.state == SessionState.SUBMITTED and not is_renewed):
            raise SessionEnded(_("This task has ended, so the answer was not saved."))
        if held.state == SessionState.SUBMITTED:
            _reopen(held)
        # Consent is given once a session: a later batch is opened by its first answer.
        if current.state == AssignmentState.OFFERED:
            tasks_services.activate(current)
        yield AnswerSheet(session, assignment)


def _reopen(session: Session) -> None:
    """Open a session again that was submitted in part, since a link to the rest was made anew."""
    Session.objects.filter(pk=session.pk, state=SessionState.SUBMITTED).update(
        state=SessionState.OPEN, submitted_at=None
    )


class AnswerSheet:
    """Where the answers of an open session are stored; from `open_sheet`, which holds its row.

    Each method returns the row that counts afterwards, and raises NotAnswerable for what the task
    does not ask.
    """

    def __init__(self, session: Session, assignment: Assignment) -> None:
        self._session = session
        self._assignment = assignment
        self._beside: dict[int, Sequence[Word]] = {}
        self._ids_beside: dict[int, set[int]] = {}

    # --- Words ---

    def judge(
        self, keyword: Keyword, word: Word, answer: Answer, stamp: Stamp | None = None
    ) -> Judgement | None:
        """Append what is said of a word beside a keyword; None where nothing was ever said.

        A word that was not shown is stored as the annotator's own.
        """
        self._check_word(keyword, word)
        return self._append(keyword, word, answer, stamp or Stamp())

    def _append(
        self, keyword: Keyword, word: Word, answer: Answer, stamp: Stamp, *, seen: int = 0
    ) -> Judgement | None:
        """Append an answer, as `judge` does; seen: a revision that the new one must be above."""
        given = self._session.judgements.filter(keyword=keyword, word=word)
        stored = list(given.order_by("revision"))
        last = stored[-1] if stored else None
        if last is None and answer == TAKEN_BACK and stamp.saw is None:
            return None
        if last is not None and not stamp.is_last(stored):
            return last
        is_same = last is not None and Answer.of(last) == answer
        if last is not None and is_same and stamp.saw is None:
            # A form sent twice. An older letter that is still on its way must not win over it.
            given.current().update(chosen_at=stamp.at)
            return last
        if last is not None:
            given.current().update(is_current=False)
        if self._session.project.live and not is_same:
            jobs.enqueue("update_neighbours", self._session.pk)
        return Judgement.objects.create(
            session=self._session,
            keyword=keyword,
            word=word,
            verdict=answer.verdict,
            strength=answer.strength,
            is_added=not self._is_beside(keyword, word),
            is_control=(keyword.pk, word.pk) in self._controls,
            revision=max(last.revision if last else 0, seen) + 1,
            **stamp.fields,
        )

    def grade(
        self, keyword: Keyword, word: Word, grade: int, stamp: Stamp | None = None
    ) -> Judgement | None:
        """Append one of five grades of a word beside a keyword."""
        self._check_form(AnswerForm.GRADED)
        try:
            answer = Answer.of_value(value_of_grade(grade))
        except ValueError as error:
            raise NotAnswerable(_("This is not one of the five steps.")) from error
        return self.judge(keyword, word, answer, stamp)

    def rank(
        self,
        keyword: Keyword,
        side: str,
        *,
        best_first: Sequence[int],
        worst_first: Sequence[int],
        left: Sequence[int] = (),
        stamp: Stamp | None = None,
    ) -> Mapping[int, Judgement | None]:
        """Append the order of a column's words; those in no list have no answer.

        best_first, worst_first: ids of words shown in this language, or added to it; left: of those
        that are left open on purpose.
        """
        self._check_form(AnswerForm.RANKING)
        words = {word.pk: word for word in self._column(keyword, side)}
        try:
            values = values_of_ranking(best_first, worst_first)
        except ValueError as error:
            raise NotAnswerable(_("A word can have one place only.")) from error
        values = {**dict.fromkeys(left, 0.0), **values}
        if not values.keys() <= words.keys():
            raise NotAnswerable(_("This word is not part of your task."))
        answers = {pk: Answer.of_value(values[pk]) if pk in values else TAKEN_BACK for pk in words}
        # A page knows one revision of a column: that of the word which has the greatest.
        current = self._session.judgements.current().filter(keyword=keyword, word__in=words)
        seen = max(current.values_list("revision", flat=True), default=0)
        stamp = stamp or Stamp()
        return {
            pk: self._append(keyword, word, answers[pk], stamp, seen=seen)
            for pk, word in words.items()
        }

    def settle_rest(self, keyword: Keyword, answer: Answer) -> None:
        """Append the same answer for every word beside a keyword that has none yet."""
        self._check_keyword(keyword)
        answered = set(
            self._session.judgements.answered()
            .filter(keyword=keyword)
            .values_list("word_id", flat=True)
        )
        for word in self._words_beside(keyword):
            if word.pk not in answered:
                self.judge(keyword, word, answer)

    def suggest(
        self,
        keyword: Keyword,
        side: str,
        text: str,
        *,
        is_withdrawn: bool = False,
        stamp: Stamp | None = None,
    ) -> Suggestion:
        """Keep a word that the vocabulary does not have, or take it back."""
        self._check_keyword(keyword)
        # PostgreSQL refuses the NUL character.
        text = " ".join(text.replace("\x00", "").split())
        if not text or len(text) > LONGEST_SUGGESTION:
            raise NotAnswerable(_("A word has 1 to 100 letters."))
        stamp = stamp or Stamp()
        suggestion, is_new = self._session.suggestions.get_or_create(
            keyword=keyword,
            side=side,
            text=text,
            defaults={"is_withdrawn": is_withdrawn, **stamp.fields},
        )
        if not is_new and (stamp.saw is None or stamp.at > suggestion.chosen_at):
            suggestion.is_withdrawn = is_withdrawn
            suggestion.chosen_at, suggestion.letter = stamp.at, stamp.letter
            suggestion.save()
        return suggestion

    # --- Texts ---

    def label(
        self,
        document: Document,
        label: int | None,
        *,
        is_withdrawn: bool = False,
        stamp: Stamp | None = None,
    ) -> DocumentLabel | None:
        """Append the category of a document (None: can't tell), or that it is taken back."""
        if document.pk not in self._documents:
            raise NotAnswerable(_("This text is not part of your task."))
        if is_withdrawn:
            label = None
        if label is not None and label not in self._labels:
            raise NotAnswerable(_("This is not one of the categories."))
        stamp = stamp or Stamp()
        given = self._session.document_labels.filter(document=document)
        stored = list(given.order_by("revision"))
        last = stored[-1] if stored else None
        if last is None and is_withdrawn and stamp.saw is None:
            return None
        if last is not None and not stamp.is_last(stored):
            return last
        is_same = last is not None and (last.label, last.is_withdrawn) == (label, is_withdrawn)
        if last is not None and is_same and stamp.saw is None:
            given.filter(is_current=True).update(chosen_at=stamp.at)
            return last
        if last is not None:
            given.filter(is_current=True).update(is_current=False)
        return DocumentLabel.objects.create(
            session=self._session,
            document=document,
            label=label,
            is_withdrawn=is_withdrawn,
            revision=last.revision + 1 if last else 1,
            **stamp.fields,
        )

    # --- Signs of care ---

    def note_context(self, word: Word, stamp: Stamp | None = None) -> None:
        """Note that a word was looked at in sentences, once a letter."""
        self._check_vocabulary(word)
        note_context(self._session, word, stamp or Stamp())

    def report(self, text: str, *, position: int, stamp: Stamp) -> None:
        """Keep what the annotator tells the manager of the page at a position; 0: of none."""
        item = self._assignment.hit.items.filter(position=position).first()
        report_problem(self._assignment, text, item=item, letter=stamp.letter)

    # --- What the task asks ---

    @cached_property
    def _keywords(self) -> set[int]:
        asked = self._assignment.hit.items.filter(keyword__isnull=False).order_by()
        return set(asked.values_list("keyword_id", flat=True))

    @cached_property
    def _documents(self) -> set[int]:
        asked = self._assignment.hit.items.filter(document__isnull=False).order_by()
        return set(asked.values_list("document_id", flat=True))

    @cached_property
    def _labels(self) -> set[int]:
        return set(self._session.project.categories.values_list("label", flat=True))

    @cached_property
    def _controls(self) -> set[tuple[int, int]]:
        controls = self._session.project.controls.order_by()
        return set(controls.values_list("keyword_id", "word_id"))

    def _words_beside(self, keyword: Keyword) -> Sequence[Word]:
        if keyword.pk not in self._beside:
            self._beside[keyword.pk] = self._session.words_beside(keyword)
        return self._beside[keyword.pk]

    def _is_beside(self, keyword: Keyword, word: Word) -> bool:
        if keyword.pk not in self._ids_beside:
            self._ids_beside[keyword.pk] = self._session.word_ids_beside(keyword)
        return word.pk in self._ids_beside[keyword.pk]

    def _column(self, keyword: Keyword, side: str) -> list[Word]:
        """Return the words of one language that are shown beside a keyword or were added to it."""
        self._check_keyword(keyword)
        added: QuerySet[Word] = Word.objects.filter(
            pk__in=self._session.judgements.decided()
            .filter(keyword=keyword, is_added=True)
            .values("word")
        )
        vocabulary = self._session.project.embedding.vocabulary(side)
        words = [*self._words_beside(keyword), *added]
        return [word for word in words if word.vocabulary_id == vocabulary.pk]

    def _check_form(self, form: AnswerForm) -> None:
        if self._session.project.answer_form != form:
            raise NotAnswerable(_("This project asks for answers of another kind."))

    def _check_keyword(self, keyword: Keyword) -> None:
        if keyword.pk not in self._keywords:
            raise NotAnswerable(_("This word is not part of your task."))

    def _check_word(self, keyword: Keyword, word: Word) -> None:
        self._check_keyword(keyword)
        self._check_vocabulary(word)
        if word.pk == keyword.word_id:
            raise NotAnswerable(_("A word cannot be its own neighbour."))

    def _check_vocabulary(self, word: Word) -> None:
        embedding = self._session.project.embedding
        if word.vocabulary_id not in {embedding.source_id, embedding.target_id}:
            raise NotAnswerable(_("This word is not in the project's vocabulary."))


def note_context(session: Session, word: Word, stamp: Stamp) -> None:
    """Note that a word was looked at in sentences, as long as the session is open."""
    if stamp.letter and session.context_views.filter(letter=stamp.letter).exists():
        return
    if Session.objects.filter(pk=session.pk, state=SessionState.OPEN).update(
        contexts_opened=F("contexts_opened") + 1
    ):
        ContextView.objects.create(
            session=session, word=word, letter=stamp.letter, opened_at=stamp.at
        )


def report_problem(
    assignment: Assignment, text: str, *, item: HITItem | None = None, letter: UUID | None = None
) -> Problem:
    """Keep what an annotator tells the manager; the same letter again changes nothing.

    Raises NotAnswerable where nothing is told.
    """
    text = text.replace("\x00", "").strip()[:LONGEST_PROBLEM]
    if not text:
        raise NotAnswerable(_("Please write what the problem is."))
    told = {"text": text, "item": item}
    if letter is None:
        return Problem.objects.create(assignment=assignment, **told)
    return Problem.objects.get_or_create(assignment=assignment, letter=letter, defaults=told)[0]
