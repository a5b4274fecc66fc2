"""What task pages show, read in a number of queries that does not depend on the data's size."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from django.db.models import Case, Count, Q, When
from django.utils.translation import gettext
from django.utils.translation import gettext as _

from annotation.models import DocumentLabel, Judgement, Session, Suggestion, Verdict
from models_ml.core.answer_forms import GRADES, grade_of_value
from models_ml.core.concordance import window
from models_ml.models import Keyword, Occurrence, Side, Vocabulary, Word, fold
from tasks.models import (
    HIT,
    Assignment,
    AssignmentState,
    Category,
    HITItem,
    Project,
)
from tasks.platforms import platform_of

EXCERPTS = 5
MOST_EXCERPTS = 15
CONTEXT_TOKENS = 10  # on each side of the word
FOUND_WORDS = 8
# A text longer than the first number of tokens folds after the second.
LONG_TEXT, FOLDED_TEXT = 140, 100
# With fewer answered pages a person's pace says nothing.
FEWEST_FOR_PACE = 3


@dataclass(frozen=True)
class Outline:
    """How much a task asks."""

    keywords: int
    documents: int
    part: int
    parts: int


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
class Summary:
    """What was answered of a task so far."""

    keywords: int
    keywords_answered: int
    accepted: int
    rejected: int
    added: int
    documents: int
    documents_answered: int
    left: list[HITItem]


@dataclass(frozen=True)
class Pace:
    """How a person gets on: minutes worked in the session, and to go by their own pace.

    minutes_left: None while too little is answered to tell. is_over: the time that the project
    planned for the session is used up.
    """

    minutes: int
    minutes_left: int | None
    is_over: bool


@dataclass(frozen=True)
class NextSession:
    """A person's next session: the link to it, or None while it is being prepared."""

    number: int
    count: int
    assignment: Assignment | None

    @property
    def url(self) -> str | None:
        if self.assignment is None:
            return None
        return platform_of(self.assignment.hit.platform).task_url(self.assignment)


@dataclass(frozen=True)
class Texts:
    """What a manager wrote for annotators; as long as it is ours, in the reader's language."""

    question: str
    instructions: str
    consent: str
    privacy: str


def texts(project: Project) -> Texts:
    """Return the texts of a project as the reader of this page is to read them."""
    fields = ("question", "instructions", "consent", "privacy")
    # Of an empty text, gettext would return the header of its file.
    return Texts(*(gettext(text) if (text := getattr(project, name)) else "" for name in fields))


@dataclass(frozen=True)
class Step:
    """One of the steps of a graded answer."""

    grade: int
    label: str


def grade_steps() -> list[Step]:
    """Return the steps, the least first."""
    labels = (_("not at all"), _("rather not"), _("not sure"), _("rather yes"), _("surely"))
    return [Step(grade, label) for grade, label in zip(GRADES, labels, strict=True)]


def outline(assignment: Assignment) -> Outline:
    """Return how much an assignment asks, and which part of its session it is."""
    hit, project = assignment.hit, assignment.hit.project
    kinds = hit.items.values_list("keyword_id", flat=True)
    keywords = sum(keyword is not None for keyword in kinds)
    batches = list(HIT.objects.of_session(hit).order_by("batch").values_list("pk", flat=True))
    part, parts = batches.index(hit.pk) + 1, len(batches)
    if project.is_adaptive and project.batch_size:
        part = Assignment.objects.of_session(assignment).filter(pk__lte=assignment.pk).count()
        parts = math.ceil(project.session_size / project.batch_size)
    return Outline(keywords=keywords, documents=len(kinds) - keywords, part=part, parts=parts)


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


@dataclass(frozen=True)
class Order:
    """The words of a ranking, by their ids."""

    best_first: list[int]
    worst_first: list[int]
    left: list[int]


def moved(column: Column, word: Word, *, up: bool) -> Order:
    """Return the order of a column's words after one of them moved a place up or down.

    At the end of its part, accepted, open or rejected, a word moves over the line to the next.
    """
    places = _places(column)
    here = places.index(word.pk)
    there = min(max(here + (-1 if up else 1), 0), len(places) - 1)
    places[here], places[there] = places[there], places[here]
    return _order(places, column, moved=word)


def placed(column: Column, word: Word, verdict: Verdict) -> Order:
    """Return the order of a column's words after one was accepted, rejected or taken back.

    It comes to stand where its part is nearest to the middle.
    """
    places = _places(column)
    places.remove(word.pk)
    line = places.index(_LINES[0] if verdict == Verdict.ACCEPT else _LINES[1])
    places.insert(line + (verdict == Verdict.REJECT), word.pk)
    return _order(places, column, moved=word)


