"""Documents: what is read, what is refused and where, and their words as word ids."""

import gzip
import json
from pathlib import Path

import pytest

from models_ml.core.corpus import Document, encode, read_documents
from models_ml.core.embeddings import OUT_OF_VOCABULARY, Embedding, Side
from models_ml.core.errors import InputError

FIRST = b'{"id": 7, "text": ["a", "b"], "label": 1}\n'


def read(path: Path, *, labels: int | None = 2, require_labels: bool = True) -> list[Document]:
    return list(read_documents(path, labels=labels, require_labels=require_labels))


def lines(folder: Path, content: bytes) -> Path:
    path = folder / "documents.jsonl"
    path.write_bytes(content)
    return path


def test_documents_come_as_they_stand_in_the_file(tmp_path: Path) -> None:
    path = lines(tmp_path, FIRST + b'{"label": 0, "title": "ignored", "id": -3, "text": ["c"]}')
    assert read(path) == [Document(7, ("a", "b"), 1), Document(-3, ("c",), 0)]


def test_a_label_may_be_missing_where_none_is_required(tmp_path: Path) -> None:
    path = lines(tmp_path, FIRST + b'{"id": 8, "text": ["c"]}\n')
    assert [d.label for d in read(path, require_labels=False)] == [1, None]


def test_without_a_number_of_labels_any_is_taken(tmp_path: Path) -> None:
    path = lines(tmp_path, b'{"id": 1, "text": ["c"], "label": 41}')
    assert [d.label for d in read(path, labels=None)] == [41]


def test_tokens_come_in_normal_form_c_however_they_are_written(tmp_path: Path) -> None:
    content = '{"id": 1, "text": ["cafe\u0301", "cafe\\u0301"], "label": 0}'.encode()
    assert read(lines(tmp_path, content))[0].tokens == ("caf\u00e9", "caf\u00e9")


def test_documents_stream_one_at_a_time(tmp_path: Path) -> None:
    stream = read_documents(lines(tmp_path, FIRST + b"no JSON"), labels=2, require_labels=True)
    assert next(stream).id == 7
    with pytest.raises(InputError, match="not JSON"):
        next(stream)


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    path = lines(tmp_path, FIRST)
    reports: list[tuple[int, int]] = []
    documents = read_documents(
        path, labels=2, require_labels=True, progress=lambda *report: reports.append(report)
    )
    assert len(list(documents)) == 1
    assert reports == [(len(FIRST), len(FIRST))]


def second(**changes: object) -> bytes:
    record = {"id": 8, "text": ["c"], "label": 0} | changes
    kept = {key: value for key, value in record.items() if value is not ...}
    return json.dumps(kept).encode()


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param(b'{"id": 8, "text": ["c"]', '{"id": 8, "text": ["c"]', id="bad JSON"),
        pytest.param(b"", "", id="empty line"),
        pytest.param(b"[" * 100_000, "[" * 100_000, id="JSON nested without end"),
        pytest.param(b"[1]", "[1]", id="not an object"),
        pytest.param(second(id=...), {"text": ["c"], "label": 0}, id="no id"),
        pytest.param(second(id="8"), "8", id="id is a text"),
        pytest.param(second(id=8.0), 8.0, id="id is a fraction"),
        pytest.param(second(id=True), True, id="id is a boolean"),
        pytest.param(second(id=2**63), 2**63, id="id too large"),
        pytest.param(second(id=7), 7, id="duplicate id"),
        pytest.param(second(text=...), {"id": 8, "label": 0}, id="no text"),
        pytest.param(second(text="c d"), "c d", id="text not split into tokens"),
        pytest.param(second(text=["c", 1]), ["c", 1], id="token is a number"),
        pytest.param(second(text=[]), [], id="empty document"),
        pytest.param(second(text=["c", ""]), "", id="empty token"),
        pytest.param(second(text=["c d"]), "c d", id="token with a space"),
        pytest.param(second(text=["c\u3000d"]), "c\u3000d", id="token with a wide space"),
        pytest.param(second(text=["c\0"]), "c\0", id="token with a NUL"),
        pytest.param(second(text=["c\ud800"]), "c\ud800", id="token with half a character"),
        pytest.param(second(label=...), {"id": 8, "text": ["c"]}, id="no label"),
        pytest.param(second(label="1"), "1", id="label is a text"),
        pytest.param(second(label=True), True, id="label is a boolean"),
        pytest.param(second(label=2), 2, id="unknown label"),
        pytest.param(second(label=-1), -1, id="negative label"),
        pytest.param(
            second(label=None), {"id": 8, "text": ["c"], "label": None}, id="label is null"
        ),
        pytest.param(b'{"id": 8, "text": ["\xff"]}', b'\xff"]}', id="not UTF-8"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_value(
    tmp_path: Path, line: bytes, value: object
) -> None:
    path = lines(tmp_path, FIRST + line + b"\n")
    with pytest.raises(InputError) as refusal:
        read(path)
    assert (refusal.value.path, refusal.value.line, refusal.value.value) == (path, 2, value)


def test_a_label_that_is_there_is_checked_even_where_none_is_required(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=":2: label is not from 0 to 1: 5"):
        read(lines(tmp_path, FIRST + second(label=5)), require_labels=False)


def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file is empty"):
        read(lines(tmp_path, b""))
    with pytest.raises(InputError, match="cannot be opened"):
        read(tmp_path / "nothing.jsonl")


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl.gz"
    path.write_bytes(gzip.compress(FIRST)[:-4])
    with pytest.raises(InputError, match="damaged or cut off"):
        read(path)


def test_tokens_become_the_word_ids_of_their_language(tiny_embedding: Embedding) -> None:
    documents = [Document(0, ("ya", "fever", "homa"), 1), Document(1, ("soko",))]
    corpus = encode(documents, tiny_embedding, Side.TARGET)
    assert [ids.tolist() for ids in corpus.ids] == [[10, OUT_OF_VOCABULARY, 11], [16]]
    assert corpus.labels.tolist() == [1, -1]
    both = corpus.select([1]) + corpus.labelled([0, 1])
    assert [len(ids) for ids in both.ids] == [1, 3, 1]
    assert both.labels.tolist() == [-1, 0, 1]
