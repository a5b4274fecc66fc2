"""The task pages as plain forms, as a browser without scripts uses them."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.models import Annotator, DocumentLabel, Judgement, Session
from models_ml.models import Job, Word
from tasks.models import Assignment
from tests.annotation.visitor import Visitor
from tests.factories import make_project

pytestmark = pytest.mark.django_db

WRITES = ("INSERT", "UPDATE", "DELETE")
HOSTILE = "<script>alert(1)</script>"


def row_of(page, word):
    """Return the piece of a page about a word."""
    rows = re.findall(r'<li class="row".*?</li>', page, re.S)
    return next(row for row in rows if f'id="w-{word.pk}"' in row)


def plain(html):
    """Return the words of a page as they are read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def neighbours(visitor, position=1):
    words = visitor.item(position).keyword.neighbours.order_by("id").select_related("word")
    return [neighbour.word for neighbour in words]


def location(response, status=302):
    assert response.status_code == status
    return response["Location"]


def accept(visitor, position, word):
    return visitor.post(f"{position}/", word=word.pk, verdict="accept")


# --- Coming, agreeing, coming back ---------------------------------------------------------------


def test_a_link_leads_to_the_welcome_page_which_explains_the_task(newcomer):
    assert location(newcomer.get()) == newcomer.url("welcome/")
    page = plain(newcomer.text("welcome/"))
    for text in (
        "Emergency or not",
        "Someone needs help at once.",
        "There are 3 words to answer",
        newcomer.assignment.hit.project.instructions,
        newcomer.assignment.hit.project.consent,
        f"{newcomer.assignment.expires_at:%B %Y, %H:%M} UTC",
        "I agree and start",
    ):
        assert text in page


def test_looking_without_agreeing_stores_nothing(newcomer):
    with CaptureQueriesContext(connection) as queries:
        for path in ("", "welcome/", "1/", "finish/", "concordance/1", "words?side=source&q=n"):
            newcomer.get(path)
    assert not [query for query in queries if query["sql"].startswith(WRITES)]
    assert not Session.objects.exists()
    assert not Annotator.objects.exists()


@pytest.mark.parametrize("path", ["1/", "finish/"])
def test_before_agreeing_every_page_leads_to_the_welcome_page(newcomer, path):
    assert location(newcomer.get(path), 303) == newcomer.url()
    assert location(newcomer.post(path, verdict="accept"), 303) == newcomer.url()
    assert location(newcomer.get()) == newcomer.url("welcome/")
    assert not Judgement.objects.exists()


def test_agreeing_stores_the_text_that_was_agreed_to(newcomer):
    project = newcomer.assignment.hit.project
    agreeing = newcomer.post("welcome/", text=project.consent_fingerprint)
    assert location(agreeing, 303) == newcomer.url()
    version = newcomer.session.consent
    assert (version.number, version.consent, version.privacy) == (
        1,
        project.consent,
        project.privacy,
    )
    assert newcomer.session.consented_at is not None
    newcomer.assignment.refresh_from_db()
    assert newcomer.assignment.state == "active"


def test_who_is_new_practises_first_and_then_begins(newcomer):
    text = newcomer.assignment.hit.project.consent_fingerprint
    newcomer.post("welcome/", text=text)
    assert location(newcomer.get()) == newcomer.url("practice/")
    assert newcomer.get("practice/").status_code == 200
    assert location(newcomer.post("practice/", end=1), 303) == newcomer.url()
    assert location(newcomer.get()) == newcomer.url("1/")


def test_the_first_agreement_stands(visitor, project):
    first = visitor.session
    project.consent = "Something else."
    project.save()
    again = Visitor(Assignment.objects.get(pk=visitor.assignment.pk))
    again.agree()
    assert visitor.session.consent == first.consent
    assert first.consent.consent != "Something else."
    assert visitor.session.consented_at == first.consented_at


def test_the_welcome_page_of_someone_who_agreed_does_not_ask_again(visitor):
    page = plain(visitor.text("welcome/"))
    assert "Continue" in page
    assert "I agree" not in page


def test_reopening_the_link_resumes_after_the_last_answer(visitor):
    accept(visitor, 2, neighbours(visitor, 2)[0])
    assert location(visitor.get()) == visitor.url("3/")


def test_reopening_the_link_after_the_last_item_leads_to_the_finish_page(visitor):
    accept(visitor, 3, neighbours(visitor, 3)[0])
    assert location(visitor.get()) == visitor.url("finish/")


# --- Keyword pages -------------------------------------------------------------------------------


