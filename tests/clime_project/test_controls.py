"""Control words in the loop: placed when HITs are made, and never turned into constraints."""

import numpy as np
import pytest

from clime_project import pipeline
from models_ml import learning, refining
from models_ml.core.embeddings import Side
from models_ml.core.neighbours import unit
from tasks.models import Control, Project
from tests.clime_project.loop import begin, do_all_jobs, judge, quiet, submit

pytestmark = pytest.mark.django_db


def controls_of(project):
    rows = project.controls.order_by("keyword__ranking", "keyword__position")
    return list(rows.values_list("keyword__ranking", "keyword__word", "word", "kind", "position"))


@pytest.fixture
def project(prepare):
    return prepare(control_random=2)


def test_preparation_places_controls_that_are_no_neighbours(project):
    assert [row[3] for row in controls_of(project)] == ["random", "random"]
    for control in project.controls.all():
        near = control.keyword.neighbours.values_list("word", flat=True)
        assert control.word_id not in {*near, control.keyword.word_id}
        assert control.word.vocabulary == project.embedding.target


def test_far_words_are_the_least_like_of_the_frequent(project):
    keyword = project.ranking.keywords.first()
    space = refining.open_space(project.embedding)
    targets = space.offset(Side.TARGET) + np.arange(len(space.target))
    asked = refining.word_id(project.embedding, keyword.word)
    cosines = unit(space.gather(targets)) @ unit(space.gather(np.array([asked])))[0]
    far = learning.far_words(keyword)
    assert [word.row for word in far] == [int(cosines.argmin())]  # 5 % of eight words
    assert learning.far_words(keyword) == far


def test_only_the_frequent_are_far(project, monkeypatch):
    monkeypatch.setattr(learning, "FREQUENT_WORDS", 2)
    monkeypatch.setattr(learning, "FAR_PERCENTILE", 100)
    far = learning.far_words(project.ranking.keywords.first())
    assert {word.row for word in far} == {0, 1}


def test_a_preparation_done_twice_ends_the_same_and_a_changed_one_is_new(project):
    before = controls_of(project)
    pipeline.prepare_project(project.pk, quiet)
    assert controls_of(project) == before
    Project.objects.update(control_random=1)
    pipeline.prepare_project(project.pk, quiet)
    assert len(controls_of(project)) == 1


def test_controls_become_no_constraint_and_change_no_vector(prepare):
    plain = prepare()
    session = begin(plain)
    judge(session)
    expected = pipeline.constraints_of(session)
    controlled = prepare(control_random=2)
    session = begin(controlled)
    judge(session)
    assert session.judgements.count() == len(expected) + 2
    for control in Control.objects.all():
        session.judgements.filter(keyword=control.keyword, word=control.word).update(
            is_control=True
        )
    assert pipeline.constraints_of(session) == expected


def test_a_later_session_has_controls_of_its_own_and_the_first_keeps_its(project):
    before = controls_of(project)
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs(but=("train_seed",))
    after = controls_of(project)
    assert after[: len(before)] == before
    assert {row[0] for row in after[len(before) :]} == {
        hit.items.first().keyword.ranking_id for hit in project.hits.filter(session_number=2)
    }
    pipeline.prepare_session(session.pk, quiet)
    assert controls_of(project) == after
