"""Runs: classifiers trained with several seeds, each by whichever worker is free.

A run is made with a row for every seed. Each row is a job of its own, so the seeds of all people's
runs spread over all workers; whoever ends the last one sums up. What a seed comes to depends on
the run and the seed alone, so that the number of workers changes only the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray

from models_ml.core.batches import CompactCorpus, compact
from models_ml.core.classifiers import Classifier, ClassifierConfig
from models_ml.core.code_switching import Switches, code_switched
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding as Space
from models_ml.core.embeddings import Side
from models_ml.core.evaluation import Evaluation
from models_ml.core.training import TrainingConfig, checked_labels, fit, predict_compact
from models_ml.learning import RANKING_SEED, encoded, encoded_labels
from models_ml.models import Corpus, Embedding, Run, SeedResult
from models_ml.refining import ALGORITHM, open_space, open_switches
from models_ml.services import ReportProgress, content_key

Labels = Sequence[tuple[int, int]]
"""(document, label) of each document that people labelled."""

FOLDS = 5


@transaction.atomic
def define_run(
    embedding: Embedding,
    *,
    train_corpus: Corpus,
    test_corpus: Corpus | None,
    test_labels: Labels = (),
    extra_labels: Labels = (),
    classifier: str,
    classes: int,
    seeds: int,
    scale_free: bool,
) -> Run:
    """Return the run of these inputs, which may be finished, under way, or yet to be done.

    test_labels: what to measure on where there is no test corpus. extra_labels: of target documents
    that are trained on as well; those in `test_labels` are left out in turn, in FOLDS parts.
    scale_free: see TrainingConfig. Raises ValueError where there is nothing to measure on.
    """
    if test_corpus is None and not test_labels:
        raise ValueError("a run needs a test corpus or labelled documents to measure on")
    config = run_config(classifier=classifier, classes=classes, scale_free=scale_free)
    extra, measured = in_order(extra_labels), in_order(test_labels)
    tested = {"test": test_corpus.sha256} if test_corpus else {"test_labels": measured}
    key = content_key(
        version=ALGORITHM,
        embedding=embedding.key,
        train=train_corpus.sha256,
        extra=extra,
        seeds=seeds,
        **tested,
        **config,
    )
    run, is_new = Run.objects.get_or_create(
        key=key,
        defaults={
            "embedding": embedding,
            "train_corpus": train_corpus,
            "test_corpus": test_corpus,
            "test_labels": [] if test_corpus else measured,
            "extra_labels": extra,
            "seeds": seeds,
            "config": config,
        },
    )
    if is_new:
        SeedResult.objects.bulk_create(SeedResult(run=run, seed=seed) for seed in range(seeds))
    return run


def run_config(*, classifier: str, classes: int, scale_free: bool) -> dict[str, object]:
    """Return what a run keeps of how its classifiers are trained."""
    return {"classifier": classifier, "classes": classes, "scale_free": scale_free}


def in_order(labels: Labels) -> list[list[int]]:
    """Return labels as a run keeps them, in an order that does not depend on who asks."""
    return sorted([document, label] for document, label in labels)


def train_seed(result: SeedResult, *, report: ReportProgress) -> None:
    """Train the classifier of one seed and store what it predicts; a trained one stays."""
    if result.accuracy is not None:
        return
    bench = _bench(result.run.key)
    predicted = predictions(result.run, bench, seed=result.seed, report=report)
    SeedResult.objects.untrained().filter(pk=result.pk).update(
        accuracy=bench.accuracy(predicted), predictions=predicted.tolist()
    )


def predictions(run: Run, bench: Bench, *, seed: int, report: ReportProgress) -> NDArray[np.int64]:
    """Return what the classifier of one seed predicts of each document measured on, (documents,).

    run: stored or not; only its config is read.
    """
    predicted = np.empty(len(bench.truth), dtype=np.int64)
    for part in bench.parts:
        model = _trained(run, part, seed=seed, report=report)
        predicted[part.positions] = predict_compact(model, part.test).argmax(axis=1)
    return predicted


@dataclass(frozen=True, eq=False)
class TrainedSeed:
    """A classifier as one seed of a run made it, and what it was measured on."""

    model: Classifier
    space: Space
    test: EncodedCorpus


def trained_seed(run: Run, seed: int, *, report: ReportProgress) -> TrainedSeed:
    """Return the classifier of one seed, trained again: runs keep predictions, not classifiers.

    Raises ValueError for a run that is cross-validated, which has several a seed.
    """
    bench = _bench(run.key)
    if len(bench.parts) != 1:
        raise ValueError(f"{run} has {len(bench.parts)} classifiers a seed, not one")
    model = _trained(run, bench.parts[0], seed=seed, report=report)
    return TrainedSeed(model, bench.space, bench.test)


def _trained(run: Run, part: _Part, *, seed: int, report: ReportProgress) -> Classifier:
    return fit(
        part.training,
        classes=run.config["classes"],
        classifier=ClassifierConfig(kind=run.config["classifier"]),
        config=TrainingConfig(scale_free=run.config.get("scale_free", False)),
        seed=seed,
        progress=lambda done, total: report("training a classifier", done, total),
    )


@transaction.atomic
def finish_run(run_id: int) -> bool:
    """Sum up a run whose seeds have all been trained; return whether this call did it.

    The row lock makes workers that end two seeds at once look one after the other, so that the
    later one sees both.
    """
    run = Run.objects.select_for_update().get(pk=run_id)
    results = list(run.results.order_by("seed").values_list("accuracy", flat=True))
    if run.finished_at is not None or None in results:
        return False
    summary = Evaluation.summary([accuracy for accuracy in results if accuracy is not None])
    low, high = summary.interval or (None, None)
    Run.objects.filter(pk=run.pk).update(
        mean=summary.mean, std=summary.std, low=low, high=high, finished_at=timezone.now()
    )
    return True


@dataclass(frozen=True, eq=False)
class _Part:
    """Documents to train on, and others, at these positions of all, to measure on."""

    training: CompactCorpus
    test: CompactCorpus
    positions: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bench:
    """A run's documents, ready to train on: one part, or FOLDS parts to cross-validate."""

    space: Space
    test: EncodedCorpus
    parts: tuple[_Part, ...]
    truth: NDArray[np.int64]

    def accuracy(self, predicted: NDArray[np.int64]) -> float:
        """Return the share of documents, 0 to 1, whose predicted label is the true one."""
        return float(np.mean(predicted == self.truth))


