from math import log

import numpy as np

from models_ml.core.active_learning import entropy, most_uncertain

PROBABILITIES = np.array(
    [[0.9, 0.1], [0.5, 0.5], [1.0, 0.0], [0.1, 0.9], [0.25, 0.75]], dtype=np.float32
)


def test_entropy_is_in_nats_and_a_sure_prediction_has_none():
    values = entropy(PROBABILITIES)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values[[1, 2]], [log(2), 0])
    np.testing.assert_allclose(values[4], -(0.25 * log(0.25) + 0.75 * log(0.75)))


def test_the_most_uncertain_come_first():
    assert most_uncertain(PROBABILITIES, 2) == [1, 4]


def test_equal_entropies_keep_their_order():
    assert most_uncertain(PROBABILITIES, 4) == [1, 4, 0, 3]


def test_asking_for_more_than_there_is_gives_all():
    assert sorted(most_uncertain(PROBABILITIES, 99)) == [0, 1, 2, 3, 4]
