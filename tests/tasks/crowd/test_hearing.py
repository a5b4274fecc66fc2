"""Notifications through a real queue: late, twice, in any order or never, the end is the same."""

import json
from datetime import timedelta

import boto3
import pytest
from django.utils import timezone
from moto.server import ThreadedMotoServer

from clime_project import pipeline
from models_ml import jobs
from models_ml.models import Job, JobState
from tasks.crowd import following, hearing, publishing
from tasks.models import Assignment, AssignmentState, PlatformEvent
from tasks.platforms import PlatformError
from tests.marketplace import arrive, hand_in

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sqs_url():
    """Give the address of a running SQS."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def sqs(mturk, sqs_url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_url)
    client = boto3.client("sqs", region_name="us-east-1")
    yield client
    client.close()


@pytest.fixture
def queue_url(sqs, settings, request):
    """Give a queue of this test's own, which the settings name."""
    url = sqs.create_queue(QueueName=f"clime-{abs(hash(request.node.name))}")["QueueUrl"]
    settings.MTURK_NOTIFY_QUEUE_URL = url
    return url


@pytest.fixture
def send(sqs, queue_url):
    def send(*bodies):
        for body in bodies:
            sqs.send_message(QueueUrl=queue_url, MessageBody=body)

    return send


@pytest.fixture
def waiting(sqs, queue_url):
    """Return a function that counts the messages in the queue, hidden ones too."""

    def waiting():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)

    return waiting


@pytest.fixture
def listing(queue_url, project):
    return publishing.publish(project, "mturk")[0]


def deliveries(mturk):
    return [delivery.body for delivery in mturk.market.deliveries]


def document(listing, kind, platform_id, *, at=None, document_id="doc1"):
    at = at or timezone.now()
    event = {
        "EventType": kind,
        "EventTimestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "HITTypeId": "3TYPE",
        "HITId": listing.platform_id,
        "AssignmentId": platform_id,
    }
    return json.dumps({"EventDocId": document_id, "Events": [event]})


def test_notifications_are_asked_for_where_the_settings_say(mturk, listing, queue_url):
    (asked,) = mturk.market.notification_settings.values()
    assert asked["Active"]
    assert asked["Notification"]["Destination"] == queue_url
    assert asked["Notification"]["Transport"] == "SQS"
    assert {"AssignmentReturned", "AssignmentAbandoned", "AssignmentSubmitted"} <= set(
        asked["Notification"]["EventTypes"]
    )


def test_a_topic_is_asked_for_where_there_is_no_queue(mturk, project, settings):
    settings.MTURK_NOTIFY_TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:clime"
    publishing.publish(project, "mturk")
    (asked,) = mturk.market.notification_settings.values()
    assert asked["Notification"]["Transport"] == "SNS"


def test_nothing_is_asked_for_where_the_settings_name_no_place(mturk, project):
    publishing.publish(project, "mturk")
    assert mturk.market.notification_settings == {}


def test_what_is_refused_to_notify_is_published_all_the_same(mturk, project, settings):
    settings.MTURK_NOTIFY_TOPIC_ARN = "no topic"
    assert publishing.publish(project, "mturk")[0].platform_id
    assert mturk.market.notification_settings == {}


def test_a_return_frees_the_place_at_once(mturk, listing, send, waiting):
    row = arrive(mturk, listing, "A1", ago=timedelta(minutes=1))
    mturk.return_(row.platform_id)
    calls = len(mturk.calls)
    send(*deliveries(mturk))
    assert hearing.listen() == 2  # accepted and returned
    row.refresh_from_db()
    assert (row.state, row.link_version) == (AssignmentState.RETURNED, 2)
    assert len(mturk.calls) == calls
    assert waiting() == 0
    assert set(PlatformEvent.objects.values_list("kind", flat=True)) == {
        "AssignmentAccepted",
        "AssignmentReturned",
    }
    assert not PlatformEvent.objects.filter(handled_at=None).exists()


def test_a_return_of_before_the_arrival_frees_nothing(mturk, listing, send):
    row = arrive(mturk, listing, "A1", ago=timedelta(minutes=1))
    earlier = timezone.now() - timedelta(minutes=5)
    send(document(listing, "AssignmentReturned", row.platform_id, at=earlier))
    assert hearing.listen() == 1
    row.refresh_from_db()
    assert row.state == AssignmentState.ACTIVE


