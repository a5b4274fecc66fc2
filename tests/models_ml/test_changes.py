"""What a refinement changed, worked by hand on a plane and beside the slow way."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from models_ml.core import changes
from models_ml.core.changes import (
    CurvePoint,
    MovementSummary,
    WordContribution,
    learning_curve_end,
    movement_summary,
    neighbour_changes,
    pair_movements,
    word_contributions,
)
from models_ml.core.classifiers import KINDS, ClassifierConfig, new_classifier
from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.core.corpus import Document, EncodedCorpus, encode
from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, Side, Vectors
from models_ml.core.training import train

SMALL = {kind: ClassifierConfig(kind, filters=8, widths=(2, 3), hidden=8) for kind in KINDS}


def plane(
    source: Sequence[tuple[float, float]], target: Sequence[tuple[float, float]]
) -> Embedding:
    def vectors(rows: Sequence[tuple[float, float]]) -> Vectors:
        return Vectors([f"w{i}" for i in range(len(rows))], np.array(rows, dtype=np.float32))

    return Embedding(vectors(source), vectors(target))


def moved(space: Embedding, word_id: int, *row: float) -> Embedding:
    return space.moved([word_id], np.array([row], dtype=np.float32))


@pytest.fixture
def before() -> Embedding:
    return plane([(1, 0), (4, 3), (0, 1)], [(3, 4), (0, 5), (-1, 0)])


# Neighbours


def test_words_that_entered_and_left_by_hand(before):
    after = moved(before, 5, 12, 5)
    source, target = neighbour_changes(before, after, [0], k=2)
    assert (source.keyword, source.side, source.entered, source.left) == (0, Side.SOURCE, (), ())
    assert source.before == source.after
    assert (target.keyword, target.side) == (0, Side.TARGET)
    assert [n.word_id for n in target.before] == [3, 4]
    assert [n.cosine for n in target.before] == pytest.approx([0.6, 0])
    assert [n.word_id for n in target.after] == [5, 3]
    assert [n.cosine for n in target.after] == pytest.approx([12 / 13, 0.6])
    assert (target.entered, target.left) == ((5,), (4,))


def test_each_word_has_its_source_and_then_its_target_neighbours(before):
    found = neighbour_changes(before, moved(before, 3, -3, -4), np.array([3, 0]), k=1)
    assert [(change.keyword, change.side) for change in found] == [
        (3, Side.SOURCE), (3, Side.TARGET), (0, Side.SOURCE), (0, Side.TARGET),
    ]  # fmt: skip
    assert [(change.entered, change.left) for change in found[:2]] == [((0,), (1,)), ((5,), (4,))]


def test_neighbours_of_no_words_are_none(before):
    assert neighbour_changes(before, before, [], k=3) == []


def test_embeddings_of_other_words_are_not_compared(before):
    other = plane([(1, 0)], [(1, 0)] * 5)
    with pytest.raises(ValueError, match=r"\(3, 3\) before, but \(1, 5\) after"):
        neighbour_changes(before, other, [0], k=1)
    with pytest.raises(ValueError, match=r"\(3, 3\) before, but \(1, 5\) after"):
        pair_movements(before, other, [])


# Judged pairs


def test_cosines_of_pairs_before_and_after_by_hand(before):
    after = moved(before, 0, 0, 2)  # the keyword turns from the right to the top
    accepted, rejected = pair_movements(
        before, after, [Constraint(0, 1, ACCEPTED, 0.5), Constraint(0, 5, REJECTED)]
    )
    assert (accepted.keyword, accepted.neighbour, accepted.sign, accepted.weight) == (0, 1, 1, 0.5)
    assert (accepted.cosine_before, accepted.cosine_after) == pytest.approx((0.8, 0.6))
    assert accepted.is_against
    assert (rejected.cosine_before, rejected.cosine_after) == pytest.approx((-1, 0))
    assert rejected.is_against


def test_pairs_that_move_as_judged_are_not_against(before):
    after = moved(before, 0, 0, 2)
    pairs = [Constraint(0, 3, ACCEPTED), Constraint(0, 1, REJECTED), Constraint(0, 2, ACCEPTED)]
    assert [movement.is_against for movement in pair_movements(before, after, pairs)] == [False] * 3


def test_a_movement_within_the_tolerance_is_not_against(before):
    # The cosine with (1, 0) falls from 1 to 1 / √(1 + s²), by about s² / 2.
    space = moved(before, 5, 1, 0)
    pairs = [Constraint(0, 5, ACCEPTED)]
    for slope, is_against in ((0.04, False), (0.05, True)):
        after = moved(space, 5, 1, slope)
        assert pair_movements(space, after, pairs)[0].is_against is is_against
        assert not pair_movements(space, after, pairs, tolerance=0.01)[0].is_against


def test_a_zero_vector_has_no_cosine_but_zero(before):
    (movement,) = pair_movements(before, moved(before, 1, 0, 0), [Constraint(0, 1, ACCEPTED)])
    assert (movement.cosine_after, movement.is_against) == (0, True)


def test_the_summary_by_hand(before):
    after = moved(before, 0, 0, 2)
    pairs = [
        Constraint(0, 1, ACCEPTED, 9),  # .8 to .6, against
        Constraint(0, 3, ACCEPTED),  # .6 to .8
        Constraint(0, 4, ACCEPTED),  # 0 to 1
        Constraint(0, 5, REJECTED),  # -1 to 0, against
    ]
    summary = movement_summary(pair_movements(before, after, pairs))
    assert (summary.accepted, summary.rejected, summary.share_against) == (3, 1, 0.5)
    assert summary.accepted_change == pytest.approx(1 / 3)
    assert summary.rejected_change == pytest.approx(1)


def test_without_pairs_there_is_no_mean(before):
    assert movement_summary([]) == MovementSummary(0, 0, None, None, None)
    accepted_only = pair_movements(before, before, [Constraint(0, 1, ACCEPTED)])
    assert movement_summary(accepted_only) == MovementSummary(1, 0, 0.0, None, 0.0)


# Predictions


def to_the_right(dim: int = 2) -> torch.nn.Module:
    """A classifier whose log-odds of label 1 are the mean of the words' first coordinates."""
    model = new_classifier(
        ClassifierConfig("logistic"), dim=dim, classes=2, generator=torch.Generator()
    )
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.weight[1, 0] = 1
        model.classifier.bias.zero_()
    return model


