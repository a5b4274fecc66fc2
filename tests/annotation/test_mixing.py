"""Adaptive sessions: each block is chosen by what past sessions gained, and the reason is kept."""

import json

import pytest

from annotation import mixing, services
from annotation.models import PolicyDecision, Session
from models_ml.core.policy import Kind, Observation, decide
from tasks.models import Assignment
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project, make_report, make_run, make_session


@pytest.fixture
def project(db):
    """Sessions of four items in blocks of one, out of four keywords and four documents."""
    return make_project(
        keywords=4, documents=4, keyword_count=2, document_count=2, batch_size=1, is_adaptive=True
    )


def do_block(visitor):
    """Submit the block at hand; return the visitor of the next one, or None where it was last."""
    services.submit_assignment(visitor.session, visitor.assignment)
    onward = Assignment.objects.filter(
        worker_id=visitor.assignment.worker_id, state="offered"
    ).first()
    return Visitor(onward) if onward else None


def kinds_of(session):
    return [decision.kind for decision in session.decisions.all()]


def past_session(project, name, *, minutes=10, **means):
    """Return a submitted session whose arms have these mean accuracies."""
    session = make_session(project, name, minutes=minutes)
    session.document_seconds = 60 * minutes / 2
    keyword = project.ranking.keywords.first()
    session.judgements.create(
        keyword=keyword, word=keyword.neighbours.first().word, verdict="accept", revision=1
    )
    session.document_labels.create(
        document=project.pool_corpus.documents.first(), label=1, revision=1
    )
    make_report(session, **{arm: make_run(project, (mean, mean)) for arm, mean in means.items()})
    return session


def test_blocks_hold_one_kind_and_a_session_ends_after_as_many_items_as_a_fixed_one(project):
    assert [
        {"keyword" if item.keyword else "document" for item in hit.items.all()}
        for hit in project.hits.all()
    ] == [{"keyword"}] * 4 + [{"document"}] * 4
    visitor, blocks = Visitor(make_link(project)), 0
    visitor.agree()
    while visitor:
        blocks, session, visitor = blocks + 1, visitor.session, do_block(visitor)
    assert blocks == 4
    assert Session.objects.get(pk=session.pk).state == "submitted"
    assert len(kinds_of(session)) == 3  # the first block is always of keywords


def test_without_experience_both_kinds_are_tried(project):
    visitor = Visitor(make_link(project))
    visitor.agree()
    session = visitor.session
    while visitor:
        visitor = do_block(visitor)
    assert set(kinds_of(session)) == {"keyword", "document"}


def test_what_past_sessions_gained_by_decides(project):
    for name in ("amina", "baraka", "chane", "dalmar"):
        past_session(project, name, base=0.7, clime=0.7, active=0.9, active_clime=0.9)
    visitor = Visitor(make_link(project, "eshe"))
    visitor.agree()
    session = visitor.session
    while visitor:
        visitor = do_block(visitor)
    assert kinds_of(session) == ["document"] * 3


def test_a_decision_can_be_read_and_replayed(project):
    for name in ("baraka", "chane"):
        past_session(project, name, base=0.7, clime=0.8, active=0.8, active_clime=0.85)
    visitor = Visitor(make_link(project))
    visitor.agree()
    do_block(visitor)
    decision = PolicyDecision.objects.get()
    assert decision.block == 2
    assert decision.reason.endswith(".")
    evidence = json.loads(json.dumps(decision.evidence))
    assert evidence["asked"] == {"keyword": 1, "document": 0}
    seen = [Observation(**one) for one in evidence["observations"]]
    options = {name: evidence[name] for name in ("asked", "left", "block", "seed")}
    again = decide(seen, **options)
    assert (again.kind, again.reason) == (decision.kind, decision.reason)


def test_a_kind_is_worth_the_mean_of_what_it_adds_first_and_last(project):
    past_session(project, "amina", base=0.7, clime=0.75, active=0.8, active_clime=0.86)
    keywords, documents = mixing.observations(project)
    assert (keywords.kind, keywords.items, keywords.seconds) == (Kind.KEYWORD, 1, 300)
    assert keywords.gain_points == pytest.approx((5 + 6) / 2)
    assert (documents.kind, documents.items, documents.seconds) == (Kind.DOCUMENT, 1, 300)
    assert documents.gain_points == pytest.approx((10 + 11) / 2)


def test_what_the_space_gains_without_answers_is_not_the_keywords_doing(project):
    past_session(project, "amina", base=0.7, aligned=0.74, clime=0.75)
    (keywords,) = mixing.observations(project)
    assert keywords.gain_points == pytest.approx(1)


def test_a_session_whose_runs_are_not_finished_teaches_nothing_yet(project):
    session = make_session(project)
    make_report(session, base=make_run(project, (0.7,), seeds=2))
    assert mixing.observations(project) == []


def test_pages_count_the_parts_of_an_adaptive_session(project):
    visitor = Visitor(make_link(project))
    visitor.agree()
    assert "part 1 of 4" in visitor.text("welcome/")
    assert "part 2 of 4" in do_block(visitor).text("welcome/")


def test_a_block_whose_places_are_taken_is_passed_over(project):
    project.overlap = 1
    project.save()
    visitor = Visitor(make_link(project))
    visitor.agree()
    for hit in project.hits.exclude(batch=1).exclude(batch=4):
        hit.assignments.create(worker_id="baraka", expires_at=visitor.assignment.expires_at)
    onward = do_block(visitor)
    assert onward.assignment.hit.batch == 4
