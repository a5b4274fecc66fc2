"""Whole sessions in a real browser: by mouse, by keyboard, without scripts, on a phone."""

import gzip
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from annotation.models import DocumentLabel, Judgement, Session
from models_ml.models import Job, Word
from tests import chromium
from tests.e2e.steps import (
    add_word,
    agree,
    focused,
    is_pressed,
    press,
    press_keys,
    row,
    show_sentences,
    step,
    submit,
    tab_to,
    wait_until_saved,
)
from tests.factories import make_link, make_project, token_of

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
LONG_WORD = "wasiojitegemea" * 4
HOSTILE = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"


@pytest.fixture
def open_page(browser, live_server, settings):
    """Give a function that opens a page, and fail if one logs an error or asks another site."""
    settings.SITE_URL = live_server.url
    contexts, wrongs = [], []

    def watch(page):
        def log(line):
            if line.type in {"error", "warning"}:
                wrongs.append(line.text)

        def ask(request):
            if not request.url.startswith(f"{live_server.url}/"):
                wrongs.append(request.url)

        page.on("console", log)
        page.on("pageerror", lambda error: wrongs.append(str(error)))
        page.on("request", ask)
        page.wrongs = wrongs
        return page

    def open_(assignment, *, size=DESK, **options):
        context = browser.new_context(viewport=size, has_touch=size is PHONE, **options)
        context.set_default_timeout(chromium.PATIENCE_MS)
        contexts.append(context)
        page = watch(context.new_page())
        page.goto(f"{live_server.url}/t/{token_of(assignment)}/")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not wrongs


def word_id(text):
    return Word.objects.get(text=text).pk


def answers():
    """Return what was decided: (keyword, word) → verdict, and which words were added."""
    current = Judgement.objects.decided().select_related("keyword__word", "word")
    verdicts = {(j.keyword.word.text, j.word.text): j.verdict for j in current}
    return verdicts, {j.word.text for j in current if j.is_added}


EXPECTED = {
    ("hospital", "nurse"): "accept",
    ("hospital", "hospitali"): "accept",
    ("hospital", "mto"): "accept",
    ("nurse", "muuguzi"): "reject",
}


# --- Whole sessions ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_whole_session_by_mouse(open_page, size):
    assignment = make_link(make_project(keywords=2, documents=1))
    page = open_page(assignment, size=size)
    agree(page)
    press(page, "nurse", "Accept")
    press(page, "medicine", "Reject")
    press(page, "medicine", "Reject")
    press(page, "hospitali", "Accept")
    add_word(page, "Swahili", "mt", "mto")
    wait_until_saved(page)
    expect(row(page, "mto")).to_contain_text("added by you")
    show_sentences(page, "nurse")
    expect(row(page, "nurse").locator("mark")).to_have_text(["nurse", "nurse"])
    show_sentences(page, "hospital")
    expect(page.locator(".keyword mark")).to_have_text("hospital")

    step(page, "Next")
    press(page, "muuguzi", "Reject")
    step(page, "Back")
    assert is_pressed(page, "nurse", "Accept")
    assert not is_pressed(page, "medicine", "Reject")
    expect(row(page, "mto")).to_contain_text("added by you")
    step(page, "Next")
    assert is_pressed(page, "muuguzi", "Reject")

    step(page, "Next")
    page.get_by_role("button", name="Emergency").click()
    wait_until_saved(page)
    step(page, "Finish")
    expect(page.get_by_role("heading", level=1)).to_have_text("All done")
    assert submit(page) == assignment.completion_code

    assert answers() == (EXPECTED, {"mto"})
    assert DocumentLabel.objects.current().get().label == 1
    assert Session.objects.get().state == "submitted"
    assert Job.objects.get().kind == "process_session"


