"""The pages speak the language that somebody chose, or else the one that their browser asks for."""

import re

import pytest
from django.utils import timezone

from annotation.models import Annotator
from tasks import services as tasks_services
from tasks.models import Assignment

pytestmark = pytest.mark.django_db


def language_of(response):
    """Return the language and the direction that a page declares."""
    return re.search(r'<html lang="(.*?)" dir="(.*?)">', response.content.decode()).groups()


def ask(visitor, path, accepted, **query):
    """Return a page as a browser gets it that prefers these languages."""
    return visitor.client.get(visitor.url(path), query, headers={"Accept-Language": accepted})


@pytest.mark.parametrize(
    ("accepted", "page"),
    [
        ("", ("en", "ltr")),
        ("sw", ("sw", "ltr")),
        ("ar", ("ar", "rtl")),
        ("fr-CD, en;q=0.5", ("fr", "ltr")),
        ("am, sw;q=0.5, fr;q=0.9", ("fr", "ltr")),
        ("am, ti", ("en", "ltr")),
        ("*", ("en", "ltr")),
        ("\u0000;q=x", ("en", "ltr")),
        ("a" * 1000, ("en", "ltr")),
    ],
)
def test_the_browser_says_which_language_to_begin_with(newcomer, accepted, page):
    assert language_of(ask(newcomer, "welcome/", accepted)) == page


def test_a_language_is_chosen_in_the_address_before_agreeing_and_stored_nowhere(newcomer):
    chosen = newcomer.post("language/", language="ar")
    assert (chosen.status_code, chosen["Location"]) == (
        303,
        newcomer.url("welcome/") + "?language=ar",
    )
    page = newcomer.client.get(chosen["Location"])
    assert language_of(page) == ("ar", "rtl")
    assert '<input type="hidden" name="language" value="ar">' in page.content.decode()
    assert not Annotator.objects.exists()


def test_agreeing_keeps_the_language_in_which_the_text_was_read(newcomer):
    text = newcomer.assignment.hit.project.consent_fingerprint
    newcomer.post("welcome/", text=text, language="sw")
    assert Annotator.objects.get().language == "sw"
    assert language_of(ask(newcomer, "practice/", "fr")) == ("sw", "ltr")


def test_a_chosen_language_is_kept_and_leads_back_to_the_page(visitor):
    response = visitor.post("language/", language="fr", position="2")
    assert response["Location"] == visitor.url("2/")
    assert Annotator.objects.get().language == "fr"
    assert language_of(ask(visitor, "2/", "ar")) == ("fr", "ltr")
    assert visitor.post("language/", language="en")["Location"] == visitor.url()
    assert language_of(ask(visitor, "2/", "ar")) == ("en", "ltr")


@pytest.mark.parametrize("language", ["", "de", "xx", "EN", "fr-CD", "../fr", "a" * 600, "fr\x00"])
def test_a_language_that_the_pages_do_not_speak_is_passed_over(visitor, language):
    visitor.post("language/", language="fr")
    assert visitor.post("language/", language=language).status_code == 303
    assert Annotator.objects.get().language == "fr"
    assert visitor.get("1/", language="de").status_code == 200
    assert language_of(visitor.get("1/", language="de")) == ("fr", "ltr")


def test_agreeing_in_a_language_that_the_pages_do_not_speak_keeps_none(newcomer):
    text = newcomer.assignment.hit.project.consent_fingerprint
    assert newcomer.post("welcome/", text=text, language="de").status_code == 303
    assert Annotator.objects.get().language == ""


def test_looking_at_the_address_of_the_choice_changes_nothing(visitor):
    assert visitor.get("language/", language="ar").status_code == 303
    assert Annotator.objects.get().language == ""


@pytest.mark.parametrize("end", ["revoke", "time"])
def test_an_ended_link_says_so_in_the_chosen_language(visitor, end):
    visitor.post("language/", language="ar")
    if end == "revoke":
        tasks_services.revoke(visitor.assignment)
    else:
        Assignment.objects.update(expires_at=timezone.now())
    page = ask(visitor, "1/", "fr")
    assert (page.status_code, language_of(page)) == (410, ("ar", "rtl"))


def test_refusals_speak_the_readers_language(visitor):
    unknown = visitor.client.get("/t/no~link/", headers={"Accept-Language": "ar"})
    assert (unknown.status_code, language_of(unknown)) == (404, ("ar", "rtl"))
    visitor.post("language/", language="ar")
    for response, status in ((visitor.get("99/"), 404), (visitor.post("1/"), 400)):
        assert (response.status_code, language_of(response)) == (status, ("ar", "rtl"))


def test_a_language_does_not_outlive_its_request(visitor):
    visitor.post("language/", language="ar")
    visitor.get("1/")
    visitor.send("answers", letters=[])
    assert language_of(visitor.client.get("/t/no~link/")) == ("en", "ltr")


def test_words_of_the_corpus_keep_their_own_language(visitor):
    visitor.post("language/", language="ar")
    assert '<bdi lang="sw" dir="ltr">hospitali</bdi>' in visitor.text("1/")
