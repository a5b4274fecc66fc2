"""What a device sends: its answers as letters, perhaps late, twice or in any order.

A letter has the device's own number for it (`id`), the time at which the answer was chosen (`at`,
milliseconds since 1970 by the server's clock as the device reckons it), the revision that the page
showed (`saw`) and a `kind`. `annotation.answering` says which of two answers is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from annotation import services
from annotation.answering import (
    LONGEST_PROBLEM,
    LONGEST_SUGGESTION,
    Answer,
    AnswerSheet,
    NotAnswerable,
    Stamp,
    open_sheet,
)
from annotation.models import DocumentLabel, Judgement, Session, Suggestion, Verdict
from annotation.work_time import Sign
from models_ml.models import Document, Keyword, Side, Word
from tasks.models import Assignment

MOST_LETTERS = 100
_MOST_WORDS = 100
_LARGEST_ID = 2**53  # what a script's numbers hold


def _id_field(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=_LARGEST_ID, **options)


def _ids_field(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=_id_field(), max_length=_MOST_WORDS, **options)


class LetterInput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    at = serializers.IntegerField(min_value=0, max_value=_LARGEST_ID)
    saw = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)


class VerdictLetter(LetterInput):
    keyword, word = _id_field(), _id_field()
    verdict = serializers.ChoiceField(Verdict.choices)
    on_purpose = serializers.BooleanField(default=False)


class GradeLetter(LetterInput):
    keyword, word = _id_field(), _id_field()
    grade = serializers.IntegerField(min_value=0, max_value=4)


class RankingLetter(LetterInput):
    keyword = _id_field()
    side = serializers.ChoiceField(Side.choices)
    best_first, worst_first = _ids_field(), _ids_field()
    left = _ids_field(default=list)


class SuggestionLetter(LetterInput):
    keyword = _id_field()
    side = serializers.ChoiceField(Side.choices)
    text = serializers.CharField(max_length=LONGEST_SUGGESTION)
    withdrawn = serializers.BooleanField(default=False)


class LabelLetter(LetterInput):
    document = _id_field()
    # DRF takes declared fields off the class, so this one does not hide `Field.label`.
    label = serializers.IntegerField(allow_null=True, min_value=0, max_value=32767)  # type: ignore[assignment]
    withdrawn = serializers.BooleanField(default=False)


class SignLetter(LetterInput):
    """That somebody was at work on a page, and nothing else."""

    on_document = serializers.BooleanField(default=False)


class ContextLetter(LetterInput):
    word = _id_field()


class ProblemLetter(LetterInput):
    text = serializers.CharField(max_length=LONGEST_PROBLEM)
    position = serializers.IntegerField(min_value=0, max_value=32767, default=0)


LETTERS: Mapping[str, type[LetterInput]] = {
    "verdict": VerdictLetter,
    "grade": GradeLetter,
    "ranking": RankingLetter,
    "suggestion": SuggestionLetter,
    "label": LabelLetter,
    "context": ContextLetter,
    "sign": SignLetter,
    "problem": ProblemLetter,
}
# What becomes of a letter. `superseded`: a later choice stands, and the receipt tells it.
SAVED, SUPERSEDED, REFUSED = "saved", "superseded", "refused"


@dataclass(frozen=True)
class _Letter:
    kind: str
    stamp: Stamp
    said: Mapping[str, Any]

    @property
    def sign(self) -> Sign:
        is_on_document = self.kind == "label" or self.said.get("on_document", False)
        return Sign(self.stamp.at, on_document=is_on_document)


def deliver(
    session: Session, assignment: Assignment, sent: Sequence[object]
) -> list[dict[str, Any]]:
    """Store what letters say and return a receipt for each, in the order in which they came.

    A letter that cannot be stored is refused alone, with the reason. Raises SessionEnded where it
    is too late for all.
    """
    now = timezone.now()
    receipts: dict[int, dict[str, Any]] = {}
    letters: dict[int, _Letter] = {}
    for place, one in enumerate(sent):
        try:
            letters[place] = _read(one, earliest=session.started_at, now=now)
        except serializers.ValidationError as error:
            receipts[place] = _refusal(one, _in_words(error))
    letters = _in_order(letters)
    with open_sheet(session, assignment) as sheet:
        rows = _Rows(letters.values())
        for place, letter in letters.items():
            try:
                outcome = _STORE[letter.kind](sheet, rows, letter)
            except NotAnswerable as error:
                receipts[place] = _refusal(sent[place], str(error))
            else:
                receipts[place] = {"id": str(letter.stamp.letter), **outcome}
        services.note_signs(session, [letter.sign for letter in letters.values()])
    return [receipts[place] for place in range(len(sent))]


def _read(sent: object, *, earliest: datetime, now: datetime) -> _Letter:
    kind = sent.get("kind") if isinstance(sent, dict) else None
    if not isinstance(kind, str) or kind not in LETTERS:
        raise serializers.ValidationError(_("A letter of no known kind."))
    form = LETTERS[kind](data=sent)
    form.is_valid(raise_exception=True)
    said = form.validated_data
    # A device's clock may be wrong, but nothing was chosen before the session or after now.
    at = datetime.fromtimestamp(min(said["at"] / 1000, now.timestamp()), tz=UTC)
    return _Letter(kind, Stamp(max(at, earliest), said["saw"], said["id"]), said)


def _in_order(letters: Mapping[int, _Letter]) -> dict[int, _Letter]:
    """Return letters as they were chosen one after the other, each a moment after the one before.

    Times are whole milliseconds, and those that a wrong clock put into the future became one time.
    """
    chosen = sorted(letters.items(), key=lambda pair: pair[1].said["at"])
    return {
        place: replace(
            letter,
            stamp=replace(letter.stamp, at=letter.stamp.at + timedelta(microseconds=moments)),
        )
        for moments, (place, letter) in enumerate(chosen)
    }


def _in_words(error: serializers.ValidationError) -> str:
    detail = error.detail
    if isinstance(detail, dict):
        return " ".join(f"{name}: {_first_reason(inside)}" for name, inside in detail.items())
    return _first_reason(detail)


def _first_reason(detail: Any) -> str:
    """Return the first of the reasons why a field is refused, however deep it is."""
    while isinstance(detail, dict | list):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return str(detail)


def _refusal(sent: object, detail: str) -> dict[str, Any]:
    said = sent.get("id") if isinstance(sent, dict) else None
    return {"id": said, "state": REFUSED, "detail": detail}


class _Rows:
    """The rows that letters speak of, read at once."""

    def __init__(self, letters: Any) -> None:
        said = [letter.said for letter in letters]
        self._keywords = Keyword.objects.in_bulk({s["keyword"] for s in said if "keyword" in s})
        self._words = Word.objects.in_bulk({s["word"] for s in said if "word" in s})
        self._documents = Document.objects.in_bulk({s["document"] for s in said if "document" in s})

    def keyword(self, letter: _Letter) -> Keyword:
        if (keyword := self._keywords.get(letter.said["keyword"])) is None:
            raise NotAnswerable(_("This word is not part of your task."))
        return keyword

    def word(self, letter: _Letter) -> Word:
        if (word := self._words.get(letter.said["word"])) is None:
            raise NotAnswerable(_("This word is not in the project's vocabulary."))
        return word

    def document(self, letter: _Letter) -> Document:
        if (document := self._documents.get(letter.said["document"])) is None:
            raise NotAnswerable(_("This text is not part of your task."))
        return document


def _state(row: Judgement | DocumentLabel | Suggestion, letter: _Letter) -> str:
    """Return what became of a letter, where this row is what counts afterwards."""
    return SAVED if row.letter == letter.stamp.letter else SUPERSEDED


def _of_judgement(row: Judgement | None, letter: _Letter) -> dict[str, Any]:
    """Return what a word's answer now is, and whether the letter is what made it."""
    if row is None:
        return {"state": SAVED, "verdict": Verdict.LEAVE, "strength": None, "revision": 0}
    return {
        "state": _state(row, letter),
        "verdict": row.verdict,
        "strength": row.strength,
        "revision": row.revision,
    }


