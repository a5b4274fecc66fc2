"""A bilingual space small enough to look at, and a dataset folder made of it.

Health words point along +x, the other topics along −x, function words along neither.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models_ml.core.embeddings import Embedding, FloatMatrix, Vectors

SOURCE_WORDS = (
    "the", "of", "fever", "doctor", "hospital", "medicine", "rain", "market", "goal", "football",
)  # fmt: skip
TARGET_WORDS = ("ya", "homa", "daktari", "hospitali", "dawa", "mvua", "soko", "goli")
HEALTH = {"fever", "doctor", "hospital", "medicine", "homa", "daktari", "hospitali", "dawa"}
NEUTRAL = {"the", "of", "ya"}
TRANSLATIONS = {
    "the": "", "of": "ya", "fever": "homa", "doctor": "daktari|tabibu", "hospital": "hospitali",
    "medicine": "dawa", "rain": "mvua", "market": "soko", "goal": "goli", "football": "soka",
}  # fmt: skip

PROJECT_TOML = """\
name = "Health news"
labels = ["other", "health"]

[source]
language = "English"
tag = "en"
direction = "ltr"

[target]
language = "Swahili"
tag = "sw"
direction = "ltr"

[[categories]]
label = 1
name = "Health"
description = "The text is about illness or medicine."

[[categories]]
label = 0
name = "Other"
description = "The text is about anything else."
"""

TRAIN = (
    ("the doctor of the hospital", 1),
    ("fever medicine", 1),
    ("rain of the market", 0),
    ("the football goal", 0),
)
TEST = (("homa ya daktari", 1), ("soko ya mvua", 0))
POOL = (("dawa ya hospitali", 1), ("goli ya soka", 0), ("mvua", 0))


def topic_vectors(words: tuple[str, ...], seed: int) -> FloatMatrix:
    """Return unit vectors, (words, 4): a topic along the first axis and seeded noise."""
    topic = [0.0 if w in NEUTRAL else 1.0 if w in HEALTH else -1.0 for w in words]
    rows = np.random.default_rng(seed).normal(scale=0.4, size=(len(words), 4))
    rows[:, 0] += topic
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


@pytest.fixture
def tiny_embedding() -> Embedding:
    """Ten source and eight target words in four dimensions, unit rows, always the same."""
    return Embedding(
        Vectors(SOURCE_WORDS, topic_vectors(SOURCE_WORDS, seed=1)),
        Vectors(TARGET_WORDS, topic_vectors(TARGET_WORDS, seed=2)),
    )


def write_vec(path: Path, words: tuple[str, ...], rows: FloatMatrix) -> None:
    lines = [f"{len(words)} {rows.shape[1]}"]
    lines += [" ".join([w, *(f"{x:.5f}" for x in row)]) for w, row in zip(words, rows, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_documents(path: Path, documents: tuple[tuple[str, int], ...]) -> None:
    lines = [
        json.dumps({"id": i, "text": text.split(), "label": label})
        for i, (text, label) in enumerate(documents)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def annotator_table() -> str:
    """Return the simulated annotator's table for the words above."""
    rows = ["word\tlanguage\tclass\ttranslations"]
    for language, words in (("source", SOURCE_WORDS), ("target", TARGET_WORDS)):
        for word in words:
            topic = "0" if word in NEUTRAL else "H" if word in HEALTH else "N"
            known = TRANSLATIONS[word] if language == "source" else ""
            rows.append(f"{word}\t{language}\t{topic}\t{known}")
    return "\n".join(rows) + "\n"


@pytest.fixture
def tiny_dataset_folder(tmp_path: Path) -> Path:
    """A valid dataset folder with every file of the format, ten and eight words."""
    folder = tmp_path / "tiny-dataset"
    folder.mkdir()
    (folder / "project.toml").write_text(PROJECT_TOML, encoding="utf-8")
    write_vec(folder / "source.vec", SOURCE_WORDS, topic_vectors(SOURCE_WORDS, seed=1))
    write_vec(folder / "target.vec", TARGET_WORDS, topic_vectors(TARGET_WORDS, seed=2))
    write_documents(folder / "train.jsonl", TRAIN)
    write_documents(folder / "test.jsonl", TEST)
    write_documents(folder / "pool.jsonl", POOL)
    (folder / "annotator.tsv").write_text(annotator_table(), encoding="utf-8")
    return folder
