"""The subcommands that train classifiers or refine vectors."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from models_ml.command_line.terminal import Progress, print_json, print_table
from models_ml.core.active_learning import choose, document_features, entropy
from models_ml.core.charts import percent
from models_ml.core.classifiers import (
    Classifier,
    ClassifierConfig,
    load_classifier,
    save_classifier,
)
from models_ml.core.constraints import read_feedback
from models_ml.core.corpus import encode
from models_ml.core.dataset import Dataset, load_dataset
from models_ml.core.embeddings import Embedding, Side
from models_ml.core.errors import InputError
from models_ml.core.evaluation import Evaluation
from models_ml.core.evaluation import evaluate as evaluate_seeds
from models_ml.core.experiment import ARMS, ExperimentConfig, run_experiment, write_report
from models_ml.core.refinement import RefinementConfig
from models_ml.core.refinement import refine as refine_embedding
from models_ml.core.salience import rank_keywords
from models_ml.core.training import predict
from models_ml.core.training import train as train_classifier
from models_ml.core.vector_files import read_vectors, write_vectors

# Sums are split among threads: with one, a seed gives the same bytes whatever the machine.
torch.set_num_threads(1)


def train(options: Namespace) -> None:
    """Save a classifier trained on the source documents."""
    config = ClassifierConfig(options.model)
    with Progress() as progress:
        dataset = load_dataset(options.folder, progress=progress)
        model = _trained(dataset, config, options.seed, progress)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_classifier(options.out, model)


def _trained(
    dataset: Dataset, config: ClassifierConfig, seed: int, progress: Progress
) -> Classifier:
    return train_classifier(
        encode(dataset.train, dataset.embedding, Side.SOURCE),
        embedding=dataset.embedding,
        classes=len(dataset.project.labels),
        classifier=config,
        seed=seed,
        progress=partial(progress, "training the classifier"),
    )


def rank(options: Namespace) -> None:
    """Print the most salient words of the source documents."""
    model = load_classifier(options.model)
    with Progress() as progress:
        dataset = load_dataset(options.folder, progress=progress)
    embedding = dataset.embedding
    corpus = encode(dataset.train, embedding, Side.SOURCE)
    ranked = [
        {"word": embedding.word(keyword.word_id)[1], "salience": keyword.salience}
        for keyword in rank_keywords(model, corpus, embedding=embedding)[: options.top]
    ]
    if options.json:
        print_json(ranked)
        return
    print_table(("word", "salience"), [(k["word"], f"{k['salience']:.4g}") for k in ranked])


def refine(options: Namespace) -> None:
    """Write all vectors, refined by a feedback file."""
    config = _refinement(options)
    with Progress() as progress:
        embedding = load_dataset(options.folder, progress=progress).embedding
        constraints = read_feedback(options.feedback, embedding)
        report = partial(progress, "refining the vectors")
        refined = refine_embedding(embedding, constraints, config=config, progress=report).embedding
    options.out.mkdir(parents=True, exist_ok=True)
    for side in Side:
        path = options.out / f"{side}.vec"
        write_vectors(path, refined.vectors(side).words, refined.matrix(side))


def _refinement(options: Namespace) -> RefinementConfig:
    return RefinementConfig(
        method=options.method,
        learning_rate=options.learning_rate,
        iterations=options.iterations,
        regularization=options.regularization,
    )


def evaluate(options: Namespace) -> None:
    """Print the test accuracy of classifiers retrained with several seeds."""
    config = ClassifierConfig(options.model)
    with Progress() as progress:
        dataset = load_dataset(options.folder, progress=progress)
        if dataset.test is None:
            raise InputError("an evaluation needs test.jsonl", options.folder)
        embedding = _raw_embedding(options.vectors) if options.vectors else dataset.embedding
        result = evaluate_seeds(
            embedding,
            encode(dataset.train, embedding, Side.SOURCE),
            encode(dataset.test, embedding, Side.TARGET),
            classes=len(dataset.project.labels),
            seeds=range(options.seeds),
            classifier=config,
            threads=options.threads,
            progress=partial(progress, "training classifiers"),
        )
    if options.json:
        print_json(asdict(result))
        return
    print_table(("seed", "accuracy"), [(i, percent(a)) for i, a in enumerate(result.accuracies)])
    print(f"mean {percent(result.mean)}, {_spread(result)}")


def _raw_embedding(folder: Path) -> Embedding:
    """Return the vectors of a folder as they are, neither centred nor brought to unit length."""
    return Embedding(read_vectors(folder / "source.vec"), read_vectors(folder / "target.vec"))


def _spread(result: Evaluation) -> str:
    if result.interval is None:
        return "a single seed, so no interval"
    low, high = result.interval
    spread = f"standard deviation {percent(result.std)}"
    return f"{spread}, 95 % interval over seeds {percent(low)} to {percent(high)}"


def active(options: Namespace) -> None:
    """Print the pool's documents that are worth a label most, and how unsure a classifier is."""
    model = load_classifier(options.model) if options.model else None
    with Progress() as progress:
        dataset = load_dataset(options.folder, progress=progress)
        if not dataset.pool:
            raise InputError("active learning needs pool.jsonl", options.folder)
        model = model or _trained(dataset, ClassifierConfig("cnn"), options.seed, progress)
    pool = encode(dataset.pool, dataset.embedding, Side.TARGET)
    probabilities = predict(model, pool, embedding=dataset.embedding)
    entropies = entropy(probabilities)
    chosen = [
        {"id": dataset.pool[position].id, "entropy": float(entropies[position])}
        for position in choose(
            probabilities,
            options.count,
            strategy=options.strategy,
            features=document_features(pool, dataset.embedding) if options.diverse else None,
            diverse=options.diverse,
            seed=options.seed,
        )
    ]
    if options.json:
        print_json(chosen)
        return
    print_table(("id", "entropy"), [(d["id"], f"{d['entropy']:.4f}") for d in chosen])


def experiment(options: Namespace) -> None:
    """Write the report of an experiment, and print its accuracies."""
    refinement = _refinement(options)
    config = ExperimentConfig(
        arms=tuple(dict.fromkeys(options.arms.split(","))),
        keywords=options.keywords,
        neighbours=options.neighbours,
        documents=options.documents,
        strategy=options.strategy,
        diverse=options.diverse,
        noise=options.noise,
        annotator_seed=options.annotator_seed,
        seeds=options.seeds,
        classifier=ClassifierConfig(options.model),
        training=refinement.training,
        refinement=refinement,
    )
    with Progress() as progress:
        dataset = load_dataset(options.folder, progress=progress)
        result = run_experiment(dataset, config, threads=options.threads, progress=progress)
    write_report(options.out, result)
    rows = [
        (ARMS[name], percent(arm.evaluation.mean), percent(arm.evaluation.std), arm.constraints)
        for name, arm in result.arms.items()
    ]
    print_table(("arm", "accuracy", "deviation", "constraints"), rows)
    print(f"{result.seconds:.0f} seconds; see {options.out / 'report.html'}")


COMMANDS = {
    "train": train,
    "rank": rank,
    "refine": refine,
    "evaluate": evaluate,
    "active": active,
    "experiment": experiment,
}
