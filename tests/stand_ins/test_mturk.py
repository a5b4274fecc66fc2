"""The requester's API of the Mechanical Turk stand-in, as real boto3 sees it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.stand_ins.conftest import question

DAY_S = 86_400


def code_of(caught):
    return caught.value.response["TurkErrorCode"].removeprefix("AWS.MechanicalTurk.")


def status_of(client, hit_id):
    return client.get_hit(HITId=hit_id)["HIT"]["HITStatus"]


def hit_ids(pages):
    return [hit["HITId"] for page in pages for hit in page["HITs"]]


def test_a_hit_comes_back_as_it_was_created(client, hit_parameters):
    created = client.create_hit(**hit_parameters, RequesterAnnotation="batch 7")["HIT"]
    hit = client.get_hit(HITId=created["HITId"])["HIT"]
    assert hit == created
    assert hit["Question"] == hit_parameters["Question"]
    assert hit["RequesterAnnotation"] == "batch 7"
    assert hit["HITStatus"] == "Assignable"
    assert hit["Expiration"] - hit["CreationTime"] == timedelta(days=7)
    assert hit["NumberOfAssignmentsAvailable"] == 1


def test_the_same_properties_are_the_same_hit_type(client, hit_parameters):
    names = ("Title", "Description", "Reward", "AssignmentDurationInSeconds")
    properties = {name: hit_parameters[name] for name in names}
    first = client.create_hit_type(**properties)["HITTypeId"]
    assert client.create_hit_type(**properties)["HITTypeId"] == first
    assert client.create_hit_type(**{**properties, "Reward": "0.51"})["HITTypeId"] != first


def test_a_hit_of_a_registered_type_takes_its_properties(client, make_hit, hit_parameters):
    first = client.get_hit(HITId=make_hit())["HIT"]
    second = client.create_hit_with_hit_type(
        HITTypeId=first["HITTypeId"],
        Question=hit_parameters["Question"],
        LifetimeInSeconds=60,
        MaxAssignments=2,
    )["HIT"]
    assert (second["Title"], second["Reward"]) == (first["Title"], first["Reward"])


def test_a_token_makes_one_hit_a_day(client, mturk, hit_parameters):
    made = client.create_hit(**hit_parameters, UniqueRequestToken="outbox-1")["HIT"]["HITId"]
    with pytest.raises(client.exceptions.RequestError, match=made) as caught:
        client.create_hit(**hit_parameters, UniqueRequestToken="outbox-1")
    assert code_of(caught) == "HITAlreadyExists"
    mturk.advance(DAY_S + 1)
    again = client.create_hit(**hit_parameters, UniqueRequestToken="outbox-1")["HIT"]["HITId"]
    assert again != made


def test_a_token_makes_one_hit_however_many_ask_at_once(client, hit_parameters):
    def create(_number):
        try:
            client.create_hit(**hit_parameters, UniqueRequestToken="outbox-1")
        except client.exceptions.RequestError as error:
            return error.response["TurkErrorCode"]
        return "made"

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(create, range(10)))
    assert answers.count("made") == 1
    assert answers.count("AWS.MechanicalTurk.HITAlreadyExists") == 9
    assert client.list_hits()["NumResults"] == 1


def test_a_failed_creation_leaves_the_token_free(client, hit_parameters):
    with pytest.raises(ClientError):
        client.create_hit(**{**hit_parameters, "LifetimeInSeconds": 29}, UniqueRequestToken="t")
    client.create_hit(**hit_parameters, UniqueRequestToken="t")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"LifetimeInSeconds": 29}, "between 30 and 31536000"),
        ({"LifetimeInSeconds": 31_536_001}, "between 30 and 31536000"),
        ({"MaxAssignments": 0}, "between 1 and"),
        ({"RequesterAnnotation": "x" * 256}, "255 characters"),
        ({"Title": "x" * 129}, "128 characters"),
        ({"Reward": "0.505"}, "must match"),
        ({"UniqueRequestToken": "x" * 65}, "at most 64"),
        ({"Question": question("http://clime.test/")}, "HTTPS"),
        ({"Question": question("https://clime.test/?a=1&b=2")}, "parsing the XML"),
        ({"Question": question("https://clime.test/", height="tall")}, "FrameHeight"),
        ({"Question": "<ExternalQuestion/>"}, "no ExternalQuestion"),
    ],
)
def test_what_no_hit_may_have_is_refused(make_hit, client, changes, complaint):
    with pytest.raises(client.exceptions.RequestError, match=complaint):
        make_hit(**changes)
    assert client.list_hits()["NumResults"] == 0


@pytest.mark.parametrize(
    ("requirement", "complaint"),
    [
        ({"QualificationTypeId": "3UNKNOWN", "Comparator": "Exists"}, "does not exist"),
        (
            {
                "QualificationTypeId": "00000000000000000071",
                "Comparator": "GreaterThan",
                "LocaleValues": [{"Country": "US"}],
            },
            "locale",
        ),
        (
            {
                "QualificationTypeId": "000000000000000000L0",
                "Comparator": "EqualTo",
                "IntegerValues": [1, 2],
            },
            "between 1 and 1",
        ),
        (
            {
                "QualificationTypeId": "000000000000000000L0",
                "Comparator": "Exists",
                "IntegerValues": [1],
            },
            "takes no values",
        ),
        ({"QualificationTypeId": "000000000000000000L0", "Comparator": "AtLeast"}, "one of"),
        # The Masters of the other marketplace:
        (
            {"QualificationTypeId": "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH", "Comparator": "Exists"},
            "exist",
        ),
    ],
)
def test_impossible_requirements_are_refused(make_hit, client, requirement, complaint):
    with pytest.raises(client.exceptions.RequestError, match=complaint):
        make_hit(QualificationRequirements=[requirement])


def test_pages_give_every_hit_once(client, make_hit):
    made = [make_hit() for _ in range(25)]
    pages = list(client.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": 7}))
    assert [page["NumResults"] for page in pages] == [7, 7, 7, 4]
    assert hit_ids(pages) == made
    assert client.list_hits()["NumResults"] == 10


def test_a_full_page_has_a_token_even_where_nothing_follows(client, make_hit):
    for _ in range(10):
        make_hit()
    token = client.list_hits()["NextToken"]
    last = client.list_hits(NextToken=token)
    assert (last["NumResults"], last["HITs"]) == (0, [])
    assert "NextToken" not in last


def test_a_page_has_at_most_a_hundred_rows_and_its_own_token(client, make_hit):
    for _ in range(2):
        make_hit()
    with pytest.raises(ClientError, match="at most 100"):
        client.list_hits(MaxResults=101)
    token = client.list_hits(MaxResults=1)["NextToken"]
    with pytest.raises(ClientError, match="another request"):
        client.list_worker_blocks(MaxResults=1, NextToken=token)


def test_a_hit_ends_when_its_expiration_is_moved_to_the_past(client, make_hit):
    hit_id = make_hit()
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=datetime(2015, 1, 1, tzinfo=UTC))
    assert status_of(client, hit_id) == "Reviewable"
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=datetime.now(UTC) + timedelta(hours=1))
    assert status_of(client, hit_id) == "Assignable"


def test_the_same_expiration_twice_is_refused(client, make_hit):
    hit_id, soon = make_hit(), datetime.now(UTC) + timedelta(hours=1)
    client.update_expiration_for_hit(HITId=hit_id, ExpireAt=soon)
    with pytest.raises(ClientError, match="has already been processed"):
        client.update_expiration_for_hit(HITId=hit_id, ExpireAt=soon)


def test_nine_assignments_never_become_ten(client, make_hit):
    hit_id = make_hit(MaxAssignments=8)
    more = {"HITId": hit_id, "NumberOfAdditionalAssignments": 1}
    client.create_additional_assignments_for_hit(**more, UniqueRequestToken="more-1")
    with pytest.raises(ClientError, match="already been processed"):
        client.create_additional_assignments_for_hit(**more, UniqueRequestToken="more-1")
    with pytest.raises(ClientError) as caught:
        client.create_additional_assignments_for_hit(**more, UniqueRequestToken="more-2")
    assert code_of(caught) == "InvalidMaximumAssignmentsIncrease"
    assert client.get_hit(HITId=hit_id)["HIT"]["MaxAssignments"] == 9


def test_a_hit_is_deleted_only_when_nothing_is_left_to_decide(client, mturk, make_hit):
    hit_id = make_hit()
    with pytest.raises(ClientError, match="Assignable"):
        client.delete_hit(HITId=hit_id)
    assignment_id = mturk.accept(hit_id, "A1")
    mturk.submit(assignment_id, {"code": "1"})
    with pytest.raises(ClientError, match="Reviewable"):
        client.delete_hit(HITId=hit_id)
    client.reject_assignment(AssignmentId=assignment_id, RequesterFeedback="Empty.")
    client.delete_hit(HITId=hit_id)
    assert client.list_hits()["NumResults"] == 0
    assert status_of(client, hit_id) == "Disposed"
    with pytest.raises(ClientError, match="status of: Submitted"):
        client.approve_assignment(AssignmentId=assignment_id, OverrideRejection=True)


def test_reviewable_hits_can_be_put_aside(client, mturk, make_hit):
    hit_id = make_hit()
    mturk.advance(8 * DAY_S)
    assert client.list_reviewable_hits()["HITs"] == [{"HITId": hit_id}]
    client.update_hit_review_status(HITId=hit_id)
    assert hit_ids([client.list_reviewable_hits()]) == []
    assert hit_ids([client.list_reviewable_hits(Status="Reviewing")]) == [hit_id]


def test_what_does_not_exist_is_named(client):
    with pytest.raises(client.exceptions.RequestError, match="Hit 3NONE does not exist") as caught:
        client.get_hit(HITId="3NONE")
    assert code_of(caught) == "HITDoesNotExist"


# Faults and the wire


def test_throttling_and_faults_do_nothing(client, mturk, make_hit):
    mturk.faults.add("throttle", next_calls=1)
    with pytest.raises(ClientError) as caught:
        make_hit()
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    mturk.faults.add("fault", next_calls=1)
    with pytest.raises(client.exceptions.ServiceFault):
        make_hit()
    make_hit()
    assert client.list_hits()["NumResults"] == 1
    assert [call.outcome for call in mturk.calls_of("CreateHIT")] == [
        "ThrottlingException",
        "ServiceFault",
        "done",
    ]


def test_a_lost_answer_is_done_all_the_same(connect, mturk, hit_parameters):
    mturk.faults.add("lost_answer", next_calls=1, operations={"CreateHIT"})
    patient = connect(attempts=2)
    with pytest.raises(ClientError) as caught:
        patient.create_hit(**hit_parameters, UniqueRequestToken="once")
    assert code_of(caught) == "HITAlreadyExists"
    (hit_id,) = hit_ids([patient.list_hits()])
    assert hit_id in str(caught.value)


def test_a_lost_request_is_not_done(connect, mturk, hit_parameters):
    mturk.faults.add("lost_request", next_calls=1)
    patient = connect(attempts=2)
    patient.create_hit(**hit_parameters, UniqueRequestToken="once")
    assert patient.list_hits()["NumResults"] == 1


def test_a_share_of_throttling_is_the_same_for_the_same_seed(client, mturk):
    mturk.faults.add("throttle", share=0.4)
    for _ in range(50):
        try:
            client.get_account_balance()
        except ClientError:
            continue
    throttled = sum(call.outcome == "ThrottlingException" for call in mturk.calls)
    assert 12 <= throttled <= 28
    mturk.faults.clear()
    client.get_account_balance()


def test_another_region_and_unknown_keys_are_refused(connect, mturk):
    with pytest.raises(ClientError, match="valid region, not 'eu-west-1'"):
        connect(region_name="eu-west-1").get_account_balance()
    mturk.access_keys = {"AKIDOTHER"}
    with pytest.raises(ClientError, match="security token"):
        connect().get_account_balance()


def test_what_the_service_model_does_not_allow_is_refused_by_the_server(client):
    client.meta.events.register(
        "before-call.mturk.GetHIT", lambda params, **_: params.update(body=b'{"HITId": 5, "x": 1}')
    )
    with pytest.raises(ClientError, match="Invalid type for parameter HITId"):
        client.get_hit(HITId="3X")
    with pytest.raises(ClientError, match="does not know"):
        client.list_qualification_requests()
