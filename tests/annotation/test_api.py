"""What the pages' script sends and asks, as JSON; test_letters.py has the letters themselves."""

import pytest
from django.utils import timezone

from annotation.models import DocumentLabel, Judgement, Session
from models_ml.models import Word
from tasks import services as tasks_services
from tasks.models import Assignment
from tests.annotation.visitor import Visitor, letter
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def keyword(visitor):
    return visitor.item(1).keyword


@pytest.fixture
def nurse(visitor):
    return Word.objects.get(text="nurse")


def verdict(visitor, keyword, word, said="accept", **more):
    """Send a verdict as a letter; return its receipt."""
    return visitor.answer("verdict", keyword=keyword.pk, word=word.pk, verdict=said, **more)


def test_an_answer_is_saved_and_its_state_returned(visitor, keyword, nurse):
    receipt = verdict(visitor, keyword, nurse)
    assert receipt.pop("id")
    assert receipt == {"state": "saved", "verdict": "accept", "strength": None, "revision": 1}
    judgement = Judgement.objects.get()
    assert (judgement.session, judgement.keyword, judgement.word) == (
        visitor.session,
        keyword,
        nurse,
    )
    assert judgement.verdict == "accept"


def test_another_answer_is_another_revision(visitor, keyword, nurse):
    receipts = [
        verdict(visitor, keyword, nurse, said, saw=saw)
        for saw, said in enumerate(("accept", "reject", "leave", "accept"))
    ]
    assert [one["revision"] for one in receipts] == [1, 2, 3, 4]
    assert [j.verdict for j in Judgement.objects.current()] == ["accept"]


def test_a_word_that_was_not_shown_is_the_annotators_own(visitor, keyword):
    verdict(visitor, keyword, Word.objects.get(text="mto"))
    assert Judgement.objects.get().is_added


def test_a_documents_category_is_saved(visitor_of):
    labeller = visitor_of(make_project(keywords=1, documents=2))
    document = labeller.item(2).document
    for saw, label in enumerate((1, None, 0)):
        receipt = labeller.answer("label", document=document.pk, label=label, saw=saw)
        assert receipt.pop("id")
        assert receipt == {
            "state": "saved",
            "label": label,
            "withdrawn": False,
            "revision": saw + 1,
        }
    assert [one.label for one in DocumentLabel.objects.current()] == [0]


@pytest.mark.parametrize("label", [2, -1, 10**30, "x", 0.5])
def test_a_label_that_is_no_category_is_refused(visitor_of, label):
    labeller = visitor_of(make_project(keywords=1, documents=1))
    document = labeller.item(2).document
    assert labeller.answer("label", document=document.pk, label=label)["state"] == "refused"
    assert not DocumentLabel.objects.exists()


def test_the_page_at_a_position_is_told_as_it_now_stands(visitor, keyword, nurse):
    verdict(visitor, keyword, nurse)
    visitor.answer("suggestion", keyword=keyword.pk, side="target", text="zahanati")
    response = visitor.send("answers", letters=[], position=1).json()
    assert response["receipts"] == []
    assert response["standing"] == {
        "words": [
            {
                "id": nurse.pk,
                "text": "nurse",
                "side": "source",
                "verdict": "accept",
                "strength": None,
                "added": False,
                "revision": 1,
            }
        ],
        "suggestions": [{"side": "target", "text": "zahanati", "is_withdrawn": False}],
    }
    assert "standing" not in visitor.send("answers", letters=[]).json()


def test_the_page_of_a_text_is_told_as_it_now_stands(visitor_of):
    labeller = visitor_of(make_project(keywords=1, documents=1))

    def standing():
        return labeller.send("answers", letters=[], position=2).json()["standing"]

    assert standing() == {"label": None, "withdrawn": True, "revision": 0}
    labeller.answer("label", document=labeller.item(2).document.pk, label=1)
    assert standing() == {"label": 1, "withdrawn": False, "revision": 1}


@pytest.mark.parametrize("position", [0, 4, -1, 10**30, "x"])
def test_a_page_that_the_task_does_not_have_is_refused(visitor, position):
    assert visitor.send("answers", letters=[], position=position).status_code == 400


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
    receipt = verdict(visitor, foreign, nurse)
    assert receipt["state"] == "refused"
    assert receipt["detail"] == "This word is not part of your task."
    assert not Judgement.objects.exists()


def test_a_keyword_of_another_batch_is_refused(visitor_of):
    project = make_project(keywords=2, batch_size=1)
    visitor = visitor_of(project)
    other = project.ranking.keywords.last()
    assert verdict(visitor, other, other.neighbours.first().word)["state"] == "refused"
    assert not Judgement.objects.exists()


def test_a_document_of_another_project_is_refused(visitor):
    foreign = make_project(documents=1).pool_corpus.documents.first()
    receipt = visitor.answer("label", document=foreign.pk, label=1)
    assert (receipt["state"], receipt["detail"]) == (
        "refused",
        "This text is not part of your task.",
    )
    assert not DocumentLabel.objects.exists()


def test_a_word_of_another_vocabulary_is_refused(visitor, keyword):
    foreign = make_project().embedding.target.words.first()
    assert verdict(visitor, keyword, foreign)["detail"] == (
        "This word is not in the project's vocabulary."
    )
    assert not Judgement.objects.exists()


def test_the_keyword_itself_is_refused(visitor, keyword):
    assert verdict(visitor, keyword, keyword.word)["detail"] == (
        "A word cannot be its own neighbour."
    )


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "{}", b"\xff", '{"letters": "x"}'])
def test_a_body_that_holds_no_letters_is_refused(visitor, body):
    response = visitor.client.post(visitor.url("answers"), body, content_type="application/json")
    assert response.status_code == 400


def test_forms_of_other_sites_are_refused(visitor, keyword, nurse):
    """A page elsewhere can send a form without asking, but not JSON."""
    assert visitor.post("answers", letters="[]").status_code == 415


def test_answers_before_agreeing_are_refused(project):
    newcomer = Visitor(make_link(project))
    assert newcomer.send("answers", letters=[]).status_code == 403
    assert newcomer.get("words", side="source", q="n").status_code == 403
    assert not Session.objects.exists()


def test_answers_over_an_unknown_link_are_refused(visitor):
    Assignment.objects.filter(pk=visitor.assignment.pk).update(link_version=2)
    response = visitor.send("answers", letters=[])
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
    response = visitor.send(
        "answers", letters=[letter("verdict", keyword=keyword.pk, word=nurse.pk, verdict="accept")]
    )
    assert response.status_code == 410
    assert response.json() == {"detail": "This task has ended, so the answer was not saved."}
    assert not Judgement.objects.exists()


def test_reading_an_address_for_answers_is_not_allowed(visitor):
    assert visitor.get("answers").status_code == 405
    assert visitor.send("words").status_code == 405
