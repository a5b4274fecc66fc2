"""The client that production uses, against a Prolific that runs in the test."""

import math
import socket

import pytest

from tasks.platforms import OutcomeUnknown, PlatformError
from tasks.platforms.prolific.client import ProlificClient
from tasks.platforms.prolific.http import BackOff, ProlificRefusal
from tasks.platforms.prolific.types import (
    Bonus,
    CompletionCode,
    NewStudy,
    RangeFilter,
    RejectionCategory,
    SelectFilter,
    StudyAction,
    SubmissionStatus,
)
from tasks.platforms.prolific.webhooks import is_genuine, read_event
from tests.stand_ins.prolific import Prolific
from tests.stand_ins.prolific.api import Reply
from tests.stand_ins.prolific.extras import signed_headers

REASON = (
    "Every word of every page was accepted, the control words among them, in under four seconds. "
)
STUDY = NewStudy(
    name="Words of two languages",
    internal_name="clime:hit:7",
    description="Judge words.",
    external_study_url="https://words.example/p/?PROLIFIC_PID={{%PROLIFIC_PID%}}",
    completion_codes=(
        CompletionCode("DONE1"),
        CompletionCode("HELP1", "OTHER", actor="researcher"),
    ),
    places=3,
    estimated_minutes=60,
    reward_cents=1000,
    filters=(SelectFilter("custom_blocklist", ("zainab",)), RangeFilter("approval_rate", 95, 100)),
    devices=("desktop",),
)


@pytest.fixture
def prolific():
    with Prolific() as running:
        yield running


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(prolific, slept):
    return ProlificClient(prolific.url, prolific.token, 5.0, sleep=slept.append)


def published(client, **changes):
    study = client.create_study(NewStudy(**{**vars(STUDY), **changes}))
    return client.transition_study(study.id, StudyAction.PUBLISH).id


def finished(prolific, study_id, participant_id="amina"):
    prolific.take(study_id, participant_id)
    submission = prolific.session_of(study_id, participant_id)
    prolific.finish(submission.id, "DONE1")
    return submission.id


def calls(prolific, method, ending):
    return [c for c in prolific.calls if c.method == method and c.path.endswith(ending)]


def test_a_study_is_drafted_published_enlarged_and_stopped(client):
    draft = client.create_study(STUDY)
    assert (draft.status, draft.places, draft.reward_cents) == ("UNPUBLISHED", 3, 1000)
    assert client.transition_study(draft.id, StudyAction.PUBLISH).status == "ACTIVE"
    assert client.set_places(draft.id, 5).places == 5
    assert client.transition_study(draft.id, StudyAction.STOP).status == "COMPLETED"
    assert client.study(draft.id).internal_name == "clime:hit:7"


def test_a_draft_is_found_by_its_inner_name_and_deleted(client, prolific):
    draft = client.create_study(STUDY)
    [workspace] = client.workspaces()
    [project] = client.projects(workspace.id)
    assert [(s.id, s.internal_name) for s in client.studies(project.id)] == [
        (draft.id, "clime:hit:7")
    ]
    client.delete_draft(draft.id)
    assert client.studies(project.id) == []


@pytest.mark.parametrize("prefix", ["", "/", "/api/v1", "/api/v1/"])
def test_the_address_may_name_the_version(prolific, prefix):
    client = ProlificClient(prolific.url + prefix, prolific.token)
    assert client.workspaces()[0].name == "Research"


@pytest.mark.parametrize(
    ("url", "token"), [("api.prolific.com", "t"), ("file:///etc", "t"), ("https://x", "")]
)
def test_a_wrong_setting_is_told_at_once(url, token):
    with pytest.raises(ValueError, match="PROLIFIC_"):
        ProlificClient(url, token)


def test_all_submissions_come_oldest_first_however_many_pages(client, prolific):
    study_id = published(client, places=230, reward_cents=10)
    people = [f"person{number}" for number in range(230)]
    for person in people:
        prolific.take(study_id, person)
    submissions = client.submissions(study_id)
    assert [submission.participant_id for submission in submissions] == people
    assert {submission.study_id for submission in submissions} == {study_id}
    assert len(calls(prolific, "GET", "/submissions/")) == 3


def test_pages_end_without_any_sign_of_an_end(client, prolific, monkeypatch):
    study_id = published(client, places=200, reward_cents=10)
    for number in range(200):
        prolific.take(study_id, f"person{number}")
    page = Prolific.respond

    def bare(self, method, asked, token):
        reply = page(self, method, asked, token)
        for sign in ("_links", "meta"):
            reply.body.pop(sign)
        return reply

    monkeypatch.setattr(Prolific, "respond", bare)
    assert len(client.submissions(study_id)) == 200
    assert [c.status for c in calls(prolific, "GET", "/submissions/")] == [200, 200, 404]


