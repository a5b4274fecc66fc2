"""Consensus: crowd-kit's numbers, answers worked by hand, and what every method owes its users."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from models_ml.core.aggregation import (
    AGGREGATORS,
    DEFAULT_AGGREGATOR,
    Votes,
    aggregate,
    constraint_weights,
    dawid_skene,
    majority,
    one_coin,
    strengths_behind,
    weighted,
)
from models_ml.core.mace import digamma, mace

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "crowd_kit.json").read_text())
FLAT = {"accuracy_prior": (1, 1), "share_prior": (1, 1)}
every_method = pytest.mark.parametrize("method", AGGREGATORS)


def votes_of(rows, items, annotators):
    """Return the votes of rows (item, annotator, accepted)."""
    item, annotator, accepted = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Votes(item, annotator, accepted.astype(bool), items, annotators)


def recorded_votes():
    return votes_of(RECORDED["votes"], 40, 7)


def simulated(accuracies, *, items=200, share=0.5, asked=1.0, seed=0):
    """Return the truth, (items,), and the votes of annotators of these accuracies."""
    generator = np.random.default_rng(seed)
    truth = generator.random(items) < share
    item, annotator = np.divmod(np.arange(items * len(accuracies)), len(accuracies))
    right = generator.random(len(item)) < np.asarray(accuracies)[annotator]
    chosen = generator.random(len(item)) < asked
    accepted = truth[item] == right
    votes = Votes(item[chosen], annotator[chosen], accepted[chosen], items, len(accuracies))
    return truth, votes


def accuracy(posterior, truth):
    return np.mean(np.where(posterior == 0.5, 0.5, (posterior > 0.5) == truth))


# --- crowd-kit --------------------------------------------------------------------------------
def test_majority_is_crowd_kits():
    posterior = majority(recorded_votes()).posterior
    assert posterior == pytest.approx(RECORDED["majority"]["posterior"], abs=1e-6)


@pytest.mark.parametrize("method", [one_coin, dawid_skene])
def test_with_flat_priors_expectation_maximisation_ends_where_crowd_kits_does(method):
    result = method(recorded_votes(), **FLAT)
    expected = RECORDED[method.__name__]
    assert result.posterior == pytest.approx(expected["posterior"], abs=5e-6)
    assert result.reliability == pytest.approx(expected["reliability"], abs=5e-6)


def test_mace_ends_where_crowd_kits_does():
    result = mace(recorded_votes())
    competence = 2 * result.reliability - 1
    assert result.posterior == pytest.approx(RECORDED["mace"]["posterior"], abs=1e-5)
    assert competence == pytest.approx(RECORDED["mace"]["reliability"], abs=1e-5)


def test_the_weighted_vote_decides_as_crowd_kits_wawa_but_for_the_adversary():
    # Wawa weighs by agreement with a majority that holds the annotator's own vote, and takes no
    # log-odds, so an adversary's vote still counts a little as it stands. Ours turns it around.
    # So only decisions compare; both know no model under which probabilities would be the same.
    votes = recorded_votes()
    ours = weighted(votes).posterior > 0.5
    differ = np.flatnonzero(ours != (np.array(RECORDED["wawa"]["posterior"]) > 0.5))
    assert differ.tolist() == [14, 37]
    assert set(differ) <= set(votes.item[votes.annotator == 6])


def test_on_the_recorded_votes_every_model_beats_the_majority():
    truth = np.array(RECORDED["truth"], dtype=bool)
    shares = {m: accuracy(aggregate(recorded_votes(), m).posterior, truth) for m in AGGREGATORS}
    assert shares.pop("majority") == pytest.approx(0.8625)  # five ties count half
    assert min(shares.values()) > 0.9


# --- Worked by hand ---------------------------------------------------------------------------
def test_majority_is_the_share_of_accepts_and_a_tie_is_undecided():
    rows = [(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 1), (1, 1, 0), (2, 2, 0)]
    assert majority(votes_of(rows, 4, 3)).posterior == pytest.approx([2 / 3, 0.5, 0, 0.5])


def test_reliability_is_the_hand_worked_agreement_with_the_others():
    # Three agree on item 0. On item 1 annotator 2 stands alone; for 0 and 1 the others are tied.
    rows = [(0, 0, 1), (0, 1, 1), (0, 2, 1), (1, 0, 1), (1, 1, 1), (1, 2, 0)]
    # With Beta(4, 2), three more right and one more wrong: (1 + 3) / (1 + 4), (1 + 3) / (2 + 4).
    result = weighted(votes_of(rows, 2, 3))
    assert result.reliability == pytest.approx([4 / 5, 4 / 5, 4 / 6])
    # Odds 4 · 4 / 2 for item 1.
    assert result.posterior == pytest.approx([32 / 33, 8 / 9])


def test_one_vote_of_a_stranger_is_right_three_times_in_four():
    result = weighted(votes_of([(0, 0, 1), (1, 0, 0)], 2, 1))
    assert result.reliability == pytest.approx([0.75])
    assert result.posterior == pytest.approx([0.75, 0.25])


def test_a_step_of_one_coin_leaves_its_result_where_it_is():
    votes = recorded_votes()
    result = one_coin(votes)
    p = result.posterior
    right = np.where(votes.accepted, p[votes.item], 1 - p[votes.item])
    of_annotator = [right[votes.annotator == a] for a in range(7)]
    accuracies = np.array([(each.sum() + 3) / (len(each) + 4) for each in of_annotator])
    assert result.reliability == pytest.approx(accuracies)
    prior = (p.sum() + 10) / (40 + 20)
    for item in (0, 17, 39):
        odds = prior / (1 - prior)
        for annotator, accepted in zip(
            votes.annotator[votes.item == item], votes.accepted[votes.item == item], strict=True
        ):
            ratio = accuracies[annotator] / (1 - accuracies[annotator])
            odds *= ratio if accepted else 1 / ratio
        assert p[item] == pytest.approx(odds / (1 + odds), abs=1e-6)


def test_digamma_is_scipys():
    x = np.concatenate([np.geomspace(1e-3, 1e5, 200), [0.5, 1.0, 10.0]])
    assert digamma(x) == pytest.approx(special.digamma(x), rel=1e-11, abs=1e-11)


def test_a_weight_is_signed_and_as_large_as_the_posterior_is_sure():
    weights = constraint_weights(np.array([0.0, 0.25, 0.5, 0.9, 1.0]))
    assert weights == pytest.approx([-1, -0.5, 0, 0.8, 1])


# --- Who is to be trusted ---------------------------------------------------------------------
@every_method
def test_annotators_are_ranked_by_how_often_they_err(method):
    _, votes = simulated([0.98, 0.85, 0.7, 0.97, 0.55], items=400, asked=0.8)
    reliability = aggregate(votes, method).reliability
    assert min(reliability[[0, 3]]) > reliability[1] > reliability[2] > reliability[4]


@pytest.mark.parametrize("method", ["one_coin", "dawid_skene"])
def test_reliability_is_how_often_the_annotator_is_right(method):
    accuracies = [0.95, 0.9, 0.8, 0.7, 0.6, 0.85]
    _, votes = simulated(accuracies, items=1000, share=0.4)
    assert aggregate(votes, method).reliability == pytest.approx(accuracies, abs=0.04)


@pytest.mark.parametrize("method", [m for m in AGGREGATORS if m != "mace"])
def test_an_adversary_is_below_one_half(method):
    _, votes = simulated([0.9, 0.9, 0.9, 0.1])
    reliability = aggregate(votes, method).reliability
    assert reliability[3] < 0.3
    assert min(reliability[:3]) > 0.7


def test_to_mace_an_adversary_knows_nothing():
    _, votes = simulated([0.9, 0.9, 0.9, 0.1])
    assert mace(votes).reliability[3] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("method", ["weighted", "one_coin", "dawid_skene"])
def test_an_adversarys_vote_is_turned_around(method):
    _, votes = simulated([0.9, 0.9, 0.9, 0.1])
    item, annotator = votes.item, votes.annotator
    rows = [*zip(item, annotator, votes.accepted, strict=True), (200, 3, 0), (201, 3, 1)]
    posterior = aggregate(votes_of(rows, 202, 4), method).posterior
    assert posterior[200] > 0.6
    assert posterior[201] < 0.4


@pytest.mark.parametrize("method", ["one_coin", "dawid_skene", "mace"])
def test_two_careful_annotators_outweigh_five_who_guess(method):
    truth, votes = simulated([0.97, 0.97, 0.5, 0.5, 0.5, 0.5, 0.5], items=300, seed=3)
    result = aggregate(votes, method)
    assert accuracy(result.posterior, truth) > 0.94
    assert accuracy(majority(votes).posterior, truth) < 0.85
    assert min(result.reliability[:2]) > max(result.reliability[2:]) + 0.2


@pytest.mark.parametrize("method", ["one_coin", "dawid_skene", "mace"])
def test_one_careful_annotator_beats_the_majority_among_careless_ones(method):
    truth, votes = simulated([0.98, 0.65, 0.65, 0.6, 0.6], items=500)
    result = aggregate(votes, method)
    assert np.argmax(result.reliability) == 0
    assert accuracy(result.posterior, truth) > accuracy(majority(votes).posterior, truth) + 0.1


def test_who_accepts_everything_is_found_by_dawid_and_skene():
    truth, votes = simulated([0.9, 0.9, 0.9], items=400, share=0.3)
    item, annotator = np.r_[votes.item, np.arange(400)], np.r_[votes.annotator, np.full(400, 3)]
    votes = Votes(item, annotator, np.r_[votes.accepted, np.ones(400, dtype=bool)], 400, 4)
    assert dawid_skene(votes).reliability[3] == pytest.approx(truth.mean(), abs=0.05)


# --- One person alone -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("method", "items", "accepts"),
    list(product(AGGREGATORS, [10, 300], [0.1, 0.5, 0.7, 0.9])),
)
def test_the_consensus_of_one_person_is_that_persons_answers(method, items, accepts):
    accepted = np.arange(items) < round(items * accepts)
    votes = Votes(np.arange(items), np.zeros(items, dtype=np.int64), accepted, items, 1)
    result = aggregate(votes, method)
    assert ((result.posterior > 0.5) == accepted).all()
    assert 0.5 < result.reliability[0] < 1
    if method != "majority":
        assert 0 < result.posterior.min() < 0.5 < result.posterior.max() < 1


# --- What every method keeps to ---------------------------------------------------------------
@every_method
def test_with_accept_and_reject_swapped_every_probability_is_its_complement(method):
    votes = recorded_votes()
    swapped = Votes(votes.item, votes.annotator, ~votes.accepted, votes.items, votes.annotators)
    ours, theirs = aggregate(votes, method), aggregate(swapped, method)
    assert theirs.posterior == pytest.approx(1 - ours.posterior, abs=1e-5)
    assert theirs.reliability == pytest.approx(ours.reliability, abs=1e-5)


@every_method
def test_the_order_of_the_votes_does_not_matter(method):
    votes = recorded_votes()
    order = np.random.default_rng(1).permutation(len(votes.item))
    shuffled = Votes(votes.item[order], votes.annotator[order], votes.accepted[order], 40, 7)
    ours, theirs = aggregate(votes, method), aggregate(shuffled, method)
    assert theirs.posterior == pytest.approx(ours.posterior, abs=1e-9)
    assert theirs.reliability == pytest.approx(ours.reliability, abs=1e-9)


@every_method
def test_the_same_votes_give_the_same_numbers(method):
    first, second = (aggregate(recorded_votes(), method) for _ in range(2))
    assert np.array_equal(first.posterior, second.posterior)
    assert np.array_equal(first.reliability, second.reliability)


@every_method
def test_where_all_agree_there_is_no_doubt(method):
    rows = [(item, annotator, item < 6) for item in range(10) for annotator in range(4)]
    result = aggregate(votes_of(rows, 10, 4), method)
    assert result.posterior[:6].min() > 0.95
    assert result.posterior[6:].max() < 0.05
    assert result.reliability.min() > 0.7


@every_method
def test_nobodys_items_are_undecided_and_annotators_without_votes_have_the_prior(method):
    _, votes = simulated([0.9, 0.8, 0.7], items=30)
    wider = Votes(votes.item, votes.annotator, votes.accepted, 32, 4)
    ours, result = aggregate(votes, method), aggregate(wider, method)
    assert result.posterior[30:].tolist() == [0.5, 0.5]
    assert result.reliability[3] == pytest.approx(0.75)
    assert result.posterior[:30] == pytest.approx(ours.posterior, abs=1e-5)


@every_method
@pytest.mark.parametrize(("items", "annotators"), [(3, 2), (0, 0), (0, 1)])
def test_no_votes_at_all_are_fine(method, items, annotators):
    result = aggregate(votes_of([], items, annotators), method)
    assert result.posterior.tolist() == [0.5] * items
    assert result.reliability == pytest.approx([0.75] * annotators)


@every_method
def test_a_large_crowd_does_not_overflow(method):
    truth, votes = simulated([0.9] * 300, items=20)
    posterior = aggregate(votes, method).posterior
    assert np.isfinite(posterior).all()
    assert accuracy(posterior, truth) == 1


# --- Refusals ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(2, 0, 1)], "item 2 is not among the 2 from 0"),
        ([(-1, 0, 1)], "item -1 is not among the 2 from 0"),
        ([(0, 3, 1)], "annotator 3 is not among the 3 from 0"),
        ([(0, 0, 1), (1, 2, 1), (1, 2, 0)], "annotator 2 voted more than once on item 1"),
    ],
)
def test_bad_votes_are_named(rows, message):
    with pytest.raises(ValueError, match=message):
        votes_of(rows, 2, 3)


def test_unequal_lengths_and_signs_for_answers_are_refused():
    one, two = np.zeros(1, dtype=np.int64), np.arange(2)
    with pytest.raises(ValueError, match=r"not as many: \(2, 2, 1\)"):
        Votes(two, two, np.array([True]), 2, 2)
    with pytest.raises(ValueError, match="answers are booleans, not int64"):
        Votes(one, one, np.array([-1]), 1, 1)


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="'vote' is none of majority, weighted, one_coin, dawid"):
        aggregate(recorded_votes(), "vote")
    assert DEFAULT_AGGREGATOR in AGGREGATORS


def test_the_web_process_can_import_consensus_and_agreement():
    script = (
        "import sys, models_ml.core.aggregation, models_ml.core.agreement;"
        "sys.exit(' '.join(sorted({'torch', 'scipy', 'django'} & set(sys.modules))) or 0)"
    )
    home = Path(__file__).parents[2]
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


# --- Strengths --------------------------------------------------------------------------------
def test_the_strength_behind_an_item_is_the_mean_of_the_votes_that_won():
    votes = votes_of([(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0), (1, 1, 1)], 2, 3)
    strengths = np.array([1.0, 0.5, 0.1, 0.25, 1.0])
    found = strengths_behind(np.array([0.9, 0.2]), votes, strengths)
    assert found == pytest.approx([0.75, 0.25])


def test_where_nobody_voted_for_the_outcome_or_votes_tie_all_votes_count():
    votes = votes_of([(0, 0, 1), (1, 0, 1), (1, 1, 0)], 2, 2)
    found = strengths_behind(np.array([0.3, 0.5]), votes, np.array([0.5, 1.0, 0.5]))
    assert found == pytest.approx([0.5, 0.75])


@every_method
def test_plain_votes_have_full_strength_by_every_method(method):
    votes = recorded_votes()
    posterior = aggregate(votes, method).posterior
    found = strengths_behind(posterior, votes, np.ones(len(votes.item)))
    assert (found == 1).all()


def test_no_votes_have_no_strengths():
    nothing = votes_of([], 0, 0)
    assert strengths_behind(np.empty(0), nothing, np.empty(0)).shape == (0,)
