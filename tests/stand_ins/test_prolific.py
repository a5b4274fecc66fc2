"""The stand-in keeps Prolific's documented rules: what its own side does, and what it refuses."""

import json
import math
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.stand_ins.prolific import Prolific
from tests.stand_ins.prolific.world import Refused

ADDRESS = "https://words.example/p/?PROLIFIC_PID={{%PROLIFIC_PID%}}&SESSION_ID={{%SESSION_ID%}}"
REASON = (
    "The answers were given at random: every word of every page was accepted, control words too. "
)
STUDY = {
    "name": "Words of two languages",
    "description": "Judge words.",
    "external_study_url": ADDRESS,
    "prolific_id_option": "url_parameters",
    "completion_codes": [
        {"code": "DONE1", "code_type": "COMPLETED", "actions": [{"action": "MANUALLY_REVIEW"}]},
        {
            "code": "HELP1",
            "code_type": "OTHER",
            "actions": [{"action": "AUTOMATICALLY_APPROVE"}],
            "actor": "researcher",
        },
    ],
    "total_available_places": 2,
    "estimated_completion_time": 60,
    "reward": 1000,
}


@pytest.fixture
def prolific():
    with Prolific() as running:
        yield running


def ask(prolific, method, path, told=None, *, token=None):
    headers = {"Authorization": token or f"Token {prolific.token}"}
    data = None
    if told is not None:
        data, headers["Content-Type"] = json.dumps(told).encode(), "application/json"
    request = Request(f"{prolific.url}/api/v1/{path}", data, headers, method=method)
    with urlopen(request, timeout=5) as response:
        content = response.read()
        return json.loads(content) if content else None


def refusal(prolific, method, path, told=None, **options):
    with pytest.raises(HTTPError) as caught:
        ask(prolific, method, path, told, **options)
    with caught.value as error:
        return json.loads(error.read())["error"]


def published(prolific, **changes):
    study = ask(prolific, "POST", "studies/", {**STUDY, **changes})
    ask(prolific, "POST", f"studies/{study['id']}/transition/", {"action": "PUBLISH"})
    return study["id"]


def taken(prolific, study_id, participant_id="amina"):
    prolific.take(study_id, participant_id)
    return prolific.session_of(study_id, participant_id).id


def finished(prolific, study_id, participant_id="amina"):
    submission_id = taken(prolific, study_id, participant_id)
    prolific.finish(submission_id, "DONE1")
    return submission_id


def status_of(prolific, path):
    return ask(prolific, "GET", path)["status"]


def test_a_wrong_token_opens_nothing(prolific):
    assert refusal(prolific, "GET", "users/me/", token="Token wrong")["status"] == 401


@pytest.mark.parametrize("path", ["studies/none/", "submissions/none/", "nowhere/", "users/me"])
def test_what_is_not_there_is_not_found(prolific, path):
    assert refusal(prolific, "GET", path)["status"] == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"reward": None},
        {"reward": "10.00"},
        {"total_available_places": 0},
        {"prolific_id_option": "cookie"},
        {"maximum_allowed_time": 60},
        {"completion_codes": [STUDY["completion_codes"][0]] * 2},
        {"rewards": 1000},
    ],
)
def test_a_draft_with_a_wrong_field_is_refused(prolific, changes):
    told = refusal(prolific, "POST", "studies/", {**STUDY, **changes})
    assert told["status"] == 400
    assert set(told["detail"]) == set(changes)
    assert not prolific.world.studies


def test_the_time_allowed_is_at_least_what_the_reference_computes(prolific):
    least = int(2 + 2 * 60 + 2 * math.sqrt(60))
    study = ask(prolific, "POST", "studies/", {**STUDY, "maximum_allowed_time": least})
    assert study["maximum_allowed_time"] == least == 137


def test_a_study_goes_from_draft_to_active_and_back_by_the_documented_steps(prolific):
    study_id = published(prolific)
    path = f"studies/{study_id}/"
    for action, status in [("PAUSE", "PAUSED"), ("START", "ACTIVE"), ("STOP", "COMPLETED")]:
        assert ask(prolific, "POST", f"{path}transition/", {"action": action})["status"] == status
    assert refusal(prolific, "POST", f"{path}transition/", {"action": "START"})["status"] == 400
    assert ask(prolific, "PATCH", path, {"total_available_places": 3})["status"] == "ACTIVE"


def test_a_published_study_can_only_grow(prolific):
    path = f"studies/{published(prolific)}/"
    for changes in [{"total_available_places": 1}, {"reward": 2000}]:
        assert set(refusal(prolific, "PATCH", path, changes)["detail"]) == set(changes)
    assert refusal(prolific, "DELETE", path)["status"] == 400


