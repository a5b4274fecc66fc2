"""What task pages show, read in a number of queries that does not depend on the data's size."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from django.db.models import Case, When
from django.utils.translation import gettext
from django.utils.translation import gettext as _

from annotation.models import DocumentLabel, Judgement, Session, Suggestion, Verdict
from models_ml.core.answer_forms import GRADES, grade_of_value
from models_ml.core.concordance import window
from models_ml.models import Keyword, Occurrence, Side, Vocabulary, Word, fold
from tasks.models import (
    Category,
    HITItem,
    Project,
)

EXCERPTS = 5
MOST_EXCERPTS = 15
CONTEXT_TOKENS = 10  # on each side of the word
FOUND_WORDS = 8
# A text longer than the first number of tokens folds after the second.
LONG_TEXT, FOLDED_TEXT = 140, 100


@dataclass(frozen=True)
class Excerpt:
    """A place where a word stands in a document."""

    before: str
    word: str
    after: str


@dataclass(frozen=True)
class Concordance:
    """A word in sentences."""

    word: Word
    vocabulary: Vocabulary
    excerpts: list[Excerpt]
    has_more: bool


@dataclass(frozen=True)
class ShownWord:
    """A word beside a keyword, and what the annotator said of it."""

    word: Word
    verdict: Verdict = Verdict.LEAVE
    strength: float | None = None
    revision: int = 0
    is_added: bool = False

    @classmethod
    def answered(cls, judgement: Judgement) -> ShownWord:
        return cls(
            word=judgement.word,
            verdict=Verdict(judgement.verdict),
            strength=judgement.strength,
            revision=judgement.revision,
            is_added=judgement.is_added,
        )

    @property
    def is_left(self) -> bool:
        """True where it was left open on purpose."""
        return self.verdict == Verdict.LEAVE and self.strength is not None

    @property
    def grade(self) -> int | None:
        """The step of a graded answer."""
        if self.verdict == Verdict.LEAVE and self.strength is None:
            return None
        size = 1.0 if self.strength is None else self.strength
        return grade_of_value(-size if self.verdict == Verdict.REJECT else size)

    @property
    def place(self) -> tuple[int, float]:
        """What ranked words are sorted by: the best first, the worst last."""
        zone = {Verdict.ACCEPT: 0, Verdict.LEAVE: 1, Verdict.REJECT: 2}[self.verdict]
        size = self.strength or 0.0
        return zone, size if self.verdict == Verdict.REJECT else -size


@dataclass(frozen=True)
class Search:
    """What was looked for in a vocabulary, and the words found."""

    query: str
    words: list[Word]

    @property
    def is_known(self) -> bool:
        """True where the vocabulary has just what was typed."""
        return any(word.text == unicodedata.normalize("NFC", self.query) for word in self.words)


@dataclass(frozen=True)
class Column:
    """The words of one language beside a keyword."""

    side: Side
    vocabulary: Vocabulary
    words: list[ShownWord]
    suggestions: list[Suggestion]
    search: Search | None

    def __contains__(self, word: Word) -> bool:
        return any(one.word == word for one in self.words)

    @property
    def zones(self) -> list[tuple[Verdict, list[ShownWord]]]:
        """The words of a ranking: accepted, not placed, rejected."""
        ranked = sorted(self.words, key=lambda one: one.place)
        return [
            (verdict, [one for one in ranked if one.verdict == verdict])
            for verdict in (Verdict.ACCEPT, Verdict.LEAVE, Verdict.REJECT)
        ]


@dataclass(frozen=True)
class KeywordPage:
    keyword: Keyword
    vocabulary: Vocabulary
    columns: list[Column]
    categories: list[Category]
    concordance: Concordance | None


@dataclass(frozen=True)
class DocumentPage:
    """A text; the rest of a long one is folded."""

    opening: str
    rest: str
    document_id: int
    vocabulary: Vocabulary
    categories: list[Category]
    given: DocumentLabel | None

    @property
    def is_given(self) -> bool:
        return self.given is not None and not self.given.is_withdrawn

    @property
    def revision(self) -> int:
        return self.given.revision if self.given else 0


@dataclass(frozen=True)
class Texts:
    """What a manager wrote for the pages of a task, as it is read."""

    question: str
    instructions: str


def texts(project: Project) -> Texts:
    """Return the texts of a project as the reader of this page is to read them."""
    return Texts(as_read(project.question), as_read(project.instructions))


def as_read(text: str) -> str:
    """Return a text as it is read: ours in the reader's language, a manager's as it was written."""
    return gettext(text) if text else ""  # of an empty text, gettext would return its file's header


@dataclass(frozen=True)
class Step:
    """One of the steps of a graded answer."""

    grade: int
    label: str


def grade_steps() -> list[Step]:
    """Return the steps, the least first."""
    labels = (_("not at all"), _("rather not"), _("not sure"), _("rather yes"), _("surely"))
    return [Step(grade, label) for grade, label in zip(GRADES, labels, strict=True)]


def keyword_page(
    session: Session,
    keyword: Keyword,
    *,
    context_of: int | None = None,
    is_full: bool = False,
    search_side: str = "",
    query: str = "",
) -> KeywordPage:
    """Return what the page of a keyword shows.

    context_of: a word to show in sentences, is_full: in all that there are; search_side, query: a
    word to look for, to add it.
    """
    project = session.project
    embedding = project.embedding
    answers = session.judgements.current().filter(keyword=keyword).select_related("word")
    given = {answer.word_id: ShownWord.answered(answer) for answer in answers}
    shown = [given.get(word.pk, ShownWord(word)) for word in session.words_beside(keyword)]
    shown += [one for one in given.values() if one.is_added and one.verdict != Verdict.LEAVE]
    suggestions = list(session.suggestions.filter(keyword=keyword, is_withdrawn=False))
    columns = [
        Column(
            side=side,
            vocabulary=vocabulary,
            words=[one for one in shown if one.word.vocabulary_id == vocabulary.pk],
            suggestions=[one for one in suggestions if one.side == side],
            search=_search(vocabulary, query, keyword) if query and search_side == side else None,
        )
        for side, vocabulary in (
            (Side.SOURCE, embedding.source),
            (Side.TARGET, embedding.target),
        )
    ]
    return KeywordPage(
        keyword=keyword,
        vocabulary=embedding.source,
        columns=columns,
        categories=list(project.categories.all()),
        concordance=concordance(project, context_of, is_full=is_full)
        if context_of is not None
        else None,
    )


def _search(vocabulary: Vocabulary, query: str, keyword: Keyword) -> Search:
    found = find_words(vocabulary, query)
    return Search(query, [word for word in found if word.pk != keyword.word_id])


def find_words(vocabulary: Vocabulary, query: str) -> list[Word]:
    """Return the vocabulary's words that begin with a query: itself first, then the frequent."""
    prefix = query.strip().replace("\x00", "")  # PostgreSQL refuses the NUL character
    key = fold(prefix)
    if not key:  # nothing, or marks alone: these begin every word
        return []
    found = Word.objects.filter(vocabulary=vocabulary).starting_with(prefix)
    itself_first = Case(When(search_key=key, then=0), default=1)
    return list(found.order_by(itself_first, "row")[:FOUND_WORDS])


