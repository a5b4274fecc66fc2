"""A dataset folder becomes a project, whole or not at all."""

import pytest

from models_ml.core.errors import InputError
from models_ml.models import Corpus, Document, Embedding, Vocabulary, Word
from tasks.importing import import_project
from tasks.models import Category, Project

pytestmark = pytest.mark.django_db


def no_report(step, done, total):
    assert 0 <= done <= total


def test_a_folder_becomes_a_draft_project_with_all_its_rows(tiny_dataset_folder):
    project = import_project(tiny_dataset_folder, report=no_report)
    assert project.state == "draft"
    assert project.train_corpus.documents.count() == project.train_corpus.document_count > 0
    assert project.embedding.source.words.count() == project.embedding.source.word_count
    assert project.categories.count() == 2
    first = project.embedding.source.words.get(row=0)
    vectors = (tiny_dataset_folder / "source.vec").read_text().splitlines()
    assert first.text == vectors[1].split()[0]


def test_the_same_folder_again_shares_its_vectors_and_documents(tiny_dataset_folder):
    first = import_project(tiny_dataset_folder, report=no_report)
    second = import_project(tiny_dataset_folder, report=no_report)
    assert first.slug != second.slug
    assert first.embedding == second.embedding
    assert first.train_corpus == second.train_corpus


def test_an_error_in_the_last_file_leaves_the_database_as_it_was(tiny_dataset_folder):
    lines = (tiny_dataset_folder / "pool.jsonl").read_text().splitlines()
    (tiny_dataset_folder / "pool.jsonl").write_text("\n".join([*lines, '{"id": 99, "text": []}']))
    with pytest.raises(InputError, match=rf"pool\.jsonl:{len(lines) + 1}: "):
        import_project(tiny_dataset_folder, report=no_report)
    for model in (Project, Category, Vocabulary, Word, Embedding, Corpus, Document):
        assert not model.objects.exists(), model


def test_a_failure_while_storing_leaves_the_database_as_it_was(tiny_dataset_folder, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(Category.objects, "bulk_create", fail)
    with pytest.raises(OSError, match="disk full"):
        import_project(tiny_dataset_folder, report=no_report)
    for model in (Project, Vocabulary, Word, Embedding, Corpus, Document):
        assert not model.objects.exists(), model
