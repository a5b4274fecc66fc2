"""A real browser and real workers for all tests of whole systems."""

import os
import subprocess
import sys
import uuid

import pytest
from django.db import connection
from playwright.sync_api import Error, sync_playwright

from tests import chromium
from tests.e2e.processes import HOME, database_url


@pytest.fixture(scope="module")
def browser():
    """Give Chromium; a missing one is a failure in CI, else a skip."""
    if chromium.PATH is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(chromium.MISSING)
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        # Playwright's event loop lives in this thread, but none of our code is called from it.
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
        yield browser
        browser.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Tell of a test that failed which of its pages still run scripts and still draw: a click
    waits for two frames, and one that was waited for in vain looks like a fault of the page."""
    report = (yield).get_result()
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.when != "call" or not report.failed or browser is None:
        return
    pages = [page for context in browser.contexts for page in context.pages]
    states = [
        f"{page.url}: runs scripts: {responds(page, 100)}, draws: {responds(page, 'raf')}"
        for page in pages
    ]
    report.sections.append(("The browser's pages", "\n".join(states)))


def responds(page, polling):
    """True for a page that answers in time, asked every so many milliseconds or a frame (raf)."""
    try:
        page.wait_for_function("true", polling=polling, timeout=2000)
    except Error:
        return False
    return True


@pytest.fixture
def new_device(browser, live_server, settings):
    """Give a function that makes a browser of its own; its pages may log that a request failed,
    since that is what the tests are about, but no error besides."""
    settings.SITE_URL = live_server.url
    contexts, wrongs, under_way = [], [], set()

    def log(line):
        if line.type == "error" and not line.text.startswith("Failed to load resource: "):
            wrongs.append(line.text)

    def start(request):
        under_way.add(request)

    def end(request):
        under_way.discard(request)

    def make(*, site=live_server.url, **options):
        context = browser.new_context(base_url=site, **options)
        context.set_default_timeout(chromium.PATIENCE_MS)
        context.on("console", log)
        context.on("weberror", lambda error: wrongs.append(str(error.error)))
        context.on("request", start)
        context.on("requestfinished", end)
        context.on("requestfailed", end)
        contexts.append(context)
        return context

    yield make
    # The database is about to be emptied, which a request that is being answered would hold up.
    for _ in range(20):
        if under_way and contexts[0].pages:
            contexts[0].pages[0].wait_for_timeout(50)
    for context in contexts:
        context.close()
    assert not wrongs


@pytest.fixture
def broker():
    """Give the address of the broker that goes with the database."""
    on_postgres = connection.vendor == "postgresql"
    return "redis://127.0.0.1:6379/8" if on_postgres else "filesystem://localhost"


@pytest.fixture
def environment(broker, tmp_path, settings):
    """Give the variables with which another process shares this test's database and artefacts."""
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "artefacts"},
        }
    }
    return os.environ | {
        "CLIME_DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url(),
        "CELERY_BROKER_URL": broker,
        "JOB_LEASE_S": "2",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def start_worker(environment, tmp_path):
    """Give a function that starts a worker; all are killed at the end."""
    workers = []

    def start():
        name = f"{uuid.uuid4().hex[:8]}@test"
        command = [sys.executable, "-m", "celery", "--app", "clime_project.celery", "worker"]
        flags = ["--pool=solo", "--without-gossip", "--without-mingle", f"--hostname={name}"]
        log = (tmp_path / f"{name}.log").open("wb")
        with log:
            worker = subprocess.Popen(
                [*command, *flags], cwd=HOME, env=environment, stdout=log, stderr=log
            )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()