def documents_of(*ids: list[int]) -> EncodedCorpus:
    return EncodedCorpus(
        tuple(np.array(row, dtype=np.int64) for row in ids), np.zeros(len(ids), dtype=np.int64)
    )


def test_contributions_by_hand():
    space = plane([(-3, 0), (1, 0), (5, 0)], [(0, 1)])
    after = moved(space, 0, 1, 0)
    corpus = documents_of([2, 1], [0, 1, 1, OUT_OF_VOCABULARY])
    model = to_the_right()
    (changed,) = word_contributions(model, model, corpus, space, after)
    assert (changed.position, changed.label_before, changed.label_after) == (1, 0, 1)
    # Log-odds of the second document: -1/4, and 2/3 without its first word, so that word added
    # -11/12; refined 3/4, and 2/3 without. The other word's share fell from 5/4 to 1/4.
    (word,) = changed.words
    assert word.word_id == 0
    figures = word.contribution, word.before, word.after
    assert figures == pytest.approx((1, -11 / 12, 1 / 12))


def test_a_document_of_one_token_is_left_empty():
    space = plane([(-3, 0)], [(0, 1)])
    model = to_the_right()
    (changed,) = word_contributions(model, model, documents_of([0]), space, moved(space, 0, 1, 0))
    assert changed.words == (WordContribution(0, contribution=4, before=-3, after=1),)


def test_a_document_of_unknown_words_changes_for_no_word(before):
    other = to_the_right()
    with torch.no_grad():
        other.classifier.bias[1] = 1
    corpus = documents_of([OUT_OF_VOCABULARY, OUT_OF_VOCABULARY])
    (changed,) = word_contributions(to_the_right(), other, corpus, before, before)
    assert (changed.label_before, changed.label_after, changed.words) == (0, 1, ())


def test_predictions_that_stand_have_nothing_to_explain(before):
    model = to_the_right()
    assert word_contributions(model, model, documents_of([0], [5]), before, before) == []


def test_sure_classifiers_are_told_apart():
    space = plane([(-90, 0), (60, 0)], [(0, 1)])
    model = to_the_right()
    (changed,) = word_contributions(
        model, model, documents_of([0, 1]), space, moved(space, 0, 80, 0)
    )
    # 70 refined, 60 without the word; -15 before, 60 without. All are certainties in float32.
    assert changed.words == (WordContribution(0, contribution=85, before=-75, after=10),)


