"""Graded answers and rankings in a real browser: by mouse, by drag, by keys, without scripts."""

import pytest
from playwright.sync_api import expect

from annotation.models import Judgement
from tests.e2e.steps import add_word, agree, press, press_keys, row, step, wait_until_saved
from tests.e2e.test_browser_session import DESK, PHONE, open_page  # noqa: F401 - a fixture
from tests.factories import make_link, make_project

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def stored():
    """Return what is stored of each word: its value, or None for no answer."""
    signs = {"accept": 1, "reject": -1, "leave": 0}
    return {
        j.word.text: None if j.strength is None else signs[j.verdict] * j.strength
        for j in Judgement.objects.current().select_related("word")
    }


def order(page, language="English"):
    """Return the words of a column from top to bottom, with the lines between them."""
    column = page.locator(".column").filter(has=page.get_by_role("heading", name=language))
    return column.locator(".row .word bdi, .line").all_inner_texts()


ABOVE, BELOW = "accepted above this line", "rejected below this line"


# --- Graded --------------------------------------------------------------------------------------


def choose(page, word, grade):
    row(page, word).locator(".grade").nth(grade).click()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_words_are_graded_in_five_steps_and_a_step_pressed_again_is_taken_back(open_page, size):  # noqa: F811
    page = open_page(make_link(make_project(neighbours=4, answer_form="graded")), size=size)
    agree(page)
    for word, grade in (("nurse", 4), ("medicine", 3), ("fever", 2), ("vaccine", 0)):
        choose(page, word, grade)
    choose(page, "hospitali", 1)
    choose(page, "hospitali", 1)
    wait_until_saved(page)
    values = {"nurse": 1, "medicine": 0.5, "fever": 0, "vaccine": -1, "hospitali": None}
    assert stored() == values
    page.reload()
    pressed = {word: row(page, word).locator('[aria-pressed="true"]') for word in values}
    assert [pressed[word].get_attribute("data-grade") for word in ("nurse", "fever")] == ["4", "2"]
    expect(pressed["hospitali"]).to_have_count(0)


def test_words_are_graded_by_keys(open_page):  # noqa: F811
    page = open_page(make_link(make_project(neighbours=4, answer_form="graded")))
    agree(page)
    press_keys(page, "j", "4", "j", "1", "j", "5", "u", "j", "a")
    wait_until_saved(page)
    values = stored()
    assert values.pop("fever", None) is None
    assert values == {"nurse": 0.5, "medicine": -1, "vaccine": 1}


def test_words_are_graded_without_scripts(open_page):  # noqa: F811
    assignment = make_link(make_project(neighbours=2, answer_form="graded"))
    page = open_page(assignment, java_script_enabled=False)
    agree(page)
    choose(page, "nurse", 3)
    choose(page, "medicine", 0)
    choose(page, "medicine", 0)
    assert stored() == {"nurse": 0.5, "medicine": None}


def test_the_rest_of_a_graded_page_is_rejected_and_that_undone(open_page):  # noqa: F811
    page = open_page(make_link(make_project(neighbours=2, answer_form="graded")))
    agree(page)
    choose(page, "nurse", 3)
    page.get_by_role("button", name="Reject the rest").click()
    wait_until_saved(page)
    assert stored() == {"nurse": 0.5, "medicine": -1, "hospitali": -1, "muuguzi": -1}
    page.get_by_role("button", name="Undo").click()
    wait_until_saved(page)
    assert stored() == {"nurse": 0.5, "medicine": None, "hospitali": None, "muuguzi": None}


# --- Ranked --------------------------------------------------------------------------------------


