"""Decisions and payments on a running Mechanical Turk: whatever happens, the ledger agrees."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import boto3
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.utils import timezone

from tasks.crowd import bonuses, ledger, paying
from tasks.models import Assignment, EntryState, LedgerEntry, Listing, PlatformCall
from tasks.platforms import OutcomeUnknown, PlatformError
from tasks.services import TaskError
from tests.factories import make_link
from tests.stand_ins.mturk.money import Entry

pytestmark = pytest.mark.django_db

DAY_S = 86_400
REWARD, FEE = 50, 10


@pytest.fixture
def before_next(mturk):
    """Give a function that lets something happen there just before the next call of a kind."""
    answer, waiting = mturk.answer, {}

    def hooked(headers, body):
        happen = waiting.pop(headers.get("x-amz-target", "").rsplit(".", 1)[-1], None)
        if happen:
            happen()
        return answer(headers, body)

    mturk.answer = hooked
    return waiting.__setitem__


@pytest.fixture
def api(mturk):
    """Give a client, as the requester's own site or scripts are."""
    client = boto3.client("mturk", endpoint_url=mturk.url, region_name="us-east-1")
    yield client
    client.close()


def paid_here():
    return LedgerEntry.objects.filter(state=EntryState.CONFIRMED).total_cents()


def paid_there(mturk):
    return mturk.market.ledger.spent_cents()


def entries(assignment, *kinds):
    return [one.state for one in assignment.ledger.filter(kind__in=kinds or ["reward"])]


def status_there(mturk, assignment):
    return mturk.market.assignments[assignment.platform_id].status


# --- Approving ---


