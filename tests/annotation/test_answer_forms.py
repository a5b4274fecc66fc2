"""Pages of projects that ask for grades or for an order, as plain forms."""

import re

import pytest

from annotation.models import Judgement
from models_ml.models import Word
from tests.annotation.test_pages import accept, neighbours, row_of
from tests.factories import make_project

pytestmark = pytest.mark.django_db


# --- Grades --------------------------------------------------------------------------------------


@pytest.fixture
def grader(visitor_of):
    return visitor_of(make_project(answer_form="graded"))


def buttons(page, word):
    """Return name, value and whether it is pressed of each button beside a word."""
    found = re.findall(
        r'<button[^>]*? name="(\w+)" value="(\w+)" aria-pressed="(\w+)"', row_of(page, word)
    )
    return [(name, value, pressed == "true") for name, value, pressed in found]


def test_a_word_has_five_steps_of_which_the_given_one_takes_back(grader):
    word = neighbours(grader)[0]
    steps = [("grade", str(grade), False) for grade in range(5)]
    assert buttons(grader.text("1/"), word) == steps
    response = grader.post("1/", word=word.pk, grade="3")
    assert response["Location"].endswith(f"#w-{word.pk}")
    assert buttons(grader.text("1/"), word) == [
        *steps[:3],
        ("verdict", "leave", True),
        steps[4],
    ]
    grader.post("1/", word=word.pk, verdict="leave")
    assert buttons(grader.text("1/"), word) == steps


@pytest.mark.parametrize("grade", range(5))
def test_each_step_shows_as_it_was_given(grader, grade):
    word = neighbours(grader)[0]
    grader.post("1/", word=word.pk, grade=str(grade))
    pressed = [place for place, (*_, on) in enumerate(buttons(grader.text("1/"), word)) if on]
    assert pressed == [grade]


@pytest.mark.parametrize("grade", ["5", "x", "-1", "2.5", ""])
def test_a_step_that_there_is_not_is_refused(grader, grade):
    assert grader.post("1/", word=neighbours(grader)[0].pk, grade=grade).status_code == 400
    assert not Judgement.objects.exists()


# --- Rankings ------------------------------------------------------------------------------------


@pytest.fixture
def ranker(visitor_of):
    """Someone who ranks four words of each language."""
    return visitor_of(make_project(neighbours=4, answer_form="ranking"))


def target_words(visitor):
    return [word for word in neighbours(visitor) if word.vocabulary.tag == "sw"]


def column(visitor, side="target"):
    """Return the words and the lines of a column, from top to bottom."""
    page = visitor.text("1/")
    html = re.search(rf'data-side="{side}".*?</ul>', page, re.S)[0]
    found = re.findall(r'data-line="(\w+)"|dir="ltr">(\w+)</bdi></a>', html)
    return [f"--{line}--" if line else word for line, word in found]


def move(visitor, word, direction):
    response = visitor.post("1/", word=word.pk, move=direction)
    assert response.status_code == 303
    assert response["Location"].endswith(f"#w-{word.pk}")


def test_before_any_answer_all_words_stand_between_the_lines(ranker):
    words = [word.text for word in target_words(ranker)]
    assert column(ranker) == ["--accept--", *words, "--reject--"]


def test_words_move_a_place_at_a_time_and_over_the_lines(ranker):
    one, two, three, four = target_words(ranker)
    move(ranker, one, "up")
    move(ranker, four, "down")
    assert column(ranker) == [
        one.text,
        "--accept--",
        two.text,
        three.text,
        "--reject--",
        four.text,
    ]
    move(ranker, two, "up")
    assert column(ranker)[:3] == [one.text, two.text, "--accept--"]
    move(ranker, two, "up")
    assert column(ranker)[:3] == [two.text, one.text, "--accept--"]
    move(ranker, two, "down")
    move(ranker, two, "down")
    assert column(ranker)[:3] == [one.text, "--accept--", two.text]


def test_at_the_ends_words_stay_where_they_are(ranker):
    one, *_, four = target_words(ranker)
    for _ in range(3):
        move(ranker, one, "up")
    before = column(ranker)
    move(ranker, one, "up")
    assert column(ranker) == before
    for _ in range(3):
        move(ranker, four, "down")
    assert column(ranker)[-1] == four.text


def test_moves_in_one_language_leave_the_other_alone(ranker):
    before = column(ranker, "source")
    move(ranker, target_words(ranker)[0], "up")
    assert column(ranker, "source") == before


def test_an_accepted_word_is_the_last_of_the_accepted_until_it_moves(ranker):
    one, two, *_ = target_words(ranker)
    move(ranker, one, "up")
    accept(ranker, 1, two)
    assert column(ranker)[:3] == [one.text, two.text, "--accept--"]


def test_an_added_word_moves_like_any_other(ranker):
    one, own = target_words(ranker)[0], Word.objects.get(text="mto")
    move(ranker, one, "up")
    accept(ranker, 1, own)
    move(ranker, own, "up")
    assert column(ranker)[:3] == ["mto", one.text, "--accept--"]


@pytest.mark.parametrize("direction", ["", "left"])
def test_a_move_that_makes_no_sense_is_refused(ranker, direction):
    word = target_words(ranker)[0]
    assert ranker.post("1/", word=word.pk, move=direction).status_code == 400
    foreign = Word.objects.get(text="bao")
    assert ranker.post("1/", word=foreign.pk, move="up").status_code == 400


def test_moves_are_refused_where_the_project_asks_for_verdicts(visitor):
    word = neighbours(visitor)[0]
    assert visitor.post("1/", word=word.pk, move="up").status_code == 400
    assert not Judgement.objects.exists()
