"""The feedback file: verdicts become constraints, the latest one holds, errors are placed."""

import ast
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from models_ml.core.constraints import (
    COLUMNS,
    Constraint,
    FeedbackRow,
    SuggestionWarning,
    read_feedback,
    read_rows,
    write_feedback,
)
from models_ml.core.embeddings import Embedding
from models_ml.core.errors import InputError

# Word ids of the tiny embedding.
FEVER, DOCTOR, HOSPITAL, MEDICINE, RAIN = 2, 3, 4, 5, 6
HOMA, DAKTARI, DAWA, SOKO = 11, 12, 14, 16


def feedback(folder: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    path = folder / "feedback.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="[]", extrasaction="ignore")
        writer.writeheader()
        writer.writerows({"timestamp": "2019-07-23 18:48:19.844286"} | row for row in rows)
    return path


def test_verdicts_become_constraints_by_keyword_and_word_id(
    tmp_path: Path, tiny_embedding: Embedding
) -> None:
    path = feedback(
        tmp_path,
        {"keyword": "medicine", "pos2": "['dawa']", "neg1": "['rain']", "new2": "['homa']"},
        {"keyword": "fever", "pos1": '["medicine", "doctor"]', "neg2": '["soko"]'},
    )
    assert read_feedback(path, tiny_embedding) == [
        Constraint(MEDICINE, RAIN, -1),
        Constraint(MEDICINE, HOMA, +1),
        Constraint(MEDICINE, DAWA, +1),
        Constraint(FEVER, DOCTOR, +1),
        Constraint(FEVER, MEDICINE, +1),
        Constraint(FEVER, SOKO, -1),
    ]


def test_a_file_of_the_published_tool_is_read_to_the_letter(
    tmp_path: Path, tiny_embedding: Embedding
) -> None:
    path = tmp_path / "feedback.csv"
    path.write_text(
        "keyword,timestamp,pos1,pos2,neg1,neg2,new1,new2\n"
        "fever,2019-07-23 18:55:18.194896,\"['doctor', 'medicine']\",['homa'],[],"
        "\"['soko', 'mvua']\",[],['homa']\n"
    )
    constraints = read_feedback(path, tiny_embedding)
    assert {(c.neighbour, c.sign) for c in constraints} == {
        (DOCTOR, 1), (MEDICINE, 1), (HOMA, 1), (15, -1), (SOKO, -1),
    }  # fmt: skip
    assert {c.weight for c in constraints} == {1.0}


@pytest.mark.parametrize("cell", ["[]", "", "  "])
def test_a_blank_cell_is_an_empty_list(
    tmp_path: Path, tiny_embedding: Embedding, cell: str
) -> None:
    path = feedback(tmp_path, {"keyword": "fever", "pos1": cell, "pos2": "['homa']"})
    assert read_feedback(path, tiny_embedding) == [Constraint(FEVER, HOMA, 1)]


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
@pytest.mark.parametrize(
    ("times", "sign"),
    [
        (("2020-01-01 10:00:00", "2020-01-01 11:00:00"), -1),
        (("2020-01-01 11:00:00", "2020-01-01 10:00:00"), +1),
        (("2020-01-01 10:00:00", "2020-01-01 10:00:00"), -1),
        (("2020-01-01T12:00:00+02:00", "2020-01-01 10:30:00"), -1),
        (("2020-01-01T12:00:00+02:00", "2020-01-01 09:30:00"), +1),
        (("17.5", "9"), +1),
        (("9", ""), +1),
        (("", ""), -1),
    ],
)
def test_the_latest_verdict_holds_by_time_and_then_by_row(
    tmp_path: Path, tiny_embedding: Embedding, times: tuple[str, str], sign: int
) -> None:
    path = feedback(
        tmp_path,
        {"keyword": "fever", "timestamp": times[0], "pos2": "['homa']", "neg1": "['rain']"},
        {"keyword": "doctor", "pos2": "['daktari']"},
        {"keyword": "fever", "timestamp": times[1], "neg2": "['homa']"},
    )
    assert read_feedback(path, tiny_embedding) == [
        Constraint(FEVER, RAIN, -1),
        Constraint(FEVER, HOMA, sign),
        Constraint(DOCTOR, DAKTARI, +1),
    ]


def test_an_added_word_without_a_vector_is_skipped_with_a_warning(
    tmp_path: Path, tiny_embedding: Embedding
) -> None:
    path = feedback(tmp_path, {"keyword": "fever", "pos2": "['homa']", "new2": "['kiharusi']"})
    with pytest.warns(SuggestionWarning, match=r":2: new2 is not in the target.*: 'kiharusi'"):
        constraints = read_feedback(path, tiny_embedding)
    assert constraints == [Constraint(FEVER, HOMA, 1)]


@pytest.mark.parametrize(
    ("row", "value"),
    [
        pytest.param({"keyword": "homa"}, "homa", id="keyword of the target"),
        pytest.param({"keyword": ""}, "", id="no keyword"),
        pytest.param({"pos1": "['homa']"}, "homa", id="accepted word of the other language"),
        pytest.param({"pos2": "['nani']"}, "nani", id="unknown accepted word"),
        pytest.param({"neg1": "['who']"}, "who", id="unknown rejected word"),
        pytest.param({"neg2": "['nani']"}, "nani", id="unknown rejected target word"),
        pytest.param({"pos1": "['fever']"}, "fever", id="keyword accepted beside itself"),
        pytest.param({"neg1": "['fever']"}, "fever", id="keyword rejected beside itself"),
        pytest.param({"new1": "['fever']"}, "fever", id="keyword added to itself"),
        pytest.param({"pos2": "['homa']", "neg2": "['homa']"}, "homa", id="both verdicts"),
        pytest.param({"new2": "['homa']", "neg2": "['homa']"}, "homa", id="rejected and added"),
        pytest.param({"pos1": "rain"}, "rain", id="no list"),
        pytest.param({"pos1": "'rain'"}, "'rain'", id="a text"),
        pytest.param({"pos1": "['rain', 3]"}, "['rain', 3]", id="a number in the list"),
        pytest.param({"pos1": "{'rain': 1}"}, "{'rain': 1}", id="a dictionary"),
        pytest.param({"pos1": "['rain'"}, "['rain'", id="half a list"),
        pytest.param({"pos1": "[str(1)]"}, "[str(1)]", id="a program"),
        pytest.param({"pos1": "[" * 9999}, "[" * 9999, id="lists without end"),
        pytest.param({"timestamp": "noon"}, "noon", id="no time"),
        pytest.param({"timestamp": "nan"}, "nan", id="no number of seconds"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_value(
    tmp_path: Path, tiny_embedding: Embedding, row: dict[str, str], value: str
) -> None:
    path = feedback(tmp_path, {"keyword": "doctor"}, {"keyword": "fever"} | row)
    with pytest.raises(InputError) as refusal:
        read_feedback(path, tiny_embedding)
    assert (refusal.value.path, refusal.value.line, refusal.value.value) == (path, 3, value)


@pytest.mark.parametrize("missing", COLUMNS)
def test_a_missing_column_is_refused(
    tmp_path: Path, tiny_embedding: Embedding, missing: str
) -> None:
    columns = tuple(column for column in COLUMNS if column != missing)
    path = feedback(tmp_path, {"keyword": "fever"}, columns=columns)
    with pytest.raises(InputError, match=f":1: a column is missing: '{missing}'"):
        read_feedback(path, tiny_embedding)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"fever,,[],[],[],[],[]\n", r":2: 7 cells under 8 columns"),
        (b'fever,,"[]"x,[],[],[],[],[]\n', r":2: not CSV"),
        (b"fever,,[],[],[],[],[],['h\xf6ma']\n", r":2: not valid UTF-8: b.\\xf6ma"),
    ],
)
def test_what_is_not_csv_is_refused(
    tmp_path: Path, tiny_embedding: Embedding, content: bytes, message: str
) -> None:
    path = tmp_path / "feedback.csv"
    path.write_bytes(",".join(COLUMNS).encode() + b"\n" + content if content else b"")
    with pytest.raises(InputError, match=message):
        read_feedback(path, tiny_embedding)


def test_columns_may_stand_in_any_order_beside_others_after_a_byte_order_mark(
    tmp_path: Path, tiny_embedding: Embedding
) -> None:
    path = feedback(
        tmp_path, {"keyword": "fever", "pos2": "['homa']"}, columns=(*COLUMNS[::-1], "x")
    )
    path.write_bytes("\ufeff".encode() + path.read_bytes())
    assert read_feedback(path, tiny_embedding) == [Constraint(FEVER, HOMA, 1)]


def test_rows_written_are_the_rows_read(tmp_path: Path) -> None:
    rows = [
        FeedbackRow("fever", "2020-01-01T10:00:00", ("a", "b"), ("c",), (), ("d",), ("e",), ()),
        FeedbackRow('say "hi", you', "", accepted_target=("l'eau", 'ein "x"', "مرض", "\u2028")),
    ]
    write_feedback(tmp_path / "feedback.csv", rows)
    assert [row for _, row in read_rows(tmp_path / "feedback.csv")] == rows
    assert [line for line, _ in read_rows(tmp_path / "feedback.csv")] == [2, 3]


def test_the_published_tool_can_read_what_is_written(tmp_path: Path) -> None:
    words = ("l'eau", 'ein "x"', "مرض", "𐤀")
    write_feedback(tmp_path / "feedback.csv", [FeedbackRow("fever", "9", rejected_source=words)])
    with (tmp_path / "feedback.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert tuple(ast.literal_eval(row["neg1"])) == words
    assert ast.literal_eval(row["pos2"]) == []


def test_words_come_in_normal_form_c_however_they_are_written(tmp_path: Path) -> None:
    path = feedback(tmp_path, {"keyword": "cafe\u0301", "pos1": '["cafe\\u0301"]'})
    ((_, row),) = read_rows(path)
    assert (row.keyword, row.accepted_source) == ("caf\u00e9", ("caf\u00e9",))


def test_nobody_s_feedback_is_no_constraint(tmp_path: Path, tiny_embedding: Embedding) -> None:
    write_feedback(tmp_path / "feedback.csv", [])
    assert read_feedback(tmp_path / "feedback.csv", tiny_embedding) == []