def test_one_submission_and_a_list_tell_the_same(client, prolific):
    study_id = published(client)
    submission_id = finished(prolific, study_id)
    [listed] = client.submissions(study_id)
    alone = client.submission(submission_id)
    assert alone == listed
    assert (alone.status, alone.code) == (SubmissionStatus.AWAITING_REVIEW, "DONE1")
    assert alone.completed_at == prolific.now


def test_a_status_that_nobody_knows_stops_no_poll(client, prolific):
    study_id = published(client)
    finished(prolific, study_id)
    prolific.session_of(study_id, "amina").status = "QUARANTINED"
    assert client.submissions(study_id)[0].status is SubmissionStatus.UNKNOWN


def test_approving_pays_once_though_its_answer_was_lost(client, prolific):
    submission_id = finished(prolific, published(client))
    prolific.faults.plan("lost", times=2, on="POST .*/transition/")
    client.approve(submission_id)
    assert len(calls(prolific, "POST", f"{submission_id}/transition/")) == 3
    assert prolific.paid_cents("amina") == 1000


def test_a_rejection_says_why(client, prolific):
    submission_id = finished(prolific, published(client))
    client.reject(submission_id, category=RejectionCategory.TOO_QUICKLY, message=REASON * 2)
    assert client.submission(submission_id).status is SubmissionStatus.REJECTED
    with pytest.raises(PlatformError, match="cannot APPROVE") as refused:
        client.approve(submission_id)
    assert refused.value.permanent


def test_a_short_reason_is_refused_before_it_is_sent(client, prolific):
    with pytest.raises(ValueError, match="100 characters"):
        client.reject("6a1", category=RejectionCategory.OTHER, message="Bad." + " " * 100)
    assert prolific.calls == []


def test_the_researcher_completes_for_somebody_who_could_not(client, prolific):
    study_id = published(client)
    prolific.take(study_id, "amina")
    submission_id = prolific.session_of(study_id, "amina").id
    client.complete(submission_id, "HELP1")
    assert client.submission(submission_id).status is SubmissionStatus.AWAITING_REVIEW


def test_somebody_is_asked_to_return(client, prolific):
    submission_id = finished(prolific, published(client))
    client.request_return(submission_id, ["Withdrew consent"])
    assert client.submission(submission_id).return_requested


def test_bonuses_are_set_up_paid_and_seen(client, prolific):
    study_id = published(client)
    submission_id = finished(prolific, study_id)
    batch = client.set_up_bonuses(study_id, [Bonus(submission_id, 1205)])
    assert batch.total_cents == 1205 + math.ceil(1205 * 0.428)
    assert client.submission(submission_id).bonus_cents == ()
    client.pay_bonuses(batch.id)
    prolific.advance(120)
    assert client.submission(submission_id).bonus_cents == (1205,)


@pytest.mark.parametrize("fault", ["lost", "unheard", "broken"])
def test_a_bonus_is_never_sent_again_by_itself(client, prolific, slept, fault):
    study_id = published(client)
    submission_id = finished(prolific, study_id)
    batch = client.set_up_bonuses(study_id, [Bonus(submission_id, 500)])
    prolific.faults.plan(fault, on="/pay/")
    with pytest.raises(OutcomeUnknown):
        client.pay_bonuses(batch.id)
    prolific.advance(120)
    assert len(calls(prolific, "POST", "/pay/")) == 1
    assert prolific.paid_cents("amina") == (500 if fault == "lost" else 0)
    assert slept == []


def test_a_throttled_bonus_is_known_not_to_be_paid(client, prolific):
    study_id = published(client)
    batch = client.set_up_bonuses(study_id, [Bonus(finished(prolific, study_id), 500)])
    prolific.faults.plan("throttled", on="/pay/")
    with pytest.raises(ProlificRefusal) as refused:
        client.pay_bonuses(batch.id)
    assert (refused.value.status, refused.value.permanent) == (429, False)
    assert len(calls(prolific, "POST", "/pay/")) == 1


@pytest.mark.parametrize(
    "bonuses", [[], [Bonus("a", 1)] * 201, [Bonus("a", 0)], [Bonus("a,9.00\nb", 1)]]
)
def test_a_batch_that_would_pay_something_else_is_refused(client, prolific, bonuses):
    with pytest.raises(ValueError, match=r"bonus|id of Prolific"):
        client.set_up_bonuses("6a1", bonuses)
    assert prolific.calls == []


@pytest.mark.parametrize(("cents", "amount"), [(5, "0.05"), (50, "0.50"), (1205, "12.05")])
def test_a_bonus_is_written_in_pounds(cents, amount):
    assert Bonus("6a1", cents).as_csv() == f"6a1,{amount}"