@lru_cache(maxsize=2)  # the seeds of a run follow one another
def _bench(run_key: str) -> Bench:
    run = Run.objects.select_related("embedding", "train_corpus", "test_corpus").get(key=run_key)
    return bench_of(run, open_space(run.embedding), open_switches(run.embedding))


def bench_of(run: Run, space: Space, switches: Switches) -> Bench:
    """Return the documents of a run, stored or not, in vectors that need not be stored either."""
    source = encoded(run.train_corpus, space, Side.SOURCE)
    source = code_switched(source, switches, seed=RANKING_SEED)
    test = _test_documents(run, space)
    truth = checked_labels(test.labels, run.config["classes"]).numpy()
    return Bench(space, test, tuple(_parts(run, space, source, test)), truth)


def _parts(run: Run, space: Space, source: EncodedCorpus, test: EncodedCorpus) -> Iterator[_Part]:
    """Yield what to train on beside what to measure on, so that no document is in both."""
    extra = encoded_labels(run.extra_labels, space)
    place_in_test = {document: n for n, (document, _) in enumerate(run.test_labels)}
    places = [place_in_test.get(document) for document, _ in run.extra_labels]
    folds = FOLDS if any(place is not None for place in places) else 1
    for fold in range(folds):
        positions = np.arange(fold, len(test), folds)
        if not positions.size:
            continue
        kept = [n for n, place in enumerate(places) if place is None or place % folds != fold]
        training = source + extra.select(kept)
        yield _Part(
            compact(training, space), compact(test.select(positions.tolist()), space), positions
        )


def _test_documents(run: Run, space: Space) -> EncodedCorpus:
    if run.test_corpus is not None:
        return encoded(run.test_corpus, space, Side.TARGET)
    return encoded_labels(run.test_labels, space)
