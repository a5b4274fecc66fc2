"""How many queries the task pages need: as many in a large task as in a small one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.answering import LEFT_ON_PURPOSE, Answer, open_sheet
from annotation.models import Verdict
from tests.factories import make_project

pytestmark = pytest.mark.django_db

MOST = {
    "": 4,
    "welcome/": 10,
    "1/": 13,
    "1/?context={word}": 17,
    "1/?side=source&q=w": 14,
    "{document}/": 11,
    "concordance/{word}": 4,
    "words?side=source&q=w": 4,
    "finish/": 8,
}


@pytest.fixture
def small(visitor_of):
    return visitor_of(make_project(keywords=3, documents=1, neighbours=1))


@pytest.fixture
def large(visitor_of):
    texts = ["the nurse at the hospital"] * 30
    return visitor_of(make_project(keywords=50, documents=9, neighbours=20, source_texts=texts))


def answer_all(visitor):
    """Answer every item of a task; add a word to each keyword, and suggest one."""
    own = visitor.assignment.hit.project.embedding.target.words.last()
    with open_sheet(visitor.session, visitor.assignment) as sheet:
        for item in visitor.assignment.hit.items.select_related("keyword", "document"):
            if item.keyword is None:
                sheet.label(item.document, 1)
                continue
            sheet.judge(item.keyword, own, Answer(Verdict.ACCEPT))
            sheet.suggest(item.keyword, "target", "zahanati")
            if item.position == 1:
                sheet.settle_rest(item.keyword, LEFT_ON_PURPOSE)


def costs(visitor):
    """Return how many queries each page needs."""
    nurse = visitor.assignment.hit.project.embedding.source.words.get(text="nurse")
    last = visitor.assignment.hit.items.last().position
    found = {}
    for page in MOST:
        with CaptureQueriesContext(connection) as queries:
            response = visitor.get(page.format(word=nurse.pk, document=last))
        assert response.status_code in {200, 302}
        found[page] = len(queries)
    return found


def test_a_large_task_costs_no_more_queries_than_a_small_one(small, large):
    assert costs(small) == costs(large)


def test_answers_cost_no_queries(small, large):
    before = costs(large)
    for visitor in (small, large):
        answer_all(visitor)
    after = costs(large)
    assert costs(small) == after
    assert after == before


def test_no_page_needs_more_queries_than_it_is_worth(large):
    answer_all(large)
    found = costs(large)
    assert {page: n for page, n in found.items() if n > MOST[page]} == {}


def test_the_page_with_the_completion_code_costs_the_same_too(small, large):
    def cost(visitor):
        visitor.post("finish/")
        with CaptureQueriesContext(connection) as queries:
            visitor.text("finish/")
        return len(queries)

    assert cost(small) == cost(large) <= 10
