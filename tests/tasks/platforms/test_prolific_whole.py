"""A project on Prolific, from publication to bonus: both sides say the same of each cent."""

import json
import re
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tasks.crowd import compensating, following, ledger, offers, paying, publishing, reconciling
from tasks.models import Assignment, LedgerEntry, Listing, ListingState
from tasks.platforms import OutcomeUnknown, PlatformError
from tasks.services import TaskError
from tests.annotation.visitor import Visitor
from tests.factories import make_project
from tests.stand_ins.prolific.world import Refused

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


def arrive(there, listing, person):
    """Let somebody take a place and come to our pages; return them as a visitor."""
    address = urlsplit(there.take(listing.platform_id, person))
    client = Client(enforce_csrf_checks=True)
    answer = client.get(f"{address.path}?{address.query}")
    assert answer.status_code == 303, answer.content
    visitor = Visitor(Assignment.objects.get(worker_id=person, listing=listing), client)
    assert answer["Location"] == visitor.url()
    return visitor


def finish(there, listing, person):
    """Let somebody arrive, finish, and go back by the page's link; return their assignment."""
    visitor = arrive(there, listing, person)
    visitor.agree()
    assert visitor.post("finish/").status_code == 303
    (code,) = re.findall(r'href="[^"]*/submissions/complete\?cc=(\w+)"', visitor.text("finish/"))
    there.finish(visitor.assignment.platform_id, code)
    return Assignment.objects.get(pk=visitor.assignment.pk)


def poll():
    outcome = following.sync(platform="prolific")
    assert outcome.problems == []
    return outcome


def state_of(assignment):
    row = Assignment.objects.get(pk=assignment.pk)
    return row.state, row.status_there


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
    assert poll().changes.handed_in == 2
    assert state_of(amina) == ("submitted", "submitted")
    paying.approve(amina)
    paying.reject(binta, reason=REASON)
    paying.bonus(amina, cents=105, reason="Careful work")
    there.advance(600)
    assert said_here() == said_there(there)
    assert said_there(there) == [("bonus", "amina", 105, 45), ("reward", "amina", REWARD, FEE)]
    poll()
    assert said_here() == said_there(there)
    assert state_of(binta) == ("submitted", "rejected")
    assert reconciling.compare("prolific").findings == []


def test_a_lost_bonus_stays_sent_and_is_never_asked_for_again(there, listing):
    amina = finish(there, listing, "amina")
    there.faults.plan("lost", on="/pay/")
    with pytest.raises(OutcomeUnknown):
        paying.bonus(amina, cents=105, reason="Careful work")
    for _ in range(3):
        poll()
    there.advance(600)
    poll()
    assert LedgerEntry.objects.get(kind="bonus").state == "sent"
    assert said_there(there) == [("bonus", "amina", 105, 45)]
    # Asked for again by a person, it is looked for, and found.
    paying.bonus(amina, cents=105, reason="Careful work")
    assert said_here() == said_there(there) == [("bonus", "amina", 105, 45)]


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
    with pytest.raises(TaskError, match="support"):
        paying.overrule(amina)
    assert following.sync(platform="prolific").problems == []  # it is not asked again and again
    there.overrule(amina.platform_id, "APPROVED")
    poll()
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


def test_closing_stops_the_study_and_ends_what_nobody_took(there, project, listing):
    at_work = arrive(there, listing, "amina")
    publishing.close(project, "prolific")
    poll()
    assert there.world.study(listing.platform_id).status == "COMPLETED"
    at_work.agree()  # who holds a place may finish
    there.return_(at_work.assignment.platform_id)
    poll()
    assert ledger.committed_cents(project, "live") == 0
    assert poll().places_made == 0


@pytest.mark.parametrize("reopens", [True, False])
def test_refused_work_is_replaced_once(there, project, listing, reopens):
    there.world.reopens = reopens
    rows = [finish(there, listing, person) for person in ("amina", "binta", "chidi")]
    paying.reject(rows[0], reason=REASON)
    for row in rows[1:]:
        paying.approve(row)
    for _ in range(3):
        poll()
    paying.approve(finish(there, listing, "dalila"))
    for _ in range(3):
        poll()
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "emeka")
    assert said_here() == said_there(there)
    assert len(said_there(there)) == project.overlap
    assert Listing.objects.count() == 1
    assert reconciling.compare("prolific").findings == []


@pytest.mark.parametrize("leaves", ["returns", "runs out of time"])
def test_a_place_that_was_given_back_is_somebody_elses(there, listing, leaves):
    gone = arrive(there, listing, "amina")
    if leaves == "returns":
        there.return_(gone.assignment.platform_id)
    else:
        there.advance(listing.minutes_allowed * 60)
    poll()
    assert state_of(gone.assignment) == ("returned", "returned")
    for person in ("binta", "chidi", "dalila"):
        finish(there, listing, person)
    poll()
    assert sorted(Assignment.objects.holding_a_place().values_list("worker_id", flat=True)) == [
        "binta",
        "chidi",
        "dalila",
    ]


