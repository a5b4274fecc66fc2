"""What the task pages refuse, and what no page ever does."""

import re

import pytest
from django.utils import timezone

from annotation.models import Judgement
from tasks import services as tasks_services
from tasks.models import Assignment
from tests.annotation.test_pages import accept, neighbours
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["", "welcome/", "1/", "finish/", "concordance/1"])
@pytest.mark.parametrize("end", ["revoke", "time", "sweep"])
def test_an_ended_link_says_what_to_do(visitor, path, end):
    if end == "revoke":
        tasks_services.revoke(visitor.assignment)
    else:
        Assignment.objects.update(expires_at=timezone.now())
    if end == "sweep":
        tasks_services.expire_overdue()
    response = visitor.get(path)
    assert response.status_code == 410
    assert "ask the person who hired you" in response.content.decode()


def test_an_answer_and_a_submission_after_the_end_are_refused(visitor):
    word = neighbours(visitor)[0]
    tasks_services.revoke(visitor.assignment)
    assert accept(visitor, 1, word).status_code == 410
    assert visitor.post("finish/").status_code == 410
    assert not Judgement.objects.exists()
    assert visitor.session.state == "open"


@pytest.mark.parametrize("path", ["", "welcome/", "1/", "finish/", "concordance/1"])
def test_a_forged_link_is_not_known(visitor, path):
    forged = visitor.url(path).replace("/t/", "/t/2")
    response = visitor.client.get(forged)
    assert response.status_code == 404
    assert "We do not know this link" in response.content.decode()


def test_a_replaced_link_is_not_known(visitor):
    old = visitor.url("1/")
    Assignment.objects.update(link_version=2)
    visitor.assignment.refresh_from_db()
    assert visitor.client.get(old).status_code == 404
    assert visitor.get("1/").status_code == 200


@pytest.mark.parametrize("position", [0, 4, 10**30])
def test_an_item_that_the_task_does_not_have_is_refused(visitor, position):
    response = visitor.get(f"{position}/")
    assert response.status_code == 404
    assert visitor.url() in response.content.decode()


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"verdict": "accept"},
        {"word": "x", "verdict": "accept"},
        {"word": "9" * 30, "verdict": "accept"},
        {"word": "1\x00", "verdict": "accept"},
        {"word": "{word}", "verdict": "love"},
        {"word": "{keyword}", "verdict": "accept"},
        {"word": "{foreign}", "verdict": "accept"},
    ],
)
def test_a_form_that_is_no_answer_is_refused(visitor, form):
    foreign = make_project().embedding.source.words.first()
    ids = {
        "word": neighbours(visitor)[0].pk,
        "keyword": visitor.item(1).keyword.word_id,
        "foreign": foreign.pk,
    }
    response = visitor.post("1/", **{name: text.format(**ids) for name, text in form.items()})
    assert response.status_code == 400
    assert "This was not saved" in response.content.decode()
    assert not Judgement.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_not_allowed(visitor, method):
    assert getattr(visitor.client, method)(visitor.url("1/")).status_code == 405


# --- Headers -------------------------------------------------------------------------------------


def test_no_page_sets_a_cookie_or_may_be_stored_or_found(newcomer):
    text = newcomer.assignment.hit.project.consent_fingerprint
    responses = [newcomer.get("welcome/"), newcomer.post("welcome/", text=text), newcomer.get()]
    responses += [newcomer.get("practice/"), newcomer.post("practice/", end=1)]
    word = neighbours(newcomer)[0]
    responses += [newcomer.get("1/"), accept(newcomer, 1, word), newcomer.get("finish/")]
    responses += [newcomer.get(f"concordance/{word.pk}")]
    responses += [
        newcomer.get("break/"),
        newcomer.post("problem/", text="No word is shown."),
        newcomer.send("answers", letters=[]),
        newcomer.get("words", side="source", q="n"),
    ]
    responses += [newcomer.get("99/"), newcomer.post("finish/"), newcomer.get("finish/")]
    for response in responses:
        assert not response.cookies
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "same-origin"
        assert "unsafe-inline" not in response["Content-Security-Policy"]
    pages = [r.content.decode() for r in responses if b"<html" in r.content]
    assert len(pages) == 8
    for page in pages:
        assert '<meta name="robots" content="noindex">' in page
        assert not re.search(r'<style|<script(?! type="module" src=)|\sstyle=|\son[a-z]+=', page)