def test_a_keyword_page_shows_the_question_the_categories_and_both_columns(visitor):
    page = visitor.text("1/")
    assert '<bdi lang="en" dir="ltr">hospital</bdi>' in page
    assert '<bdi lang="en" dir="ltr">nurse</bdi>' in page
    assert '<bdi lang="sw" dir="ltr">hospitali</bdi>' in page
    words = plain(page)
    for text in ("1 of 3", "Which words are likely", "All other texts.", "English", "Swahili"):
        assert text in words


def test_right_to_left_words_are_marked_as_such(visitor_of):
    project = make_project(target_words=["مستشفى"], target_language=("Arabic", "ar", "rtl"))
    page = visitor_of(project).text("1/")
    assert '<bdi lang="ar" dir="rtl">مستشفى</bdi>' in page
    assert '<bdi lang="en" dir="ltr">nurse</bdi>' in page


def test_an_answer_leads_back_to_its_word_and_shows(visitor):
    word = neighbours(visitor)[0]
    assert location(accept(visitor, 1, word), 303) == f"{visitor.url('1/')}#w-{word.pk}"
    row = row_of(visitor.text("1/"), word)
    assert 'data-verdict="accept"' in row
    assert row.count('aria-pressed="true"') == 1


def test_the_pressed_button_takes_the_answer_back_and_the_history_stays(visitor):
    word = neighbours(visitor)[0]
    visitor.post("1/", word=word.pk, verdict="reject")
    button = re.search(
        r'class="reject" name="verdict" value="(\w+)"', row_of(visitor.text("1/"), word)
    )
    visitor.post("1/", word=word.pk, verdict=button[1])
    assert 'aria-pressed="true"' not in row_of(visitor.text("1/"), word)
    history = Judgement.objects.values_list("revision", "verdict", "is_current")
    assert list(history) == [(1, "reject", False), (2, "leave", True)]


def found(page):
    """Return the words that a search offers to add."""
    return [
        plain(one)
        for one in re.findall(r'<button name="verdict" value="accept" lang.*?</button>', page)
    ]


def test_words_are_searched_by_their_beginning_without_case_and_accents(visitor_of):
    words = ["ear", "Éclair", "eclairs", "eclair", "echo", "keyword1", "keyword2"]
    project = make_project(keywords=1, source_words=words)
    page = visitor_of(project).text("1/", side="source", q=" ECLAIR ")
    assert found(page) == ["Éclair", "eclair", "eclairs"]


def test_at_most_eight_words_are_found_the_most_frequent_ones(visitor_of):
    project = make_project(keywords=1, target_words=[f"neno{n}" for n in range(20)])
    page = visitor_of(project).text("1/", side="target", q="neno")
    assert found(page) == [f"neno{n}" for n in range(8)]


def test_a_search_says_honestly_that_a_word_is_not_in_the_vocabulary(visitor):
    page = visitor.text("1/", side="target", q="zebra")
    source, target = re.findall(r'<p class="found.*?</p>', page, re.S)
    assert plain(source) == ""
    assert plain(target) == (
        "No word in the vocabulary begins like this. You can keep yours as a suggestion."
    )


@pytest.mark.parametrize("query", ["\u0301", "\x00", "%", "_"])
def test_a_search_for_nothing_readable_finds_nothing(visitor, query):
    assert found(visitor.text("1/", side="source", q=query)) == []


def test_the_keyword_itself_is_not_offered(visitor):
    page = visitor.text("1/", side="source", q="hospital")
    assert found(page) == []
    assert found(visitor.text("1/", side="target", q="hospital")) == ["hospitali"]


def test_an_added_word_is_marked_as_such_and_can_be_removed(visitor):
    word = Word.objects.get(text="mto")
    accept(visitor, 1, word)
    row = row_of(visitor.text("1/"), word)
    assert "added by you" in row
    assert re.search(r'value="leave"[^>]*>.*Remove', row, re.S)
    assert Judgement.objects.get().is_added
    visitor.post("1/", word=word.pk, verdict="leave")
    assert f'id="w-{word.pk}"' not in visitor.text("1/")


def test_accepting_a_shown_word_does_not_count_as_adding_it(visitor):
    accept(visitor, 1, neighbours(visitor)[0])
    assert not Judgement.objects.get().is_added


# --- Documents -----------------------------------------------------------------------------------


@pytest.fixture
def labeller(visitor_of):
    """Someone asked for one keyword, then two documents."""
    return visitor_of(make_project(keywords=1, documents=2))


