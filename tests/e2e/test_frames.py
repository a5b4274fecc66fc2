"""Tasks in the frame of a marketplace on another site, in a browser that blocks cookies there."""

import json
import re
import threading
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from annotation.models import Annotator, Judgement, Session
from tasks.crowd import publishing
from tasks.models import Assignment, Project
from tests import chromium
from tests.e2e.accessibility import (
    DESK,
    LOST_TEXT,
    NARROWEST,
    OVERFLOW,
    PHONE,
    SMALL_TARGETS,
    broken_rules,
)
from tests.e2e.steps import agree, is_pressed, press, row, step, wait_until_saved
from tests.factories import make_project
from tests.stand_ins.mturk import MTurk

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

NO_STORAGE = """() => {
  try { return localStorage.length > 0 } catch (error) { return error.name }
}"""


@pytest.fixture
def market(live_server, settings, monkeypatch):
    """Give a running marketplace at 127.0.0.1, whose frames show our server at localhost."""
    assert urlsplit(live_server.url).hostname == "localhost"
    with MTurk(balance_cents=100_00) as running:
        settings.PUBLIC_BASE_URL = "https://clime.test"
        settings.MTURK_MODE = "sandbox"
        settings.MTURK_ENDPOINT_URL = running.url
        settings.MTURK_FRAME_HOSTS = settings.MTURK_SUBMIT_HOSTS = [running.url]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        running.frame_origin = live_server.url
        yield running


@pytest.fixture
def hit_id(market):
    """Give a HIT of two people's places, published as the product publishes."""
    project = make_project(keywords=2, documents=1, overlap=2)
    project.offers.create(platform="mturk", reward_cents=50)
    [listing] = publishing.publish(project, "mturk")
    return listing.platform_id


@pytest.fixture
def new_worker(browser, tmp_path):
    """Give a function that starts a browser of a worker's own, which blocks third-party cookies."""
    contexts, wrongs = [], []

    def log(line):
        if line.type == "error" and not line.text.startswith("Failed to load resource: "):
            wrongs.append(line.text)

    def start(*, size=DESK, **options):
        home = tmp_path / f"browser-{len(contexts)}"
        (home / "Default").mkdir(parents=True)
        chosen = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}
        (home / "Default" / "Preferences").write_text(json.dumps(chosen))
        context = browser.browser_type.launch_persistent_context(
            home,
            executable_path=chromium.PATH,
            args=chromium.FLAGS,
            viewport=size,
            **options,
        )
        context.set_default_timeout(chromium.PATIENCE_MS)
        context.on("console", log)
        context.on("weberror", lambda error: wrongs.append(str(error.error)))
        contexts.append(context)
        return context

    yield start
    for context in contexts:
        context.close()
    assert not wrongs


def framed(worker, address):
    """Open a page of the marketplace in a tab; return the frame in which it shows us."""
    page = worker.new_page()
    page.goto(address)
    frame = page.frame(name="task")
    frame.wait_for_load_state()
    return frame


