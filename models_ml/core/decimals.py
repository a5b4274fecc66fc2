"""Many decimal numbers at once: a file of word vectors holds millions of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SPACE, _MINUS, _POINT, _ZERO = (np.uint8(ord(character)) for character in " -.0")
_MOST_DIGITS = 18  # fit an int64
_POWERS_OF_TEN = 10 ** np.arange(_MOST_DIGITS + 1)
_EIGHT_DIGITS = np.dtype("<u8")  # the first of eight characters in the lowest byte


def parse_decimals(text: bytes) -> NDArray[np.float64]:
    """Return the numbers of a text in which one space follows each number, also the last.

    Equal to Python's float() up to 15 digits (one division of two exact numbers), and within
    a unit of a float64's last place beyond. Plain numbers are added up from their digits, all
    numbers at once; others (exponents, "nan") go through float(). Raises ValueError for what
    is not a number.
    """
    return _parse(text)[0]


def parse_rows(rows: Sequence[bytes], *, columns: int) -> NDArray[np.float64]:
    """Return the numbers of rows, (rows, columns), as `parse_decimals` reads them.

    Raises ValueError where a row is not so many numbers with one space between.
    """
    numbers, ends = _parse(b" ".join(rows) + b" ")
    row_ends = np.cumsum([len(row) + 1 for row in rows]) - 1
    if numbers.size != columns * len(rows) or (ends[columns - 1 :: columns] != row_ends).any():
        raise ValueError("a row has more or fewer numbers than there are columns")
    return numbers.reshape(-1, columns)


def _parse(text: bytes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the numbers and where each one's space is."""
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(characters == _SPACE)
    starts = np.append(0, ends[:-1] + 1)
    negative = characters[starts] == _MINUS
    point, plain = _find_points(characters, starts, negative, ends)
    whole = _one_if_equal(point - starts - negative)
    fraction = np.maximum(_one_if_equal(ends - point) - 1, 0)
    length = whole + fraction
    plain &= (length > 0) & (length <= _MOST_DIGITS)
    odd = np.flatnonzero(~plain)
    if odd.size > 0.1 * ends.size:
        return _parse_one_by_one(text), ends
    if odd.size:
        whole, fraction = np.where(plain, whole, 0), np.where(plain, fraction, 0)

    mantissa = np.zeros(ends.size, dtype=np.int64)
    for place in range(int(whole.max()), 0, -1):
        digits = characters[point - place] - _ZERO
        mantissa *= 10
        mantissa += digits * (whole >= place)
    padded = text + bytes(8)
    for place in range(0, int(fraction.max()), 8):
        digits_here = (fraction - place).clip(0, 8)
        mantissa *= _POWERS_OF_TEN[digits_here]
        mantissa += _up_to_eight_digits(padded, point + (1 + place), digits_here)
    numbers = mantissa.astype(np.float64)
    numbers /= _POWERS_OF_TEN[fraction].astype(np.float64)
    numbers *= 1 - 2 * negative.view(np.int8)
    if odd.size:
        odd_text = b"".join(text[starts[i] : ends[i] + 1] for i in odd)
        numbers[odd] = _parse_one_by_one(odd_text)
    return numbers, ends


def _find_points(
    characters: NDArray[np.uint8],
    starts: NDArray[np.int64],
    negative: NDArray[np.bool_],
    ends: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where each number's point is, its end if it has none, and which are plain.

    A plain number is digits, at most one point among them, after at most one minus.
    """
    plain = np.ones(ends.size, dtype=np.bool_)
    is_mark = characters - _ZERO > 9  # whatever is no digit wraps around to more than 9
    # Most files have as many digits after each point.
    first = np.flatnonzero(characters[: ends[0]] == _POINT)
    point = ends - (ends[0] - first[-1]) if first.size else ends
    has_point = (characters[point] == _POINT) & (point >= starts)
    marks = 2 * ends.size + np.count_nonzero(negative)
    if has_point.all() and np.count_nonzero(is_mark) == marks:
        return point, plain
    points = np.flatnonzero(characters == _POINT)
    number_of = np.searchsorted(ends, points)
    plain[number_of[1:][number_of[1:] == number_of[:-1]]] = False  # a second point
    point = ends.copy()
    point[number_of] = points
    is_mark &= (characters != _SPACE) & (characters != _POINT)
    is_mark[starts[negative]] = False
    plain[np.searchsorted(ends, np.flatnonzero(is_mark))] = False
    return point, plain


def _one_if_equal(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a single count where all are equal: it stands for all, and is quicker to use."""
    return counts[:1] if (counts == counts[0]).all() else counts


def _up_to_eight_digits(
    text: bytes, starts: NDArray[np.int64], count: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the values of the decimal digits that start there, eight characters in one word.

    Pairs of digits become numbers below 100, pairs of those numbers below 10,000, and so on.
    text: seven characters longer than the last digit.
    """
    eights = np.ndarray(len(text) - 7, _EIGHT_DIGITS, text, strides=(1,))  # one from each byte
    digits = eights.take(starts, mode="clip") & np.uint64(0x0F0F0F0F0F0F0F0F)
    digits <<= (8 * (8 - count)).astype(np.uint64)  # the last digit is the highest byte
    for bits, below, kept in (
        (8, 10, 0x00FF00FF00FF00FF),
        (16, 100, 0x0000FFFF0000FFFF),
        (32, 10_000, 0x00000000FFFFFFFF),
    ):
        digits = (digits * np.uint64(below) + (digits >> np.uint64(bits))) & np.uint64(kept)
    return np.where(count > 0, digits, 0).astype(np.int64)


def _parse_one_by_one(text: bytes) -> NDArray[np.float64]:
    if b"_" in text:
        raise ValueError("float() takes 1_000 for a number, a file of vectors does not")
    return np.array([float(number) for number in text[:-1].split(b" ")])
