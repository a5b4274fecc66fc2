"""The workers' side of the Mechanical Turk stand-in, and what requesters hear of it."""

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError

from tests.stand_ins.mturk import Refused, Worker
from tests.stand_ins.mturk.records import LOCALE, MASTERS, PERCENT_APPROVED

HOUR_S = 3600
DAY_S = 86_400


def hit_of(client, hit_id):
    return client.get_hit(HITId=hit_id)["HIT"]


def places(client, hit_id):
    hit = hit_of(client, hit_id)
    names = ("Available", "Pending", "Completed")
    return tuple(hit[f"NumberOfAssignments{name}"] for name in names)


def kinds(mturk):
    return [event["EventType"] for event in mturk.market.events]


def post(url, **fields):
    with urllib.request.urlopen(url, data=urlencode(fields).encode(), timeout=10) as answer:
        return answer.status, answer.read().decode()


def make_qualification(client, **settings):
    settings = {"QualificationTypeStatus": "Active", "Description": "Ours.", **settings}
    made = client.create_qualification_type(**settings)["QualificationType"]
    return made["QualificationTypeId"]


def test_a_hit_goes_from_assignable_to_reviewable(client, mturk, make_hit):
    hit_id = make_hit(MaxAssignments=2)
    first, second = (mturk.accept(hit_id, worker) for worker in ("A1", "A2"))
    assert hit_of(client, hit_id)["HITStatus"] == "Unassignable"
    assert places(client, hit_id) == (0, 2, 0)
    mturk.submit(first, {"code": "1"})
    assert places(client, hit_id) == (0, 1, 0)  # neither pending nor yet decided
    mturk.submit(second, {"code": "2"})
    assert hit_of(client, hit_id)["HITStatus"] == "Reviewable"
    client.approve_assignment(AssignmentId=first)
    assert places(client, hit_id) == (0, 0, 1)
    assert kinds(mturk)[-3:] == ["AssignmentSubmitted", "HITReviewable", "AssignmentApproved"]


def test_the_frame_is_told_who_works_on_what(mturk, make_hit):
    hit_id = make_hit()
    assignment_id = mturk.accept(hit_id, "A1")
    url = urlsplit(mturk.task_url(assignment_id))
    assert (url.scheme, url.netloc, url.path) == ("https", "clime.test", "/turk")
    assert parse_qs(url.query) == {
        "hit": ["1"],
        "mac": ["ab"],
        "assignmentId": [assignment_id],
        "hitId": [hit_id],
        "workerId": ["A1"],
        "turkSubmitTo": [mturk.url],
    }


def test_a_preview_has_no_assignment_and_perhaps_no_worker(client, mturk, make_hit):
    hit_id = make_hit()
    shown = parse_qs(urlsplit(mturk.preview_url(hit_id)).query)
    assert shown["assignmentId"] == ["ASSIGNMENT_ID_NOT_AVAILABLE"]
    assert "workerId" not in shown
    assert parse_qs(urlsplit(mturk.preview_url(hit_id, "A1")).query)["workerId"] == ["A1"]
    assert places(client, hit_id) == (1, 0, 0)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_the_marketplace_frames_the_task_and_its_preview(mturk, make_hit):
    hit_id = make_hit()
    preview = get(mturk.preview_page(hit_id))
    assert f'src="{escape(mturk.preview_url(hit_id))}"' in preview
    assignment_id = mturk.accept(hit_id, "A1")
    mturk.frame_origin = "http://localhost:8000"
    framed = escape(mturk.task_url(assignment_id))
    assert framed.startswith("http://localhost:8000/turk?hit=1&amp;mac=ab&amp;")
    assert f'src="{framed}"' in get(mturk.task_page(assignment_id))


def test_a_posted_form_is_the_answer_that_requesters_read(client, mturk, make_hit):
    assignment_id = mturk.accept(make_hit(), "A1")
    form = {"assignmentId": assignment_id, "code": "a < b & c"}
    status, page = post(f"{mturk.url}/mturk/externalSubmit", **form)
    assert (status, "submitted" in page) == (200, True)
    assignment = client.get_assignment(AssignmentId=assignment_id)["Assignment"]
    assert assignment["AssignmentStatus"] == "Submitted"
    assert assignment["AutoApprovalTime"] - assignment["SubmitTime"] == timedelta(days=1)
    texts = [element.text for element in ET.fromstring(assignment["Answer"]).iter()]
    assert texts[2:] == ["code", "a < b & c"]


