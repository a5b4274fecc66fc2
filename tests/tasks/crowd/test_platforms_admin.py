"""The pages on which managers publish, look and reconcile."""

import csv
import re
from html import unescape
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from tasks.crowd import publishing
from tasks.models import LedgerEntry, Listing, Offer, Project
from tests.factories import make_entry, make_link, make_listing, make_project

pytestmark = pytest.mark.django_db

SANDBOX, LIVE = "SANDBOX – nobody is paid", "LIVE – real money"


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_superuser("manager"))
    return client


def page(name, *args, **query):
    return reverse(f"admin:{name}", args=args, query=query or None)


def text(response):
    """Return what a page says, without markup, as it is read."""
    html = re.sub(r"(?s)<(script|style|svg).*?</\1>", "", response.content.decode())
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def messages(response):
    return [str(message) for message in response.context["messages"]]


def allow(client, *names):
    """Log in as somebody who has these rights alone."""
    user = User.objects.create_user("colleague", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)


# --- Which market ----------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "url", "words"), [("sandbox", "", SANDBOX), ("live", "", LIVE)])
def test_every_page_says_which_market_in_words(manager, settings, mode, url, words):
    settings.MTURK_MODE, settings.MTURK_ENDPOINT_URL = mode, url
    project = make_project()
    listing = make_listing(project, mode=mode)
    entry = make_entry(listing)
    for address in (
        page("index"),
        page("tasks_project_change", project.pk),
        page("tasks_project_close", project.pk),
        page("tasks_assignment_changelist"),
        page("tasks_assignment_change", make_link(project).pk),
        page("tasks_listing_changelist"),
        page("tasks_listing_change", listing.pk),
        page("tasks_ledgerentry_changelist"),
        page("tasks_ledgerentry_change", entry.pk),
        page("tasks_platformcall_changelist"),
        page("tasks_platformevent_changelist"),
    ):
        assert f"Mechanical Turk: {words}" in text(manager.get(address)), address


def test_settings_that_contradict_one_another_are_said_on_every_page(manager, settings):
    make_listing(make_project())
    settings.MTURK_ENDPOINT_URL = "https://mturk-requester.us-east-1.amazonaws.com"
    assert "that of the live market" in text(manager.get(page("tasks_listing_changelist")))


def test_without_platforms_and_without_a_login_nothing_is_said(manager, client):
    assert SANDBOX not in text(manager.get(page("index")))
    make_listing(make_project())
    client.logout()
    assert SANDBOX not in text(client.get(page("login")))


# --- Terms -----------------------------------------------------------------------------------


def save_offer(client, project, **terms):
    """Send a project's page with one offer."""
    form = client.get(page("tasks_project_change", project.pk)).context["adminform"].form
    data = {name: form.initial.get(name) for name in form.fields}
    for inline in ("categories", "practice_words", "offers"):
        data |= {f"{inline}-TOTAL_FORMS": 0, f"{inline}-INITIAL_FORMS": 0}
    usual = {"platform": "mturk", "minutes_allowed": 180, "days_open": 7, "review_hours": 72}
    usual |= {"layout": "batches"}
    data |= {"offers-TOTAL_FORMS": 1}
    data |= {f"offers-0-{name}": value for name, value in (usual | terms).items()}
    data = {name: "" if value is None else value for name, value in data.items()}
    return client.post(page("tasks_project_change", project.pk), data)


def test_terms_are_set_on_the_projects_page(manager):
    project = make_project()
    answer = save_offer(manager, project, reward_cents=250, countries="KE, TZ")
    assert answer.status_code == 302
    offer = project.offers.get()
    assert (offer.reward_cents, offer.country_codes) == (250, ["KE", "TZ"])


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"reward_cents": 0}, "greater than or equal to 1"),
        ({"countries": "Kenya"}, "Two capital letters a country"),
        ({"minutes_allowed": 30}, "time budget is 60 minutes: allow at least as many"),
        ({"platform": "prolific", "needs_masters": "on"}, "Only Mechanical Turk has Masters"),
        ({"platform": "direct"}, "Select a valid choice"),
        ({"approval_percent": 101}, "less than or equal to 100"),
    ],
)
def test_terms_that_nobody_could_keep_are_refused(manager, terms, error):
    project = make_project(session_minutes=60)
    assert error in text(save_offer(manager, project, **terms))
    assert not Offer.objects.exists()


# --- Publishing ------------------------------------------------------------------------------


def publish(client, project, **changes):
    """Press the button of the page as it is now."""
    plan = client.get(page("tasks_project_publish", project.pk)).context["plan"]
    form = {"platform": "mturk", "mode": plan.mode, "total_cents": plan.chosen.total_cents}
    return client.post(
        page("tasks_project_publish_confirmed", project.pk), form | changes, follow=True
    )


