import pytest
from scipy.special import stdtrit

from models_ml.core.intervals import mean_with_interval, student_t
from models_ml.core.significance import mean_interval


def test_the_interval_is_the_one_of_scipy():
    values = [0.81, 0.79, 0.84, 0.8]
    mean, low, high = mean_with_interval(values)
    assert mean == pytest.approx(0.81)
    assert (low, high) == pytest.approx(mean_interval(values), abs=1e-6)


@pytest.mark.parametrize("df", [1, 2, 9, 10, 11, 30, 1000])
def test_students_t_is_right_to_five_digits(df):
    assert student_t(df) == pytest.approx(stdtrit(df, 0.975), abs=1e-5)


def test_one_value_has_no_interval_and_none_no_mean():
    assert mean_with_interval([0.8]) == (0.8, None, None)
    with pytest.raises(ValueError, match="no values"):
        mean_with_interval([])
    with pytest.raises(ValueError, match="0 degrees"):
        student_t(0)
