import json
from dataclasses import replace

import pytest

from models_ml.core import experiment as experiment_module
from models_ml.core.active_learning import choose
from models_ml.core.classifiers import ClassifierConfig
from models_ml.core.constraints import ACCEPTED
from models_ml.core.corpus import encode
from models_ml.core.dataset import Dataset, load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.errors import InputError
from models_ml.core.evaluation import evaluate
from models_ml.core.experiment import (
    ExperimentConfig,
    report_data,
    report_page,
    run_experiment,
    write_report,
)
from models_ml.core.refinement import RefinementConfig, refine
from models_ml.core.salience import rank_keywords
from models_ml.core.simulation import SimulatedAnnotator, feedback_for, read_annotator
from models_ml.core.training import TrainingConfig, predict, train

# Four keywords over eighteen words share neighbours, and λ = 1 is then too little.
pytestmark = pytest.mark.filterwarnings("ignore:with λ = 1 these constraints")

CONFIG = ExperimentConfig(
    keywords=4,
    neighbours=2,
    documents=2,
    seeds=3,
    classifier=ClassifierConfig("logistic"),
    training=TrainingConfig(epochs=5),
    refinement=RefinementConfig("paper", iterations=20),
)


@pytest.fixture
def dataset(tiny_dataset_folder) -> Dataset:
    return load_dataset(tiny_dataset_folder)


def test_each_arm_is_given_the_work_of_one_session(dataset):
    arms = run_experiment(dataset, CONFIG).arms
    work = {name: (len(arm.keywords), arm.documents) for name, arm in arms.items()}
    assert work == {"base": (0, 0), "active": (0, 2), "clime": (4, 0), "active_clime": (2, 1)}
    assert all(len(arm.evaluation.accuracies) == 3 for arm in arms.values())
    assert arms["base"].constraints == arms["active"].constraints == 0
    assert arms["clime"].keywords[:2] == arms["active_clime"].keywords
    assert arms["clime"].constraints > arms["active_clime"].constraints > 0


def test_clime_is_ranking_asking_refining_and_retraining(dataset):
    embedding = dataset.embedding
    source = encode(dataset.train, embedding, Side.SOURCE)
    target = encode(dataset.test, embedding, Side.TARGET)
    options = {"classes": 2, "classifier": CONFIG.classifier, "config": CONFIG.training}
    first = train(source, embedding=embedding, seed=0, **options)
    keywords = [k.word_id for k in rank_keywords(first, source, embedding=embedding)[:4]]
    knowledge = read_annotator(dataset.folder / "annotator.tsv")
    annotator = SimulatedAnnotator(knowledge, noise=0.0, seed=0)
    judgements = feedback_for(keywords, embedding, k=2, annotator=annotator)
    refined = refine(embedding, judgements, config=CONFIG.refinement).embedding
    expected = evaluate(refined, source, target, seeds=range(3), **options)

    arm = run_experiment(dataset, replace(CONFIG, arms=("clime",))).arms["clime"]
    assert arm.evaluation == expected
    assert arm.accepted == sum(c.sign == ACCEPTED for c in judgements)
    assert arm.constraints == len(judgements)


def test_arms_do_not_depend_on_each_other(dataset):
    together = run_experiment(dataset, CONFIG).arms
    alone = run_experiment(dataset, replace(CONFIG, arms=("active_clime",))).arms
    assert alone == {"active_clime": together["active_clime"]}


def test_the_report_holds_fractions_counts_and_all_options(dataset, tmp_path):
    experiment = run_experiment(dataset, CONFIG)
    write_report(tmp_path / "new" / "folder", experiment)
    report = json.loads((tmp_path / "new" / "folder" / "report.json").read_text())
    assert list(report["arms"]) == ["base", "active", "clime", "active_clime"]
    for name, arm in report["arms"].items():
        evaluation = experiment.arms[name].evaluation
        assert arm["accuracies"] == list(evaluation.accuracies)
        assert arm["mean"] == evaluation.mean
        assert arm["std"] == evaluation.std
        assert arm["interval"] == list(evaluation.interval)
    assert report["constraints"] == experiment.arms["clime"].constraints
    assert report["method"] == "paper"
    assert report["seconds"] >= 0
    assert report["config"]["refinement"]["iterations"] == 20


