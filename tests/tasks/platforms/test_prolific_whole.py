"""A project on Prolific, from publication to bonus: both sides say the same of each cent."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from tasks.crowd import ledger, offers, paying, publishing
from tasks.models import Assignment, LedgerEntry, ListingState
from tasks.platforms import OutcomeUnknown, PlatformError, platform_of
from tasks.services import TaskError
from tests.factories import make_project

pytestmark = pytest.mark.django_db

REWARD, FEE = 500, 214
REASON = (
    "Every word of every page was accepted, the control words among them, in under four seconds "
    "each: nobody can read them in that time."
)


@pytest.fixture
def project(there):
    project = make_project(overlap=3, currency="GBP", session_minutes=30)
    project.offers.create(platform="prolific", reward_cents=REWARD, layout="single")
    return project


@pytest.fixture
def listing(project):
    (listing,) = publishing.publish(project, "prolific")
    return listing


def finish(there, listing, person):
    """Let somebody take a place, come here, finish and hand in; return their assignment."""
    platform = platform_of("prolific")
    address = there.take(listing.platform_id, person)
    came = platform.arrival(dict(parse_qsl(urlsplit(address).query)), listing)
    assignment = Assignment.objects.create(
        hit=listing.hit,
        listing=listing,
        worker_id=came.worker_id,
        platform_id=came.platform_id,
        state="submitted",
        arrived_at=timezone.now(),
        submitted_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=3),
    )
    there.finish(came.platform_id, platform.completion(assignment).code)
    return assignment


def said_here():
    """Return what the ledger says was paid, fees and all, to whom."""
    paid = LedgerEntry.objects.filter(state="confirmed").order_by("worker_id", "cents")
    return [(one.kind, one.worker_id, one.cents, one.fee_cents) for one in paid]


def said_there(there):
    return sorted(
        ((one.kind, one.participant_id, one.cents, one.fee_cents) for one in there.ledger),
        key=lambda row: (row[1], row[2]),
    )


def test_the_plan_says_what_it_costs(there, project):
    plan = offers.plan(project, "prolific")
    assert plan.problems == ()
    assert (plan.mode, plan.places_missing, plan.chosen.total_cents) == ("live", 3, 3 * 714)
    assert plan.funds_cents == 100_000


def test_what_is_published_paid_and_added_is_the_same_on_both_sides(there, listing):
    assert listing.state == ListingState.OPEN
    amina, binta = finish(there, listing, "amina"), finish(there, listing, "binta")
    paying.approve(amina)
    paying.reject(binta, reason=REASON)
    paying.bonus(amina, cents=105, reason="Careful work")
    there.advance(600)
    assert said_here() == said_there(there)
    assert said_there(there) == [("bonus", "amina", 105, 45), ("reward", "amina", REWARD, FEE)]
    binta.refresh_from_db()
    assert binta.status_there == "rejected"


def test_a_lost_bonus_stays_sent_and_is_never_asked_for_again(there, listing):
    amina = finish(there, listing, "amina")
    there.faults.plan("lost", on="/pay/")
    with pytest.raises(OutcomeUnknown):
        paying.bonus(amina, cents=105, reason="Careful work")
    for _ in range(3):
        paying.settle_all("prolific")
    there.advance(600)
    assert LedgerEntry.objects.get(kind="bonus").state == "sent"
    assert said_there(there) == [("bonus", "amina", 105, 45)]


def test_a_reason_too_short_can_be_given_anew(there, listing):
    amina = finish(there, listing, "amina")
    with pytest.raises(PlatformError, match="88 short"):
        paying.reject(amina, reason="Not careful.")
    paying.reject(Assignment.objects.get(), reason=REASON)
    assert there.world.submission(amina.platform_id).status == "REJECTED"


def test_who_was_rejected_is_paid_once_prolifics_support_has_undone_it(there, listing):
    amina = finish(there, listing, "amina")
    paying.reject(amina, reason=REASON)
    amina.refresh_from_db()
    with pytest.raises(PlatformError, match="support"):
        paying.overrule(amina)
    there.overrule(amina.platform_id, "APPROVED")
    assert paying.settle_all("prolific") == []
    assert said_here() == said_there(there) == [("reward", "amina", REWARD, FEE)]


def test_too_little_money_is_one_sentence_and_no_promise(there, project):
    there.world.balance_cents = 3 * (REWARD + FEE) - 1
    with pytest.raises(TaskError, match="account has"):
        publishing.publish(project, "prolific")
    assert there.world.studies == {}
    assert ledger.committed_cents(project, "live") == 0


def test_a_failed_publication_ends_its_promises_and_can_be_repeated(there, project):
    project.offers.update(countries="SS")
    with pytest.raises(PlatformError, match="South Sudan"):
        publishing.publish(project, "prolific")
    assert ledger.committed_cents(project, "live") == 0
    project.offers.update(countries="KE")
    publishing.publish(project, "prolific")
    assert [study.status for study in there.world.studies.values()] == ["ACTIVE"]


def test_closing_stops_the_study(there, project, listing):
    publishing.close(project, "prolific")
    assert there.world.study(listing.platform_id).status == "COMPLETED"
