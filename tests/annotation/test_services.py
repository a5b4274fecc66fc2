"""Changes to sessions and answers, and what happens when two come at once."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from annotation import letters, services
from annotation.answering import Answer, SessionEnded, open_sheet
from annotation.models import (
    Annotator,
    ContextView,
    Judgement,
    Problem,
    Session,
    Suggestion,
    Verdict,
)
from models_ml.models import Job, Neighbour
from tasks import services as tasks_services
from tasks.models import Assignment
from tests.annotation.visitor import Visitor, letter
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def answer(visitor):
    """Give a function that records a verdict about the first neighbour of the first keyword."""
    keyword = visitor.item(1).keyword
    word = keyword.neighbours.first().word

    def record(verdict):
        return judge(visitor.session, visitor.assignment, keyword, word, verdict)

    return record


def judge(session, assignment, keyword, word, verdict):
    with open_sheet(session, assignment) as sheet:
        return sheet.judge(keyword, word, Answer(verdict))


def seen(session, seconds_ago):
    """Return the session as if its last sign of life were so long ago."""
    session.last_seen_at = timezone.now() - timedelta(seconds=seconds_ago)
    session.save()
    return session


# --- Answers -------------------------------------------------------------------------------------


def test_answers_are_appended_and_one_is_current(answer):
    for verdict in (Verdict.ACCEPT, Verdict.ACCEPT, Verdict.REJECT, Verdict.LEAVE):
        answer(verdict)
    history = Judgement.objects.values_list("revision", "verdict", "is_current")
    assert list(history) == [(1, "accept", False), (2, "reject", False), (3, "leave", True)]
    assert not Judgement.objects.decided().exists()


def test_an_answer_to_a_submitted_session_is_refused(visitor, answer):
    services.submit_session(visitor.session)
    with pytest.raises(SessionEnded):
        answer(Verdict.ACCEPT)


def test_the_second_of_two_tabs_cannot_answer_after_the_first_submitted(visitor, answer):
    stale = visitor.assignment  # as the second tab read it before
    services.submit_assignment(visitor.session, visitor.assignment)
    assert stale.state == "offered"
    with pytest.raises(SessionEnded):
        answer(Verdict.ACCEPT)


def test_resuming_passes_over_items_left_open(visitor):
    session, assignment = visitor.session, visitor.assignment
    assert services.where_to_resume(session, assignment).position == 1
    keyword = visitor.item(2).keyword
    judge(session, assignment, keyword, keyword.neighbours.first().word, Verdict.REJECT)
    assert services.where_to_resume(session, assignment).position == 3


def test_resuming_knows_labelled_documents(visitor_of):
    labeller = visitor_of(make_project(keywords=1, documents=2))
    session, assignment = labeller.session, labeller.assignment
    for position, following in ((2, 3), (3, None)):
        with open_sheet(session, assignment) as sheet:
            sheet.label(labeller.item(position).document, None)
        item = services.where_to_resume(session, assignment)
        assert (item and item.position) == following


# --- Time ----------------------------------------------------------------------------------------


def test_time_between_signs_of_life_is_work(visitor):
    session = seen(visitor.session, seconds_ago=40)
    services.note_presence(session)
    session.refresh_from_db()
    assert session.active_seconds == pytest.approx(40, abs=2)
    assert timezone.now() - session.last_seen_at < timedelta(seconds=2)


def test_a_longer_pause_is_a_break(visitor):
    session = seen(visitor.session, seconds_ago=61)
    services.note_presence(session)
    session.refresh_from_db()
    assert session.active_seconds == 0
    assert timezone.now() - session.last_seen_at < timedelta(seconds=2)


def test_of_two_requests_at_once_only_one_counts_the_time_before_them(visitor):
    first = seen(visitor.session, seconds_ago=40)
    second = visitor.session
    services.note_presence(first)
    services.note_presence(second)
    assert visitor.session.active_seconds == pytest.approx(40, abs=2)


def test_pages_and_answers_are_signs_of_life_but_not_after_submission(visitor):
    seen(visitor.session, seconds_ago=30)
    visitor.get("1/")
    assert visitor.session.active_seconds == pytest.approx(30, abs=2)
    seen(visitor.session, seconds_ago=20)
    visitor.get("words", side="source", q="n")
    assert visitor.session.active_seconds == pytest.approx(50, abs=4)
    visitor.post("finish/")
    worked_s = visitor.session.active_seconds
    seen(visitor.session, seconds_ago=30)
    visitor.get("finish/")
    visitor.get("1/")
    assert visitor.session.active_seconds == worked_s


# --- Submitting ----------------------------------------------------------------------------------


def test_submitting_twice_changes_nothing(visitor):
    assert services.submit_assignment(visitor.session, visitor.assignment) is True
    assert services.submit_assignment(visitor.session, visitor.assignment) is False
    assert services.submit_session(visitor.session) is False
    assert Job.objects.count() == 1


def test_a_full_next_batch_is_passed_over(visitor_of):
    project = make_project(keywords=3, batch_size=1, overlap=1)
    visitor = visitor_of(project)
    taken = project.hits.get(batch=2)
    Assignment.objects.create(hit=taken, worker_id="bahati", expires_at=timezone.now())
    services.submit_assignment(visitor.session, visitor.assignment)
    following = Assignment.objects.get(hit__batch=3)
    assert following.worker_id == "amina"
    assert visitor.session.state == "open"


def test_a_session_whose_next_batch_was_revoked_is_submitted(visitor_of):
    project = make_project(keywords=2, batch_size=1)
    visitor = visitor_of(project)
    following = tasks_services.next_assignment(visitor.assignment)
    tasks_services.revoke(following)
    services.submit_assignment(visitor.session, visitor.assignment)
    assert visitor.session.state == "submitted"


def test_a_session_whose_later_batch_expired_is_submitted_by_the_sweeper(visitor_of):
    visitor = visitor_of(make_project(keywords=2, batch_size=1))
    services.submit_assignment(visitor.session, visitor.assignment)
    assert services.submit_abandoned_sessions() == 0
    Assignment.objects.filter(hit__batch=2).update(expires_at=timezone.now())
    tasks_services.expire_overdue()
    assert services.submit_abandoned_sessions() == 1
    assert visitor.session.state == "submitted"
    assert services.submit_abandoned_sessions() == 0


def test_a_link_made_anew_opens_a_session_again_that_was_submitted_in_part(visitor_of):
    visitor = visitor_of(make_project(keywords=2, batch_size=1))
    services.submit_assignment(visitor.session, visitor.assignment)
    Assignment.objects.filter(hit__batch=2).update(expires_at=timezone.now())
    tasks_services.expire_overdue()
    services.submit_abandoned_sessions()
    renewed = tasks_services.reissue(Assignment.objects.get(hit__batch=2))
    keyword = renewed.hit.items.get().keyword
    judge(visitor.session, renewed, keyword, keyword.neighbours.first().word, Verdict.ACCEPT)
    assert visitor.session.state == "open"
    assert services.submit_assignment(visitor.session, renewed)
    assert visitor.session.state == "submitted"


def test_a_session_that_was_never_submitted_in_part_stays_open_for_a_new_link(visitor):
    Assignment.objects.update(expires_at=timezone.now())
    tasks_services.expire_overdue()
    assert services.submit_abandoned_sessions() == 0


# --- Two at once ---------------------------------------------------------------------------------


def at_once(*actions):
    """Return what the actions return, or the errors they raise, all begun at the same moment."""
    ready = threading.Barrier(len(actions))
    results = [None] * len(actions)

    def run(place, action):
        try:
            ready.wait(timeout=10)
            results[place] = action()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.mark.django_db(transaction=True)
def test_two_tabs_answering_at_once_leave_one_current_answer(visitor, answer):
    verdicts = [Verdict.ACCEPT, Verdict.REJECT] * 4
    results = at_once(*(lambda verdict=verdict: answer(verdict) for verdict in verdicts))
    assert all(isinstance(result, Judgement) for result in results), results
    assert Judgement.objects.current().count() == 1
    revisions = list(Judgement.objects.values_list("revision", flat=True))
    assert revisions == list(range(1, len(revisions) + 1))
    assert Judgement.objects.current().get().revision == len(revisions)


@pytest.mark.django_db(transaction=True)
def test_letters_sent_by_several_tabs_at_once_are_stored_once(visitor):
    keyword = visitor.item(1).keyword.pk
    word = visitor.item(1).keyword.neighbours.first().word.pk
    sent = [
        letter("verdict", keyword=keyword, word=word, verdict="accept"),
        letter("suggestion", keyword=keyword, side="target", text="zahanati"),
        letter("context", word=word),
        letter("problem", text="The page is slow."),
    ]
    session, assignment = visitor.session, visitor.assignment
    results = at_once(*[lambda: letters.deliver(session, assignment, sent)] * 4)
    assert all([receipt["state"] for receipt in result] == ["saved"] * 4 for result in results)
    for kind in (Judgement, Suggestion, ContextView, Problem):
        assert kind.objects.count() == 1
    assert visitor.session.contexts_opened == 1


@pytest.mark.django_db(transaction=True)
def test_of_submissions_at_once_one_submits(visitor):
    session, assignment = visitor.session, visitor.assignment
    results = at_once(*[lambda: services.submit_assignment(session, assignment)] * 4)
    assert sorted(results, key=str) == [False, False, False, True]
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_answers_beside_a_submission_are_either_in_time_or_refused(visitor_of):
    visitor = visitor_of(make_project(neighbours=6))
    session, assignment = visitor.session, visitor.assignment
    keyword = visitor.item(1).keyword

    def accept(word):
        return judge(session, assignment, keyword, word, Verdict.ACCEPT)

    words = [neighbour.word for neighbour in keyword.neighbours.select_related("word")]
    answers = [lambda word=word: accept(word) for word in words]
    answers.insert(3, lambda: services.submit_assignment(session, assignment))
    results = at_once(*answers)
    assert results.pop(3) is True
    assignment.refresh_from_db()
    for result in results:
        if isinstance(result, Judgement):
            assert result.created_at <= assignment.submitted_at
        else:
            assert isinstance(result, SessionEnded)
    in_time = sum(isinstance(result, Judgement) for result in results)
    assert Judgement.objects.count() == in_time


@pytest.mark.django_db(transaction=True)
def test_agreeing_in_two_tabs_begins_one_session(newcomer):
    tabs = [Visitor(newcomer.assignment) for _ in range(4)]
    results = at_once(*(tab.agree for tab in tabs))
    assert results == [None] * 4
    assert Session.objects.count() == 1
    assert Annotator.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_page_opened_beside_updates_shows_from_then_on_what_it_showed_first(visitor_of):
    visitor = visitor_of(make_project(method="spectral", live=True))
    keyword = visitor.item(2).keyword
    words = list(visitor.assignment.hit.project.embedding.target.words.order_by("-row")[:6])

    def update(word):
        near = Neighbour(keyword=keyword, word=word, position=1, cosine=0.5)
        return services.store_neighbours(visitor.session, [near])

    def look():
        columns = visitor.get("2/").context["shown"].columns
        return [one.word for column in columns for one in column.words]

    actions = [lambda word=word: update(word) for word in words]
    actions.insert(3, look)
    results = at_once(*actions)
    first_seen = results.pop(3)
    assert set(results) <= {0, 1}, results
    assert look() == first_seen
    assert update(words[0]) == 0


def test_making_a_link_begins_no_session(project):
    make_link(project)
    assert not Session.objects.exists()