def test_the_same_notification_twice_is_one(mturk, listing, send):
    row = arrive(mturk, listing, "A1", ago=timedelta(minutes=1))
    body = document(listing, "AssignmentReturned", row.platform_id)
    send(body, body)
    assert hearing.listen() == 1
    # They are back, as our own page had it; the same message again changes nothing.
    Assignment.objects.filter(pk=row.pk).update(state=AssignmentState.ACTIVE)
    send(body)
    assert hearing.listen() == 0
    row.refresh_from_db()
    assert row.state == AssignmentState.ACTIVE
    assert PlatformEvent.objects.count() == 1


@pytest.mark.parametrize("wrap", [False, True])
def test_a_submission_only_says_where_to_look(mturk, listing, send, wrap):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    body = document(listing, "AssignmentSubmitted", row.platform_id)
    send(json.dumps({"Type": "Notification", "Message": body}) if wrap else body)
    hearing.listen()
    row.refresh_from_db()
    assert row.status_there == ""
    (job,) = Job.objects.filter(kind=following.SYNC_ONE)
    assert job.subject_id == listing.pk
    assert jobs.run(job.pk, pipeline.HANDLERS)
    row.refresh_from_db()
    assert row.status_there == "submitted"


def test_a_made_up_submission_changes_nothing(mturk, listing, send):
    row = arrive(mturk, listing, "A1")
    send(document(listing, "AssignmentApproved", row.platform_id))
    hearing.listen()
    following.sync()
    row.refresh_from_db()
    assert (row.state, row.status_there) == (AssignmentState.ACTIVE, "")


@pytest.mark.parametrize("order", ["as sent", "backwards", "twice", "lost"])
def test_whatever_happens_to_notifications_the_end_is_the_same(mturk, listing, send, order):
    first = arrive(mturk, listing, "A1", ago=timedelta(hours=1))
    mturk.return_(first.platform_id)
    second = arrive(mturk, listing, "A2")
    assert second.platform_id == first.platform_id
    third = arrive(mturk, listing, "A3", ago=timedelta(minutes=40))
    hand_in(mturk, second)
    mturk.return_(third.platform_id)
    bodies = deliveries(mturk)
    send(*{"as sent": bodies, "backwards": bodies[::-1], "twice": bodies * 2, "lost": []}[order])
    hearing.listen()
    assert following.sync().problems == []
    states = {row.worker_id: (row.state, row.status_there) for row in Assignment.objects.all()}
    assert states == {
        "A1": ("returned", ""),
        "A2": ("submitted", "submitted"),
        "A3": ("returned", ""),
    }


def test_a_message_of_somebody_else_stops_nothing(mturk, listing, send, waiting, caplog):
    row = arrive(mturk, listing, "A1", ago=timedelta(minutes=1))
    returned = document(listing, "AssignmentReturned", row.platform_id)
    unknown = document(listing, "AssignmentReturned", "3OTHER", document_id="doc2")
    unknown = unknown.replace(listing.platform_id, "3NOBODYS")
    send("hello", '{"Events": 1}', "[]", unknown, returned)
    assert hearing.listen() == 2
    row.refresh_from_db()
    assert row.state == AssignmentState.RETURNED
    assert waiting() == 0
    assert "this is no JSON: 'hello'" in caplog.text


def test_a_queue_that_is_not_there_is_said(mturk, sqs_url, sqs, settings):
    settings.MTURK_NOTIFY_QUEUE_URL = f"{sqs_url}/123456789012/nowhere"
    with pytest.raises(PlatformError, match="nowhere, cannot be read"):
        hearing.listen()


def test_a_poll_is_queued_once_and_only_while_there_is_work(mturk, project):
    hearing.look_again()
    assert not Job.objects.exists()
    publishing.publish(project, "mturk")
    hearing.look_again()
    hearing.look_again()
    (job,) = Job.objects.all()
    assert (job.kind, job.state) == (following.SYNC_ALL, JobState.QUEUED)
    assert jobs.run(job.pk, pipeline.HANDLERS)
    assert Job.objects.get().state == JobState.DONE


def test_what_a_poll_could_not_do_is_kept_for_the_manager(mturk, project):
    (listing,) = publishing.publish(project, "mturk")
    del mturk.market.hits[listing.platform_id]
    for _ in range(2):
        hearing.look_again()
        jobs.run(Job.objects.active().get().pk, pipeline.HANDLERS)
    (job,) = Job.objects.all()
    assert job.state == JobState.FAILED
    assert f"Hit {listing.platform_id} does not exist" in job.error


def test_what_beat_sends_is_there(settings):
    from celery import current_app

    from clime_project import jobs as scheduled

    sent = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled.sync_platforms.name in sent
    assert sent | {scheduled.hear_platforms.name} <= set(current_app.tasks)
