"""Where words stand in documents: the sentences an annotator may look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest

from models_ml.core.corpus import UNLABELLED, Document


@dataclass(frozen=True)
class Occurrence:
    """One token of a corpus: the document's place in it and the token's in the document."""

    document_index: int
    position: int


def occurrences(documents: Iterable[Document], *, per_word: int = 5) -> dict[str, list[Occurrence]]:
    """Return up to `per_word` places of every word, each in another document.

    The labels take turns, in their order, each with its earliest documents, so that a word of
    several categories is seen in all of them. Documents may be a stream: of each word and label
    no more than `per_word` places are kept.
    """
    by_label: dict[str, dict[int, list[Occurrence]]] = {}
    for index, document in enumerate(documents):
        label = UNLABELLED if document.label is None else document.label
        for token in dict.fromkeys(document.tokens):
            places = by_label.setdefault(token, {}).setdefault(label, [])
            if len(places) < per_word:
                places.append(Occurrence(index, document.tokens.index(token)))
    return {word: list(islice(_in_turns(places), per_word)) for word, places in by_label.items()}


def _in_turns(by_label: dict[int, list[Occurrence]]) -> Iterator[Occurrence]:
    rounds = zip_longest(*(by_label[label] for label in sorted(by_label)))
    return (place for place in chain.from_iterable(rounds) if place is not None)


def window(
    tokens: Sequence[str], position: int, *, width: int = 10
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Return up to `width` tokens before a position, the token there, and up to `width` after."""
    if not 0 <= position < len(tokens):
        raise ValueError(f"position {position} is outside the {len(tokens)} tokens")
    left = tokens[max(0, position - width) : position]
    right = tokens[position + 1 : position + 1 + width]
    return tuple(left), tokens[position], tuple(right)
