"""Publishing: what is missing is made once, whatever is lost on the way, and within the limits."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from tasks import services
from tasks.crowd import offers, publishing
from tasks.models import HIT, Block, LedgerEntry, Listing, ListingState, PlatformCall
from tasks.platforms import OutcomeUnknown, PlatformError, platform_of
from tasks.platforms.addresses import mark_of
from tasks.platforms.mturk import MechanicalTurk
from tasks.services import TaskError
from tests.factories import make_project
from tests.stand_ins.mturk import Refused

pytestmark = [pytest.mark.usefixtures("mturk"), pytest.mark.django_db]


def hits_there(mturk):
    return list(mturk.market.hits.values())


def promised(project):
    return LedgerEntry.objects.filter(project=project).committed().total_cents()


def test_a_project_is_published_once_at_our_terms(mturk, project):
    (listing,) = publishing.publish(project, "mturk")
    (hit,) = hits_there(mturk)
    assert listing.state == ListingState.OPEN
    assert (listing.platform_id, listing.mode) == (hit.hit_id, "sandbox")
    assert (hit.max_assignments, hit.hit_type.reward_cents) == (5, 50)
    assert hit.annotation == mark_of(listing.key)
    assert promised(project) == 5 * (50 + 10)
    assert publishing.publish(project, "mturk") == []
    assert len(hits_there(mturk)) == 1


def test_the_question_is_a_signed_https_address(mturk, project):
    publishing.publish(project, "mturk")
    (hit,) = hits_there(mturk)
    address = ElementTree.fromstring(hit.question)[0].text
    assert address.startswith("https://clime.test/arrive/")


@pytest.mark.parametrize(
    ("layout", "places", "fee"), [("batches", [9, 3], 10), ("single", [12], 20)]
)
def test_more_than_nine_places_cost_what_the_layout_says(mturk, project, layout, places, fee):
    project.overlap = 12
    project.save()
    project.offers.update(layout=layout)
    plan = offers.plan(project, "mturk")
    assert {row.layout: row.total_cents for row in plan.rows} == {
        "batches": 12 * 60,
        "single": 12 * 70,
    }
    made = publishing.publish(project, "mturk")
    assert [one.places for one in made] == places
    assert (
        promised(project)
        == 12 * (50 + fee)
        == sum(hit.max_assignments * hit.cost_each_cents for hit in hits_there(mturk))
    )


def test_who_did_it_is_kept_from_the_other_batch(mturk, project):
    project.overlap = 12
    project.save()
    publishing.publish(project, "mturk")
    kept_out = {
        (needed["QualificationTypeId"], needed["Comparator"], needed["ActionsGuarded"])
        for hit in hits_there(mturk)
        for needed in hit.hit_type.requirements
    }
    (qualification,) = project.qualifications.all()
    assert kept_out == {(qualification.platform_id, "DoesNotExist", "DiscoverPreviewAndAccept")}


def test_terms_become_requirements(mturk, project):
    project.offers.update(
        countries="KE, TZ", approval_percent=95, approved_count=100, needs_masters=True
    )
    (listing,) = publishing.publish(project, "mturk")
    (hit,) = hits_there(mturk)
    comparators = sorted(needed["Comparator"] for needed in hit.hit_type.requirements)
    assert comparators == [
        "DoesNotExist",
        "Exists",
        "GreaterThanOrEqualTo",
        "GreaterThanOrEqualTo",
        "In",
    ]
    assert listing.fee_cents == hit.fee_cents == 13


@pytest.mark.parametrize("kind", ["lost_answer", "lost_request"])
def test_a_lost_call_leaves_one_hit(mturk, project, kind, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    mturk.faults.add(kind, next_calls=1, operations=["CreateHITWithHITType"])
    made = publish_until_done(project)
    assert [one.platform_id for one in made] == [hit.hit_id for hit in hits_there(mturk)]
    assert promised(project) == 300


def test_a_hit_that_is_not_listed_yet_is_found_by_the_name_in_the_refusal(
    mturk, project, monkeypatch
):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    mturk.faults.add("lost_answer", next_calls=1, operations=["CreateHITWithHITType"])
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    monkeypatch.setattr("tests.stand_ins.mturk.hits.listed", lambda market: [])
    (listing,) = publishing.publish(project, "mturk")
    assert [listing.platform_id] == [hit.hit_id for hit in hits_there(mturk)]
    assert len(mturk.calls_of("CreateHITWithHITType")) == 2  # asked again, and refused


def publish_until_done(project, *, tries=5):
    """Publish as somebody who calls again after each failure."""
    for _ in range(tries):
        try:
            return publishing.publish(project, "mturk")
        except PlatformError as error:
            assert not error.permanent
    return pytest.fail("it was never published")


def test_a_crash_after_the_call_leaves_one_hit(mturk, project, monkeypatch):
    class Crash(BaseException):
        pass

    def crash(*_args, **_kwargs):
        raise Crash

    with monkeypatch.context() as broken:
        # After the platform has answered and before anything is noted.
        broken.setattr("tasks.platforms.mturk.platform._as_answer", crash)
        with pytest.raises(Crash):
            publishing.publish(project, "mturk")
    assert Listing.objects.get().state == ListingState.PLANNED
    (listing,) = publishing.publish(project, "mturk")
    assert [listing.platform_id] == [hit.hit_id for hit in hits_there(mturk)]
    assert promised(project) == 300


def test_a_token_older_than_a_day_makes_no_second_hit(mturk, project, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    mturk.faults.add("lost_answer", next_calls=1, operations=["CreateHITWithHITType"])
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    mturk.advance(25 * 3600)
    long_ago = timezone.now() - timedelta(hours=25)
    PlatformCall.objects.filter(operation="CreateHITWithHITType").update(token_made_at=long_ago)
    (listing,) = publishing.publish(project, "mturk")
    assert [listing.platform_id] == [hit.hit_id for hit in hits_there(mturk)]
    assert len(mturk.calls_of("CreateHITWithHITType")) == 1


def test_a_token_older_than_a_day_is_renewed_where_nothing_was_made(mturk, project, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    mturk.faults.add("lost_request", next_calls=1, operations=["CreateHITWithHITType"])
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    long_ago = timezone.now() - timedelta(hours=25)
    PlatformCall.objects.filter(operation="CreateHITWithHITType").update(token_made_at=long_ago)
    publishing.publish(project, "mturk")
    first, second = (
        call.parameters["UniqueRequestToken"] for call in mturk.calls_of("CreateHITWithHITType")
    )
    assert first != second
    assert len(hits_there(mturk)) == 1


@pytest.mark.parametrize("kind", ["throttle", "fault"])
def test_forty_percent_of_trouble_is_waited_for(mturk, project, kind):
    project.overlap = 30
    project.save()
    mturk.faults.add(kind, share=0.4)
    made = publish_until_done(project)
    assert [one.places for one in made] == [9, 9, 9, 3]
    assert len(hits_there(mturk)) == 4


@pytest.mark.django_db(transaction=True)
def test_who_publish_at_once_make_the_places_once(mturk, project):
    """It asserts something on PostgreSQL; SQLite's writers are one after the other anyway."""
    start = threading.Barrier(4)

    def act(_):
        try:
            start.wait()
            return publishing.publish(project, "mturk")
        except OutcomeUnknown as error:  # another is making it just now
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(4)))
    publishing.publish(project, "mturk")
    assert [hit.max_assignments for hit in hits_there(mturk)] == [5]
    assert promised(project) == 300