@pytest.mark.parametrize("variants_per_batch", [1, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_contributions_are_those_of_leaving_words_out_one_by_one(
    kind, variants_per_batch, tiny_embedding, monkeypatch
):
    monkeypatch.setattr(changes, "_VARIANTS_PER_BATCH", variants_per_batch)
    after = tiny_embedding.mapped(-np.eye(4, dtype=np.float32))
    texts = (("the doctor", 1), ("fever medicine", 1), ("rain", 0), ("goal of", 0), ("market", 2))
    corpus = encode(
        (Document(i, tuple(text.split()), label) for i, (text, label) in enumerate(texts)),
        tiny_embedding,
        Side.SOURCE,
    )
    model, retrained = (
        train(corpus, embedding=tiny_embedding, classes=3, classifier=SMALL[kind], seed=seed)
        for seed in (0, 1)
    )
    tests = ("homa ya daktari homa llama", "soko ya mvua", "dawa", "goli llama mvua ya soko")
    documents = encode(
        (Document(i, tuple(text.split())) for i, text in enumerate(tests)),
        tiny_embedding,
        Side.TARGET,
    )

    def odds(classifier, embedding, ids, label):
        rows = np.zeros((1, len(ids) + 1, 4), dtype=np.float32)  # a row of padding
        known = ids != OUT_OF_VOCABULARY
        rows[0, :-1][known] = embedding.gather(ids[known])
        with torch.no_grad():
            logits = classifier(torch.from_numpy(rows), torch.tensor([len(ids)]))
        chance = float(logits.double().softmax(dim=1)[0, label])
        return np.log(chance / (1 - chance))

    found = word_contributions(model, retrained, documents, tiny_embedding, after, top=9)
    assert found
    for changed in found:
        ids, contributions = documents.ids[changed.position], {}
        for word in set(ids.tolist()) - {OUT_OF_VOCABULARY}:
            old, new = (
                odds(*each, ids, changed.label_after)
                - odds(*each, ids[ids != word], changed.label_after)
                for each in ((model, tiny_embedding), (retrained, after))
            )
            contributions[word] = new - old
        expected = sorted((c, word) for word, c in contributions.items() if c > 1e-4)[::-1]
        words = [word for word in changed.words if word.contribution > 1e-4]
        assert [word.word_id for word in words] == [word for _, word in expected]
        np.testing.assert_allclose(
            [word.contribution for word in words], [c for c, _ in expected], atol=1e-5
        )
    first = word_contributions(model, retrained, documents, tiny_embedding, after, top=1)
    assert first == [replace(changed, words=changed.words[:1]) for changed in found]


# Learning curves


def around(items: int, mean: float, reach: float = 0.02) -> CurvePoint:
    return CurvePoint(items, (mean - reach, mean + reach))


def test_the_curve_ends_where_no_later_point_is_better():
    # .02 apart, a variance of .0002 each: t = .1 / √.0002 = 7.1, p = .01 with two degrees of
    # freedom; then .01 / √.0005 = .4.
    curve = [around(10, 0.61, 0.01), around(20, 0.71, 0.01), around(30, 0.72)]
    assert learning_curve_end(curve) == 20
    assert learning_curve_end(curve[::-1]) == 20


def test_small_steps_up_are_seen_once_they_add_up():
    # Each mean has the variance .0004, t = difference / √.0008: 1.4 for one step, 2.8 for two
    # (p = .053), 4.2 for three (p = .026).
    curve = [around(n, 0.6 + 0.04 * n) for n in range(4)]
    assert learning_curve_end(curve[:3]) == 0
    assert learning_curve_end(curve) == 1


def test_a_curve_that_still_rises_has_no_end():
    assert learning_curve_end([around(10, 0.5), around(20, 0.7)]) is None


def test_a_curve_that_falls_ended_at_once():
    assert learning_curve_end([around(0, 0.7), around(20, 0.5), around(30, 0.4)]) == 0


def test_means_without_spread_are_compared_as_they_are():
    curve = [CurvePoint(n, (mean, mean)) for n, mean in ((10, 0.6), (20, 0.7), (30, 0.7))]
    assert learning_curve_end(curve) == 20


def test_nothing_is_said_of_single_accuracies_or_a_single_point():
    assert learning_curve_end([]) is None
    assert learning_curve_end([around(10, 0.7)]) is None
    assert learning_curve_end([around(10, 0.7), CurvePoint(20, (0.7,)), around(30, 0.7)]) is None


def test_two_points_of_as_many_items_are_refused():
    with pytest.raises(ValueError, match=r"\[10, 10\]"):
        learning_curve_end([around(10, 0.7), around(10, 0.8)])
