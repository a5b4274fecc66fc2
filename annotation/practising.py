"""A keyword to practise on: its words have known answers, and each answer is told with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import get_language, get_language_bidi, gettext, pgettext
from django.utils.translation import gettext as _

from annotation import pages
from annotation.answering import NotAnswerable
from annotation.models import Verdict
from models_ml.models import Side
from tasks.models import Project
from tasks.models.projects import DEFAULT_QUESTION


@dataclass(frozen=True)
class PracticeCategory:
    name: str
    description: str


@dataclass(frozen=True)
class PracticeItem:
    """A word beside the practice keyword.

    column: the title above it, empty where there is one column alone. is_accepted: the answer that
    is told; None where any is fine.
    """

    column: str
    text: str
    tag: str
    direction: str
    is_accepted: bool | None
    reason: str


@dataclass(frozen=True)
class Practice:
    """A keyword with its words. is_general: an example of ours, not of the project's own words."""

    keyword: str
    tag: str
    direction: str
    question: str
    categories: Sequence[PracticeCategory]
    words: Sequence[PracticeItem]
    is_general: bool


class Outcome(StrEnum):
    RIGHT = "right"
    AGAIN = "again"
    OPEN = "open"


@dataclass(frozen=True)
class Attempt:
    """A word of the practice as somebody answered it; outcome: None before the first check."""

    field: str
    item: PracticeItem
    given: Verdict | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Trial:
    """One go at a practice."""

    attempts: Sequence[Attempt]
    is_checked: bool

    @property
    def right(self) -> int:
        return sum(one.outcome == Outcome.RIGHT for one in self.attempts)


def practice_of(project: Project) -> Practice:
    """Return the practice that a project's manager made, or else our general example."""
    words = list(project.practice_words.all())
    if not project.practice_keyword or not words:
        return _general_example()
    source = project.embedding.source
    vocabularies = {Side.SOURCE: source, Side.TARGET: project.embedding.target}
    return Practice(
        keyword=project.practice_keyword,
        tag=source.tag,
        direction=source.direction,
        question=pages.texts(project).question,
        categories=[
            PracticeCategory(category.name, category.description)
            for category in project.categories.all()
        ],
        words=[
            PracticeItem(
                column=vocabulary.language,
                text=word.text,
                tag=vocabulary.tag,
                direction=vocabulary.direction,
                is_accepted=word.is_accepted,
                reason=word.reason,
            )
            for side, vocabulary in vocabularies.items()
            for word in words
            if word.side == side
        ],
        is_general=False,
    )


def _general_example() -> Practice:
    """Return an example in the reader's own language; it is about sport, which everybody knows."""
    tag, direction = get_language(), "rtl" if get_language_bidi() else "ltr"
    examples = [
        (pgettext("practice", "referee"), True, _("A referee leads a game, so this is sport.")),
        (pgettext("practice", "recipe"), False, _("A recipe is about cooking, not sport.")),
        (pgettext("practice", "team"), True, _("News about sport often names a team.")),
        (pgettext("practice", "election"), False, _("An election is about politics, not sport.")),
        (
            pgettext("practice", "ticket"),
            None,
            _("There are tickets for games, and for buses too. You may leave a word like this."),
        ),
        (pgettext("practice", "match"), True, _("Goals are made in a match, so this is sport.")),
    ]
    return Practice(
        # Translators: in a game of football. Choose a word that says so.
        keyword=pgettext("practice", "goal"),
        tag=tag,
        direction=direction,
        question=gettext(DEFAULT_QUESTION),
        categories=[
            PracticeCategory(_("Sport"), _("News about games and the people who play.")),
            PracticeCategory(_("Other news"), _("Everything else.")),
        ],
        words=[
            PracticeItem("", text, tag, direction, is_accepted, reason)
            for text, is_accepted, reason in examples
        ],
        is_general=True,
    )


def try_out(practice: Practice, form: Mapping[str, str] | None = None) -> Trial:
    """Return a practice as somebody answered it in a form; form: None before they sent one.

    Raises NotAnswerable for an answer that there is not.
    """
    attempts = [Attempt(f"word-{n}", item) for n, item in enumerate(practice.words, start=1)]
    if form is not None:
        attempts = [_checked(one, form.get(one.field, "")) for one in attempts]
    return Trial(attempts, is_checked=form is not None)


def _checked(untried: Attempt, answer: str) -> Attempt:
    if answer and answer not in Verdict.values:
        raise NotAnswerable(_("Please press one of the buttons beside a word."))
    given = Verdict(answer) if answer else None
    return Attempt(untried.field, untried.item, given, _outcome(given, untried.item.is_accepted))


def _outcome(given: Verdict | None, is_accepted: bool | None) -> Outcome:
    if is_accepted is None:
        return Outcome.RIGHT
    if given is None or given == Verdict.LEAVE:
        return Outcome.OPEN
    return Outcome.RIGHT if (given == Verdict.ACCEPT) == is_accepted else Outcome.AGAIN