def test_too_little_money_publishes_nothing(mturk, project):
    project.overlap = 200
    project.save()
    with pytest.raises(TaskError, match=r"120\.00 USD with fees are needed .* has 100\.00 USD"):
        publishing.publish(project, "mturk")
    assert hits_there(mturk) == []
    assert not Listing.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_nothing_passes_the_spending_limit(mturk, project):
    project.spend_limit_cents = 299
    project.save()
    with pytest.raises(TaskError, match=r"spending limit leaves 2\.99 USD"):
        publishing.publish(project, "mturk")
    assert hits_there(mturk) == []
    project.spend_limit_cents = 300
    project.save()
    publishing.publish(project, "mturk")
    assert promised(project) == 300


def test_what_fails_for_good_keeps_no_promise(mturk, project):
    project.offers.update(description="x" * 2001)
    with pytest.raises(PlatformError):
        publishing.publish(project, "mturk")
    assert [one.state for one in Listing.objects.all()] == [ListingState.FAILED]
    assert promised(project) == 0


def test_sandbox_and_live_are_never_mixed(mturk, project, settings):
    (listing,) = publishing.publish(project, "mturk")
    settings.MTURK_MODE = "live"
    with pytest.raises(TaskError, match="was published in the sandbox market"):
        publishing.publish(project, "mturk")
    listing.state = ListingState.PLANNED
    with pytest.raises(PlatformError, match="belongs to the sandbox market"):
        publishing.complete(listing)
    assert publishing.close(project, "mturk") == []