def test_the_page_shows_what_publishing_would_cost_and_makes_nothing(mturk, manager, project):
    project.overlap = 12
    project.spend_limit_cents = 50_00
    project.save()
    said = text(manager.get(page("tasks_project_publish", project.pk)))
    assert f"Mechanical Turk: {SANDBOX}" in said
    assert "(chosen) 7.20 USD 6.00 USD 1.20 USD 2 9, 3" in said
    assert "One HIT with all places 8.40 USD 6.00 USD 2.40 USD 1 12" in said
    assert "The account has 100.00 USD" in said
    assert "spending limit leaves 50.00 USD" in said
    assert "Publish 12 places (SANDBOX) for 7.20 USD" in said
    assert not mturk.market.hits
    assert not Listing.objects.exists()


def test_the_page_tells_who_may_take_it(mturk, manager, project):
    project.offers.update(countries="KE,TZ", approval_percent=95, needs_masters=True)
    project.screening_percent = 80
    project.save()
    project.excluded_projects.add(make_project(name="Last year"))
    said = text(manager.get(page("tasks_project_publish", project.pk)))
    assert "People in KE, TZ, with at least 95 % of their work approved, Masters only" in said
    assert "nobody who took part in Last year; the screening test lets on who knows 80 %" in said


def test_publishing_makes_what_was_shown_and_says_so(mturk, manager, project):
    said = messages(publish(manager, project))
    (hit_id,) = mturk.market.hits
    assert said == [
        f"On Mechanical Turk (sandbox): 1 listing published, with places: {hit_id} (5); 3.00 USD "
        "with fees."
    ]
    again = publish(manager, project)
    assert "nothing was missing" in messages(again)[0]
    assert len(mturk.market.hits) == 1
    assert hit_id in text(again)


@pytest.mark.parametrize("change", [{"total_cents": 299}, {"mode": "live"}])
def test_another_cost_or_market_than_was_shown_is_not_published(mturk, manager, project, change):
    assert "Look again" in messages(publish(manager, project, **change))[0]
    assert not mturk.market.hits


def test_what_forbids_publishing_is_a_sentence_and_no_button(mturk, manager, project):
    project.spend_limit_cents = 10
    project.save()
    answer = manager.get(page("tasks_project_publish", project.pk))
    assert "spending limit leaves 0.10 USD" in text(answer)
    assert "Publish 5 places" not in text(answer)
    assert "spending limit" in messages(publish(manager, project))[0]
    assert not mturk.market.hits


def test_a_platform_that_cannot_be_asked_is_a_sentence(manager, project, settings):
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:8000"
    assert "https" in text(manager.get(page("tasks_project_publish", project.pk)))


def test_closing_is_asked_once_more(mturk, manager, project):
    publish(manager, project)
    (hit,) = mturk.market.hits.values()
    where = page("tasks_project_close", project.pk)
    assert hit.hit_id in text(manager.get(where, {"platform": "mturk"}))
    assert hit.expires_at > mturk.market.now
    said = messages(manager.post(where, {"platform": "mturk"}, follow=True))
    assert said == ["1 listing closed on Mechanical Turk: nobody can take a place now."]
    assert hit.expires_at <= mturk.market.now
    assert Listing.objects.get().state == "closed"


def test_who_may_change_a_project_alone_spends_nothing(mturk, client, project):
    allow(client, "view_project", "change_project")
    answer = client.get(page("tasks_project_publish", project.pk))
    assert answer.status_code == 200
    assert "Publish 5 places" not in text(answer)
    assert publish(client, project).status_code == 403
    assert client.post(page("tasks_project_close", project.pk)).status_code == 403
    assert not mturk.market.hits


def test_who_may_not_change_a_project_sees_no_terms(client, project):
    allow(client, "view_project", "add_listing")
    assert client.get(page("tasks_project_publish", project.pk)).status_code == 403


def test_publishing_by_a_mere_visit_is_not_possible(mturk, manager, project):
    answer = manager.get(page("tasks_project_publish_confirmed", project.pk))
    assert answer.status_code == 405
    assert manager.get(page("tasks_project_publish", project.pk, platform="x")).status_code == 404


# --- Lists -----------------------------------------------------------------------------------


def test_the_list_of_listings_tells_both_sides(manager):
    project = make_project()
    listing = make_listing(
        project,
        synced_at=timezone.now(),
        status_there="Assignable",
        pending_there=2,
        available_there=3,
        error="too little money",
    )
    html = manager.get(page("tasks_listing_changelist")).content.decode()
    cells = dict(re.findall(r'class="field-(\w+)[^"]*">(.*?)</t[dh]>', html))
    assert cells["taken"] == "0 of 5"
    assert cells["there"] == "Assignable: 2 at work, 3 free"
    assert cells["cost"] == "3.00 USD"
    assert cells["mode_word"] == "SANDBOX"
    assert cells["trouble"] == "too little money"
    expected = f"https://workersandbox.mturk.com/mturk/preview?groupId={listing.group_id}"
    assert f'href="{expected}"' in html


def test_a_listings_page_has_no_button_that_seems_to_close_it(manager):
    listing = make_listing(make_project())
    assert "closelink" not in manager.get(page("tasks_listing_change", listing.pk)).content.decode()