def order_of(column: Column) -> Order:
    """Return the order of a column's words as it is."""
    return _order(_places(column), column)


# The lines of a ranking: above the first all is accepted, below the second rejected.
_LINES = (Verdict.ACCEPT, Verdict.REJECT)


def _places(column: Column) -> list[int | Verdict]:
    best, still_open, worst = ([one.word.pk for one in words] for _, words in column.zones)
    return [*best, _LINES[0], *still_open, _LINES[1], *worst]


def _order(places: list[int | Verdict], column: Column, *, moved: Word | None = None) -> Order:
    first, second = (places.index(line) for line in _LINES)
    return Order(
        best_first=[int(pk) for pk in places[:first]],
        worst_first=[int(pk) for pk in reversed(places[second + 1 :])],
        left=[one.word.pk for one in column.words if one.is_left and one.word != moved],
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
    answers = session.judgements.current().filter(keyword=item.keyword_id).select_related("word")
    suggestions = session.suggestions.filter(keyword=item.keyword_id)
    return {
        "words": [
            {
                "id": answer.word_id,
                "text": answer.word.text,
                "side": Side.SOURCE if answer.word.vocabulary_id == source else Side.TARGET,
                "verdict": answer.verdict,
                "strength": answer.strength,
                "added": answer.is_added,
                "revision": answer.revision,
            }
            for answer in answers
        ],
        "suggestions": list(suggestions.values("side", "text", "is_withdrawn")),
    }


def pace(session: Session, assignment: Assignment) -> Pace:
    """Return how long a person has worked, and how long the rest takes at their pace."""
    words = session.judgements.answered().values("keyword")
    texts = session.document_labels.current().values("document")
    left = assignment.hit.items.aggregate(
        keywords=Count("keyword", filter=~Q(keyword__in=words)),
        documents=Count("document", filter=~Q(document__in=texts)),
    )
    answered = {"keywords": words.distinct().count(), "documents": texts.count()}
    on_documents_s = min(session.document_seconds, session.active_seconds)
    spent_s = {
        "keywords": session.active_seconds - on_documents_s,
        "documents": on_documents_s,
    }
    seconds = sum(n * spent_s[kind] / max(1, answered[kind]) for kind, n in left.items())
    is_known = all(answered[kind] >= FEWEST_FOR_PACE for kind, n in left.items() if n)
    budget = session.project.session_minutes
    return Pace(
        minutes=round(session.active_minutes),
        minutes_left=math.ceil(seconds / 60) if is_known else None,
        is_over=budget is not None and session.active_minutes >= budget,
    )


def summary(session: Session, assignment: Assignment) -> Summary:
    """Return what was answered of a task so far."""
    items = list(assignment.hit.items.select_related("keyword__word"))
    keywords = [item.keyword_id for item in items if item.keyword_id]
    documents = [item.document_id for item in items if item.document_id]
    decided = list(session.judgements.decided().filter(keyword__in=keywords))
    answered = session.judgements.answered().filter(keyword__in=keywords)
    judged = set(answered.values_list("keyword_id", flat=True))
    labelled = set(
        session.document_labels.current()
        .filter(document__in=documents)
        .values_list("document_id", flat=True)
    )
    return Summary(
        keywords=len(keywords),
        keywords_answered=len(judged),
        accepted=sum(one.verdict == Verdict.ACCEPT for one in decided),
        rejected=sum(one.verdict == Verdict.REJECT for one in decided),
        added=sum(one.is_added for one in decided),
        documents=len(documents),
        documents_answered=len(labelled),
        left=[i for i in items if i.keyword_id not in judged and i.document_id not in labelled],
    )


def following(assignment: Assignment) -> Assignment | None:
    """Return the same person's next open assignment of the session, if they were given one."""
    theirs = Assignment.objects.of_session(assignment).filter(
        state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE]
    )
    return next((one for one in theirs.select_related("hit").order_by("id") if one.is_open), None)


def next_session(session: Session) -> NextSession | None:
    """Return what awaits a person who submitted a session; None where that was the last one."""
    if not session.has_next:
        return None
    offered = (
        Assignment.objects.filter(
            hit__project=session.project_id,
            hit__session_number=session.number + 1,
            hit__platform=session.annotator.platform,
            worker_id=session.annotator.worker_id,
        )
        .select_related("hit")
        .order_by("id")
        .first()
    )
    if offered is not None and not offered.is_held:
        return None
    return NextSession(session.number + 1, session.project.session_count, offered)
