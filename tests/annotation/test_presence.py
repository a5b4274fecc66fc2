"""Time at work: gaps between signs of life are counted once, breaks are not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import services
from annotation.models import Session
from annotation.work_time import IDLE, Sign
from tests.annotation.test_pages import accept, neighbours
from tests.annotation.visitor import letter
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def begun(visitor):
    """Let the session have begun an hour ago, and its annotator have been away since."""
    Session.objects.update(started_at=timezone.now() - timedelta(hours=1), last_seen_at=None)


def worked_s(visitor):
    return visitor.session.active_seconds


def signs(*seconds, on_document=False):
    """Return letters that say that somebody was at work, at these seconds from now."""
    return [letter("sign", at=second, on_document=on_document) for second in seconds]


def test_gaps_between_letters_are_work(visitor):
    visitor.deliver(*signs(-100, -70, -40))
    assert worked_s(visitor) == pytest.approx(60, abs=0.1)


def test_letters_that_come_again_or_backwards_are_counted_once(visitor):
    sent = signs(-100, -70, -40)
    visitor.deliver(*reversed(sent))
    for one in sent:
        visitor.deliver(one)
    visitor.deliver(*signs(-85, -55))
    assert worked_s(visitor) == pytest.approx(60, abs=0.1)


def test_more_than_a_minute_without_a_sign_is_no_work(visitor):
    visitor.deliver(*signs(-600, -570, -500, -480))
    assert worked_s(visitor) == pytest.approx(50, abs=0.1)


def test_just_a_minute_is_work(visitor):
    now = timezone.now()
    services.note_signs(visitor.session, [Sign(now - IDLE), Sign(now)])
    assert worked_s(visitor) == IDLE.total_seconds()


def test_work_without_a_connection_is_counted_when_its_letters_come(visitor):
    """The last page came ten minutes ago; answers given since then arrive in two parts."""
    Session.objects.update(last_seen_at=timezone.now() - timedelta(seconds=600))
    answers = [
        letter(
            "verdict",
            keyword=visitor.item(1).keyword.pk,
            word=neighbours(visitor)[0].pk,
            verdict="accept",
            at=second,
        )
        for second in range(-570, -269, 30)
    ]
    visitor.deliver(*answers[:6])
    visitor.deliver(*answers[6:])
    assert worked_s(visitor) == pytest.approx(330, abs=1)


def test_a_letter_that_was_refused_is_a_sign_of_life_but_no_letter_is_none(visitor):
    visitor.deliver(*signs(-30))
    visitor.deliver({"kind": "sign", "at": "x"})
    assert worked_s(visitor) == 0
    visitor.answer("verdict", keyword=10**9, word=10**9, verdict="accept")
    assert worked_s(visitor) == pytest.approx(30, abs=2)


def test_time_on_texts_is_told_apart(visitor):
    visitor.deliver(*signs(-100, -90), *signs(-70, on_document=True), *signs(-40))
    session = visitor.session
    assert session.active_seconds == pytest.approx(60, abs=0.1)
    assert session.document_seconds == pytest.approx(20, abs=0.1)


def test_a_label_is_a_sign_of_work_on_a_text(visitor_of):
    labeller = visitor_of(make_project(keywords=1, documents=1), "baraka")
    Session.objects.update(last_seen_at=timezone.now() - timedelta(seconds=20))
    labeller.answer("label", document=labeller.item(2).document.pk, label=1)
    assert labeller.session.document_seconds == pytest.approx(20, abs=2)


def test_a_break_is_not_counted_however_short(visitor):
    Session.objects.update(last_seen_at=timezone.now() - timedelta(seconds=30))
    assert visitor.post("break/")["Location"] == visitor.url("break/")
    assert worked_s(visitor) == pytest.approx(30, abs=2)
    before = worked_s(visitor)
    visitor.text("break/")  # a look at it does not end it
    assert visitor.session.paused_at is not None
    visitor.text("1/")
    assert worked_s(visitor) == before
    assert visitor.session.paused_at is None


def test_letters_repeated_after_a_break_are_not_counted_again(visitor):
    sent = signs(-90, -60, -30)
    visitor.deliver(*sent)
    before = worked_s(visitor)
    visitor.post("break/")
    after_break = worked_s(visitor)
    visitor.deliver(*sent)
    visitor.deliver(*sent)
    assert before == pytest.approx(60, abs=0.1)
    assert worked_s(visitor) == after_break


def test_work_without_a_connection_counts_although_a_page_was_opened_before_it_was_told(visitor):
    visitor.deliver(*signs(-300))
    visitor.text("1/")  # back, with a connection: the letters follow
    for _ in range(2):
        visitor.deliver(*signs(-280, -240, -200, -50))
    # Of 300 seconds, the 150 between -200 and -50 were a silence.
    assert worked_s(visitor) == pytest.approx(150, abs=2)


def test_a_page_that_is_fetched_ahead_is_no_sign_of_life(visitor):
    visitor.client.get(visitor.url("2/"), headers={"X-Clime-Ahead": "1"})
    assert visitor.session.last_seen_at is None


def test_no_letter_is_a_sign_before_the_session_or_in_the_future(visitor):
    visitor.deliver(*signs(-(10**6), 10**6))
    assert worked_s(visitor) == 0
    assert visitor.session.last_seen_at <= timezone.now()


def test_an_answer_by_form_is_work(visitor):
    Session.objects.update(last_seen_at=timezone.now() - timedelta(seconds=10))
    accept(visitor, 1, neighbours(visitor)[0])
    assert worked_s(visitor) == pytest.approx(10, abs=2)


# --- The pace ------------------------------------------------------------------------------------


def test_the_time_left_is_told_once_enough_pages_are_answered(visitor_of):
    busy = visitor_of(make_project(keywords=6), "baraka")
    for position in (1, 2):
        accept(busy, position, neighbours(busy, position)[0])
    Session.objects.update(active_seconds=360)
    assert "min left" not in busy.text("3/")
    accept(busy, 3, neighbours(busy, 3)[0])
    Session.objects.update(active_seconds=360, last_seen_at=None)
    assert "about 6 min left" in busy.text("4/")


def test_words_and_texts_have_their_own_pace(visitor_of):
    busy = visitor_of(make_project(keywords=4, documents=4), "baraka")
    for position in (1, 2, 3):
        accept(busy, position, neighbours(busy, position)[0])
    for position in (5, 6, 7):
        busy.post(f"{position}/", label=1)
    Session.objects.update(active_seconds=720, document_seconds=180, last_seen_at=None)
    # One word at three minutes, and one text at one.
    assert busy.get("4/").context["pace"].minutes_left == 4