def test_live_needs_a_reward_that_somebody_chose(mturk, settings):
    project = make_project(overlap=1)
    assert offers.plan(project, "mturk").problems == ()
    settings.MTURK_MODE = "live"
    assert "nobody has said what" in offers.plan(project, "mturk").problems[0]
    project.hourly_pay, project.session_minutes = 12, 30
    project.save()
    plan = offers.plan(project, "mturk")
    assert (plan.problems, plan.reward_cents) == ((), 600)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PUBLIC_BASE_URL": "http://clime.test"}, "https addresses alone"),
        (
            {"MTURK_ENDPOINT_URL": "https://mturk-requester.us-east-1.amazonaws.com"},
            "is that of the live market",
        ),
    ],
)
def test_settings_that_cannot_work_are_said(project, settings, change, said):
    for name, value in change.items():
        setattr(settings, name, value)
    with pytest.raises((TaskError, PlatformError), match=said):
        publishing.publish(project, "mturk")
    assert not Listing.objects.exists()


def test_another_region_is_said(project, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(CommandError, match="us-east-1 alone, and AWS_DEFAULT_REGION is eu-west-1"):
        call_publish(project)


def test_missing_credentials_are_said(project, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(CommandError, match=r"Not published: .*there are no AWS credentials"):
        call_publish(project)


def test_closing_lets_nobody_in_any_more(mturk, project):
    publishing.publish(project, "mturk")
    (hit,) = hits_there(mturk)
    publishing.close(project, "mturk")
    assert hit.status(mturk.market.now) != "Assignable"
    assert Listing.objects.get().state == ListingState.CLOSED
    assert publishing.close(project, "mturk") == []


def call_publish(project, *arguments):
    out = StringIO()
    call_command("publish_hits", project.slug, "--platform", "mturk", *arguments, stdout=out)
    return out.getvalue()


def test_a_dry_run_tells_the_cost_and_makes_nothing(mturk, project):
    told = json.loads(call_publish(project, "--dry-run", "--json"))
    assert told["places_missing"] == 5
    assert [row["total_cents"] for row in told["costs"]] == [300, 300]
    assert "3.00 USD" in call_publish(project, "--dry-run")
    assert hits_there(mturk) == []
    assert not Listing.objects.exists()


def test_the_command_publishes_and_closes(mturk, project):
    told = json.loads(call_publish(project, "--reward", "0.75", "--json"))
    (hit,) = hits_there(mturk)
    assert [(one["platform_id"], one["reward_cents"]) for one in told["listings"]] == [
        (hit.hit_id, 75)
    ]
    out = StringIO()
    call_command("close_hits", project.slug, "--json", stdout=out)
    assert [one["platform_id"] for one in json.loads(out.getvalue())["closed"]] == [hit.hit_id]


def test_a_project_that_is_not_ready_is_not_published(project):
    project.state = "draft"
    project.save()
    with pytest.raises(CommandError, match="prepare it first"):
        call_publish(project)


# --- Places that are to be filled again, and people's own later sessions ------------------------


def reject(mturk, listing, worker_id):
    """Let somebody hand in, and note that it was rejected, as a poll does."""
    assignment_id = mturk.accept(listing.platform_id, worker_id)
    mturk.submit(assignment_id, {"completionCode": "x"})
    mturk_client().reject_assignment(AssignmentId=assignment_id, RequesterFeedback="Empty.")
    return listing.assignments.create(
        hit=listing.hit,
        worker_id=worker_id,
        platform_id=assignment_id,
        state="expired",
        status_there="rejected",
        expires_at=timezone.now(),
    )


def mturk_client():
    return MechanicalTurk()._client._boto(1)


def test_a_rejected_place_is_filled_by_one_more_assignment(mturk, project):
    (listing,) = publishing.publish(project, "mturk")
    reject(mturk, listing, "AWORKER1")
    (raised,) = publishing.refill(listing.hit)
    (hit,) = hits_there(mturk)
    assert (raised.pk, raised.places, hit.max_assignments) == (listing.pk, 6, 6)
    assert publishing.refill(listing.hit) == []
    assert promised(project) == 6 * 60  # the rejected one's is ended by who notes the rejection


def test_past_nine_places_another_hit_is_made_which_keeps_former_workers_out(mturk, project):
    project.overlap = 9
    project.save()
    (listing,) = publishing.publish(project, "mturk")
    reject(mturk, listing, "AWORKER1")
    (second,) = publishing.refill(listing.hit)
    assert (second.pk != listing.pk, second.places, second.fee_cents) == (True, 1, 10)
    assert [hit.max_assignments for hit in hits_there(mturk)] == [9, 1]
    assert "DoesNotExist" in str(hits_there(mturk)[1].hit_type.requirements)
    assert publishing.refill(listing.hit) == []


def test_a_lost_raise_is_found_and_not_made_twice(mturk, project, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    (listing,) = publishing.publish(project, "mturk")
    reject(mturk, listing, "AWORKER1")
    mturk.faults.add("lost_answer", next_calls=1, operations=["CreateAdditionalAssignmentsForHIT"])
    with pytest.raises(OutcomeUnknown):
        publishing.refill(listing.hit)
    listing.refresh_from_db()
    platform_of("mturk").raise_places(listing)
    (hit,) = hits_there(mturk)
    assert (listing.places, hit.max_assignments) == (6, 6)


def test_a_raise_that_was_never_sent_is_made_at_the_next_refill(mturk, project):
    (listing,) = publishing.publish(project, "mturk")
    # As a crash between the row and the call leaves it, and the next poll reads it.
    reject(mturk, listing, "AWORKER1")
    Listing.objects.update(places=6, pending_there=0, available_there=4)
    publishing.refill(listing.hit)
    (hit,) = hits_there(mturk)
    assert hit.max_assignments == 6


@pytest.mark.parametrize("end", ["closed by the manager", "its days are over"])
def test_nothing_is_filled_again_once_a_listing_has_ended(mturk, project, end):
    (listing,) = publishing.publish(project, "mturk")
    reject(mturk, listing, "AWORKER1")
    if end == "closed by the manager":
        publishing.close(project, "mturk")
    else:
        Listing.objects.update(expires_at=timezone.now())
    assert publishing.refill(listing.hit) == []
    assert [hit.max_assignments for hit in hits_there(mturk)] == [5]


def test_a_later_session_is_published_for_its_person_alone(mturk, project):
    publishing.publish(project, "mturk")
    keyword = project.ranking.keywords.first()
    owner = services.Owner("mturk", "AWORKER1")
    terms = {"session_number": 2, "owner": owner, "keywords": [keyword], "documents": []}
    assert services.offer_session(project, **terms) is None
    (listing,) = publishing.publish_later_sessions(project, "mturk")
    hit = mturk.market.hits[listing.platform_id]
    assert (listing.worker_id, listing.places) == ("AWORKER1", 1)
    assert hit.hit_id in mturk.visible_hits("AWORKER1")
    assert hit.hit_id not in mturk.visible_hits("AWORKER2")
    with pytest.raises(Refused):
        mturk.preview_url(hit.hit_id, "AWORKER2")
    assert publishing.publish_later_sessions(project, "mturk") == []


def test_a_later_session_waits_for_its_pause(mturk, project):
    project.pause_hours = 24
    project.save()
    keyword = project.ranking.keywords.first()
    owner = services.Owner("mturk", "AWORKER1")
    services.offer_session(project, session_number=2, owner=owner, keywords=[keyword], documents=[])
    assert publishing.publish_later_sessions(project, "mturk") == []
    HIT.objects.filter(session_number=2).update(created_at=timezone.now() - timedelta(hours=25))
    assert len(publishing.publish_later_sessions(project, "mturk")) == 1


def test_who_was_blocked_since_gets_no_later_session(mturk, project):
    keyword = project.ranking.keywords.first()
    owner = services.Owner("mturk", "AWORKER1")
    services.offer_session(project, session_number=2, owner=owner, keywords=[keyword], documents=[])
    block = Block.objects.create(platform="mturk", worker_id="AWORKER1", reason="spam")
    assert publishing.publish_later_sessions(project, "mturk") == []
    block.delete()
    assert len(publishing.publish_later_sessions(project, "mturk")) == 1
