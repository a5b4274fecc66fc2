"""The practice: a keyword whose answers are told at once, and of which nothing is kept."""

import re
from html import unescape

import pytest
from django.conf import settings

from annotation import practising
from annotation.models import Annotator, Judgement
from annotation.practising import Outcome
from tasks.models import PracticeWord
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def beginner(newcomer):
    """Someone who agreed just now and has yet to practise."""
    return agreed(newcomer)


def agreed(visitor):
    text = visitor.assignment.hit.project.consent_fingerprint
    assert visitor.post("welcome/", text=text).status_code == 303
    return visitor


def beginner_of(**fields):
    return agreed(Visitor(make_link(make_project(**fields))))


def practise(visitor, *answers):
    """Return the page after sending answers to the first words, None for a word without one."""
    form = {f"word-{n}": answer for n, answer in enumerate(answers, start=1) if answer}
    response = visitor.post("practice/", **form)
    assert response.status_code == 200
    return response.content.decode()


def feedback(page):
    """Return what a page says of each word, as it is read."""
    said = re.findall(r'<p class="feedback".*?</p>', page, re.S)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in said]


def make_practice(project, *words, keyword="nurse"):
    """Give a project a practice of its own: (side, text, is accepted, reason) for each word."""
    project.practice_keyword = keyword
    project.save()
    for side, text, is_accepted, reason in words:
        PracticeWord.objects.create(
            project=project, side=side, text=text, is_accepted=is_accepted, reason=reason
        )


# --- The way through -----------------------------------------------------------------------------


def test_who_agreed_is_led_to_the_practice_once_and_then_to_the_first_page(beginner):
    assert beginner.get()["Location"] == beginner.url("practice/")
    assert beginner.post("practice/", end=1)["Location"] == beginner.url()
    assert beginner.get()["Location"] == beginner.url("1/")


def test_before_agreeing_there_is_no_practice(newcomer):
    assert newcomer.get("practice/")["Location"] == newcomer.url()
    assert newcomer.post("practice/", end=1)["Location"] == newcomer.url()
    assert not Annotator.objects.exists()


def test_checking_keeps_nothing_and_does_not_end_the_practice(beginner):
    practise(beginner, "accept", "reject")
    assert not Judgement.objects.exists()
    assert beginner.session.practised_at is None
    assert beginner.get()["Location"] == beginner.url("practice/")


def test_the_practice_can_be_skipped_before_a_check_and_ends_with_start_after_it(beginner):
    def button(page):
        return re.search(r'<form class="begin".*?name="end" value="1">(.*?)</button>', page, re.S)[
            1
        ]

    assert button(beginner.text("practice/")) == "Skip the practice and start"
    assert button(practise(beginner, "accept")) == "Start"


def test_a_project_without_keywords_has_nothing_to_practise():
    visitor = beginner_of(keywords=0, documents=2)
    assert visitor.get()["Location"] == visitor.url("1/")


# --- Feedback ------------------------------------------------------------------------------------


def test_each_word_is_told_right_or_wrong_with_its_reason(beginner, project):
    make_practice(
        project,
        ("source", "doctor", True, "Both help the sick."),
        ("source", "market", False, "People buy food there."),
        ("target", "daktari", True, "It means doctor."),
        ("target", "soko", False, "It means market."),
    )
    assert feedback(practise(beginner, "accept", "accept", "leave")) == [
        "✓ Right. Both help the sick.",
        "✗ Look again. We would reject this word. People buy food there.",
        "○ Left open. We would accept this word. It means doctor.",
        "○ Left open. We would reject this word. It means market.",
    ]


def test_the_result_counts_what_is_right_and_is_where_the_browser_goes(beginner):
    page = beginner.text("practice/")
    assert f'action="{beginner.url("practice/")}#result"' in page
    assert 'id="result"' not in page
    page = practise(beginner, "accept", "reject", "reject")
    result = re.search(r'<p class="note" id="result" role="status" tabindex="-1">(.*?)</p>', page)
    # The word that fits both categories is right whatever is said of it.
    assert result[1].startswith("3 of 6 words are right.")


def test_who_has_all_right_is_told_so(beginner):
    answers = {True: "accept", False: "reject", None: "leave"}
    words = practising.practice_of(beginner.assignment.hit.project).words
    page = practise(beginner, *(answers[word.is_accepted] for word in words))
    assert "6 of 6 words are right. Well done!" in page
    assert "Look again" not in page


def test_answers_are_still_chosen_after_the_check(beginner):
    page = practise(beginner, "reject", None, "leave")
    chosen = re.findall(r'name="(word-\d)" value="(\w+)" checked', page)
    assert chosen == [("word-1", "reject"), ("word-3", "leave")]


@pytest.mark.parametrize("answer", ["accept", "reject", "leave", None])
def test_a_word_that_fits_both_categories_may_be_answered_in_any_way(answer):
    general = practising.practice_of(make_project())
    place = next(n for n, word in enumerate(general.words, start=1) if word.is_accepted is None)
    trial = practising.try_out(general, {f"word-{place}": answer} if answer else {})
    assert trial.attempts[place - 1].outcome == Outcome.RIGHT


def test_an_answer_that_there_is_not_is_refused(beginner):
    response = beginner.post("practice/", **{"word-1": "perhaps"})
    assert response.status_code == 400
    assert "Please press one of the buttons beside a word." in response.content.decode()


# --- Whose words ---------------------------------------------------------------------------------


def test_a_project_s_own_practice_is_shown_in_its_two_languages(beginner, project):
    make_practice(
        project, ("target", "soko", False, "No."), ("source", "doctor", True, "Yes."), keyword="ill"
    )
    page = beginner.text("practice/")
    assert '<bdi lang="en" dir="ltr">ill</bdi>' in page
    assert "Someone needs help at once." in page
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["English", "Swahili"]
    assert re.findall(r'id="word-\d" lang="(\w+)" dir="ltr">(\w+)<', page) == [
        ("en", "doctor"),
        ("sw", "soko"),
    ]
    assert "This is an example" not in page


@pytest.mark.parametrize(("keyword", "has_words"), [("", True), ("ill", False)])
def test_half_a_practice_gives_way_to_the_general_example(beginner, project, keyword, has_words):
    words = [("source", "doctor", True, "Yes.")] if has_words else []
    make_practice(project, *words, keyword=keyword)
    page = beginner.text("practice/")
    assert "doctor" not in page
    assert '<bdi lang="en" dir="ltr">goal</bdi>' in page
    assert "on your pages, the words are in English and Swahili." in page


@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
def test_the_general_example_is_in_the_reader_s_language(beginner, language):
    beginner.post("language/", language=language)
    direction = "rtl" if language == "ar" else "ltr"
    words = re.findall(r'id="word-\d" lang="(\w+)" dir="(\w+)"', beginner.text("practice/"))
    assert words == [(language, direction)] * 6


def test_what_a_manager_wrote_is_shown_as_text(beginner, project):
    make_practice(project, ("source", HOSTILE, True, HOSTILE), keyword=HOSTILE)
    assert HOSTILE not in practise(beginner, "accept")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [("graded", "five steps in place of two buttons"), ("ranking", "put the words in order")],
)
def test_who_will_answer_in_another_form_is_told_how_it_differs(form, sentence):
    assert sentence in beginner_of(answer_form=form).text("practice/")
    assert sentence not in beginner_of().text("practice/")
