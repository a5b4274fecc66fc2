import subprocess
import sys
from math import log

import numpy as np
import pytest

from models_ml.core.active_learning import (
    STRATEGIES,
    choose,
    document_features,
    entropy,
    margin,
)
from models_ml.core.corpus import Document, encode
from models_ml.core.embeddings import Embedding, Side, Vectors

PROBABILITIES = np.array(
    [[0.9, 0.1], [0.5, 0.5], [1.0, 0.0], [0.1, 0.9], [0.25, 0.75]], dtype=np.float32
)
# By margin these are worth 1, 0.9, 0.8 and 0.5; the first three point more or less the same way.
NEAR_AND_FAR = np.array([[0.5, 0.5], [0.55, 0.45], [0.6, 0.4], [0.75, 0.25]])
DIRECTIONS = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]])


def unsure(documents):
    """Return predictions that are equally unsure of every document."""
    return np.full((documents, 2), 0.5)


def test_entropy_is_in_nats_and_a_sure_prediction_has_none():
    values = entropy(PROBABILITIES)
    assert values.dtype == np.float64
    np.testing.assert_allclose(values[[1, 2]], [log(2), 0])
    np.testing.assert_allclose(values[4], -(0.25 * log(0.25) + 0.75 * log(0.75)))


def test_the_margin_is_what_the_likeliest_class_leads_the_second_by():
    np.testing.assert_allclose(margin(np.array([[0.2, 0.7, 0.1], [0.4, 0.2, 0.4]])), [0.5, 0])


def test_the_highest_entropies_come_first():
    assert choose(PROBABILITIES, 2) == [1, 4]


def test_the_margin_does_not_mind_a_third_class_where_entropy_does():
    probabilities = np.array([[0.4, 0.3, 0.3], [0.5, 0.5, 0.0], [0.8, 0.1, 0.1]])
    assert choose(probabilities, 3, strategy="entropy") == [0, 1, 2]
    assert choose(probabilities, 3, strategy="margin") == [1, 0, 2]


@pytest.mark.parametrize("strategy", ["entropy", "margin"])
def test_equally_uncertain_documents_keep_their_order(strategy):
    assert choose(PROBABILITIES, 4, strategy=strategy) == [1, 4, 0, 3]


def test_chance_is_drawn_by_the_seed_alone():
    drawn = [choose(unsure(20), 20, strategy="random", seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(drawn[2]) == list(range(20)) != drawn[2]
    assert choose(unsure(20), 5, strategy="random", seed=1) == drawn[0][:5]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_asking_for_more_than_there_is_gives_all(strategy):
    assert sorted(choose(PROBABILITIES, 99, strategy=strategy)) == [0, 1, 2, 3, 4]


def test_nothing_is_chosen_where_nothing_is_asked_for_or_there_is_nothing():
    assert choose(PROBABILITIES, 0) == choose(np.empty((0, 2)), 3) == []


def test_a_diverse_choice_weighs_uncertainty_against_the_nearest_document_chosen():
    # After the first: 0.45 − 0.4, 0.4 − 0.3, 0.25 − 0. After the last as well: the second is at
    # 0.45 − 0.4 still, the third has a nearer neighbour now, 0.4 − 0.4.
    options = {"strategy": "margin", "features": DIRECTIONS}
    assert choose(NEAR_AND_FAR, 4, **options) == [0, 1, 2, 3]
    assert choose(NEAR_AND_FAR, 4, diverse=True, **options) == [0, 3, 1, 2]


def test_a_diverse_choice_is_made_among_five_times_as_many_of_the_most_uncertain():
    probabilities = np.array([[0.5, 0.5]] + [[0.6, 0.4]] * 10)
    turns = np.linspace(0, 0.1, 11)
    turns[10] = np.pi  # the one unlike all others is the eleventh
    features = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    assert choose(probabilities, 2, features=features, diverse=True) == [0, 9]
    assert choose(probabilities, 3, features=features, diverse=True)[:2] == [0, 10]


def test_copies_come_only_once_all_else_is_chosen():
    probabilities = np.array([[0.5, 0.5]] * 12 + [[1.0, 0.0]])
    features = np.array([[1.0, 0.0]] * 12 + [[0.8, 0.6]])
    assert choose(probabilities, 2, features=features, diverse=True) == [0, 12]
    assert choose(probabilities, 4, features=features, diverse=True) == [0, 12, 1, 2]


def test_documents_without_known_words_are_copies_of_one_another():
    features = np.array([[0.0, 0.0], [-0.0, 0.0], [1.0, 0.0]])
    assert choose(unsure(3), 3, features=features, diverse=True) == [0, 2, 1]


def test_chance_can_be_diverse_too():
    features = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    for seed in range(5):
        options = {"strategy": "random", "seed": seed, "features": features, "diverse": True}
        assert 9 in choose(unsure(10), 2, **options)


@pytest.fixture
def embedding():
    rows = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    return Embedding(Vectors(["x"], rows[:1]), Vectors(["a", "b", "c"], rows))


def test_features_are_mean_vectors_less_what_all_documents_share(embedding):
    # The means are (½, ½), (−½, ½), (0, 0): their mean is (0, ⅓).
    texts = [("a", "b", "unknown"), ("c", "b"), ("unknown",)]
    documents = [Document(i, text) for i, text in enumerate(texts)]
    features = document_features(encode(documents, embedding, Side.TARGET), embedding)
    length = np.hypot(1 / 2, 1 / 6)
    expected = [[1 / 2 / length, 1 / 6 / length], [-1 / 2 / length, 1 / 6 / length], [0, -1]]
    np.testing.assert_allclose(features, expected, atol=1e-6)


def test_the_same_words_in_another_order_are_a_copy(embedding):
    texts = [("a", "b", "b"), ("c",), ("b", "a", "b")]
    documents = [Document(i, text) for i, text in enumerate(texts)]
    features = document_features(encode(documents, embedding, Side.TARGET), embedding)
    assert choose(unsure(3), 3, features=features, diverse=True) == [0, 1, 2]
    assert choose(unsure(3), 2, features=features, diverse=True) == [0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "-1 documents"),
        ({"strategy": "magic"}, "'magic', only entropy, margin, random"),
        ({"probabilities": np.array([0.5, 0.5])}, r"shape \(2,\)"),
        ({"probabilities": np.ones((4, 1))}, r"shape \(4, 1\)"),
        ({"probabilities": np.array([[0.5, 0.5], [0.5, 0.4]])}, r"document 1 .*0\.5 0\.4"),
        ({"probabilities": np.array([[1.5, -0.5]])}, r"document 0 .*1\.5 -0\.5"),
        ({"probabilities": np.array([[np.nan, 0.5]])}, "document 0 .*nan"),
        ({"features": None}, "not None"),
        ({"features": DIRECTIONS[:3]}, r"4 documents, but features of shape \(3, 2\)"),
        ({"features": DIRECTIONS * 2}, r"document 0 has features of the length 2\.0"),
        ({"features": DIRECTIONS * np.nan}, "document 0 has features of the length nan"),
    ],
)
def test_what_is_not_so_is_refused_with_its_value(change, message):
    arguments = {"probabilities": NEAR_AND_FAR, "count": 2, "features": DIRECTIONS} | change
    with pytest.raises(ValueError, match=message):
        choose(**arguments, diverse=True)


def test_choosing_imports_neither_torch_nor_scipy():
    script = (
        "import sys, models_ml.core.active_learning;"
        "sys.exit(' '.join({'torch', 'scipy'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
