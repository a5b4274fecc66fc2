"""The screening test: taken once before the first page; who fails it keeps no place."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from annotation.models import Judgement
from tasks import services as tasks_services
from tasks.crowd import offers
from tasks.models import Assignment, Listing, PracticeWord, QualificationHolder, Screening
from tests.annotation.test_practice import agreed, make_practice
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db
WORDS = (
    ("source", "doctor", True, "Both help the sick."),
    ("source", "market", False, "People buy food there."),
    ("target", "daktari", True, "It means doctor."),
    ("target", "soko", False, "It means market."),
)
RIGHT = ("accept", "reject", "accept", "reject")
WRONG = ("reject", "accept", "accept", "reject")


def with_test(project, percent=75):
    make_practice(project, *WORDS)
    project.screening_percent = percent
    project.save()
    return project


@pytest.fixture
def tested(db):
    return with_test(make_project())


@pytest.fixture
def candidate(tested):
    """Someone who has agreed and is to take the test."""
    return agreed(Visitor(make_link(tested)))


def on_platform(project, worker_id="A1"):
    """Return somebody who came from Mechanical Turk and agreed."""
    (hit,) = offers.copies(project, "mturk")
    now = timezone.now()
    where = {"platform": "mturk", "mode": "sandbox", "endpoint": "https://turk.test"}
    money = {"places": 9, "reward_cents": 50, "fee_cents": 10, "minutes_allowed": 60}
    listing = Listing.objects.create(hit=hit, **where, **money)
    came = {"platform_id": "3A", "arrived_at": now, "expires_at": now + timedelta(hours=1)}
    taken = Assignment.objects.create(hit=hit, listing=listing, worker_id=worker_id, **came)
    return agreed(Visitor(taken))


def answer(visitor, *answers):
    form = {f"word-{n}": given for n, given in enumerate(answers, start=1) if given}
    return visitor.post("screening/", **form)


# --- The way through -----------------------------------------------------------------------------


def test_who_agreed_is_led_to_the_test_and_by_passing_it_to_the_first_page(candidate):
    assert candidate.get()["Location"] == candidate.url("screening/")
    assert answer(candidate, *RIGHT)["Location"] == candidate.url()
    assert candidate.get()["Location"] == candidate.url("1/")
    row = Screening.objects.get()
    assert (row.platform, row.worker_id) == ("direct", "amina")
    assert (row.correct, row.asked, row.passed) == (4, 4, True)


def test_the_pass_mark_is_enough(tested):
    candidate = agreed(Visitor(make_link(tested)))
    answer(candidate, "accept", "reject", "accept", "accept")
    assert candidate.get()["Location"] == candidate.url("1/")


def test_before_agreeing_there_is_no_test_but_a_word_of_it(tested):
    newcomer = Visitor(make_link(tested))
    assert "First comes a short test" in newcomer.text("welcome/")
    assert newcomer.get("screening/")["Location"] == newcomer.url()
    assert answer(newcomer, *RIGHT)["Location"] == newcomer.url()
    assert not Screening.objects.exists()


def test_a_project_without_a_pass_mark_has_no_test(newcomer):
    assert "First comes a short test" not in newcomer.text("welcome/")
    agreed(newcomer)
    assert newcomer.get()["Location"] == newcomer.url("practice/")
    assert newcomer.get("screening/")["Location"] == newcomer.url()


def test_without_words_to_ask_about_there_is_no_test(candidate):
    PracticeWord.objects.all().delete()
    assert candidate.get()["Location"] == candidate.url("practice/")


@pytest.mark.parametrize("path", ["1/", "practice/", "finish/"])
def test_no_page_leads_round_the_test(candidate, path):
    assert candidate.get(path)["Location"] == candidate.url()
    assert candidate.post(path, end=1)["Location"] == candidate.url()
    assert candidate.session.practised_at is None
    assert candidate.session.state == "open"


def test_no_answer_or_word_gets_round_the_test(candidate):
    word = candidate.assignment.hit.project.embedding.target.words.first()
    assert candidate.get(f"concordance/{word.pk}").status_code == 404
    assert candidate.send("answers", letters=[]).status_code == 403
    assert candidate.get("words", side="target", q="m").status_code == 403
    assert not Judgement.objects.exists()


def test_who_was_at_work_before_there_was_a_test_goes_on(visitor, project):
    with_test(project)
    assert visitor.get()["Location"] == visitor.url("1/")
    assert visitor.get("screening/")["Location"] == visitor.url()


def test_who_had_submitted_before_there_was_a_test_still_sees_the_code(newcomer, project):
    agreed(newcomer)
    newcomer.post("finish/")
    with_test(project)
    newcomer.assignment.refresh_from_db()
    assert newcomer.assignment.completion_code in newcomer.text("finish/")
    assert "What you did" in newcomer.text("finish/")


def test_later_sessions_have_no_test(tested):
    assignment = tasks_services.offer_session(
        tested,
        session_number=2,
        owner=tasks_services.Owner("direct", "amina"),
        keywords=list(tested.ranking.keywords.all()),
        documents=[],
    )
    visitor = Visitor(assignment)
    assert "First comes a short test" not in visitor.text("welcome/")
    agreed(visitor)
    assert visitor.get()["Location"] == visitor.url("1/")


# --- The page ------------------------------------------------------------------------------------


def test_the_page_tells_neither_right_nor_wrong(candidate):
    pages = [candidate.text("screening/"), answer(candidate, "accept", "accept").content.decode()]
    for page in pages:
        assert "Both help the sick." not in page
        assert "feedback" not in page
        assert 'value="leave"' not in page
        assert re.findall(r'id="word-\d" lang="(\w+)" dir="ltr">(\w+)<', page) == [
            ("en", "doctor"),
            ("en", "market"),
            ("sw", "daktari"),
            ("sw", "soko"),
        ]


def test_the_page_names_the_pass_mark(candidate):
    assert "at least 75 % of the answers must be right" in candidate.text("screening/")


def test_an_unfinished_test_is_shown_again_with_its_answers(candidate):
    page = answer(candidate, "accept", None, "reject").content.decode()
    assert "some are still open" in page
    chosen = re.findall(r'name="(word-\d)" value="(\w+)" checked', page)
    assert chosen == [("word-1", "accept"), ("word-3", "reject")]
    assert not Screening.objects.exists()


@pytest.mark.parametrize("given", ["leave", "perhaps"])
def test_an_answer_that_there_is_not_is_refused(candidate, given):
    assert answer(candidate, given, *RIGHT[1:]).status_code == 400
    assert not Screening.objects.exists()


@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES if code != "en"])
def test_the_test_is_in_the_reader_s_language(candidate, language):
    candidate.post("language/", language=language)
    page = candidate.text("screening/")
    assert "A short test" not in page
    assert "Finish the test" not in page
    out = answer(candidate, *WRONG)
    assert (
        "Thank you for taking the test"
        not in candidate.client.get(out["Location"]).content.decode()
    )


# --- Failing -------------------------------------------------------------------------------------


def test_who_fails_is_told_kindly_and_the_place_is_free(candidate, tested):
    free = tasks_services.free_places(tested)
    assert answer(candidate, *WRONG)["Location"] == candidate.url()
    for path in ("", "1/", "screening/"):
        told = candidate.get(path)
        assert told.status_code == 410
        assert "Thank you for taking the test" in told.content.decode()
        assert "You can close this page." in told.content.decode()
    candidate.assignment.refresh_from_db()
    assert candidate.assignment.state == "revoked"
    assert tasks_services.free_places(tested) == free + 1


def test_who_fails_on_a_platform_is_asked_to_give_the_task_back(tested):
    candidate = on_platform(tested)
    answer(candidate, *WRONG)
    candidate.assignment.refresh_from_db()
    assert candidate.assignment.state == "returned"
    told = candidate.get().content.decode()
    assert "give the task back on Mechanical Turk" in told
    assert "You can close this page." not in told
    assert QualificationHolder.objects.get().qualification.purpose == "took_part"


def test_who_passes_on_a_platform_is_to_get_its_qualification(tested):
    candidate = on_platform(tested)
    answer(candidate, *RIGHT)
    assert candidate.get()["Location"] == candidate.url("1/")
    holder = QualificationHolder.objects.get()
    assert (holder.worker_id, holder.qualification.purpose) == ("A1", "screened")


def test_a_test_is_taken_once_whatever_comes_of_the_link(candidate):
    answer(candidate, *WRONG)
    again = tasks_services.reissue(Assignment.objects.get())
    candidate.assignment = again
    assert candidate.get()["Location"] == candidate.url("screening/")
    assert candidate.get("screening/").status_code == 410
    assert answer(candidate, *RIGHT).status_code == 410
    assert candidate.get("1/")["Location"] == candidate.url()
    assert Screening.objects.get().passed is False


def test_handing_in_twice_changes_nothing(candidate):
    answer(candidate, *RIGHT)
    assert answer(candidate, *WRONG)["Location"] == candidate.url()
    assert Screening.objects.get().correct == 4
    assert candidate.get()["Location"] == candidate.url("1/")


def test_the_same_name_on_another_platform_is_another_person(tested):
    answer(agreed(Visitor(make_link(tested, "A1"))), *WRONG)
    elsewhere = on_platform(tested, "A1")
    assert elsewhere.get()["Location"] == elsewhere.url("screening/")
