"""Pages of a session that is refined while it is open."""

import pytest

from annotation import services
from annotation.models import Judgement, OpenedKeyword
from models_ml import jobs
from models_ml.models import Job, Neighbour
from tests.annotation.test_pages import accept, neighbours, plain, row_of
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    monkeypatch.setattr(jobs, "send", lambda job_id: None)


@pytest.fixture
def project(db):
    return make_project(method="spectral", live=True)


def near(visitor, position, *texts):
    """Return rows, not stored, of target words near the keyword at a position."""
    keyword = visitor.item(position).keyword
    words = visitor.assignment.hit.project.embedding.target.words
    return [
        Neighbour(keyword=keyword, word=words.get(text=text), position=place, cosine=1 / place)
        for place, text in enumerate(texts, start=1)
    ]


def shown(visitor, position):
    """Return the words on the page of a keyword."""
    page = visitor.get(f"{position}/").context["shown"]
    return [one.word.text for column in page.columns for one in column.words]


def updates():
    return Job.objects.filter(kind="update_neighbours")


def test_an_answer_queues_one_update(visitor):
    for word in neighbours(visitor):
        accept(visitor, 1, word)
    assert updates().get().subject_id == visitor.session.pk


def test_an_answer_that_changes_nothing_queues_none(visitor):
    accept(visitor, 1, neighbours(visitor)[0])
    updates().delete()
    accept(visitor, 1, neighbours(visitor)[0])
    assert not updates().exists()


def test_without_the_option_nothing_is_queued_and_no_page_is_noted(visitor_of):
    visitor = visitor_of(make_project(method="spectral"))
    shown(visitor, 1)
    accept(visitor, 1, neighbours(visitor)[0])
    assert not updates().exists()
    assert not OpenedKeyword.objects.exists()


def test_a_keyword_shows_the_sessions_own_neighbours_nearest_first(visitor):
    services.store_neighbours(visitor.session, near(visitor, 2, "mto", "bao"))
    assert shown(visitor, 2) == ["mto", "bao"]
    assert shown(visitor, 3) == [word.text for word in neighbours(visitor, 3)]


def test_another_session_keeps_the_rankings_neighbours(visitor, visitor_of, project):
    services.store_neighbours(visitor.session, near(visitor, 2, "mto"))
    other = visitor_of(project, "baraka")
    assert shown(other, 2) == [word.text for word in neighbours(other, 2)]


def test_a_newer_update_replaces_what_was_not_opened(visitor):
    services.store_neighbours(visitor.session, near(visitor, 2, "mto", "bao"))
    services.store_neighbours(visitor.session, near(visitor, 2, "bao"))
    assert shown(visitor, 2) == ["bao"]


def test_what_somebody_has_before_them_never_changes(visitor):
    services.store_neighbours(visitor.session, near(visitor, 2, "mto"))
    before = shown(visitor, 2), shown(visitor, 3)
    late = [*near(visitor, 2, "bao"), *near(visitor, 3, "bao")]
    assert services.store_neighbours(visitor.session, late) == 0
    assert (shown(visitor, 2), shown(visitor, 3)) == before


def test_a_keyword_that_was_judged_never_changes_even_if_its_page_was_not_opened(visitor):
    pair = {"keyword": visitor.item(2).keyword.pk, "word": neighbours(visitor, 2)[0].pk}
    visitor.answer("verdict", **pair, verdict="reject", saw=0)
    visitor.answer("verdict", **pair, verdict="leave", saw=1)
    assert services.store_neighbours(visitor.session, near(visitor, 2, "bao")) == 0
    assert shown(visitor, 2) == [word.text for word in neighbours(visitor, 2)]


def test_opening_a_page_twice_notes_it_once(visitor):
    shown(visitor, 1)
    shown(visitor, 1)
    assert OpenedKeyword.objects.get().keyword == visitor.item(1).keyword


def test_a_word_that_was_shown_live_is_judged_like_any_other(visitor):
    (row,) = near(visitor, 2, "mto")
    services.store_neighbours(visitor.session, [row])
    visitor.text("2/")
    assert accept(visitor, 2, row.word).status_code == 303
    assert not Judgement.objects.get().is_added
    page = visitor.text("2/")
    assert 'data-verdict="accept"' in row_of(page, row.word)
    assert "added by you" not in row_of(page, row.word)


def test_a_word_of_the_ranking_that_was_not_shown_is_the_annotators_own(visitor):
    services.store_neighbours(visitor.session, near(visitor, 2, "mto"))
    word = neighbours(visitor, 2)[0]
    accept(visitor, 2, word)
    assert Judgement.objects.get().is_added
    assert "added by you" in row_of(visitor.text("2/"), word)


def test_a_live_word_is_seen_in_sentences_or_said_to_be_in_none(visitor):
    rows = near(visitor, 2, "muuguzi", "bao")
    services.store_neighbours(visitor.session, rows)
    first, second = (row.word.pk for row in rows)
    assert "alitoa dawa" in plain(visitor.text("2/", context=first))
    assert visitor.get("2/", context=second).status_code == 200
    assert visitor.get(f"concordance/{second}").status_code == 200


def test_an_update_after_submission_stores_nothing(visitor):
    rows = near(visitor, 2, "mto")
    visitor.post("finish/")
    assert services.store_neighbours(visitor.session, rows) == 0
    assert not visitor.session.neighbours.exists()


def test_keywords_of_later_batches_are_still_to_come(visitor_of):
    visitor = visitor_of(make_project(keywords=3, batch_size=1, method="spectral", live=True))
    shown(visitor, 1)
    keywords = visitor.assignment.hit.project.ranking.keywords.all()
    assert list(visitor.session.unopened_keywords()) == list(keywords[1:])
