"""Compensation: a HIT for one person, which asks nothing and is approved by who made it."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tasks.crowd import compensating, following, ledger, publishing
from tasks.models import Assignment, LedgerEntry, Listing
from tasks.platforms import OutcomeUnknown, PlatformError
from tasks.services import TaskError
from tests.stand_ins.mturk import Refused, Worker

pytestmark = pytest.mark.django_db

WHY = "Your page did not let you hand in."


@pytest.fixture
def amina(arrive):
    """Give somebody who took a place and did the work, and could not hand it in."""
    return arrive("AMINA")


@pytest.fixture
def manager(db):
    return User.objects.create_user("manager")


def compensate(project, **changes):
    return compensating.compensate(project, "AMINA", **{"cents": 70, "reason": WHY, **changes})


@pytest.fixture
def take_up(mturk, client):
    """Give a function that accepts a compensation and hands it in by the form on its page."""

    def take_up(listing):
        assignment_id = mturk.accept(listing.platform_id, "AMINA")
        address = mturk.task_url(assignment_id).removeprefix("https://clime.test")
        page = client.get(address, follow=True).content.decode()
        form = page[page.index(f'action="{mturk.url}/mturk/externalSubmit"') :]
        fields = re.findall(r'name="(\w+)" value="([^"]*)"', form[: form.index("</form>")])
        mturk.submit_form(fields)
        return listing.assignments.get()

    return take_up


def test_a_compensation_is_seen_by_its_person_alone(mturk, project, amina):
    listing = compensate(project)
    assert listing.platform_id in mturk.visible_hits("AMINA")
    assert listing.platform_id not in mturk.visible_hits("BARAKA")
    with pytest.raises(Refused):
        mturk.accept(listing.platform_id, "BARAKA")


def test_whom_it_is_for_may_take_it_whatever_the_work_asks_for(mturk, project, amina):
    project.offers.update(approval_percent=95, countries="KE", needs_masters=True)
    mturk.add_worker(Worker("AMINA", country="TZ", percent_approved=10))
    assert compensate(project).platform_id in mturk.visible_hits("AMINA")


def test_it_is_paid_once_it_is_handed_in(mturk, project, amina, manager, take_up):
    listing = compensate(project, by=manager)
    assert following.sync().problems == []
    assert mturk.market.ledger.spent_cents() == 0
    assignment = take_up(listing)
    assert following.sync().problems == []
    assignment.refresh_from_db()
    assert (assignment.status_there, assignment.decided_by) == ("approved", manager)
    entry = listing.ledger.get()
    assert (entry.kind, entry.state, entry.worker_id) == ("compensation", "confirmed", "AMINA")
    confirmed = LedgerEntry.objects.filter(state="confirmed").total_cents()
    assert confirmed == mturk.market.ledger.spent_cents() == 70 + 14
    assert mturk.market.assignments[assignment.platform_id].feedback == WHY


def test_asked_for_twice_it_is_the_same_one(mturk, project, amina):
    assert compensate(project) == compensate(project)
    assert compensate(project, reason="And the sound did not work.") != compensate(project)
    assert len(mturk.market.hits) == 3


@pytest.mark.parametrize("kind", ["lost_answer", "lost_request"])
def test_one_whose_answer_is_lost_is_found_again(mturk, project, amina, kind, impatient):
    mturk.faults.add(kind, operations=["CreateHITWithHITType"], next_calls=1)
    with pytest.raises(OutcomeUnknown):
        compensate(project)
    assert compensate(project).state == "open"
    assert len(mturk.market.hits) == 2
    assert LedgerEntry.objects.filter(kind="compensation").count() == 1


def test_one_that_is_refused_can_be_made_anew(mturk, project, amina):
    with pytest.raises(PlatformError, match="too little money"):
        compensate(project, cents=200_00)
    assert LedgerEntry.objects.get(kind="compensation").state == "failed"
    assert compensate(project).state == "open"


def test_the_promise_ends_once_it_can_be_taken_no_more(mturk, project, amina):
    listing = compensate(project)
    mturk.advance(31 * 86_400)
    past = timezone.now() - timedelta(hours=1)
    Listing.objects.filter(pk=listing.pk).update(expires_at=past)
    assert following.sync().problems == []
    assert listing.ledger.get().state == "failed"
    assert mturk.market.ledger.spent_cents() == 0


def test_its_preview_is_a_page(mturk, project, amina, client):
    address = mturk.preview_url(compensate(project).platform_id, "AMINA")
    assert client.get(address.removeprefix("https://clime.test")).status_code == 200


def test_it_takes_no_place_of_the_work(mturk, project, amina, take_up):
    take_up(compensate(project))
    assert publishing.publish(project, "mturk") == []
    assert Listing.objects.count() == 2


def test_it_passes_no_limit(mturk, project, amina):
    project.spend_limit_cents = 5 * 60 + 83
    project.save()
    with pytest.raises(ledger.OverLimit):
        compensate(project)
    assert Assignment.objects.count() == 1
    assert len(mturk.market.hits) == 1


@pytest.mark.parametrize("changes", [{"cents": 0}, {"reason": " "}])
def test_it_needs_an_amount_and_a_reason(mturk, project, amina, changes):
    with pytest.raises(TaskError):
        compensate(project, **changes)


def test_nobody_is_compensated_who_never_came(mturk, project):
    with pytest.raises(TaskError, match="AMINA did not come to Emergency or not by a platform"):
        compensate(project)
