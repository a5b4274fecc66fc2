"""What a person sees of later sessions: that one is prepared, waits, or may begin."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import services
from tasks import services as tasks_services
from tasks.models import Assignment, Block, Project
from tests.annotation.visitor import Visitor
from tests.factories import make_project

LOOKS_AGAIN = "annotation/done.js"


@pytest.fixture
def project(db):
    return make_project(keywords=2, session_count=3)


@pytest.fixture
def done(project, visitor_of):
    """Somebody who submitted their first session of three."""
    visitor = visitor_of(project)
    services.submit_assignment(visitor.session, visitor.assignment)
    return visitor


def offer(project, **fields):
    assignment = tasks_services.offer_session(
        project,
        session_number=2,
        owner=tasks_services.Owner("direct", "amina"),
        keywords=project.ranking.keywords.all()[:1],
        documents=[],
    )
    Assignment.objects.filter(pk=assignment.pk).update(**fields)
    assignment.refresh_from_db()
    return assignment


def test_pages_tell_which_session_of_how_many_it_is(visitor_of, project):
    visitor = visitor_of(project)
    for page in ("welcome/", "1/"):
        assert "session 1 of 3" in visitor.text(page)


def test_a_project_of_one_session_does_not_count_them(visitor_of):
    visitor = visitor_of(make_project())
    assert "session 1" not in visitor.text("welcome/").casefold()
    services.submit_assignment(visitor.session, visitor.assignment)
    assert "data-next" not in visitor.text("finish/")


def test_while_the_next_session_is_prepared_the_page_looks_again_by_itself(done):
    page = done.text("finish/")
    assert "Session 2 of 3 is being prepared" in page
    assert LOOKS_AGAIN in page


def test_a_session_that_is_ready_has_a_link_to_begin_by(done, project):
    offered = Visitor(offer(project))
    page = done.text("finish/")
    assert "Session 2 of 3 is ready" in page
    assert offered.url() in page
    assert LOOKS_AGAIN not in page
    assert "session 2 of 3" in offered.text("welcome/")
    offered.agree()
    assert offered.session.number == 2
    assert offered.session != done.session


def test_a_pause_is_told_with_its_end_and_the_link_keeps_until_then(done, project):
    opens_at = timezone.now() + timedelta(hours=5)
    resting = Visitor(offer(project, opens_at=opens_at))
    page = done.text("finish/")
    assert "opens on" in page
    assert resting.url() in page
    answer = resting.get()
    assert answer.status_code == 200
    assert "This session opens later" in answer.content.decode()
    assert resting.post("welcome/").status_code == 200  # and nobody can begin
    assert not resting.assignment.hit.project.sessions.filter(number=2).exists()
    Assignment.objects.update(opens_at=timezone.now())
    assert resting.get().status_code == 302


def test_who_reaches_the_last_session_is_not_promised_another(done, project):
    Project.objects.update(session_count=1)
    assert "data-next" not in done.text("finish/")


def test_a_closed_project_promises_nothing(done):
    Project.objects.update(state="closed")
    assert "data-next" not in done.text("finish/")


def test_a_next_session_whose_time_is_over_is_not_offered(done, project):
    offer(project, expires_at=timezone.now())
    assert "data-next" not in done.text("finish/")


def test_a_blocked_person_is_offered_no_further_session(done):
    Block.objects.create(platform="direct", worker_id="amina", reason="copies")
    assert not done.session.has_next
    assert "data-next" not in done.text("finish/")
