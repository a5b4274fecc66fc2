"""Words that annotators would add and the vocabulary does not have."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from annotation.models import Suggestion
from tasks.models import Project


@dataclass(frozen=True)
class SuggestedWord:
    """A word that people suggested, how many of them, and beside which keywords."""

    word: str
    side: str
    language: str
    tag: str
    people: int
    beside: tuple[str, ...]


def suggested_words(project: Project) -> tuple[SuggestedWord, ...]:
    """Return the words that people suggested in a project, what most of them did first; one query.

    Whoever suggests a word beside several keywords, or in several sessions, is one person.
    """
    rows = (
        Suggestion.objects.filter(session__project=project, is_withdrawn=False)
        .order_by("id")
        .values_list("side", "text", "session__annotator", "keyword__word__text")
    )
    people: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    beside: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for side, text, person, keyword in rows:
        people[side, text].add(person)
        beside[side, text][keyword] = None
    words = (
        _word(project, side, text, people=len(of_word), beside=tuple(beside[side, text]))
        for (side, text), of_word in people.items()
    )
    return tuple(sorted(words, key=lambda one: (-one.people, one.side, one.word)))


def _word(
    project: Project, side: str, text: str, *, people: int, beside: tuple[str, ...]
) -> SuggestedWord:
    vocabulary = project.embedding.vocabulary(side)
    return SuggestedWord(text, side, vocabulary.language, vocabulary.tag, people, beside)
