"""What an answer sheet takes, what it refuses and what it stores."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from annotation.answering import (
    LEFT_ON_PURPOSE,
    TAKEN_BACK,
    Answer,
    NotAnswerable,
    SessionEnded,
    Stamp,
    open_sheet,
    report_problem,
)
from annotation.models import ContextView, DocumentLabel, Judgement, Problem, Suggestion, Verdict
from models_ml.models import Word
from tasks import services as tasks_services
from tests.annotation.test_pages import neighbours
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db

ACCEPT, REJECT = Answer(Verdict.ACCEPT), Answer(Verdict.REJECT)


@pytest.fixture
def sheet_of(visitor_of):
    """Give a function that opens the sheet of someone who agreed to answer."""
    opened = []

    def make(**project):
        visitor = visitor_of(make_project(**project), f"person-{len(opened)}")
        opened.append(open_sheet(visitor.session, visitor.assignment))
        return opened[-1].__enter__(), visitor

    yield make
    for one in opened:
        one.__exit__(None, None, None)


def stored(visitor):
    """Return what now counts of the words beside the first keyword."""
    rows = visitor.session.judgements.current().select_related("word")
    return {row.word.text: (row.verdict, row.strength) for row in rows}


def sw(visitor):
    """Return the target words beside the first keyword."""
    return [word for word in neighbours(visitor) if word.vocabulary.tag == "sw"]


def ids(words):
    return [word.pk for word in words]


# --- Grades --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grade", "verdict", "strength"),
    [
        (0, "reject", 1.0),
        (1, "reject", 0.5),
        (2, "leave", 0.0),
        (3, "accept", 0.5),
        (4, "accept", 1.0),
    ],
)
def test_a_grade_is_a_verdict_with_a_strength(sheet_of, grade, verdict, strength):
    sheet, visitor = sheet_of(answer_form="graded")
    row = sheet.grade(visitor.item(1).keyword, neighbours(visitor)[0], grade)
    assert (row.verdict, row.strength) == (verdict, strength)
    assert visitor.session.judgements.answered().count() == 1


@pytest.mark.parametrize("grade", [-1, 5])
def test_a_grade_that_there_is_not_is_refused(sheet_of, grade):
    sheet, visitor = sheet_of(answer_form="graded")
    with pytest.raises(NotAnswerable, match="five steps"):
        sheet.grade(visitor.item(1).keyword, neighbours(visitor)[0], grade)
    assert not Judgement.objects.exists()


def test_a_grade_taken_back_leaves_no_answer(sheet_of):
    sheet, visitor = sheet_of(answer_form="graded")
    keyword, word = visitor.item(1).keyword, neighbours(visitor)[0]
    sheet.grade(keyword, word, 2)
    sheet.judge(keyword, word, TAKEN_BACK)
    assert not visitor.session.judgements.answered().exists()


@pytest.mark.parametrize("form", ["verdict", "ranking"])
def test_grades_are_refused_where_the_project_asks_otherwise(sheet_of, form):
    sheet, visitor = sheet_of(answer_form=form)
    with pytest.raises(NotAnswerable, match="another kind"):
        sheet.grade(visitor.item(1).keyword, neighbours(visitor)[0], 4)


@pytest.mark.parametrize("form", ["verdict", "graded"])
def test_rankings_are_refused_where_the_project_asks_otherwise(sheet_of, form):
    sheet, visitor = sheet_of(answer_form=form)
    with pytest.raises(NotAnswerable, match="another kind"):
        sheet.rank(visitor.item(1).keyword, "target", best_first=[], worst_first=[])


# --- Rankings ------------------------------------------------------------------------------------


@pytest.fixture
def ranking(sheet_of):
    """The sheet of someone who ranks, with the four target words beside their first keyword."""
    sheet, visitor = sheet_of(neighbours=4, answer_form="ranking")
    return sheet, visitor, sw(visitor)


def test_places_in_a_ranking_become_strengths(ranking):
    sheet, visitor, (one, two, three, four) = ranking
    sheet.rank(
        visitor.item(1).keyword, "target", best_first=ids([two, one]), worst_first=ids([four])
    )
    assert stored(visitor) == {
        two.text: ("accept", 1.0),
        one.text: ("accept", 0.5),
        four.text: ("reject", 1.0),
    }
    assert three.text not in stored(visitor)


def test_words_in_neither_list_are_left_open_again(ranking):
    sheet, visitor, (one, two, *_) = ranking
    keyword = visitor.item(1).keyword
    sheet.rank(keyword, "target", best_first=ids([one, two]), worst_first=[])
    sheet.rank(keyword, "target", best_first=ids([two]), worst_first=[])
    assert stored(visitor) == {two.text: ("accept", 1.0), one.text: ("leave", None)}
    assert visitor.session.judgements.answered().count() == 1


def test_a_ranking_keeps_which_words_are_open_on_purpose(ranking):
    sheet, visitor, (one, two, *_) = ranking
    keyword = visitor.item(1).keyword
    sheet.rank(keyword, "target", best_first=ids([one]), worst_first=[], left=ids([two]))
    assert stored(visitor) == {one.text: ("accept", 1.0), two.text: ("leave", 0.0)}
    with pytest.raises(NotAnswerable, match="not part of your task"):
        sheet.rank(keyword, "target", best_first=[], worst_first=[], left=[10**9])


def test_a_ranking_says_nothing_of_the_other_language(ranking):
    sheet, visitor, words = ranking
    keyword = visitor.item(1).keyword
    source = next(word for word in neighbours(visitor) if word.vocabulary.tag == "en")
    sheet.judge(keyword, source, ACCEPT)
    sheet.rank(keyword, "target", best_first=[], worst_first=ids(words))
    assert stored(visitor)[source.text] == ("accept", None)
    with pytest.raises(NotAnswerable, match="not part of your task"):
        sheet.rank(keyword, "target", best_first=[source.pk], worst_first=[])


def test_an_added_word_takes_part_in_the_ranking(ranking):
    sheet, visitor, (one, *_) = ranking
    keyword, own = visitor.item(1).keyword, Word.objects.get(text="mto")
    with pytest.raises(NotAnswerable, match="not part of your task"):
        sheet.rank(keyword, "target", best_first=[own.pk], worst_first=[])
    sheet.judge(keyword, own, ACCEPT)
    sheet.rank(keyword, "target", best_first=ids([own, one]), worst_first=[])
    assert stored(visitor)["mto"] == ("accept", 1.0)
    assert visitor.session.judgements.current().get(word=own).is_added


def test_a_word_cannot_have_two_places(ranking):
    sheet, visitor, (one, *_) = ranking
    for best, worst in (([one, one], []), ([one], [one])):
        with pytest.raises(NotAnswerable, match="one place only"):
            sheet.rank(
                visitor.item(1).keyword, "target", best_first=ids(best), worst_first=ids(worst)
            )
    assert not Judgement.objects.exists()


# --- The rest ------------------------------------------------------------------------------------


def test_the_rest_is_settled_without_touching_what_was_answered(sheet_of):
    sheet, visitor = sheet_of(neighbours=2)
    keyword, (first, second, *_) = visitor.item(1).keyword, neighbours(visitor)
    sheet.judge(keyword, first, ACCEPT)
    sheet.judge(keyword, second, LEFT_ON_PURPOSE)
    sheet.settle_rest(keyword, REJECT)
    answers = stored(visitor)
    assert answers.pop(first.text) == ("accept", None)
    assert answers.pop(second.text) == ("leave", 0.0)
    assert set(answers.values()) == {("reject", None)}
    assert len(answers) == len(neighbours(visitor)) - 2


def test_leaving_the_rest_on_purpose_is_an_answer(sheet_of):
    sheet, visitor = sheet_of()
    keyword = visitor.item(1).keyword
    sheet.judge(keyword, neighbours(visitor)[0], ACCEPT)
    sheet.judge(keyword, neighbours(visitor)[0], TAKEN_BACK)
    sheet.settle_rest(keyword, LEFT_ON_PURPOSE)
    assert set(stored(visitor).values()) == {("leave", 0.0)}
    assert visitor.session.judgements.answered().count() == len(neighbours(visitor))


def test_the_rest_of_a_foreign_keyword_is_refused(sheet_of):
    sheet, _ = sheet_of()
    foreign = make_project().ranking.keywords.first()
    with pytest.raises(NotAnswerable, match="not part of your task"):
        sheet.settle_rest(foreign, REJECT)


@pytest.mark.parametrize(("given", "said"), [("reject", "reject"), ("leave", "leave")])
def test_the_rest_is_settled_by_a_form(visitor, given, said):
    assert visitor.post("1/", rest=given)["Location"].endswith("#rest")
    assert {verdict for verdict, _ in stored(visitor).values()} == {said}
    assert visitor.post("1/", rest="accept").status_code == 400


# --- Suggestions ---------------------------------------------------------------------------------


def test_a_suggestion_is_kept_withdrawn_and_kept_again(sheet_of):
    sheet, visitor = sheet_of()
    keyword = visitor.item(1).keyword
    for is_withdrawn in (False, True, False):
        row = sheet.suggest(keyword, "target", "  kituo   cha afya ", is_withdrawn=is_withdrawn)
        assert (row.text, row.is_withdrawn) == ("kituo cha afya", is_withdrawn)
    assert Suggestion.objects.count() == 1


def test_an_older_letter_does_not_bring_a_suggestion_back(sheet_of):
    sheet, visitor = sheet_of()
    keyword, now = visitor.item(1).keyword, timezone.now()
    early, late = (Stamp(now - timedelta(seconds=s), 0, uuid4()) for s in (20, 10))
    sheet.suggest(keyword, "target", "zahanati", is_withdrawn=True, stamp=late)
    assert sheet.suggest(keyword, "target", "zahanati", stamp=early).is_withdrawn
    assert Suggestion.objects.get().is_withdrawn


@pytest.mark.parametrize("text", ["", "  ", "\x00", "a" * 101])
def test_a_suggestion_that_is_no_word_is_refused(sheet_of, text):
    sheet, visitor = sheet_of()
    with pytest.raises(NotAnswerable, match="1 to 100 letters"):
        sheet.suggest(visitor.item(1).keyword, "target", text)
    assert not Suggestion.objects.exists()


def test_suggestions_come_and_go_by_forms(visitor):
    visitor.post("1/", suggestion="zaha\x00nati", side="target")
    assert '<li class="suggestion" data-text="zahanati">' in visitor.text("1/")
    visitor.post("1/", suggestion="zahanati", side="target", withdraw="1")
    assert 'data-text="zahanati"' not in visitor.text("1/")
    assert visitor.post("1/", suggestion="zahanati", side="north").status_code == 400


def test_a_suggestion_is_shown_as_text(visitor):
    visitor.post("1/", suggestion="<b>x</b>", side="source")
    page = visitor.text("1/")
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


# --- Texts, sentences, problems ------------------------------------------------------------------


def test_a_label_taken_back_leaves_the_text_open(sheet_of):
    sheet, visitor = sheet_of(keywords=1, documents=1)
    document = visitor.item(2).document
    assert sheet.label(document, None, is_withdrawn=True) is None
    sheet.label(document, 1)
    row = sheet.label(document, 1, is_withdrawn=True)
    assert (row.label, row.is_withdrawn, row.revision) == (None, True, 2)
    assert not DocumentLabel.objects.current().exists()


def test_a_label_is_taken_back_by_its_own_button(visitor_of):
    visitor = visitor_of(make_project(keywords=1, documents=1))
    visitor.post("2/", label="1")
    assert 'value="undo" data-label="1" aria-pressed="true"' in visitor.text("2/")
    visitor.post("2/", label="undo")
    assert 'aria-pressed="true"' not in visitor.text("2/")
    assert not DocumentLabel.objects.current().exists()


def test_a_look_at_sentences_is_counted_once_a_letter(sheet_of):
    sheet, visitor = sheet_of()
    word, stamp = neighbours(visitor)[0], Stamp(letter=uuid4())
    for _ in range(3):
        sheet.note_context(word, stamp)
    sheet.note_context(word, Stamp(letter=uuid4()))
    assert visitor.session.contexts_opened == 2
    assert ContextView.objects.filter(word=word).count() == 2


def test_a_look_at_a_foreign_word_is_refused(sheet_of):
    sheet, _ = sheet_of()
    foreign = make_project().embedding.target.words.first()
    with pytest.raises(NotAnswerable, match="vocabulary"):
        sheet.note_context(foreign)


def test_a_problem_is_kept_once_with_the_page_it_is_about(sheet_of):
    sheet, visitor = sheet_of()
    stamp = Stamp(letter=uuid4())
    for _ in range(2):
        sheet.report("The word is cut off.", position=2, stamp=stamp)
    problem = Problem.objects.get()
    assert (problem.text, problem.item) == ("The word is cut off.", visitor.item(2))
    sheet.report("Nothing works.", position=0, stamp=Stamp(letter=uuid4()))
    assert Problem.objects.first().item is None


def test_a_problem_is_told_by_a_form_even_before_agreeing(newcomer):
    page = newcomer.post("problem/", text=" I cannot\x00 read this. ", position="2")
    assert page.status_code == 200
    assert Problem.objects.get().text == "I cannot read this."
    assert Problem.objects.get().item == newcomer.item(2)
    assert newcomer.post("problem/", text=" \x00 ").status_code == 400


def test_a_long_problem_is_cut(project):
    assert len(report_problem(make_link(project), "x" * 3000).text) == 2000


# --- When it is too late -------------------------------------------------------------------------


def test_no_sheet_is_opened_once_the_link_was_revoked(visitor):
    tasks_services.revoke(visitor.assignment)
    with (
        pytest.raises(SessionEnded, match="was not saved"),
        open_sheet(visitor.session, visitor.assignment),
    ):
        pytest.fail("a revoked link opened a sheet")
