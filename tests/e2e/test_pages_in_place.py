"""Pages that change without a reload: address, title, focus and answers go along."""

import re

import pytest
from playwright.sync_api import expect

from annotation.models import Judgement
from tests.e2e.sameness import address, begin, go, is_same, seen, wait_until_sent
from tests.e2e.steps import (
    add_word,
    is_pressed,
    press,
    press_keys,
    row,
    show_sentences,
    wait_until_saved,
)
from tests.e2e.test_network import open_task
from tests.factories import make_project

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def assignment():
    return begin(make_project(keywords=3, documents=1))


@pytest.fixture
def page(new_device, assignment):
    page = open_task(new_device(), assignment)
    page.evaluate("window.neverReloaded = true")
    return page


def is_at(page, position):
    """Check that address, title, heading and state all speak of one page."""
    page.wait_for_url(re.compile(rf"/{position}/$"))
    expect(page.locator(".bar .number b")).to_have_text(str(position))
    expect(page).to_have_title(re.compile(f"^{position} of 4"))
    assert page.locator("#task").get_attribute("data-position") == str(position)
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert page.evaluate("window.neverReloaded")


def hold(page, address):
    """Return the list to which requests for an address are added; the test lets them go on."""
    held = []

    def keep(route):
        held.append(route)

    page.route(address, keep)
    return held


# --- Ways ----------------------------------------------------------------------------------------


def test_back_and_forward_of_the_browser_lead_through_the_pages(page, assignment):
    press(page, "nurse", "Accept")
    go(page, "next")
    is_at(page, 2)
    press(page, "muuguzi", "Reject")
    go(page, "next")
    is_at(page, 3)
    page.go_back()
    is_at(page, 2)
    assert is_pressed(page, "muuguzi", "Reject")
    page.go_back()
    is_at(page, 1)
    assert is_pressed(page, "nurse", "Accept")
    page.go_forward()
    is_at(page, 2)
    wait_until_sent(page)
    is_same(page, assignment)


def test_two_presses_on_next_are_one(page):
    history = page.evaluate("history.length")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('[rel=next]').click()")
    is_at(page, 2)
    page.wait_for_timeout(300)
    is_at(page, 2)
    assert page.evaluate("history.length") == history + 1


def test_a_link_to_a_place_on_the_page_leaves_the_page_as_it_is(page):
    column = page.locator(".column").last
    column.get_by_role("searchbox").fill("mt")
    column.locator(".results button").first.wait_for()
    page.evaluate("document.querySelector('.skip').click()")
    page.wait_for_url(re.compile(r"/1/#content$"))
    page.wait_for_timeout(200)
    expect(column.locator(".results button").first).to_be_visible()


def test_what_the_server_says_of_a_page_is_not_shown_on_the_next(page, assignment):
    go(page, "next")
    add_word(page, "Swahili", "mt", "mto")
    wait_until_sent(page)
    go(page, "next")
    go(page, "next")  # a text
    page.wait_for_load_state("networkidle")
    held = hold(page, "**/answers")
    page.get_by_role("button", name="Emergency").click()
    page.wait_for_timeout(100)
    go(page, "prev")
    go(page, "prev")
    before = seen(page)
    held[0].continue_()
    page.wait_for_timeout(300)  # what it asks next is held again
    assert seen(page) == before
    page.unroute("**/answers")  # which lets go what was held
    wait_until_sent(page)
    is_same(page, assignment)
    go(page, "next")
    go(page, "next")
    page.get_by_role("button", name="Other").click()
    wait_until_sent(page)
    is_same(page, assignment)


def test_a_page_fetched_ahead_too_late_does_not_hide_what_was_answered_on_it(
    new_device, assignment
):
    page = new_device().new_page()
    ahead = []

    def hold(route):
        if "x-clime-ahead" in route.request.headers:
            ahead.append(route)
        else:
            route.continue_()

    page.route("**/2/", hold)
    page.goto(address(assignment))
    page.wait_for_timeout(800)
    body = page.request.get(address(assignment, 2)).text()
    go(page, "next")
    press(page, "muuguzi", "Reject")
    wait_until_saved(page)
    go(page, "next")
    ahead[0].fulfill(body=body, content_type="text/html; charset=utf-8")
    page.wait_for_timeout(200)
    page.context.set_offline(True)
    go(page, "prev")
    assert is_pressed(page, "muuguzi", "Reject")


def test_a_page_that_was_left_while_it_saved_does_not_say_so_for_ever(page):
    hold(page, "**/answers")
    press(page, "nurse", "Accept")
    go(page, "next")
    page.unroute("**/answers")  # which lets go what was held
    wait_until_sent(page)
    page.context.set_offline(True)
    go(page, "prev")
    expect(page.locator(".status")).to_have_text("Saved")


# --- Taking back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["verdict", "graded", "ranking"])
@pytest.mark.parametrize("rest", ["Reject the rest", "Leave the rest"])
def test_the_rest_can_be_settled_and_taken_back(new_device, form, rest):
    assignment = begin(make_project(keywords=2, neighbours=3, answer_form=form))
    page = open_task(new_device(), assignment)
    answer = "surely" if form == "graded" else "Accept"
    press(page, "nurse", re.compile(answer))
    wait_until_saved(page)
    before = seen(page)
    page.get_by_role("button", name=rest).click()
    wait_until_saved(page)
    is_same(page, assignment)
    assert all(verdict != "leave" for verdict, _ in seen(page)["words"].values())
    press_keys(page, "u")
    wait_until_saved(page)
    assert seen(page)["words"] == before["words"]
    is_same(page, assignment)
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_hidden()


