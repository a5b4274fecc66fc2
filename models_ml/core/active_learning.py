"""Which unlabelled documents are worth a person's label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr


def entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy of each predicted distribution in nats, (documents,).

    probabilities: (documents, classes)
    """
    entropies: NDArray[np.float64] = entr(probabilities.astype(np.float64)).sum(axis=1)
    return entropies


def most_uncertain(probabilities: NDArray[np.floating], count: int) -> list[int]:
    """Return the positions of the `count` highest entropies, highest first, ties by position."""
    order = np.argsort(-entropy(probabilities), kind="stable")
    return [int(position) for position in order[:count]]
