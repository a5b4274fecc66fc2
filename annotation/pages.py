"""What task pages show, read in a number of queries that does not depend on the data's size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Case, When

from annotation.models import DocumentLabel, Judgement, Session, Verdict
from models_ml.core.concordance import window
from models_ml.models import Keyword, Occurrence, Side, Vocabulary, Word, fold
from tasks.models import HIT, Assignment, AssignmentState, Category, HITItem, Project
from tasks.platforms import platform_of

EXCERPTS = 5
CONTEXT_TOKENS = 10  # on each side of the word
FOUND_WORDS = 8


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


@dataclass(frozen=True)
class ShownWord:
    """A word beside a keyword, and what the annotator said of it."""

    word: Word
    verdict: Verdict
    is_added: bool


@dataclass(frozen=True)
class Search:
    """What was looked for in a vocabulary, and the words found."""

    query: str
    words: list[Word]


@dataclass(frozen=True)
class Column:
    """The words of one language beside a keyword."""

    side: Side
    vocabulary: Vocabulary
    words: list[ShownWord]
    search: Search | None


@dataclass(frozen=True)
class KeywordPage:
    keyword: Keyword
    vocabulary: Vocabulary
    columns: list[Column]
    categories: list[Category]
    concordance: Concordance | None


@dataclass(frozen=True)
class DocumentPage:
    text: str
    document_id: int
    vocabulary: Vocabulary
    categories: list[Category]
    given: DocumentLabel | None


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
    search_side: str = "",
    query: str = "",
) -> KeywordPage:
    """Return what the page of a keyword shows.

    context_of: a word to show in sentences; search_side, query: a word to look for, to add it.
    """
    project = session.project
    embedding = project.embedding
    answers = list(session.judgements.current().filter(keyword=keyword).select_related("word"))
    verdicts = {answer.word_id: Verdict(answer.verdict) for answer in answers}
    shown = [
        ShownWord(word, verdicts.get(word.pk, Verdict.LEAVE), is_added=False)
        for word in session.words_beside(keyword)
    ]
    shown += [ShownWord(a.word, Verdict(a.verdict), is_added=True) for a in _added(answers)]
    columns = [
        Column(
            side=side,
            vocabulary=vocabulary,
            words=[one for one in shown if one.word.vocabulary_id == vocabulary.pk],
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
        concordance=concordance(project, context_of) if context_of is not None else None,
    )


def _added(answers: Iterable[Judgement]) -> list[Judgement]:
    """Return the annotator's own words; one that was removed again is not shown."""
    return [a for a in answers if a.is_added and a.verdict != Verdict.LEAVE]


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


def concordance(project: Project, word_id: int) -> Concordance | None:
    """Return a word of the project in sentences of its documents; None for any other word."""
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
    places = (
        Occurrence.objects.filter(word=word, document__corpus__in=corpora)
        .select_related("document")
        .order_by("id")[:EXCERPTS]
    )
    return Concordance(word, word.vocabulary, [_excerpt(place) for place in places])


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
    project = session.project
    return DocumentPage(
        text=document.text,
        document_id=document.pk,
        vocabulary=Vocabulary.objects.get(corpora=document.corpus_id),
        categories=list(project.categories.all()),
        given=session.document_labels.current().filter(document=document).first(),
    )


def summary(session: Session, assignment: Assignment) -> Summary:
    """Return what was answered of a task so far."""
    items = list(assignment.hit.items.select_related("keyword__word"))
    keywords = [item.keyword_id for item in items if item.keyword_id]
    documents = [item.document_id for item in items if item.document_id]
    decided = list(session.judgements.decided().filter(keyword__in=keywords))
    judged = {judgement.keyword_id for judgement in decided}
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
