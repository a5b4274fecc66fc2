"""Findings as sentences."""

from dataclasses import asdict

import pytest

from annotation.reporting.words import (
    comparisons,
    curve_in_words,
    movement_in_words,
    verdict_over_seeds,
)
from models_ml.core.findings import Findings, Movement, Test


def line(*values):
    [shown] = comparisons(Findings(tests=(Test(*values),)).data())
    return list(asdict(shown).values())


def test_people_and_seeds_are_told_apart():
    assert line("paired_people", "clime", "active", 6, -2.04, -3.1, 0.027) == [
        "CLIME is 2.0 points below Active",
        "paired t-test over 6 people",
        "p = 0.027",
        "more than chance",
    ]
    assert line("single_sample", "clime", "base", 6, 4.0, 9.0, 0.0002) == [
        "CLIME is 4.0 points above Base",
        "t-test of 6 people’s accuracies against that of Base",
        "p < 0.001",
        "more than chance",
    ]
    assert line("paired", "active_clime", "base", 10, 0.01, 0.1, 0.05)[:2] == [
        "A+C is as accurate as Base",
        "paired t-test over 10 seeds",
    ]


def test_a_p_of_five_hundredths_is_not_more_than_chance():
    assert line("paired", "clime", "base", 10, 1.0, 2.0, 0.05)[3] == "chance alone may explain it"
    assert line("paired", "clime", "base", 10, 1.0, 2.0, 0.0499)[3] == "more than chance"


def test_what_cannot_be_tested_says_why():
    assert line("paired_people", "clime", "active", 1, 2.0, None, None, "there is one value") == [
        "CLIME is 2.0 points above Active",
        "paired t-test over 1 person",
        "–",
        "not tested: there is one value",
    ]


def test_only_the_paired_test_against_base_is_part_of_an_arms_sentence():
    tests = (
        Test("paired", "clime", "aligned", 10, 1.0, 2.0, 0.01),
        Test("mcnemar", "clime", "base", 90, 1.0, None, 0.2),
    )
    assert verdict_over_seeds(Findings(tests=tests).data(), "clime") == ""
    assert verdict_over_seeds({}, "clime") == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (0.25, "moved closer to their keywords: cosine +0.250 on average."),
        (-0.0312, "moved away from their keywords: cosine −0.031 on average."),
        (0.0004, "stayed as near to their keywords as before, on average."),
    ],
)
def test_the_direction_of_a_movement_is_told(change, words):
    findings = Findings(movement=Movement(3, 0, change, None, ())).data()
    assert movement_in_words(findings) == [f"The 3 accepted words {words}"]


def test_a_curve_is_spoken_of_where_there_is_one():
    end = Findings(curve_end=20).data()
    assert curve_in_words(end, [10, 20]) == "After 20 keywords, more did not help measurably."
    assert "does not tell yet" in curve_in_words(Findings().data(), [10, 20])
    assert curve_in_words(end, []) == curve_in_words({}, [10]) == ""