@pytest.fixture
def ranked(open_page):  # noqa: F811
    """Give a function that opens a page of words to be ranked."""

    def open_(**options):
        page = open_page(make_link(make_project(neighbours=4, answer_form="ranking")), **options)
        agree(page)
        return page

    return open_


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["script", "form"])
def test_words_are_ranked_by_buttons(ranked, options):
    page = ranked(size=PHONE, **options)
    assert order(page) == [ABOVE, "nurse", "medicine", "fever", "vaccine", BELOW]
    press(page, "fever", "Accept")
    press(page, "nurse", "Accept")
    press(page, "nurse", "Up")
    press(page, "vaccine", "Down")
    wanted = ["nurse", "fever", ABOVE, "medicine", BELOW, "vaccine"]
    assert order(page) == wanted
    if not options:
        wait_until_saved(page)
    values = stored()
    assert values.pop("medicine", None) is None
    assert values == {"nurse": 1, "fever": 0.5, "vaccine": -1}
    page.reload()
    assert order(page) == wanted


def test_words_are_ranked_by_keys_and_the_focus_goes_with_the_word(ranked):
    page = ranked()
    press_keys(page, "j", "j", "Shift+ArrowUp", "Shift+ArrowUp")
    assert order(page) == ["medicine", ABOVE, "nurse", "fever", "vaccine", BELOW]
    expect(row(page, "medicine")).to_be_focused()
    press_keys(page, "j", "r", "u")
    assert order(page) == ["medicine", ABOVE, "fever", "vaccine", "nurse", BELOW]
    wait_until_saved(page)
    assert stored()["medicine"] == 1
    assert stored()["nurse"] is None


def test_words_are_ranked_by_drag(ranked):
    page = ranked()
    drag(page, row(page, "fever"), page.locator(".line").first, above=True)
    drag(page, row(page, "nurse"), page.locator(".line").nth(1), above=False)
    assert order(page) == ["fever", ABOVE, "medicine", "vaccine", BELOW, "nurse"]
    wait_until_saved(page)
    assert (stored()["fever"], stored()["nurse"]) == (1, -1)


def drag(page, moved, line, *, above):
    grip, goal = moved.locator("[data-grip]").bounding_box(), line.bounding_box()
    page.mouse.move(grip["x"] + 20, grip["y"] + 20)
    page.mouse.down()
    page.mouse.move(goal["x"] + 20, goal["y"] + (2 if above else goal["height"] - 2), steps=6)
    page.mouse.up()


def test_an_added_word_takes_part_in_the_ranking(ranked):
    page = ranked()
    press(page, "homa", "Accept")
    add_word(page, "Swahili", "mt", "mto")
    press(page, "mto", "Up")
    assert order(page, "Swahili")[:3] == ["mto", "homa", ABOVE]
    wait_until_saved(page)
    assert (stored()["mto"], stored()["homa"]) == (1, 0.5)
    step(page, "Next")
    step(page, "Back")
    assert order(page, "Swahili")[:3] == ["mto", "homa", ABOVE]
    press(page, "mto", "Remove")
    wait_until_saved(page)
    assert stored()["homa"] == 1
    page.reload()
    assert order(page, "Swahili")[:2] == ["homa", ABOVE]


def test_an_added_word_takes_part_in_the_ranking_without_scripts(ranked):
    page = ranked(java_script_enabled=False)
    press(page, "homa", "Accept")
    column = page.locator(".column").filter(has=page.get_by_role("heading", name="Swahili"))
    column.get_by_role("searchbox").fill("mt")
    column.get_by_role("button", name="Find").click()
    column.get_by_role("button", name="mto").click()
    assert order(page, "Swahili")[:3] == ["homa", "mto", ABOVE]
    assert (stored()["homa"], stored()["mto"]) == (1, 0.5)
    press(page, "homa", "Down")
    press(page, "mto", "Remove")
    assert order(page, "Swahili")[:2] == ["homa", ABOVE]
    assert stored()["homa"] == 1


def test_words_left_on_purpose_stay_so_beside_a_ranking(ranked):
    page = ranked()
    page.get_by_role("button", name="Leave the rest").click()
    press(page, "nurse", "Accept")
    wait_until_saved(page)
    assert (stored()["nurse"], stored()["fever"], stored()["homa"]) == (1, 0, 0)
    expect(row(page, "fever")).to_contain_text("left open")
    page.reload()
    expect(row(page, "fever")).to_contain_text("left open")
