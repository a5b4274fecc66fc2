"""Every annotator page in every state, measured against WCAG 2.2 AA: docs/accessibility.md."""

import re
from datetime import timedelta
from itertools import pairwise, product
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone
from playwright.sync_api import expect

from annotation import services
from tasks import services as tasks_services
from tasks.models import Assignment
from tests import chromium
from tests.annotation.visitor import Visitor
from tests.e2e.accessibility import (
    DESK,
    HEADINGS,
    LARGE_TYPE,
    LOST_TEXT,
    MOVING,
    NARROWEST,
    OVERFLOW,
    PHONE,
    SMALL_TARGETS,
    SPACED_OUT,
    WEAR,
    ZOOMED,
    broken_rules,
    contrast,
    unreachable_by_tab,
)
from tests.factories import make_link, make_project

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

LONG_TEXT = " ".join(["muuguzi alitoa dawa kwa hospitali ya mto"] * 25)
LONG_WORD = "wasiojitegemea" * 3
FORMS = ("verdict", "graded", "ranking")


@pytest.fixture
def open_page(browser, live_server, settings):
    """Give a function that opens a page of someone's task."""
    settings.SITE_URL = live_server.url
    contexts = []

    def open_(visitor, path="", *, size=PHONE, reduced_motion="reduce", **options):
        # Without motion, colours are final at once.
        context = browser.new_context(viewport=size, reduced_motion=reduced_motion, **options)
        context.set_default_timeout(chromium.PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.task = live_server.url + visitor.url()
        page.goto(page.task + path)
        return page

    yield open_
    for context in contexts:
        context.close()


def make_newcomer(**project):
    """Return someone whose task has two keywords, a short text and a long one."""
    fields = {"keywords": 2, "documents": 2, "neighbours": 4} | project
    fields.setdefault("target_texts", ["homa dawa", LONG_TEXT])
    return Visitor(make_link(make_project(**fields)))


def make_visitor(**project):
    """Return such a person who has agreed to take part."""
    visitor = make_newcomer(**project)
    visitor.agree()
    return visitor


def offer_next_session(visitor):
    """Return the assignment of someone's second session."""
    project = visitor.session.project
    return tasks_services.offer_session(
        project,
        session_number=2,
        owner=tasks_services.Owner("direct", visitor.assignment.worker_id),
        keywords=project.ranking.keywords.all()[:1],
        documents=[],
    )


# --- The states of the pages ---------------------------------------------------------------------


def row(page, word):
    return page.locator(".row").filter(has=page.locator(f'.word bdi:text-is("{word}")'))


def press(page, name, *, word=None):
    place = page if word is None else row(page, word)
    place.get_by_role("button", name=name).first.click()


def use_beginning(page):
    page.goto(f"{page.task}welcome/")
    yield "welcome, agreed"
    page.goto(f"{page.task}practice/")
    yield "practice"
    page.locator("form.trial label:has([type=radio])").first.click()
    press(page, "Check")
    page.get_by_role("button", name="Check again").wait_for()
    yield "practice, checked"


def use_keyword_page(page):
    page.goto(f"{page.task}1/")
    yield "keyword"
    if page.locator(".grade").count():
        press(page, "surely", word="nurse")
        press(page, "not at all", word="medicine")
        press(page, "not sure", word="fever")
    else:
        press(page, "Accept", word="nurse")
        press(page, "Reject", word="medicine")
    yield "keyword answered"
    page.locator("a.word").first.click()
    page.locator(".row a.word").first.click()
    expect(page.locator(".row .concordance p").first).to_be_visible()
    yield "sentences open"
    search = page.get_by_role("searchbox").last
    search.fill("m")
    page.locator(".results button").last.wait_for()
    yield "words found"
    search.fill("mganga")
    press(page, "Keep as a suggestion: mganga")
    search.fill("mto")
    page.locator(".results").get_by_role("button", name="mto", exact=True).click()
    yield "own words"
    press(page, "Leave the rest")
    yield "rest left open, with Undo"


def use_what_is_beside(page):
    press(page, "Help")
    yield "help"
    page.keyboard.press("Escape")
    press(page, "Take a break")
    yield "break"
    page.keyboard.press("Escape")
    page.locator("#problem summary").click()
    page.get_by_label("What is wrong").fill("The word is cut off.")
    yield "problem form"
    press(page, "Send")
    page.locator("#language summary").click()
    yield "problem sent, languages"


def use_documents(page):
    page.goto(f"{page.task}3/")
    yield "text"
    press(page, "Emergency")
    yield "text sorted"
    page.goto(f"{page.task}4/")
    yield "long text"
    page.locator(".text summary").click()
    yield "long text unfolded"


def use_end(page):
    page.goto(f"{page.task}finish/")
    yield "finish"
    press(page, "Submit my answers")
    page.locator(".code").wait_for()
    yield "done"


SESSION = (use_beginning, use_keyword_page, use_what_is_beside, use_documents, use_end)


def states(page, parts=SESSION):
    for part in parts:
        for state in part(page):
            yield f"{part.__name__}: {state}"


def audit(page, state):
    """Fail if axe-core finds anything wrong, light or dark, on a phone or on a desk."""
    for size, scheme, other in ((PHONE, "light", "dark"), (DESK, "dark", "light")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        assert broken_rules(page) == [], (state, size, scheme)
        page.emulate_media(color_scheme=other)
        assert broken_rules(page, contrast_alone=True) == [], (state, size, other)


# --- By axe-core ---------------------------------------------------------------------------------


def test_a_session_breaks_no_rule_of_axe(open_page):
    page = open_page(make_visitor())
    for state in states(page):
        audit(page, state)


@pytest.mark.parametrize("form", ["graded", "ranking"])
def test_other_forms_of_answer_break_no_rule_of_axe(open_page, form):
    page = open_page(make_visitor(answer_form=form))
    for state in states(page, [use_keyword_page]):
        audit(page, state)


def test_pages_before_consent_break_no_rule_of_axe(open_page):
    page = open_page(make_newcomer(), "welcome/")
    audit(page, "welcome")
    page.evaluate("document.querySelector('form.agree [name=text]').value = 'another'")
    page.locator("form.agree button").click()
    page.get_by_role("alert").wait_for()
    audit(page, "welcome, its text changed")


def test_pages_without_scripts_break_no_rule_of_axe(open_page):
    # Axe itself needs scripts, so ours do not arrive.
    page = open_page(make_visitor(), "welcome/")
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"{page.task}1/")
    press(page, "Accept", word="nurse")
    page.locator(".row a.word").first.click()
    audit(page, "sentences open")
    page.goto(f"{page.task}1/?side=target&q=m#add-target")
    audit(page, "words found")
    page.goto(f"{page.task}4/")
    audit(page, "long text")


def test_pages_beside_the_way_break_no_rule_of_axe(open_page):
    visitor = make_visitor()
    page = open_page(visitor, "finish/")  # its forms are sent as forms
    press(page, "Take a break")
    audit(page, "break")
    page.locator("#problem summary").click()
    page.get_by_label("What is wrong").fill("The word is cut off.")
    press(page, "Send")
    audit(page, "problem told")
    page.goto(f"{page.task}99/")
    audit(page, "no such page")
    page.goto(f"{page.task}1/")
    page.evaluate("document.querySelector('.row form').submit()")
    page.get_by_role("heading", name="This was not saved").wait_for()
    audit(page, "answer refused")
    tasks_services.revoke(visitor.assignment)
    page.goto(page.task)
    audit(page, "link ended")
    page.goto(page.task.replace("/t/", "/t/x"))
    audit(page, "link unknown")


def test_pages_between_sessions_break_no_rule_of_axe(open_page):
    visitor = make_visitor(session_count=2)
    services.submit_assignment(visitor.session, visitor.assignment)
    page = open_page(visitor, "finish/")
    audit(page, "next session is prepared")
    offered = offer_next_session(visitor)
    page.reload()
    audit(page, "next session is ready")
    later = timezone.now() + timedelta(hours=5)
    Assignment.objects.filter(pk=offered.pk).update(opens_at=later)
    page.reload()
    audit(page, "next session is later")
    assert page.evaluate(SMALL_TARGETS) == []
    page.goto(page.get_by_role("link").filter(has_text="/t/").get_attribute("href"))
    page.get_by_role("heading", name="This session opens later").wait_for()
    audit(page, "not open yet")


def test_pages_from_right_to_left_fit_and_break_no_rule_of_axe(open_page):
    page = open_page(make_newcomer(target_language=("Uyghur", "ug", "rtl")), "welcome/?language=ar")

    def check(state):
        assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
        for size in (NARROWEST, DESK):
            page.set_viewport_size(size)
            assert page.evaluate(OVERFLOW) == [], (state, size)
            assert page.evaluate(LOST_TEXT) == [], (state, size)
        audit(page, state)

    check("welcome")
    page.locator("form.agree button").click()
    page.goto(f"{page.task}practice/")
    page.locator("form.begin button").click()
    page.locator(".row .accept").first.click()
    page.locator(".row a.word").first.click()
    check("keyword")
    page.goto(f"{page.task}4/")
    check("text")
    page.goto(f"{page.task}finish/")
    check("finish")


# --- What axe cannot tell ------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_pages_fit_any_width_zoom_and_spacing_and_every_target_fits_a_thumb(open_page, form):
    words = ["hospital", "nurse", LONG_WORD, "medicine", "fever", "doctor", "water"]
    page = open_page(make_visitor(answer_form=form, source_words=words, name=f"Texts {LONG_WORD}"))
    for state in states(page, SESSION if form == "verdict" else [use_keyword_page]):
        for size in (PHONE, LARGE_TYPE, NARROWEST, ZOOMED, DESK):
            page.set_viewport_size(size)
            assert page.evaluate(OVERFLOW) == [], (state, size)
            assert page.evaluate(LOST_TEXT) == [], (state, size)
            assert page.evaluate(SMALL_TARGETS) == [], (state, size)
        levels = page.evaluate(HEADINGS)
        assert levels[0] == 1, state
        assert all(after - before <= 1 for before, after in pairwise(levels)), (state, levels)
        page.evaluate(WEAR, SPACED_OUT)
        for size in (PHONE, DESK):
            page.set_viewport_size(size)
            assert page.evaluate(OVERFLOW) == [], (state, size, "spaced out")
            assert page.evaluate(LOST_TEXT) == [], (state, size, "spaced out")
        page.evaluate(WEAR, "")


@pytest.mark.parametrize("size", [PHONE, ZOOMED], ids=["phone", "zoomed"])
def test_what_has_the_focus_is_seen_on_every_page(open_page, size):
    page = open_page(make_visitor(neighbours=7), "1/", size=size)
    press(page, "Accept", word="nurse")
    page.locator("#problem summary").click()
    assert unreachable_by_tab(page) == []
    for path in ("4/", "welcome/", "practice/", "finish/"):
        page.goto(page.task + path)
        assert unreachable_by_tab(page) == [], path


def test_nothing_moves_for_people_who_asked_for_that(open_page):
    visitor = make_visitor()
    page = open_page(visitor, "1/")
    press(page, "Accept", word="nurse")
    press(page, "Help")
    assert page.evaluate(MOVING) == []
    moving = open_page(visitor, "1/", reduced_motion="no-preference")
    assert moving.evaluate(MOVING) != []


def edges(page, selector):
    """Return how wide the edges of controls are, and what lines their words have."""
    return page.locator(selector).evaluate_all(
        """(all) => [...new Set(all.map((one) => { const style = getComputedStyle(one);
          return `${style.borderTopWidth} ${style.textDecorationLine}`; }))].sort()"""
    )


@pytest.mark.parametrize("form", FORMS)
def test_what_is_pressed_differs_by_more_than_colour_where_the_system_has_its_own(open_page, form):
    page = open_page(make_visitor(answer_form=form), "1/", forced_colors="active")
    press(page, "surely" if form == "graded" else "Accept", word="nurse")
    press(page, "not at all" if form == "graded" else "Reject", word="medicine")
    assert edges(page, ".row [aria-pressed=true]") == ["3px underline"]
    assert edges(page, ".row [aria-pressed=false]") == ["1px none"]
    page.goto(f"{page.task}3/")
    press(page, "Emergency")
    assert edges(page, ".choices [aria-pressed=true]") == ["3px underline"]
    assert edges(page, ".choices [aria-pressed=false]") == ["1px none"]


def test_answers_are_told_by_words_and_signs_and_not_by_colour_alone(open_page):
    page = open_page(make_visitor(), "1/")
    for name in ("Accept", "Reject"):
        button = row(page, "nurse").get_by_role("button", name=name)
        expect(button).to_contain_text(name)
        expect(button.locator("svg use")).to_have_attribute("href", f"#icon-{name.lower()}")
    graded = open_page(make_visitor(answer_form="graded"), "1/")
    steps = row(graded, "nurse").locator("button b").all_inner_texts()
    assert steps == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_edges_marks_and_the_focus_stand_out_from_what_is_around_them(open_page, scheme):
    page = open_page(make_visitor(), "1/", color_scheme=scheme)
    marks, grounds = ("edge", "focus", "accent", "accept", "reject"), ("paper", "surface")
    colours = page.evaluate(
        """(names) => { const style = getComputedStyle(document.documentElement);
          return Object.fromEntries(names.map((name) =>
            [name, style.getPropertyValue(`--${name}`).trim()])); }""",
        [*marks, *grounds],
    )
    for mark, ground in product(marks, grounds):
        assert contrast(colours[mark], colours[ground]) >= 3, (mark, ground)


@pytest.mark.parametrize("form", FORMS)
def test_the_name_of_every_button_of_a_word_says_which_word(open_page, form):
    page = open_page(make_visitor(answer_form=form), "1/")
    for word in ("nurse", "muuguzi"):
        buttons = row(page, word).get_by_role("button")
        about = row(page, word).get_by_role("button", name=word)
        assert about.count() == buttons.count() >= 3


def test_status_messages_come_to_places_that_are_read_out(open_page):
    page = open_page(make_visitor(), "1/")
    regions = page.get_by_role("status")
    saved, found = (
        regions.and_(page.locator(one)).last.element_handle() for one in (".status", ".found")
    )
    press(page, "Accept", word="nurse")
    page.wait_for_function("one => one.textContent === 'Saved'", arg=saved)
    page.get_by_role("searchbox").last.fill("mt")
    page.wait_for_function("one => one.textContent.startsWith('Press a word')", arg=found)
    page.get_by_role("searchbox").last.fill("zzz")
    page.wait_for_function("one => one.textContent.startsWith('No word')", arg=found)
    page.locator("#problem summary").click()
    page.get_by_label("What is wrong").fill("The word is cut off.")
    press(page, "Send")
    expect(page.locator("#problem").get_by_role("status")).to_contain_text("Thank you")
    assert page.locator(".row .word").first.get_attribute("aria-expanded") == "false"
    page.locator(".row .word").first.click()
    expect(page.locator(".row [aria-live=polite] p").first).to_be_visible()
    assert page.locator(".row .word").first.get_attribute("aria-expanded") == "true"


def test_going_to_the_next_page_tells_its_title_and_moves_the_focus_to_its_heading(open_page):
    page = open_page(make_visitor(), "1/")
    page.evaluate("window.isSamePage = true")
    for position, heading in ((2, "nurse"), (3, "Text 3: Which category")):
        page.get_by_role("link", name="Next", exact=True).click()
        page.wait_for_url(re.compile(rf"/{position}/$"))
        expect(page).to_have_title(re.compile(rf"^{position} of 4"))
        expect(page.locator("h1")).to_be_focused()
        expect(page.locator("h1")).to_contain_text(heading)
    assert page.evaluate("window.isSamePage")


def test_a_page_that_waits_for_the_next_session_shows_it_without_a_reload(open_page):
    visitor = make_visitor(session_count=2)
    services.submit_assignment(visitor.session, visitor.assignment)
    page = open_page(visitor)
    quick = finders.find("annotation/done.js")
    script = Path(quick).read_text().replace("10_000", "100")
    page.route(
        "**/done.js", lambda route: route.fulfill(body=script, content_type="text/javascript")
    )
    page.goto(f"{page.task}finish/")
    expect(page.get_by_role("status")).to_contain_text("is being prepared")
    summary = page.locator("#problem summary")
    summary.focus()
    offer_next_session(visitor)
    expect(page.get_by_role("status")).to_contain_text("Session 2 of 2 is ready")
    expect(summary).to_be_focused()


def test_keys_of_one_letter_can_be_switched_off_for_good(open_page):
    page = open_page(make_visitor(), "1/", has_touch=True, is_mobile=True)
    press(page, "Help")
    keys = page.get_by_label("These keys work")
    if not keys.is_visible():
        page.locator("dialog.help summary").click()
    keys.uncheck()
    press(page, "Close")
    page.locator(".row").first.focus()
    page.keyboard.press("a")
    page.keyboard.press("n")
    page.reload()
    page.keyboard.press("n")
    page.wait_for_timeout(300)
    assert page.url.endswith("/1/")
    expect(page.locator(".row [aria-pressed=true]")).to_have_count(0)
    page.evaluate("document.querySelector('[data-keys]').click()")
    page.keyboard.press("n")
    page.wait_for_url(re.compile(r"/2/$"))


def words_in_order(page):
    return page.locator(".column").first.locator(".row .word").all_inner_texts()


def test_words_are_ranked_without_dragging_and_their_new_place_is_read_out(open_page):
    page = open_page(make_visitor(answer_form="ranking"), "1/")
    places = page.locator("[data-places]")
    press(page, "Down", word="nurse")
    assert words_in_order(page)[:2] == ["medicine", "nurse"]
    expect(places).to_have_text("nurse: not placed")
    expect(row(page, "nurse").get_by_role("button", name="Down")).to_be_focused()
    row(page, "nurse").get_by_role("button", name="Accept").focus()
    page.keyboard.press("Enter")
    expect(row(page, "nurse").get_by_role("button", name="Accept")).to_be_focused()
    press(page, "Accept", word="fever")
    row(page, "fever").focus()
    page.keyboard.press("Shift+ArrowUp")
    expect(places).to_have_text("fever: accepted, place 1 of 2")
    expect(row(page, "fever")).to_be_focused()
    assert words_in_order(page)[:2] == ["fever", "nurse"]


def test_a_word_opens_by_the_keys_of_a_button_and_the_focus_is_never_lost(open_page):
    page = open_page(make_visitor(), "1/")
    search = page.get_by_role("searchbox").last
    search.fill("mto")
    page.locator(".results").get_by_role("button", name="mto", exact=True).click()
    for word in ("nurse", "mto"):
        link = row(page, word).locator(".word")
        for key, expanded in ((" ", "true"), ("Enter", "false")):
            link.focus()
            page.keyboard.press(key)
            expect(link).to_have_attribute("aria-expanded", expanded)
            expect(link).to_be_focused()
    search.fill("mganga")
    press(page, "Keep as a suggestion: mganga")
    page.locator(".suggestion button").click()
    expect(search).to_be_focused()
    press(page, "Reject the rest")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Reject the rest")).to_be_focused()
