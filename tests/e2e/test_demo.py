"""`./run demo` as newcomers use it: people and a crowd work, reports come, no orphan stays."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as django_settings
from playwright.sync_api import expect

from tests.e2e.steps import agree, press_keys, step, submit, tab_to, wait_until_saved

HOME = Path(__file__).resolve().parents[2]
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
SIDES = ("source", "target")
pytestmark = pytest.mark.e2e


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def new_environment(tmp_path_factory):
    """Give a function to make variables for a demo of its own, on the tests' kind of database.

    Each has a broker of its own too: workers of another demo would take its messages away.
    """
    where, names = django_settings.DATABASES["default"], []
    server = f"postgres://{where['USER']}@{where['HOST']}:{where['PORT']}"

    def make():
        data = tmp_path_factory.mktemp("demo")
        variables = os.environ | {"CLIME_DATA_DIR": str(data)}
        if "sqlite" in where["ENGINE"]:
            return variables | {"DATABASE_URL": f"sqlite:///{data / 'clime.sqlite3'}"}
        names.append(f"clime_demo_{os.getpid()}_{len(names)}")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {names[-1]}")
        return variables | {
            "DATABASE_URL": f"{server}/{names[-1]}",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:6379/{9 + len(names)}",
        }

    yield make
    for name in names:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Demo:
    """A running `./run demo`."""

    def __init__(self, environment, port):
        self.url = f"http://127.0.0.1:{port}"
        self.environment = environment
        self.log = Path(environment["CLIME_DATA_DIR"]) / "terminal.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, HOME / "run", "demo", "--port", str(port), "--workers", "2"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def printed(self, pattern, *, timeout_s):
        """Return what a pattern finds in the terminal's text, waiting for it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            if found := re.search(pattern, text):
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        pytest.fail(f"{pattern!r} was not printed:\n{self.log.read_text(errors='replace')}")

    def stop(self):
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=15)

    def children(self):
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout.split()
        pairs = zip(listing[::2], listing[1::2], strict=True)
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]

    def manage(self, *arguments):
        result = subprocess.run(
            [sys.executable, HOME / "run", "manage", *arguments],
            env=self.environment | {"SITE_URL": self.url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def start_demo():
    """Give a function that starts a demo; what still runs at the end is stopped."""
    started = []

    def start(environment, port):
        started.append(Demo(environment, port))
        return started[-1]

    yield start
    for demo in started:
        if demo.process.poll() is None:
            demo.stop()


@pytest.fixture(scope="module")
def demo(new_environment, start_demo):
    """Give a running demo whose project is prepared."""
    demo = start_demo(new_environment(), free_port())
    demo.link = demo.printed(r"an annotator's task\s+(\S+)", timeout_s=120)
    demo.password = demo.printed(r"password: (\S+)", timeout_s=5)
    demo.report = demo.printed(r"the report\s+(\S+)", timeout_s=5)
    demo.slug = demo.report.rstrip("/").rsplit("/", 1)[1]
    yield demo
    assert demo.stop() == 0


@pytest.fixture
def new_page(browser):
    """Give a function that opens a page of a person of their own."""
    contexts = []

    def open_(size):
        contexts.append(browser.new_context(viewport=size))
        contexts[-1].set_default_timeout(15_000)
        return contexts[-1].new_page()

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def manager(demo, new_page):
    """Give a page of someone logged in to the admin."""
    page = new_page(DESK)
    page.goto(f"{demo.url}/admin/")
    page.get_by_label("Username").fill("manager")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Projects and their work").wait_for()
    return page


def finished_report(manager, address, *, timeout_s=240):
    """Return a session's report as JSON, once every accuracy is there."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        report = manager.request.get(f"{address}report.json").json()
        if report["arms"] and all(arm["mean"] is not None for arm in report["arms"]):
            return report
        time.sleep(1)
    return pytest.fail(f"the report is not finished: {report}")


def report_of(manager, demo, worker_id):
    """Return the address of a person's session report, found by way of the project's report."""
    manager.goto(demo.report)
    sessions = manager.get_by_role("region", name="Sessions")
    sessions.get_by_role("link", name=worker_id, exact=True).click()
    manager.get_by_role("heading", level=1, name=worker_id).wait_for()
    return manager.url


def assert_is_finished(report):
    assert [arm["arm"] for arm in report["arms"]] == ["base", "aligned", "clime"]
    assert all(0 < arm["mean"] <= 1 for arm in report["arms"])
    assert {len(arm["accuracies"]) for arm in report["arms"]} == {10}


def count_of_keywords(page):
    return int(re.search(r"\d+ of (\d+)", page.locator("body").inner_text())[1])


def test_a_person_with_a_mouse_does_a_whole_session_and_gets_a_report(demo, new_page, manager):
    page = new_page(PHONE)
    page.goto(demo.link)
    agree(page)
    keywords = count_of_keywords(page)
    assert keywords == 50
    for position in range(1, keywords + 1):
        source, target = (page.locator(f".column[data-side={side}]") for side in SIDES)
        source.get_by_role("button", name="Accept").first.click()
        target.get_by_role("button", name="Reject").last.click()
        if position == 1:
            source.locator("a.word").first.click()
            expect(source.locator("mark").first).to_be_visible()
        wait_until_saved(page)
        step(page, "Next" if position < keywords else "Finish")
    assert len(submit(page)) == 8
    report = finished_report(manager, report_of(manager, demo, "demo"))
    assert_is_finished(report)
    answers = report["answers"]
    assert (answers["accepted"], answers["rejected"]) == (keywords, keywords)


def test_a_manager_makes_a_link_and_a_person_works_by_keyboard_alone(demo, new_page, manager):
    manager.get_by_role("link", name="Projects", exact=True).first.click()
    manager.get_by_role("link", name="links", exact=True).click()
    manager.get_by_label("Or their names").fill("amina")
    manager.get_by_role("button", name="Make links").click()
    address = re.search(rf"{demo.url}/t/\S+", manager.locator("tr", has_text="amina").inner_text())

    page = new_page(DESK)
    page.goto(address[0])
    tab_to(page, "I agree and start")
    press_keys(page, "Enter")
    page.wait_for_url(re.compile(r"/practice/"))
    tab_to(page, "Skip the practice and start")
    press_keys(page, "Enter")
    page.wait_for_url(re.compile(r"/1/$"))
    keywords = count_of_keywords(page)
    for position in range(1, keywords + 1):
        press_keys(page, "j", "a", "j", "r", "j", "a", "u")
        wait_until_saved(page)
        press_keys(page, "n")
        there = rf"/{position + 1}/$" if position < keywords else r"/finish/$"
        page.wait_for_url(re.compile(there))
    tab_to(page, "Submit my answers")
    press_keys(page, "Enter")
    page.get_by_role("heading", name="Thank you").wait_for()
    report = finished_report(manager, report_of(manager, demo, "amina"))
    assert_is_finished(report)
    answers = report["answers"]
    assert (answers["accepted"], answers["rejected"]) == (keywords, keywords)


def test_a_simulated_crowd_works_through_the_pages_and_gets_reports(demo, manager):
    crowd = demo.manage("simulate_crowd", demo.slug, "--annotators", "2", "--url", demo.url)
    reports = re.findall(rf"{demo.url}/reports/sessions/\d+/", crowd)
    assert len(reports) == 2
    for address in reports:
        assert_is_finished(finished_report(manager, address))


def test_the_demo_stops_resumes_and_leaves_no_orphans(new_environment, start_demo):
    environment, port = new_environment(), free_port()
    first = start_demo(environment, port)
    link = first.printed(r"an annotator's task\s+(\S+)", timeout_s=120)
    children = first.children()
    assert len(children) >= 4
    assert first.stop() == 0
    assert not any(map(is_running, children))

    second = start_demo(environment, port)
    assert second.printed(r"an annotator's task\s+(\S+)", timeout_s=60) == link
    children = second.children()
    assert len(children) >= 4
    second.process.kill()
    second.process.wait()
    deadline = time.monotonic() + 10
    while any(map(is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, children)), "a killed parent left orphans"
