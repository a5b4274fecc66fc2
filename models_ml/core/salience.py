"""How much a classifier's loss depends on each word: the ranking that finds keywords."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name torch's own pages use

from models_ml.core.batches import CompactCorpus, compact
from models_ml.core.classifiers import Averaging, Classifier, KimCNN, mean_vectors
from models_ml.core.convolution import gradients_at_tokens, winning_windows
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Embedding, WordIds
from models_ml.core.training import check_dimensions, checked_labels


@dataclass(frozen=True)
class Keyword:
    """A word and how much the classifier depends on it."""

    word_id: int
    salience: float


def token_gradients(
    classifier: Classifier, matrix: Tensor, tokens: Tensor, lengths: Tensor, labels: Tensor
) -> Tensor:
    """Return the gradient of each document's own loss at its tokens, (batch, length, dim).

    What stands past a document's end means nothing.
    matrix: (1 + types, dim), row 0 zero; tokens: (batch, length) rows of it; lengths: (batch,).
    Documents do not meet inside a classifier, so the gradient of the summed loss is each one's.
    It is taken at the means or best windows, few numbers a document, and handed to the tokens
    that they come from: all alike in a mean, those of the winning windows.
    """
    length = tokens.shape[1]
    if isinstance(classifier, Averaging):
        means = mean_vectors(F.embedding_bag(tokens, matrix, mode="sum"), lengths).requires_grad_()
        (gradient,) = _gradients(classifier.from_means(means), labels, [means])
        return mean_vectors(gradient, lengths)[:, None].expand(-1, length, -1)
    assert isinstance(classifier, KimCNN)
    weights = [layer.weight.detach() for layer in classifier.convolutions]
    found = winning_windows(weights, matrix, tokens, lengths)
    best = [scores.requires_grad_() for scores, _ in found]
    gradients = _gradients(classifier.from_best_windows(best), labels, best)
    return gradients_at_tokens(weights, gradients, [windows for _, windows in found], length)


def _gradients(logits: Tensor, labels: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Return the gradients of the summed loss at the inputs of the logits."""
    return torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), inputs)


def inverse_document_frequency(corpus: CompactCorpus) -> NDArray[np.float64]:
    """Return log(documents / documents that hold the word) of each word, (types,)."""
    rows = np.sort(corpus.tokens, axis=1)
    rows[:, 1:][rows[:, 1:] == rows[:, :-1]] = 0  # once per document and word
    documents_with = np.bincount(rows.ravel(), minlength=len(corpus.matrix))[1:]
    return np.log(len(corpus) / documents_with)


def salience(
    classifier: Classifier, corpus: EncodedCorpus, *, embedding: Embedding, batch_size: int = 100
) -> tuple[WordIds, NDArray[np.float64]]:
    """Return the ids of the corpus's words, (types,) ascending, and their salience, (types,).

    A word's salience is its IDF times the sum, over all its occurrences, of the norm of the
    gradient of that document's loss. Unknown tokens are nobody's occurrence, padding has none.
    Raises ValueError for an empty corpus, an unlabelled document, or a classifier for vectors of
    another size.
    Source: Yuan et al. 2020, Eq. 1-2.
    """
    words = compact(corpus, embedding)
    check_dimensions(classifier, words)
    labels = checked_labels(words.labels, classifier.classes)
    matrix, sums = torch.from_numpy(words.matrix), np.zeros(len(words.matrix))
    for batch in words.batches(batch_size):
        tokens, lengths = words.tokens_of(batch)
        norms = token_gradients(classifier, matrix, tokens, lengths, labels[batch]).norm(dim=2)
        sums += np.bincount(
            tokens.numpy().ravel(), weights=norms.numpy().ravel(), minlength=sums.size
        )
    return words.word_ids, sums[1:] * inverse_document_frequency(words)


def rank_keywords(
    classifier: Classifier, corpus: EncodedCorpus, *, embedding: Embedding
) -> list[Keyword]:
    """Return the words of the corpus, the most salient first, equal ones by word id."""
    word_ids, scores = salience(classifier, corpus, embedding=embedding)
    order = np.lexsort((word_ids, -scores))
    return [Keyword(int(word_ids[i]), float(scores[i])) for i in order]
