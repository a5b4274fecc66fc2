"""`manage.py review`: decisions and payments without the browser."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks.crowd import ledger
from tasks.models import Assignment, LedgerEntry
from tests.factories import make_link

pytestmark = pytest.mark.django_db

RUSHED = "Every word was accepted within a second."


def review(*args):
    """Return what the command prints."""
    out = StringIO()
    call_command("review", *map(str, args), stdout=out)
    return out.getvalue()


def review_json(*args):
    return json.loads(review(*args, "--json"))


def paid_there(mturk):
    return mturk.market.ledger.spent_cents()


@pytest.fixture
def amina(hand_in):
    return hand_in("AMINA")


def test_approving_tells_what_was_decided_and_paid(mturk, amina):
    told = review_json(amina.pk, "approve", "--feedback", "Well done.")
    assert (told["done"], told["decision"], told["status_there"]) == (True, "approve", "approved")
    assert (told["worker_id"], told["mode"], told["feedback"]) == ("AMINA", "sandbox", "Well done.")
    (row,) = told["ledger"]
    assert (row["kind"], row["state"]) == ("reward", "confirmed")
    assert row["cents"] + row["fee_cents"] == paid_there(mturk) == 60


def test_the_platforms_id_will_do_and_twice_is_no_failure(mturk, amina):
    for _ in range(2):
        text = review(amina.platform_id, "approve")
        assert text == (
            "AMINA (sandbox): approved on the platform\n"
            "  reward: 0.50 USD and a fee of 0.10 USD, confirmed\n"
        )
    assert paid_there(mturk) == 60


def test_an_id_that_was_given_back_is_that_of_who_has_it_now(mturk, arrive):
    amina = arrive("AMINA")
    mturk.return_(amina.platform_id)
    Assignment.objects.filter(pk=amina.pk).update(state="returned")
    asha = arrive("ASHA")
    assert asha.platform_id == amina.platform_id
    mturk.submit(asha.platform_id, {"completionCode": "x"})
    assert review_json(asha.platform_id, "approve")["worker_id"] == "ASHA"
    assert paid_there(mturk) == 60


def test_an_id_that_two_people_claim_asks_for_our_number(mturk, amina, arrive):
    asha = arrive("ASHA")
    Assignment.objects.filter(pk=asha.pk).update(platform_id=amina.platform_id)
    expected = rf"{amina.pk} \(AMINA, submitted\), {asha.pk} \(ASHA, submitted\)"
    with pytest.raises(CommandError, match=expected):
        review(amina.platform_id, "approve")
    assert paid_there(mturk) == 0


@pytest.mark.parametrize("name", ["12345678", "3NOBODY", ""])
def test_an_unknown_assignment_is_named(db, name):
    with pytest.raises(CommandError, match=f"there is no assignment '{name}'"):
        review(name, "approve")


def test_a_rejection_and_its_overruling(mturk, amina):
    told = review_json(amina.pk, "reject", "--reason", RUSHED)
    assert (told["decision"], told["status_there"]) == ("reject", "rejected")
    assert [row["state"] for row in told["ledger"]] == ["failed"]
    with pytest.raises(CommandError, match="AMINA was rejected at"):
        review(amina.pk, "approve")
    told = review_json(amina.pk, "approve", "--overrule")
    assert (told["decision"], told["status_there"]) == ("approve", "approved")
    assert [row["state"] for row in told["ledger"]] == ["failed", "confirmed"]
    assert paid_there(mturk) == 60


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["reject"], "reject needs a --reason"),
        (["reject", "--reason", " "], "reject needs a --reason"),
        (["bonus", "--cents", "5"], "bonus needs a --reason"),
        (["bonus", "--reason", "Careful."], "bonus needs --cents or --amount"),
        (["bonus", "--reason", "Careful.", "--cents", "0"], "'0' is not a number of cents"),
        (["bonus", "--reason", "Careful.", "--cents", "1.5"], "'1.5' is not a number of cents"),
        (["bonus", "--reason", "Careful.", "--amount", "1.555"], "'1.555' is not an amount"),
        (["bonus", "--reason", "Careful.", "--amount", "-1"], "'-1' is not an amount"),
        (["bonus", "--reason", "Careful.", "--amount", "0.00"], "'0.00' is not an amount"),
        (["bonus", "--reason", "Careful.", "--amount", "ten"], "'ten' is not an amount"),
        (["reject", "--reason", RUSHED, "--overrule"], "--overrule goes with approve"),
    ],
)
def test_what_is_missing_or_no_amount_is_named(mturk, amina, options, sentence):
    calls = len(mturk.calls)
    with pytest.raises(CommandError, match=sentence):
        review(amina.pk, *options)
    assert len(mturk.calls) == calls
    amina.refresh_from_db()
    assert amina.decision == ""


@pytest.mark.parametrize(("amount", "cents"), [("2", 200), ("1.5", 150), ("0.07", 7)])
def test_amounts_are_read_to_the_cent(mturk, amina, amount, cents):
    told = review_json(amina.pk, "bonus", "--amount", amount, "--reason", "Careful.")
    assert [row["cents"] for row in told["ledger"]] == [cents]
    assert mturk.market.ledger.spent_cents("bonus") == cents


def test_a_bonus_is_paid_once_unless_it_is_asked_for_again(mturk, amina):
    bonus = [amina.pk, "bonus", "--amount", "1.20", "--reason", "Very careful."]
    for _ in range(2):
        told = review_json(*bonus)
        assert [(row["kind"], row["cents"], row["state"]) for row in told["ledger"]] == [
            ("bonus", 120, "confirmed")
        ]
    assert paid_there(mturk) == 144
    review(*bonus, "--again")
    assert paid_there(mturk) == 2 * 144


@pytest.mark.parametrize(("outcome", "state"), [("paid", "confirmed"), ("unpaid", "failed")])
def test_what_became_of_a_bonus_is_said_by_a_person(mturk, amina, outcome, state):
    entry = ledger.promise_bonus(amina, cents=120, fee_cents=24, reason="Very careful.")
    ledger.note_sent(entry)
    LedgerEntry.objects.filter(pk=entry.pk).update(platform="prolific")
    with pytest.raises(CommandError, match="0 bonuses to AMINA"):
        review(amina.pk, "bonus", "--outcome", outcome, "--cents", 121)
    told = review_json(amina.pk, "bonus", "--outcome", outcome)
    assert [row["state"] for row in told["ledger"]] == [state]
    assert mturk.calls_of("SendBonus") == []


def test_what_could_not_be_done_is_told_in_json_too(mturk, amina, impatient, capsys):
    mturk.faults.add("throttle", operations=["ApproveAssignment"], next_calls=1)
    out = StringIO()
    with pytest.raises(CommandError, match=r"takes no more calls.*\(approve is noted, and done la"):
        call_command("review", str(amina.pk), "approve", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["done"], told["decision"]) == (False, "approve")
    assert "takes no more calls" in told["problem"]
    assert [row["state"] for row in told["ledger"]] == ["planned"]
    assert review_json(amina.pk, "approve")["done"]
    assert paid_there(mturk) == 60


def test_nobody_is_paid_under_a_forged_name(mturk, amina):
    Assignment.objects.update(worker_id="MALLORY")
    with pytest.raises(CommandError, match="is AMINA's and not MALLORY's: nothing was decided"):
        review(amina.pk, "approve")
    assert paid_there(mturk) == 0
    assert not LedgerEntry.objects.exclude(state="planned").exists()


def test_a_compensation_is_made_for_its_person(mturk, arrive):
    amina = arrive("AMINA")
    told = review_json(amina.pk, "compensate", "--cents", 70, "--reason", "Our page was down.")
    assert told["done"]
    assert (told["worker_id"], told["decision"]) == ("AMINA", "approve")
    assert told["listing"] in mturk.visible_hits("AMINA")


def test_who_came_by_a_direct_link_is_paid_by_hand(project):
    with pytest.raises(CommandError, match="paid by hand"):
        review(make_link(project).pk, "approve")


def test_without_credentials_nothing_is_half_made(mturk, amina, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(CommandError, match="there are no AWS credentials"):
        review(amina.pk, "approve")
    assert not LedgerEntry.objects.exclude(state="planned").exists()
