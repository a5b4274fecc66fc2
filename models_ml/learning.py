"""What workers learn from stored rows, and store again: rankings and runs.

This is where the database meets torch; the web process never imports it. Everything is found by
the hash of its inputs before it is computed, so a job that runs twice ends the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import transaction
from django.utils import timezone

from models_ml import storage
from models_ml.core.active_learning import choose, document_features
from models_ml.core.classifiers import ClassifierConfig, load_classifier, save_classifier
from models_ml.core.code_switching import code_switched
from models_ml.core.corpus import Document as CoreDocument
from models_ml.core.corpus import EncodedCorpus, encode
from models_ml.core.embeddings import Embedding as Space
from models_ml.core.embeddings import Side
from models_ml.core.evaluation import Evaluation, accuracy
from models_ml.core.neighbours import nearest
from models_ml.core.salience import rank_keywords
from models_ml.core.training import TrainingConfig, predict, train
from models_ml.models import (
    Corpus,
    Document,
    Embedding,
    Keyword,
    Neighbour,
    Ranking,
    Run,
    SeedResult,
)
from models_ml.refining import ALGORITHM, neighbour_rows, open_space, open_switches, words_of
from models_ml.services import ReportProgress, content_key, core_documents

RANKING_SEED = 0


def _encoded(corpus: Corpus, space: Space, side: Side) -> EncodedCorpus:
    return encode(core_documents(corpus), space, side)


def rank(
    embedding: Embedding,
    corpus: Corpus,
    *,
    classes: int,
    classifier: str,
    keywords: int,
    neighbours: int,
    report: ReportProgress,
) -> Ranking:
    """Return the ranking of a corpus' most salient words, each with its nearest neighbours.

    keywords, neighbours: how many words, and how many neighbours of each in either language.
    """
    config = {"classifier": classifier, "classes": classes, "seed": RANKING_SEED}
    counts = {"keywords": keywords, "neighbours": neighbours}
    key = content_key(
        version=ALGORITHM, embedding=embedding.key, corpus=corpus.sha256, **config, **counts
    )
    known = Ranking.objects.filter(key=key).first()
    if known:
        return known
    space = open_space(embedding)
    documents = _encoded(corpus, space, Side.SOURCE)
    model = train(
        documents,
        embedding=space,
        classes=classes,
        classifier=ClassifierConfig(kind=classifier),
        seed=RANKING_SEED,
        progress=lambda done, total: report("training the first classifier", done, total),
    )
    report("ranking words by salience", 0, 1)
    ranked = rank_keywords(model, documents, embedding=space)[:keywords]
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


def choose_documents(
    ranking: Ranking,
    pool: Corpus,
    *,
    count: int,
    strategy: str = "entropy",
    diverse: bool = False,
) -> list[Document]:
    """Return the pool's documents that are worth a label most, first first.

    They are chosen by what the ranking's classifier predicts of them; strategy, diverse: see
    `models_ml.core.active_learning.choose`.
    """
    if not count:
        return []
    space = open_space(ranking.embedding)
    model = load_classifier(storage.local_path(ranking.classifier))
    documents = _encoded(pool, space, Side.TARGET)
    positions = choose(
        predict(model, documents, embedding=space),
        count,
        strategy=strategy,
        features=document_features(documents, space) if diverse else None,
        diverse=diverse,
        seed=RANKING_SEED,
    )
    ids = list(pool.documents.order_by("id").values_list("pk", flat=True))
    found = Document.objects.in_bulk([ids[position] for position in positions])
    return [found[ids[position]] for position in positions]


def define_run(
    embedding: Embedding,
    *,
    train_corpus: Corpus,
    test_corpus: Corpus,
    extra_labels: Sequence[tuple[int, int]] = (),
    classifier: str,
    classes: int,
    seeds: int,
    scale_free: bool,
) -> Run:
    """Return the run of these inputs, which may be finished, under way, or yet to be done.

    extra_labels: (document, label) of target documents that are trained on as well.
    scale_free: see TrainingConfig.
    """
    config = {"classifier": classifier, "classes": classes, "scale_free": scale_free}
    labels = sorted([document, label] for document, label in extra_labels)
    key = content_key(
        version=ALGORITHM,
        embedding=embedding.key,
        train=train_corpus.sha256,
        test=test_corpus.sha256,
        extra=labels,
        seeds=seeds,
        **config,
    )
    return Run.objects.get_or_create(
        key=key,
        defaults={
            "embedding": embedding,
            "train_corpus": train_corpus,
            "test_corpus": test_corpus,
            "extra_labels": labels,
            "seeds": seeds,
            "config": config,
        },
    )[0]


def evaluate_run(run: Run, *, report: ReportProgress) -> None:
    """Train a run's classifiers, one a seed, and store each accuracy; finished seeds are kept."""
    results = dict(run.results.values_list("seed", "accuracy"))
    missing = [seed for seed in range(run.seeds) if seed not in results]
    if missing:
        evaluate = _seed_evaluator(run, report)
        for seed in missing:
            results[seed] = evaluate(seed)
            SeedResult.objects.get_or_create(
                run=run, seed=seed, defaults={"accuracy": results[seed]}
            )
    summary = Evaluation.summary([results[seed] for seed in range(run.seeds)])
    low, high = summary.interval or (None, None)
    Run.objects.filter(pk=run.pk, finished_at=None).update(
        mean=summary.mean, std=summary.std, low=low, high=high, finished_at=timezone.now()
    )


def _seed_evaluator(run: Run, report: ReportProgress) -> Callable[[int], float]:
    """Return a function from a seed to the accuracy of a classifier trained with it."""
    space = open_space(run.embedding)
    training = _encoded(run.train_corpus, space, Side.SOURCE)
    training = code_switched(training, open_switches(run.embedding), seed=RANKING_SEED)
    test = _encoded(run.test_corpus, space, Side.TARGET)
    if run.extra_labels:
        training += _labelled_documents(run, space)

    def evaluate(seed: int) -> float:
        model = train(
            training,
            embedding=space,
            classes=run.config["classes"],
            classifier=ClassifierConfig(kind=run.config["classifier"]),
            config=TrainingConfig(scale_free=run.config.get("scale_free", False)),
            seed=seed,
            progress=lambda done, total: report(
                "training classifiers", seed * total + done, run.seeds * total
            ),
        )
        return accuracy(model, test, embedding=space)

    return evaluate


def _labelled_documents(run: Run, space: Space) -> EncodedCorpus:
    """Return the target documents that people labelled, with those labels."""
    documents = Document.objects.in_bulk([pk for pk, _ in run.extra_labels])
    return encode(
        (
            CoreDocument(documents[pk].number, tuple(documents[pk].tokens), label)
            for pk, label in run.extra_labels
        ),
        space,
        Side.TARGET,
    )
