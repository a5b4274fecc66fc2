from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from models_ml.core import convolution
from models_ml.core.batches import compact
from models_ml.core.classifiers import KINDS, ClassifierConfig, new_classifier, save_classifier
from models_ml.core.convolution import best_windows
from models_ml.core.corpus import Document, EncodedCorpus, encode
from models_ml.core.embeddings import Embedding, Side
from models_ml.core.training import (
    PAPER_TRAINING,
    TrainingConfig,
    fit,
    input_scale,
    predict,
    predict_compact,
    quick_forward,
    train,
)

SMALL = {kind: ClassifierConfig(kind, filters=8, widths=(2, 3, 4), hidden=8) for kind in KINDS}


@pytest.fixture
def corpus(tiny_embedding: Embedding) -> EncodedCorpus:
    """Seven documents of one to six tokens; zebra and llama are unknown words."""
    texts = (
        ("the doctor of the zebra hospital", 1),
        ("fever medicine", 1),
        ("llama", 1),
        ("hospital medicine fever", 1),
        ("rain of the market", 0),
        ("the football zebra goal rain", 0),
        ("market", 0),
    )
    documents = [Document(i, tuple(text.split()), label) for i, (text, label) in enumerate(texts)]
    return encode(documents, tiny_embedding, Side.SOURCE)


@pytest.mark.parametrize("scores_per_chunk", [1, 100, 10_000])
@pytest.mark.parametrize("kind", KINDS)
def test_quick_logits_and_gradients_equal_those_of_the_definition(
    kind, scores_per_chunk, corpus, tiny_embedding, monkeypatch
):
    monkeypatch.setattr(convolution, "_SCORES_PER_CHUNK", scores_per_chunk)
    words = compact(corpus, tiny_embedding)
    words = replace(words, matrix=words.matrix.astype(np.float64))
    positions, labels = np.array([5, 0, 2, 6, 1]), torch.tensor([0, 1, 1, 0, 1])

    def logits_and_gradients(quick: bool) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(5)
        model = new_classifier(SMALL[kind], dim=4, classes=2, generator=generator).double()
        logits = (
            quick_forward(model, words)(positions) if quick else model(*words.embedded(positions))
        )
        functional.cross_entropy(logits, labels).backward()
        return [logits, *(weight.grad for weight in model.parameters())]

    quick, definition = logits_and_gradients(True), logits_and_gradients(False)
    for ours, theirs in zip(quick, definition, strict=True):
        assert theirs.abs().max() > 1e-4
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_best_windows_by_hand():
    weight = torch.tensor([[[1.0, 10.0]], [[-1.0, 0.0]]], requires_grad=True)  # two filters
    matrix = torch.tensor([[0.0], [1.0], [2.0], [5.0]])
    tokens = torch.tensor([[1, 3, 2], [2, 0, 0]])
    (best,) = best_windows([weight], matrix, tokens, torch.tensor([3, 1]))
    # Windows (1,5) = 51 or -1 and (5,2) = 25 or -5; then the one window (2,0) = 2 or -2.
    assert best.tolist() == [[51.0, -1.0], [2.0, -2.0]]
    best.backward(torch.tensor([[1.0, 1.0], [10.0, 100.0]]))
    # First filter: (1,5)·1 + (2,0)·10; second: (1,5)·1 + (2,0)·100.
    assert weight.grad.tolist() == [[[21.0, 5.0]], [[201.0, 5.0]]]


def test_of_equal_windows_the_first_one_wins():
    weight, matrix = torch.tensor([[[1.0]]]), torch.tensor([[0.0], [-1.0], [3.0], [3.0]])
    ((best, winners),) = convolution.winning_windows(
        [weight], matrix, torch.tensor([[1, 3, 2], [1, 1, 0]]), torch.tensor([3, 2])
    )
    assert best.tolist() == [[3.0], [-1.0]]
    assert winners.tolist() == [[1], [0]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(kind, corpus, tiny_embedding, tmp_path):
    before = torch.get_rng_state()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        model = train(
            corpus, embedding=tiny_embedding, classes=2, classifier=SMALL[kind], seed=seed
        )
        save_classifier(tmp_path / name, model)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again
    assert first != other
    assert torch.equal(torch.get_rng_state(), before)


def test_training_learns_its_documents(corpus, tiny_embedding):
    known = corpus.select([0, 1, 3, 4, 5, 6])
    config = TrainingConfig(epochs=60, learning_rate=0.05)
    model = train(known, embedding=tiny_embedding, classes=2, config=config, seed=0)
    probabilities = predict(model, known, embedding=tiny_embedding)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == known.labels.tolist()


def one_logistic_step(corpus: EncodedCorpus, embedding: Embedding, clip: float) -> tuple:
    """Return the weights before and after one full-batch step of rate 0.01."""
    config = TrainingConfig(epochs=1, learning_rate=0.01, clip=clip)
    before = new_classifier(
        SMALL["logistic"], dim=4, classes=2, generator=torch.Generator().manual_seed(0)
    )
    after = train(
        corpus, embedding=embedding, classes=2, classifier=SMALL["logistic"], config=config, seed=0
    )
    return before, after


def test_the_first_step_of_adam_is_the_rate_against_the_gradients_sign(corpus, tiny_embedding):
    before, after = one_logistic_step(corpus, tiny_embedding, clip=5.0)
    logits = before(*compact(corpus, tiny_embedding).embedded(np.arange(len(corpus))))
    functional.cross_entropy(logits, torch.from_numpy(corpus.labels)).backward()
    for old, new in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.01 * old.grad.sign(), rtol=0, atol=1e-6)


