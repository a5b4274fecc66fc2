"""Words in sentences, a few and then more; and texts, of which long ones are folded."""

import re

import pytest

from annotation.models import ContextView
from models_ml.models import Word
from tests.annotation.test_pages import HOSTILE, accept, plain, row_of
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


# --- What is shown -------------------------------------------------------------------------------


def test_a_word_is_shown_in_sentences_with_the_word_marked(visitor):
    nurse = Word.objects.get(text="nurse")
    row = row_of(visitor.text("1/", context=nurse.pk), nurse)
    assert 'lang="en" dir="ltr">the <mark>nurse</mark> gave medicine</p>' in row
    assert "a <mark>nurse</mark> at the hospital" in row


def test_the_keyword_is_shown_in_sentences_too(visitor):
    hospital = Word.objects.get(text="hospital")
    page = visitor.text("1/", context=hospital.pk)
    assert "a nurse at the <mark>hospital</mark>" in plain_marks(page)


def plain_marks(page):
    return " ".join(re.sub(r"</?(?!/?mark)[^>]+>", " ", page).split())


def test_sentences_show_ten_words_on_each_side_of_at_most_five_documents(visitor_of):
    long = " ".join([*(f"a{n}" for n in range(12)), "nurse", *(f"b{n}" for n in range(12))])
    project = make_project(source_texts=[f"{long} nurse"] * 6)
    visitor = visitor_of(project)
    page = visitor.text(f"concordance/{Word.objects.get(text='nurse').pk}")
    assert page.count("<mark>nurse</mark>") == 5
    before = " ".join(f"a{n}" for n in range(2, 12))
    after = " ".join(f"b{n}" for n in range(10))
    assert f"… {before} <mark>nurse</mark> {after} …" in page


def test_a_word_without_sentences_says_so(visitor):
    word = Word.objects.get(text="river")
    assert "There is no sentence with this word." in visitor.text(f"concordance/{word.pk}")


def test_sentences_come_from_the_projects_own_documents(visitor_of):
    other = make_project(source_texts=["the secret nurse"])
    project = make_project()
    visitor = visitor_of(project)
    foreign = other.embedding.source.words.get(text="nurse")
    assert visitor.get(f"concordance/{foreign.pk}").status_code == 404
    assert "secret" not in visitor.text("1/", context=foreign.pk)
    # The same vocabulary may serve two projects: its words occur in the documents of both.
    own = project.embedding.source.words.get(text="nurse")
    secret = other.train_corpus.documents.get()
    own.occurrences.create(document=secret, position=2)
    assert "secret" not in visitor.text(f"concordance/{own.pk}")


@pytest.mark.parametrize("context", ["", "x", "-1", "9" * 30, "²"])
def test_a_nonsense_word_to_show_in_sentences_is_passed_over(visitor, context):
    assert '<section class="concordance"' not in visitor.text("1/", context=context)


def test_a_script_tag_in_a_corpus_word_is_shown_as_text(visitor_of):
    project = make_project(
        documents=1,
        source_words=["hospital", HOSTILE],
        target_words=[HOSTILE, "dawa"],
        source_texts=[f"before {HOSTILE} after"],
        target_texts=[f"dawa {HOSTILE}"],
    )
    visitor = visitor_of(project)
    source, target = Word.objects.filter(text=HOSTILE).order_by("id")
    accept(visitor, 1, source)
    for page in (
        visitor.text("1/", context=source.pk),
        visitor.text("2/", side="target", q="<scr"),
        visitor.text("4/"),
        visitor.text("finish/"),
        visitor.text(f"concordance/{source.pk}"),
        visitor.text(f"concordance/{target.pk}"),
    ):
        assert HOSTILE not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


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
