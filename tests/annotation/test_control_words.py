"""Control words on the task pages: like any other word; and what else tells of care."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import services
from annotation.models import Judgement, Session
from annotation.reporting.projects import project_report
from annotation.reporting.sessions import session_report
from models_ml import jobs
from models_ml.models import Neighbour
from tasks.models import Control
from tests.annotation.test_pages import accept, neighbours, plain, row_of
from tests.factories import make_project

pytestmark = pytest.mark.django_db

NOTE = "Some words are there only to check that answers are given with care."


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    monkeypatch.setattr(jobs, "send", lambda job: None)


def control(visitor, position, text="bao", *, place=2):
    """Put a target word beside the keyword at a position."""
    project = visitor.assignment.hit.project
    return Control.objects.create(
        project=project,
        keyword=visitor.item(position).keyword,
        word=project.embedding.target.words.get(text=text),
        kind="random",
        position=place,
    )


def shown(visitor, position):
    """Return the target words on the page of a keyword."""
    page = visitor.get(f"{position}/").context["shown"]
    return [one.word.text for one in page.columns[1].words]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (1, ["bao", "hospitali", "muuguzi"]),
        (2, ["hospitali", "bao", "muuguzi"]),
        (3, ["hospitali", "muuguzi", "bao"]),
        (9, ["hospitali", "muuguzi", "bao"]),
    ],
)
def test_a_control_stands_at_its_position_among_the_words_of_its_language(visitor, place, words):
    before = visitor.get("1/").context["shown"].columns[0].words
    control(visitor, 1, place=place)
    assert shown(visitor, 1) == words
    assert visitor.get("1/").context["shown"].columns[0].words == before
    assert shown(visitor, 2) == ["muuguzi", "dawa"]


def test_another_projects_control_is_not_shown(visitor, visitor_of, project):
    other = visitor_of(make_project(ranking=project.ranking), "baraka")
    one = control(visitor, 1)
    Control.objects.filter(pk=one.pk).update(project=other.assignment.hit.project)
    assert shown(visitor, 1) == ["hospitali", "muuguzi"]


def test_what_is_said_of_a_control_is_no_added_word(visitor):
    one = control(visitor, 1)
    accept(visitor, 1, one.word)
    accept(visitor, 1, neighbours(visitor)[0])
    accept(visitor, 2, one.word)  # beside another keyword it is the annotator's own
    marks = Judgement.objects.order_by("id").values_list("is_control", "is_added")
    assert list(marks) == [(True, False), (False, False), (False, True)]


def test_nothing_on_the_page_tells_a_control_from_a_neighbour(visitor):
    one, other = control(visitor, 1), neighbours(visitor)[2]

    def row(word):
        html = row_of(visitor.text("1/"), word).replace(word.text, "WORD")
        return re.sub(rf"\b{word.pk}\b", "ID", html)

    assert other.vocabulary_id == one.word.vocabulary_id
    assert row(one.word) == row(other)
    for word in (one.word, other):
        accept(visitor, 1, word)
    assert row(one.word) == row(other)
    assert not re.search("control|random|identical", visitor.text("1/"))


def test_programs_are_told_no_more_than_pages(visitor):
    one = control(visitor, 1)
    pair = {"keyword": one.keyword.pk, "word": one.word.pk}
    receipt = visitor.answer("verdict", **pair, verdict="reject")
    assert set(receipt) == {"id", "state", "verdict", "strength", "revision"}
    standing = visitor.send("answers", letters=[], position=1).json()["standing"]
    assert set(standing["words"][0]) == {
        *("id", "text", "side", "verdict", "strength", "added", "revision")
    }
    assert standing["words"][0]["added"] is False


def test_the_welcome_page_says_that_there_are_controls_only_where_there_are(newcomer):
    assert NOTE not in plain(newcomer.text("welcome/"))
    control(newcomer, 1)
    assert NOTE in plain(newcomer.text("welcome/"))


def test_controls_count_in_no_tally(visitor):
    one = control(visitor, 1)
    accept(visitor, 1, one.word)
    accept(visitor, 2, neighbours(visitor, 2)[0])
    answers = session_report(visitor.session).answers
    assert (answers.accepted, answers.added, answers.keywords_answered) == (1, 0, 1)
    tallies = project_report(visitor.session.project).keywords
    assert [(t.sessions, t.accepted, t.added) for t in tallies[:2]] == [(0, 0, 0), (1, 1, 0)]


def test_a_live_session_shows_its_controls_once_even_if_they_come_near(visitor_of):
    visitor = visitor_of(make_project(method="spectral", live=True))
    one = control(visitor, 2, place=1)
    words = visitor.session.project.embedding.target.words
    near = [
        Neighbour(keyword=one.keyword, word=words.get(text=text), position=place, cosine=0.5)
        for place, text in enumerate(("mto", "bao"), start=1)
    ]
    services.store_neighbours(visitor.session, near)
    assert shown(visitor, 2) == ["bao", "mto"]
    accept(visitor, 2, one.word)
    assert Judgement.objects.get().is_control


# --- Sentences and time ----------------------------------------------------------------------


def test_looks_at_sentences_are_counted_as_form_and_as_script(visitor):
    word = neighbours(visitor)[0]
    visitor.text("1/")
    assert visitor.session.contexts_opened == 0
    visitor.text("1/", context=word.pk)
    assert visitor.session.contexts_opened == 1
    visitor.text(f"concordance/{word.pk}")  # what the script shows: its letter says so
    assert visitor.session.contexts_opened == 1
    visitor.answer("context", word=word.pk)
    assert visitor.session.contexts_opened == 2


def test_sentences_of_no_word_and_after_the_end_are_not_counted(visitor):
    visitor.get("1/", context=10**9)
    visitor.get(f"concordance/{10**9}")
    visitor.post("finish/")
    visitor.get(f"concordance/{neighbours(visitor)[0].pk}")
    assert visitor.session.contexts_opened == 0


def test_time_on_documents_is_told_from_time_on_keywords(visitor_of):
    visitor = visitor_of(make_project(keywords=1, documents=1))
    document = visitor.item(2).document

    def after(seconds, do):
        earlier = timezone.now() - timedelta(seconds=seconds)
        Session.objects.update(last_seen_at=earlier)
        do()

    visitor.text("1/")
    after(10, lambda: accept(visitor, 1, neighbours(visitor)[0]))
    after(20, lambda: visitor.post("2/", label=1))
    after(30, lambda: visitor.answer("label", document=document.pk, label=0))
    session = visitor.session
    assert session.document_seconds == pytest.approx(50, abs=2)
    assert session.active_seconds == pytest.approx(60, abs=3)
