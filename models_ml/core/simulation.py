"""A simulated bilingual annotator: what one knows, and how one answers.

It stands in for people where a method is measured or the pages are tried; it is a stand-in only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import takewhile
from pathlib import Path

from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.core.embeddings import Embedding, Side
from models_ml.core.errors import InputError
from models_ml.core.lines import are_words, decode, read_lines
from models_ml.core.neighbours import Neighbour, nearest

_HEADER = ["word", "language", "class", "translations"]
_SHORTEST_STEM = 5  # letters


class Topic(StrEnum):
    """What a word points to, by the letters of the annotator's file."""

    HEALTH = "H"
    ANOTHER = "N"
    NEUTRAL = "0"
    UNKNOWN = "?"


class Verdict(StrEnum):
    """An answer about one neighbour of a keyword."""

    ACCEPT = "accept"
    REJECT = "reject"
    LEAVE = "leave"


_SWAPPED = {Verdict.ACCEPT: Verdict.REJECT, Verdict.REJECT: Verdict.ACCEPT}
_SIGNS = {Verdict.ACCEPT: ACCEPTED, Verdict.REJECT: REJECTED}


@dataclass(frozen=True)
class WordKnowledge:
    """What is known of one word: its topic and its translations into the other language."""

    topic: Topic = Topic.UNKNOWN
    translations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Knowledge:
    """What a simulated annotator knows of the words of both languages."""

    words: Mapping[tuple[Side, str], WordKnowledge]

    def of(self, word: str, side: Side) -> WordKnowledge:
        """Return what is known of a word, which may be nothing."""
        return self.words.get((side, word), WordKnowledge())


def read_annotator(path: Path) -> Knowledge:
    """Return what an annotator.tsv holds; InputError, with file, line and value, if it is bad.

    Columns: word, language (source, target), class (H, N, 0, ?), translations ('|' between).
    """
    words: dict[tuple[Side, str], WordKnowledge] = {}
    line_of: dict[tuple[Side, str], int] = {}
    for number, line in read_lines(path):
        refuse = partial(InputError, path=path, line=number)
        cells = decode(line, path, number).split("\t")
        if number == 1:
            if cells != _HEADER:
                raise refuse(f"the first line is not {' '.join(_HEADER)}", value=cells)
            continue
        side, word, knowledge = _parse_row(cells, refuse)
        if (side, word) in line_of:
            raise refuse(f"the {side} word of line {line_of[side, word]} once more", value=word)
        line_of[side, word], words[side, word] = number, knowledge
    if not words:
        raise InputError("the file holds no words", path)
    return Knowledge(words)


def _parse_row(
    cells: Sequence[str], refuse: Callable[..., InputError]
) -> tuple[Side, str, WordKnowledge]:
    if len(cells) != len(_HEADER):
        raise refuse(f"{len(cells)} cells under {len(_HEADER)} columns", value=cells)
    word, language, topic, joined = cells
    translations = tuple(joined.split("|")) if joined else ()
    if not are_words([word]):
        raise refuse("is no word", value=word)
    if language not in set(Side):
        raise refuse(f"language is none of {', '.join(Side)}", value=language)
    if topic not in set(Topic):
        raise refuse(f"class is none of {', '.join(Topic)}", value=topic)
    if not are_words(translations):
        raise refuse("a translation is no word", value=joined)
    return Side(language), word, WordKnowledge(Topic(topic), translations)


