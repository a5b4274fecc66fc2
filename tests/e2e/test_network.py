"""A bad line: nothing that somebody answered is lost, and the page never shows anything else."""

import re
from random import Random

import pytest
from playwright.sync_api import expect

from annotation.models import Judgement, Problem, Session
from tests.e2e.proxy import bad_line
from tests.e2e.sameness import (
    UNSENT,
    address,
    all_is_same,
    begin,
    go,
    is_same,
    seen,
    wait_until_sent,
)
from tests.e2e.steps import add_word, press, row, submit, wait_until_saved
from tests.factories import make_project

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

KEPT, AWAY = (
    "Saved on this device, will send",
    "No connection. The next page opens when it is back.",
)


def status(page):
    return page.locator(".status")


def open_task(device, assignment, position=1):
    page = device.new_page()
    page.goto(address(assignment, position))
    expect(page.locator("[data-help]")).to_be_visible()  # the script has run
    return page


def suggest(page, text, language="Swahili"):
    column = page.locator(".column").filter(has=page.get_by_role("heading", name=language))
    column.get_by_role("searchbox").fill(text)
    column.locator(".results").get_by_role("button", name=f"Keep as a suggestion: {text}").click()


def hold_back(page):
    """Let no answer through, until the page's routes are taken off."""
    page.route("**/answers", lambda route: route.abort())


# --- Without a connection ------------------------------------------------------------------------


def test_work_goes_on_without_a_connection_and_arrives_later(new_device):
    assignment = begin(make_project(keywords=2, documents=1))
    device = new_device()
    page = device.new_page()
    with page.expect_response("**/2/"):  # fetched ahead
        page.goto(address(assignment))
    device.set_offline(True)
    press(page, "nurse", "Accept")
    expect(status(page)).to_have_text(KEPT)
    go(page, "next")
    press(page, "muuguzi", "Reject")
    page.get_by_role("button", name="Leave the rest").click()
    expect(status(page)).to_have_text(KEPT)
    page.locator("[rel=next]").click()
    expect(status(page)).to_have_text(AWAY)
    assert page.url.endswith("/2/")
    assert not Judgement.objects.exists()
    device.set_offline(False)
    page.wait_for_url(re.compile(r"/3/$"))
    wait_until_sent(page)
    assert Judgement.objects.decided().count() == 2
    all_is_same(page, assignment)


def test_who_goes_elsewhere_meanwhile_is_not_led_away_when_the_connection_is_back(new_device):
    assignment = begin(make_project(keywords=2))
    device = new_device()
    page = open_task(device, assignment)
    go(page, "next")
    device.set_offline(True)
    press(page, "muuguzi", "Accept")
    page.locator("[rel=next]").click()  # to the finish page, which waits for the answer
    go(page, "prev")
    device.set_offline(False)
    wait_until_sent(page)
    page.wait_for_timeout(300)
    assert page.url.endswith("/1/")


def test_a_tab_closed_with_unsent_answers_sends_them_once_the_link_is_opened_again(new_device):
    assignment = begin(make_project(keywords=2))
    device = new_device()
    page = open_task(device, assignment)
    device.set_offline(True)
    press(page, "nurse", "Accept")
    press(page, "medicine", "Reject")
    press(page, "hospitali", "Accept")
    press(page, "hospitali", "Accept")
    expected = seen(page)
    page.close()
    device.set_offline(False)
    page = open_task(device, assignment, 2)
    wait_until_sent(page)
    go(page, "prev")
    assert seen(page) == expected
    is_same(page, assignment)
    assert Judgement.objects.decided().count() == 2


def test_after_a_reload_the_page_shows_unsent_answers_again_and_sends_them(new_device):
    assignment = begin(make_project(keywords=2))
    page = open_task(new_device(), assignment)
    add_word(page, "Swahili", "ba", "bao")
    wait_until_saved(page)
    hold_back(page)
    press(page, "nurse", "Reject")
    add_word(page, "Swahili", "mt", "mto")
    suggest(page, "daktari wa meno")
    row(page, "bao").get_by_role("button", name="Remove").click()
    expected = seen(page)
    page.reload()
    expect(row(page, "mto")).to_contain_text("added by you")
    assert seen(page) == expected
    page.unroute("**/answers")
    wait_until_sent(page)
    assert seen(page) == expected
    is_same(page, assignment)


def test_nothing_is_submitted_before_every_answer_has_arrived(new_device):
    assignment = begin(make_project(keywords=1))
    page = open_task(new_device(), assignment)
    hold_back(page)
    press(page, "nurse", "Accept")
    page.locator("[rel=next]").click()
    expect(status(page)).to_have_text(KEPT)
    page.goto(address(assignment, "finish"))
    expect(status(page)).to_have_text(KEPT)
    page.get_by_role("button", name="Submit my answers").click()
    page.wait_for_timeout(300)
    assert Session.objects.get().state == "open"
    page.unroute("**/answers")
    page.get_by_role("heading", name="Thank you").wait_for()
    assert Session.objects.get().state == "submitted"
    assert Judgement.objects.decided().get().word.text == "nurse"


