"""Arrivals: who gets which assignment, and who gets none."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotation.models import Annotator, Session
from tasks.crowd import publishing
from tasks.crowd.arrivals import IDLE, NotLetIn, Reason, arrive
from tasks.models import HIT, Assignment, AssignmentState, Listing, Purpose
from tasks.platforms.base import NotArrivable
from tasks.platforms.mturk import MechanicalTurk
from tasks.platforms.mturk.origins import SUBMIT_ORIGINS, submit_origins
from tasks.services import submit
from tests.factories import make_listing, make_project
from tests.marketplace import comes, set_
from tests.stand_ins.mturk import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing(db):
    return make_listing(make_project(overlap=3))


def ago(**time):
    return timezone.now() - timedelta(**time)


def reason(listing, arrival):
    """Return why somebody is not let in."""
    before = list(Assignment.objects.order_by("pk").values())
    with pytest.raises(NotLetIn) as refusal:
        arrive(listing, arrival)
    assert list(Assignment.objects.order_by("pk").values()) == before
    return refusal.value.reason


def state(assignment):
    assignment.refresh_from_db()
    return assignment.state


# --- The same person -----------------------------------------------------------------------------


def test_who_arrives_gets_the_listings_time_and_no_more_than_a_row(listing):
    came = arrive(listing, comes("amina"))
    came.refresh_from_db()
    assert (came.hit, came.listing, came.worker_id) == (listing.hit, listing, "amina")
    assert (came.platform_id, came.state) == ("3OFAMINA", "offered")
    assert came.submit_to == "https://workersandbox.mturk.com"
    assert came.expires_at - came.arrived_at == timedelta(minutes=60)


def test_a_reload_is_the_same_assignment_with_the_same_deadline(listing):
    first = arrive(listing, comes("amina"))
    again = arrive(listing, comes("amina"))
    again.refresh_from_db()
    assert (again.pk, again.link_version) == (first.pk, 1)
    assert again.expires_at == first.expires_at
    assert again.arrived_at > first.arrived_at  # so that older news of a return are known as old
    assert Assignment.objects.count() == 1


@pytest.mark.parametrize("ended", ["returned", "expired"])
def test_who_gave_it_back_or_ran_out_of_time_is_let_in_again(listing, ended):
    first = arrive(listing, comes("amina"))
    set_(first, state=ended, expires_at=ago(minutes=1), status_there="returned")
    again = arrive(listing, comes("amina"))
    again.refresh_from_db()
    assert (again.pk, again.state, again.status_there) == (first.pk, "offered", "")
    assert again.is_open


def test_time_that_ran_out_unnoticed_is_noticed(listing):
    set_(arrive(listing, comes("amina")), expires_at=ago(seconds=1))
    for worker_id in ("bakari", "chausiku", "dalila"):
        arrive(listing, comes(worker_id))
    assert state(Assignment.objects.get(worker_id="amina")) == "expired"
    assert reason(listing, comes("amina")) == Reason.FULL


def test_who_finished_here_keeps_it_until_it_is_handed_in(listing):
    first = arrive(listing, comes("amina"))
    assert submit(first)
    again = arrive(listing, comes("amina"))
    assert (again.pk, again.state) == (first.pk, "submitted")


@pytest.mark.parametrize("ended", ["returned", "active"])
def test_another_assignment_of_the_same_person_takes_the_place_of_the_former(listing, ended):
    first = arrive(listing, comes("amina"))
    set_(first, state=ended)
    other = make_listing(listing.hit, places=2)
    again = arrive(other, comes("amina", "3NEW"))
    again.refresh_from_db()
    assert (again.pk, again.platform_id, again.listing) == (first.pk, "3NEW", other)
    assert again.is_open
    # Whoever returned it raised the version; a page that is still open must not hand in the old id.
    assert again.link_version == (1 if ended == "returned" else 2)


def test_finished_work_that_was_given_back_can_still_be_handed_in(listing):
    first = arrive(listing, comes("amina"))
    submit(first)
    finished_at = Assignment.objects.get().submitted_at
    arrive(listing, comes("bakari", "3OFAMINA"))
    assert state(first) == "returned"
    again = arrive(listing, comes("amina", "3NEW"))
    assert (again.state, again.submitted_at) == ("submitted", finished_at)


@pytest.mark.parametrize("there", ["submitted", "approved", "rejected"])
def test_work_that_was_handed_in_is_not_done_again(listing, there):
    first = arrive(listing, comes("amina"))
    submit(first)
    first.refresh_from_db()
    set_(first, status_there=there)
    assert arrive(listing, comes("amina")) == first  # their page says that it is handed in
    assert reason(listing, comes("amina", "3NEW")) == Reason.DID_IT


# --- Another person ------------------------------------------------------------------------------


def test_an_assignment_that_went_to_another_person_was_given_back(listing):
    first = arrive(listing, comes("amina"))
    second = arrive(listing, comes("bakari", "3OFAMINA"))
    first.refresh_from_db()
    assert (first.state, first.link_version) == ("returned", 2)
    assert (second.worker_id, second.platform_id) == ("bakari", "3OFAMINA")
    third = arrive(listing, comes("amina", "3OFAMINA"))
    assert (third.pk, third.state, state(second)) == (first.pk, "offered", "returned")


def test_what_was_handed_in_cannot_go_to_another_person(listing):
    first = arrive(listing, comes("amina"))
    submit(first)
    Assignment.objects.update(status_there="submitted")
    assert reason(listing, comes("mallory", "3OFAMINA")) == Reason.DID_IT
    assert state(first) == "submitted"


# --- Places --------------------------------------------------------------------------------------


def test_a_full_listing_refuses(listing):
    for worker_id in ("amina", "bakari", "chausiku"):
        arrive(listing, comes(worker_id))
    assert reason(listing, comes("dalila")) == Reason.FULL


def test_two_listings_together_have_no_more_places_than_the_hit(listing):
    other = make_listing(listing.hit, places=3)
    for worker_id in ("amina", "bakari"):
        arrive(listing, comes(worker_id))
    arrive(other, comes("chausiku"))
    assert reason(other, comes("dalila")) == Reason.FULL
    assert reason(listing, comes("dalila")) == Reason.FULL


def test_a_rejected_place_is_free_in_the_hit_and_taken_in_its_listing(listing):
    for worker_id in ("amina", "bakari", "chausiku"):
        submit(arrive(listing, comes(worker_id)))
    Assignment.objects.filter(worker_id="amina").update(status_there="rejected")
    Assignment.objects.exclude(worker_id="amina").update(status_there="approved")
    assert reason(listing, comes("dalila")) == Reason.FULL
    set_(listing, places=4)
    arrive(listing, comes("dalila"))
    assert reason(listing, comes("eshe")) == Reason.FULL


def test_places_that_were_added_meanwhile_count(listing):
    Listing.objects.update(places=1)
    arrive(listing, comes("amina"))
    assert reason(listing, comes("bakari")) == Reason.FULL
    Listing.objects.update(places=2)
    assert arrive(listing, comes("bakari")).worker_id == "bakari"


def see(listing, worker_id, at):
    """Note that somebody worked at a time."""
    annotator = Annotator.objects.create(platform="mturk", worker_id=worker_id)
    Session.objects.create(project=listing.hit.project, annotator=annotator, last_seen_at=at)


def test_the_one_idle_longest_makes_room_in_a_full_listing(listing):
    rows = {name: arrive(listing, comes(name)) for name in ("amina", "bakari", "chausiku")}
    Assignment.objects.update(arrived_at=ago(minutes=50))
    see(listing, "amina", ago(minutes=5))
    see(listing, "bakari", ago(minutes=40))
    see(listing, "chausiku", ago(minutes=20))
    arrive(listing, comes("dalila"))
    assert [state(row) for row in rows.values()] == ["offered", "returned", "offered"]
    arrive(listing, comes("eshe"))
    assert state(rows["chausiku"]) == "returned"
    assert reason(listing, comes("faraja")) == Reason.FULL  # amina is at work


def test_somebody_idle_for_less_keeps_the_place(listing):
    for worker_id in ("amina", "bakari", "chausiku"):
        arrive(listing, comes(worker_id))
    Assignment.objects.update(arrived_at=timezone.now() - IDLE + timedelta(seconds=30))
    assert reason(listing, comes("dalila")) == Reason.FULL


def test_who_the_platform_no_longer_counts_makes_room_at_once(listing):
    rows = {name: arrive(listing, comes(name)) for name in ("amina", "bakari", "chausiku")}
    Assignment.objects.update(arrived_at=ago(minutes=4))
    see(listing, "amina", ago(minutes=1))  # works on
    see(listing, "bakari", ago(minutes=3))
    set_(listing, synced_at=ago(minutes=2), pending_there=3)
    assert reason(listing, comes("dalila")) == Reason.FULL  # all are counted
    set_(listing, synced_at=ago(minutes=2), pending_there=2)
    arrive(listing, comes("dalila"))
    assert [state(row) for row in rows.values()] == ["offered", "offered", "returned"]
    assert reason(listing, comes("eshe")) == Reason.FULL  # as many are left as are counted


def test_who_came_after_the_platform_was_asked_keeps_the_place(listing):
    for worker_id in ("amina", "bakari", "chausiku"):
        arrive(listing, comes(worker_id))
    set_(listing, synced_at=ago(minutes=2), pending_there=0)
    assert reason(listing, comes("dalila")) == Reason.FULL


def test_finished_work_keeps_its_place_unless_the_platform_does_not_know_it(listing):
    for worker_id in ("amina", "bakari", "chausiku"):
        submit(arrive(listing, comes(worker_id)))
    Assignment.objects.update(submitted_at=ago(hours=1), arrived_at=ago(hours=2))
    Assignment.objects.exclude(worker_id="bakari").update(status_there="submitted")
    assert reason(listing, comes("dalila")) == Reason.FULL  # the platform was not asked since
    set_(listing, synced_at=ago(minutes=50))
    assert reason(listing, comes("dalila")) == Reason.FULL  # it may be late
    set_(listing, synced_at=ago(minutes=40))
    arrive(listing, comes("dalila"))
    bakari = Assignment.objects.get(worker_id="bakari")
    assert (bakari.state, bakari.submitted_at is None) == ("returned", False)


# --- Who may not ---------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["listing", "hit"])
def test_what_is_one_persons_is_nobody_elses(listing, whose):
    if whose == "listing":
        set_(listing, worker_id="amina")
    else:
        set_(listing.hit, worker_id="amina")
    assert reason(listing, comes("mallory")) == Reason.ANOTHERS
    assert arrive(listing, comes("amina")).worker_id == "amina"


def test_a_project_that_is_not_open_takes_nobody_new_and_lets_others_go_on(listing):
    first = arrive(listing, comes("amina"))
    set_(listing.hit.project, state="closed")
    assert reason(listing, comes("bakari")) == Reason.CLOSED
    assert arrive(listing, comes("amina")) == first


def test_work_begun_or_finished_before_a_project_closed_goes_on_under_a_new_name(listing):
    begun, finished = arrive(listing, comes("amina")), arrive(listing, comes("bakari"))
    submit(finished)
    set_(listing.hit.project, state="closed")
    Assignment.objects.filter(pk=finished.pk).update(state="returned")
    assert arrive(listing, comes("amina", "3NEW")) == begun
    assert arrive(listing, comes("bakari", "3NEWER")).state == "submitted"
    Assignment.objects.filter(pk=begun.pk).update(state="returned")
    assert reason(listing, comes("amina", "3NEW")) == Reason.CLOSED


def test_a_closed_listing_takes_only_those_who_may_have_accepted_before(listing):
    first = arrive(listing, comes("amina"))
    set_(listing, state="closed", closed_at=ago(minutes=59))
    arrive(listing, comes("bakari"))
    set_(listing, closed_at=ago(minutes=61))
    assert reason(listing, comes("chausiku")) == Reason.CLOSED
    assert arrive(listing, comes("amina")) == first


def test_an_expired_listing_and_one_that_failed_take_nobody(listing):
    set_(listing, expires_at=ago(minutes=61))
    assert reason(listing, comes("amina")) == Reason.CLOSED
    set_(listing, expires_at=None, state="failed")
    assert reason(listing, comes("amina")) == Reason.CLOSED


def test_somebody_whose_link_was_withdrawn_stays_out(listing):
    set_(arrive(listing, comes("amina")), state=AssignmentState.REVOKED)
    assert reason(listing, comes("amina")) == Reason.CLOSED


def test_a_listing_whose_making_was_never_answered_can_be_arrived_at(listing):
    set_(listing, state="planned", platform_id="")
    assert arrive(listing, comes("amina")).listing == listing


def test_a_later_session_begins_at_its_time(listing):
    mine = HIT.objects.create(
        project=listing.hit.project, platform="mturk", worker_id="amina", session_number=2
    )
    offered = mine.assignments.create(
        worker_id="amina", opens_at=ago(hours=-2), expires_at=ago(hours=-9)
    )
    own = make_listing(mine, places=1, worker_id="amina")
    assert reason(own, comes("amina")) == Reason.RESTING
    set_(offered, opens_at=ago(hours=1))
    came = arrive(own, comes("amina"))
    assert (came.pk, came.link_version, came.platform_id) == (offered.pk, 1, "3OFAMINA")


def test_a_compensation_is_finished_on_arrival_whatever_became_of_the_project(listing):
    set_(listing.hit.project, state="closed")
    hit = HIT.objects.create(
        project=listing.hit.project, platform="mturk", worker_id="amina", batch=7
    )
    owed = make_listing(hit, places=1, worker_id="amina", purpose=Purpose.COMPENSATION)
    came = arrive(owed, comes("amina"))
    came.refresh_from_db()
    assert came.state == "submitted"
    assert arrive(owed, comes("amina")) == came
    assert reason(owed, comes("mallory")) == Reason.ANOTHERS


# --- Many at once --------------------------------------------------------------------------------


def all_at_once(listing, people):
    """Let people arrive, each over a connection of their own; return what became of each."""

    def come(arrival):
        try:
            return arrive(listing, arrival).worker_id
        except NotLetIn as refusal:
            return refusal.reason
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as threads:
        return list(threads.map(come, people))


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_arrive_at_once_just_the_overlap_gets_in():
    listing = make_listing(make_project(overlap=9), places=40)
    # Ten of them open their page in two tabs.
    people = [comes(f"w{n % 40}") for n in range(50)]
    outcomes = all_at_once(listing, people)
    let_in = {one for one in outcomes if one not in list(Reason)}
    assert len(let_in) == 9
    assert sorted(let_in) == sorted(Assignment.objects.values_list("worker_id", flat=True))
    assert Assignment.objects.holding_a_place().count() == 9
    for arrival, outcome in zip(people, outcomes, strict=True):
        assert outcome in {arrival.worker_id, Reason.FULL}


@pytest.mark.django_db(transaction=True)
def test_places_given_back_between_are_taken_by_those_who_got_them_there():
    """The platform hands 50 places round: each was given back once, and has a second holder."""
    listing = make_listing(make_project(overlap=50))
    first = [comes(f"first{n}", f"3PLACE{n}") for n in range(50)]
    assert set(all_at_once(listing, first)) == {one.worker_id for one in first}
    second = [comes(f"second{n}", f"3PLACE{n}") for n in range(50)]
    assert set(all_at_once(listing, second)) == {one.worker_id for one in second}
    holding = Assignment.objects.holding_a_place()
    assert {one.worker_id for one in holding} == {one.worker_id for one in second}
    assert Assignment.objects.filter(state="returned").count() == 50


@pytest.mark.django_db(transaction=True)
def test_a_finish_and_a_newcomer_at_once_leave_one_of_them_with_the_place():
    """Who submits while their place goes to another either keeps the work or is told."""
    listing = make_listing(make_project(overlap=1))
    mine = arrive(listing, comes("amina", "3PLACE"))
    with ThreadPoolExecutor(2) as threads:

        def finish():
            try:
                return submit(mine)
            finally:
                connection.close()

        def come():
            try:
                return arrive(listing, comes("bakari", "3PLACE")).worker_id
            finally:
                connection.close()

        is_finished, came = threads.submit(finish), threads.submit(come)
        assert came.result() == "bakari"
    mine.refresh_from_db()
    assert mine.state == "returned"
    assert (mine.submitted_at is not None) == is_finished.result()
    assert Assignment.objects.holding_a_place().get().worker_id == "bakari"


@pytest.mark.django_db(transaction=True)
def test_workers_of_the_marketplace_hold_here_just_what_they_hold_there(mturk):
    """Fifty grab at twelve places of two listings at once, and every third gives its place back;
    those who come later take what is left."""
    project = make_project(overlap=12)
    project.offers.create(platform="mturk", reward_cents=50)
    assert [one.places for one in publishing.publish(project, "mturk")] == [9, 3]
    together = Barrier(50)

    def work(number):
        """Take a place if there is one, perhaps give it back; return our server's answer."""
        worker_id = f"W{number:02}"
        together.wait()
        try:
            for hit_id in mturk.visible_hits(worker_id):
                try:
                    assignment_id = mturk.accept(hit_id, worker_id)
                except Refused:
                    continue
                answer = come(mturk, assignment_id)
                if number % 3 == 0:
                    mturk.return_(assignment_id)
                return answer
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(work, range(50)))
    for number in range(50, 62):
        for hit_id in mturk.visible_hits(f"W{number}")[:1]:
            answers.append(come(mturk, mturk.accept(hit_id, f"W{number}")))
    # Who got a place there is refused none here.
    assert set(answers) <= {303, None}
    held = {
        (one.worker_id, one.assignment_id)
        for hit in mturk.market.hits.values()
        for one in hit.assignments
        if one.status == "Accepted"
    }
    assert len(held) == 12
    holding = Assignment.objects.holding_a_place().values_list("worker_id", "platform_id")
    assert sorted(holding) == sorted(held)


