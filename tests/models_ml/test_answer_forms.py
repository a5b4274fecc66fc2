"""Every answer is a value from -1 to +1."""

import pytest

from models_ml.core.answer_forms import (
    GRADES,
    grade_of_value,
    value_of_grade,
    values_of_ranking,
)


def test_five_grades_go_from_minus_one_to_one_with_nothing_in_the_middle():
    assert [value_of_grade(grade) for grade in GRADES] == [-1, -0.5, 0, 0.5, 1]


def test_a_grade_can_be_told_from_its_value():
    assert [grade_of_value(value_of_grade(grade)) for grade in GRADES] == list(GRADES)


@pytest.mark.parametrize("grade", [-1, 5])
def test_a_grade_that_there_is_not_is_refused(grade):
    with pytest.raises(ValueError, match=str(grade)):
        value_of_grade(grade)


def test_the_best_counts_fully_and_the_least_sure_the_least():
    values = values_of_ranking(["a", "b", "c", "d"], ["z", "y"])
    assert values == {"a": 1, "b": 0.75, "c": 0.5, "d": 0.25, "z": -1, "y": -0.5}


def test_a_word_alone_on_its_side_counts_as_a_verdict_does():
    assert values_of_ranking(["a"], ["z"]) == {"a": 1, "z": -1}
    assert values_of_ranking([], []) == {}


def test_a_word_cannot_be_in_two_places():
    with pytest.raises(ValueError, match="'a' is ranked twice"):
        values_of_ranking(["a"], ["a"])