def test_undo_is_offered_for_the_page_at_hand_alone(page):
    page.get_by_role("button", name="Reject the rest").click()
    undo = page.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_visible()
    go(page, "next")
    expect(undo).to_be_hidden()
    go(page, "prev")
    expect(undo).to_be_hidden()
    press_keys(page, "u")
    wait_until_sent(page)
    assert Judgement.objects.decided().count() == 4


# --- Orders --------------------------------------------------------------------------------------


@pytest.fixture
def ranked(new_device):
    assignment = begin(make_project(keywords=2, neighbours=4, answer_form="ranking"))
    return open_task(new_device(), assignment), assignment


def order(page):
    items = page.locator(".column").last.locator(".rows > *")
    return items.evaluate_all(
        "all => all.map((one) => (one.dataset.line ? '---' : one.querySelector('bdi').textContent))"
    )


def test_words_are_put_in_order_by_buttons(ranked):
    page, assignment = ranked
    press(page, "dawa", "Accept")
    press(page, "muuguzi", "Accept")
    press(page, "muuguzi", "Up")
    press(page, "homa", "Reject")
    assert order(page) == ["muuguzi", "dawa", "---", "hospitali", "---", "homa"]
    press(page, "homa", "Up")
    press(page, "dawa", "Down")
    assert order(page) == ["muuguzi", "---", "dawa", "hospitali", "homa", "---"]
    press(page, "homa", "Down")
    wait_until_saved(page)
    is_same(page, assignment)
    page.reload()
    assert order(page)[0] == "muuguzi"
    assert order(page)[-1] == "homa"
    is_same(page, assignment)


def test_the_focus_goes_with_a_word_that_moves(ranked):
    page, assignment = ranked
    button = row(page, "homa").get_by_role("button", name="Up")
    button.focus()
    press_keys(page, "Enter", "Enter")
    expect(button).to_be_focused()
    word = row(page, "dawa")
    word.focus()
    press_keys(page, "a")
    expect(word).to_be_focused()
    press_keys(page, "Shift+ArrowDown", "Shift+ArrowDown", "r")
    expect(word).to_be_focused()
    wait_until_saved(page)
    expect(word).to_be_focused()
    accept = row(page, "hospitali").get_by_role("button", name="Accept")
    accept.click()
    expect(accept).to_be_focused()
    wait_until_sent(page)
    is_same(page, assignment)


def test_words_are_put_in_order_by_drag(ranked):
    page, assignment = ranked
    column = page.locator(".column").last
    column.scroll_into_view_if_needed()

    def middle(place):
        box = place.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag_over_the_first_line(word):
        page.mouse.move(*middle(row(page, word).locator("[data-grip]")))
        page.mouse.down()
        x, y = middle(column.locator("[data-line=accept]"))
        page.mouse.move(x, y + 60, steps=4)
        page.mouse.move(x, y - 20, steps=4)
        page.mouse.up()

    drag_over_the_first_line("homa")
    assert order(page)[:2] == ["homa", "---"]
    add_word(page, "Swahili", "mt", "mto")
    press(page, "mto", "Up")
    drag_over_the_first_line("mto")
    assert order(page)[:3] == ["homa", "mto", "---"]
    wait_until_saved(page)
    is_same(page, assignment)


def test_an_added_word_stays_among_the_accepted(ranked):
    page, assignment = ranked
    add_word(page, "Swahili", "mt", "mto")
    press(page, "mto", "Down")
    press(page, "homa", "Accept")
    wait_until_saved(page)
    assert order(page)[:3] == ["mto", "homa", "---"]
    is_same(page, assignment)


def test_what_is_left_open_on_purpose_stays_so_when_another_word_moves(ranked):
    page, assignment = ranked
    page.get_by_role("button", name="Leave the rest").click()
    press(page, "homa", "Accept")
    wait_until_saved(page)
    assert [verdict for verdict, _ in seen(page)["words"].values()].count("left") == 7
    is_same(page, assignment)


# --- Sentences -----------------------------------------------------------------------------------


def test_sentences_that_could_not_be_loaded_are_loaded_by_the_next_press(page):
    page.route("**/concordance/*", lambda route: route.abort())
    show_sentences(page, "nurse")
    expect(row(page, "nurse")).to_contain_text("Press the word again")
    page.unroute("**/concordance/*")
    show_sentences(page, "nurse")
    expect(row(page, "nurse").locator("mark")).to_have_text(["nurse", "nurse"])
    show_sentences(page, "nurse")
    expect(row(page, "nurse").locator(".concordance")).to_have_count(0)


def test_sentences_folded_in_before_they_came_harm_nothing(page):
    held = hold(page, "**/concordance/*")
    show_sentences(page, "nurse")
    show_sentences(page, "nurse")
    held[0].abort()
    page.wait_for_timeout(100)
    expect(row(page, "nurse").locator("a.word")).to_have_attribute("aria-expanded", "false")