def pressed(page):
    return [plain(b) for b in re.findall(r'aria-pressed="true">(.*?)</button>', page, re.S)]


def test_a_document_is_given_a_category_and_then_another(labeller):
    page = labeller.text("2/")
    assert re.search(r'lang="sw" dir="ltr">\s*<p>muuguzi alitoa dawa</p>', page)
    assert pressed(page) == []
    assert location(labeller.post("2/", label="1"), 303) == f"{labeller.url('2/')}#answers"
    assert pressed(labeller.text("2/")) == ["1 Emergency Someone needs help at once."]
    labeller.post("2/", label="0")
    assert pressed(labeller.text("2/")) == ["2 Other All other texts."]
    labeller.post("2/", label="none")
    assert pressed(labeller.text("2/")) == ["0 I can’t tell"]
    history = DocumentLabel.objects.values_list("revision", "label", "is_current")
    assert list(history) == [(1, 1, False), (2, 0, False), (3, None, True)]


@pytest.mark.parametrize("label", ["", "7", "x", "-1", "9" * 30])
def test_a_label_that_is_no_category_is_refused(labeller, label):
    assert labeller.post("2/", label=label).status_code == 400
    assert not DocumentLabel.objects.exists()


# --- Finishing -----------------------------------------------------------------------------------


def test_the_finish_page_counts_answers_and_leads_to_the_open_ones(labeller):
    first, second = neighbours(labeller)[:2]
    accept(labeller, 1, first)
    labeller.post("1/", word=second.pk, verdict="reject")
    accept(labeller, 1, Word.objects.get(text="mto"))
    labeller.post("3/", label="none")
    page = labeller.text("finish/")
    facts = re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd>", page)
    assert [(what, plain(number)) for what, number in facts] == [
        ("words answered", "1 of 1"),
        ("accepted", "2"),
        ("rejected", "1"),
        ("added by you", "1"),
        ("texts sorted", "1 of 2"),
    ]
    links = re.findall(r'<li><a class="button" href="([^"]+)"', page)
    assert links == [labeller.url("2/")]


def test_an_answer_taken_back_leaves_its_keyword_open(visitor):
    word = neighbours(visitor)[0]
    accept(visitor, 1, word)
    visitor.post("1/", word=word.pk, verdict="leave")
    assert "0 of 3" in plain(visitor.text("finish/"))


def test_submitting_shows_the_completion_code_and_a_second_submit_changes_nothing(visitor):
    code = visitor.assignment.completion_code
    assert code not in visitor.text("finish/")
    assert location(visitor.post("finish/"), 303) == visitor.url("finish/")
    assert code in visitor.text("finish/")
    first = visitor.session
    job = Job.objects.get()
    assert (job.kind, job.subject_id) == ("process_session", first.pk)

    assert location(visitor.post("finish/"), 303) == visitor.url("finish/")
    assert code in visitor.text("finish/")
    assert Job.objects.count() == 1
    assert visitor.session.submitted_at == first.submitted_at is not None


def test_after_submission_every_page_leads_to_the_finish_page(visitor):
    word = neighbours(visitor)[0]
    visitor.post("finish/")
    for response in (visitor.get("1/"), accept(visitor, 1, word), visitor.post("welcome/")):
        assert location(response, 303) == visitor.url()
    assert location(visitor.get()) == visitor.url("finish/")
    assert not Judgement.objects.exists()


def test_the_completion_code_stays_readable_after_the_links_time(visitor):
    visitor.post("finish/")
    Assignment.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert visitor.assignment.completion_code in visitor.text("finish/")


def test_batches_follow_one_another_in_one_session(visitor_of, settings):
    settings.SITE_URL = "http://clime.example"
    first = visitor_of(make_project(keywords=3, batch_size=2))
    assert "part 1 of 2" in first.text("welcome/")
    accept(first, 1, neighbours(first)[0])
    first.post("finish/")
    second = Visitor(Assignment.objects.exclude(pk=first.assignment.pk).get())
    assert f'href="http://clime.example{second.url()}"' in first.text("finish/")
    assert first.session.state == "open"
    assert not Job.objects.exists()

    assert location(second.get()) == second.url("1/")  # the consent holds for the whole session
    accept(second, 1, neighbours(second)[0])
    second.assignment.refresh_from_db()
    assert second.assignment.state == "active"
    assert "1 of 1" in plain(second.text("finish/"))
    second.post("finish/")
    assert second.session == first.session
    assert second.session.state == "submitted"
    assert Job.objects.count() == 1
    assert "next part" not in first.text("finish/")
