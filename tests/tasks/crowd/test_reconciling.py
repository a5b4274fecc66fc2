"""Our rows beside a platform's: what does not fit is found, told, and mended once."""

from datetime import timedelta

import boto3
import pytest
from django.utils import timezone

from tasks.crowd import paying, publishing
from tasks.crowd.mending import mend, mend_all
from tasks.crowd.reconciling import Kind, compare
from tasks.models import (
    Assignment,
    EntryState,
    LedgerEntry,
    Listing,
    ListingState,
    PlatformCall,
    ProjectState,
)
from tasks.platforms import OutcomeUnknown, PlatformError
from tasks.services import TaskError
from tests.factories import make_entry, make_listing
from tests.stand_ins.conftest import question

pytestmark = pytest.mark.django_db

KEY = "0123456789abcdef01234567"


@pytest.fixture
def requester(mturk):
    """Give the requester's own client: what is done by hand, on the platform's site."""
    client = boto3.client("mturk", endpoint_url=mturk.url, region_name="us-east-1")
    yield client
    client.close()


@pytest.fixture
def listing(mturk, project):
    """Give a project's listing, published."""
    (made,) = publishing.publish(project, "mturk")
    return made


def make_hit(requester, *, places=1, **more):
    made = requester.create_hit(
        Title="Which words mean the same?",
        Description="Judge words of two languages.",
        Reward="0.50",
        AssignmentDurationInSeconds=3600,
        LifetimeInSeconds=86_400,
        MaxAssignments=places,
        Question=question("https://clime.test/arrive/x/"),
        **more,
    )
    return made["HIT"]["HITId"]


def kinds(platform="mturk"):
    return [finding.kind for finding in compare(platform).findings]


def only(platform="mturk"):
    """Return the one thing that does not fit."""
    (finding,) = compare(platform).findings
    return finding


def is_closed(mturk, hit_id):
    return mturk.market.hits[hit_id].expires_at <= mturk.market.now


def lose(mturk, monkeypatch, kind, operation):
    """Let the next call of an operation be lost, one way or the other."""
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    mturk.faults.add(kind, next_calls=1, operations=[operation])


def hand_in(mturk, listing, worker_id="A1"):
    """Take a place there, and hand in there; return the assignment's name there."""
    assignment_id = mturk.accept(listing.platform_id, worker_id)
    mturk.submit(assignment_id, {"completionCode": "X"})
    return assignment_id


def arrive(listing, worker_id, assignment_id):
    """Return the row of somebody who came and finished."""
    return Assignment.objects.create(
        hit=listing.hit,
        listing=listing,
        worker_id=worker_id,
        platform_id=assignment_id,
        state="submitted",
        submitted_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1),
    )


# --- What fits -------------------------------------------------------------------------------


def test_what_was_published_fits(listing):
    told = compare("mturk")
    assert told.fits
    assert (told.compared, told.of_others, told.elsewhere) == (1, 0, [])


def test_hits_that_are_none_of_ours_are_counted_and_never_touched(mturk, requester, listing):
    ids = [make_hit(requester), make_hit(requester, RequesterAnnotation="clime-of-the-year")]
    told = compare("mturk")
    assert told.fits
    assert told.of_others == 2
    assert list(mend_all(told.findings)) == []
    assert not any(is_closed(mturk, hit_id) for hit_id in ids)


@pytest.mark.parametrize(
    "other", [{"mode": "live"}, {"account": "second"}, {"endpoint": "https://elsewhere.test"}]
)
def test_rows_of_another_market_are_told_and_never_touched(mturk, project, settings, other):
    row = make_listing(
        project, **({"endpoint": mturk.url, "platform_id": "", "state": "planned"} | other)
    )
    make_entry(row, state="sent")
    PlatformCall.objects.create(
        key=f"listing-{row.key}", platform="mturk", mode=row.mode, operation="X", state="sent"
    )
    told = compare("mturk")
    assert told.fits
    assert "left alone" in told.elsewhere[0]
    assert "1 of them not closed" in told.elsewhere[0]
    before = len(mturk.calls)
    settings.MTURK_MODE, settings.MTURK_ACCOUNT = row.mode, row.account
    settings.MTURK_ENDPOINT_URL = mturk.url
    if "endpoint" not in other:  # as soon as the settings name it, it is compared
        assert Kind.NOT_MADE in kinds()
        assert len(mturk.calls) > before


