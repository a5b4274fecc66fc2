"""`manage.py reconcile`: the comparison without the browser."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks.crowd import publishing
from tasks.models import Listing
from tests.factories import make_listing

pytestmark = pytest.mark.django_db


def reconcile(*args):
    """Return what the command prints, and the sentence with which it fails, if it does."""
    out = StringIO()
    try:
        call_command("reconcile", *args, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


@pytest.fixture
def left_open(mturk, project):
    """Give a listing that is closed here, and open there."""
    (listing,) = publishing.publish(project, "mturk")
    Listing.objects.update(state="closed", closed_at=timezone.now())
    return listing


def test_what_fits_is_said_and_ends_well(mturk, project):
    publishing.publish(project, "mturk")
    said, error = reconcile()
    assert error == ""
    assert "Mechanical Turk (sandbox): 1 listing compared" in said
    assert "everything fits" in said


def test_what_does_not_fit_is_told_with_what_mending_would_do(mturk, left_open):
    said, error = reconcile("--platform", "mturk")
    assert error == "1 thing does not fit."
    assert f"not_closed: {left_open.platform_id}" in said
    assert "--fix closes it there" in said
    assert mturk.market.hits[left_open.platform_id].expires_at > mturk.market.now


def test_fix_mends_and_ends_well(mturk, left_open):
    said, error = reconcile("--fix")
    assert error == ""
    assert "mended:" in said
    assert mturk.market.hits[left_open.platform_id].expires_at <= mturk.market.now
    assert reconcile()[1] == ""


def test_json_has_every_finding_and_what_was_done(mturk, left_open):
    told = json.loads(reconcile("--fix", "--json")[0])
    (platform,) = told["platforms"]
    assert (platform["mode"], platform["fits"], platform["compared"]) == ("sandbox", True, 1)
    (finding,) = platform["findings"]
    assert (finding["kind"], finding["mended"]) == ("not_closed", True)
    assert finding["subject"] == left_open.platform_id


def test_what_only_a_person_can_explain_ends_badly_even_with_fix(mturk, left_open):
    entry = left_open.ledger.first()
    left_open.ledger.filter(pk=entry.pk).update(state="confirmed")
    said, error = reconcile("--fix")
    assert error == "1 thing does not fit."
    assert "NOT mended" in said


def test_rows_of_another_market_are_a_note_and_end_well(mturk, project):
    make_listing(project, mode="live")
    said, error = reconcile()
    assert error == ""
    assert "note: 1 of our listings was made in the live market" in said


def test_a_platform_that_cannot_be_asked_is_one_sentence(mturk, project, settings):
    settings.MTURK_ENDPOINT_URL = "https://mturk-requester.us-east-1.amazonaws.com"
    said, error = reconcile()
    assert "not compared" in said
    assert error == ("MTURK_MODE is sandbox, but MTURK_ENDPOINT_URL is that of the live market.")


def test_a_platform_with_terms_alone_is_not_asked(mturk, project):
    publishing.publish(project, "mturk")
    project.offers.create(platform="prolific")
    assert reconcile()[1] == ""


def test_direct_links_are_no_platform_to_compare(db):
    assert "invalid choice: 'direct'" in reconcile("--platform", "direct")[1]
