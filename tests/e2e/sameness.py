"""What somebody sees on a task page beside what is stored of it: the two have to be the same."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotation import services
from annotation.models import Judgement, Session
from tasks import services as tasks_services
from tasks.models import Assignment, Project
from tests.factories import make_link, token_of

SEEN = """() => {
  const said = ({ dataset }) => dataset.verdict ?? dataset.grade;
  const strength = ({ strength }) => (strength ? Number(strength) : null);
  const pressed = [...document.querySelectorAll(".choices [aria-pressed=true]")];
  const suggestions = [...document.querySelectorAll(".suggestion")];
  return {
    words: [...document.querySelectorAll(".row")].map((row) => [
      Number(row.dataset.word), row.dataset.verdict, strength(row.dataset),
      [...row.querySelectorAll("[aria-pressed=true]")].map(said),
    ]),
    suggestions: suggestions.map((one) => [one.closest(".column").dataset.side, one.dataset.text]),
    labels: pressed.map((one) => one.dataset.label),
  };
}"""
SENT_WITHIN_S = 60
UNSENT = "() => Object.keys(localStorage).filter((key) => key.startsWith('clime:')).length"


def begin(project: Project, name: str = "amina") -> Assignment:
    """Return the assignment of somebody who has agreed and practised."""
    assignment = make_link(project, name)
    session = services.open_session(assignment)
    version = tasks_services.consent_version(project)
    services.give_consent(session, assignment, version=version)
    services.end_practice(session)
    return assignment


def address(assignment: Assignment, position: int | str = 1) -> str:
    return f"/t/{token_of(assignment)}/{position}/"


def seen(page: Page) -> dict[str, Any]:
    """Return the answers that a page shows; its buttons must say the same as its rows."""
    shown = page.evaluate(SEEN)
    assert len({word for word, *_ in shown["words"]}) == len(shown["words"])
    words = {}
    for word, verdict, strength, pressed in shown["words"]:
        assert len(pressed) <= 1
        assert not pressed or pressed[0] in {verdict, str(_grade(verdict, strength))}
        words[word] = (verdict, strength)
    assert len(shown["labels"]) <= 1
    return {
        "words": words,
        "suggestions": sorted(map(tuple, shown["suggestions"])),
        "label": shown["labels"][0] if shown["labels"] else None,
    }


def _grade(verdict: str, strength: float | None) -> int:
    size = 1 if strength is None else strength
    return round(2 + 2 * {"accept": size, "reject": -size, "left": 0, "leave": 0}[verdict])


def stored(assignment: Assignment, position: int) -> dict[str, Any]:
    """Return the answers of a page as the database has them."""
    session = Session.objects.of(assignment).get()
    item = assignment.hit.items.get(position=position)
    words, suggestions, label = {}, [], None
    if item.keyword:
        words = {word.pk: ("leave", None) for word in session.words_beside(item.keyword)}
        for row in session.judgements.current().filter(keyword=item.keyword):
            words[row.word_id] = _as_shown(row)
            if row.is_added and row.verdict == "leave":
                del words[row.word_id]
        kept = session.suggestions.filter(keyword=item.keyword, is_withdrawn=False)
        suggestions = sorted(kept.values_list("side", "text"))
    elif given := session.document_labels.current().filter(document=item.document).first():
        label = "none" if given.label is None else str(given.label)
    return {"words": words, "suggestions": suggestions, "label": label}


def _as_shown(row: Judgement) -> tuple[str, float | None]:
    is_left = row.verdict == "leave" and row.strength is not None
    return ("left" if is_left else row.verdict), row.strength


def wait_until_sent(page: Page) -> None:
    """Wait until nothing waits in this browser, and the page says so."""
    deadline = time.monotonic() + SENT_WITHIN_S
    while page.evaluate(UNSENT):  # the page's policy forbids playwright's own way to wait
        assert time.monotonic() < deadline, page.evaluate("JSON.stringify(localStorage)")
        page.wait_for_timeout(50)
    expect(page.locator(".status")).to_have_text(re.compile(r"^Saved( as you go)?$"))


def is_same(page: Page, assignment: Assignment) -> None:
    """Check that a page shows what is stored of it."""
    position = int(page.locator("#task").get_attribute("data-position") or 0)
    on_screen, kept = seen(page), stored(assignment, position)
    assert on_screen["words"].keys() == kept["words"].keys()
    for word, (verdict, strength) in kept["words"].items():
        shown_verdict, shown_strength = on_screen["words"][word]
        assert shown_verdict == verdict, (word, on_screen, kept)
        # Of a plain accept or a grade at the end, a page may tell the strength or not.
        assert (shown_strength or 1) == pytest.approx(strength or 1), (word, on_screen, kept)
    assert on_screen["suggestions"] == kept["suggestions"]
    assert on_screen["label"] == kept["label"]


def all_is_same(page: Page, assignment: Assignment) -> None:
    """Check every page of a task: as the browser kept it, and as the server writes it anew."""
    last = assignment.hit.items.count()
    while not page.url.endswith("/1/"):
        go(page, "prev")
    for position in range(1, last + 1):
        is_same(page, assignment)
        if position < last:
            go(page, "next")
    for position in range(1, last + 1):
        page.goto(re.sub(r"\d+/$", f"{position}/", page.url))
        is_same(page, assignment)


def go(page: Page, rel: str) -> None:
    before = page.url
    page.locator(f".steps [rel={rel}]").click()
    page.wait_for_url(lambda url: url != before)


def look_at(page: Page) -> None:
    """Come back to a page, as by its tab; a headless browser does not tell it."""
    page.bring_to_front()
    with page.expect_response("**/answers"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