def test_a_finding_of_another_market_is_not_mended(mturk, project, settings):
    make_listing(project, endpoint=mturk.url, platform_id="", state="planned")
    finding = only()
    settings.MTURK_ACCOUNT = "second"
    with pytest.raises(TaskError, match="another market"):
        mend(finding)
    assert not mturk.market.hits


# --- Theirs without ours ---------------------------------------------------------------------


def test_a_hit_whose_answer_was_lost_is_noted_and_not_made_again(mturk, project, monkeypatch):
    lose(mturk, monkeypatch, "lost_answer", "CreateHITWithHITType")
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    finding = only()
    assert finding.kind == Kind.NOT_NOTED
    mend(finding)
    row = Listing.objects.get()
    assert (row.state, [row.platform_id]) == (ListingState.OPEN, list(mturk.market.hits))
    assert row.expires_at is not None
    assert row.ledger.committed().total_cents() == 5 * 60
    assert compare("mturk").fits


def test_a_hit_of_a_row_that_lost_its_call_is_noted_too(mturk, listing):
    PlatformCall.objects.all().delete()
    Listing.objects.update(state="planned", platform_id="")
    mend(only())
    listing.refresh_from_db()
    assert [listing.platform_id] == list(mturk.market.hits)
    assert len(mturk.calls_of("CreateHITWithHITType")) == 1


def test_a_hit_of_a_row_given_up_is_closed_and_can_be_paid(mturk, listing):
    Listing.objects.update(state="failed", platform_id="")
    mend(only())
    row = Listing.objects.get()
    assert (row.state, row.platform_id) == (ListingState.CLOSED, listing.platform_id)
    assert is_closed(mturk, listing.platform_id)
    assert compare("mturk").fits


def test_an_orphan_is_closed_there(mturk, requester, db):
    hit_id = make_hit(requester, RequesterAnnotation=f"clime-{KEY}")
    finding = only()
    assert (finding.kind, finding.subject) == (Kind.ORPHAN, hit_id)
    assert "paid by hand" in finding.mending
    mend(finding)
    assert is_closed(mturk, hit_id)
    assert compare("mturk").fits


def test_an_orphan_that_was_closed_is_not_told_again_while_somebody_finishes(mturk, requester, db):
    hit_id = make_hit(requester, RequesterAnnotation=f"clime-{KEY}")
    held = mturk.accept(hit_id, "A1")
    mend(only())
    assert kinds() == []
    mturk.submit(held, {"completionCode": "X"})


def test_an_orphan_all_of_whose_places_are_taken_is_told(mturk, requester, db):
    hit_id = make_hit(requester, RequesterAnnotation=f"clime-{KEY}")
    mturk.accept(hit_id, "A1")
    assert kinds() == [Kind.ORPHAN]


def test_places_made_twice_are_told_and_the_second_closed(mturk, requester, listing):
    second = make_hit(requester, RequesterAnnotation=f"clime-{listing.key}")
    finding = only()
    assert (finding.kind, finding.subject) == (Kind.TWICE, second)
    mend(finding)
    assert is_closed(mturk, second)
    assert not is_closed(mturk, listing.platform_id)
    assert compare("mturk").fits


def test_what_is_closed_here_and_open_there_is_closed_there(mturk, listing):
    Listing.objects.update(state="closed", closed_at=timezone.now())
    finding = only()
    assert finding.kind == Kind.NOT_CLOSED
    mend(finding)
    mend(finding)  # closed by then: no failure
    assert is_closed(mturk, listing.platform_id)
    assert compare("mturk").fits


# --- Ours without theirs ---------------------------------------------------------------------


def test_what_was_planned_and_is_not_there_is_made(mturk, project, monkeypatch):
    lose(mturk, monkeypatch, "lost_request", "CreateHITWithHITType")
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    finding = only()
    assert finding.kind == Kind.NOT_MADE
    assert "3.00 USD" in finding.mending
    mend(finding)
    mend(finding)  # twice clicked
    assert [Listing.objects.get().platform_id] == list(mturk.market.hits)
    assert compare("mturk").fits


def test_what_was_planned_for_a_project_that_is_closed_is_given_up(mturk, project, monkeypatch):
    lose(mturk, monkeypatch, "lost_request", "CreateHITWithHITType")
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    project.state = ProjectState.CLOSED
    project.save()
    finding = only()
    assert "promised no more" in finding.mending
    mend(finding)
    assert Listing.objects.get().state == ListingState.FAILED
    assert LedgerEntry.objects.committed().total_cents() == 0
    assert not mturk.market.hits
    assert compare("mturk").fits


