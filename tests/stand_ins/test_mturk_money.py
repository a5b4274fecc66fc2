"""What things cost at the Mechanical Turk stand-in, and who is paid when."""

import pytest
from botocore.exceptions import ClientError

from tests.stand_ins.mturk.money import bonus_fee, reward_fee
from tests.stand_ins.mturk.records import MASTERS

DAY_S = 86_400


@pytest.fixture
def submitted(mturk, make_hit):
    """Return the id of an assignment that A1 submitted; it costs 50 + 10 cents."""
    assignment_id = mturk.accept(make_hit(), "A1")
    mturk.submit(assignment_id, {"code": "1"})
    return assignment_id


def balance(client):
    return client.get_account_balance()["AvailableBalance"]


def code_of(caught):
    return caught.value.response["TurkErrorCode"].removeprefix("AWS.MechanicalTurk.")


def status_of(client, assignment_id):
    return client.get_assignment(AssignmentId=assignment_id)["Assignment"]["AssignmentStatus"]


@pytest.mark.parametrize(
    ("reward_cents", "max_assignments", "needs_masters", "fee_cents"),
    [
        (50, 9, False, 10),
        (50, 10, False, 20),
        (100, 9, True, 25),
        (100, 10, True, 45),
        (1, 1, False, 1),  # never less than a cent
        (52, 1, False, 10),  # 10.4
        (53, 1, False, 11),  # 10.6
        (50, 1, True, 13),  # 12.5, and half goes up
    ],
)
def test_fees_follow_the_price_list(reward_cents, max_assignments, needs_masters, fee_cents):
    fee = reward_fee(reward_cents, max_assignments=max_assignments, needs_masters=needs_masters)
    assert fee == fee_cents


def test_a_bonus_costs_a_fifth_and_no_surcharge():
    assert [bonus_fee(cents) for cents in (1, 100, 250)] == [1, 20, 50]


def test_open_places_are_held_back_until_they_cannot_be_paid_any_more(client, mturk, make_hit):
    hit_id = make_hit(MaxAssignments=3)
    assert balance(client) == "98.20"
    for worker in ("A1", "A2"):
        mturk.submit(mturk.accept(hit_id, worker), {"code": worker})
    first, second = client.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    client.approve_assignment(AssignmentId=first["AssignmentId"])
    assert balance(client) == "98.20"
    client.reject_assignment(AssignmentId=second["AssignmentId"], RequesterFeedback="Empty.")
    assert balance(client) == "98.80"
    mturk.advance(8 * DAY_S)
    assert balance(client) == "99.40"
    assert mturk.market.ledger.balance_cents == 99_40
    assert mturk.market.ledger.spent_cents("reward") == 50
    assert mturk.market.ledger.spent_cents("reward_fee") == 10


def test_no_hit_is_made_that_could_not_be_paid(client, make_hit):
    make_hit(MaxAssignments=9, Reward="9.00")  # 97.20 of 100.00
    with pytest.raises(ClientError) as caught:
        make_hit(MaxAssignments=5, Reward="0.50")
    assert code_of(caught) == "InsufficientFunds"
    assert client.list_hits()["NumResults"] == 1
    assert balance(client) == "2.80"


def test_no_place_is_added_that_could_not_be_paid(client, make_hit):
    hit_id = make_hit(MaxAssignments=8, Reward="10.00")  # 96.00 of 100.00
    with pytest.raises(ClientError) as caught:
        client.create_additional_assignments_for_hit(HITId=hit_id, NumberOfAdditionalAssignments=1)
    assert code_of(caught) == "InsufficientFunds"
    assert client.get_hit(HITId=hit_id)["HIT"]["MaxAssignments"] == 8


def test_accounts_without_a_hold_run_dry_when_work_is_approved(client, mturk, make_hit):
    mturk.market.holds_rewards = False
    first, second = (mturk.accept(make_hit(Reward="60.00"), "A1") for _ in range(2))
    assert balance(client) == "100.00"
    for assignment_id in (first, second):
        mturk.submit(assignment_id, {"code": "1"})
    client.approve_assignment(AssignmentId=first)
    with pytest.raises(ClientError) as caught:
        client.approve_assignment(AssignmentId=second)
    assert code_of(caught) == "InsufficientFunds"
    assert status_of(client, second) == "Submitted"
    assert balance(client) == "28.00"


def test_masters_make_a_hit_dearer(client, make_hit):
    make_hit(
        Reward="1.00",
        QualificationRequirements=[
            {"QualificationTypeId": MASTERS["sandbox"], "Comparator": "Exists"}
        ],
    )
    assert balance(client) == "98.75"


def test_work_is_approved_once(client, mturk, submitted):
    client.approve_assignment(AssignmentId=submitted, RequesterFeedback="Thank you.")
    for decide in (client.approve_assignment, client.reject_assignment):
        with pytest.raises(ClientError, match="status of: Submitted") as caught:
            decide(AssignmentId=submitted, RequesterFeedback="Again.")
        assert code_of(caught) == "InvalidAssignmentState"
    assert mturk.market.ledger.spent_cents() == 60