@pytest.mark.parametrize("fields", [{}, {"assignmentId": "3NONE", "code": "1"}])
def test_a_form_without_an_accepted_assignment_is_refused(mturk, fields):
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        post(f"{mturk.url}/mturk/externalSubmit", **fields)
    caught.value.close()


def test_a_form_is_taken_once_and_not_without_a_field(mturk, make_hit):
    assignment_id = mturk.accept(make_hit(), "A1")
    with pytest.raises(Refused, match="no field"):
        mturk.submit(assignment_id, {})
    mturk.submit(assignment_id, {"code": "1"})
    with pytest.raises(Refused, match="nobody works"):
        mturk.submit(assignment_id, {"code": "1"})


def test_a_returned_id_goes_to_the_next_worker(client, mturk, make_hit):
    hit_id = make_hit()
    first = mturk.accept(hit_id, "A1")
    mturk.return_(first)
    assert places(client, hit_id) == (1, 0, 0)
    assert mturk.accept(hit_id, "A2") == first
    mturk.submit(first, {"code": "1"})
    assert client.get_assignment(AssignmentId=first)["Assignment"]["WorkerId"] == "A2"
    assert kinds(mturk)[1:4] == ["AssignmentAccepted", "AssignmentReturned", "AssignmentAccepted"]


def test_a_returned_id_can_also_be_retired(mturk, make_hit):
    mturk.market.reuses_assignment_ids = False
    hit_id = make_hit()
    first = mturk.accept(hit_id, "A1")
    mturk.return_(first)
    assert mturk.accept(hit_id, "A1") != first  # whoever returned a HIT may come back


def test_whoever_is_too_slow_abandons(client, mturk, make_hit):
    hit_id = make_hit()
    assignment_id = mturk.accept(hit_id, "A1")
    mturk.advance(HOUR_S + 1)
    with pytest.raises(Refused):
        mturk.submit(assignment_id, {"code": "1"})
    assert kinds(mturk)[-1] == "AssignmentAbandoned"
    assert hit_of(client, hit_id)["HITStatus"] == "Assignable"


def test_whoever_accepted_in_time_may_finish_after_the_hit_expired(client, mturk, make_hit):
    hit_id = make_hit(MaxAssignments=2, LifetimeInSeconds=60)
    assignment_id = mturk.accept(hit_id, "A1")
    mturk.advance(61)
    assert hit_of(client, hit_id)["HITStatus"] == "Unassignable"
    with pytest.raises(Refused, match="no more"):
        mturk.accept(hit_id, "A2")
    mturk.submit(assignment_id, {"code": "1"})
    assert hit_of(client, hit_id)["HITStatus"] == "Reviewable"
    assert kinds(mturk)[-3:] == ["HITExpired", "AssignmentSubmitted", "HITReviewable"]


def test_time_moves_through_what_falls_due_in_order(mturk, make_hit):
    hit_id = make_hit(MaxAssignments=3)
    mturk.submit(mturk.accept(hit_id, "A1"), {"code": "1"})
    mturk.accept(hit_id, "A2")
    mturk.advance(200 * DAY_S)
    assert kinds(mturk)[4:] == [
        "AssignmentAbandoned",
        "AssignmentApproved",
        "HITExpired",
        "HITReviewable",
        "HITDisposed",
    ]


def test_nobody_works_twice_on_a_hit(mturk, make_hit):
    hit_id = make_hit(MaxAssignments=3)
    assignment_id = mturk.accept(hit_id, "A1")
    with pytest.raises(Refused, match="accepted this HIT already"):
        mturk.accept(hit_id, "A1")
    mturk.submit(assignment_id, {"code": "1"})
    with pytest.raises(Refused, match="submitted this HIT already"):
        mturk.accept(hit_id, "A1")


def test_whoever_is_blocked_gets_no_work_until_unblocked(client, mturk, make_hit):
    hit_id = make_hit()
    client.create_worker_block(WorkerId="A2", Reason="Copies.")
    assert client.list_worker_blocks()["WorkerBlocks"] == [{"WorkerId": "A2", "Reason": "Copies."}]
    with pytest.raises(Refused, match="blocked"):
        mturk.accept(hit_id, "A2")
    client.delete_worker_block(WorkerId="A2")
    mturk.accept(hit_id, "A2")


