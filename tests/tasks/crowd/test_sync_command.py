"""`manage.py sync_platform`: one poll, in this process, that says whether all was done."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks.crowd import publishing
from tasks.models import Assignment, StatusThere
from tests.factories import make_project
from tests.marketplace import arrive, hand_in

pytestmark = pytest.mark.django_db


def sync(*arguments):
    out = StringIO()
    call_command("sync_platform", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def listing(mturk, project):
    return publishing.publish(project, "mturk")[0]


def test_one_poll_says_what_changed(mturk, listing, project):
    rows = [arrive(mturk, listing, name) for name in ("A1", "A2")]
    hand_in(mturk, rows[0])
    mturk.return_(rows[1].platform_id)
    told = json.loads(sync(project.slug, "--json"))
    assert {name: told[name] for name in ("listings", "handed_in", "given_back")} == {
        "listings": 1,
        "handed_in": 1,
        "given_back": 1,
    }
    assert told["problems"] == []
    assert "1 listings polled: 0 handed in" in sync()


def test_only_the_project_that_is_named_is_polled(mturk, listing):
    other = make_project(overlap=1)
    other.offers.create(platform="mturk", reward_cents=50)
    (theirs,) = publishing.publish(other, "mturk")
    for one, name in ((listing, "A1"), (theirs, "A2")):
        hand_in(mturk, arrive(mturk, one, name))
    sync(other.slug)
    handed_in = Assignment.objects.filter(status_there=StatusThere.SUBMITTED)
    assert [row.worker_id for row in handed_in] == ["A2"]


def test_what_could_not_be_done_is_said_and_ends_badly(mturk, listing, project):
    del mturk.market.hits[listing.platform_id]
    out = StringIO()
    with pytest.raises(CommandError, match=f"Not all was done: .*{listing.platform_id}"):
        call_command("sync_platform", "--json", stdout=out)
    assert len(json.loads(out.getvalue())["problems"]) == 1


def test_credentials_that_are_missing_are_said(listing, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(CommandError, match="there are no AWS credentials"):
        sync()


def test_throttling_past_the_back_off_is_said(mturk, listing, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 2)
    mturk.faults.add("throttle")
    with pytest.raises(CommandError, match="takes no more calls for now"):
        sync()


def test_a_project_that_there_is_not_is_named(db):
    with pytest.raises(CommandError, match="there is no project 'nothing'"):
        sync("nothing")


def test_a_project_of_another_market_was_not_polled(mturk, listing, project, settings):
    settings.MTURK_MODE = "live"
    calls = len(mturk.calls)
    assert "was left alone" in sync()
    with pytest.raises(CommandError, match="1 listing is of another market than live"):
        sync(project.slug)
    assert len(mturk.calls) == calls


def test_settings_that_are_gone_matter_only_while_there_is_work(mturk, listing, project, settings):
    settings.MTURK_ENDPOINT_URL = "https://mturk-requester.us-east-1.amazonaws.com"
    with pytest.raises(CommandError, match="is that of the live market"):
        sync()
    project.state = "closed"
    project.save()
    listing.ledger.update(state="failed")
    type(listing).objects.update(state="closed", expires_at=listing.created_at - timedelta(days=9))
    assert "0 listings polled" in sync()
