"""Numbers parsed many at a time are the numbers that Python parses one at a time."""

import random

import numpy as np
import pytest

from models_ml.core.decimals import parse_decimals, parse_rows


def as_text(numbers: list[str]) -> bytes:
    return "".join(f"{number} " for number in numbers).encode()


def random_number(rng: random.Random) -> str:
    value = rng.gauss(0, 10 ** rng.randint(-4, 4))
    pattern = rng.choice(["%.0f", "%.1f", "%.5f", "%.9g", "%.15g", "%+.3f", "%.3e", "%d", "%05.1f"])
    return pattern % value


def test_numbers_of_any_notation_equal_those_of_float() -> None:
    rng = random.Random(0)
    for _ in range(50):
        numbers = [random_number(rng) for _ in range(rng.randint(1, 60))]
        assert parse_decimals(as_text(numbers)).tolist() == [float(number) for number in numbers]


def test_rows_of_numbers_become_rows_of_a_matrix() -> None:
    assert parse_rows([b"1 -0.25 3e1", b".5 6.125 -7"], columns=3).tolist() == [
        [1, -0.25, 30],
        [0.5, 6.125, -7],
    ]


@pytest.mark.parametrize(
    "rows", [[b"1 2", b"3 4 5"], [b"1 2 3 4", b"5 6"], [b"1 2 3"], [b"1 2 3", b""], [b"1  2 3"]]
)
def test_rows_of_other_lengths_are_refused(rows: list[bytes]) -> None:
    with pytest.raises(ValueError):
        parse_rows(rows, columns=2 if rows == [b"1 2 3"] else 3)


@pytest.mark.parametrize("number", ["0", "-0.0", "5.", ".5", "-.5", "007", "1e-7", "+2", "1E5"])
def test_an_unusual_number_is_still_a_number(number: str) -> None:
    alone, among = (
        parse_decimals(as_text([number])),
        parse_decimals(as_text(["1.5"] * 20 + [number])),
    )
    assert alone[0] == among[-1] == float(number)
    assert np.signbit(alone[0]) == np.signbit(among[-1]) == np.signbit(float(number))


def test_seventeen_digits_are_right_to_the_last_place_but_one() -> None:
    numbers = ["0.12345678901234567", "-1.2345678901234567", "0.00000000000000012345678901234567"]
    exact = [float(number) for number in numbers]
    np.testing.assert_allclose(parse_decimals(as_text(numbers)), exact, rtol=3e-16, atol=0)


@pytest.mark.parametrize(
    "junk", ["x", "", "-", ".", "1.2.3", "--1", "1-", "1-2", "1_000", "1,5", "0x10", "٣", "1:2"]
)
@pytest.mark.parametrize("company", [0, 30])
def test_what_is_no_number_is_refused(junk: str, company: int) -> None:
    with pytest.raises(ValueError):
        parse_decimals(as_text(["0.25"] * company + [junk]))
