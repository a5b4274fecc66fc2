"""A manager's page while an annotator answers in another browser: it follows without a reload."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from clime_project import pipeline
from models_ml import jobs
from models_ml.models import Job
from tasks import services as tasks_services
from tasks.importing import import_project
from tasks.models import Project
from tests import chromium
from tests.clime_project.loop import quiet
from tests.e2e.steps import agree, wait_until_saved
from tests.factories import token_of

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project(tiny_dataset_folder, monkeypatch):
    """A prepared project of three keywords; its jobs are done by the test."""
    monkeypatch.setattr(jobs, "send", lambda job: None)
    project = import_project(tiny_dataset_folder, report=quiet)
    Project.objects.filter(pk=project.pk).update(
        keyword_count=3, neighbour_count=2, seeds=2, curve_seeds=2, method="spectral"
    )
    pipeline.prepare_project(project.pk, quiet)
    Job.objects.all().delete()
    project.refresh_from_db()
    return project


@pytest.fixture
def open_page(browser, live_server, settings):
    """Give a function that opens an address in a browser of its own; no page may log an error."""
    settings.SITE_URL = live_server.url
    contexts, wrongs = [], []

    def open_(path, *, as_manager=False, **options):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(chromium.PATIENCE_MS)
        contexts.append(context)
        if as_manager:
            client = Client()
            client.force_login(User.objects.create_superuser("manager"))
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: wrongs.append(str(error)))
        page.on("console", lambda line: wrongs.append(line.text) if line.type == "error" else None)
        page.goto(live_server.url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not [wrong for wrong in wrongs if "ERR_INTERNET_DISCONNECTED" not in wrong]


@pytest.fixture
def annotator(open_page, project):
    """Somebody who agreed, before the manager looks."""
    assignment = tasks_services.make_links(project, ["amina"])[0]
    page = open_page(f"/t/{token_of(assignment)}/")
    agree(page)
    return page


@pytest.fixture
def manager(open_page, project, annotator):
    page = open_page(f"/reports/projects/{project.slug}/", as_manager=True)
    page.evaluate("window.neverReloaded = true")
    return page


def is_same_page(page):
    return page.evaluate("window.neverReloaded === true")


def answer(page):
    page.locator(".row").first.get_by_role("button", name="Accept").click()
    wait_until_saved(page)


def answered(page):
    return page.locator("#live .answered")


def test_numbers_change_and_a_preview_appears_without_a_reload(manager, annotator, project):
    expect(answered(manager)).to_contain_text("0 of 3")
    expect(manager.get_by_text("1 person is working now")).to_be_visible()
    answer(annotator)
    expect(answered(manager)).to_contain_text("1 of 3")

    manager.get_by_role("button", name="What if amina stopped now?").click()
    expect(manager.get_by_text("0 running, 1 waiting")).to_be_visible()
    job = Job.objects.get(kind="preview_session")
    assert jobs.run(job.pk, pipeline.HANDLERS)
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    said = manager.locator("#live-previews p").first
    expect(said).to_contain_text(re.compile(r"If amina stopped now \(1 of 3 keywords\):\s+\d+\.\d"))
    assert urlsplit(manager.url).path == f"/reports/projects/{project.slug}/"
    assert is_same_page(manager)


def test_focus_open_details_and_the_place_stay_where_the_reader_put_them(manager, annotator):
    answer(annotator)
    expect(answered(manager)).to_contain_text("1 of 3")
    manager.locator("#live-queue summary").click()
    manager.locator("#live-ask-all").focus()
    annotator.get_by_role("link", name="Next", exact=True).click()
    annotator.wait_for_url(re.compile(r"/2/$"))
    answer(annotator)
    expect(answered(manager)).to_contain_text("2 of 3")
    assert manager.evaluate("document.activeElement.id") == "live-ask-all"
    assert manager.locator("#live-queue").evaluate("details => details.open")
    assert is_same_page(manager)


def test_a_lost_connection_is_said_and_made_good(manager, annotator):
    manager.context.set_offline(True)
    line = manager.locator("#live-connection")
    expect(line).to_contain_text(re.compile(r"Not connected, showing \d\d:\d\d\."))
    answer(annotator)
    expect(answered(manager)).to_contain_text("0 of 3")
    manager.context.set_offline(False)
    expect(answered(manager)).to_contain_text("1 of 3")
    expect(line).to_contain_text("As of")


def test_signing_out_elsewhere_is_said(manager):
    manager.context.clear_cookies()
    expect(manager.locator("#live-connection")).to_contain_text("You are signed out")


def test_without_javascript_the_state_at_load_is_there_and_a_link_to_refresh(
    open_page, project, annotator
):
    page = open_page(
        f"/reports/projects/{project.slug}/", as_manager=True, java_script_enabled=False
    )
    expect(answered(page)).to_contain_text("0 of 3")
    answer(annotator)
    page.get_by_role("link", name="Refresh", exact=True).click()
    expect(answered(page)).to_contain_text("1 of 3")
    page.get_by_role("button", name="What if amina stopped now?").click()
    page.wait_for_url(re.compile("#live$"))
    assert Job.objects.filter(kind="preview_session", state="queued").count() == 1
