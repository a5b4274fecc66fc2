"""Dataset folders become projects."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction
from django.utils.text import slugify

from models_ml import services, storage
from models_ml.core.dataset import Dataset, load_dataset
from models_ml.core.embeddings import Side
from models_ml.core.simulation import read_annotator
from models_ml.models import Artefact
from models_ml.services import ReportProgress
from tasks.models import Category, Project

ANNOTATOR_FILE = "annotator.tsv"


def import_project(folder: Path, *, report: ReportProgress) -> Project:
    """Return the project of a dataset folder, stored in one transaction.

    Everything is read and checked before the first row is written. Raises InputError, which names
    file, line and value, for anything that is not as the format wants it.
    """
    dataset = load_dataset(folder, progress=report)
    if (folder / ANNOTATOR_FILE).exists():
        read_annotator(folder / ANNOTATOR_FILE)
    return _store(dataset, report=report)


@transaction.atomic
def _store(dataset: Dataset, *, report: ReportProgress) -> Project:
    description = dataset.project
    source, target = (
        services.store_vocabulary(language, dataset.embedding.vectors(side), report=report)
        for language, side in (
            (description.source, Side.SOURCE),
            (description.target, Side.TARGET),
        )
    )
    name = description.name
    project = Project.objects.create(
        name=name,
        slug=unused_slug(name),
        embedding=services.store_embedding(source, target),
        train_corpus=services.store_corpus(
            f"{name}: training", source, dataset.train, report=report
        ),
        test_corpus=services.store_corpus(f"{name}: test", target, dataset.test, report=report)
        if dataset.test
        else None,
        pool_corpus=services.store_corpus(f"{name}: pool", target, dataset.pool, report=report)
        if dataset.pool
        else None,
        annotator_file=_annotator_file(dataset.folder),
    )
    Category.objects.bulk_create(
        Category(
            project=project,
            label=category.label,
            name=category.name,
            description=category.description,
        )
        for category in description.categories
    )
    return project


def _annotator_file(folder: Path) -> Artefact | None:
    path = folder / ANNOTATOR_FILE
    return storage.put(path, suffix=".tsv") if path.exists() else None


def unused_slug(name: str) -> str:
    """Return a short address for a project's name that no other project has."""
    stem = slugify(name)[:44].strip("-") or "project"
    taken = set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(slug for slug in candidates if slug not in taken)