def concordance(project: Project, word_id: int, *, is_full: bool = False) -> Concordance | None:
    """Return a word of the project in sentences, each of another document; None for another word.

    A few sentences, or all that were kept.
    """
    embedding = project.embedding
    word = (
        Word.objects.filter(pk=word_id, vocabulary__in=[embedding.source_id, embedding.target_id])
        .select_related("vocabulary")
        .first()
    )
    if word is None:
        return None
    # A vocabulary may serve several projects, but people read the documents of their own, and
    # never those on which accuracy is measured.
    corpora = [c for c in (project.train_corpus_id, project.pool_corpus_id) if c]
    found = Occurrence.objects.filter(word=word, document__corpus__in=corpora)
    places = list(found.select_related("document").order_by("id")[:MOST_EXCERPTS])
    shown = places if is_full else places[:EXCERPTS]
    excerpts = [_excerpt(place) for place in shown]
    return Concordance(word, word.vocabulary, excerpts, has_more=len(shown) < len(places))


def _excerpt(place: Occurrence) -> Excerpt:
    tokens = place.document.tokens
    before, word, after = window(tokens, place.position, width=CONTEXT_TOKENS)
    is_cut_before = len(before) < place.position
    is_cut_after = place.position + 1 + len(after) < len(tokens)
    return Excerpt(
        before=" ".join(["…", *before] if is_cut_before else before),
        word=word,
        after=" ".join([*after, "…"] if is_cut_after else after),
    )


def document_page(session: Session, item: HITItem) -> DocumentPage:
    """Return what the page of a document shows."""
    document = item.document
    if document is None:
        raise ValueError(f"{item} is not a document")
    project, tokens = session.project, document.tokens
    fold_at = FOLDED_TEXT if len(tokens) > LONG_TEXT else len(tokens)
    return DocumentPage(
        opening=" ".join(tokens[:fold_at]),
        rest=" ".join(tokens[fold_at:]),
        document_id=document.pk,
        vocabulary=Vocabulary.objects.get(corpora=document.corpus_id),
        categories=list(project.categories.all()),
        given=session.document_labels.filter(document=document, is_current=True).first(),
    )


def standing(session: Session, item: HITItem) -> dict[str, object]:
    """Return what the answers on a page now are, as its script takes them."""
    if item.document_id is not None:
        label = session.document_labels.filter(document=item.document_id, is_current=True).first()
        return {
            "label": label.label if label else None,
            "withdrawn": label.is_withdrawn if label else True,
            "revision": label.revision if label else 0,
        }
    source = session.project.embedding.source_id
    answers = session.judgements.current().filter(keyword=item.keyword_id)
    suggestions = session.suggestions.filter(keyword=item.keyword_id)
    return {
        "words": [
            {
                "id": answer["word"],
                "text": answer["word__text"],
                "side": Side.SOURCE if answer["word__vocabulary"] == source else Side.TARGET,
                "verdict": answer["verdict"],
                "strength": answer["strength"],
                "added": answer["is_added"],
                "revision": answer["revision"],
            }
            for answer in answers.values(
                "word",
                "word__text",
                "word__vocabulary",
                "verdict",
                "strength",
                "is_added",
                "revision",
            )
        ],
        "suggestions": list(suggestions.values("side", "text", "is_withdrawn")),
    }