def answer_first_keyword_by_keys(page):
    press_keys(page, "j", "a")  # nurse
    press_keys(page, "j", "r", "u")  # medicine
    press_keys(page, "ArrowUp", "ArrowRight", "a", "c")  # hospitali, beside nurse
    expect(row(page, "hospitali").locator("mark")).to_have_text("hospitali")
    press_keys(page, "ArrowDown", "k", "ArrowLeft")
    assert focused(page) == f"w-{word_id('nurse')}"
    press_keys(page, "?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press_keys(page, "Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def add_word_by_keys(page):
    tab_to(page, "q-target")
    page.keyboard.type("mt")
    expect(page.locator(".results").get_by_role("button", name="mto")).to_be_visible()
    tab_to(page, "mto")
    press_keys(page, "Enter")
    expect(row(page, "mto")).to_contain_text("added by you")
    assert focused(page) == "q-target"
    page.keyboard.type("nap")  # letters typed into the search are no commands
    press_keys(page, "ControlOrMeta+a", "Delete")
    wait_until_saved(page)
    assert page.url.endswith("/1/")
    tab_to(page, "Next")


def test_a_whole_session_by_keyboard_alone(open_page):
    page = open_page(make_link(make_project(keywords=2, documents=1)))
    tab_to(page, "I agree and start")
    press_keys(page, "Enter")
    tab_to(page, page.locator("form.begin button").inner_text())
    press_keys(page, "Enter")
    page.wait_for_url(re.compile(r"/1/$"))
    answer_first_keyword_by_keys(page)
    add_word_by_keys(page)
    press_keys(page, "n")
    page.wait_for_url(re.compile(r"/2/$"))
    press_keys(page, "ArrowDown", "ArrowRight", "r")
    for key, position in (("n", 3), ("p", 2), ("n", 3)):
        press_keys(page, key)
        page.wait_for_url(re.compile(rf"/{position}/$"))
    press_keys(page, *"2102")
    wait_until_saved(page)
    press_keys(page, "n")
    page.wait_for_url(re.compile(r"/finish/$"))
    tab_to(page, "Submit my answers")
    press_keys(page, "Enter")
    page.get_by_role("heading", name="Thank you").wait_for()
    assert answers() == (EXPECTED, {"mto"})
    assert DocumentLabel.objects.current().get().label == 0


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_whole_session_without_scripts(open_page, size):
    assignment = make_link(make_project(keywords=2, documents=1))
    page = open_page(assignment, size=size, java_script_enabled=False)
    agree(page)
    press(page, "nurse", "Accept")
    press(page, "medicine", "Reject")
    assert is_pressed(page, "medicine", "Reject")
    press(page, "medicine", "Reject")
    press(page, "hospitali", "Accept")
    assert page.url.endswith(f"/1/#w-{word_id('hospitali')}")
    show_sentences(page, "nurse")
    expect(row(page, "nurse").locator("mark")).to_have_text(["nurse", "nurse"])
    column = page.locator(".column").filter(has=page.get_by_role("heading", name="Swahili"))
    column.get_by_role("searchbox").fill("mt")
    column.get_by_role("button", name="Find").click()
    column.get_by_role("button", name="mto").click()
    expect(row(page, "mto")).to_contain_text("added by you")
    step(page, "Next")
    press(page, "muuguzi", "Reject")
    step(page, "Next")
    page.get_by_role("button", name="Emergency").click()
    step(page, "Finish")
    assert submit(page) == assignment.completion_code
    assert answers() == (EXPECTED, {"mto"})
    assert DocumentLabel.objects.current().get().label == 1


def test_someone_goes_on_with_the_next_batch(open_page):
    page = open_page(make_link(make_project(keywords=2, batch_size=1)))
    agree(page)
    press(page, "nurse", "Accept")
    step(page, "Finish")
    submit(page)
    page.get_by_role("link", name="Continue with the next part").click()
    press(page, "muuguzi", "Accept")
    step(page, "Finish")
    submit(page)
    assert Session.objects.get().state == "submitted"


# --- A bad line, two tabs ------------------------------------------------------------------------


def test_an_answer_given_without_a_connection_is_kept_said_to_be_unsaved_and_sent_later(open_page):
    page = open_page(make_link(make_project()))
    agree(page)
    page.context.set_offline(True)
    press(page, "nurse", "Reject")
    press(page, "nurse", "Accept")
    expect(page.locator(".status")).to_have_text("Saved on this device, will send")
    assert not Judgement.objects.exists()
    page.context.set_offline(False)
    wait_until_saved(page)
    assert answers()[0] == {("hospital", "nurse"): "accept"}
    assert [line for line in page.wrongs if "ERR_INTERNET_DISCONNECTED" not in line] == []
    page.wrongs.clear()


def test_an_answer_is_sent_again_after_errors_and_after_pages_that_are_not_ours(open_page):
    page = open_page(make_link(make_project()))
    agree(page)
    wrong_answers = [{"status": 503}, {"status": 200, "body": "<h1>Welcome to the hotel</h1>"}]

    def fail_twice(route):
        if wrong_answers:
            route.fulfill(**wrong_answers.pop())
        else:
            route.continue_()

    page.route("**/answers", fail_twice)
    press(page, "nurse", "Accept")
    expect(page.locator(".status")).to_have_text("Saved on this device, will send")
    wait_until_saved(page)
    assert answers()[0] == {("hospital", "nurse"): "accept"}
    assert len(page.wrongs) == 1
    assert "503" in page.wrongs.pop()


def test_a_refused_answer_is_taken_off_the_page_with_the_reason(open_page):
    page = open_page(make_link(make_project()))
    agree(page)

    def refuse(route):
        is_answer = '"kind"' in route.request.post_data
        route.fulfill(status=400, json={"detail": "Why."}) if is_answer else route.continue_()

    page.route("**/answers", refuse)
    press(page, "nurse", "Accept")
    expect(page.locator(".status")).to_have_text("Not saved. Why.")
    expect(row(page, "nurse").locator("[aria-pressed=true]")).to_have_count(0)
    assert "400" in page.wrongs.pop()


def test_leaving_with_an_unsaved_answer_is_warned_about(open_page):
    page = open_page(make_link(make_project()))
    agree(page)
    page.route("**/answers", lambda route: None)  # never answered
    press(page, "nurse", "Accept")
    expect(page.locator(".status")).to_have_text("Saving…")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.accept()


def test_a_tab_left_open_after_submission_in_another_leads_to_the_end(open_page):
    assignment = make_link(make_project())
    page = open_page(assignment)
    agree(page)
    other = open_page(assignment)
    other.goto(page.url.replace("/1/", "/finish/"))
    submit(other)
    press(page, "nurse", "Accept")
    page.get_by_role("heading", name="Thank you").wait_for()
    assert not Judgement.objects.exists()
    assert "410" in page.wrongs.pop()


def test_a_script_in_a_corpus_word_does_not_run(open_page):
    project = make_project(
        source_words=["hospital", HOSTILE],
        target_words=["dawa", HOSTILE],
        source_texts=[f"see {HOSTILE.replace(' ', '')} there"],
        target_texts=["dawa"],
    )
    project.train_corpus.documents.update(text=f"see\u00a0{HOSTILE} there")
    page = open_page(make_link(project))
    agree(page)
    show_sentences(page, HOSTILE)
    expect(page.locator(".concordance")).to_be_visible()
    add_word(page, "Swahili", "<scr", HOSTILE)
    wait_until_saved(page)
    page.reload()
    assert page.evaluate("window.pwned") is None
    assert page.locator("main script, main img").count() == 0


# --- For every hand and eye ----------------------------------------------------------------------

SMALL_TARGETS = """() => [...document.querySelectorAll("a[href], button, input, summary")]
  .filter((e) => e.checkVisibility() && !e.matches(".skip, input[type=hidden]"))
  .map((e) => [e.outerHTML.slice(0, 90), (e.closest("label") ?? e).getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([html, box]) => `${html}: ${box.width} × ${box.height}`)"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOCUS = """() => { const focused = document.activeElement, style = getComputedStyle(focused);
  const outlined = parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none";
  return focused === document.body || outlined; }"""
UNLABELLED = """() => [...document.querySelectorAll("button, a[href], input, progress")]
  .filter((e) => e.checkVisibility() && e.type !== "hidden")
  .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 90))"""


def visit_every_page(page):
    """Go through a session, and yield at each page and state of a page."""
    yield "welcome"
    agree(page)
    yield "keyword"
    press(page, LONG_WORD, "Accept")
    add_word(page, "Swahili", "mt", "mto")
    show_sentences(page, LONG_WORD)
    page.locator(".concordance").first.wait_for()
    page.get_by_role("searchbox").first.fill("me")
    page.locator(".results button").first.wait_for()
    if page.viewport_size == PHONE:
        page.locator(".folded summary").click()
    yield "keyword in use"
    page.get_by_role("button", name="Help").click()
    yield "help"
    page.keyboard.press("Escape")
    step(page, "Next")
    yield "document"
    step(page, "Finish")
    yield "finish"
    submit(page)
    yield "done"
    page.goto(page.url.replace("/finish/", "x/"))
    yield "unknown link"
    assert all("404" in line for line in page.wrongs)
    page.wrongs.clear()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_can_be_hit_seen_and_read_out(open_page, size, scheme):
    project = make_project(
        keywords=1,
        documents=1,
        neighbours=5,
        source_words=["hospital", "nurse", LONG_WORD, "medicine", "metal", "fever"],
        source_texts=[f"{LONG_WORD} {LONG_WORD}"],
        name=f"Emergency messages {LONG_WORD}",
    )
    page = open_page(make_link(project), size=size, color_scheme=scheme)
    for name in visit_every_page(page):
        assert page.evaluate(OVERFLOW) <= 0, name
        assert page.evaluate(SMALL_TARGETS) == [], name
        assert page.evaluate(UNLABELLED) == [], name
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate(FOCUS), (name, page.evaluate("document.activeElement.outerHTML"))


def test_a_keyword_page_weighs_at_most_30_kilobytes_in_nine_files(open_page, browser):
    first_visit = open_page(make_link(make_project(neighbours=5)))
    agree(first_visit)
    page = browser.new_page()  # with an empty cache
    weights = {}

    def weigh(response):
        if response.request.resource_type != "fetch":  # answers, and the page that comes next
            weights[urlsplit(response.url).path] = len(gzip.compress(response.body()))

    page.on("response", weigh)
    page.goto(first_visit.url, wait_until="networkidle")
    page.close()
    assert {path.rsplit(".", 1)[-1] for path in weights} >= {"css", "js"}
    assert len(weights) <= 9, weights
    assert sum(weights.values()) <= 30_000, weights