def test_publishing_more_than_the_balance_pays_for_is_refused():
    with Prolific(balance_cents=2855) as prolific:  # two places cost 2 × (1000 + 428)
        study = ask(prolific, "POST", "studies/", STUDY)
        told = refusal(
            prolific, "POST", f"studies/{study['id']}/transition/", {"action": "PUBLISH"}
        )
        assert told["title"] == "Insufficient funds"
        assert status_of(prolific, f"studies/{study['id']}/") == "UNPUBLISHED"


def test_a_participant_arrives_with_the_ids_in_the_address(prolific):
    study_id = published(prolific)
    query = parse_qs(urlsplit(prolific.take(study_id, "amina")).query)
    session = prolific.session_of(study_id, "amina")
    assert query == {"PROLIFIC_PID": ["amina"], "SESSION_ID": [session.id]}
    assert session.status == "ACTIVE"


def test_no_more_take_part_than_there_are_places(prolific):
    study_id = published(prolific)
    prolific.take(study_id, "amina")
    prolific.take(study_id, "binta")
    with pytest.raises(Refused, match="no place"):
        prolific.take(study_id, "chidi")


def test_nobody_takes_part_twice(prolific):
    study_id = published(prolific)
    prolific.return_(taken(prolific, study_id))
    with pytest.raises(Refused, match="had a place"):
        prolific.take(study_id, "amina")


def test_returning_and_running_out_of_time_free_the_place(prolific):
    study_id = published(prolific)
    prolific.return_(taken(prolific, study_id, "amina"))
    late = taken(prolific, study_id, "binta")
    prolific.advance(24 * 3600)
    assert status_of(prolific, f"submissions/{late}/") == "TIMED-OUT"
    assert ask(prolific, "GET", f"studies/{study_id}/")["places_taken"] == 0


def test_a_reservation_lasts_ten_minutes(prolific):
    place = prolific.reserve(published(prolific), "amina")
    prolific.advance(599)
    assert place.status == "RESERVED"
    prolific.advance(1)
    assert place.status != "RESERVED"


@pytest.mark.parametrize("code", ["DONE1", "WRONG", None, "HELP1"])
def test_finished_work_waits_for_review_with_whatever_code(prolific, code):
    submission_id = taken(prolific, published(prolific))
    prolific.finish(submission_id, code)
    told = ask(prolific, "GET", f"submissions/{submission_id}/")
    assert (told["status"], told["entered_code"]) == ("AWAITING REVIEW", code)


def test_a_code_can_approve_by_itself(prolific):
    codes = [{**STUDY["completion_codes"][0], "actions": [{"action": "AUTOMATICALLY_APPROVE"}]}]
    finished(prolific, published(prolific, completion_codes=codes))
    assert prolific.paid_cents("amina") == 1000


def test_the_researcher_can_hand_in_a_code_of_theirs_and_no_other(prolific):
    submission_id = taken(prolific, published(prolific))
    path = f"submissions/{submission_id}/transition/"
    told = {"action": "COMPLETE", "completion_code": "DONE1"}
    assert "completion_code" in refusal(prolific, "POST", path, told)["detail"]
    for _ in range(2):
        done = ask(prolific, "POST", path, {**told, "completion_code": "HELP1"})
        assert done["status"] == "APPROVED"
    assert prolific.paid_cents("amina") == 1000


def test_approving_pays_once_however_often_it_is_asked(prolific):
    submission_id = finished(prolific, published(prolific))
    for _ in range(2):
        ask(prolific, "POST", f"submissions/{submission_id}/transition/", {"action": "APPROVE"})
    assert [(row.kind, row.cents, row.fee_cents) for row in prolific.ledger] == [
        ("reward", 1000, 428)
    ]


def test_a_rejection_needs_a_category_and_a_hundred_characters(prolific):
    submission_id = finished(prolific, published(prolific))
    path = f"submissions/{submission_id}/transition/"
    told = {"action": "REJECT", "rejection_category": "LOW_EFFORT", "message": REASON[:99]}
    assert "message" in refusal(prolific, "POST", path, told)["detail"]
    told = {"action": "REJECT", "message": REASON * 2}
    assert "rejection_category" in refusal(prolific, "POST", path, told)["detail"]
    told["rejection_category"] = "LOW_EFFORT"
    assert ask(prolific, "POST", path, told)["status"] == "REJECTED"
    assert refusal(prolific, "POST", path, {"action": "APPROVE"})["status"] == 400


