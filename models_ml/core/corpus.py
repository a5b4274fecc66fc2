"""Documents: reading and checking JSON lines, and their words as word ids."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, Side, WordIds
from models_ml.core.errors import InputError
from models_ml.core.lines import Progress, are_words, decode, read_lines

UNLABELLED = -1
_LARGEST_ID = 2**63 - 1

Refuse = Callable[..., InputError]


@dataclass(frozen=True)
class Document:
    """One tokenised text of a corpus; label is None where nobody labelled it."""

    id: int
    tokens: tuple[str, ...]
    label: int | None = None


@dataclass(frozen=True, eq=False)
class EncodedCorpus:
    """Documents as word ids, ready for a classifier.

    ids: for each document its tokens' word ids, OUT_OF_VOCABULARY for unknown tokens.
    labels: (documents,), UNLABELLED where there is none.
    """

    ids: tuple[WordIds, ...]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def __add__(self, other: EncodedCorpus) -> EncodedCorpus:
        return EncodedCorpus(self.ids + other.ids, np.concatenate([self.labels, other.labels]))

    def select(self, positions: Sequence[int]) -> EncodedCorpus:
        """Return the documents at these positions, in that order."""
        return EncodedCorpus(
            tuple(self.ids[i] for i in positions), self.labels[np.asarray(positions, dtype=int)]
        )

    def labelled(self, labels: Sequence[int]) -> EncodedCorpus:
        """Return the same documents with other labels."""
        return EncodedCorpus(self.ids, np.asarray(labels, dtype=np.int64))


def encode(documents: Iterable[Document], embedding: Embedding, side: Side) -> EncodedCorpus:
    """Return the documents with each token as the id of that language's word."""
    index, offset = embedding.vectors(side).index, embedding.offset(side)
    ids, labels = [], []
    for document in documents:
        rows = (index.get(token) for token in document.tokens)
        ids.append(
            np.array([OUT_OF_VOCABULARY if r is None else offset + r for r in rows], dtype=np.int64)
        )
        labels.append(UNLABELLED if document.label is None else document.label)
    return EncodedCorpus(tuple(ids), np.array(labels, dtype=np.int64))


def read_documents(
    path: Path, *, labels: int | None, require_labels: bool, progress: Progress | None = None
) -> Iterator[Document]:
    """Yield the documents of a file with one JSON object a line: id, text (tokens) and label.

    labels: how many labels there are, which are numbered from 0; None for any number.
    Tokens come in Unicode's normal form C; other keys are ignored. Raises InputError, with file,
    line and value, at the first line that is not so.
    """
    line_of: dict[int, int] = {}
    for number, line in read_lines(path, progress=progress):
        refuse = partial(InputError, path=path, line=number)
        record = _parse_object(decode(line, path, number), refuse)
        document = Document(
            id=_whole_number(record, "id", -_LARGEST_ID - 1, _LARGEST_ID, refuse),
            tokens=_tokens(record, refuse),
            label=_whole_number(record, "label", 0, (labels or _LARGEST_ID) - 1, refuse)
            if require_labels or "label" in record
            else None,
        )
        if document.id in line_of:
            raise refuse(f"the id of line {line_of[document.id]} once more", value=document.id)
        line_of[document.id] = number
        yield document
    if not line_of:
        raise InputError("the file is empty", path)


def _parse_object(text: str, refuse: Refuse) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refuse(f"not JSON ({error})", value=text) from error
    if not isinstance(record, dict):
        raise refuse("not a JSON object", value=text)
    return record


def _whole_number(
    record: dict[str, Any], key: str, lowest: int, highest: int, refuse: Refuse
) -> int:
    """Return an integer of a record; true and 1.0 are none."""
    value = _required(record, key, refuse)
    if type(value) is not int:
        raise refuse(f"{key} is not a whole number", value=value)
    if not lowest <= value <= highest:
        raise refuse(f"{key} is not from {lowest} to {highest}", value=value)
    return value


def _tokens(record: dict[str, Any], refuse: Refuse) -> tuple[str, ...]:
    texts = _required(record, "text", refuse)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise refuse("text is not a list of tokens", value=texts)
    if not texts:
        raise refuse("the document is empty", value=texts)
    tokens = tuple(unicodedata.normalize("NFC", text) for text in texts)
    if not are_words(tokens):
        bad = next(token for token in tokens if not are_words([token]))
        raise refuse("a token is empty or holds more than a word may", value=bad)
    return tokens


def _required(record: dict[str, Any], key: str, refuse: Refuse) -> Any:
    if record.get(key) is None:
        raise refuse(f"no {key}", value=record)
    return record[key]
