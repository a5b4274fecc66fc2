"""What workers learn from stored rows, and store again: rankings, and documents to ask about.

This is where the database meets torch; the web process never imports it. Everything is found by
the hash of its inputs before it is computed, so a job that runs twice ends the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from django.db import transaction

from models_ml import storage
from models_ml.core.active_learning import choose, document_features
from models_ml.core.classifiers import ClassifierConfig, load_classifier, save_classifier
from models_ml.core.code_switching import code_switched
from models_ml.core.corpus import Document as CoreDocument
from models_ml.core.corpus import EncodedCorpus, encode
from models_ml.core.embeddings import Embedding as Space
from models_ml.core.embeddings import Side
from models_ml.core.neighbours import nearest, unit
from models_ml.core.salience import rank_keywords
from models_ml.core.training import predict, train
from models_ml.models import Corpus, Document, Embedding, Keyword, Neighbour, Ranking, Word
from models_ml.refining import (
    ALGORITHM,
    neighbour_rows,
    open_space,
    open_switches,
    word_id,
    words_of,
)
from models_ml.services import ReportProgress, content_key, core_documents

RANKING_SEED = 0
FREQUENT_WORDS = 2_000  # among which far words are looked for
FAR_PERCENTILE = 5  # of their cosines with the keyword; what lies below is far
FAR_WORDS = 20  # drawn of those for each keyword


def encoded(corpus: Corpus, space: Space, side: Side) -> EncodedCorpus:
    """Return a stored corpus as the numerical core takes it."""
    return encode(core_documents(corpus), space, side)


def encoded_labels(labels: Sequence[tuple[int, int]], space: Space) -> EncodedCorpus:
    """Return target documents that people labelled, (document, label), with those labels."""
    documents = Document.objects.in_bulk([pk for pk, _ in labels])
    return encode(
        (
            CoreDocument(documents[pk].number, tuple(documents[pk].tokens), label)
            for pk, label in labels
        ),
        space,
        Side.TARGET,
    )


def rank(
    embedding: Embedding,
    corpus: Corpus,
    *,
    classes: int,
    classifier: str,
    keywords: int,
    neighbours: int,
    labels: Sequence[tuple[int, int]] = (),
    skip: Collection[int] = (),
    report: ReportProgress,
) -> Ranking:
    """Return the ranking of a corpus' most salient words, each with its nearest neighbours.

    keywords, neighbours: how many words, and how many neighbours of each in either language.
    labels: (document, label) of target documents that the classifier learns from as well. skip:
    ids of words that are not to be keywords.
    """
    config = {"classifier": classifier, "classes": classes, "seed": RANKING_SEED}
    counts = {"keywords": keywords, "neighbours": neighbours}
    personal = {"labels": sorted(map(list, labels)), "skip": sorted(skip)}
    personal = {name: value for name, value in personal.items() if value}
    key = content_key(
        version=ALGORITHM,
        embedding=embedding.key,
        corpus=corpus.sha256,
        **config,
        **counts,
        **personal,
    )
    known = Ranking.objects.filter(key=key).first()
    if known:
        return known
    space = open_space(embedding)
    documents = encoded(corpus, space, Side.SOURCE)
    training = code_switched(documents, open_switches(embedding), seed=RANKING_SEED)
    model = train(
        training + encoded_labels(labels, space),
        embedding=space,
        classes=classes,
        classifier=ClassifierConfig(kind=classifier),
        seed=RANKING_SEED,
        progress=lambda done, total: report("training the first classifier", done, total),
    )
    report("ranking words by salience", 0, 1)
    skipped = {word_id(embedding, word) for word in Word.objects.filter(pk__in=skip)}
    ranked = rank_keywords(model, documents, embedding=space)
    ranked = [keyword for keyword in ranked if keyword.word_id not in skipped][:keywords]
    report("finding neighbours", 0, 1)
    ids = [keyword.word_id for keyword in ranked]
    near = [nearest(space, ids, k=neighbours, side=side) for side in Side]
    with storage.new_file(".safetensors") as path:
        save_classifier(path, model)
        stored_model = storage.put(path, suffix=".safetensors")
    with transaction.atomic():
        ranking, is_new = Ranking.objects.get_or_create(
            key=key,
            defaults={
                "embedding": embedding,
                "corpus": corpus,
                "classifier": stored_model,
                "config": config | counts,
            },
        )
        if not is_new:
            return ranking
        places = {n.word_id for lists in near for row in lists for n in row} | set(ids)
        words = words_of(embedding, space, places)
        rows = [
            Keyword(ranking=ranking, word=words[k.word_id], position=position, salience=k.salience)
            for position, k in enumerate(ranked, start=1)
        ]
        Keyword.objects.bulk_create(rows)
        Neighbour.objects.bulk_create(neighbour_rows(rows, near, words))
    return ranking


def far_words(keyword: Keyword) -> list[Word]:
    """Return frequent target words that are far from a keyword, drawn at random, FAR_WORDS at most.

    The same keyword in the same vectors gets the same words. Words without a vector are left out.
    """
    embedding = keyword.ranking.embedding
    space = open_space(embedding)
    ids = space.offset(Side.TARGET) + np.arange(min(FREQUENT_WORDS, len(space.target)))
    rows = unit(space.gather(ids))  # (words, dim)
    ids, rows = ids[rows.any(axis=1)], rows[rows.any(axis=1)]
    asked = word_id(embedding, keyword.word)
    cosines = rows @ unit(space.gather(np.array([asked])))[0]
    far = ids[cosines <= np.percentile(cosines, FAR_PERCENTILE)] if len(ids) else ids
    drawn = np.random.default_rng([RANKING_SEED, asked]).permutation(far)[:FAR_WORDS].tolist()
    words = words_of(embedding, space, set(drawn))
    return [words[place] for place in drawn]


def choose_documents(
    ranking: Ranking,
    pool: Corpus,
    *,
    count: int,
    strategy: str = "entropy",
    diverse: bool = False,
    skip: Collection[int] = (),
) -> list[Document]:
    """Return the pool's documents that are worth a label most, first first.

    They are chosen by what the ranking's classifier predicts of them; strategy, diverse: see
    `models_ml.core.active_learning.choose`. skip: documents that are not to be asked about.
    """
    if not count:
        return []
    space = open_space(ranking.embedding)
    model = load_classifier(storage.local_path(ranking.classifier))
    ids = list(pool.documents.order_by("id").values_list("pk", flat=True))
    free = [place for place, pk in enumerate(ids) if pk not in skip]
    if not free:
        return []
    documents = encoded(pool, space, Side.TARGET).select(free)
    positions = choose(
        predict(model, documents, embedding=space),
        count,
        strategy=strategy,
        features=document_features(documents, space) if diverse else None,
        diverse=diverse,
        seed=RANKING_SEED,
    )
    chosen = [ids[free[position]] for position in positions]
    found = Document.objects.in_bulk(chosen)
    return [found[pk] for pk in chosen]
