import numpy as np
import pytest

from models_ml.core.code_switching import COPIES, SHARE, Switches, code_switched, switches_of
from models_ml.core.constraints import Constraint
from models_ml.core.corpus import EncodedCorpus
from models_ml.core.embeddings import Side
from models_ml.core.refinement import RefinementConfig, refine

ACCEPTED, REJECTED = 1, -1


@pytest.fixture
def judged(tiny_embedding):
    first = tiny_embedding.offset(Side.TARGET)
    return [
        Constraint(5, first + 2, ACCEPTED),
        Constraint(3, first + 1, ACCEPTED),
        Constraint(3, first, ACCEPTED),
        Constraint(3, 4, ACCEPTED),  # of the same language
        Constraint(3, first + 3, REJECTED),
        Constraint(6, first + 4, ACCEPTED, 0.0),
    ]


def test_only_accepted_words_of_the_other_language_stand_for_a_keyword(tiny_embedding, judged):
    first = tiny_embedding.offset(Side.TARGET)
    switches = switches_of(tiny_embedding, judged)
    assert switches.keywords.tolist() == [3, 3, 5]
    assert switches.words.tolist() == [first, first + 1, first + 2]


def test_copies_hold_keywords_or_their_words_and_nothing_else_changes():
    switches = Switches(np.array([3, 3, 5]), np.array([10, 11, 12]))
    documents = [np.array([3, 1, -1, 5] * 50), np.array([1, 2]), np.array([5])]
    corpus = EncodedCorpus(tuple(documents), np.array([1, 0, 0]))
    switched = code_switched(corpus, switches, seed=0)
    # The second document holds no keyword, and gets no copies.
    assert switched.labels.tolist() == [1, 0, 0] + [1, 0] * COPIES
    assert all(np.array_equal(a, b) for a, b in zip(switched.ids, documents, strict=False))
    copy = switched.ids[3].reshape(50, 4)
    assert (copy[:, 1:3] == [1, -1]).all()
    assert set(copy[:, 0]) == {3, 10, 11}
    assert set(copy[:, 3]) == {5, 12}
    share = (copy[:, [0, 3]] >= 10).mean()
    assert share == pytest.approx(SHARE, abs=0.15)  # 100 draws: three standard deviations


def test_the_same_seed_gives_the_same_documents_and_another_others():
    switches = Switches(np.array([1]), np.array([9]))
    corpus = EncodedCorpus((np.ones(40, dtype=np.int64),), np.array([0]))
    first, again, other = (code_switched(corpus, switches, seed=s).ids[1] for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_switches_a_corpus_stays_itself():
    corpus = EncodedCorpus((np.array([1]),), np.array([0]))
    assert code_switched(corpus, Switches(), seed=0) is corpus


def test_the_method_leaves_the_vectors_alone(tiny_embedding, judged):
    refinement = refine(tiny_embedding, judged, config=RefinementConfig("code_switch"))
    assert refinement.embedding is tiny_embedding
    assert len(refinement.switches) == 3