def test_work_that_nobody_submitted_is_neither_approved_nor_shown(client, mturk, make_hit):
    hit_id = make_hit()
    assignment_id = mturk.accept(hit_id, "A1")
    with pytest.raises(ClientError, match="status of: null"):
        client.approve_assignment(AssignmentId=assignment_id)
    with pytest.raises(ClientError, match="Reviewable,Approved,Rejected"):
        client.get_assignment(AssignmentId=assignment_id)
    assert client.list_assignments_for_hit(HITId=hit_id)["NumResults"] == 0


def test_the_service_can_be_behind_its_own_pages(client, mturk, submitted):
    mturk.market.lag_s = 60
    with pytest.raises(ClientError, match="status of: null"):
        client.approve_assignment(AssignmentId=submitted)
    hit_id = client.list_hits()["HITs"][0]["HITId"]
    assert client.list_assignments_for_hit(HITId=hit_id)["NumResults"] == 0
    mturk.advance(61)
    client.approve_assignment(AssignmentId=submitted)


def test_work_approves_itself_after_its_delay(client, mturk, submitted):
    mturk.advance(DAY_S - 60)
    assert status_of(client, submitted) == "Submitted"
    mturk.advance(61)
    assert status_of(client, submitted) == "Approved"
    with pytest.raises(ClientError, match="status of: Submitted"):
        client.approve_assignment(AssignmentId=submitted)
    assert mturk.market.ledger.spent_cents(assignment_id=submitted) == 60


def test_a_rejection_can_be_taken_back_within_thirty_days(client, mturk, submitted):
    client.reject_assignment(AssignmentId=submitted, RequesterFeedback="Empty.")
    with pytest.raises(ClientError):
        client.approve_assignment(AssignmentId=submitted)
    mturk.advance(29 * DAY_S)
    client.approve_assignment(AssignmentId=submitted, OverrideRejection=True)
    assignment = client.get_assignment(AssignmentId=submitted)["Assignment"]
    assert assignment["AssignmentStatus"] == "Approved"
    assert "RejectionTime" not in assignment


def test_a_rejection_stands_after_thirty_days(client, mturk, submitted):
    client.reject_assignment(AssignmentId=submitted, RequesterFeedback="Empty.")
    mturk.advance(30 * DAY_S + 1)
    with pytest.raises(ClientError):
        client.approve_assignment(AssignmentId=submitted, OverrideRejection=True)


def test_a_rejection_says_why(client, submitted):
    with pytest.raises(ClientError, match="RequesterFeedback"):
        client.reject_assignment(AssignmentId=submitted, RequesterFeedback=" ")


def bonus(assignment_id, **changes):
    known = {"AssignmentId": assignment_id, "WorkerId": "A1", "BonusAmount": "1.50"}
    return {**known, "Reason": "Careful work.", **changes}


def test_a_bonus_is_paid_once_a_token(client, mturk, submitted):
    client.send_bonus(**bonus(submitted, UniqueRequestToken="bonus-1"))
    with pytest.raises(ClientError, match='"bonus-1" has already been processed'):
        client.send_bonus(**bonus(submitted, UniqueRequestToken="bonus-1"))
    assert mturk.market.ledger.spent_cents("bonus", "bonus_fee", assignment_id=submitted) == 180
    (paid,) = client.list_bonus_payments(AssignmentId=submitted)["BonusPayments"]
    assert (paid["BonusAmount"], paid["WorkerId"]) == ("1.50", "A1")


def test_a_token_older_than_a_day_pays_again(client, mturk, submitted):
    client.send_bonus(**bonus(submitted, UniqueRequestToken="bonus-1"))
    mturk.advance(DAY_S + 1)
    client.send_bonus(**bonus(submitted, UniqueRequestToken="bonus-1"))
    assert mturk.market.ledger.spent_cents("bonus") == 300


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"WorkerId": "A2"}, "did not complete"),
        ({"BonusAmount": "0.00"}, "at least 0.01"),
        ({"BonusAmount": "90.00"}, "insufficient funds"),
        ({"WorkerId": "B1"}, "must match"),
    ],
)
def test_bonuses_go_to_whoever_did_the_work_and_within_the_balance(
    client, mturk, submitted, changes, complaint
):
    with pytest.raises(ClientError, match=complaint):
        client.send_bonus(**bonus(submitted, **changes))
    assert mturk.market.ledger.spent_cents() == 0


def test_bonuses_are_listed_by_hit_or_by_assignment(client, mturk, submitted):
    for number in range(12):
        client.send_bonus(**bonus(submitted, BonusAmount=f"0.{number + 10}"))
    hit_id = client.list_hits()["HITs"][0]["HITId"]
    pages = client.get_paginator("list_bonus_payments").paginate(HITId=hit_id)
    assert [page["NumResults"] for page in pages] == [10, 2]
    with pytest.raises(ClientError, match="must be specified"):
        client.list_bonus_payments()


def test_more_than_a_hundred_assignments_come_in_pages_of_37(client, mturk, make_hit):
    hit_id = make_hit(MaxAssignments=120, Reward="0.05")
    for number in range(120):
        mturk.submit(mturk.accept(hit_id, f"A{number}"), {"code": str(number)})
    pages = list(
        client.get_paginator("list_assignments_for_hit").paginate(
            HITId=hit_id, AssignmentStatuses=["Submitted"], PaginationConfig={"PageSize": 37}
        )
    )
    assert [page["NumResults"] for page in pages] == [37, 37, 37, 9]
    workers = [row["WorkerId"] for page in pages for row in page["Assignments"]]
    assert workers == [f"A{number}" for number in range(120)]
