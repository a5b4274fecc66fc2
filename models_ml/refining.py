"""Stored embeddings as vectors, and what constraints make of them.

With learning.py, where the database meets torch; the web process never imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from models_ml import storage
from models_ml.core.code_switching import Switches
from models_ml.core.constraints import Constraint
from models_ml.core.embeddings import Embedding as Space
from models_ml.core.embeddings import Side, Vectors
from models_ml.core.live import LIVE_METHODS, LiveRefinement
from models_ml.core.neighbours import Neighbour as CoreNeighbour
from models_ml.core.realignment import turned_by_anchors
from models_ml.core.refinement import Refinement, RefinementConfig, refine
from models_ml.models import (
    Artefact,
    Embedding,
    Keyword,
    Neighbour,
    Vocabulary,
    Word,
)
from models_ml.services import ReportProgress, content_key

# One thread a worker: workers are many, and sums in one order give the same bytes everywhere.
torch.set_num_threads(1)
# Raised whenever the same inputs would give another result than before.
ALGORITHM = 2


@lru_cache(maxsize=8)
def _open_vectors(words_path: Path, matrix_path: Path) -> Vectors:
    """Return vectors that are memory-mapped: all workers of a machine share one copy."""
    words = words_path.read_text(encoding="utf-8").split("\n")[:-1]
    return Vectors(words, np.load(matrix_path, mmap_mode="r", allow_pickle=False))


def _vectors(vocabulary: Vocabulary) -> Vectors:
    return _open_vectors(
        storage.local_path(vocabulary.words_file), storage.local_path(vocabulary.matrix_file)
    )


@lru_cache(maxsize=4)  # one object for one space, so that what is known of it, its anchors, is kept
def _open_base(source: Vectors, target: Vectors) -> Space:
    return Space(source, target)


def open_space(embedding: Embedding) -> Space:
    """Return the vectors of an embedding: its vocabularies', and the rows that were moved."""
    space = _open_base(_vectors(embedding.source), _vectors(embedding.target))
    if embedding.delta is None:
        return space
    delta = load_file(storage.local_path(embedding.delta))
    if "target_map" in delta:
        space = space.mapped(delta["target_map"])
    return space.moved(delta["ids"], delta["rows"]) if delta["ids"].size else space


def open_switches(embedding: Embedding) -> Switches:
    """Return by which words training documents are to be code-switched for an embedding."""
    if embedding.config.get("method") != "code_switch" or embedding.delta is None:
        return Switches()
    delta = load_file(storage.local_path(embedding.delta))
    if "switched_words" not in delta:  # nothing in the other language was accepted
        return Switches()
    return Switches(delta["switched_keywords"], delta["switched_words"])


def word_id(embedding: Embedding, word: Word) -> int:
    """Return the core's id of a stored word: source rows first, then the target's."""
    is_source = word.vocabulary_id == embedding.source_id
    return word.row if is_source else embedding.source.word_count + word.row


def words_of(embedding: Embedding, space: Space, word_ids: set[int]) -> dict[int, Word]:
    """Return the stored word of each word id."""
    found: dict[int, Word] = {}
    for side in Side:
        offset, size = space.offset(side), len(space.vectors(side))
        rows = [i - offset for i in word_ids if offset <= i < offset + size]
        vocabulary = embedding.vocabulary(side)
        found |= {offset + w.row: w for w in vocabulary.words.filter(row__in=rows)}
    return found


def neighbour_rows(
    keywords: Sequence[Keyword],
    near: Sequence[Sequence[Sequence[CoreNeighbour]]],
    words: Mapping[int, Word],
) -> list[Neighbour]:
    """Return rows, not stored, of what is near each keyword: (languages, keywords, neighbours)."""
    return [
        Neighbour(keyword=keyword, word=words[n.word_id], position=position, cosine=n.cosine)
        for lists in near
        for keyword, neighbours in zip(keywords, lists, strict=True)
        for position, n in enumerate(neighbours, start=1)
    ]