def test_a_compensation_is_owed_though_the_project_is_closed(mturk, project):
    project.state = ProjectState.CLOSED
    project.save()
    make_listing(
        project, endpoint=mturk.url, platform_id="", state="planned", purpose="compensation"
    )
    assert "makes them there" in only().mending


def test_what_cannot_be_made_is_told_and_keeps_no_promise(mturk, project, monkeypatch):
    lose(mturk, monkeypatch, "lost_request", "CreateHITWithHITType")
    with pytest.raises(OutcomeUnknown):
        publishing.publish(project, "mturk")
    mturk.market.ledger.entries.clear()  # somebody has withdrawn the money
    with pytest.raises(PlatformError, match="too little money"):
        mend(only())
    assert LedgerEntry.objects.committed().total_cents() == 0
    assert compare("mturk").fits


def test_a_hit_deleted_there_is_closed_here_and_its_promises_end(mturk, requester, listing):
    requester.update_expiration_for_hit(HITId=listing.platform_id, ExpireAt=0)
    requester.delete_hit(HITId=listing.platform_id)
    finding = only()
    assert finding.kind == Kind.GONE
    mend(finding)
    listing.refresh_from_db()
    assert listing.state == ListingState.CLOSED
    assert LedgerEntry.objects.committed().total_cents() == 0
    assert compare("mturk").fits


def test_fewer_places_there_than_promised_are_made(mturk, listing):
    Listing.objects.update(places=7)  # a crash between the row and the call
    finding = only()
    assert finding.kind == Kind.PLACES
    assert "has 5 places there and 7 here" in finding.sentence
    mend(finding)
    mend(finding)
    assert mturk.market.hits[listing.platform_id].max_assignments == 7
    assert compare("mturk").fits


def test_more_places_there_than_promised_are_for_a_person(mturk, requester, listing):
    requester.create_additional_assignments_for_hit(
        HITId=listing.platform_id, NumberOfAdditionalAssignments=2
    )
    finding = only()
    assert (finding.kind, finding.mending) == (Kind.PLACES, "")
    assert "nobody has promised" in finding.sentence


# --- Calls and money -------------------------------------------------------------------------


def test_a_lost_raise_of_places_is_looked_for(mturk, project, listing, monkeypatch):
    project.overlap = 7
    project.save()
    lose(mturk, monkeypatch, "lost_answer", "CreateAdditionalAssignmentsForHIT")
    with pytest.raises(OutcomeUnknown):
        publishing.refill(listing.hit)
    finding = only()
    assert finding.kind == Kind.CALL
    mend(finding)
    assert mturk.market.hits[listing.platform_id].max_assignments == 7
    assert len(mturk.calls_of("CreateAdditionalAssignmentsForHIT")) == 1
    assert compare("mturk").fits


def test_a_raise_of_places_that_never_arrived_is_made(mturk, project, listing, monkeypatch):
    project.overlap = 7
    project.save()
    lose(mturk, monkeypatch, "lost_request", "CreateAdditionalAssignmentsForHIT")
    with pytest.raises(OutcomeUnknown):
        publishing.refill(listing.hit)
    mend(only())
    assert mturk.market.hits[listing.platform_id].max_assignments == 7
    assert compare("mturk").fits


def test_an_approval_whose_answer_was_lost_is_paid_once(mturk, listing):
    assignment_id = hand_in(mturk, listing)
    assignment = arrive(listing, "A1", assignment_id)
    Assignment.objects.update(decision="approve", decided_at=timezone.now())
    entry = LedgerEntry.objects.filter(state=EntryState.PLANNED).first()
    LedgerEntry.objects.filter(pk=entry.pk).update(
        state="sent", sent_at=timezone.now(), assignment=assignment, worker_id="A1"
    )
    finding = only()
    assert finding.kind == Kind.PAYMENT
    mend(finding)
    mend(finding)
    entry.refresh_from_db()
    assert entry.state == EntryState.CONFIRMED
    assert mturk.market.ledger.spent_cents() == 60
    assert compare("mturk").fits