def test_fifty_who_come_at_once_get_nine_places(client, mturk, make_hit):
    hit_id = make_hit(MaxAssignments=9)

    def try_it(number):
        try:
            return mturk.accept(hit_id, f"A{number}")
        except Refused:
            return None

    with ThreadPoolExecutor(50) as pool:
        accepted = [found for found in pool.map(try_it, range(50)) if found]
    assert len(set(accepted)) == len(accepted) == 9
    assert places(client, hit_id) == (0, 9, 0)


# Qualifications


def requirement(type_id, comparator, *, guards="Accept", **values):
    known = {"QualificationTypeId": type_id, "Comparator": comparator, "ActionsGuarded": guards}
    return {**known, **values}


@pytest.mark.parametrize(
    ("wanted", "worker", "is_let_in"),
    [
        (
            requirement(PERCENT_APPROVED, "GreaterThanOrEqualTo", IntegerValues=[95]),
            Worker("A1", percent_approved=95),
            True,
        ),
        (
            requirement(PERCENT_APPROVED, "GreaterThan", IntegerValues=[95]),
            Worker("A1", percent_approved=95),
            False,
        ),
        (
            requirement(LOCALE, "In", LocaleValues=[{"Country": "KE"}, {"Country": "TZ"}]),
            Worker("A1", country="TZ"),
            True,
        ),
        (
            requirement(LOCALE, "NotEqualTo", LocaleValues=[{"Country": "US"}]),
            Worker("A1"),
            False,
        ),
        (
            requirement(LOCALE, "EqualTo", LocaleValues=[{"Country": "US", "Subdivision": "NY"}]),
            Worker("A1", subdivision="CA"),
            False,
        ),
        (requirement(MASTERS["sandbox"], "Exists"), Worker("A1"), False),
        (requirement(MASTERS["sandbox"], "Exists"), Worker("A1", is_master=True), True),
    ],
)
def test_requirements_decide_who_may_accept(mturk, make_hit, wanted, worker, is_let_in):
    mturk.add_worker(worker)
    hit_id = make_hit(QualificationRequirements=[wanted])
    if is_let_in:
        mturk.accept(hit_id, "A1")
        return
    with pytest.raises(Refused, match="Qualifications"):
        mturk.accept(hit_id, "A1")


def test_who_did_it_already_is_kept_out_by_a_qualification(client, mturk, make_hit):
    did_it = make_qualification(client, Name="did it already")
    hit_id = make_hit(QualificationRequirements=[requirement(did_it, "DoesNotExist")])
    key = {"QualificationTypeId": did_it, "WorkerId": "A1"}
    client.associate_qualification_with_worker(**key, IntegerValue=3, SendNotification=False)
    assert client.get_qualification_score(**key)["Qualification"]["IntegerValue"] == 3
    with pytest.raises(Refused):
        mturk.accept(hit_id, "A1")
    client.disassociate_qualification_from_worker(**key, Reason="By mistake.")
    mturk.accept(hit_id, "A1")
    listed = client.list_workers_with_qualification_type(QualificationTypeId=did_it)
    assert [held["Status"] for held in listed["Qualifications"]] == ["Revoked"]
    uses = client.list_hits_for_qualification_type(QualificationTypeId=did_it)
    assert [hit["HITId"] for hit in uses["HITs"]] == [hit_id]
    with pytest.raises(ClientError):
        client.get_qualification_score(**key)


def test_a_guarded_hit_is_found_only_by_those_it_is_for(client, mturk, make_hit):
    only_hers = make_qualification(client, Name="session 2 of A1")
    hers = requirement(only_hers, "Exists", guards="DiscoverPreviewAndAccept")
    hit_id = make_hit(QualificationRequirements=[hers])
    client.associate_qualification_with_worker(QualificationTypeId=only_hers, WorkerId="A1")
    assert mturk.visible_hits("A1") == [hit_id]
    assert mturk.visible_hits("A2") == []
    mturk.preview_url(hit_id, "A1")
    with pytest.raises(Refused):
        mturk.preview_url(hit_id, "A2")


def test_qualification_types_have_names_of_their_own(client):
    make_qualification(client, Name="Swahili test")
    with pytest.raises(ClientError, match="already created"):
        make_qualification(client, Name="Swahili test")
    found = client.list_qualification_types(
        Query="swahili", MustBeRequestable=False, MustBeOwnedByCaller=True
    )
    assert found["NumResults"] == 1