def test_a_rejection_opens_the_place_again(prolific):
    study_id = published(prolific, total_available_places=1)
    submission_id = finished(prolific, study_id)
    assert status_of(prolific, f"studies/{study_id}/") == "AWAITING REVIEW"
    told = {"action": "REJECT", "rejection_category": "OTHER", "message": REASON * 2}
    ask(prolific, "POST", f"submissions/{submission_id}/transition/", told)
    assert status_of(prolific, f"studies/{study_id}/") == "ACTIVE"


def test_a_full_study_may_have_to_be_started_again(prolific):
    prolific.world.reopens = False
    study_id = published(prolific, total_available_places=1)
    path = f"studies/{study_id}/transition/"
    submission_id = finished(prolific, study_id)
    assert refusal(prolific, "POST", path, {"action": "START"})["status"] == 400
    told = {"action": "REJECT", "rejection_category": "OTHER", "message": REASON * 2}
    ask(prolific, "POST", f"submissions/{submission_id}/transition/", told)
    assert status_of(prolific, f"studies/{study_id}/") == "AWAITING REVIEW"
    assert ask(prolific, "POST", path, {"action": "START"})["status"] == "ACTIVE"


def test_a_stopped_study_awaits_its_reviews_and_takes_nobody(prolific):
    study_id = published(prolific)
    submission_id = finished(prolific, study_id)
    ask(prolific, "POST", f"studies/{study_id}/transition/", {"action": "STOP"})
    assert status_of(prolific, f"studies/{study_id}/") == "AWAITING REVIEW"
    with pytest.raises(Refused, match="no place"):
        prolific.take(study_id, "binta")
    ask(prolific, "POST", f"submissions/{submission_id}/transition/", {"action": "APPROVE"})
    assert status_of(prolific, f"studies/{study_id}/") == "COMPLETED"


def test_filters_tell_their_choices(prolific):
    told = {one["filter_id"]: one for one in ask(prolific, "GET", "filters/")["results"]}
    assert told["current-country-of-residence"]["choices"]["1"] == "United States"


def test_work_that_nobody_reviews_is_approved_in_the_end(prolific):
    finished(prolific, published(prolific))
    prolific.advance(21 * 24 * 3600 - 1)
    assert prolific.ledger == []
    prolific.advance(1)
    assert prolific.paid_cents("amina") == 1000


def test_each_pay_call_pays_the_bonuses_again_some_minutes_later(prolific):
    study_id = published(prolific)
    submission_id = finished(prolific, study_id)
    told = {"study_id": study_id, "csv_bonuses": f"{submission_id},1.05"}
    batch = ask(prolific, "POST", "submissions/bonus-payments/", told)
    assert (batch["amount"], batch["total_amount"]) == (105, 150)
    for _ in range(2):
        ask(prolific, "POST", f"bulk-bonus-payments/{batch['id']}/pay/")
    assert prolific.ledger == []
    prolific.advance(120)
    assert ask(prolific, "GET", f"submissions/{submission_id}/")["bonus_payments"] == [105, 105]


@pytest.mark.parametrize("line", ["stranger,1.00", "amina,0.00", "amina,-1.00", "amina;1.00", ""])
def test_a_bonus_for_a_stranger_or_of_no_amount_is_refused(prolific, line):
    study_id = published(prolific)
    finished(prolific, study_id)
    told = {"study_id": study_id, "csv_bonuses": line}
    path = "submissions/bonus-payments/"
    assert "csv_bonuses" in refusal(prolific, "POST", path, told)["detail"]


def test_the_balance_is_what_came_in_less_what_the_ledger_says(prolific):
    path = f"workspaces/{prolific.world.workspace_id}/balance/"
    study_id = published(prolific)
    told = ask(prolific, "GET", path)
    assert (told["total_balance"], told["available_balance"]) == (100_000, 100_000 - 2 * 1428)
    submission_id = finished(prolific, study_id)
    ask(prolific, "POST", f"submissions/{submission_id}/transition/", {"action": "APPROVE"})
    ask(prolific, "POST", f"studies/{study_id}/transition/", {"action": "STOP"})
    told = ask(prolific, "GET", path)
    assert told["total_balance"] == told["available_balance"] == 100_000 - 1428


