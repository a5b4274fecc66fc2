"""The dataset folder: a good one is read as a whole, a bad one refused with file and value."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from models_ml.core.dataset import (
    Category,
    Direction,
    Language,
    ProjectFile,
    load_dataset,
    read_project,
)
from models_ml.core.embeddings import Side
from models_ml.core.errors import InputError


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")


def test_a_project_file_is_read_with_its_categories_in_their_order(
    tiny_dataset_folder: Path,
) -> None:
    assert read_project(tiny_dataset_folder) == ProjectFile(
        name="Health news",
        labels=("other", "health"),
        source=Language("English", "en", Direction.LEFT_TO_RIGHT),
        target=Language("Swahili", "sw", Direction.LEFT_TO_RIGHT),
        categories=(
            Category(1, "Health", "The text is about illness or medicine."),
            Category(0, "Other", "The text is about anything else."),
        ),
    )


def test_a_folder_is_loaded_with_vectors_centred_and_of_unit_length(
    tiny_dataset_folder: Path,
) -> None:
    dataset = load_dataset(tiny_dataset_folder)
    assert dataset.folder == tiny_dataset_folder
    assert [len(dataset.embedding.vectors(side)) for side in Side] == [10, 8]
    for side in Side:
        lengths = np.linalg.norm(dataset.embedding.matrix(side), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    assert [document.label for document in dataset.train] == [1, 1, 0, 0]
    assert dataset.test is not None
    assert dataset.test[0].tokens == ("homa", "ya", "daktari")
    assert [document.id for document in dataset.pool] == [0, 1, 2]


def test_a_folder_may_lack_test_and_pool_and_pool_documents_their_labels(
    tiny_dataset_folder: Path,
) -> None:
    (tiny_dataset_folder / "test.jsonl").unlink()
    (tiny_dataset_folder / "pool.jsonl").write_text('{"id": 1, "text": ["homa"]}')
    dataset = load_dataset(tiny_dataset_folder)
    assert dataset.test is None
    assert dataset.pool[0].label is None
    (tiny_dataset_folder / "pool.jsonl").unlink()
    assert load_dataset(tiny_dataset_folder).pool == ()


def test_compressed_vectors_are_found(tiny_dataset_folder: Path) -> None:
    plain = load_dataset(tiny_dataset_folder).embedding
    path = tiny_dataset_folder / "source.vec"
    path.with_suffix(".vec.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match=r"source\.vec: source\.vec\.gz is there as well"):
        load_dataset(tiny_dataset_folder)
    path.unlink()
    packed = load_dataset(tiny_dataset_folder).embedding
    np.testing.assert_array_equal(packed.source.matrix, plain.source.matrix)


def test_progress_names_every_file_and_ends_with_its_size(tiny_dataset_folder: Path) -> None:
    last: dict[str, tuple[int, int]] = {}

    def note(label: str, done: int, total: int) -> None:
        last[label] = done, total

    load_dataset(tiny_dataset_folder, progress=note)
    names = ["train.jsonl", "test.jsonl", "pool.jsonl", "source.vec", "target.vec"]
    sizes = [(tiny_dataset_folder / name).stat().st_size for name in names]
    assert last == {
        f"reading {name}": (size, size) for name, size in zip(names, sizes, strict=True)
    }


@pytest.mark.parametrize("name", ["project.toml", "source.vec", "target.vec", "train.jsonl"])
def test_a_missing_file_is_refused_by_name(tiny_dataset_folder: Path, name: str) -> None:
    (tiny_dataset_folder / name).unlink()
    with pytest.raises(InputError, match="cannot be opened") as refusal:
        load_dataset(tiny_dataset_folder)
    assert refusal.value.path == tiny_dataset_folder / name
    assert (f"nor is there a {name}.gz" in str(refusal.value)) == name.endswith(".vec")


@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl"])
def test_training_and_test_documents_need_labels(tiny_dataset_folder: Path, name: str) -> None:
    (tiny_dataset_folder / name).write_text('{"id": 1, "text": ["homa"]}')
    with pytest.raises(InputError, match=f"{name}:1: no label"):
        load_dataset(tiny_dataset_folder)


def test_a_label_beyond_the_project_s_is_refused(tiny_dataset_folder: Path) -> None:
    edit(tiny_dataset_folder / "pool.jsonl", '"label": 1', '"label": 2')
    with pytest.raises(InputError, match=r"pool\.jsonl:1: label is not from 0 to 1: 2"):
        load_dataset(tiny_dataset_folder)


def test_languages_of_other_dimensions_are_refused(tiny_dataset_folder: Path) -> None:
    (tiny_dataset_folder / "target.vec").write_text("1 2\nhoma 1 2\n")
    with pytest.raises(InputError, match=r"target\.vec:1: the source vectors have 4 dim.*: 2$"):
        load_dataset(tiny_dataset_folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "Health news"\n', "", "name is missing"),
        ('name = "Health news"', "name = 3", "name is not a text: 3"),
        ('name = "Health news"', 'name = " "', "name is empty: ''"),
        ('name = "Health news"', f'name = "{"x" * 121}"', "name has more than 120 characters"),
        ('labels = ["other", "health"]\n', "", "labels is missing"),
        ('labels = ["other", "health"]', 'labels = "other"', "labels is not a list"),
        ('["other", "health"]', '["other"]', "labels has fewer than two names"),
        ('["other", "health"]', '["other", ""]', "labels holds something that is no name"),
        ('["other", "health"]', '["other", 1]', "labels holds something that is no name"),
        ('["other", "health"]', '["other", "other"]', "labels holds a name twice"),
        ("[source]", "[sauce]", "source is missing"),
        ("[source]", "[[source]]", "source is not a table"),
        ('language = "English"\n', "", "source.language is missing"),
        ('tag = "sw"\n', "", "target.tag is missing"),
        ('tag = "sw"', 'tag = "Swahili!"', "target.tag is not a BCP-47 language tag: 'Swahili!'"),
        ('tag = "sw"', 'tag = "sw_KE"', "target.tag is not a BCP-47 language tag: 'sw_KE'"),
        ('direction = "ltr"\n', "", "source.direction is missing"),
        ('direction = "ltr"', 'direction = "up"', "source.direction is none of ltr, rtl: 'up'"),
        ("[[categories]]", "[[categorise]]", "categories has none of label 1: 'health'"),
        ("label = 1", "label = 2", "categories[0].label is not from 0 to 1: 2"),
        ("label = 1", "label = -1", "categories[0].label is not from 0 to 1: -1"),
        ("label = 1", "label = true", "categories[0].label is not a whole number: True"),
        ("label = 1", "label = 0", "categories[1].label has a category already: 0"),
        ('name = "Health"\n', "", "categories[0].name is missing"),
        ('description = "The text is about illness or medicine."\n', "", "[0].description is mis"),
    ],
)
def test_a_bad_project_file_is_refused_with_key_and_value(
    tiny_dataset_folder: Path, old: str, new: str, message: str
) -> None:
    edit(tiny_dataset_folder / "project.toml", old, new)
    with pytest.raises(InputError) as refusal:
        read_project(tiny_dataset_folder)
    assert message in str(refusal.value)
    assert refusal.value.path == tiny_dataset_folder / "project.toml"


def test_categories_that_are_no_tables_are_refused(tiny_dataset_folder: Path) -> None:
    path = tiny_dataset_folder / "project.toml"
    content = path.read_text()
    path.write_text("categories = [1, 2]\n" + content[: content.index("[[categories]]")])
    with pytest.raises(InputError, match=r"categories is not a list of tables: \[1, 2\]"):
        read_project(tiny_dataset_folder)


@pytest.mark.parametrize(
    ("old", "new", "line", "value"),
    [
        ("[source]", "[source", 4, "[source"),
        ('tag = "sw"', "tag = sw", 11, "tag = sw"),
        ('name = "Health"', 'name = "Health', 16, 'name = "Health'),
    ],
)
def test_a_syntax_error_is_refused_with_its_line(
    tiny_dataset_folder: Path, old: str, new: str, line: int, value: str
) -> None:
    edit(tiny_dataset_folder / "project.toml", old, new)
    with pytest.raises(InputError, match="not TOML") as refusal:
        read_project(tiny_dataset_folder)
    assert (refusal.value.line, refusal.value.value) == (line, value)


def test_a_file_that_ends_too_early_is_refused_at_its_end(tiny_dataset_folder: Path) -> None:
    (tiny_dataset_folder / "project.toml").write_text('name = "x"\nlabels = ["a",\n')
    with pytest.raises(InputError, match=r"project\.toml:2: not TOML"):
        read_project(tiny_dataset_folder)


def test_a_project_file_must_be_utf8(tiny_dataset_folder: Path) -> None:
    path = tiny_dataset_folder / "project.toml"
    path.write_bytes(path.read_bytes().replace(b"Swahili", b"Swah\xefli"))
    with pytest.raises(InputError, match=r"project\.toml:10: not valid UTF-8: b'\\xefli"):
        read_project(tiny_dataset_folder)


@pytest.mark.parametrize(
    "tag", ["sw", "swh", "zh-Hant", "zh-Hant-TW", "es-419", "de-CH-1996", "sl-rozaj", "ar-x-mine"]
)
def test_language_tags_in_use_are_taken(tiny_dataset_folder: Path, tag: str) -> None:
    edit(tiny_dataset_folder / "project.toml", 'tag = "sw"', f'tag = "{tag}"')
    edit(tiny_dataset_folder / "project.toml", 'direction = "ltr"', 'direction = "rtl"')
    project = read_project(tiny_dataset_folder)
    assert project.target.tag == tag
    assert project.source.direction == "rtl"
