"""Letters as devices send them: each is stored or refused alone, and gets its receipt."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.letters import LETTERS, MOST_LETTERS
from annotation.models import (
    ContextView,
    DocumentLabel,
    Judgement,
    Problem,
    Session,
    Suggestion,
)
from tests.annotation.test_pages import neighbours
from tests.annotation.visitor import letter
from tests.factories import make_project

pytestmark = pytest.mark.django_db

NO_ORDER = {"best_first": [], "worst_first": [], "left": []}


@pytest.fixture
def pair(visitor):
    """The first keyword and the first word beside it, as a letter names them."""
    return {"keyword": visitor.item(1).keyword.pk, "word": neighbours(visitor)[0].pk}


def rows():
    """Return how many rows all letters together have made."""
    kinds = (Judgement, DocumentLabel, Suggestion, ContextView, Problem)
    return sum(kind.objects.count() for kind in kinds)


# --- Each kind -----------------------------------------------------------------------------------


def test_a_letter_of_each_kind_is_stored_once_and_told_what_counts(visitor_of):
    verdicts = visitor_of(make_project(keywords=1, documents=1))
    graded = visitor_of(make_project(answer_form="graded"), "baraka")
    ranking = visitor_of(make_project(answer_form="ranking"), "chausiku")

    def pair(visitor):
        return {"keyword": visitor.item(1).keyword.pk, "word": neighbours(visitor)[0].pk}

    best = neighbours(ranking)[2].pk
    column = {"keyword": ranking.item(1).keyword.pk, "side": "target"}
    suggestion = {"keyword": pair(verdicts)["keyword"], "side": "target", "text": "zahanati"}
    document = verdicts.item(2).document.pk
    sent = [
        (
            verdicts,
            letter("verdict", **pair(verdicts), verdict="leave", on_purpose=True),
            {"verdict": "leave", "strength": 0.0, "revision": 1},
        ),
        (
            graded,
            letter("grade", **pair(graded), grade=1),
            {"verdict": "reject", "strength": 0.5, "revision": 1},
        ),
        (verdicts, letter("suggestion", **suggestion), {"withdrawn": False}),
        (
            verdicts,
            letter("label", document=document, label=1),
            {"label": 1, "withdrawn": False, "revision": 1},
        ),
        (verdicts, letter("context", word=pair(verdicts)["word"]), {}),
        (verdicts, letter("sign", on_document=True), {}),
        (verdicts, letter("problem", text="The text is cut off.", position=2), {}),
    ]
    for visitor, one, told in sent:
        assert visitor.deliver(one) == [{"id": one["id"], "state": "saved", **told}]
    ranked = letter("ranking", **column, best_first=[best], worst_first=[], left=[])
    receipt = ranking.deliver(ranked)[0]
    assert (receipt["state"], receipt["revision"]) == ("saved", 1)
    assert receipt["words"][str(best)] == {"verdict": "accept", "strength": 1.0, "revision": 1}

    assert {one["kind"] for _, one, _ in sent} | {"ranking"} == set(LETTERS)
    before = rows()
    for visitor, one, told in sent:
        assert visitor.deliver(one) == [{"id": one["id"], "state": "saved", **told}]
    assert ranking.deliver(ranked)[0] == receipt
    assert rows() == before


def test_receipts_come_in_the_order_of_the_letters_not_of_their_times(visitor, pair):
    late, early = (
        letter("verdict", **pair, verdict=v, at=at) for v, at in (("reject", 0), ("accept", -9))
    )
    receipts = visitor.deliver(late, early)
    assert [receipt["id"] for receipt in receipts] == [late["id"], early["id"]]
    assert Judgement.objects.current().get().verdict == "reject"


def test_only_an_open_answer_can_be_meant_to_be_open(visitor, pair):
    visitor.answer("verdict", **pair, verdict="accept", on_purpose=True)
    assert Judgement.objects.get().strength is None


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "love"},
        {"verdict": None},
        {"keyword": 0},
        {"keyword": 10**9},
        {"word": 10**9},
        {"word": "x"},
        {"word": 10**30},
        {"word": None},
        {"word": [1]},
        {"word": True},
        {"on_purpose": "perhaps"},
        {"id": "1"},
        {"id": None},
        {"at": -1},
        {"at": 10**30},
        {"at": "now"},
        {"at": None},
        {"saw": -1},
        {"saw": 2**31},
        {"saw": None},
        {"kind": "love"},
        {"kind": None},
        {"kind": ["verdict"]},
    ],
)
def test_a_letter_that_makes_no_sense_is_refused_alone(visitor, pair, wrong):
    word = neighbours(visitor)[1].pk
    good = letter("verdict", **pair | {"word": word}, verdict="accept")
    bad = letter("verdict", **pair, verdict="accept") | wrong
    refused, saved = visitor.deliver(bad, good)
    assert refused["state"] == "refused"
    assert refused["id"] == bad["id"]
    assert refused["detail"]
    assert saved["state"] == "saved"
    assert Judgement.objects.get().word_id == word


@pytest.mark.parametrize("name", ["id", "at", "kind", "keyword", "word", "verdict"])
def test_a_letter_that_lacks_something_is_refused(visitor, pair, name):
    bad = letter("verdict", **pair, verdict="accept")
    del bad[name]
    assert visitor.deliver(bad)[0]["state"] == "refused"


@pytest.mark.parametrize("junk", [None, 1, "x", [], {}])
def test_what_is_no_letter_at_all_is_refused(visitor, junk):
    assert visitor.deliver(junk) == [
        {"id": None, "state": "refused", "detail": "A letter of no known kind."}
    ]


def test_a_refusal_says_what_is_wrong(visitor_of):
    ranking = visitor_of(make_project(answer_form="ranking"))
    column = {
        "keyword": ranking.item(1).keyword.pk,
        "side": "target",
        "worst_first": [],
        "left": [],
    }
    receipt = ranking.answer("ranking", **column, best_first=["x"])
    assert receipt["detail"] == "best_first: A valid integer is required."


@pytest.mark.parametrize(
    ("form", "kind", "said"),
    [
        ("verdict", "grade", {"grade": 4}),
        ("verdict", "ranking", {"side": "target", **NO_ORDER}),
        ("graded", "ranking", {"side": "target", **NO_ORDER}),
        ("ranking", "grade", {"grade": 4}),
    ],
)
def test_an_answer_of_a_form_that_the_project_does_not_ask_is_refused(visitor_of, form, kind, said):
    visitor = visitor_of(make_project(answer_form=form))
    pair = {"keyword": visitor.item(1).keyword.pk, "word": neighbours(visitor)[0].pk}
    receipt = visitor.answer(kind, **pair, **said)
    assert receipt["detail"] == "This project asks for answers of another kind."
    assert not Judgement.objects.exists()


@pytest.mark.parametrize("grade", [-1, 5, 1.5, "x", None])
def test_a_grade_that_there_is_not_is_refused(visitor_of, grade):
    visitor = visitor_of(make_project(answer_form="graded"))
    pair = {"keyword": visitor.item(1).keyword.pk, "word": neighbours(visitor)[0].pk}
    assert visitor.answer("grade", **pair, grade=grade)["state"] == "refused"


@pytest.mark.parametrize("places", [None, "x", {}, [None], [10**9], [1] * 101])
def test_a_ranking_that_makes_no_sense_is_refused(visitor_of, places):
    visitor = visitor_of(make_project(answer_form="ranking"))
    column = {"keyword": visitor.item(1).keyword.pk, "side": "target", "best_first": [], "left": []}
    assert visitor.answer("ranking", **column, worst_first=places)["state"] == "refused"
    assert not Judgement.objects.exists()


@pytest.mark.parametrize("text", ["zaha\x00nati", "\ud800", "", " ", "a" * 101, None, ["a"]])
def test_a_suggestion_that_is_no_word_is_refused(visitor, pair, text):
    receipt = visitor.answer("suggestion", keyword=pair["keyword"], side="target", text=text)
    assert receipt["state"] == "refused"
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("text", ["\x00", " ", "a" * 2001, None])
def test_a_problem_that_tells_nothing_is_refused(visitor, text):
    assert visitor.answer("problem", text=text)["state"] == "refused"
    assert not Problem.objects.exists()


def test_more_letters_than_a_device_sends_at_once_are_refused_together(visitor, pair):
    many = [letter("verdict", **pair, verdict="accept") for _ in range(MOST_LETTERS + 1)]
    assert visitor.send("answers", letters=many).status_code == 400
    assert not Judgement.objects.exists()


def test_a_hundred_letters_are_taken(visitor):
    receipts = visitor.deliver(*(letter("sign") for _ in range(MOST_LETTERS)))
    assert [receipt["state"] for receipt in receipts] == ["saved"] * MOST_LETTERS


# --- Time ----------------------------------------------------------------------------------------


def test_nothing_is_chosen_after_now(visitor, pair):
    visitor.answer("verdict", **pair, verdict="accept", at=3600)
    assert timezone.now() - timedelta(seconds=5) < Judgement.objects.get().chosen_at
    assert Judgement.objects.get().chosen_at <= timezone.now()


@pytest.mark.parametrize("at", [0, 1, 10**12])
def test_nothing_is_chosen_before_the_session(visitor, pair, at):
    visitor.deliver(letter("verdict", **pair, verdict="accept") | {"at": at})
    assert Judgement.objects.get().chosen_at == Session.objects.get().started_at


def test_an_answer_is_dated_by_when_it_was_chosen(visitor, pair):
    Session.objects.update(started_at=timezone.now() - timedelta(hours=1))
    visitor.answer("verdict", **pair, verdict="accept", at=-600)
    age = timezone.now() - Judgement.objects.get().chosen_at
    assert age.total_seconds() == pytest.approx(600, abs=5)


def test_a_device_is_told_the_servers_time(visitor):
    now_ms = visitor.send("answers", letters=[]).json()["now"]
    assert now_ms == pytest.approx(timezone.now().timestamp() * 1000, abs=5000)
