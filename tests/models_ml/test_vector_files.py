"""Files of word vectors: what is taken, what is refused and where, and the way back."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from models_ml.core import vector_files
from models_ml.core.embeddings import FloatMatrix
from models_ml.core.errors import InputError
from models_ml.core.vector_files import read_vectors, write_vectors

GOOD = b"2 3\ncat 1 2 3\ndog -4 0.5 6e-1\n"
GOOD_ROWS = np.array([[1, 2, 3], [-4, 0.5, 0.6]], dtype=np.float32)


@pytest.fixture(params=[1, 65_536], ids=["line-by-line", "one-block"])
def any_block_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_files, "_NUMBERS_PER_BLOCK", request.param)


def vec(folder: Path, content: bytes, name: str = "a.vec") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD, id="plain"),
        pytest.param(GOOD.rstrip(), id="no newline at the end"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="Windows line ends"),
        pytest.param(GOOD.replace(b"\n", b" \n"), id="space at line ends, as word2vec writes"),
        pytest.param(GOOD.replace(b"-4 ", b"-4\t \t"), id="other white space between numbers"),
    ],
)
def test_every_way_to_write_the_format_is_read(tmp_path: Path, content: bytes) -> None:
    vectors = read_vectors(vec(tmp_path, content))
    assert vectors.words == ("cat", "dog")
    assert vectors.matrix.dtype == np.float32
    np.testing.assert_array_equal(vectors.matrix, GOOD_ROWS)


def test_gzip_is_read_by_its_name(tmp_path: Path) -> None:
    vectors = read_vectors(vec(tmp_path, gzip.compress(GOOD), "a.vec.gz"))
    np.testing.assert_array_equal(vectors.matrix, GOOD_ROWS)


def test_words_come_in_normal_form_c(tmp_path: Path) -> None:
    path = vec(tmp_path, "1 1\ncafe\u0301 1\n".encode())
    assert read_vectors(path).words == ("caf\u00e9",)


@pytest.mark.usefixtures("any_block_size")
@pytest.mark.parametrize(
    ("content", "line", "value"),
    [
        pytest.param(b"", None, None, id="empty file"),
        pytest.param(b"cat 1 2 3\n", 1, "cat 1 2 3", id="no header"),
        pytest.param(b"2\ncat 1\ndog 1\n", 1, "2", id="half a header"),
        pytest.param(b"2 3 4\ncat 1 2 3\n", 1, "2 3 4", id="too much of a header"),
        pytest.param(b"0 3\n", 1, "0 3", id="no words promised"),
        pytest.param(b"2 0\ncat\ndog\n", 1, "2 0", id="no dimensions promised"),
        pytest.param(b"-2 3\ncat 1 2 3\n", 1, "-2 3", id="negative header"),
        pytest.param(b"1" * 5000 + b" 3\n", 1, "1" * 5000 + " 3", id="absurd header"),
        pytest.param(b"1 3\ncat 1 2 3\ndog 1 2 3\n", 3, "dog", id="more words than promised"),
        pytest.param(b"9 3\ncat 1 2 3\ndog 1 2 3\n", 3, None, id="fewer words than promised"),
        pytest.param(b"2 3\n", 1, None, id="no words at all"),
        pytest.param(b"2 4\ncat 1 2 3\ndog 1 2 3\n", 2, "cat", id="header lies about dimension"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 2\n", 3, "dog", id="number missing"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 2 3 4\n", 3, "dog", id="number too many"),
        pytest.param(b"2 3\ncat 1 2\ndog 1 2 3 4\n", 2, "cat", id="number on the next line"),
        pytest.param(b"2 3\ncat 1 2 3\ndog\n", 3, "dog", id="no numbers"),
        pytest.param(b"2 1\ncat 1\ndog\n", 3, "dog", id="no number of one"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 nan 3\n", 3, "nan", id="NaN"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 2 -inf\n", 3, "-inf", id="infinite"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1e39 2 3\n", 3, "1e39", id="too large for float32"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 two 3\n", 3, "two", id="not a number"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 2_0 3\n", 3, "2_0", id="a Python number"),
        pytest.param(b"2 3\ncat 1 2 3\ndog 1 \xff 3\n", 3, "\\xff", id="number not UTF-8"),
        pytest.param(b"2 3\ncat 1 2 3\ncat 4 5 6\n", 3, "cat", id="duplicate word"),
        pytest.param(
            "2 1\ncaf\u00e9 1\ncafe\u0301 1\n".encode(), 3, "caf\u00e9", id="duplicate in NFC"
        ),
        pytest.param(b"2 3\ncat 1 2 3\n 4 5 6\n", 3, "", id="empty word"),
        pytest.param(b"2 3\ncat 1 2 3\n\n", 3, "", id="empty line"),
        pytest.param("1 1\na\u00a0b 1\n".encode(), 2, "a\u00a0b", id="white space in a word"),
        pytest.param(b"1 1\na\0b 1\n", 2, "a\0b", id="control character in a word"),
        pytest.param(b"1 1\n" + b"a" * 300 + b" 1\n", 2, "a" * 300, id="endless word"),
        pytest.param(b"2 1\ncat 1\nd\xf6g 1\n", 3, b"\xf6g", id="not UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_value(
    tmp_path: Path, content: bytes, line: int | None, value: object
) -> None:
    path = vec(tmp_path, content)
    with pytest.raises(InputError) as refusal:
        read_vectors(path)
    assert (refusal.value.path, refusal.value.line, refusal.value.value) == (path, line, value)


def test_an_error_says_file_line_and_value_in_one_short_line(tmp_path: Path) -> None:
    path = vec(tmp_path, b"1 1\nword " + b"x" * 500 + b"\n")
    with pytest.raises(InputError) as refusal:
        read_vectors(path)
    message = str(refusal.value)
    assert message == f"{path}:2: not a number: 'xxxxx{'x' * 73}…"
    assert str(pickle.loads(pickle.dumps(refusal.value))) == message


@pytest.mark.parametrize("name", ["a.vec", "a.vec.gz"])
def test_a_header_that_promises_too_much_takes_no_memory(tmp_path: Path, name: str) -> None:
    lines = b"999999999 3\ncat 1 2 3\n"
    path = vec(tmp_path, gzip.compress(lines) if name.endswith("gz") else lines, name)
    with pytest.raises(InputError, match="the file ends here"):
        read_vectors(path)


def test_more_than_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_files, "_MOST_INFLATION", 10**15)
    path = vec(tmp_path, gzip.compress(b"999999999 999999999\ncat 1\n"), "a.vec.gz")
    with pytest.raises(InputError, match="more numbers than memory holds") as refusal:
        read_vectors(path)
    assert refusal.value.line == 1


def many_lines() -> bytes:
    numbers = np.random.default_rng(0).normal(size=(400, 5))
    rows = (f"w{i} " + " ".join(f"{x:.6f}" for x in row) for i, row in enumerate(numbers))
    return ("400 5\n" + "\n".join(rows) + "\n").encode()


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_truncated_gzip_names_the_line_it_reaches(tmp_path: Path, kept: float) -> None:
    packed = gzip.compress(many_lines())
    path = vec(tmp_path, packed[: int(kept * len(packed))], "a.vec.gz")
    with pytest.raises(InputError, match="damaged or cut off") as refusal:
        read_vectors(path)
    assert refusal.value.line is not None
    assert abs(refusal.value.line / 401 - kept) < 0.1


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(many_lines()))
    packed[-8] ^= 0xFF  # the checksum
    path = vec(tmp_path, bytes(packed), "a.vec.gz")
    with pytest.raises(InputError, match=r"damaged or cut off.*CRC") as refusal:
        read_vectors(path)
    assert refusal.value.line == 401


def test_plain_text_named_gz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged or cut off"):
        read_vectors(vec(tmp_path, GOOD, "a.vec.gz"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"b\.vec: cannot be opened"):
        read_vectors(tmp_path / "b.vec")


@pytest.mark.parametrize("name", ["a.vec", "a.vec.gz"])
def test_progress_grows_to_the_size_of_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    words = [f"w{i}" for i in range(3000)]
    matrix = np.random.default_rng(0).normal(size=(3000, 10)).astype(np.float32)
    write_vectors(path, words, matrix)
    reports: list[tuple[int, int]] = []
    read_vectors(path, progress=lambda done, total: reports.append((done, total)))
    size = path.stat().st_size
    assert len(reports) == 4  # every thousand lines and at the end
    assert reports == sorted(reports)
    assert reports[-1] == (size, size)
    assert {total for _, total in reports} == {size}


def awkward_matrix() -> FloatMatrix:
    bits = np.random.default_rng(0).integers(0, 2**32, size=4000, dtype=np.uint32)
    numbers = bits.view(np.float32)
    return numbers[np.isfinite(numbers)][:3900].reshape(1300, 3)


@pytest.mark.parametrize("name", ["a.vec", "a.vec.gz"])
def test_nine_digits_bring_every_float32_back(tmp_path: Path, name: str) -> None:
    matrix = awkward_matrix()
    words = [f"wörd{i}" for i in range(len(matrix))]
    write_vectors(tmp_path / name, words, matrix)
    again = read_vectors(tmp_path / name)
    assert list(again.words) == words
    np.testing.assert_array_equal(again.matrix.view(np.uint32), matrix.view(np.uint32))


def test_the_text_is_as_other_tools_write_it(tmp_path: Path) -> None:
    write_vectors(tmp_path / "a.vec", ["cat", "dog"], GOOD_ROWS)
    assert (tmp_path / "a.vec").read_text() == "2 3\ncat 1 2 3\ndog -4 0.5 0.600000024\n"


def test_the_same_vectors_give_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    for name in ("a.vec.gz", "b.vec.gz"):
        write_vectors(tmp_path / name, ["cat", "dog"], GOOD_ROWS)
    packed = (tmp_path / "a.vec.gz").read_bytes()
    assert packed == (tmp_path / "b.vec.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"  # no time of writing


@pytest.mark.parametrize(
    ("words", "matrix"),
    [
        (["cat"], GOOD_ROWS),
        ([], GOOD_ROWS[:0]),
        (["a cat", "dog"], GOOD_ROWS),
        (["", "dog"], GOOD_ROWS),
        (["cat", "dog"], GOOD_ROWS * np.float32(np.nan)),
    ],
)
def test_what_could_not_be_read_back_is_not_written(
    tmp_path: Path, words: list[str], matrix: FloatMatrix
) -> None:
    with pytest.raises(ValueError):
        write_vectors(tmp_path / "a.vec", words, matrix)
    assert not (tmp_path / "a.vec").exists()
