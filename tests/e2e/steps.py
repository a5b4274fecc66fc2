"""What a person does on the task pages."""

import re

import pytest
from playwright.sync_api import expect


def agree(page):
    page.locator("form.agree button").click()
    page.locator("form.begin button").click()
    page.wait_for_url(re.compile(r"/1/$"))


def row(page, word):
    return page.locator(".row").filter(has=page.locator(f'bdi:text-is("{word}")'))


def press(page, word, button):
    row(page, word).get_by_role("button", name=button).click()


def is_pressed(page, word, button):
    button = row(page, word).get_by_role("button", name=button)
    return button.get_attribute("aria-pressed") == "true"


def wait_until_saved(page):
    expect(page.get_by_role("status").filter(has_text="Saved")).to_have_text("Saved")


def show_sentences(page, word):
    page.locator("a.word").filter(has_text=word).first.click()


def add_word(page, language, beginning, word):
    column = page.locator(".column").filter(has=page.get_by_role("heading", name=language))
    column.get_by_role("searchbox").fill(beginning)
    column.locator(".results").get_by_role("button", name=word, exact=True).click()


def step(page, name):
    """Press Back, Next or Finish, and wait for the page it leads to."""
    before = page.url
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url(lambda url: url != before)


def submit(page):
    """Submit and return the completion code."""
    page.get_by_role("button", name="Submit my answers").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    return page.locator(".code samp").inner_text()


def tab_to(page, goal):
    """Press Tab until the element with this text or id has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.textContent.trim()")
        if focused(page) == goal or text.startswith(goal):
            return
    pytest.fail(f"{goal!r} cannot be reached by Tab")


def focused(page):
    """Return the id of the element that has the focus."""
    return page.evaluate("document.activeElement.id")


def press_keys(page, *keys):
    for key in keys:
        page.keyboard.press(key)
