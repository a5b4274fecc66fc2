"""The welcome page: the work, its time and pay, its pictures, and what is agreed to."""

import re
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils import timezone

from annotation import welcoming
from annotation.models import Session
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project, make_session
from tests.pictures import PIXELS_A_POINT, STEPS

pytestmark = pytest.mark.django_db

LANGUAGES = [code for code, _ in settings.LANGUAGES]
HOSTILE = "<script>alert(1)</script>"


def newcomer_of(**fields):
    return Visitor(make_link(make_project(**fields)))


def welcome(visitor, **query):
    """Return the welcome page as it is read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", visitor.text("welcome/", **query))).split())


def work(project, *minutes, **fields):
    """Let people submit sessions of so many minutes."""
    for number, one in enumerate(minutes):
        session = make_session(project, f"other-{number}", minutes=one)
        Session.objects.filter(pk=session.pk).update(**fields)


# --- Time and pay --------------------------------------------------------------------------------


def test_the_planned_time_is_told():
    page = welcome(newcomer_of(session_minutes=50))
    assert "50 minutes are planned." in page


def test_without_a_plan_the_time_that_others_took_is_told():
    project = make_project(overlap=9)
    work(project, 20, 31, 90)
    assert "Others took about 31 minutes ." in welcome(Visitor(make_link(project)))


def test_a_plan_goes_before_the_time_that_others_took():
    project = make_project(overlap=9, session_minutes=50)
    work(project, 20, 31, 90)
    page = welcome(Visitor(make_link(project)))
    assert "50 minutes are planned." in page
    assert "Others took" not in page


def test_nothing_is_said_of_time_while_too_few_have_worked():
    project = make_project(overlap=9)
    work(project, 20, 31)
    make_session(project, "not-done-yet", is_submitted=False)
    assert welcoming.usual_minutes(project) is None
    assert " Time " not in welcome(Visitor(make_link(project)))


def test_sessions_that_a_manager_left_out_say_nothing_of_the_time():
    project = make_project(overlap=9)
    work(project, 1, 1, 1, excluded_at=timezone.now())
    assert welcoming.usual_minutes(project) is None


def test_the_time_of_a_task_in_parts_is_that_of_all_parts():
    sentence = "That is for all parts together."
    assert sentence in welcome(newcomer_of(session_minutes=50, batch_size=2))
    assert sentence not in welcome(newcomer_of(session_minutes=50))


@pytest.mark.parametrize(
    ("fields", "pay"),
    [
        ({"pay_note": "By phone, on Fridays", "hourly_pay": 12}, "Pay By phone, on Fridays The"),
        ({"hourly_pay": 12}, "Pay 12 USD an hour The"),
        ({"hourly_pay": "7.5", "currency": "EUR"}, "Pay 7.50 EUR an hour The"),
    ],
)
def test_pay_is_what_the_manager_wrote_or_else_the_hourly_pay(fields, pay):
    assert pay in welcome(newcomer_of(**fields))


@pytest.mark.parametrize("hourly_pay", [None, 0])
def test_where_nothing_is_known_of_pay_nothing_is_said(hourly_pay):
    assert " Pay " not in welcome(newcomer_of(hourly_pay=hourly_pay))


# --- Language ------------------------------------------------------------------------------------


def test_the_language_is_chosen_on_top_and_only_there(newcomer):
    page = newcomer.text("welcome/")
    assert page.index('<form class="languages"') < page.index("<h1")
    assert page.count(f'action="{newcomer.url("language/")}"') == 1
    assert re.findall(r'name="language" value="(\w+)" lang', page) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_in_the_language_in_its_address_and_hands_it_on(newcomer, language):
    page = newcomer.text("welcome/", language=language)
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
    assert f'<input type="hidden" name="language" value="{language}">' in page
    assert re.findall(r'value="(\w+)" lang="\w+" aria-current="true"', page) == [language]


def test_a_text_that_was_changed_is_shown_again_in_the_same_language(newcomer):
    page = newcomer.text("welcome/", language="ar")
    action = re.search(r'<form class="agree" method="post" action="([^"]*)"', page)[1]
    again = newcomer.client.post(action, {"text": "an older one", "language": "ar"})
    assert '<html lang="ar"' in again.content.decode()


# --- What is agreed to ---------------------------------------------------------------------------


def test_consent_and_privacy_are_read_before_agreeing(newcomer, project):
    page = welcome(newcomer)
    assert f"Taking part {project.consent} What we store {project.privacy} I agree" in page
    assert "Version" not in page


def test_without_a_privacy_sentence_there_is_no_heading_for_it():
    assert "What we store" not in welcome(newcomer_of(privacy=""))


def test_who_agreed_sees_what_they_agreed_to_and_not_what_it_is_now(visitor, project):
    agreed_to = project.consent
    project.consent, project.privacy = "We now do something else.", "We now store everything."
    project.save()
    page = welcome(visitor)
    assert f"Taking part {agreed_to}" in page
    assert f"Version 1 of this text. You agreed on {timezone.now():%-d %B %Y}." in page
    assert "We now" not in page


def test_of_a_consent_whose_text_was_not_kept_no_text_is_shown(visitor, project):
    Session.objects.update(consent=None)
    page = welcome(visitor)
    assert "You have agreed to take part." in page
    assert project.consent not in page


def test_what_a_manager_wrote_is_shown_as_text():
    texts = ("name", "instructions", "consent", "privacy", "pay_note")
    page = newcomer_of(**dict.fromkeys(texts, HOSTILE)).text("welcome/")
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") >= len(texts)


# --- Pictures ------------------------------------------------------------------------------------


def size_of(webp):
    """Return the width and height in the extended header of a WebP file, which Chromium writes."""
    assert (webp[:4], webp[8:16]) == (b"RIFF", b"WEBPVP8X")
    return tuple(int.from_bytes(side, "little") + 1 for side in (webp[24:27], webp[27:30]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pictures_of_a_language_are_there_small_and_of_the_size_that_is_said(
    newcomer, language
):
    page = newcomer.text("welcome/", language=language)
    shown = re.findall(
        r'<img src="/static/(\S+)" alt="([^"]+)" width="(\d+)" height="(\d+)" loading="lazy">', page
    )
    assert len(shown) == len(welcoming.PICTURE_SIZES) == 3
    for name, _, width, height in shown:
        assert f".{language}." in name
        path = finders.find(name)
        assert path is not None, name
        picture = Path(path).read_bytes()
        assert len(picture) <= 25 * 1024
        assert size_of(picture) == (int(width) * PIXELS_A_POINT, int(height) * PIXELS_A_POINT)


def test_each_picture_is_one_that_can_be_made():
    assert STEPS.keys() == welcoming.PICTURE_SIZES.keys()


def test_pictures_of_keywords_are_not_shown_where_there_are_none():
    assert "<img" not in newcomer_of(keywords=0, documents=2).text("welcome/")


def test_who_will_answer_in_another_form_is_told_that_the_pictures_differ():
    page = welcome(newcomer_of(answer_form="graded"))
    assert "five steps in place of two buttons: 1 not at all, 2 rather not" in page
