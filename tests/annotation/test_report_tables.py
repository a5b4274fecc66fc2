"""A report as a long table."""

import csv
from io import StringIO

from annotation.reporting.tables import as_csv, rows

REPORT = {
    "name": "Demo",
    "test_documents": None,
    "arms": ({"arm": "base", "mean": 0.75, "accuracies": (0.7, 0.8)},),
    "findings": {
        "curve_end": 10,
        "tests": [{"kind": "paired", "arm": "clime", "against": "base", "p_value": 0.003}],
        "movement": {"accepted": 3, "against": [{"keyword": "nurse", "word": "maji", "sign": 1}]},
    },
    "worth": {"hours": 0.5, "above_base": {"points": -1.5}},
    "jobs": (),
}


def test_every_figure_has_a_row_that_says_where_it_stands():
    assert list(rows(REPORT)) == [
        ("report", "", "name", "Demo"),
        ("report", "", "test_documents", ""),
        ("arms", "base", "arm", "base"),
        ("arms", "base", "mean", "0.75"),
        ("arms", "base", "accuracies.1", "0.7"),
        ("arms", "base", "accuracies.2", "0.8"),
        ("findings", "", "curve_end", "10"),
        ("findings.tests", "clime base paired", "kind", "paired"),
        ("findings.tests", "clime base paired", "arm", "clime"),
        ("findings.tests", "clime base paired", "against", "base"),
        ("findings.tests", "clime base paired", "p_value", "0.003"),
        ("findings.movement", "", "accepted", "3"),
        ("findings.movement.against", "nurse maji", "keyword", "nurse"),
        ("findings.movement.against", "nurse maji", "word", "maji"),
        ("findings.movement.against", "nurse maji", "sign", "1"),
        ("worth", "", "hours", "0.5"),
        ("worth.above_base", "", "points", "-1.5"),
    ]


def test_the_table_is_read_back_with_its_header():
    table = list(csv.reader(StringIO(as_csv({"name": 'a "b",\nc', "gain": -1.5}))))
    assert table[0] == ["section", "row", "column", "value"]
    assert table[1:] == [["report", "", "name", 'a "b",\nc'], ["report", "", "gain", "-1.5"]]


def test_text_that_a_spreadsheet_would_compute_is_text():
    table = list(csv.reader(StringIO(as_csv({"annotator": "=1+1", "gain": -1.5}))))
    assert [row[3] for row in table[1:]] == ["'=1+1", "-1.5"]