def test_a_listing_of_another_server_than_the_platforms_has_no_page_there(manager):
    make_listing(make_project(), endpoint="http://127.0.0.1:1")
    assert "workersandbox" not in manager.get(page("tasks_listing_changelist")).content.decode()


def test_the_ledger_adds_up_by_market_and_state_what_the_list_shows(manager):
    project = make_project()
    listing = make_listing(project)
    make_entry(listing, state="confirmed")
    make_entry(listing, state="confirmed")
    make_entry(listing, kind="bonus", cents=100, fee_cents=20)
    make_entry(make_listing(project, mode="live"), state="failed")
    everything = text(manager.get(page("tasks_ledgerentry_changelist")))
    assert "confirmed: the platform says that it is paid: 1.20 USD (2 rows)" in everything
    assert "planned: promised: 1.20 USD (1 row)" in everything
    assert "not paid: 0.60 USD (1 row)" in everything
    bonuses = text(manager.get(page("tasks_ledgerentry_changelist"), {"kind__exact": "bonus"}))
    assert "planned: promised: 1.20 USD (1 row)" in bonuses
    assert "confirmed: the platform says that it is paid: 0.00 USD (0 rows)" in bonuses


def test_the_ledger_can_be_downloaded_as_it_is_filtered(manager):
    listing = make_listing(make_project(slug="demo"))
    make_entry(listing)
    entry = make_entry(listing, kind="bonus", cents=100, reason="=1+1", worker_id="A1")
    answer = manager.get(page("tasks_ledgerentry_csv"), {"kind__exact": "bonus"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(StringIO(answer.content.decode("utf-8-sig")))
    assert (row["project"], row["mode"], row["cents"], row["fee_cents"]) == (
        "demo",
        "sandbox",
        "100",
        "10",
    )
    assert (row["reason"], row["worker_id"], row["listing"]) == ("'=1+1", "A1", listing.platform_id)
    assert row["key"] == entry.key.hex


def test_the_ledger_is_not_for_everybody(client):
    allow(client, "view_listing")
    assert client.get(page("tasks_ledgerentry_csv")).status_code == 403


# --- Reconciling -----------------------------------------------------------------------------


@pytest.fixture
def left_open(mturk, project):
    """Give a listing that is closed here, and open there."""
    (listing,) = publishing.publish(project, "mturk")
    Listing.objects.update(state="closed", closed_at=timezone.now())
    return listing


def mend(client, finding):
    form = {"platform": "mturk", "finding": finding}
    return client.post(page("tasks_listing_reconcile"), form, follow=True)


def test_what_fits_is_said(mturk, manager, project):
    publishing.publish(project, "mturk")
    said = text(manager.get(page("tasks_listing_reconcile")))
    assert f"Mechanical Turk: {SANDBOX}" in said
    assert "Everything fits" in said
    assert "Mend" not in said


def test_one_finding_is_mended_with_one_click(mturk, manager, left_open):
    said = text(manager.get(page("tasks_listing_reconcile")))
    assert "people can still take it there" in said
    assert "Mending closes it there" in said
    hit = mturk.market.hits[left_open.platform_id]
    assert hit.expires_at > mturk.market.now
    answer = mend(manager, f"not_closed:{left_open.platform_id}")
    assert messages(answer) == [f"Mended: {left_open.platform_id} is closed there."]
    assert hit.expires_at <= mturk.market.now
    assert "Everything fits" in text(answer)


def test_all_are_mended_with_one_click_and_what_cannot_be_is_said(mturk, manager, left_open):
    Listing.objects.filter(pk=left_open.pk).update(state="failed", platform_id="")
    LedgerEntry.objects.filter(pk=LedgerEntry.objects.first().pk).update(state="sent")
    answer = mend(manager, "all")
    assert any("is closed there" in said for said in messages(answer))
    assert "The reward of 0.50 USD for nobody was sent" in text(answer)


def test_what_was_mended_meanwhile_is_said(mturk, manager, left_open):
    mend(manager, "all")
    assert messages(mend(manager, "all")) == ["There was nothing to mend: it fits by now."]


def test_who_may_only_look_mends_nothing(mturk, client, left_open):
    allow(client, "view_listing")
    said = text(client.get(page("tasks_listing_reconcile")))
    assert "people can still take it there" in said
    assert "Mend this" not in said
    assert mend(client, "all").status_code == 403
    assert mturk.market.hits[left_open.platform_id].expires_at > mturk.market.now


def test_pages_hold_nothing_that_the_security_policy_forbids(mturk, manager, left_open):
    project = Project.objects.get()
    for address in (
        page("tasks_listing_reconcile"),
        page("tasks_listing_changelist"),
        page("tasks_ledgerentry_changelist"),
        page("tasks_project_publish", project.pk),
        page("tasks_project_close", project.pk),
    ):
        html = manager.get(address).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html), address
        assert ' style="' not in html, address
        assert "<style" not in html, address