@dataclass(frozen=True)
class SimulatedAnnotator:
    """Somebody who knows `knowledge` and errs with probability `noise`.

    Each answer depends on the seed and the question alone, never on what was asked before: who
    works through pages in another order, or twice, answers the same.
    """

    knowledge: Knowledge
    noise: float
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise is a probability, not {self.noise}")

    def judge(self, keyword: str, word: str, side: Side) -> Verdict:
        """Return the verdict on a word of either language, shown beside a source keyword."""
        verdict = self._opinion(keyword, word, side)
        if self._draw("judge", keyword, side, word) < self.noise:
            return _SWAPPED.get(verdict, verdict)
        return verdict

    def added_translation(
        self,
        keyword: str,
        target_verdicts: Mapping[str, Verdict],
        in_vocabulary: Callable[[str], bool],
    ) -> str | None:
        """Return the word to add where no target word was accepted: the first translation known
        to the target vocabulary and not among the words shown, which were judged already.
        """
        if Verdict.ACCEPT in target_verdicts.values():
            return None
        translations = self.knowledge.of(keyword, Side.SOURCE).translations
        return next(
            (word for word in translations if word not in target_verdicts and in_vocabulary(word)),
            None,
        )

    def label(self, document_id: int, true_label: int, *, labels: int = 2) -> int:
        """Return the label given to a document: the true one, or by mistake any other."""
        if self._draw("err", str(document_id)) >= self.noise:
            return true_label
        shift = 1 + int(self._draw("which", str(document_id)) * (labels - 1))
        return (true_label + shift) % labels

    def _opinion(self, keyword: str, word: str, side: Side) -> Verdict:
        of_keyword = self.knowledge.of(keyword, Side.SOURCE)
        of_word = self.knowledge.of(word, side)
        if side is Side.TARGET:
            related = word in of_keyword.translations or keyword in of_word.translations
        else:
            shared = set(of_keyword.translations) & set(of_word.translations)
            related = bool(shared) or are_inflections(keyword, word)
        topics = {of_keyword.topic, of_word.topic}
        if related or topics in ({Topic.HEALTH}, {Topic.ANOTHER}):
            return Verdict.ACCEPT
        if len(topics) == 2 and Topic.UNKNOWN not in topics:
            return Verdict.REJECT
        return Verdict.LEAVE

    def _draw(self, *question: str) -> float:
        """Return a number in [0, 1), always the same for one seed and question."""
        text = "\0".join([str(self.seed), *question])
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return (int.from_bytes(digest) >> 11) / 2**53


def are_inflections(first: str, second: str) -> bool:
    """Return whether two words of a language begin alike: five letters, 70 % of the longer."""
    alike = takewhile(lambda letters: letters[0] == letters[1], zip(first, second, strict=False))
    stem = sum(1 for _ in alike)
    return stem >= _SHORTEST_STEM and 10 * stem >= 7 * max(len(first), len(second))


def feedback_for(
    keywords: Sequence[int], embedding: Embedding, *, k: int, annotator: SimulatedAnnotator
) -> list[Constraint]:
    """Return the annotator's answers to source keywords, by keyword, then by word id.

    keywords: word ids. Each is shown with its k neighbours in each language; a translation that
    the annotator adds counts as accepted.
    """
    for keyword in keywords:
        if embedding.word(keyword)[0] is not Side.SOURCE:
            raise ValueError(f"keyword {embedding.word(keyword)[1]!r} is not a source word")
    shown = {side: nearest(embedding, keywords, k=k, side=side) for side in Side}
    return [
        Constraint(keyword, word, sign)
        for place, keyword in enumerate(keywords)
        for word, sign in sorted(
            _answers(keyword, {side: shown[side][place] for side in Side}, embedding, annotator)
        )
    ]


def _answers(
    keyword_id: int,
    shown: Mapping[Side, Sequence[Neighbour]],
    embedding: Embedding,
    annotator: SimulatedAnnotator,
) -> Iterator[tuple[int, int]]:
    """Yield the id and the sign of each word that is accepted, rejected or added."""
    _, keyword = embedding.word(keyword_id)
    target_verdicts = {}
    for side, neighbours in shown.items():
        for neighbour in neighbours:
            _, word = embedding.word(neighbour.word_id)
            verdict = annotator.judge(keyword, word, side)
            if verdict in _SIGNS:
                yield neighbour.word_id, _SIGNS[verdict]
            if side is Side.TARGET:
                target_verdicts[word] = verdict
    vocabulary = embedding.target.index
    added = annotator.added_translation(keyword, target_verdicts, vocabulary.__contains__)
    if added is not None:
        yield embedding.word_id(added, Side.TARGET), ACCEPTED
