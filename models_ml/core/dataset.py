"""A dataset folder: the import format of a project, read and checked as a whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from models_ml.core.corpus import Document, read_documents
from models_ml.core.embeddings import Embedding, Side, Vectors, centred_unit
from models_ml.core.errors import InputError
from models_ml.core.lines import Progress, decode
from models_ml.core.vector_files import read_vectors

PROJECT_FILE = "project.toml"

ReportProgress = Callable[[str, int, int], object]
"""Called now and then with what is being done, how much is done, and how much there is."""

# The parts of RFC 5646 in use: language, script, region, variants, extensions, private use.
_LANGUAGE_TAG = re.compile(
    r"[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?"
    r"(-([a-z\d]{5,8}|\d[a-z\d]{3}))*(-[a-wy-z\d](-[a-z\d]{2,8})+)*(-x(-[a-z\d]{1,8})+)?",
    re.IGNORECASE | re.ASCII,
)


class Direction(StrEnum):
    """Which way a script runs."""

    LEFT_TO_RIGHT = "ltr"
    RIGHT_TO_LEFT = "rtl"


@dataclass(frozen=True)
class Language:
    """A language: its English name, BCP-47 tag and direction."""

    name: str
    tag: str
    direction: Direction


@dataclass(frozen=True)
class Category:
    """What a label means, in the words that annotators read."""

    label: int
    name: str
    description: str


@dataclass(frozen=True)
class ProjectFile:
    """What project.toml says.

    labels: the name of each label, counted from 0.
    categories: one for each label, in the order in which annotators see them.
    """

    name: str
    labels: tuple[str, ...]
    source: Language
    target: Language
    categories: tuple[Category, ...]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A checked dataset folder.

    embedding: each language centred and of unit length.
    train: labelled, source; test: labelled, target, None where there is none; pool: target.
    """

    folder: Path
    project: ProjectFile
    embedding: Embedding
    train: tuple[Document, ...]
    test: tuple[Document, ...] | None
    pool: tuple[Document, ...]


def load_dataset(folder: Path, *, progress: ReportProgress | None = None) -> Dataset:
    """Return everything of a dataset folder but the simulated annotator; InputError if bad."""
    project = read_project(folder)
    labels = len(project.labels)

    def documents(name: str, *, require_labels: bool) -> tuple[Document, ...]:
        path, report = folder / name, _report(progress, name)
        return tuple(
            read_documents(path, labels=labels, require_labels=require_labels, progress=report)
        )

    return Dataset(
        folder=folder,
        project=project,
        train=documents("train.jsonl", require_labels=True),
        test=documents("test.jsonl", require_labels=True)
        if (folder / "test.jsonl").exists()
        else None,
        pool=documents("pool.jsonl", require_labels=False)
        if (folder / "pool.jsonl").exists()
        else (),
        embedding=_load_embedding(folder, progress),
    )


def _load_embedding(folder: Path, progress: ReportProgress | None) -> Embedding:
    paths = {side: _vector_file(folder, side) for side in Side}
    source, target = (_load_vectors(path, _report(progress, path.name)) for path in paths.values())
    if source.dim != target.dim:
        what = f"the source vectors have {source.dim} dimensions, these have another number"
        raise InputError(what, paths[Side.TARGET], 1, target.dim)
    return Embedding(source, target)


def _load_vectors(path: Path, progress: Progress | None) -> Vectors:
    raw = read_vectors(path, progress=progress)
    return Vectors(raw.words, centred_unit(raw.matrix))


def _vector_file(folder: Path, side: Side) -> Path:
    plain, packed = folder / f"{side}.vec", folder / f"{side}.vec.gz"
    if plain.exists() and packed.exists():
        raise InputError(f"{packed.name} is there as well; keep one of them", plain)
    if not plain.exists() and not packed.exists():
        raise InputError(f"cannot be opened, nor is there a {packed.name}", plain)
    return packed if packed.exists() else plain


