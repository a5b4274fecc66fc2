"""Keywords or documents: the choice follows what past sessions gained per second."""

import json
import math
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from models_ml.core.policy import FALLBACK_SECONDS, FEWEST_OBSERVATIONS, Kind, Observation, decide

K, D = Kind.KEYWORD, Kind.DOCUMENT
PLENTY = {K: 100, D: 100}
SEEDS = range(200)


def past(kind, gain, *, sessions=10, items=25, seconds=500.0):
    return [Observation(kind, items, seconds, gain)] * sessions


def chosen(observations, *, asked=None, left=PLENTY, block=5):
    """Return how often each kind is chosen over many seeds."""
    asked = asked or {K: 0, D: 0}
    decisions = (decide(observations, asked=asked, left=left, block=block, seed=s) for s in SEEDS)
    return Counter(decision.kind for decision in decisions)


def test_while_too_little_is_known_the_kinds_take_turns():
    seen = past(K, 9) + past(D, 0, sessions=FEWEST_OBSERVATIONS - 1)
    asked, order = {K: 5, D: 0}, []
    for _ in range(4):
        decision = decide(seen, asked=asked, left=PLENTY, block=5, seed=0)
        order.append(decision.kind)
        asked = asked | {decision.kind: asked[decision.kind] + 5}
    assert order == [D, K, D, K]
    assert "Too little is known" in decision.reason


def test_the_kind_that_gained_more_is_asked():
    counts = chosen(past(K, 8) + past(D, 1))
    assert counts[K] > 0.95 * len(SEEDS)


def test_of_equal_kinds_both_are_tried():
    counts = chosen(past(K, 4) + past(D, 4))
    assert min(counts[K], counts[D]) > 0.3 * len(SEEDS)


def test_of_equal_gains_the_quicker_kind_is_asked():
    counts = chosen(past(K, 6, seconds=1000) + past(D, 6, seconds=100))
    assert counts[D] > 0.95 * len(SEEDS)


def test_gains_diminish_so_that_a_session_changes_over():
    seen = past(K, 6, sessions=40) + past(D, 4, sessions=40)
    assert chosen(seen)[K] > chosen(seen)[D]
    after_many = chosen(seen, asked={K: 50, D: 0})
    assert after_many[D] > 0.95 * len(SEEDS)


def test_the_figures_are_those_of_the_model_worked_by_hand():
    seen = past(K, 2 * math.log1p(9), sessions=2, items=9, seconds=90) + past(D, 0, sessions=2)
    decision = decide(seen, asked={K: 4, D: 0}, left=PLENTY, block=5, seed=3)
    keywords = decision.worths[0]
    assert keywords.rate == pytest.approx(2 * 2 / 2.5)
    spread = (10 / math.log1p(50)) / math.sqrt(2)
    assert keywords.sd == pytest.approx(spread / math.sqrt(2.5))
    assert keywords.drawn == pytest.approx(
        np.random.default_rng(3).normal(keywords.rate, keywords.sd)
    )
    assert keywords.seconds_per_item == 10
    assert keywords.expected_points == pytest.approx(keywords.drawn * math.log(10 / 5))
    assert keywords.points_per_minute == pytest.approx(60 * keywords.expected_points / 50)


def test_what_loses_accuracy_is_not_asked():
    counts = chosen(past(K, -6, sessions=20) + past(D, 2, sessions=20))
    assert counts[D] > 0.95 * len(SEEDS)


def seconds_per_item(seen):
    worths = decide(seen, asked={}, left=PLENTY, block=5, seed=0).worths
    return [worth.seconds_per_item for worth in worths]


def test_sessions_that_nobody_timed_say_nothing_of_seconds():
    untimed = past(K, 5, seconds=0)
    timed = past(K, 5, seconds=50, sessions=1) + past(D, 5, seconds=250)
    assert seconds_per_item(untimed + timed) == [2, 10]
    assert seconds_per_item(untimed + past(D, 5, seconds=250)) == [10, 10]
    assert seconds_per_item(untimed + past(D, 5, seconds=0)) == [FALLBACK_SECONDS] * 2


def test_untimed_sessions_do_not_make_a_kind_a_bargain():
    counts = chosen(past(K, 4, seconds=0) + past(D, 8, seconds=500))
    assert counts[D] > 0.9 * len(SEEDS)


def test_a_block_is_worth_only_the_items_that_are_left():
    seen = past(K, 9) + past(D, 0)
    decision = decide(seen, asked={}, left={K: 3, D: 50}, block=5, seed=0)
    keywords, documents = decision.worths
    assert (keywords.items, documents.items) == (3, 5)
    assert keywords.expected_points == pytest.approx(keywords.drawn * math.log(4))
    assert decision.reason.startswith("The next 3 keywords are worth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "magic"}, "no kind 'magic', only keyword, document"),
        ({"items": -1}, "-1 keywords"),
        ({"seconds": -1.0}, r"-1\.0 seconds"),
        ({"seconds": math.inf}, "inf seconds"),
        ({"gain_points": math.nan}, "nan points"),
    ],
)
def test_observations_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(Observation(K, 5, 60.0, 1.0), **change)


def test_a_block_without_items_is_refused():
    with pytest.raises(ValueError, match="block of 0"):
        decide([], asked={}, left=PLENTY, block=0, seed=0)


def test_one_kind_that_is_left_is_asked_and_said_so():
    decision = decide(past(K, 9) + past(D, 0), asked={}, left={K: 0, D: 3}, block=5, seed=0)
    assert (decision.kind, decision.reason) == (D, "Only documents were left to ask about.")


def test_nothing_left_is_an_error():
    with pytest.raises(ValueError, match="no keyword and no document is left"):
        decide([], asked={}, left={K: 0, D: 0}, block=5, seed=0)


def test_a_decision_repeats_from_its_seed_and_is_json():
    seen = past(K, 3) + past(D, 4)
    first, again = (decide(seen, asked={}, left=PLENTY, block=5, seed=7) for _ in range(2))
    assert first == again
    assert json.loads(json.dumps(asdict(first)))["kind"] == first.kind
    read_back = [Observation(**data) for data in json.loads(json.dumps([asdict(o) for o in seen]))]
    assert decide(read_back, asked={}, left=PLENTY, block=5, seed=7) == first


def test_over_many_sessions_it_gains_more_than_half_and_half():
    """True worths are 1.2 and 0.6 points per unit of log(1 + items), observed with noise."""
    true = {K: 1.2, D: 0.6}

    def gain(kinds):
        counts = Counter(kinds)
        return sum(true[kind] * math.log1p(5 * counts[kind]) for kind in Kind)

    chance, seen, gained = np.random.default_rng(1), [], []
    for session in range(40):
        asked, kinds = {K: 0, D: 0}, []
        for block in range(10):
            decision = decide(seen, asked=asked, left=PLENTY, block=5, seed=100 * session + block)
            kinds.append(decision.kind)
            asked[decision.kind] += 5
        gained.append(gain(kinds))
        for kind, items in asked.items():
            if items:
                noisy = true[kind] * math.log1p(items) + chance.normal(0, 1)
                seen.append(Observation(kind, items, 20.0 * items, noisy))
    best = max(gain([K] * n + [D] * (10 - n)) for n in range(11))
    half = gain([K] * 5 + [D] * 5)
    assert best > half
    late = gained[20:]
    assert best - np.mean(late) < best - half
