"""Changes to stored vectors, documents and concordances. Nothing here needs torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
from django.db import transaction

from models_ml import storage
from models_ml.core.concordance import occurrences
from models_ml.core.corpus import Document as CoreDocument
from models_ml.core.dataset import Language
from models_ml.core.embeddings import Vectors
from models_ml.models import (
    Artefact,
    Corpus,
    Document,
    Embedding,
    Occurrence,
    Vocabulary,
    Word,
    fold,
)

ReportProgress = Callable[[str, int, int], object]
ROWS_AT_ONCE = 1_000
PLACES_A_WORD = 15  # kept of each word for people to read it in
T = TypeVar("T")


def content_key(**inputs: object) -> str:
    """Return a hash of inputs and settings: the same ones give the same key."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _store_matrix(matrix: np.ndarray) -> Artefact:
    with storage.new_file(".npy") as path:
        np.save(path, np.ascontiguousarray(matrix, dtype=np.float32), allow_pickle=False)
        return storage.put(path, suffix=".npy")


def _store_words(words: Sequence[str]) -> Artefact:
    with storage.new_file(".txt") as path:
        path.write_text("\n".join(words) + "\n", encoding="utf-8")
        return storage.put(path, suffix=".txt")


@transaction.atomic
def store_vocabulary(language: Language, vectors: Vectors, *, report: ReportProgress) -> Vocabulary:
    """Return the vocabulary of these vectors (centred, unit length), stored now if it is new."""
    words, matrix = _store_words(vectors.words), _store_matrix(vectors.matrix)
    key = content_key(
        language=[language.name, language.tag, language.direction],
        words=words.sha256,
        matrix=matrix.sha256,
    )
    known = Vocabulary.objects.filter(key=key).first()
    if known:
        return known
    vocabulary = Vocabulary.objects.create(
        language=language.name,
        tag=language.tag,
        direction=language.direction,
        words_file=words,
        matrix_file=matrix,
        word_count=len(vectors),
        dim=vectors.dim,
        key=key,
    )
    rows = (
        Word(vocabulary=vocabulary, row=row, text=word, search_key=fold(word)[:255])
        for row, word in enumerate(vectors.words)
    )
    done = 0
    for chunk in _batches(rows):
        Word.objects.bulk_create(chunk)
        done += len(chunk)
        report(f"storing {language.name} words", done, len(vectors))
    return vocabulary


@transaction.atomic
def store_embedding(source: Vocabulary, target: Vocabulary) -> Embedding:
    """Return the base embedding of two vocabularies, stored now if it is new."""
    key = content_key(source=source.key, target=target.key)
    return Embedding.objects.get_or_create(key=key, defaults={"source": source, "target": target})[
        0
    ]


@transaction.atomic
def store_corpus(
    name: str, vocabulary: Vocabulary, documents: Sequence[CoreDocument], *, report: ReportProgress
) -> Corpus:
    """Return the corpus of these documents, stored now if it is new."""
    digest = hashlib.sha256()
    for document in documents:
        line = [document.id, document.tokens, document.label]
        digest.update(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    corpus, is_new = Corpus.objects.get_or_create(
        vocabulary=vocabulary,
        sha256=digest.hexdigest(),
        defaults={"name": name, "document_count": len(documents)},
    )
    if is_new:
        rows = (
            Document(
                corpus=corpus,
                number=document.id,
                text=" ".join(document.tokens),
                label=document.label,
            )
            for document in documents
        )
        done = 0
        for chunk in _batches(rows):
            Document.objects.bulk_create(chunk)
            done += len(chunk)
            report(f"storing {name}", done, len(documents))
    return corpus


def core_documents(corpus: Corpus) -> Iterator[CoreDocument]:
    """Return a corpus' documents, in the order of import, as the numerical core takes them."""
    rows = corpus.documents.order_by("id").values_list("number", "text", "label")
    for number, text, label in rows.iterator(chunk_size=ROWS_AT_ONCE):
        yield CoreDocument(id=number, tokens=tuple(text.split(" ")), label=label)


@transaction.atomic
def store_concordance(corpus: Corpus) -> int:
    """Note where each word stands in a corpus, in a few documents a word; return how many places.

    Done once for a corpus: a second call finds it and changes nothing.
    """
    vocabulary = corpus.vocabulary
    if Occurrence.objects.filter(document__corpus=corpus).exists():
        return 0
    document_ids = list(corpus.documents.order_by("id").values_list("pk", flat=True))
    places = occurrences(core_documents(corpus), per_word=PLACES_A_WORD)
    count = 0
    for words in _batches(sorted(places)):
        known = dict(vocabulary.words.filter(text__in=words).values_list("text", "pk"))
        rows = [
            Occurrence(
                word_id=known[word],
                document_id=document_ids[place.document_index],
                position=place.position,
            )
            for word in words
            if word in known
            for place in places[word]
        ]
        Occurrence.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
        count += len(rows)
    return count


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Give items in lists of a size that a database takes well."""
    iterator = iter(items)
    while chunk := list(islice(iterator, ROWS_AT_ONCE)):
        yield chunk