def _store_verdict(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    verdict = Verdict(letter.said["verdict"])
    is_deliberate = letter.said["on_purpose"] and verdict == Verdict.LEAVE
    answer = Answer(verdict, 0.0 if is_deliberate else None)
    row = sheet.judge(rows.keyword(letter), rows.word(letter), answer, letter.stamp)
    return _of_judgement(row, letter)


def _store_grade(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    grade = letter.said["grade"]
    row = sheet.grade(rows.keyword(letter), rows.word(letter), grade, letter.stamp)
    return _of_judgement(row, letter)


def _store_ranking(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    stored = sheet.rank(
        rows.keyword(letter),
        letter.said["side"],
        best_first=letter.said["best_first"],
        worst_first=letter.said["worst_first"],
        left=letter.said["left"],
        stamp=letter.stamp,
    )
    words = {str(pk): _of_judgement(row, letter) for pk, row in stored.items()}
    is_late = any(word.pop("state") == SUPERSEDED for word in words.values())
    revision = max((word["revision"] for word in words.values()), default=0)
    return {"state": SUPERSEDED if is_late else SAVED, "words": words, "revision": revision}


def _store_suggestion(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    row = sheet.suggest(
        rows.keyword(letter),
        letter.said["side"],
        letter.said["text"],
        is_withdrawn=letter.said["withdrawn"],
        stamp=letter.stamp,
    )
    return {"state": _state(row, letter), "withdrawn": row.is_withdrawn}


def _store_label(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    said = letter.said
    row: DocumentLabel | None = sheet.label(
        rows.document(letter), said["label"], is_withdrawn=said["withdrawn"], stamp=letter.stamp
    )
    if row is None:
        return {"state": SAVED, "label": None, "withdrawn": True, "revision": 0}
    return {
        "state": _state(row, letter),
        "label": row.label,
        "withdrawn": row.is_withdrawn,
        "revision": row.revision,
    }


def _store_context(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    sheet.note_context(rows.word(letter), letter.stamp)
    return {"state": SAVED}


def _store_sign(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    """Store nothing: that a letter was sent at its time is the sign."""
    return {"state": SAVED}


def _store_problem(sheet: AnswerSheet, rows: _Rows, letter: _Letter) -> dict[str, Any]:
    sheet.report(letter.said["text"], position=letter.said["position"], stamp=letter.stamp)
    return {"state": SAVED}


_STORE: Mapping[str, Callable[[AnswerSheet, _Rows, _Letter], dict[str, Any]]] = {
    "verdict": _store_verdict,
    "grade": _store_grade,
    "ranking": _store_ranking,
    "suggestion": _store_suggestion,
    "label": _store_label,
    "context": _store_context,
    "sign": _store_sign,
    "problem": _store_problem,
}
