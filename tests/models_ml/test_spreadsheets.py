"""Tables that spreadsheets open."""

import csv
from io import StringIO

import pytest

from models_ml.spreadsheets import as_text, as_typed, csv_of, harmless

FORMULAS = ["=1+1", "+cmd", "-2+3", "@sum", "\tx", "\r=x", "-", "+1 2"]


@pytest.mark.parametrize("text", [*FORMULAS, "+255712345678", "-1.5"])
def test_a_persons_text_is_never_computed(text):
    assert as_text(text) == f"'{text}"
    assert as_typed(as_text(text)) == text


@pytest.mark.parametrize("text", ["amina", "'amina'", "a=b", ""])
def test_other_text_stays_as_it_is(text):
    assert as_text(text) == text
    assert as_typed(text) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_a_spreadsheet_takes_no_text_for_a_formula(text):
    assert harmless([text]) == [f"'{text}"]


@pytest.mark.parametrize("text", ["-1.5", "+3", "-2e-05", "0.75", "word", "a=b", ""])
def test_plain_numbers_and_harmless_text_stay_as_they_are(text):
    assert harmless([text]) == [text]


def test_a_table_is_read_back_cell_by_cell():
    table = csv_of(["name", "note"], [['a "b",\nc', "\rd"]])
    assert list(csv.reader(StringIO(table, newline=""))) == [["name", "note"], ['a "b",\nc', "\rd"]]
