"""Repeated sessions: the next one is made from what its annotator said before."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clime_project import answers, measuring, pipeline
from models_ml import refining
from models_ml.models import Arm, Job
from tasks import services as tasks_services
from tasks.models import Assignment, Project, ProjectState
from tests.clime_project.loop import assignments_of, begin, do_all_jobs, judge, quiet, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(prepare):
    return prepare()


@pytest.fixture
def first(project):
    """Amina's first session, submitted and processed."""
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    session.refresh_from_db()
    return session


def keywords_of(assignment):
    return [item.keyword for item in assignment.hit.items.all() if item.keyword]


def second_of(session):
    return Assignment.objects.get(
        hit__project=session.project,
        hit__session_number=2,
        worker_id=session.annotator.worker_id,
    )


def test_the_second_session_asks_other_keywords_in_the_persons_own_vectors(first):
    offered = second_of(first)
    words = {keyword.word for keyword in first.project.ranking.keywords.all()}
    assert len(keywords_of(offered)) == 3
    assert not words & {keyword.word for keyword in keywords_of(offered)}
    assert {keyword.ranking.embedding for keyword in keywords_of(offered)} == {first.refined}


def test_a_project_may_ask_the_same_keywords_again(prepare):
    project = prepare(repeats_keywords=True)
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    session.refresh_from_db()
    asked = keywords_of(second_of(session))
    assert {keyword.ranking.embedding for keyword in asked} == {session.refined}
    words = {keyword.word for keyword in project.ranking.keywords.all()}
    assert words & {keyword.word for keyword in asked}


def test_the_second_session_is_its_annotators_alone(first):
    hit = second_of(first).hit
    assert hit.worker_id == "amina"
    with pytest.raises(tasks_services.TaskError, match="for amina alone"):
        tasks_services._take_place(hit.pk, "baraka")
    tasks_services.make_links(first.project, ["baraka"])  # who begins with the first session


def test_no_session_follows_the_last_one_or_in_a_closed_project(first):
    second = begin(first.project, number=2)
    judge(second)
    submit(second)
    do_all_jobs()
    assert not Assignment.objects.filter(hit__session_number=3).exists()
    assert not second.has_next
    Project.objects.update(state=ProjectState.CLOSED)
    first.refresh_from_db()
    assert not first.has_next


def test_a_pause_and_a_deadline_hold_for_the_next_session(prepare):
    project = prepare(pause_hours=24, session_hours=48)
    session = begin(project)
    judge(session)
    submit(session)
    before = timezone.now()
    do_all_jobs()
    offered = second_of(session)
    assert offered.opens_at - before >= timedelta(hours=24)
    assert offered.expires_at - offered.opens_at == timedelta(hours=48)
    assert offered.is_held and offered.is_resting and not offered.is_open


def test_preparing_the_next_session_twice_offers_it_once(first):
    offered = second_of(first)
    pipeline.prepare_session(first.pk, quiet)
    assert second_of(first) == offered
    assert offered.hit.items.count() == 3


def test_the_second_refinement_starts_from_the_base_with_all_that_was_said(first):
    second = begin(first.project, number=2)
    judge(second, lambda keyword, word: "reject")
    submit(second)
    do_all_jobs()
    second.refresh_from_db()
    assert second.refined.parent == first.project.embedding
    moved = set(refining.open_space(second.refined).moved_ids)
    assert moved >= set(refining.open_space(first.refined).moved_ids)
    assert {arm.arm for arm in second.report.arms.all()} == {Arm.BASE, Arm.CLIME}


def test_as_an_option_it_starts_from_the_last_refinement(prepare):
    project = prepare(refine_from="last")
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    session.refresh_from_db()
    second = begin(project, number=2)
    judge(second)
    submit(second)
    do_all_jobs()
    second.refresh_from_db()
    assert second.refined.parent == session.refined
    _, said = answers.what_counts(second)
    assert len(said.constraints) == second.judgements.count()
    unmoved = refining.open_space(session.refined)
    untouched = [i for i in unmoved.moved_ids if i not in {c.keyword for c in said.constraints}]
    assert untouched  # what the first session moved is still where it was, unless judged again
    again = refining.open_space(second.refined)
    judged = {i for c in said.constraints for i in (c.keyword, c.neighbour)}
    kept = [i for i in unmoved.moved_ids if i not in judged]
    assert (again.gather(kept) == unmoved.gather(kept)).all()


def test_what_is_said_later_of_the_same_pair_stands(prepare):
    project = prepare(repeats_keywords=True)
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    second = begin(project, number=2)
    judge(second, lambda keyword, word: "reject")
    submit(second)
    signs = {(c.keyword, c.neighbour): c.sign for c in answers.constraints_of(second.up_to_now())}
    later = answers.constraints_of(second)
    assert all(signs[c.keyword, c.neighbour] == -1 for c in later)
    assert 1 in signs.values()


def test_documents_of_the_next_session_are_new_ones(prepare):
    project = prepare(document_count=1)
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    asked = [item.document for item in project.first_hit.items.all() if item.document]
    next_ones = [item.document for item in second_of(session).hit.items.all() if item.document]
    assert len(asked) == len(next_ones) == 1
    assert asked != next_ones


def test_the_next_classifier_learns_from_the_persons_labels(prepare):
    project = prepare(document_count=1)
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    ranking = keywords_of(second_of(session))[0].ranking
    Job.objects.all().delete()
    session.document_labels.update(label=1 - session.document_labels.get().label)
    Assignment.objects.filter(hit__session_number=2).delete()
    pipeline.prepare_session(session.pk, quiet)
    assert keywords_of(second_of(session))[0].ranking != ranking
    assert assignments_of(session).count() == 1


def test_accuracy_is_measured_on_the_way_too(prepare):
    project = prepare(curve_step=1, curve_seeds=2)
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    session.refresh_from_db()
    curve = session.report.curve.all()
    assert [point.keywords for point in curve] == [1, 2]
    assert all(point.run.seeds == 2 and point.run.mean is not None for point in curve)
    _, said = answers.what_counts(session)
    assert {c.keyword for c in said.first(1)} == {said.keywords[0]}


def test_of_many_keywords_the_steps_are_longer(prepare, monkeypatch):
    monkeypatch.setattr(measuring, "MOST_STEPS", 2)
    project = prepare(curve_step=1, curve_seeds=1)
    session = begin(project)
    judge(session)
    submit(session)
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    assert [point.keywords for point in session.report.curve.all()] == [2]
