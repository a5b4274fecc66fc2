"""What the Mechanical Turk stand-in tells requesters and workers by itself."""

import json

import pytest
from botocore.exceptions import ClientError


def test_events_are_sent_where_the_hit_type_asks_for_them(client, mturk, make_hit):
    hit_id = make_hit()
    hit_type_id = client.get_hit(HITId=hit_id)["HIT"]["HITTypeId"]
    specification = {
        "Destination": "https://sqs.us-east-1.amazonaws.com/1/clime",
        "Transport": "SQS",
        "Version": "2014-08-15",
        "EventTypes": ["AssignmentSubmitted", "HITReviewable"],
    }
    client.update_notification_settings(HITTypeId=hit_type_id, Notification=specification)
    assignment_id = mturk.accept(hit_id, "A1")
    mturk.submit(assignment_id, {"code": "1"})
    bodies = [json.loads(delivery.body) for delivery in mturk.market.deliveries]
    (submitted,) = bodies[0].pop("Events")
    assert submitted.pop("EventTimestamp").endswith("Z")
    assert submitted == {
        "EventType": "AssignmentSubmitted",
        "HITTypeId": hit_type_id,
        "HITId": hit_id,
        "AssignmentId": assignment_id,
    }
    assert bodies[0].keys() == {"EventDocId", "EventDocVersion", "CustomerId", "SourceAccount"}
    assert [event["EventType"] for event in bodies[1]["Events"]] == ["HITReviewable"]
    client.update_notification_settings(HITTypeId=hit_type_id, Active=False)
    client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="Empty.")
    assert len(mturk.market.deliveries) == 2
    client.send_test_event_notification(Notification=specification, TestEventType="Ping")
    assert json.loads(mturk.market.deliveries[2].body)["Events"][0]["EventType"] == "Ping"


def test_only_those_who_worked_for_us_get_mail(client, mturk, make_hit):
    assignment_id = mturk.accept(make_hit(), "A1")
    mturk.submit(assignment_id, {"code": "1"})
    client.approve_assignment(AssignmentId=assignment_id)
    mail = {"Subject": "Session 2", "MessageText": "It is open."}
    (failure,) = client.notify_workers(**mail, WorkerIds=["A1", "A2"])[
        "NotifyWorkersFailureStatuses"
    ]
    assert (failure["WorkerId"], failure["NotifyWorkersFailureCode"]) == ("A2", "HardFailure")
    assert [sent["WorkerId"] for sent in mturk.market.mails] == ["A1"]
    with pytest.raises(ClientError, match="between 1 and 100"):
        client.notify_workers(**mail, WorkerIds=[f"A{number}" for number in range(101)])