def test_the_finish_page_counts_answers_that_arrived_from_it(new_device):
    assignment = begin(make_project(keywords=1))
    page = open_task(new_device(), assignment)
    hold_back(page)
    press(page, "nurse", "Accept")
    page.goto(address(assignment, "finish"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Almost done")
    page.unroute("**/answers")
    expect(page.get_by_role("heading", level=1)).to_have_text("All done")
    submit(page)


def test_answers_to_a_task_that_was_submitted_elsewhere_lead_to_the_end(new_device):
    assignment = begin(make_project(keywords=1))
    device = new_device()
    page = open_task(device, assignment)
    device.set_offline(True)
    press(page, "nurse", "Accept")
    other = new_device().new_page()
    other.goto(address(assignment, "finish"))
    submit(other)
    device.set_offline(False)
    page.get_by_role("heading", name="Thank you").wait_for()
    assert not Judgement.objects.exists()
    assert page.evaluate(UNSENT) == 0


def test_a_report_of_a_problem_waits_too_and_many_long_ones_pass_together(new_device):
    assignment = begin(make_project(keywords=1))
    device = new_device()
    page = open_task(device, assignment)
    device.set_offline(True)
    page.locator("#problem summary").click()
    for number in range(16):
        page.locator("#problem-text").fill(f"{number} " + "ሕክምና " * 390)
        page.get_by_role("button", name="Send", exact=True).click()
    device.set_offline(False)
    wait_until_sent(page)
    assert Problem.objects.count() == 16


# --- Where nothing can be stored -----------------------------------------------------------------

NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("forbidden", "SecurityError"); } })"""
FULL_STORAGE = """const set = Storage.prototype.setItem;
  Storage.prototype.setItem = function (key, text) {
    if (window.isFull) throw new DOMException("full", "QuotaExceededError");
    set.call(this, key, text);
  }"""


def test_where_storage_is_forbidden_the_page_asks_to_stay_open_and_nothing_is_lost(new_device):
    assignment = begin(make_project(keywords=2))
    device = new_device()
    device.add_init_script(NO_STORAGE)
    page = open_task(device, assignment)
    device.set_offline(True)
    press(page, "nurse", "Accept")
    press(page, "medicine", "Reject")
    expect(status(page)).to_have_text("Not sent yet: keep this page open")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    device.set_offline(False)
    wait_until_saved(page)
    is_same(page, assignment)
    assert Judgement.objects.decided().count() == 2


def test_a_storage_that_fills_up_keeps_no_outdated_answer(new_device):
    assignment = begin(make_project(keywords=2))
    device = new_device()
    device.add_init_script(FULL_STORAGE)
    page = open_task(device, assignment)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    device.set_offline(True)
    press(page, "nurse", "Accept")
    page.evaluate("window.isFull = true")
    press(page, "nurse", "Reject")
    expect(status(page)).to_have_text("Not sent yet: keep this page open")
    device.set_offline(False)
    wait_until_saved(page)
    page.wait_for_timeout(300)
    assert len(requests) < 10
    is_same(page, assignment)
    assert Judgement.objects.decided().get().verdict == "reject"


# --- A line that loses, delays and repeats -------------------------------------------------------

BUTTONS = ":is(.rows, .rest, .suggestions, .choices) button:visible"
PRESSES = 9


def act_at_random(page, random, words):
    """Press anything, add a word or suggest one."""
    chance = random.random()
    if chance < 0.12 and page.locator(".column").count():
        word = random.choice(words)
        add_word(page, "Swahili", word[:3], word)
    elif chance < 0.2 and page.locator(".column").count():
        suggest(page, f"neno jipya {random.randrange(3)}")
    else:
        buttons = page.locator(BUTTONS)
        # By script: a person's finger does not wait until the page holds still either.
        buttons.nth(random.randrange(buttons.count())).evaluate("button => button.click()")


def has_each_once(session):
    """Check that no answer has two rows that count, and that each revision is one."""
    chains = [
        list(session.judgements.filter(keyword=keyword, word=word).order_by("revision"))
        for keyword, word in set(session.judgements.values_list("keyword", "word"))
    ]
    for chain in chains:
        revisions = [one.revision for one in chain]
        assert revisions == sorted(set(revisions))
        assert [one.is_current for one in chain] == [False] * (len(chain) - 1) + [True]
        letters = [one.letter for one in chain]
        assert len(set(letters)) == len(letters)
    labels = session.document_labels.filter(is_current=True)
    assert labels.count() == len(set(labels.values_list("document", flat=True)))


@pytest.mark.parametrize(
    ("form", "seed"),
    [("verdict", 1), ("verdict", 2), ("verdict", 3), ("graded", 4), ("ranking", 5)],
)
def test_over_a_bad_line_the_database_ends_as_the_page_shows(new_device, live_server, form, seed):
    project = make_project(keywords=3, documents=1, neighbours=3, answer_form=form)
    assignment = begin(project)
    words = [word.text for word in project.embedding.target.words.filter(row__gte=7)]
    random = Random(seed)
    with bad_line(live_server.url, seed) as (site, line):
        page = open_task(new_device(site=site), assignment)
        for rel in ("next", "next", "next", "prev", "prev", None):
            for _ in range(PRESSES):
                act_at_random(page, random, words)
                page.wait_for_timeout(250)  # answers that wait together travel together
            if rel:
                go(page, rel)
        wait_until_sent(page)
        line.wait_until_quiet()
        all_is_same(page, assignment)
    assert sum(line.fates.values()) > 15
    assert len(line.fates) >= 4, line.fates
    has_each_once(Session.objects.get())
