"""A session planned for some minutes: words and texts take turns, and its end is told."""

import re

import pytest

from annotation.models import Session
from tests.factories import make_project

pytestmark = pytest.mark.django_db

OVER = "The 60 minutes planned for this session are over."


def kinds(project):
    """Return the order in which a task asks: w for a word, t for a text."""
    return "".join("w" if item.keyword_id else "t" for item in project.hits.get().items.all())


@pytest.mark.parametrize(
    ("keywords", "documents", "order"),
    [
        (10, 10, "wwwwwtttttwwwwwttttt"),
        (12, 5, "w" * 12 + "t" * 5),
        (20, 10, "wwwwwwwwwwtttttwwwwwwwwwwttttt"),
        (11, 10, "wwwwwtttttwwwwwwttttt"),
        (3, 2, "wwwtt"),
        (4, 0, "wwww"),
    ],
)
def test_words_and_texts_take_turns_in_their_proportion(db, keywords, documents, order):
    project = make_project(keywords=keywords, documents=documents, session_minutes=60)
    assert kinds(project) == order


def test_each_is_asked_once_the_most_salient_first(db):
    project = make_project(keywords=13, documents=11, session_minutes=60)
    items = project.hits.get().items
    positions = list(items.exclude(keyword=None).values_list("keyword__position", flat=True))
    assert positions == list(range(1, 14))
    assert items.exclude(document=None).values("document").distinct().count() == 11
    assert list(items.values_list("position", flat=True)) == list(range(1, 25))


def test_without_a_budget_all_words_come_first(db):
    assert kinds(make_project(keywords=10, documents=10)) == "w" * 10 + "t" * 10


def test_batches_cut_the_turns_where_they_are_full(db):
    project = make_project(keywords=10, documents=10, session_minutes=60, batch_size=8)
    sizes = [hit.items.count() for hit in project.hits.order_by("batch")]
    assert sizes == [8, 8, 4]
    assert project.hits.get(batch=1).items.exclude(document=None).count() == 3


@pytest.fixture
def busy(visitor_of):
    return visitor_of(make_project(keywords=3, documents=1, session_minutes=60))


def work(minutes):
    Session.objects.update(active_seconds=60 * minutes, last_seen_at=None)


def next_page(page):
    return re.search(r'rel="next" href="(.*?)"', page)[1]


@pytest.mark.parametrize("position", [1, 4])
def test_when_the_time_is_over_the_page_says_so_and_leads_to_the_end(busy, position):
    work(minutes=60)
    page = busy.text(f"{position}/")
    assert OVER in page
    assert next_page(page) == busy.url("finish/")
    assert "What has no answer yet may stay so".lower() in page.lower()


def test_until_then_it_leads_to_the_next_page(busy):
    work(minutes=59.9)
    page = busy.text("1/")
    assert OVER not in page
    assert next_page(page) == busy.url("2/")


def test_answers_are_still_taken_afterwards(busy):
    work(minutes=90)
    assert busy.post("1/", rest="reject").status_code == 303
    assert busy.session.judgements.exists()


def test_without_a_budget_time_is_never_over(visitor):
    work(minutes=1000)
    page = visitor.text("1/")
    assert "are over" not in page
    assert next_page(page) == visitor.url("2/")