def test_approving_pays_once_and_notes_what_the_platform_says(mturk, hand_in):
    manager = User.objects.create_user("manager")
    amina = paying.approve(hand_in(), by=manager, feedback="Well done.")
    assert (amina.decision, amina.decided_by, amina.status_there) == (
        "approve",
        manager,
        "approved",
    )
    assert amina.submitted_there_at is not None
    assert entries(amina) == ["confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE
    assert mturk.market.assignments[amina.platform_id].feedback == "Well done."


def test_approving_twice_is_no_failure_and_pays_once(mturk, hand_in):
    amina = hand_in()
    paying.approve(amina)
    again = paying.approve(amina)
    assert again.status_there == "approved"
    assert len(mturk.calls_of("ApproveAssignment")) == 1
    assert entries(amina) == ["confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_what_approved_itself_between_look_and_call_is_done(mturk, hand_in, before_next):
    amina = hand_in()
    before_next("ApproveAssignment", lambda: mturk.advance(3 * DAY_S + 1))
    assert paying.approve(amina).status_there == "approved"
    assert entries(amina) == ["confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_a_lost_answer_is_looked_for_and_not_paid_again(mturk, hand_in):
    amina = hand_in()
    mturk.faults.add("lost_answer", operations=["ApproveAssignment"], next_calls=1)
    paying.approve(amina)
    assert entries(amina) == ["confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE


@pytest.mark.parametrize("kind", ["lost_answer", "lost_request", "fault"])
def test_an_approval_of_unknown_outcome_is_settled_later(mturk, hand_in, kind, impatient):
    amina = hand_in()
    mturk.faults.add(kind, operations=["ApproveAssignment"], next_calls=1)
    with pytest.raises(OutcomeUnknown):
        paying.approve(amina)
    amina.refresh_from_db()
    assert (amina.decision, entries(amina)) == ("approve", ["sent"])
    assert paying.settle_all("mturk") == []
    assert entries(amina) == ["confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE
    assert paying.settle_all("mturk") == []
    assert len(mturk.calls_of("GetAssignment")) <= 3  # what is done is not asked for again


def test_work_that_was_not_handed_in_there_is_paid_once_it_is(mturk, arrive):
    amina = arrive()
    with pytest.raises(paying.NotHandedIn, match="AMINA has not handed in"):
        paying.approve(amina)
    assert paying.settle_all("mturk") == []
    assert paid_there(mturk) == 0
    mturk.submit(amina.platform_id, {"completionCode": "x"})
    assert paying.settle_all("mturk") == []
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_work_finished_nowhere_cannot_be_decided_on(mturk, arrive):
    amina = arrive()
    Assignment.objects.update(state="active", submitted_at=None)
    amina.refresh_from_db()
    for decide in (paying.approve, lambda one: paying.reject(one, reason="Empty.")):
        with pytest.raises(paying.NotHandedIn):
            decide(amina)
    amina.refresh_from_db()
    assert amina.decision == ""


def test_nobody_is_paid_under_a_forged_name(mturk, hand_in):
    amina = hand_in()
    Assignment.objects.update(worker_id="MALLORY")
    amina.refresh_from_db()
    with pytest.raises(TaskError, match="is AMINA's and not MALLORY's"):
        paying.approve(amina)
    with pytest.raises(TaskError, match="is AMINA's and not MALLORY's"):
        paying.bonus(amina, cents=20, reason="Fine work.")
    amina.refresh_from_db()
    assert (amina.decision, amina.status_there) == ("", "")
    assert "is AMINA's and not MALLORY's" in amina.note
    assert entries(amina, "reward", "bonus") == []
    assert paid_here() == paid_there(mturk) == 0


def test_too_little_money_in_the_middle_of_a_batch_leaves_the_rest_decided(mturk, hand_in):
    mturk.market.holds_rewards = False
    people = [hand_in(name) for name in ("AMINA", "BARAKA", "CHIKU", "DALILA")]
    ledger_there = mturk.market.ledger
    spare = ledger_there.balance_cents - 2 * (REWARD + FEE) - 5
    ledger_there.add(Entry(mturk.market.now, "deposit", -spare))
    told = []
    for one in people:
        try:
            paying.approve(one)
        except PlatformError as error:
            told.append(str(error))
    assert len(told) == 2
    assert "too little money" in told[0]
    assert [entries(one) for one in people] == [["confirmed"]] * 2 + [["planned"]] * 2
    assert paid_here() == paid_there(mturk) == 2 * (REWARD + FEE)
    ledger_there.add(Entry(mturk.market.now, "deposit", spare))
    assert paying.settle_all("mturk") == []
    assert [entries(one) for one in people] == [["confirmed"]] * 4
    assert paid_here() == paid_there(mturk) == 4 * (REWARD + FEE)


def test_a_batch_gets_through_forty_percent_throttling(mturk, hand_in):
    people = [hand_in(f"W{n}") for n in range(5)]
    Assignment.objects.update(decision="approve", decided_at=timezone.now())
    mturk.faults.add("throttle", share=0.4)
    assert paying.settle_all("mturk") == []
    assert [entries(one) for one in people] == [["confirmed"]] * 5
    assert paid_here() == paid_there(mturk) == 5 * (REWARD + FEE)
    outcomes = {call.outcome for call in mturk.calls}
    assert "ThrottlingException" in outcomes


def test_after_three_temporary_errors_in_a_row_the_rest_waits(mturk, hand_in, impatient):
    people = [hand_in(f"W{n}") for n in range(5)]
    Assignment.objects.update(decision="approve", decided_at=timezone.now())
    mturk.faults.add("throttle")
    problems = paying.settle_all("mturk")
    assert len(problems) == 4
    assert problems[0].startswith("W0: Mechanical Turk (sandbox) takes no more calls for now")
    assert problems[-1] == "the rest is left for later"
    mturk.faults.clear()
    assert paying.settle_all("mturk") == []
    assert [entries(one) for one in people] == [["confirmed"]] * 5
    assert paid_here() == paid_there(mturk) == 5 * (REWARD + FEE)


def test_work_of_another_market_is_left_alone(mturk, hand_in):
    amina = hand_in()
    Listing.objects.update(mode="live")
    amina = Assignment.objects.get(pk=amina.pk)
    calls = len(mturk.calls)
    with pytest.raises(PlatformError, match="belongs to the live market; the settings say sandbox"):
        paying.approve(amina)
    Assignment.objects.update(decision="approve", decided_at=timezone.now())
    assert paying.settle_all("mturk") == []
    assert len(mturk.calls) == calls


def test_who_came_by_a_direct_link_is_paid_by_hand(project):
    with pytest.raises(TaskError, match="paid by hand"):
        paying.approve(make_link(project))


# --- Rejecting ---


def test_a_rejection_needs_a_reason(mturk, hand_in):
    amina = hand_in()
    with pytest.raises(TaskError, match="AMINA is to be told why"):
        paying.reject(amina, reason=" ")
    assert status_there(mturk, amina) == "Submitted"


def test_a_rejection_is_told_and_ends_one_promise(mturk, hand_in, listing):
    amina = paying.reject(hand_in(), reason="Every word was accepted.")
    assert (amina.decision, amina.status_there) == ("reject", "rejected")
    assert mturk.market.assignments[amina.platform_id].feedback == "Every word was accepted."
    for _ in range(2):
        paying.settle(amina)
        assert paying.settle_all("mturk") == []
    assert entries(amina) == ["failed"]
    assert listing.ledger.filter(state="planned").count() == 4
    assert paid_here() == paid_there(mturk) == 0


def test_the_second_of_two_managers_is_told_who_decided(mturk, hand_in):
    amina, same = hand_in(), Assignment.objects.get()
    paying.reject(amina, by=User.objects.create_user("first"), reason="Every word was accepted.")
    with pytest.raises(TaskError, match=r"AMINA was rejected by first at 20.*overruling"):
        paying.approve(same)
    other, same = hand_in("BARAKA"), Assignment.objects.get(worker_id="BARAKA")
    paying.approve(other)
    with pytest.raises(TaskError, match=r"BARAKA was approved at 20.* which stands"):
        paying.reject(same, reason="Every word was accepted.")
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_what_approved_itself_before_a_rejection_is_paid_and_said(mturk, hand_in, before_next):
    amina = hand_in()
    before_next("RejectAssignment", lambda: mturk.advance(3 * DAY_S + 1))
    with pytest.raises(paying.DecidedOtherwise, match="too late to reject AMINA"):
        paying.reject(amina, reason="Every word was accepted.")
    amina.refresh_from_db()
    assert (amina.decision, amina.status_there) == ("reject", "approved")
    assert "too late to reject" in amina.note
    assert entries(amina) == ["confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE
    assert paying.settle_all("mturk") == []


def test_a_rejection_that_the_platform_refuses_can_be_given_anew(mturk, hand_in, before_next):
    amina = hand_in()
    before_next("RejectAssignment", lambda: setattr(mturk, "access_keys", set()))
    with pytest.raises(PlatformError, match="refuses the AWS credentials"):
        paying.reject(amina, reason="Every word was accepted.")
    amina.refresh_from_db()
    assert (amina.decision, amina.status_there) == ("", "submitted")
    mturk.access_keys = None
    assert paying.approve(amina).status_there == "approved"
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_a_rejection_by_hand_there_stands_until_it_is_overruled(mturk, hand_in, api):
    amina = hand_in()
    api.reject_assignment(AssignmentId=amina.platform_id, RequesterFeedback="Empty.")
    with pytest.raises(paying.DecidedOtherwise, match="rejected on the platform; overrule"):
        paying.approve(amina)
    assert entries(amina) == ["failed"]
    assert paying.settle_all("mturk") == []
    assert paid_there(mturk) == 0
    paying.overrule(amina, feedback="Sorry.")
    assert entries(amina) == ["failed", "confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_a_rejection_is_overruled_within_thirty_days(mturk, hand_in, listing):
    amina = paying.reject(hand_in(), reason="Every word was accepted.")
    mturk.advance(29 * DAY_S)
    amina = paying.overrule(amina, feedback="Sorry, it was right.")
    assert (amina.decision, amina.status_there) == ("approve", "approved")
    assert entries(amina) == ["failed", "confirmed"]
    assert listing.ledger.filter(state="planned").count() == 4  # nobody else's promise was taken
    assert paid_here() == paid_there(mturk) == REWARD + FEE
    assert paying.overrule(amina).status_there == "approved"
    assert paid_here() == paid_there(mturk) == REWARD + FEE


def test_after_thirty_days_a_rejection_stands(mturk, hand_in):
    amina = paying.reject(hand_in(), reason="Every word was accepted.")
    mturk.market.assignments[amina.platform_id].submitted_at -= 31 * DAY_S
    with pytest.raises(TaskError, match=r"could be taken back until \d{4}-\d\d-\d\d; a bonus"):
        paying.overrule(amina)
    amina.refresh_from_db()
    assert (amina.decision, entries(amina)) == ("reject", ["failed"])
    assert paid_here() == paid_there(mturk) == 0


def test_a_platform_that_keeps_to_a_rejection_is_not_asked_for_ever(mturk, hand_in):
    amina = paying.reject(hand_in(), reason="Every word was accepted.")
    mturk.advance(31 * DAY_S)  # its clock alone, so that it refuses what we think is in time
    with pytest.raises(paying.DecidedOtherwise, match="AMINA cannot be approved any more"):
        paying.overrule(amina)
    calls = len(mturk.calls)
    assert paying.settle_all("mturk") == []
    assert len(mturk.calls) == calls
    assert set(entries(amina)) == {"failed"}
    assert paid_here() == paid_there(mturk) == 0


def test_overruling_counts_against_the_limit_before_anything_is_decided(mturk, hand_in, project):
    amina = paying.reject(hand_in(), reason="Every word was accepted.")
    project.spend_limit_cents = 4 * (REWARD + FEE)
    project.save()
    with pytest.raises(ledger.OverLimit):
        paying.overrule(Assignment.objects.get(pk=amina.pk))
    amina.refresh_from_db()
    assert (amina.decision, status_there(mturk, amina)) == ("reject", "Rejected")


def test_what_nobody_rejected_cannot_be_overruled(mturk, hand_in):
    with pytest.raises(TaskError, match="AMINA was not rejected"):
        paying.overrule(hand_in())


def test_what_is_paid_there_has_a_row_whatever_the_limit(mturk, hand_in, project, api):
    """Approved by hand there after our rejection, the limit being used up."""
    amina = paying.reject(hand_in(), reason="Every word was accepted.")
    project.spend_limit_cents = 0
    project.save()
    api.approve_assignment(AssignmentId=amina.platform_id, OverrideRejection=True)
    with pytest.raises(paying.DecidedOtherwise):
        paying.settle(Assignment.objects.get(pk=amina.pk))
    assert entries(amina) == ["failed", "confirmed"]
    assert paid_here() == paid_there(mturk) == REWARD + FEE


# --- Bonuses ---


def test_a_bonus_is_paid_with_its_fee(mturk, hand_in):
    amina = paying.approve(hand_in())
    entry = paying.bonus(amina, cents=120, reason="Very careful.")
    assert (entry.state, entry.cents, entry.fee_cents) == ("confirmed", 120, 24)
    assert paid_here() == paid_there(mturk) == REWARD + FEE + 144


def test_a_form_sent_twice_pays_one_bonus(mturk, hand_in):
    amina, key = hand_in(), uuid4()
    first, second = (
        paying.bonus(amina, cents=120, reason="Very careful.", key=key) for _ in range(2)
    )
    assert first.pk == second.pk
    assert paid_here() == paid_there(mturk) == 144


def test_without_a_key_the_same_amount_for_the_same_reason_is_paid_once(mturk, hand_in):
    amina = hand_in()
    for reason in ("Very careful.", "Very careful.", "And quick."):
        paying.bonus(amina, cents=120, reason=reason)
    paying.bonus(amina, cents=120, reason="Very careful.", key=uuid4())
    assert paid_here() == paid_there(mturk) == 3 * 144


@pytest.mark.parametrize(("cents", "reason"), [(0, "Very careful."), (-5, "No."), (10, " ")])
def test_a_bonus_needs_an_amount_and_a_reason(mturk, hand_in, cents, reason):
    with pytest.raises(TaskError):
        paying.bonus(hand_in(), cents=cents, reason=reason)
    assert not LedgerEntry.objects.filter(kind="bonus").exists()


def test_a_bonus_passes_no_limit(mturk, hand_in, project):
    project.spend_limit_cents = 5 * (REWARD + FEE) + 143
    project.save()
    amina = hand_in()
    amina = Assignment.objects.get(pk=amina.pk)
    with pytest.raises(ledger.OverLimit):
        paying.bonus(amina, cents=120, reason="Very careful.")
    assert paid_here() == paid_there(mturk) == 0


def test_a_bonus_whose_answer_is_lost_is_paid_once(mturk, hand_in):
    mturk.faults.add("lost_answer", operations=["SendBonus"], next_calls=1)
    assert paying.bonus(hand_in(), cents=120, reason="Very careful.").state == "confirmed"
    assert paid_here() == paid_there(mturk) == 144


@pytest.mark.parametrize("kind", ["lost_answer", "lost_request"])
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=2)])
def test_a_bonus_of_unknown_outcome_is_paid_once(mturk, hand_in, kind, age, impatient):
    amina = hand_in()
    mturk.faults.add(kind, operations=["SendBonus"], next_calls=1)
    with pytest.raises(OutcomeUnknown):
        paying.bonus(amina, cents=120, reason="Very careful.")
    entry = amina.ledger.get(kind="bonus")
    assert entry.state == "sent"
    mturk.advance(age.total_seconds())  # the platform has forgotten the token
    PlatformCall.objects.update(token_made_at=F("token_made_at") - age)
    assert paying.settle_all("mturk") == []
    entry.refresh_from_db()
    assert entry.state == "confirmed"
    assert paid_here() == paid_there(mturk) == 144
    assert paying.resend(entry).state == "confirmed"
    assert paid_there(mturk) == 144


def test_a_refused_bonus_is_not_paid_and_says_why(mturk, hand_in):
    amina, key = hand_in(), uuid4()
    with pytest.raises(PlatformError, match="too little money"):
        paying.bonus(amina, cents=200_00, reason="Very careful.", key=key)
    entry = amina.ledger.get(kind="bonus")
    assert entry.state == "failed"
    assert "too little money" in entry.note
    with pytest.raises(TaskError, match=r"was not paid: .*too little money"):
        paying.bonus(amina, cents=200_00, reason="Very careful.", key=key)
    assert paid_here() == paid_there(mturk) == 0


def test_a_bonus_that_was_surely_not_sent_stays_promised(mturk, hand_in, impatient):
    amina = hand_in()
    mturk.faults.add("throttle", operations=["SendBonus"], next_calls=1)
    with pytest.raises(PlatformError, match="takes no more calls"):
        paying.bonus(amina, cents=120, reason="Very careful.")
    assert entries(amina, "bonus") == ["planned"]
    assert paying.settle_all("mturk") == []
    assert paid_here() == paid_there(mturk) == 144


def test_a_bonus_on_a_platform_without_tokens_is_never_sent_again_by_itself(mturk, hand_in):
    entry = ledger.promise_bonus(hand_in(), cents=120, fee_cents=24, reason="Very careful.")
    ledger.note_sent(entry)
    LedgerEntry.objects.filter(pk=entry.pk).update(platform="prolific")
    assert paying.settle_all("mturk") == []
    assert mturk.calls_of("SendBonus") == []


def test_what_became_of_such_a_bonus_is_a_persons_word(mturk, hand_in):
    amina, manager = hand_in(), User.objects.create_user("manager")
    found, lost = (
        ledger.promise_bonus(amina, cents=cents, fee_cents=24, reason="Very careful.")
        for cents in (120, 121)
    )
    for entry in (found, lost):
        with pytest.raises(TaskError, match="nobody has to say whether it was paid"):
            bonuses.note_outcome(entry, was_paid=True)  # it was not even sent
        ledger.note_sent(entry)
        entry.platform = "prolific"
        entry.save()
    bonuses.note_outcome(found, was_paid=True, by=manager)
    bonuses.note_outcome(lost, was_paid=False, by=manager)
    assert (found.state, lost.state) == ("confirmed", "failed")
    assert lost.note == "not found on the platform by manager"
    with pytest.raises(TaskError, match="is failed, and nobody has to say"):
        bonuses.note_outcome(lost, was_paid=True, by=manager)


def test_a_new_form_finishes_a_bonus_that_may_be_paid_already(mturk, hand_in, impatient):
    amina = hand_in()
    mturk.faults.add("lost_answer", operations=["SendBonus"], next_calls=1)
    with pytest.raises(OutcomeUnknown):
        paying.bonus(amina, cents=120, reason="Very careful.", key=uuid4())
    entry = paying.bonus(amina, cents=120, reason="Very careful.", key=uuid4())
    assert entry.state == "confirmed"
    assert paid_here() == paid_there(mturk) == 144


def test_a_bonus_that_got_through_before_the_last_try_is_paid_once(mturk, hand_in, monkeypatch):
    """The first answer is lost, the second says to come later, and then the token is forgotten."""
    call = "tasks.platforms.mturk.client.Client.call"
    monkeypatch.setattr(f"{call}.__kwdefaults__", {"attempts": 2})
    amina = hand_in()
    for kind in ("lost_answer", "throttle"):
        mturk.faults.add(kind, operations=["SendBonus"], next_calls=1)
    with pytest.raises(PlatformError, match="takes no more calls"):
        paying.bonus(amina, cents=120, reason="Very careful.")
    mturk.advance(2 * DAY_S)
    PlatformCall.objects.update(token_made_at=F("token_made_at") - timedelta(days=2))
    assert paying.settle_all("mturk") == []
    assert paid_here() == paid_there(mturk) == 144


# --- At once ---


def at_once(*acts):
    """Let all acts happen at the same time; return what each gave or raised."""
    start = threading.Barrier(len(acts))

    def act(one):
        try:
            start.wait()
            return one()
        except paying.REFUSALS as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


@pytest.mark.django_db(transaction=True)
def test_managers_and_polls_at_once_pay_each_once(mturk, hand_in):
    people = [hand_in(f"A{n}") for n in range(3)]
    key = uuid4()
    acts = [lambda one=one: paying.approve(one) for one in people * 2]
    acts += [lambda: paying.settle_all("mturk")] * 2
    acts += [lambda: paying.bonus(people[0], cents=120, reason="Careful.", key=key)] * 3
    results = at_once(*acts)
    # Whoever finds another at it says so, at most.
    failures = [one for one in results if isinstance(one, Exception)]
    assert all(isinstance(one, OutcomeUnknown) for one in failures), failures
    paying.settle_all("mturk")
    assert [entries(one) for one in people] == [["confirmed"]] * 3
    assert entries(people[0], "bonus") == ["confirmed"]
    assert paid_here() == paid_there(mturk) == 3 * (REWARD + FEE) + 144


@pytest.mark.django_db(transaction=True)
def test_of_two_managers_at_once_one_decides(mturk, hand_in):
    amina = hand_in()
    same = [Assignment.objects.get(pk=amina.pk) for _ in range(4)]
    at_once(
        lambda: paying.approve(same[0]),
        lambda: paying.reject(same[1], reason="Every word was accepted."),
        lambda: paying.approve(same[2]),
        lambda: paying.reject(same[3], reason="Every word was accepted."),
    )
    paying.settle_all("mturk")
    amina.refresh_from_db()
    done = {"approve": ("Approved", REWARD + FEE), "reject": ("Rejected", 0)}
    assert (status_there(mturk, amina), paid_there(mturk)) == done[amina.decision]
    assert paid_here() == paid_there(mturk)


@pytest.mark.django_db(transaction=True)
def test_bonuses_at_once_never_pass_the_limit_together(mturk, hand_in, project):
    project.spend_limit_cents = 5 * (REWARD + FEE) + 2 * 144
    project.save()
    amina = hand_in()
    acts = [lambda n=n: paying.bonus(amina, cents=120, reason=f"Word {n}.") for n in range(6)]
    results = at_once(*acts)
    assert sum(isinstance(one, ledger.OverLimit) for one in results) == 4, results
    assert paid_here() == paid_there(mturk) == 2 * 144
