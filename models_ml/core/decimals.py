"""Many decimal numbers at once: a file of word vectors holds millions of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SPACE, _MINUS, _POINT, _ZERO = (np.uint8(ord(character)) for character in " -.0")
_MOST_DIGITS = 18  # fit an int64
_POWERS_OF_TEN = 10.0 ** np.arange(_MOST_DIGITS + 1)


def parse_decimals(text: bytes) -> NDArray[np.float64]:
    """Return the numbers of a text in which one space follows each number, also the last.

    Equal to Python's float() up to 15 digits (one division of two exact numbers), and within
    a unit of a float64's last place beyond. Plain numbers are added up digit by digit, all
    numbers at once; others (exponents, "nan") go through float(). Raises ValueError for what
    is not a number.
    """
    characters = np.frombuffer(text, dtype=np.uint8)
    digits = characters - _ZERO  # whatever is no digit wraps around to more than 9
    marks = np.flatnonzero(digits > 9)
    kinds = characters[marks]
    spaces = np.flatnonzero(kinds == _SPACE)
    ends = marks[spaces]
    starts = np.append(0, ends[:-1] + 1)
    negative = characters[starts] == _MINUS
    before = np.maximum(spaces - 1, 0)  # a number's point is the last mark before its end
    point = np.where(kinds[before] == _POINT, marks[before], ends)

    whole, fraction = point - starts - negative, np.maximum(ends - point - 1, 0)
    other_marks = np.diff(spaces, prepend=-1) - 1 - negative - (point < ends)
    length = whole + fraction
    plain = (other_marks == 0) & (length > 0) & (length <= _MOST_DIGITS)
    if plain.mean() < 0.9:
        return _parse_one_by_one(text)

    whole, fraction = whole * plain, fraction * plain
    mantissa = np.zeros(ends.size, dtype=np.int64)
    for place in range(int(whole.max()), 0, -1):
        _append(digits, point - place, mantissa, where=whole >= place)
    for place in range(1, int(fraction.max()) + 1):
        _append(digits, np.minimum(point + place, ends), mantissa, where=fraction >= place)
    numbers: NDArray[np.float64] = mantissa / _POWERS_OF_TEN[fraction]
    np.negative(numbers, out=numbers, where=negative)
    odd = np.flatnonzero(~plain)
    if odd.size:
        odd_text = b"".join(text[starts[i] : ends[i] + 1] for i in odd)
        numbers[odd] = _parse_one_by_one(odd_text)
    return numbers


def _append(
    digits: NDArray[np.uint8],
    at: NDArray[np.int64],
    mantissa: NDArray[np.int64],
    *,
    where: NDArray[np.bool_],
) -> None:
    """Write one more decimal digit behind each mantissa that has one there."""
    np.multiply(mantissa, 10, out=mantissa, where=where)
    np.add(mantissa, digits[at], out=mantissa, where=where)


def _parse_one_by_one(text: bytes) -> NDArray[np.float64]:
    if b"_" in text:
        raise ValueError("float() takes 1_000 for a number, a file of vectors does not")
    return np.array([float(number) for number in text[:-1].split(b" ")])