def test_filters_keep_people_out(prolific):
    first = published(prolific)
    prolific.take(first, "amina")
    for filters, fitting in [
        ([{"filter_id": "custom_allowlist", "selected_values": ["binta"]}], {"binta"}),
        ([{"filter_id": "custom_blocklist", "selected_values": ["binta"]}], {"amina"}),
        ([{"filter_id": "previous_studies_blocklist", "selected_values": [first]}], {"binta"}),
        ([{"filter_id": "previous_studies_allowlist", "selected_values": [first]}], {"amina"}),
    ]:
        study_id = published(prolific, filters=filters)
        for person in {"amina", "binta"} - fitting:
            with pytest.raises(Refused, match="filtered out"):
                prolific.take(study_id, person)
        for person in fitting:
            prolific.take(study_id, person)


def test_a_group_keeps_its_members_out_from_the_moment_they_join(prolific):
    told = {"name": "Before", "workspace_id": prolific.world.workspace_id}
    group = ask(prolific, "POST", "participant-groups/", told)
    filters = [{"filter_id": "participant_group_blocklist", "selected_values": [group["id"]]}]
    study_id = published(prolific, filters=filters)
    path = f"participant-groups/{group['id']}/participants/"
    ask(prolific, "POST", path, {"participant_ids": ["amina"]})
    with pytest.raises(Refused, match="filtered out"):
        prolific.take(study_id, "amina")
    ask(prolific, "DELETE", path, {"participant_ids": ["amina"]})
    prolific.take(study_id, "amina")


def test_more_places_and_bonuses_cost_no_more_than_there_is():
    with Prolific(balance_cents=2 * 1428 + 99) as prolific:
        study_id = published(prolific)
        told = refusal(prolific, "PATCH", f"studies/{study_id}/", {"total_available_places": 3})
        assert told["title"] == "Insufficient funds"
        told = {"study_id": study_id, "csv_bonuses": f"{finished(prolific, study_id)},1.00"}
        batch = ask(prolific, "POST", "submissions/bonus-payments/", told)
        told = refusal(prolific, "POST", f"bulk-bonus-payments/{batch['id']}/pay/")
        assert told["title"] == "Insufficient funds"
        prolific.advance(120)
        assert prolific.ledger == []


def test_nobody_new_takes_part_in_a_paused_study(prolific):
    study_id = published(prolific)
    submission_id = taken(prolific, study_id, "amina")
    ask(prolific, "POST", f"studies/{study_id}/transition/", {"action": "PAUSE"})
    with pytest.raises(Refused, match="no place"):
        prolific.take(study_id, "binta")
    prolific.finish(submission_id, "DONE1")  # who is at work already may finish


def test_a_subscription_needs_a_secret_https_and_its_confirmation(prolific):
    told = {
        "workspace_id": prolific.world.workspace_id,
        "event_type": "study.status.change",
        "target_url": "https://words.example/hooks/",
    }
    path = "hooks/subscriptions/"
    assert "workspace_id" in refusal(prolific, "POST", path, told)["detail"]
    ask(prolific, "POST", "hooks/secrets/", {"workspace_id": told["workspace_id"]})
    plain = {**told, "target_url": "http://words.example/hooks/"}
    assert "target_url" in refusal(prolific, "POST", path, plain)["detail"]
    made = ask(prolific, "POST", path, told)
    wrong = refusal(prolific, "POST", f"{path}{made['id']}/", {"secret": "wrong"})
    assert "secret" in wrong["detail"]
    published(prolific)
    assert prolific.deliveries == []


def test_prolifics_staff_may_approve_what_timed_out(prolific):
    submission_id = taken(prolific, published(prolific))
    prolific.advance(24 * 3600)
    prolific.overrule(submission_id, "APPROVED")
    assert status_of(prolific, f"submissions/{submission_id}/") == "APPROVED"
    assert prolific.paid_cents("amina") == 1000


def test_a_page_past_the_last_is_not_found(prolific):
    study_id = published(prolific, total_available_places=21)
    for number in range(21):
        prolific.take(study_id, f"person{number}")
    path = f"submissions/?study={study_id}"
    assert len(ask(prolific, "GET", path)["results"]) == 20
    assert len(ask(prolific, "GET", f"{path}&page=2")["results"]) == 1
    assert refusal(prolific, "GET", f"{path}&page=3")["status"] == 404
    assert refusal(prolific, "GET", "submissions/")["status"] == 400


def test_a_fault_hits_the_calls_that_it_is_planned_for(prolific):
    prolific.faults.plan("throttled", on="GET .*/me/", retry_after_s=7)
    with pytest.raises(HTTPError) as caught:
        ask(prolific, "GET", "users/me/")
    with caught.value as error:
        assert (error.code, error.headers["Retry-After"]) == (429, "7")
    assert ask(prolific, "GET", "users/me/")["id"]
    assert [call.status for call in prolific.calls] == [429, 200]