def come(mturk, assignment_id):
    """Open what the marketplace's frame shows; return the status of the answer."""
    there = urlsplit(mturk.task_url(assignment_id))
    return Client().get(f"{there.path}?{there.query}", secure=True).status_code


# --- Which origins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "origins"),
    [
        ("https://www.mturk.com", ["https://www.mturk.com"]),
        ("https://www.mturk.com/", ["https://www.mturk.com"]),
        ("www.mturk.com", ["https://www.mturk.com"]),
        ("http://127.0.0.1:9000", ["http://127.0.0.1:9000"]),
        ("localhost:9000", ["http://localhost:9000", "https://localhost:9000"]),
    ],
)
def test_hosts_of_the_settings_are_origins(settings, setting, origins):
    settings.MTURK_SUBMIT_HOSTS = [setting]
    assert submit_origins("sandbox") == origins
    assert submit_origins("live") == SUBMIT_ORIGINS["live"]  # the settings are of one mode


@pytest.mark.parametrize(
    ("submit_to", "is_let_in"),
    [
        ("https://www.mturk.com", True),
        ("https://www.mturk.com/", True),
        ("http://www.mturk.com", False),
        ("https://www.mturk.com.evil.test", False),
        ("https://www.mturk.com@evil.test", False),
        ("https://www.mturk.com:444", False),
        ("https://www.mturk.com/elsewhere", False),
        ("", False),
    ],
)
def test_finished_work_goes_to_the_origins_of_the_settings_alone(
    listing, settings, submit_to, is_let_in
):
    settings.MTURK_SUBMIT_HOSTS = ["www.mturk.com"]
    query = {"assignmentId": "3A", "workerId": "A1", "turkSubmitTo": submit_to}
    if is_let_in:
        assert MechanicalTurk().arrival(query, listing).submit_to == "https://www.mturk.com"
    else:
        with pytest.raises(NotArrivable, match="turkSubmitTo"):
            MechanicalTurk().arrival(query, listing)