def test_work_that_was_returned_after_it_was_handed_in_is_replaced(there, listing):
    amina, *_ = [finish(there, listing, person) for person in ("amina", "binta", "chidi")]
    poll()
    there.return_(amina.platform_id)
    poll()
    finish(there, listing, "dalila")
    poll()
    handed_in = Assignment.objects.filter(status_there="submitted")
    assert sorted(handed_in.values_list("worker_id", flat=True)) == ["binta", "chidi", "dalila"]
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "emeka")


def test_what_nobody_reviewed_is_paid_by_prolific_and_noted(there, listing):
    finish(there, listing, "amina")
    there.advance(21 * 24 * 3600)
    poll()
    assert said_here() == said_there(there) == [("reward", "amina", REWARD, FEE)]


def test_a_participant_who_was_made_up_is_not_paid(there, listing):
    address = urlsplit(there.take(listing.platform_id, "amina"))
    place = there.session_of(listing.platform_id, "amina").id
    Client().get(
        address.path,
        {"PROLIFIC_PID": "mallory", "STUDY_ID": listing.platform_id, "SESSION_ID": place},
    )
    mallory = Assignment.objects.get(worker_id="mallory")
    there.finish(place, "whatever")
    poll()
    with pytest.raises(TaskError, match="amina"):
        paying.approve(mallory)
    assert there.ledger == []
    paying.approve(Assignment.objects.get(worker_id="amina"))
    assert said_here() == said_there(there) == [("reward", "amina", REWARD, FEE)]


def test_a_study_ends_with_its_days(there, project, listing):
    Listing.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    poll()
    assert there.world.study(listing.platform_id).status == "COMPLETED"
    assert Listing.objects.get().state == ListingState.CLOSED
    assert ledger.committed_cents(project, "live") == 0


def test_more_people_are_let_in_where_more_are_wanted(there, project, listing):
    for person in ("amina", "binta", "chidi"):
        paying.approve(finish(there, listing, person))
    poll()
    project.overlap = 4
    project.save()
    poll()
    finish(there, listing, "dalila")
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "emeka")


def test_forty_percent_throttling_loses_nobody(there, listing):
    rows = [finish(there, listing, person) for person in ("amina", "binta", "chidi")]
    there.faults.throttle_share(0.4, seed=5, retry_after_s=0)
    for _ in range(5):
        following.sync(platform="prolific")
    for row in rows:
        paying.approve(row)
    there.faults.throttle_share(0, seed=5)
    poll()
    assert any(call.status == 429 for call in there.calls)
    assert said_here() == said_there(there)
    assert len(said_here()) == 3


def test_an_address_alone_shows_a_sample_and_makes_nothing(there, listing):
    told = there.world.study(listing.platform_id).told["external_study_url"]
    for address in (urlsplit(told).path, told):
        page = Client().get(address).content.decode()
        assert "This is a sample" in page
    assert not Assignment.objects.exists()


def test_a_compensation_is_a_study_for_one_person(there, project, listing):
    arrive(there, listing, "amina")
    owed = compensating.compensate(project, "amina", cents=300, reason="Our page did not open.")
    study = there.world.study(owed.platform_id)
    assert (study.reward, study.places) == (300, 1)
    with pytest.raises(Refused, match="filtered out"):
        there.take(owed.platform_id, "binta")


def test_commands_drive_it_all(there, project):
    def run(*arguments):
        said = StringIO()
        call_command(*arguments, "--json", stdout=said)
        return json.loads(said.getvalue())

    slug = project.slug
    dry = run("publish_hits", slug, "--platform", "prolific", "--dry-run")
    assert (dry["places_missing"], dry["funds_cents"], dry["problems"]) == (3, 100_000, [])
    (made,) = run("publish_hits", slug, "--platform", "prolific")["listings"]
    listing = Listing.objects.get(platform_id=made["platform_id"])
    amina, binta = finish(there, listing, "amina"), finish(there, listing, "binta")
    assert run("sync_platform", slug)["handed_in"] == 2
    run("review", amina.platform_id, "approve")
    run("review", str(binta.pk), "reject", "--reason", REASON)
    run("review", amina.platform_id, "bonus", "--amount", "1.05", "--reason", "Careful work")
    with pytest.raises(CommandError, match="short"):
        run("review", str(finish(there, listing, "chidi").pk), "reject", "--reason", "Careless.")
    there.advance(600)
    run("close_hits", slug)
    run("sync_platform", slug)
    run("reconcile", "--platform", "prolific")
    assert said_here() == said_there(there)
    assert len(said_here()) == 2
