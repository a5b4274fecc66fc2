"""Prolific's webhooks: kept once, whatever is sent; believed in nothing but where to look."""

import json
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from models_ml.models import Job
from tasks.crowd import following
from tasks.models import HIT, Assignment, Listing, PlatformEvent
from tasks.platforms.prolific.client import ProlificClient
from tasks.platforms.prolific.types import CompletionCode, NewStudy, StudyAction
from tests.factories import make_project
from tests.stand_ins.prolific.extras import signed_headers

pytestmark = pytest.mark.django_db

ADDRESS = "/hooks/prolific/"
STUDY = NewStudy(
    name="Words of two languages",
    internal_name="clime-of-a-test",
    description="Judge words.",
    external_study_url="https://clime.test/",
    completion_codes=(CompletionCode("DONE1"),),
    places=3,
    estimated_minutes=10,
    reward_cents=500,
)


@pytest.fixture
def listing(there):
    hit = HIT.objects.create(project=make_project(), platform="prolific")
    return make_listing(hit, "6a1")


def make_listing(hit, study_id, *, state="open"):
    return Listing.objects.create(
        hit=hit,
        platform="prolific",
        mode="live",
        endpoint="https://api.prolific.com",
        places=3,
        reward_cents=500,
        fee_cents=214,
        minutes_allowed=60,
        state=state,
        platform_id=study_id,
    )


@pytest.fixture
def post(client, settings):
    """Give a function that sends a webhook as Prolific does; it returns the answer's status."""

    def post(*, secret=None, age_s=0, event_id="event-1", send=None, **told):
        body = json.dumps(
            {
                "event_type": "submission.status.change",
                "resource_id": "6a7",
                "participant_id": "amina",
                "status": "AWAITING REVIEW",
                **told,
            }
        ).encode()
        timestamp = str(int(timezone.now().timestamp()) - age_s)
        headers = signed_headers(body, secret or settings.PROLIFIC_WEBHOOK_SECRET, timestamp)
        headers["X-Event-ID"] = event_id
        content_type = headers.pop("Content-Type")
        answer = client.post(ADDRESS, send or body, content_type=content_type, headers=headers)
        return answer.status_code

    return post


def polled():
    """Return the listings that a worker is to poll."""
    return sorted(Job.objects.filter(kind=following.SYNC_ONE).values_list("subject_id", flat=True))


def test_an_event_about_a_study_has_it_polled(listing, post):
    make_listing(listing.hit, "6a2")
    told = {"event_type": "study.status.change", "resource_id": listing.platform_id}
    assert post(**told) == 204
    event = PlatformEvent.objects.get()
    assert (event.platform, event.kind) == ("prolific", "study.status.change")
    assert event.handled_at
    assert polled() == [listing.pk]


def test_an_event_about_somebody_has_their_study_polled(listing, post):
    make_listing(listing.hit, "6a2")
    Assignment.objects.create(
        hit=listing.hit,
        listing=listing,
        worker_id="amina",
        platform_id="6a7",
        expires_at=timezone.now() + timedelta(hours=1),
    )
    assert post() == 204
    assert polled() == [listing.pk]


def test_an_event_about_somebody_unknown_has_all_open_studies_polled(listing, post):
    other = make_listing(listing.hit, "6a2")
    make_listing(listing.hit, "6a3", state="closed")
    assert post() == 204
    assert polled() == [listing.pk, other.pk]


def test_what_an_event_says_is_not_believed(listing, post):
    assignment = Assignment.objects.create(
        hit=listing.hit,
        listing=listing,
        worker_id="amina",
        platform_id="6a7",
        expires_at=timezone.now() + timedelta(hours=1),
    )
    assert post(status="APPROVED") == 204
    assignment.refresh_from_db()
    assert assignment.status_there == ""


def test_an_event_that_comes_twice_is_kept_once(listing, post):
    assert [post(), post(), post(event_id="event-2")] == [204, 204, 204]
    assert PlatformEvent.objects.count() == 2
    assert polled() == [listing.pk]


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "another-secret"},
        {"age_s": 301},
        {"age_s": -301},
        {"send": b'{"event_type": "study.status.change", "resource_id": "6a1"}'},
    ],
)
def test_a_forged_changed_or_late_webhook_is_refused(listing, post, forged):
    assert post(**forged) == 403
    assert not PlatformEvent.objects.exists()
    assert polled() == []


def test_without_a_secret_no_webhook_is_taken(listing, post, settings):
    settings.PROLIFIC_WEBHOOK_SECRET = ""
    assert post(secret="anything") == 403
    assert not PlatformEvent.objects.exists()


def test_a_signed_body_that_is_no_event_is_refused(listing, post):
    assert post(resource_id=7) == 400
    assert not PlatformEvent.objects.exists()


def test_a_webhook_is_only_posted(listing, client):
    assert client.get(ADDRESS).status_code == 405
    assert client.post(ADDRESS, b"{}", content_type="application/json").status_code == 403


def subscribe(*arguments):
    said = StringIO()
    call_command("subscribe_prolific", *arguments, stdout=said, stderr=StringIO())
    return said.getvalue().strip()


def deliver(client, delivery):
    headers = dict(delivery.headers)
    return client.post(
        urlsplit(delivery.target_url).path,
        delivery.body,
        content_type=headers.pop("Content-Type"),
        headers=headers,
    )


def test_what_prolific_sends_is_taken_as_it_is(listing, there, client, settings):
    name, _, settings.PROLIFIC_WEBHOOK_SECRET = subscribe().partition("=")
    assert name == "PROLIFIC_WEBHOOK_SECRET"
    prolific = ProlificClient(there.url, there.token)
    study = prolific.create_study(STUDY)
    Listing.objects.filter(pk=listing.pk).update(platform_id=study.id)
    prolific.transition_study(study.id, StudyAction.PUBLISH)
    (delivery,) = there.deliveries
    assert delivery.target_url == f"https://clime.test{ADDRESS}"
    assert deliver(client, delivery).status_code == 204
    assert PlatformEvent.objects.get().event_id == delivery.headers["X-Event-ID"]
    assert polled() == [listing.pk]


def test_subscribing_again_only_changes_the_secret(there):
    first, second = subscribe(), subscribe()
    assert first != second
    assert sorted(one.event_type for one in there.world.subscriptions.values()) == [
        "study.status.change",
        "submission.status.change",
    ]
    assert subscribe("--end") == "Subscriptions ended: 2."
    assert there.world.subscriptions == {}


def test_an_address_without_https_is_not_subscribed(there, settings):
    settings.PUBLIC_BASE_URL = "http://clime.test"
    with pytest.raises(CommandError, match="https"):
        subscribe()
    assert there.calls == []
