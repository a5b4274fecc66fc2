from math import log

import numpy as np
import pytest
import torch
from torch.nn import functional

from models_ml.core.classifiers import KINDS, Classifier, ClassifierConfig, new_classifier
from models_ml.core.corpus import Document, EncodedCorpus, encode
from models_ml.core.embeddings import Embedding, Side, Vectors
from models_ml.core.salience import rank_keywords, salience, token_gradients

# A, B and C have nothing along the first axis, so the classifier below is undecided on them all.
WORDS = {"a": (0, 1), "b": (0, 2), "c": (0, 3), "d": (0, 4)}


@pytest.fixture
def space() -> Embedding:
    rows = np.array(list(WORDS.values()), dtype=np.float32)
    return Embedding(Vectors(list(WORDS), rows), Vectors(["x"], np.ones((1, 2), np.float32)))


def corpus_of(embedding: Embedding, *texts: tuple[str, int]) -> EncodedCorpus:
    documents = [Document(i, tuple(text.split()), label) for i, (text, label) in enumerate(texts)]
    return encode(documents, embedding, Side.SOURCE)


def undecided() -> Classifier:
    """Return a logistic classifier with logits (x, -x): p = ½ wherever x is 0."""
    model = new_classifier(
        ClassifierConfig("logistic"), dim=2, classes=2, generator=torch.Generator()
    )
    with torch.no_grad():
        model.classifier.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        model.classifier.bias.zero_()
    return model


def test_salience_by_hand(space):
    # Wᵀ(p - y)/L is (1, 0)/L for label 1 and (-1, 0)/L for label 0: the norms are 1/L, and
    # do not cancel where one word's gradients in two documents point against each other.
    corpus = corpus_of(space, ("a b", 1), ("a zebra a", 0), ("c", 0))
    word_ids, scores = salience(undecided(), corpus, embedding=space)
    assert word_ids.tolist() == [0, 1, 2]
    expected = [(1 / 2 + 2 / 3) * log(3 / 2), 1 / 2 * log(3), 1 * log(3)]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_salience_does_not_depend_on_the_batches(space):
    corpus = corpus_of(space, ("a b", 1), ("a zebra a", 0), ("c", 0), ("d d d d b", 1))
    together = salience(undecided(), corpus, embedding=space)[1]
    singly = salience(undecided(), corpus, embedding=space, batch_size=1)[1]
    np.testing.assert_allclose(together, singly, rtol=1e-6)


def test_keywords_are_ranked_by_salience_then_by_word_id(space):
    corpus = corpus_of(space, ("b a zebra", 1), ("c", 0), ("zebra d c", 0))
    ranked = rank_keywords(undecided(), corpus, embedding=space)
    words = [space.word(keyword.word_id)[1] for keyword in ranked]
    # c: (1 + ⅓)·log 3/2 = .541; a, b, d: ⅓·log 3 = .366 each; zebra is unknown.
    assert words == ["c", "a", "b", "d"]
    assert ranked[0].salience == pytest.approx(4 / 3 * log(3 / 2), rel=1e-6)


def test_a_word_of_every_document_has_no_salience(space):
    corpus = corpus_of(space, ("a b", 1), ("a c", 0))
    assert salience(undecided(), corpus, embedding=space)[1][0] == 0


def test_an_unlabelled_document_is_refused(space):
    with pytest.raises(ValueError, match="document 1 has the label -1"):
        salience(undecided(), corpus_of(space, ("a", 1), ("b", -1)), embedding=space)


def small_classifier(kind: str, *, dim: int) -> Classifier:
    """Return a classifier whose weights are eighths, so that equal windows have equal scores."""
    config = ClassifierConfig(kind, filters=6, widths=(2, 3), hidden=6)
    model = new_classifier(config, dim=dim, classes=3, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_((8 * weight).round() / 8)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_token_gradients_equal_finite_differences_of_each_documents_own_loss(kind):
    model = small_classifier(kind, dim=3).double()
    generator = torch.Generator().manual_seed(2)
    matrix = torch.randn(8, 3, dtype=torch.float64, generator=generator)
    matrix[0] = 0
    # One unknown token in the first document; the second and the last are shorter than a filter.
    tokens = torch.tensor([[5, 1, 0, 7, 2], [3, 0, 0, 0, 0], [2, 6, 1, 0, 0], [4, 5, 0, 0, 0]])
    lengths, labels = torch.tensor([5, 1, 3, 2]), torch.tensor([0, 1, 2, 1])
    embedded = matrix[tokens]

    def own_losses(vectors: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return functional.cross_entropy(model(vectors, lengths), labels, reduction="none")

    expected = torch.zeros_like(embedded)
    for place in np.ndindex(*embedded.shape):
        step = torch.zeros_like(embedded)
        step[place] = 1e-6
        change = own_losses(embedded + step) - own_losses(embedded - step)
        expected[place] = change[place[0]] / 2e-6
    gradients = token_gradients(model, matrix, tokens, lengths, labels)
    inside = torch.arange(5) < lengths[:, None]
    torch.testing.assert_close(gradients[inside], expected[inside], rtol=1e-6, atol=1e-8)
    assert gradients[inside].any()


@pytest.mark.parametrize("kind", KINDS)
def test_salience_is_the_definitions_one_document_at_a_time(kind, space):
    texts = (
        ("a b a b a b d", 1),  # windows that tie
        ("zebra a zebra zebra zebra zebra c", 2),  # unknown tokens, whose windows tie as well
        ("b", 0),  # shorter than every filter
        ("zebra", 1),
        ("d c b a", 2),
        ("c d", 0),
    )
    corpus, model = corpus_of(space, *texts), small_classifier(kind, dim=2)
    expected = dict.fromkeys(WORDS, 0.0)
    for text, label in texts:
        tokens = text.split()
        rows = torch.tensor([[WORDS.get(token, (0, 0)) for token in tokens]], dtype=torch.float32)
        rows.requires_grad_()
        logits = model(rows, torch.tensor([len(tokens)]))
        functional.cross_entropy(logits, torch.tensor([label])).backward()
        for token, gradient in zip(tokens, rows.grad[0], strict=True):
            if token in WORDS:
                expected[token] += float(gradient.norm())
    for word in WORDS:
        holders = sum(word in text.split() for text, _ in texts)
        expected[word] *= log(len(texts) / holders)
    _, scores = salience(model, corpus, embedding=space, batch_size=4)
    assert min(scores) > 0.01
    np.testing.assert_allclose(scores, list(expected.values()), rtol=1e-5)
