"""What the pages' script sends: one answer at a time, as JSON."""

import pytest
from django.utils import timezone

from annotation.models import DocumentLabel, Judgement
from models_ml.models import Word
from tasks import services as tasks_services
from tasks.models import Assignment
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def keyword(visitor):
    return visitor.item(1).keyword


@pytest.fixture
def nurse(visitor):
    return Word.objects.get(text="nurse")


def test_an_answer_is_saved_and_its_state_returned(visitor, keyword, nurse):
    response = visitor.send("judgements", keyword=keyword.pk, word=nurse.pk, verdict="accept")
    assert response.status_code == 200
    assert response.json() == {
        "keyword": keyword.pk,
        "word": nurse.pk,
        "verdict": "accept",
        "is_added": False,
        "revision": 1,
    }
    judgement = Judgement.objects.get()
    assert (judgement.session, judgement.keyword, judgement.word) == (
        visitor.session,
        keyword,
        nurse,
    )
    assert judgement.verdict == "accept"


def test_the_same_answer_sent_again_changes_nothing(visitor, keyword, nurse):
    first, second = (
        visitor.send("judgements", keyword=keyword.pk, word=nurse.pk, verdict="reject").json()
        for _ in range(2)
    )
    assert first == second
    assert Judgement.objects.count() == 1


def test_another_answer_is_another_revision(visitor, keyword, nurse):
    revisions = [
        visitor.send("judgements", keyword=keyword.pk, word=nurse.pk, verdict=verdict).json()
        for verdict in ("accept", "reject", "leave", "accept")
    ]
    assert [one["revision"] for one in revisions] == [1, 2, 3, 4]
    assert [j.verdict for j in Judgement.objects.current()] == ["accept"]


def test_taking_back_what_was_never_said_stores_nothing(visitor, keyword, nurse):
    response = visitor.send("judgements", keyword=keyword.pk, word=nurse.pk, verdict="leave")
    assert response.json()["verdict"] == "leave"
    assert response.json()["revision"] == 0
    assert not Judgement.objects.exists()


def test_a_word_that_was_not_shown_is_the_annotators_own(visitor, keyword):
    word = Word.objects.get(text="mto")
    response = visitor.send("judgements", keyword=keyword.pk, word=word.pk, verdict="accept")
    assert response.json()["is_added"] is True
    assert Judgement.objects.get().is_added


def test_a_documents_category_is_saved(visitor_of):
    labeller = visitor_of(make_project(keywords=1, documents=2))
    document = labeller.item(2).document
    for label, revision in ((1, 1), (1, 1), (None, 2), (0, 3)):
        response = labeller.send("labels", document=document.pk, label=label)
        assert response.json() == {"document": document.pk, "label": label, "revision": revision}
    assert [one.label for one in DocumentLabel.objects.current()] == [0]


@pytest.mark.parametrize("label", [2, -1, 10**30, "x", 0.5])
def test_a_label_that_is_no_category_is_refused(visitor_of, label):
    labeller = visitor_of(make_project(keywords=1, documents=1))
    document = labeller.item(2).document
    assert labeller.send("labels", document=document.pk, label=label).status_code == 400
    assert not DocumentLabel.objects.exists()


def test_words_are_found_by_their_beginning(visitor):
    hospital = Word.objects.get(text="hospitali")
    response = visitor.get("words", side="target", q="Hosp")
    assert response.json() == {"words": [{"id": hospital.pk, "text": "hospitali"}]}
    assert visitor.get("words", side="target", q="").json() == {"words": []}


@pytest.mark.parametrize(
    "query", [{}, {"q": "a"}, {"side": "both", "q": "a"}, {"side": "source", "q": "\x00"}]
)
def test_a_search_that_makes_no_sense_is_refused(visitor, query):
    assert visitor.get("words", **query).status_code == 400


# --- Refusals ------------------------------------------------------------------------------------