@contextmanager
def page_of_another(content):
    """Give the address of a page of somebody else's, on a server of its own."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Not a marketplace</title>{content}".encode())

        def log_message(self, *_said):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def hand_in(frame):
    """Submit, and wait until the marketplace has it."""
    frame.get_by_role("button", name="Submit my answers").click()
    frame.get_by_role("heading", name="Your results have been submitted").wait_for()


def status_there(market, assignment_id):
    return market.market.assignments[assignment_id].status


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_whole_session_in_the_frame_of_another_site(market, hit_id, new_worker, size):
    assignment_id = market.accept(hit_id, "AMINA")
    worker = new_worker(size=size)
    frame = framed(worker, market.task_page(assignment_id))
    assert frame.evaluate(NO_STORAGE) == "SecurityError"
    agree(frame)
    press(frame, "nurse", "Accept")
    press(frame, "hospitali", "Accept")
    wait_until_saved(frame)
    step(frame, "Next")
    press(frame, "muuguzi", "Reject")
    step(frame, "Back")
    assert is_pressed(frame, "nurse", "Accept")
    step(frame, "Next")
    step(frame, "Next")
    frame.get_by_role("button", name="Emergency").click()
    wait_until_saved(frame)
    step(frame, "Finish")
    expect(frame.locator("main")).to_contain_text("handed in on Mechanical Turk")
    hand_in(frame)

    assert status_there(market, assignment_id) == "Submitted"
    done = Assignment.objects.get()
    assert (done.platform_id, done.worker_id, done.state) == (assignment_id, "AMINA", "submitted")
    assert done.completion_code in market.market.assignments[assignment_id].answer
    decided = Judgement.objects.decided().values_list("word__text", "verdict")
    assert set(decided) == {("nurse", "accept"), ("hospitali", "accept"), ("muuguzi", "reject")}
    assert Session.objects.get().state == "submitted"
    assert not worker.cookies()


def test_a_whole_session_in_the_frame_without_scripts(market, hit_id, new_worker):
    assignment_id = market.accept(hit_id, "AMINA")
    worker = new_worker(java_script_enabled=False)
    frame = framed(worker, market.task_page(assignment_id))
    agree(frame)
    press(frame, "nurse", "Accept")
    accepted = row(frame, "nurse").get_by_role("button", name="Accept")
    expect(accepted).to_have_attribute("aria-pressed", "true")
    step(frame, "Next")
    step(frame, "Next")
    step(frame, "Finish")
    frame.get_by_role("button", name="Submit my answers").click()
    frame.get_by_role("button", name="Hand in on Mechanical Turk").click()
    frame.get_by_role("heading", name="Your results have been submitted").wait_for()
    assert status_there(market, assignment_id) == "Submitted"
    assert not worker.cookies()


def test_who_comes_back_from_handing_in_is_not_sent_away_again(
    market, hit_id, new_worker, live_server
):
    """As after a problem there: the page stays, and its button hands in."""
    frame = framed(new_worker(), market.task_page(market.accept(hit_id, "AMINA")))
    agree(frame)
    frame.goto(re.sub(r"/1/$", "/finish/", frame.url))
    posts = []
    frame.page.on("request", lambda asked: posts.append(asked) if asked.method == "POST" else None)
    hand_in(frame)
    assert len(posts) == 2  # to us, then there
    frame.page.evaluate("history.back()")
    button = frame.get_by_role("button", name="Hand in on Mechanical Turk")
    button.wait_for()
    frame.wait_for_load_state("networkidle")
    assert len(posts) == 2
    button.click()
    frame.get_by_role("heading", name="There was a problem").wait_for()
    assert [asked.url for asked in posts[1:]] == [f"{market.url}/mturk/externalSubmit"] * 2
    for asked in posts[1:]:  # whose form it is, but not the address, which is an authority
        told = asked.all_headers()
        assert told["origin"] == live_server.url
        assert told["referer"] == f"{live_server.url}/"


def test_a_preview_in_the_frame_can_be_looked_at_alone(market, hit_id, new_worker):
    frame = framed(new_worker(), market.preview_page(hit_id))
    expect(frame.locator(".note")).to_contain_text("accept the work on Mechanical Turk")
    buttons = frame.get_by_role("button")
    assert buttons.count() == 8
    assert all(not button.is_enabled() for button in buttons.all())
    assert not Assignment.objects.exists()
    assert not Annotator.objects.exists()
    frame.get_by_role("link", name="Kiswahili").click()
    expect(frame.locator("html")).to_have_attribute("lang", "sw")


@pytest.mark.parametrize("what", ["task", "preview"])
def test_a_page_of_another_origin_cannot_frame_it(market, hit_id, browser, what):
    accepted = market.task_url(market.accept(hit_id, "AMINA"))
    address = accepted if what == "task" else market.preview_url(hit_id)
    page = browser.new_page()

    def is_refusal(line):
        return f'"frame-ancestors {market.url}". The request has been blocked' in line.text

    with page_of_another(f"<iframe src='{escape(address)}'></iframe>") as other:
        with page.expect_console_message(is_refusal):
            page.goto(other)
        page.wait_for_load_state("networkidle")
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]
        page.close()


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("size", [NARROWEST, DESK], ids=["narrow", "desk"])
def test_pages_of_arrival_break_no_rule_of_axe_and_fit(market, hit_id, new_worker, size, language):
    def is_fine(shown):
        wrongs = broken_rules(shown)
        for measure in (OVERFLOW, SMALL_TARGETS, LOST_TEXT):
            wrongs += shown.evaluate(measure)
        assert not wrongs

    page = new_worker(size=size, locale=language).new_page()
    page.goto(market.preview_url(hit_id))
    is_fine(page)
    assignment_id = market.accept(hit_id, "AMINA")
    page.goto(market.task_url(assignment_id))
    is_fine(page)
    agree(page)
    page.goto(re.sub(r"/1/$", "/finish/", page.url))
    is_fine(page)
    page.locator("form.submit button").click()
    page.wait_for_url(f"{market.url}/**")
    page.go_back()
    page.locator("form.hand-in").wait_for()
    is_fine(page)
    Assignment.objects.update(status_there="submitted")
    page.reload()
    is_fine(page)
    Assignment.objects.update(link_version=2)
    page.reload()
    is_fine(page)
    Project.objects.update(state="closed")
    page.goto(market.task_url(market.accept(hit_id, "BARAKA")))
    is_fine(page)


def turn_to(frame, *, anew=False):
    """Turn to a tab, and load its page anew if asked to; return its frame."""
    frame.page.bring_to_front()  # a click into a frame of a tab that is not seen may go astray
    if anew:
        frame.page.reload()
    return frame.page.frame(name="task")


def test_two_tabs_of_one_person_are_one_assignment(market, hit_id, new_worker):
    worker = new_worker()
    address = market.task_page(market.accept(hit_id, "AMINA"))
    one, other = framed(worker, address), framed(worker, address)
    agree(turn_to(one))
    other = turn_to(other, anew=True)
    other.wait_for_url(one.url)
    one = turn_to(one)
    press(one, "nurse", "Accept")
    wait_until_saved(one)
    other = turn_to(other, anew=True)
    other.wait_for_url(re.compile(r"/2/$"))
    press(other, "muuguzi", "Accept")
    wait_until_saved(other)
    assert Assignment.objects.get().state == "active"
    assert Judgement.objects.decided().count() == 2
    for tab in (other, one):
        turn_to(tab).goto(re.sub(r"/[12]/$", "/finish/", tab.url))
    hand_in(one)
    turn_to(other).get_by_role("button", name="Submit my answers").click()
    other.get_by_role("heading", name="There was a problem").wait_for()
    assert Assignment.objects.get().state == "submitted"
    assert Session.objects.get().state == "submitted"


def test_an_assignment_that_is_returned_goes_to_the_next_and_nobodys_answers_mix(
    market, hit_id, new_worker
):
    assignment_id = market.accept(hit_id, "AMINA")
    amina = framed(new_worker(), market.task_page(assignment_id))
    agree(amina)
    press(amina, "nurse", "Accept")
    wait_until_saved(amina)
    market.return_(assignment_id)
    assert market.accept(hit_id, "BARAKA") == assignment_id
    baraka = framed(new_worker(), market.task_page(assignment_id))
    agree(baraka)
    assert not is_pressed(baraka, "nurse", "Accept")
    press(baraka, "nurse", "Reject")
    wait_until_saved(baraka)
    # The page that she left open answers no more, and says where to go on.
    amina.get_by_role("link", name="Next", exact=True).click()
    expect(amina.get_by_role("heading", level=1)).to_have_text("This page has ended")

    again = market.accept(hit_id, "AMINA")
    assert again != assignment_id
    amina = framed(amina.page.context, market.task_page(again))
    amina.wait_for_url(re.compile(r"/2/$"))
    step(amina, "Back")
    assert is_pressed(amina, "nurse", "Accept")
    for frame in (amina, baraka):
        frame.goto(re.sub(r"/\d/$", "/finish/", frame.url))
        hand_in(frame)
    assert {status_there(market, one) for one in (assignment_id, again)} == {"Submitted"}
    done = set(Assignment.objects.values_list("worker_id", "platform_id", "state"))
    assert done == {("AMINA", again, "submitted"), ("BARAKA", assignment_id, "submitted")}
    said = Judgement.objects.decided().values_list("session__annotator__worker_id", "verdict")
    assert set(said) == {("AMINA", "accept"), ("BARAKA", "reject")}