def test_a_bonus_whose_answer_was_lost_is_paid_once(mturk, requester, listing, monkeypatch):
    assignment_id = hand_in(mturk, listing)
    assignment = arrive(listing, "A1", assignment_id)
    paying.approve(assignment)
    lose(mturk, monkeypatch, "lost_answer", "SendBonus")
    with pytest.raises(OutcomeUnknown):
        paying.bonus(assignment, cents=25, reason="Thank you.")
    finding = only()
    assert (finding.kind, finding.mending[:9]) == (Kind.PAYMENT, "looks for")
    mend(finding)
    assert mturk.market.ledger.spent_cents("bonus") == 25
    assert compare("mturk").fits


def test_a_bonus_paid_by_hand_is_for_a_person(mturk, requester, listing):
    assignment_id = hand_in(mturk, listing)
    paying.approve(arrive(listing, "A1", assignment_id))
    requester.send_bonus(
        WorkerId="A1", AssignmentId=assignment_id, BonusAmount="0.25", Reason="By hand."
    )
    finding = only()
    assert (finding.kind, finding.mending) == (Kind.MONEY, "")
    assert "0.25 USD are paid there, and 0.00 USD are confirmed here" in finding.sentence
    with pytest.raises(TaskError, match="for a person"):
        mend(finding)


def test_what_was_approved_by_hand_is_confirmed_by_the_platforms_word(mturk, requester, listing):
    assignment_id = hand_in(mturk, listing)
    arrive(listing, "A1", assignment_id)
    requester.approve_assignment(AssignmentId=assignment_id)
    finding = only()
    assert finding.kind == Kind.MONEY
    mend(finding)
    assert LedgerEntry.objects.filter(state=EntryState.CONFIRMED).get().worker_id == "A1"
    assert compare("mturk").fits


def test_what_the_platforms_word_does_not_explain_is_not_called_mended(mturk, requester, listing):
    assignment_id = hand_in(mturk, listing)
    arrive(listing, "A1", assignment_id)
    requester.approve_assignment(AssignmentId=assignment_id)
    Listing.objects.update(reward_cents=40)  # as if our row had another reward than the HIT
    LedgerEntry.objects.update(cents=30)
    with pytest.raises(TaskError, match=r"still rewards of .* are paid there"):
        mend(only())


def test_what_is_confirmed_here_and_not_paid_there_is_for_a_person(mturk, listing):
    entry = LedgerEntry.objects.first()
    LedgerEntry.objects.filter(pk=entry.pk).update(state="confirmed")
    assert only().mending == ""


# --- Trouble ---------------------------------------------------------------------------------


def test_one_listing_that_cannot_be_read_hides_no_other(mturk, project, listing, monkeypatch):
    Listing.objects.update(state="closed", closed_at=timezone.now())
    lose(mturk, monkeypatch, "fault", "ListAssignmentsForHIT")
    told = compare("mturk")
    assert [finding.kind for finding in told.findings] == [Kind.NOT_CLOSED]
    assert "trouble of its own" in told.troubles[0]
    assert not told.fits


def test_forty_percent_of_throttling_is_waited_for(mturk, project):
    project.overlap = 27
    project.save()
    publishing.publish(project, "mturk")
    mturk.faults.add("throttle", share=0.4)
    assert compare("mturk").compared == 3


def test_settings_that_cannot_work_are_one_sentence(mturk, settings):
    settings.MTURK_ENDPOINT_URL = "https://mturk-requester.us-east-1.amazonaws.com"
    with pytest.raises(PlatformError, match="that of the live market"):
        compare("mturk")


def test_mending_goes_on_after_what_cannot_be_mended(mturk, requester, project, db):
    make_hit(requester, RequesterAnnotation=f"clime-{KEY}")
    row = make_listing(project, endpoint=mturk.url, platform_id="", state="planned")
    findings = compare("mturk").findings
    mturk.market.ledger.entries.clear()
    mended = {finding.kind: is_mended for finding, _, is_mended in mend_all(findings)}
    assert mended == {Kind.ORPHAN: True, Kind.NOT_MADE: False}
    row.refresh_from_db()
    assert row.state == ListingState.FAILED


def test_what_was_deleted_there_meanwhile_is_closed_enough(mturk, requester, listing):
    Listing.objects.update(state="closed", closed_at=timezone.now())
    finding = only()
    requester.update_expiration_for_hit(HITId=listing.platform_id, ExpireAt=0)
    requester.delete_hit(HITId=listing.platform_id)
    assert "is closed there" in mend(finding)