def test_a_keyword_of_another_project_is_refused(visitor, nurse):
    foreign = make_project().ranking.keywords.first()
    response = visitor.send("judgements", keyword=foreign.pk, word=nurse.pk, verdict="accept")
    assert response.status_code == 400
    assert response.json() == {"detail": "This word is not part of your task."}
    assert not Judgement.objects.exists()


def test_a_keyword_of_another_batch_is_refused(visitor_of):
    project = make_project(keywords=2, batch_size=1)
    visitor = visitor_of(project)
    other = project.ranking.keywords.last()
    word = other.neighbours.first().word
    response = visitor.send("judgements", keyword=other.pk, word=word.pk, verdict="accept")
    assert response.status_code == 400
    assert not Judgement.objects.exists()


def test_a_document_of_another_project_is_refused(visitor):
    foreign = make_project(documents=1).pool_corpus.documents.first()
    assert visitor.send("labels", document=foreign.pk, label=1).status_code == 400
    assert not DocumentLabel.objects.exists()


def test_a_word_of_another_vocabulary_is_refused(visitor, keyword):
    foreign = make_project().embedding.target.words.first()
    response = visitor.send("judgements", keyword=keyword.pk, word=foreign.pk, verdict="accept")
    assert response.status_code == 400
    assert response.json() == {"detail": "This word is not in the project's vocabulary."}


def test_the_keyword_itself_is_refused(visitor, keyword):
    response = visitor.send(
        "judgements", keyword=keyword.pk, word=keyword.word_id, verdict="accept"
    )
    assert response.status_code == 400
    assert response.json() == {"detail": "A word cannot be its own neighbour."}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"verdict": "love"},
        {"keyword": 0},
        {"word": "x"},
        {"word": 10**30},
        {"word": None},
        {"word": [1]},
        {"word": True},
    ],
)
def test_what_is_no_answer_is_refused(visitor, keyword, nurse, answer):
    whole = {"keyword": keyword.pk, "word": nurse.pk, "verdict": "accept"} | answer
    if not answer:
        whole = {}
    assert visitor.send("judgements", **whole).status_code == 400
    assert not Judgement.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(visitor, body):
    response = visitor.client.post(visitor.url("judgements"), body, content_type="application/json")
    assert response.status_code == 400


def test_forms_of_other_sites_are_refused(visitor, keyword, nurse):
    """A page elsewhere can send a form without asking, but not JSON."""
    form = {"keyword": keyword.pk, "word": nurse.pk, "verdict": "accept"}
    assert visitor.post("judgements", **form).status_code == 415
    assert not Judgement.objects.exists()


def test_answers_before_agreeing_are_refused(project):
    newcomer = Visitor(make_link(project))
    keyword = newcomer.item(1).keyword
    word = keyword.neighbours.first().word
    response = newcomer.send("judgements", keyword=keyword.pk, word=word.pk, verdict="accept")
    assert response.status_code == 403
    assert newcomer.get("words", side="source", q="n").status_code == 403
    assert not Judgement.objects.exists()


def test_answers_over_an_unknown_link_are_refused(visitor, keyword, nurse):
    Assignment.objects.filter(pk=visitor.assignment.pk).update(link_version=2)
    response = visitor.send("judgements", keyword=keyword.pk, word=nurse.pk, verdict="accept")
    assert response.status_code == 404
    assert response.json() == {"detail": "This link is not known."}


@pytest.mark.parametrize("end", ["revoke", "time", "submit"])
def test_answers_after_the_end_are_refused(visitor, keyword, nurse, end):
    if end == "revoke":
        tasks_services.revoke(visitor.assignment)
    elif end == "time":
        Assignment.objects.update(expires_at=timezone.now())
    else:
        visitor.post("finish/")
    response = visitor.send("judgements", keyword=keyword.pk, word=nurse.pk, verdict="accept")
    assert response.status_code == 410
    assert response.json() == {"detail": "This task has ended, so the answer was not saved."}
    assert not Judgement.objects.exists()


def test_reading_an_address_for_answers_is_not_allowed(visitor):
    assert visitor.get("judgements").status_code == 405
    assert visitor.get("labels").status_code == 405
    assert visitor.send("words").status_code == 405
