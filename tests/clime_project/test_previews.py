"""What if somebody stopped now: the same as the report would say, and nothing stored for it."""

import numpy as np
import pytest

from annotation.models import Preview, Session
from clime_project import measuring, pipeline
from models_ml import refining
from models_ml.models import Embedding, Job, Run
from tests.clime_project.loop import begin, do_all_jobs, judge, quiet, submit

pytestmark = pytest.mark.django_db

BOUNDED = {"iterations": 50, "regularization": 2.0}  # enough for the paper's cost to have a minimum


def careful(keyword, word):
    return "reject" if word in {"rain", "market", "goal", "football", "soko", "goli"} else "accept"


def preview(session):
    pipeline.preview_session(session.pk, quiet)
    return Preview.objects.get(session=session)


def stored_run(project, session, labels):
    """Return the finished run of what a submitted session said, with a preview's seeds."""
    run = measuring.run_of(
        project, session.refined or project.embedding, labels=labels, seeds=project.curve_seeds
    )
    measuring.start_run(run)
    do_all_jobs()
    run.refresh_from_db()
    return run


@pytest.mark.parametrize("method", ["spectral", "paper", "code_switch"])
def test_a_preview_is_what_the_run_of_the_same_answers_comes_to(prepare, method):
    project = prepare(method=method, document_count=2, curve_seeds=3, session_count=1, **BOUNDED)
    session = begin(project)
    judge(session, careful)
    found = preview(session)
    submit(session)
    do_all_jobs()
    session.refresh_from_db()
    run = stored_run(project, session, pipeline.labels_of(session))
    assert (found.mean, found.low, found.high) == (run.mean, run.low, run.high)
    assert (found.keywords, found.seeds) == (3, 3)
    assert found.constraints == len(pipeline.constraints_of(session))


@pytest.mark.parametrize("method", ["spectral", "paper"])
def test_the_vectors_of_a_preview_are_those_of_the_stored_refinement(prepare, method):
    project = prepare(method=method, **BOUNDED)
    session = begin(project)
    judge(session, careful)
    config, constraints = measuring.refinement_config(project), pipeline.constraints_of(session)
    so_far = refining.refinement_so_far(
        project.embedding, constraints, config=config, session=session.pk, report=quiet
    )
    stored = refining.open_space(
        refining.refine_embedding(project.embedding, constraints, config=config, report=quiet)
    )
    moved = stored.moved_ids
    assert moved.size
    np.testing.assert_allclose(so_far.embedding.gather(moved), stored.gather(moved), atol=1e-6)


def test_a_preview_stores_no_embedding_and_no_run(prepare):
    session = begin(prepare())
    judge(session, careful)
    before = Embedding.objects.count(), Run.objects.count()
    preview(session)
    assert (Embedding.objects.count(), Run.objects.count()) == before


def test_a_newer_preview_replaces_the_former(prepare):
    project = prepare()
    session = begin(project)
    empty = preview(session)
    assert (empty.keywords, empty.constraints) == (0, 0)
    judge(session, careful)
    newer = preview(session)
    assert newer.pk == empty.pk
    assert newer.keywords == 3


def test_it_counts_what_the_person_said_in_earlier_sessions(prepare):
    project = prepare()
    first = begin(project)
    judge(first, careful)
    submit(first)
    second = begin(project, number=2)
    found = preview(second)
    assert found.keywords == 0  # of this session
    assert found.constraints == len(pipeline.constraints_of(first))


def test_an_ended_session_and_a_project_without_a_test_corpus_have_none(prepare):
    project = prepare()
    session = begin(project)
    judge(session, careful)
    submit(session)
    pipeline.preview_session(session.pk, quiet)
    Session.objects.filter(pk=session.pk).update(state="open", submitted_at=None)
    type(project).objects.filter(pk=project.pk).update(test_corpus=None)
    pipeline.preview_session(session.pk, quiet)
    assert not Preview.objects.exists()
    assert not Job.objects.filter(state="failed").exists()