def test_without_clime_there_are_no_constraints(dataset):
    experiment = run_experiment(dataset, replace(CONFIG, arms=("base",)))
    assert report_data(experiment)["constraints"] == 0


def test_the_page_escapes_what_it_shows_and_needs_no_other_file(dataset):
    experiment = run_experiment(dataset, replace(CONFIG, seeds=1))
    page = report_page(replace(experiment, project="<script>alert(1)</script>"))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<svg" in page
    assert "src=" not in page
    assert "href=" not in page


def test_without_test_documents_there_is_no_experiment(dataset):
    with pytest.raises(InputError, match=r"needs test\.jsonl"):
        run_experiment(replace(dataset, test=None), CONFIG)


def test_a_pool_without_labels_cannot_be_labelled_by_a_simulated_annotator(dataset):
    pool = tuple(replace(document, label=None) for document in dataset.pool)
    with pytest.raises(ValueError, match="has no label"):
        run_experiment(replace(dataset, pool=pool), CONFIG)


@pytest.mark.parametrize("arms", [(), ("base", "magic")])
def test_unknown_arms_are_refused(arms):
    with pytest.raises(ValueError, match="there are base, active, clime, active_clime"):
        ExperimentConfig(arms=arms)


def test_controls_ask_as_much_as_they_use(dataset):
    arms = run_experiment(dataset, replace(CONFIG, arms=("base", "anchors", "lengths"))).arms
    work = {name: (len(arm.keywords), arm.constraints > 0) for name, arm in arms.items()}
    assert work == {"base": (0, False), "anchors": (0, False), "lengths": (4, True)}


def test_a_report_tells_why_the_target_side_was_turned_or_not(dataset):
    realign = replace(CONFIG, refinement=RefinementConfig("realign"))
    experiment = run_experiment(dataset, realign)
    evidence = report_data(experiment)["arms"]["clime"]["evidence"]
    assert evidence["pairs"] >= evidence["keywords"] >= 2
    page = " ".join(report_page(experiment).split())
    assert f"{evidence['pairs']} accepted words of the other language" in page
    assert "realign, λ by held-out judgements" in page
    assert ("was turned" in page) == (evidence["stiffness"] is not None)


def test_documents_are_asked_of_a_classifier_that_knows_the_words(dataset, monkeypatch):
    asked = []

    def noting(classifier, corpus, *, embedding):
        asked.append(embedding)
        return predict(classifier, corpus, embedding=embedding)

    monkeypatch.setattr(experiment_module, "predict", noting)
    run_experiment(dataset, replace(CONFIG, arms=("active", "active_clime")))
    base, refined = asked
    assert base is dataset.embedding
    assert refined.moved_ids.size


def test_documents_are_chosen_as_the_options_say(dataset, monkeypatch):
    asked = []

    def noting(probabilities, count, **options):
        asked.append((options["strategy"], options["features"] is not None, options["seed"]))
        return choose(probabilities, count, **options)

    monkeypatch.setattr(experiment_module, "choose", noting)
    by_chance = replace(CONFIG, arms=("active",), strategy="random", annotator_seed=7, seeds=1)
    assert "chosen by random</dd>" in report_page(run_experiment(dataset, by_chance))
    diverse = replace(CONFIG, arms=("active",), diverse=True, seeds=1)
    experiment = run_experiment(dataset, diverse)
    page = " ".join(report_page(experiment).split())
    assert "chosen by entropy, and unlike one another</dd>" in page
    assert experiment.arms["active"].documents == 2
    assert asked == [("random", False, 7), ("entropy", True, 0)]


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="'magic'; there are entropy, margin, random"):
        ExperimentConfig(strategy="magic")


@pytest.mark.parametrize(("method", "strength"), [("paper", "1.0"), ("spectral", "0.55")])
def test_a_report_names_the_regularization_that_was_used(dataset, method, strength):
    refinement = RefinementConfig(method, iterations=20)
    experiment = run_experiment(dataset, replace(CONFIG, arms=("clime",), refinement=refinement))
    assert report_data(experiment)["config"]["refinement"]["regularization"] == float(strength)
    words = " ".join(report_page(experiment).split())
    assert f"{method}, λ {strength}" in words
    assert ("iterations" in words) == (method == "paper")
