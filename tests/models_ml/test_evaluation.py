import pytest
import torch

from models_ml.core.classifiers import ClassifierConfig, new_classifier
from models_ml.core.corpus import Document, EncodedCorpus, encode
from models_ml.core.embeddings import Embedding, Side
from models_ml.core.evaluation import Evaluation, accuracy, evaluate
from models_ml.core.training import TrainingConfig, train

LOGISTIC = ClassifierConfig("logistic")
SHORT = TrainingConfig(epochs=2)


def corpus_of(embedding: Embedding, side: Side, *texts: tuple[str, int]) -> EncodedCorpus:
    documents = [Document(i, tuple(text.split()), label) for i, (text, label) in enumerate(texts)]
    return encode(documents, embedding, side)


@pytest.fixture
def source(tiny_embedding: Embedding) -> EncodedCorpus:
    texts = (("the doctor", 1), ("fever medicine", 1), ("rain", 0), ("the goal", 0))
    return corpus_of(tiny_embedding, Side.SOURCE, *texts)


@pytest.fixture
def target(tiny_embedding: Embedding) -> EncodedCorpus:
    return corpus_of(tiny_embedding, Side.TARGET, ("homa ya daktari", 1), ("soko", 0), ("mvua", 0))


def test_summary_by_hand():
    summary = Evaluation.summary([0.7, 0.8, 0.9])
    assert summary.accuracies == (0.7, 0.8, 0.9)
    assert summary.mean == pytest.approx(0.8)
    assert summary.std == pytest.approx(0.1)  # √((.01 + 0 + .01) / 2)
    # Student's t at .975 with two degrees of freedom is 4.302653; 4.302653 · .1 / √3 = .248414.
    assert summary.interval == pytest.approx((0.551586, 1.048414), abs=1e-6)


def test_a_single_seed_has_no_spread_and_no_interval():
    assert Evaluation.summary([0.75]) == Evaluation((0.75,), 0.75, 0.0, None)


def test_no_seed_is_refused():
    with pytest.raises(ValueError, match="no accuracy"):
        Evaluation.summary([])


def test_accuracy_is_the_share_of_likeliest_classes_that_are_labels(tiny_embedding, target):
    model = new_classifier(LOGISTIC, dim=4, classes=2, generator=torch.Generator())
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([1.0, 0.0]))
    assert accuracy(model, target, embedding=tiny_embedding) == pytest.approx(2 / 3)


def test_each_seed_is_a_classifier_of_its_own(tiny_embedding, source, target):
    told = []
    result = evaluate(
        tiny_embedding,
        source,
        target,
        classes=2,
        seeds=[3, 4, 3],
        classifier=LOGISTIC,
        config=SHORT,
        progress=lambda done, total: told.append((done, total)),
    )
    expected = [
        accuracy(
            train(
                source,
                embedding=tiny_embedding,
                classes=2,
                classifier=LOGISTIC,
                config=SHORT,
                seed=seed,
            ),
            target,
            embedding=tiny_embedding,
        )
        for seed in (3, 4, 3)
    ]
    assert list(result.accuracies) == expected
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_result_does_not_depend_on_the_number_of_threads(tiny_embedding, source, target):
    one, three = (
        evaluate(
            tiny_embedding,
            source,
            target,
            classes=2,
            seeds=range(6),
            config=TrainingConfig(epochs=1),
            threads=threads,
        )
        for threads in (1, 3)
    )
    assert len(set(one.accuracies)) > 1
    assert one == three


def test_an_unlabelled_test_document_is_refused_before_any_training(tiny_embedding, source, target):
    with pytest.raises(ValueError, match="document 1 has the label -1"):
        evaluate(tiny_embedding, source, target.labelled([1, -1, 0]), classes=2, seeds=[0])
