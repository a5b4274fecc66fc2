"""The paper's main experiment with a simulated annotator: what an hour of judgements buys.

Source: Yuan et al. 2020, Figure 3.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from models_ml.core.active_learning import STRATEGIES, choose, document_features
from models_ml.core.charts import ChartRow, interval_chart, percent
from models_ml.core.classifiers import Classifier, ClassifierConfig
from models_ml.core.code_switching import code_switched
from models_ml.core.constraints import ACCEPTED, Constraint
from models_ml.core.corpus import Document, EncodedCorpus, encode
from models_ml.core.dataset import Dataset, ReportProgress
from models_ml.core.embeddings import Embedding, Side
from models_ml.core.errors import InputError
from models_ml.core.evaluation import Evaluation, evaluate
from models_ml.core.realignment import Evidence, turned_by_anchors
from models_ml.core.refinement import Refinement, RefinementConfig, refine
from models_ml.core.salience import rank_keywords
from models_ml.core.simulation import SimulatedAnnotator, feedback_for, read_annotator
from models_ml.core.training import TrainingConfig, predict, train

ARMS = {
    "base": "Base",
    "active": "Active",
    "clime": "CLIME",
    "active_clime": "Active + CLIME",
    "anchors": "Control: turned by anchors alone",
    "lengths": "Control: annotated words five times as long",
}
PAPER_ARMS = ("base", "active", "clime", "active_clime")
CONTROL_LENGTH = 5
FIRST_SEED = 0  # of the classifier that ranks words and documents


@dataclass(frozen=True)
class ExperimentConfig:
    """Which arms to compare and how much work the annotator does.

    keywords, documents: of a whole session; `active_clime` does half of both.
    strategy, diverse: how the documents are chosen (`models_ml.core.active_learning.choose`).
    neighbours: shown in each language beside a keyword; noise: probability of a wrong answer.
    The controls tell what a gain owes to nobody's answers: `anchors` turns the target side by words
    that find one another, `lengths` only lengthens the words in constraints.
    """

    arms: tuple[str, ...] = PAPER_ARMS
    keywords: int = 50
    neighbours: int = 5
    documents: int = 50
    strategy: str = "entropy"
    diverse: bool = False
    noise: float = 0.0
    annotator_seed: int = 0
    seeds: int = 10
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    refinement: RefinementConfig = field(default_factory=RefinementConfig)

    def __post_init__(self) -> None:
        unknown = [arm for arm in self.arms if arm not in ARMS]
        if unknown or not self.arms:
            raise ValueError(f"arms {', '.join(unknown) or 'none'}; there are {', '.join(ARMS)}")
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}")

    def work(self, arm: str) -> tuple[int, int]:
        """Return the numbers of keywords and of documents that an arm's annotator sees."""
        return {
            "base": (0, 0),
            "active": (0, self.documents),
            "clime": (self.keywords, 0),
            "active_clime": (self.keywords // 2, self.documents // 2),
            "anchors": (0, 0),
            "lengths": (self.keywords, 0),
        }[arm]


@dataclass(frozen=True)
class ArmResult:
    """An arm's accuracies, what the annotator was shown, and what came of it."""

    evaluation: Evaluation
    keywords: tuple[str, ...] = ()
    documents: int = 0
    accepted: int = 0
    rejected: int = 0
    evidence: Evidence | None = None

    @property
    def constraints(self) -> int:
        return self.accepted + self.rejected


@dataclass(frozen=True)
class Experiment:
    """What was measured, on what and how; seconds: how long it took."""

    project: str
    test_documents: int
    config: ExperimentConfig
    arms: dict[str, ArmResult]
    seconds: float


def run_experiment(
    dataset: Dataset,
    config: ExperimentConfig,
    *,
    threads: int = 1,
    progress: ReportProgress | None = None,
) -> Experiment:
    """Return the test accuracies of all arms; the threads change only the time it takes.

    Raises InputError for a dataset without test documents, or without what the simulated
    annotator needs: its knowledge, and the pool's true labels.
    """
    started = time.monotonic()
    bench = _Bench(dataset, config, threads, progress or _tell_nobody)
    arms = {arm: bench.run(arm) for arm in config.arms}
    seconds = time.monotonic() - started
    return Experiment(dataset.project.name, len(bench.test), config, arms, seconds)


def _tell_nobody(what: str, done: int, total: int) -> None:
    pass


class _Bench:
    """The documents, the annotator and the first classifier that all arms share."""

    def __init__(
        self, dataset: Dataset, config: ExperimentConfig, threads: int, progress: ReportProgress
    ) -> None:
        if dataset.test is None:
            raise InputError("an experiment needs test.jsonl", dataset.folder)
        self.config = config
        self.threads = threads
        self.progress = progress
        self.classes = len(dataset.project.labels)
        self.embedding = dataset.embedding
        self.train = encode(dataset.train, self.embedding, Side.SOURCE)
        self.test = encode(dataset.test, self.embedding, Side.TARGET)
        self.pool = dataset.pool
        self.encoded_pool = encode(self.pool, self.embedding, Side.TARGET)
        if set(config.arms) != {"base"}:
            knowledge = read_annotator(dataset.folder / "annotator.tsv")
            self.annotator = SimulatedAnnotator(knowledge, config.noise, config.annotator_seed)
            self.first = self._first_classifier(Refinement(self.embedding))

    def _first_classifier(self, refinement: Refinement) -> Classifier:
        return train(
            self._training(refinement),
            embedding=refinement.embedding,
            classes=self.classes,
            classifier=self.config.classifier,
            config=self.config.training,
            seed=FIRST_SEED,
            progress=partial(self.progress, "training a first classifier"),
        )

    def run(self, arm: str) -> ArmResult:
        """Return an arm's result: ask, refine, label, retrain with every seed."""
        keyword_count, document_count = self.config.work(arm)
        keywords = self._keywords(keyword_count)
        constraints = self._judgements(keywords)
        refinement = self._refined(arm, constraints)
        labelled = self._labelled(document_count, refinement)
        evaluation = evaluate(
            refinement.embedding,
            self._training(refinement) + labelled,
            self.test,
            classes=self.classes,
            seeds=range(self.config.seeds),
            classifier=self.config.classifier,
            config=self.config.training,
            threads=self.threads,
            progress=partial(self.progress, f"{arm}: training classifiers"),
        )
        accepted = sum(c.sign == ACCEPTED for c in constraints)
        return ArmResult(
            evaluation,
            keywords=tuple(self.embedding.word(word_id)[1] for word_id in keywords),
            documents=len(labelled),
            accepted=accepted,
            rejected=len(constraints) - accepted,
            evidence=refinement.evidence,
        )

    def _training(self, refinement: Refinement) -> EncodedCorpus:
        return code_switched(self.train, refinement.switches, seed=FIRST_SEED)

    def _keywords(self, count: int) -> list[int]:
        """Return the ids of the `count` most salient words."""
        if not count:
            return []
        ranked = rank_keywords(self.first, self.train, embedding=self.embedding)
        return [keyword.word_id for keyword in ranked[:count]]

    def _judgements(self, keywords: Sequence[int]) -> list[Constraint]:
        if not keywords:
            return []
        return feedback_for(
            keywords, self.embedding, k=self.config.neighbours, annotator=self.annotator
        )

    def _refined(self, arm: str, constraints: Sequence[Constraint]) -> Refinement:
        if arm == "anchors":
            return Refinement(turned_by_anchors(self.embedding))
        if arm == "lengths":
            ids = np.unique([(c.keyword, c.neighbour) for c in constraints])
            longer = CONTROL_LENGTH * self.embedding.gather(ids)
            return Refinement(self.embedding.moved(ids, longer))
        report = partial(self.progress, f"{arm}: refining the vectors")
        return refine(self.embedding, constraints, config=self.config.refinement, progress=report)

    def _labelled(self, count: int, refinement: Refinement) -> EncodedCorpus:
        """Return the pool's `count` documents that are worth most, labelled by the annotator.

        What words have taught already, documents need not tell: a refined space gets a classifier
        of its own to ask.
        """
        if not count or not self.pool:
            return self.encoded_pool.select([])
        is_base = refinement.embedding is self.embedding and not len(refinement.switches)
        asking = self.first if is_base else self._first_classifier(refinement)
        chosen = self._chosen(count, asking, refinement.embedding)
        labels = [self._label(self.pool[position]) for position in chosen]
        return self.encoded_pool.select(chosen).labelled(labels)

    def _chosen(self, count: int, asking: Classifier, embedding: Embedding) -> list[int]:
        config = self.config
        return choose(
            predict(asking, self.encoded_pool, embedding=embedding),
            count,
            strategy=config.strategy,
            features=document_features(self.encoded_pool, embedding) if config.diverse else None,
            diverse=config.diverse,
            seed=config.annotator_seed,
        )

    def _label(self, document: Document) -> int:
        if document.label is None:
            raise ValueError(f"pool document {document.id} has no label for a simulated annotator")
        return self.annotator.label(document.id, document.label, labels=self.classes)


def report_data(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment as JSON data; accuracies are fractions."""
    clime = experiment.arms.get("clime")
    arms = {
        name: asdict(arm.evaluation)
        | {
            "keywords": list(arm.keywords),
            "documents": arm.documents,
            "accepted": arm.accepted,
            "rejected": arm.rejected,
            "evidence": asdict(arm.evidence) if arm.evidence else None,
        }
        for name, arm in experiment.arms.items()
    }
    return {
        "project": experiment.project,
        "arms": arms,
        "constraints": clime.constraints if clime else 0,
        "method": experiment.config.refinement.method,
        "seconds": round(experiment.seconds, 1),
        "config": asdict(experiment.config) | {"refinement": experiment.config.refinement.settings},
    }


def report_page(experiment: Experiment) -> str:
    """Return an experiment as a page of HTML that needs no other file."""
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    return page.render(
        experiment=experiment,
        titles=ARMS,
        chart=interval_chart(_chart_rows(experiment), "Accuracy on the test documents"),
        changes={name: _change(experiment, arm) for name, arm in experiment.arms.items()},
        percent=percent,
        sampling_points=sampling_points(experiment),
    )


def _change(experiment: Experiment, arm: ArmResult) -> str:
    """Return the percentage points between Base and an arm, signed; a dash where there is none."""
    base = experiment.arms.get("base", arm)
    if base is arm:
        return "–"
    return f"{100 * (arm.evaluation.mean - base.evaluation.mean):+.1f}".replace("-", "−")


def sampling_points(experiment: Experiment) -> float:
    """Return the half width of a 95 % interval that the choice of test documents adds, in points.

    The normal approximation for the arm whose accuracy is nearest to one half.
    """
    variance = max(a.evaluation.mean * (1 - a.evaluation.mean) for a in experiment.arms.values())
    return 196 * math.sqrt(variance / experiment.test_documents)


def _chart_rows(experiment: Experiment) -> list[ChartRow]:
    rows = []
    for name, arm in experiment.arms.items():
        low, high = arm.evaluation.interval or (None, None)
        rows.append(ChartRow(ARMS[name], arm.evaluation.mean, low, high, _work_in_words(arm)))
    return rows


def _work_in_words(arm: ArmResult) -> str:
    parts = []
    if arm.keywords:
        parts.append(f"{arm.constraints} judgements of {len(arm.keywords)} keywords")
    if arm.documents:
        parts.append(f"{arm.documents} labelled documents")
    return " and ".join(parts) or "no annotation"


def write_report(folder: Path, experiment: Experiment) -> None:
    """Write report.json and report.html into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(report_data(experiment), indent=2, ensure_ascii=False)
    (folder / "report.json").write_text(data + "\n", encoding="utf-8")
    (folder / "report.html").write_text(report_page(experiment), encoding="utf-8")