@pytest.mark.parametrize("identifier", ["", "..", "a/b", "a?b", "a b", "ü", "a" * 65])
def test_an_id_that_would_lead_elsewhere_is_not_asked_for(client, prolific, identifier):
    with pytest.raises(ValueError, match="no id of Prolific"):
        client.submission(identifier)
    assert prolific.calls == []


@pytest.mark.parametrize("fault", ["throttled", "broken", "lost", "unheard"])
def test_a_question_is_asked_again_until_it_is_answered(client, prolific, slept, fault):
    prolific.faults.plan(fault, times=4)
    assert client.balance(prolific.world.workspace_id).currency == "GBP"
    assert len(prolific.calls) == 5
    assert len(slept) == 4


def test_a_question_is_given_up_in_one_sentence(client, prolific, slept):
    prolific.faults.plan("throttled", times=99)
    with pytest.raises(PlatformError, match=r"GET workspaces/ \(429\): Too many") as given_up:
        client.workspaces()
    assert not given_up.value.permanent
    assert len(prolific.calls) == BackOff.tries


def test_a_wait_is_as_long_as_prolific_asks_up_to_a_limit(client, prolific, slept):
    prolific.faults.plan("throttled", retry_after_s=7)
    prolific.faults.plan("throttled", retry_after_s=3600)
    client.workspaces()
    assert slept == [7, 30]


def test_waits_double_and_are_spread():
    back_off = BackOff(first_s=1, longest_s=30)
    for chance, expected in [(0, [0.5, 1, 2, 4, 8, 15]), (1, [1, 2, 4, 8, 16, 30])]:
        waits = [back_off.wait_s(n, asked_for_s=None, chance=chance) for n in range(1, 7)]
        assert waits == expected


def test_forty_percent_throttling_loses_nothing(client, prolific):
    study_id = published(client)
    finished(prolific, study_id)
    prolific.faults.throttle_share(0.4, seed=3)
    patient = ProlificClient(
        prolific.url, prolific.token, back_off=BackOff(tries=20), sleep=lambda _: None
    )
    for _ in range(20):
        assert len(patient.submissions(study_id)) == 1
    assert any(call.status == 429 for call in prolific.calls)


@pytest.mark.parametrize("fault", ["lost", "broken"])
def test_a_study_whose_answer_is_lost_may_have_been_made(client, prolific, fault):
    prolific.faults.plan(fault, on="POST .*/studies/")
    with pytest.raises(OutcomeUnknown):
        client.create_study(STUDY)
    assert len(prolific.calls) == 1
    found = client.studies(prolific.world.project_id)
    assert [study.internal_name for study in found] == ["clime:hit:7"] * (fault == "lost")


def test_a_slow_answer_counts_as_lost(prolific):
    hasty = ProlificClient(prolific.url, prolific.token, 0.05)
    prolific.faults.plan("slow", delay_s=0.3)
    with pytest.raises(OutcomeUnknown, match="timed out"):
        hasty.create_study(STUDY)


def test_where_nobody_listens_nothing_was_done():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = ProlificClient(f"http://127.0.0.1:{taken.getsockname()[1]}", "token")
        with pytest.raises(PlatformError, match="cannot be reached") as error:
            client.create_study(STUDY)
    assert not isinstance(error.value, OutcomeUnknown)
    assert not error.value.permanent


def test_a_wrong_token_is_named_and_not_shown(prolific, slept):
    client = ProlificClient(prolific.url, "stale-token", sleep=slept.append)
    with pytest.raises(PlatformError, match="PROLIFIC_TOKEN") as refused:
        client.workspaces()
    assert refused.value.permanent
    assert "stale-token" not in str(refused.value)
    assert slept == []


def test_too_little_money_is_one_sentence_and_nothing_is_published():
    with Prolific(balance_cents=100) as prolific:
        client = ProlificClient(prolific.url, prolific.token)
        study = client.create_study(STUDY)
        with pytest.raises(PlatformError, match="balance is too low") as refused:
            client.transition_study(study.id, StudyAction.PUBLISH)
        assert refused.value.permanent
        assert client.study(study.id).status == "UNPUBLISHED"
        balance = client.balance(prolific.world.workspace_id)
    assert (balance.currency, balance.total_cents, balance.available_cents) == ("GBP", 100, 100)


def test_a_field_that_prolific_refuses_is_named(client):
    with pytest.raises(PlatformError, match="maximum_allowed_time: At least 137 minutes"):
        client.create_study(NewStudy(**{**vars(STUDY), "maximum_minutes": 60}))


def test_a_redirect_does_not_carry_the_token_away(prolific, monkeypatch):
    with Prolific() as elsewhere:
        moved = Reply(None, 302, {"Location": f"{elsewhere.url}/api/v1/workspaces/"})
        monkeypatch.setattr(prolific, "respond", lambda *about: moved)
        with pytest.raises(PlatformError, match="302"):
            ProlificClient(prolific.url, prolific.token).workspaces()
        assert elsewhere.calls == []


