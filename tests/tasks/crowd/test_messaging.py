"""Messages through a running Mechanical Turk: nobody twice by accident, every failure named."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from django.contrib.auth.models import User
from django.db import connection

from tasks.crowd import messaging
from tasks.models import Message, Recipient
from tasks.services import TaskError
from tests.factories import make_link
from tests.marketplace import make_hit, plan_listing, publish, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def impatient(monkeypatch):
    """Repeat calls as often as ever, without waiting in between."""
    monkeypatch.setattr(messaging, "WAITS_S", (0,) * len(messaging.WAITS_S))


@pytest.fixture
def listing(mturk, project):
    return plan_listing(make_hit(project), places=1000, reward_cents=1)


@pytest.fixture
def people(mturk, listing, client_of_mturk):
    """Return a function that gives so many people approved work, and returns their names."""
    there = publish(listing)

    def people(count, *, approved=True):
        names = [f"A{'X' * (not approved)}{n}" for n in range(count)]
        for name in names:
            assignment_id = mturk.accept(there, name)
            take(listing, name, platform_id=assignment_id)
            mturk.submit(assignment_id, {"code": "x"})
            if approved:
                client_of_mturk.approve_assignment(AssignmentId=assignment_id)
        return names

    return people


@pytest.fixture
def client_of_mturk(mturk, project):
    client = boto3.client("mturk", endpoint_url=mturk.url, region_name="us-east-1")
    yield client
    client.close()


def written(project, names, **said):
    said = {"subject": "Thank you", "text": "A second session is open.", **said}
    return messaging.write(project, "mturk", names, **said)


def states(message):
    return dict(message.recipients.values_list("worker_id", "state"))


def mailed(mturk):
    return sorted(mail["WorkerId"] for mail in mturk.market.mails)


# --- Writing -------------------------------------------------------------------------------------


def test_a_message_waits_until_it_is_sent(mturk, project, listing):
    take(listing, "A1")
    by = User.objects.create_user("zawadi")
    message = written(project, ["A1", "A1"], by=by)
    assert states(message) == {"A1": "waiting"}
    assert message.made_by == by
    assert mturk.market.mails == []


def test_who_came_by_a_direct_link_cannot_be_written_to(project):
    make_link(project, "amina")
    with pytest.raises(TaskError, match="direct link cannot be written to"):
        messaging.write(project, "direct", ["amina"], subject="Hello", text="You.")
    assert not Message.objects.exists()


def test_a_stranger_is_named_and_nobody_is_written_to(project, listing):
    take(listing, "A1")
    with pytest.raises(TaskError, match="A2, A3 took no place"):
        written(project, ["A1", "A2", "A3"])
    assert not Message.objects.exists()


def test_many_strangers_are_counted(project, listing):
    with pytest.raises(TaskError, match="A9 and 15 more took no place"):
        written(project, [f"A{n}" for n in range(25)])


@pytest.mark.parametrize(
    "said", [{"subject": ""}, {"text": ""}, {"text": "x" * 4097}, {"subject": "x" * 201}]
)
def test_what_the_platform_would_not_take_is_refused(project, listing, said):
    take(listing, "A1")
    with pytest.raises(TaskError):
        written(project, ["A1"], **said)


def test_a_message_to_nobody_is_refused(project, mturk):
    with pytest.raises(TaskError, match="nobody to write to"):
        written(project, [])


def test_those_of_another_market_are_no_recipients(project, listing, settings):
    take(listing, "A1")
    assert messaging.who_took_part(project, "mturk") == ["A1"]
    settings.MTURK_MODE = "live"
    assert messaging.who_took_part(project, "mturk") == []


def test_a_message_written_in_one_market_is_not_sent_in_another(mturk, project, people, settings):
    message = written(project, people(1))
    settings.MTURK_MODE = "live"
    assert messaging.send(message).failed == 1
    assert "present market" in message.recipients.get().error
    assert mturk.market.mails == []


# --- Sending -------------------------------------------------------------------------------------


def test_250_people_are_written_to_in_batches_of_a_hundred(mturk, project, people):
    names = people(250)
    message = written(project, names)
    told = messaging.send(message)
    assert (told.sent, told.failed, told.unknown, told.waiting) == (250, 0, 0, 0)
    assert mailed(mturk) == sorted(names)
    sizes = [len(call.parameters["WorkerIds"]) for call in mturk.calls_of("NotifyWorkers")]
    assert sizes == [100, 100, 50]


def test_who_cannot_be_written_to_is_named_with_the_reason(mturk, project, people):
    good, bad = people(2), people(1, approved=False)
    message = written(project, good + bad)
    told = messaging.send(message)
    assert (told.sent, told.failed) == (2, 1)
    assert states(message) == {"A0": "sent", "A1": "sent", "AX0": "failed"}
    assert "has not done any work for you" in message.recipients.get(state="failed").error


def test_one_impossible_id_keeps_nobody_else_from_their_mail(mturk, project, people, listing):
    names = people(7)
    take(listing, "forged id")
    message = written(project, [*names[:3], "forged id", *names[3:]])
    told = messaging.send(message)
    assert (told.sent, told.failed) == (7, 1)
    assert mailed(mturk) == names
    assert "WorkerId" in message.recipients.get(worker_id="forged id").error


def test_sending_again_sends_nobody_a_second_one(mturk, project, people):
    message = written(project, people(3))
    messaging.send(message)
    assert messaging.send(message).sent == 3
    assert messaging.send_again(message, to_unknown=True).sent == 3
    assert len(mailed(mturk)) == 3


def test_the_failed_are_written_to_again_and_the_others_not(
    mturk, project, people, client_of_mturk
):
    good, bad = people(1), people(1, approved=False)
    message = written(project, good + bad)
    messaging.send(message)
    (held,) = (one for one in mturk.market.assignments.values() if one.worker_id == bad[0])
    client_of_mturk.approve_assignment(AssignmentId=held.assignment_id)
    assert messaging.send_again(message).sent == 2
    assert mailed(mturk) == ["A0", "AX0"]


# --- What goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lost_answer", "lost_request", "fault"])
def test_a_lost_answer_is_not_sent_again_by_itself(mturk, project, people, kind):
    names = people(150)
    message = written(project, names)
    mturk.faults.add(kind, operations=["NotifyWorkers"], next_calls=1)
    told = messaging.send(message)
    assert (told.sent, told.unknown, told.waiting) == (0, 100, 50)
    assert told.problem
    told = messaging.send(message)
    assert (told.sent, told.unknown, told.waiting) == (50, 100, 0)
    assert len(mturk.calls_of("NotifyWorkers")) == 2
    assert messaging.send_again(message).unknown == 100
    read = len(mailed(mturk))
    assert read == (150 if kind == "lost_answer" else 50)
    told = messaging.send_again(message, to_unknown=True)
    assert (told.sent, told.unknown) == (150, 0)
    assert len(mailed(mturk)) == read + 100


def test_a_crash_while_sending_leaves_people_as_unknown(mturk, project, people):
    message = written(project, people(2))
    message.recipients.filter(worker_id="A0").update(state="sending")
    told = messaging.send(message)
    assert (told.sent, told.unknown) == (1, 1)
    assert mailed(mturk) == ["A1"]


def test_throttling_is_waited_for(mturk, project, people, impatient):
    message = written(project, people(3))
    mturk.faults.add("throttle", operations=["NotifyWorkers"], next_calls=3)
    told = messaging.send(message)
    assert (told.sent, told.problem) == (3, "")
    assert len(mailed(mturk)) == 3


def test_endless_throttling_leaves_all_waiting_with_a_sentence(mturk, project, people, impatient):
    message = written(project, people(3))
    mturk.faults.add("throttle", operations=["NotifyWorkers"])
    told = messaging.send(message)
    assert (told.sent, told.waiting) == (0, 3)
    assert "try again in some minutes" in told.problem
    mturk.faults.clear()
    assert messaging.send(message).sent == 3


def test_wrong_keys_are_told_and_nobody_has_failed(mturk, project, people):
    message = written(project, people(3))
    mturk.access_keys = {"ANOTHER"}
    told = messaging.send(message)
    assert (told.waiting, told.failed) == (3, 0)
    assert "refuses the AWS credentials" in told.problem
    assert mturk.calls_of("NotifyWorkers") == []


def test_two_who_send_at_once_write_to_each_once(mturk, project, people):
    message = written(project, people(120))

    def send(_):
        try:
            return messaging.send(Message.objects.get(pk=message.pk))
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(send, range(3)))
    assert len(mailed(mturk)) == len(set(mailed(mturk))) == 120
    assert set(Recipient.objects.values_list("state", flat=True)) == {"sent"}
