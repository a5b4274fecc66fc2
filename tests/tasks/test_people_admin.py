"""Blocks, screenings, qualifications and messages, as managers see and change them."""

from html import unescape

import boto3
import pytest
from botocore.retries.standard import ExponentialBackoff
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.urls import reverse

from tasks.crowd import people
from tasks.models import Block, Message, Qualification, QualificationHolder, Recipient, Screening
from tests.factories import make_project, make_session
from tests.marketplace import make_hit, make_people, plan_listing, publish, take
from tests.stand_ins.mturk import MTurk
from tests.test_admin import act, address, messages

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mturk(settings, monkeypatch):
    with MTurk(balance_cents=100_00) as running:
        settings.MTURK_ENDPOINT_URL, settings.MTURK_MODE = running.url, "sandbox"
        settings.PUBLIC_BASE_URL = "https://clime.test"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        yield running


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_superuser("manager"))
    return client


@pytest.fixture
def project():
    return make_project(slug="demo")


@pytest.fixture
def workers(mturk, project):
    """Give two people whose work was approved, and one whose work was not looked at yet."""
    listing = plan_listing(make_hit(project))
    there = publish(listing)
    turk = boto3.client("mturk", endpoint_url=mturk.url, region_name="us-east-1")
    for name in ("A1", "A2", "A3"):
        assignment_id = mturk.accept(there, name)
        take(listing, name, platform_id=assignment_id)
        mturk.submit(assignment_id, {"code": "x"})
        if name != "A3":
            turk.approve_assignment(AssignmentId=assignment_id)
    turk.close()
    return ["A1", "A2", "A3"]


def looker(client, *rights):
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return client


def refusals(response):
    return [str(error) for error in response.context["adminform"].form.non_field_errors()]


# --- Blocks --------------------------------------------------------------------------------------


def block(client, **said):
    form = {"platform": "mturk", "worker_id": "A1", "reason": "copies", **said}
    return client.post(address(Block, "add"), form, follow=True)


def test_a_block_is_kept_with_who_made_it_and_told_to_the_platform(manager, mturk):
    assert len(messages(block(manager))) == 1
    row = Block.objects.get()
    assert (row.worker_id, row.reason, row.made_by.username) == ("A1", "copies", "manager")
    assert mturk.market.blocks == {"A1": "copies"}


def test_a_block_that_the_platform_fails_is_kept_and_said(manager, mturk):
    mturk.faults.add("fault", operations=["CreateWorkerBlock"])
    said = messages(block(manager))
    assert any("is not blocked there: Mechanical Turk" in text for text in said)
    assert Block.objects.exists()


@pytest.mark.parametrize("way", ["page", "list"])
def test_deleting_a_block_undoes_it_there_too(manager, mturk, way):
    block(manager)
    row = Block.objects.get()
    if way == "page":
        manager.post(address(Block, "delete", row.pk), {"post": "yes"})
    else:
        form = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        manager.post(address(Block, "changelist"), form)
    assert not Block.objects.exists()
    assert mturk.market.blocks == {}


def test_a_block_that_cannot_be_undone_there_is_said(manager, mturk):
    block(manager)
    mturk.faults.add("fault", operations=["DeleteWorkerBlock"])
    page = address(Block, "delete", Block.objects.get().pk)
    said = messages(manager.post(page, {"post": "yes"}, follow=True))
    assert any("is still blocked there" in text for text in said)
    assert not Block.objects.exists()


def test_the_same_person_is_blocked_once(manager, mturk):
    block(manager)
    assert "already exists" in block(manager, reason="again").content.decode()
    assert Block.objects.get().reason == "copies"


def test_who_may_only_look_blocks_nobody(client, mturk):
    assert block(looker(client, "view_block")).status_code == 403
    assert mturk.calls == []


# --- Screenings and qualifications ---------------------------------------------------------------


def test_screenings_are_listed_by_project(manager, project):
    make_people(project, "one")
    other = make_project()
    make_people(other, "two")
    page = manager.get(address(Screening, "changelist"), {"project__id__exact": project.pk})
    html = page.content.decode()
    assert "Aone" in html
    assert "3 of 4" in html
    assert "Atwo" not in html


def test_who_deletes_a_result_lets_somebody_try_again(manager, project):
    row = Screening.objects.create(
        project=project, platform="mturk", worker_id="A1", correct=0, asked=4, passed=False
    )
    assert manager.post(address(Screening, "change", row.pk), {"correct": 4}).status_code == 403
    assert people.refusal(project, "mturk", "A1") == people.Refusal.FAILED_SCREENING
    manager.post(address(Screening, "delete", row.pk), {"post": "yes"})
    assert people.refusal(project, "mturk", "A1") is None


def test_refused_grants_are_tried_again_on_demand(manager, project):
    make_people(project, "one")
    screened = Qualification.objects.get()
    html = manager.get(address(Qualification, "changelist")).content.decode()
    counts = [f'<td class="field-{name}">' for name in ("granted", "waiting", "refused")]
    assert [html.split(cell)[1][0] for cell in counts] == ["0", "1", "1"]
    said = messages(act(manager, Qualification, "try_again", screened))
    assert said == ["1 grant will be tried again with the next poll."]
    assert not QualificationHolder.objects.exclude(error="").exists()