@pytest.mark.parametrize("body", ["<html>", {"results": [{}]}, [], "null"])
def test_an_answer_that_cannot_be_read_is_an_error_of_the_platform(client, prolific, body):
    prolific.respond = lambda *about: Reply(body)
    with pytest.raises(PlatformError, match="cannot be read"):
        client.workspaces()
    with pytest.raises(OutcomeUnknown, match="cannot be read"):
        client.create_study(STUDY)


def test_a_group_gains_and_loses_members(client, prolific):
    group = client.create_group(prolific.world.workspace_id, "Took part before")
    client.add_to_group(group.id, ["amina", "binta"])
    client.add_to_group(group.id, ["binta"])
    client.remove_from_group(group.id, ["amina"])
    assert client.group_members(group.id) == ["binta"]


def test_a_message_reaches_everybody_it_is_for(client, prolific):
    study_id = published(client)
    client.message(["amina", "binta"], "Session 2 is open.", study_id=study_id)
    assert prolific.world.messages == [
        ("amina", "Session 2 is open.", study_id),
        ("binta", "Session 2 is open.", study_id),
    ]


@pytest.fixture
def delivery(client, prolific):
    """A webhook about a submission, and the secret that signed it."""
    workspace_id = prolific.world.workspace_id
    secret = client.create_hook_secret(workspace_id)
    made = client.subscribe(
        workspace_id,
        event_type="submission.status.change",
        target_url="https://words.example/hooks/",
    )
    assert client.subscriptions(workspace_id) == [made]
    assert made.is_enabled
    finished(prolific, published(client))
    return prolific.deliveries[-1], secret


def checked(delivery, secret, *, now_s, body=None, **headers):
    sent = delivery.headers | {f"X-Prolific-Request-{k.title()}": v for k, v in headers.items()}
    return is_genuine(
        delivery.body if body is None else body,
        timestamp=sent["X-Prolific-Request-Timestamp"],
        signature=sent["X-Prolific-Request-Signature"],
        secret=secret,
        now_s=now_s,
    )


def test_a_webhook_tells_what_changed(delivery, prolific):
    webhook, secret = delivery
    assert checked(webhook, secret, now_s=prolific.now.timestamp())
    event = read_event(webhook.body)
    [submission] = prolific.world.submissions.values()
    assert (event.resource_id, event.status) == (submission.id, "AWAITING REVIEW")


def test_a_forged_changed_or_old_webhook_is_not_genuine(delivery, prolific):
    webhook, secret = delivery
    now = prolific.now.timestamp()
    stamp = webhook.headers["X-Prolific-Request-Timestamp"]
    assert not checked(webhook, "another", now_s=now)
    assert not checked(webhook, secret, now_s=now, body=webhook.body + b" ")
    assert not checked(webhook, secret, now_s=now, timestamp=str(int(stamp) + 1))
    assert not checked(webhook, secret, now_s=now, timestamp="")
    assert not checked(webhook, secret, now_s=now, signature="ümlaut")
    assert checked(webhook, secret, now_s=now + 300)
    assert not checked(webhook, secret, now_s=now + 301)


def test_a_signature_is_the_one_that_the_reference_computes():
    # printf '1700000000{"a":1}' | openssl dgst -sha256 -hmac key -binary | base64
    signature = "JBZTrXjE8+4dulSMuxymEg6mNMm6S35YJLBIsF/wKMk="
    told = {"timestamp": "1700000000", "signature": signature, "secret": "key"}
    assert is_genuine(b'{"a":1}', now_s=1700000000, **told)


def test_without_a_secret_nothing_is_genuine():
    signed = signed_headers(b"{}", "", "1700000000")["X-Prolific-Request-Signature"]
    told = {"timestamp": "1700000000", "signature": signed, "secret": ""}
    assert not is_genuine(b"{}", now_s=1700000000, **told)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"event_type": 1, "resource_id": "x"}'])
def test_a_body_that_is_no_event_is_an_error(body):
    with pytest.raises(ValueError, match=r".+"):
        read_event(body)


def test_the_former_secret_ends(client, prolific, delivery):
    _, secret = delivery
    client.create_hook_secret(prolific.world.workspace_id)
    finished(prolific, published(client), "binta")
    assert not checked(prolific.deliveries[-1], secret, now_s=prolific.now.timestamp())


def test_nothing_comes_after_unsubscribing(client, prolific, delivery):
    [subscription] = client.subscriptions(prolific.world.workspace_id)
    client.unsubscribe(subscription.id)
    before = len(prolific.deliveries)
    finished(prolific, published(client), "binta")
    assert len(prolific.deliveries) == before
