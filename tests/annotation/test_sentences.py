"""Words in sentences, a few and then more; and texts, of which long ones are folded."""

import re

import pytest

from annotation.models import ContextView
from models_ml.models import Word
from tests.annotation.test_pages import plain
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def in_sentences(visitor_of, count):
    """Return someone whose vocabulary has the word nurse in so many documents."""
    texts = [f"nurse number {n}" for n in range(count)]
    visitor = visitor_of(make_project(source_texts=texts))
    return visitor, Word.objects.get(text="nurse").pk


def sentences(page):
    return [int(n) for n in re.findall(r"<mark>nurse</mark> number (\d+)", page)]


@pytest.mark.parametrize("count", [3, 5])
def test_a_few_sentences_are_shown_at_once(visitor_of, count):
    visitor, nurse = in_sentences(visitor_of, count)
    page = visitor.text("1/", context=nurse)
    assert sentences(page) == list(range(count))
    assert "More sentences" not in page


def test_five_sentences_are_shown_and_more_on_request(visitor_of):
    visitor, nurse = in_sentences(visitor_of, 12)
    page = visitor.text("1/", context=nurse)
    assert sentences(page) == list(range(5))
    more = re.search(r'<a class="button more" href="(.*?)#', page)[1].replace("&amp;", "&")
    page = visitor.text(f"1/{more}")
    assert sentences(page) == list(range(12))
    assert "More sentences" not in page


def test_fifteen_sentences_are_the_most(visitor_of):
    visitor, nurse = in_sentences(visitor_of, 20)
    assert sentences(visitor.text("1/", context=nurse, more=1)) == list(range(15))


def test_the_script_gets_the_same_sentences(visitor_of):
    visitor, nurse = in_sentences(visitor_of, 12)
    piece = visitor.text(f"concordance/{nurse}")
    assert sentences(piece) == list(range(5))
    assert "More sentences" in piece
    assert "<html" not in piece
    assert sentences(visitor.text(f"concordance/{nurse}", more=1)) == list(range(12))


def test_asking_for_more_is_the_same_look_at_the_word(visitor_of):
    visitor, nurse = in_sentences(visitor_of, 12)
    visitor.text("1/", context=nurse)
    visitor.text("1/", context=nurse, more=1)
    assert visitor.session.contexts_opened == ContextView.objects.count() == 1
    assert ContextView.objects.get().word_id == nurse


# --- Texts ---------------------------------------------------------------------------------------


def text_of(visitor_of, length):
    """Return the page of a text of so many words."""
    text = " ".join(f"neno{n}" for n in range(length))
    page = visitor_of(make_project(keywords=1, documents=1, target_texts=[text])).text("2/")
    return re.search(r'<div class="card text".*?</div>', page, re.S)[0]


def test_a_long_text_is_folded_and_stays_whole(visitor_of):
    shown = text_of(visitor_of, 141)
    before, folded = shown.split("<details>")
    assert re.findall(r"neno(\d+)", before) == [str(n) for n in range(100)]
    assert re.findall(r"neno(\d+)", folded) == [str(n) for n in range(100, 141)]
    assert "Show the whole text" in plain(folded)
    assert plain(before).endswith("neno99 …")


def test_a_text_that_is_little_longer_is_not_folded(visitor_of):
    shown = text_of(visitor_of, 140)
    assert "<details>" not in shown
    assert "…" not in shown
    assert re.findall(r"neno(\d+)", shown) == [str(n) for n in range(140)]


def test_the_line_that_unfolds_a_text_is_in_the_readers_language(visitor_of):
    text = " ".join(["neno"] * 200)
    visitor = visitor_of(make_project(keywords=1, documents=1, target_texts=[text]))
    visitor.post("language/", language="ar")
    page = visitor.text("2/")
    assert '<div class="card text" lang="sw" dir="ltr">' in page
    assert '<summary lang="ar" dir="rtl">' in page
