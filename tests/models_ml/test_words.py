"""How words are looked for."""

import pytest

from models_ml.models import fold


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("HOPITAL", "hôpital"),
        ("ho\u0302pital", "h\u00f4pital"),
        ("වෛද්ය", "වෛද්\u200dය"),  # a phone's keyboard leaves the joiner out
        ("می\u200cخواهم", "میخواهم"),
        ("strasse", "Straße"),
        ("يارا", "\u0626ارا"),  # a letter that carries a hamza
    ],
)
def test_a_search_forgives_case_marks_and_joiners(typed, stored):
    assert fold(typed) == fold(stored)


def test_letters_that_differ_stay_apart():
    assert len({fold(word) for word in ("hospitali", "hospital", "ሆስፒታል", "රෝහල")}) == 4