# --- Messages ------------------------------------------------------------------------------------


def write(client, project, **said):
    form = {"project": project.pk, "platform": "mturk", "subject": "Hello", "text": "You."}
    return client.post(address(Message, "add"), form | said, follow=True)


def mailed(mturk):
    return sorted(mail["WorkerId"] for mail in mturk.market.mails)


def test_all_who_took_a_place_are_written_to_and_failures_are_named(
    manager, project, workers, mturk
):
    said = messages(write(manager, project, everybody="on"))
    assert "“Hello”: 2 sent, 1 failed." in said
    assert mailed(mturk) == ["A1", "A2"]
    message = Message.objects.get()
    assert message.made_by.username == "manager"
    html = manager.get(address(Message, "change", message.pk)).content.decode()
    assert "has not done any work for you" in html


def test_some_are_written_to_by_their_ids(manager, project, workers, mturk):
    write(manager, project, worker_ids="A2\n A2\n")
    assert mailed(mturk) == ["A2"]
    assert Recipient.objects.get().state == "sent"


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({}, "Say to whom"),
        ({"everybody": "on", "worker_ids": "A1"}, "Say to whom"),
        ({"worker_ids": "A1 A9"}, "Nothing was sent: A9 took no place"),
    ],
)
def test_a_message_to_nobody_or_to_strangers_is_refused(manager, project, mturk, said, refusal):
    (error,) = refusals(write(manager, project, **said))
    assert error.startswith(refusal)
    assert not Message.objects.exists()
    assert mailed(mturk) == []


def test_who_came_by_a_direct_link_is_said_to_be_out_of_reach(manager, project, mturk):
    html = manager.get(address(Message, "add")).content.decode()
    assert "Who came by a direct link cannot be written to from here" in html
    (error,) = refusals(write(manager, project, platform="direct", everybody="on"))
    assert "cannot be written to from here" in error


def test_settings_that_cannot_work_are_a_sentence(manager, project, settings):
    settings.MTURK_ENDPOINT_URL = "https://mturk-requester.us-east-1.amazonaws.com"
    settings.MTURK_MODE = "sandbox"
    (error,) = refusals(write(manager, project, everybody="on"))
    assert "MTURK_ENDPOINT_URL is that of the live market" in error


def test_a_lost_answer_is_shown_and_sent_again_only_where_somebody_says_so(
    manager, project, workers, mturk
):
    mturk.faults.add("lost_answer", operations=["NotifyWorkers"], next_calls=1)
    said = messages(write(manager, project, worker_ids="A1 A2"))
    assert any("“Hello”: 2 not known to have arrived. Mechanical Turk" in text for text in said)
    message = Message.objects.get()
    act(manager, Message, "send_again", message)
    assert mailed(mturk) == ["A1", "A2"]
    said = messages(act(manager, Message, "send_to_unknown", message))
    assert said == ["“Hello”: 2 sent."]
    assert mailed(mturk) == ["A1", "A1", "A2", "A2"]


def test_who_may_only_look_writes_nothing_and_is_offered_no_sending(
    client, project, workers, mturk
):
    make_people(project, "one")
    message = Message.objects.get()
    only_looks = looker(client, "view_message")
    assert write(only_looks, project, everybody="on").status_code == 403
    act(only_looks, Message, "send_again", message)
    assert mailed(mturk) == []


def test_a_sent_message_cannot_be_changed_or_deleted(manager, project):
    make_people(project, "one")
    row = Message.objects.get()
    assert manager.post(address(Message, "change", row.pk), {"text": "x"}).status_code == 403
    assert manager.get(address(Message, "delete", row.pk)).status_code == 403


# --- Links of people who get no work -------------------------------------------------------------


def test_no_link_is_made_for_who_is_blocked(manager, project):
    Block.objects.create(platform="direct", worker_id="amina", reason="copies")
    page = reverse("admin:tasks_project_links", args=[project.pk])
    html = unescape(manager.post(page, {"names": "amina\nbaraka"}, follow=True).content.decode())
    assert "No link was made: amina: blocked." in html
    assert not project.hits.get().assignments.exists()


def test_no_link_is_made_for_who_took_part_elsewhere_by_the_command_either(project, tmp_path):
    earlier = make_project()
    make_session(earlier, "amina")
    project.excluded_projects.add(earlier)
    file = tmp_path / "people.csv"
    file.write_text("name\namina\n")
    with pytest.raises(CommandError, match="amina: took part in an excluded project"):
        call_command("links", "demo", csv=file)
    assert not project.hits.get().assignments.exists()


def test_a_link_without_a_name_is_not_blocked_everywhere(manager, mturk):
    html = block(manager, platform="direct", worker_id="link-3").content.decode()
    assert "link-3 is somebody else in each project" in html
    assert not Block.objects.exists()
