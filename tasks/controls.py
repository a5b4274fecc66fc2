"""Control words: words beside keywords whose answers are known, so that they measure care.

A person who reads what they answer accepts a keyword's own spelling and known translations, and
rejects a far word. Controls look like any other word, and never become constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from django.db import transaction
from django.db.models import Count

from models_ml.models import Embedding, Keyword, Neighbour, Word
from tasks.models import Assignment, Control, ControlKind, Project

FarWords = Callable[[Keyword], Sequence[Word]]


@dataclass(frozen=True)
class Translation:
    """A pair of words that a manager knows to mean the same, and the line where they wrote it."""

    line: int
    source: str
    target: str


def read_translations(text: str) -> list[Translation]:
    """Return the pairs of a text, one a line with a tab between; empty lines are passed over.

    Raises ValueError, which names line and value.
    """
    return [
        _translation(number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]


def _translation(number: int, line: str) -> Translation:
    words = [word.strip() for word in line.split("\t")]
    if len(words) != 2 or not all(words):
        raise ValueError(f"Line {number}: {line!r} is not two words with a tab between.")
    return Translation(number, *words)


def unknown_words(translations: Sequence[Translation], embedding: Embedding) -> list[str]:
    """Return a sentence about each word that is not in the vocabulary of its language."""
    sources = _spellings(embedding.source_id, [pair.source for pair in translations])
    targets = _spellings(embedding.target_id, [pair.target for pair in translations])
    return [
        f"Line {pair.line}: {word!r} is not among the {language} words."
        for pair in translations
        for word, known, language in (
            (pair.source, sources, embedding.source.language),
            (pair.target, targets, embedding.target.language),
        )
        if word not in known
    ]


def _spellings(vocabulary_id: int, texts: Collection[str]) -> dict[str, Word]:
    """Return the words of a vocabulary that have one of these spellings."""
    found = Word.objects.filter(vocabulary=vocabulary_id, text__in=set(texts))
    return {word.text: word for word in found}


def wanted_controls(project: Project) -> dict[ControlKind, int]:
    """Return how many control words of each kind a session is to have."""
    return {
        ControlKind.IDENTICAL: project.control_identical,
        ControlKind.TRANSLATION: project.control_translations,
        ControlKind.RANDOM: project.control_random,
    }


def placed_controls(project: Project) -> dict[ControlKind, int]:
    """Return how many of each kind stand beside the keywords of a project's first session."""
    here = project.controls.filter(keyword__ranking=project.ranking_id).order_by()
    counts = dict(here.values_list("kind").annotate(Count("pk")))
    return {kind: counts.get(kind, 0) for kind in ControlKind}


@transaction.atomic
def place_controls(
    project: Project, keywords: Sequence[Keyword], *, far_words: FarWords
) -> list[Control]:
    """Return the control words of a session, as many as its project wants and there are.

    keywords: what the session asks; each gets one control at most, which is neither the keyword
    nor one of its neighbours. far_words: frequent target words far from a keyword, in the order in
    which they are tried. The same keywords get the same controls. They are made anew as long as
    nobody was given one of the keywords; from then on they stay as they are.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    given = Assignment.objects.filter(hit__project=project)
    if given.filter(hit__items__keyword__in=keywords).exists():
        return list(project.controls.filter(keyword__in=keywords))
    stale = project.controls.all()
    (stale.filter(keyword__in=keywords) if given.exists() else stale).delete()
    return Control.objects.bulk_create(_controls(project, keywords, far_words))


def _controls(
    project: Project, keywords: Sequence[Keyword], far_words: FarWords
) -> Iterator[Control]:
    """Yield controls, not stored: the kinds of which there are few come first."""
    wanted = wanted_controls(project)
    if not any(wanted.values()):
        return
    shown = _neighbours(keywords)
    known = _known_words(project, keywords, shown)

    def word_for(kind: ControlKind, keyword: Keyword) -> Word | None:
        if kind in known:
            return known[kind].get(keyword.pk)
        fitting = {words[keyword.pk].pk for words in known.values() if keyword.pk in words}
        unfit = shown[keyword.pk] | fitting
        return next((word for word in far_words(keyword) if word.pk not in unfit), None)

    generator = np.random.default_rng(project.pk)
    shuffled = [keywords[place] for place in generator.permutation(len(keywords))]
    # Whoever can have one kind only goes first, and leaves the others to the other kind.
    free = sorted(shuffled, key=lambda k: sum(k.pk in words for words in known.values()))
    for kind, count in wanted.items():
        offers = ((keyword, word_for(kind, keyword)) for keyword in list(free))
        fitting = ((keyword, word) for keyword, word in offers if word is not None)
        for keyword, word in islice(fitting, count):
            free.remove(keyword)
            position = 1 + int(generator.integers(project.neighbour_count + 1))
            yield Control(project=project, keyword=keyword, word=word, kind=kind, position=position)


def _neighbours(keywords: Sequence[Keyword]) -> Mapping[int, set[int]]:
    """Return the words that naturally stand beside each keyword."""
    shown: dict[int, set[int]] = {keyword.pk: {keyword.word_id} for keyword in keywords}
    rows = Neighbour.objects.filter(keyword__in=keywords).values_list("keyword", "word")
    for keyword, word in rows:
        shown[keyword].add(word)
    return shown


def _known_words(
    project: Project, keywords: Sequence[Keyword], shown: Mapping[int, set[int]]
) -> dict[ControlKind, dict[int, Word]]:
    """Return of each kind that is to be accepted the word for each keyword that has one."""
    translations = {
        pair.source: pair.target for pair in reversed(read_translations(project.known_translations))
    }
    spelling = {keyword.pk: keyword.word.text for keyword in keywords}
    wanted = {*spelling.values(), *translations.values()}
    target = _spellings(project.embedding.target_id, wanted)
    texts = {
        ControlKind.IDENTICAL: spelling,
        ControlKind.TRANSLATION: {pk: translations.get(text, "") for pk, text in spelling.items()},
    }
    return {
        kind: {
            pk: target[text]
            for pk, text in of_keywords.items()
            if text in target and target[text].pk not in shown[pk]
        }
        for kind, of_keywords in texts.items()
    }