def test_the_gradients_norm_is_clipped(corpus, tiny_embedding):
    # Adam divides by |gradient| + 1e-8, so a gradient clipped to 1e-11 hardly moves anything.
    before, after = one_logistic_step(corpus, tiny_embedding, clip=1e-11)
    moves = [new - old for old, new in zip(before.parameters(), after.parameters(), strict=True)]
    assert max(move.abs().max() for move in moves) < 0.01 * 1e-2


def test_progress_is_told_after_each_epoch(corpus, tiny_embedding):
    told = []
    train(
        corpus,
        embedding=tiny_embedding,
        classes=2,
        config=TrainingConfig(epochs=3),
        seed=0,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_do_not_depend_on_the_batches(kind, corpus, tiny_embedding):
    model = train(corpus, embedding=tiny_embedding, classes=2, classifier=SMALL[kind], seed=0)
    together = predict(model, corpus, embedding=tiny_embedding)
    singly = predict(model, corpus, embedding=tiny_embedding, batch_size=1)
    np.testing.assert_allclose(together, singly, atol=1e-6)


def test_an_unlabelled_document_is_refused(corpus, tiny_embedding):
    unlabelled = corpus.labelled([1, 1, -1, 1, 0, 0, 0])
    with pytest.raises(ValueError, match="document 2 has the label -1"):
        train(unlabelled, embedding=tiny_embedding, classes=2, seed=0)


def test_a_label_beyond_the_classes_is_refused(corpus, tiny_embedding):
    with pytest.raises(ValueError, match="document 0 has the label 1, not one of 0 to 0"):
        train(corpus, embedding=tiny_embedding, classes=1, seed=0)


def test_an_empty_corpus_is_refused(corpus, tiny_embedding):
    with pytest.raises(ValueError, match="no document"):
        train(corpus.select([]), embedding=tiny_embedding, classes=2, seed=0)


def test_a_classifier_for_vectors_of_another_size_is_refused(corpus, tiny_embedding):
    model = new_classifier(SMALL["dan"], dim=7, classes=2, generator=torch.Generator())
    with pytest.raises(ValueError, match="reads vectors of 7 dimensions, these have 4"):
        predict(model, corpus, embedding=tiny_embedding)


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_of_all_vectors_together_decides_nothing(kind, corpus, tiny_embedding):
    ids = np.arange(len(tiny_embedding))
    longer = tiny_embedding.moved(ids, 8 * tiny_embedding.gather(ids))  # exact in binary
    first, second = (
        predict(
            train(corpus, embedding=e, classes=2, classifier=SMALL[kind], seed=0),
            corpus,
            embedding=e,
        )
        for e in (tiny_embedding, longer)
    )
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_the_papers_schedule_reads_vectors_as_they_are(corpus, tiny_embedding):
    words = compact(corpus, tiny_embedding)
    lengths = np.linalg.norm(words.matrix, axis=1)[words.tokens]
    scale = input_scale(words)
    assert scale == pytest.approx(np.mean(lengths[lengths > 0] ** 2) ** -0.5)
    scaled = replace(words, matrix=words.matrix * np.float32(scale))
    options = {"classes": 2, "classifier": SMALL["cnn"], "seed": 0}
    by_hand = fit(scaled, config=PAPER_TRAINING, **options)
    ours = fit(words, config=TrainingConfig(), **options)
    np.testing.assert_allclose(
        predict_compact(by_hand, scaled), predict_compact(ours, words), rtol=1e-4
    )