def _report(progress: ReportProgress | None, name: str) -> Progress | None:
    return partial(progress, f"reading {name}") if progress else None


def read_project(folder: Path) -> ProjectFile:
    """Return the project.toml of a dataset folder; InputError where something is not right."""
    path = folder / PROJECT_FILE
    table = _Table(_parse_toml(path), path)
    labels = table.texts("labels")
    return ProjectFile(
        name=table.text("name", longest=120),
        labels=labels,
        source=_language(table.table("source")),
        target=_language(table.table("target")),
        categories=_categories(table, labels),
    )


def _language(table: _Table) -> Language:
    tag, direction = table.text("tag", longest=35), table.text("direction")
    if not _LANGUAGE_TAG.fullmatch(tag):
        raise table.refuse("tag", "is not a BCP-47 language tag", tag)
    if direction not in set(Direction):
        raise table.refuse("direction", f"is none of {', '.join(Direction)}", direction)
    return Language(table.text("language", longest=80), tag, Direction(direction))


def _categories(project: _Table, labels: tuple[str, ...]) -> tuple[Category, ...]:
    categories: dict[int, Category] = {}
    for table in project.tables("categories"):
        label = table.whole_number("label")
        if not 0 <= label < len(labels):
            raise table.refuse("label", f"is not from 0 to {len(labels) - 1}", label)
        if label in categories:
            raise table.refuse("label", "has a category already", label)
        name, description = table.text("name", longest=80), table.text("description", longest=300)
        categories[label] = Category(label, name, description)
    for label, label_name in enumerate(labels):
        if label not in categories:
            raise project.refuse("categories", f"has none of label {label}", label_name)
    return tuple(categories.values())


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be opened ({error.strerror})", path) from error
    lines = content.split(b"\n")
    text = "\n".join(decode(line, path, number) for number, line in enumerate(lines, start=1))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Python has no attribute for the place before 3.14, but always says it.
        place = re.search(r"at line (\d+)", str(error))
        number = int(place[1]) if place else len(text.rstrip("\n").split("\n"))
        value = text.split("\n")[number - 1].strip()
        raise InputError(f"not TOML ({error})", path, number, value) from error


@dataclass(frozen=True)
class _Table:
    """A TOML table whose values are asked for with the type they must have.

    where: its name in the file, with a point behind; empty for the whole file.
    """

    content: dict[str, Any]
    path: Path
    where: str = ""

    def refuse(self, key: str, what: str, value: object) -> InputError:
        return InputError(f"{self.where}{key} {what}", self.path, value=value)

    def _get(self, key: str, kind: type, description: str) -> Any:
        if key not in self.content:
            raise InputError(f"{self.where}{key} is missing", self.path)
        value = self.content[key]
        if type(value) is not kind:  # true is no whole number here
            raise self.refuse(key, f"is not {description}", value)
        return value

    def text(self, key: str, *, longest: int = 80) -> str:
        value: str = self._get(key, str, "a text").strip()
        if not value:
            raise self.refuse(key, "is empty", value)
        if len(value) > longest:
            raise self.refuse(key, f"has more than {longest} characters", value)
        return value

    def whole_number(self, key: str) -> int:
        number: int = self._get(key, int, "a whole number")
        return number

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._get(key, list, "a list of names")
        if len(values) < 2:
            raise self.refuse(key, "has fewer than two names", values)
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.refuse(key, "holds something that is no name", values)
        if len(set(values)) < len(values):
            raise self.refuse(key, "holds a name twice", values)
        return tuple(values)

    def table(self, key: str) -> _Table:
        return _Table(self._get(key, dict, "a table"), self.path, f"{self.where}{key}.")

    def tables(self, key: str) -> list[_Table]:
        values = self._get(key, list, "a list of tables")
        if not all(isinstance(value, dict) for value in values):
            raise self.refuse(key, "is not a list of tables", values)
        return [
            _Table(value, self.path, f"{self.where}{key}[{number}].")
            for number, value in enumerate(values)
        ]
