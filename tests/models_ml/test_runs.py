"""Runs on what people labelled, where a project has no labelled test set."""

import pytest

from models_ml import runs
from models_ml.models import Run, SeedResult
from tasks.importing import import_project

pytestmark = pytest.mark.django_db


def quiet(note, done, total):
    pass


@pytest.fixture
def project(tiny_dataset_folder):
    return import_project(tiny_dataset_folder, report=quiet)


@pytest.fixture
def labels(project):
    return [(document.pk, document.label) for document in project.pool_corpus.documents.all()]


def define(project, **fields):
    wanted = {"test_corpus": None, "classifier": "cnn", "classes": 2, "seeds": 2}
    return runs.define_run(
        project.embedding,
        train_corpus=project.train_corpus,
        scale_free=True,
        **wanted | fields,
    )


def train_all(run):
    for result in run.results.all():
        runs.train_seed(result, report=quiet)
    return runs.finish_run(run.pk)


def test_a_run_can_be_measured_on_labels_of_people(project, labels):
    run = define(project, test_labels=labels)
    assert train_all(run)
    run.refresh_from_db()
    assert run.test_documents == 3
    for result in run.results.all():
        assert len(result.predictions) == 3
        right = [said == label for said, (_, label) in zip(result.predictions, labels, strict=True)]
        assert result.accuracy == pytest.approx(sum(right) / 3)


def test_documents_trained_on_as_well_are_never_measured_on_by_the_same_classifier(project, labels):
    run = define(project, test_labels=labels, extra_labels=labels)
    bench = runs._bench(run.key)
    source = project.train_corpus.document_count
    tested = sorted(position for part in bench.parts for position in part.positions)
    assert tested == [0, 1, 2]
    assert len(bench.parts) == 3  # of five parts two are empty
    for part in bench.parts:
        assert len(part.training) == source + len(labels) - len(part.positions)
    assert train_all(run)


def test_labels_of_other_documents_are_all_trained_on(project, labels):
    run = define(project, test_labels=labels[:2], extra_labels=labels[2:])
    (part,) = runs._bench(run.key).parts
    assert len(part.training) == project.train_corpus.document_count + 1
    assert len(part.test) == 2


def test_a_run_that_can_measure_nothing_is_refused(project):
    with pytest.raises(ValueError, match="needs a test corpus or labelled documents"):
        define(project)


def test_the_same_run_is_found_and_has_its_seeds_once(project, labels):
    assert define(project, test_labels=labels) == define(project, test_labels=labels[::-1])
    assert (Run.objects.count(), SeedResult.objects.count()) == (1, 2)


def test_a_run_is_summed_up_by_one_worker_alone(project, labels):
    run = define(project, test_labels=labels)
    assert not runs.finish_run(run.pk)
    assert train_all(run)
    assert not runs.finish_run(run.pk)