def refine_embedding(
    parent: Embedding,
    constraints: Sequence[Constraint],
    *,
    config: RefinementConfig,
    report: ReportProgress,
) -> Embedding:
    """Return the embedding that constraints make of `parent`, stored as a delta over it."""
    ordered = sorted(constraints, key=lambda c: (c.keyword, c.neighbour))
    settings = config.settings
    key = content_key(
        version=ALGORITHM,
        parent=parent.key,
        constraints=[[c.keyword, c.neighbour, c.sign, c.weight] for c in ordered],
        config=settings,
    )
    known = Embedding.objects.filter(key=key).first()
    if known:
        return known
    refinement = refine(
        open_space(parent),
        ordered,
        config=config,
        progress=lambda done, total: report("refining the vectors", done, total),
    )
    facts: dict[str, object] = settings | {"constraints": len(ordered)}
    if refinement.evidence:
        facts["evidence"] = asdict(refinement.evidence)
    return _store_refinement(parent, refinement, key=key, config=facts)


def live_neighbours(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    *,
    keywords: Sequence[Keyword],
    count: int,
    config: RefinementConfig,
    session: int,
) -> list[Neighbour]:
    """Return rows, not stored, of the nearest words of keywords in what constraints make of an
    embedding, `count` of each language.

    session: whose constraints they are. A worker that had others of the same session before
    solves only what has changed; the result does not depend on it.
    """
    if not keywords:
        return []
    live = _answered(embedding, constraints, config=config, session=session)
    ids = [word_id(embedding, keyword.word) for keyword in keywords]
    near = list(live.neighbours(ids, k=count).values())
    found = {n.word_id for lists in near for row in lists for n in row}
    return neighbour_rows(keywords, near, words_of(embedding, live.embedding, found))


def refinement_so_far(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    *,
    config: RefinementConfig,
    session: int,
    report: ReportProgress,
) -> Refinement:
    """Return what an open session's constraints make of an embedding, not stored.

    A method that has a live form solves only what has changed since this worker last refined the
    session; the others begin anew.
    """
    if config.method in LIVE_METHODS:
        live = _answered(embedding, constraints, config=config, session=session)
        return Refinement(live.embedding)
    return refine(
        open_space(embedding),
        sorted(constraints, key=lambda c: (c.keyword, c.neighbour)),
        config=config,
        progress=lambda done, total: report("refining the vectors", done, total),
    )


def _answered(
    embedding: Embedding,
    constraints: Sequence[Constraint],
    *,
    config: RefinementConfig,
    session: int,
) -> LiveRefinement:
    """Return what a worker keeps of a session, brought to these constraints."""
    live = _live_refinement(embedding.key, config, session)
    said: dict[int, list[Constraint]] = {keyword: [] for keyword in live.answered}
    for constraint in sorted(constraints, key=lambda c: (c.keyword, c.neighbour)):
        said.setdefault(constraint.keyword, []).append(constraint)
    for keyword, of_keyword in said.items():
        live.answer(keyword, of_keyword)
    return live


@lru_cache(maxsize=16)
def _live_refinement(embedding_key: str, config: RefinementConfig, session: int) -> LiveRefinement:
    """Return what a worker keeps of an open session, which is never more than can be had anew."""
    return LiveRefinement(_live_space(embedding_key), config)


@lru_cache(maxsize=4)  # the sessions of a project share one space, and so its anchors
def _live_space(embedding_key: str) -> Space:
    return open_space(Embedding.objects.get(key=embedding_key))


def turn_by_anchors(parent: Embedding, *, report: ReportProgress) -> Embedding:
    """Return the embedding that `realign` makes of `parent` without any answer: the control."""
    key = content_key(version=ALGORITHM, parent=parent.key, anchors=True)
    known = Embedding.objects.filter(key=key).first()
    if known:
        return known
    report("aligning the languages without annotation", 0, 1)
    control = Refinement(turned_by_anchors(open_space(parent)))
    return _store_refinement(parent, control, key=key, config={"method": "anchors"})


def _store_refinement(
    parent: Embedding, refinement: Refinement, *, key: str, config: dict[str, object]
) -> Embedding:
    return Embedding.objects.get_or_create(
        key=key,
        defaults={
            "source": parent.source,
            "target": parent.target,
            "parent": parent,
            "delta": _store_delta(refinement),
            "config": config,
        },
    )[0]


def _store_delta(refinement: Refinement) -> Artefact:
    space, switches = refinement.embedding, refinement.switches
    arrays: dict[str, np.ndarray] = {"ids": space.moved_ids, "rows": space.moved_rows}
    if len(switches):
        arrays |= {"switched_keywords": switches.keywords, "switched_words": switches.words}
    if space.target_map is not None:
        arrays["target_map"] = space.target_map
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with storage.new_file(".safetensors") as path:
        save_file(contiguous, path)
        return storage.put(path, suffix=".safetensors")
