"""The welcome page and the practice in a real browser, on a small phone."""

import re

import pytest
from playwright.sync_api import expect

from annotation.models import Session
from tasks.models import Project
from tests import chromium
from tests.e2e.steps import focused
from tests.factories import make_link, make_project, token_of

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

LEAST_TARGET = 44  # points


@pytest.fixture
def page(browser, live_server):
    """Give somebody's page as their link opens it; it has no script of ours to run."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    context.set_default_timeout(chromium.PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{live_server.url}/t/{token_of(make_link(make_project(session_minutes=50)))}/")
    yield page
    context.close()


def agree(page):
    page.locator("form.agree button").click()
    page.wait_for_url(re.compile("/practice/$"))


def option(page, word, answer):
    group = page.get_by_role("radiogroup", name=word, exact=True)
    return group.get_by_role("radio", name=answer)


def assert_fits(page, targets):
    """Nothing is wider than the phone, and everything to press is as large as a thumb."""
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    boxes = [one.bounding_box() for one in page.locator(targets).all()]
    assert boxes
    for box in boxes:
        assert min(box["width"], box["height"]) >= LEAST_TARGET


@pytest.mark.parametrize("language", ["العربيّة", "English", "français", "Kiswahili"])
def test_the_welcome_page_fits_a_phone_with_its_pictures_in_every_language(page, language):
    page.get_by_role("button", name=language).click()
    expect(page.locator(".languages [aria-current]")).to_have_text(language)
    assert_fits(page, ".languages button, .agree button")
    for picture in page.locator(".pictures img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0
    agree(page)
    expect(page.locator("html")).to_have_attribute("lang", Session.objects.get().annotator.language)


def test_who_agrees_to_a_text_that_was_just_changed_is_shown_it_again(page):
    Project.objects.update(consent="We now do something else.")
    page.locator("form.agree button").click()
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator(".consent")).to_contain_text("We now do something else.")


def test_practising_by_touch(page):
    agree(page)
    assert_fits(page, ".options label, .trial button, .begin button")
    option(page, "referee", "Accept").tap()
    option(page, "recipe", "Accept").tap()
    page.get_by_role("button", name="Check").tap()
    expect(page.get_by_role("status")).to_contain_text("2 of 6 words are right.")
    assert focused(page) == "result"
    expect(page.get_by_role("status")).to_be_in_viewport()
    expect(option(page, "recipe", "Accept")).to_be_checked()
    expect(page.locator("#word-2-why")).to_contain_text("Look again.")
    assert_fits(page, ".options label, .trial button, .begin button")
    page.get_by_role("button", name="Start").tap()
    page.wait_for_url(re.compile("/1/$"))


def test_practising_by_keyboard(page):
    agree(page)
    option(page, "referee", "Accept").focus()
    for key in ("Space", "Tab", "Space", "ArrowRight"):  # accept the first, reject the second
        page.keyboard.press(key)
    expect(option(page, "referee", "Accept")).to_be_checked()
    expect(option(page, "recipe", "Reject")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("3 of 6 words are right.")
