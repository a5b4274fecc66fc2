"""Following up: one poll after another ends the same, whatever is lost or late on the way."""

import random
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models import F
from django.utils import timezone

from tasks import services
from tasks.crowd import arrivals, following, ledger, paying, publishing
from tasks.models import (
    Assignment,
    AssignmentState,
    EntryState,
    LedgerEntry,
    Listing,
    ListingState,
    PlatformCall,
    StatusThere,
)
from tests.factories import make_project
from tests.marketplace import LONG_AGO, arrive, finish, hand_in
from tests.stand_ins.mturk import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def listing(mturk, project):
    """Give a listing of five places."""
    return publishing.publish(project, "mturk")[0]


def state_of(row):
    return Assignment.objects.get(pk=row.pk).state


def paid(project):
    entries = LedgerEntry.objects.filter(project=project, state=EntryState.CONFIRMED)
    return entries.total_cents()


def poll():
    outcome = following.sync()
    assert outcome.problems == []
    return outcome


def test_what_was_handed_in_is_noted_with_its_times(mturk, listing):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    assert poll().changes.handed_in == 1
    row.refresh_from_db()
    assert (row.state, row.status_there) == (AssignmentState.SUBMITTED, StatusThere.SUBMITTED)
    assert abs(row.submitted_there_at - timezone.now()) < timedelta(minutes=1)
    assert row.approves_itself_at - row.submitted_there_at == timedelta(hours=72)
    assert row.note == ""


def test_a_second_poll_changes_nothing(mturk, listing):
    rows = [arrive(mturk, listing, name) for name in ("A1", "A2", "A3")]
    hand_in(mturk, rows[0])
    mturk.return_(rows[1].platform_id)
    poll()
    before = list(Assignment.objects.values()), list(LedgerEntry.objects.values())
    again = poll()
    assert again.changes == following.Changes()
    assert before == (list(Assignment.objects.values()), list(LedgerEntry.objects.values()))


def test_more_than_a_page_of_people_is_read_to_the_end(mturk, settings, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.PAGE_SIZE", 37)
    project = make_project(overlap=150)
    project.offers.create(platform="mturk", reward_cents=5, layout="single")
    (listing,) = publishing.publish(project, "mturk")
    rows = [arrive(mturk, listing, f"A{number}") for number in range(137)]
    for row in rows:
        hand_in(mturk, row)
    assert poll().changes.handed_in == 137
    assert set(Assignment.objects.values_list("status_there", flat=True)) == {"submitted"}
    sizes = {call.parameters["MaxResults"] for call in mturk.calls_of("ListAssignmentsForHIT")}
    assert sizes == {37}


@pytest.mark.parametrize("kind", ["throttle", "fault", "lost_answer", "lost_request"])
def test_forty_percent_of_trouble_ends_the_same(mturk, listing, kind):
    rows = [arrive(mturk, listing, f"A{number}") for number in range(5)]
    for row in rows[:3]:
        hand_in(mturk, row)
    mturk.return_(rows[3].platform_id)
    mturk.faults.add(kind, share=0.4)
    poll_until_done()
    states = [state_of(row) for row in rows]
    assert states == ["submitted", "submitted", "submitted", "returned", "active"]


def poll_until_done(*, tries=5):
    for _ in range(tries):
        if not following.sync().problems:
            return
    pytest.fail("it was never followed to the end")


def test_trouble_with_one_listing_leaves_the_others_followed(mturk):
    project = make_project(overlap=12)
    project.offers.create(platform="mturk", reward_cents=50)
    first, second = publishing.publish(project, "mturk")
    row = arrive(mturk, second, "A1")
    hand_in(mturk, row)
    del mturk.market.hits[first.platform_id]
    outcome = following.sync()
    assert len(outcome.problems) == 1
    assert first.platform_id in outcome.problems[0]
    row.refresh_from_db()
    assert row.status_there == StatusThere.SUBMITTED


# --- Given back


def test_a_place_that_was_given_back_is_free_and_its_link_ends(mturk, listing):
    row = arrive(mturk, listing, "A1")
    mturk.return_(row.platform_id)
    assert poll().changes.given_back == 1
    row.refresh_from_db()
    assert (row.state, row.link_version) == (AssignmentState.RETURNED, 2)


def test_who_has_just_arrived_is_not_taken_to_be_gone(mturk, listing):
    row = arrive(mturk, listing, "A1", ago=timedelta(seconds=90))
    mturk.return_(row.platform_id)  # the counts may be older than the arrival
    assert poll().changes.given_back == 0
    assert state_of(row) == AssignmentState.ACTIVE


def test_of_two_the_one_idle_longest_is_taken_to_be_gone(mturk, listing):
    idle = arrive(mturk, listing, "A1", ago=timedelta(hours=2))
    newer = arrive(mturk, listing, "A2", ago=timedelta(minutes=20))
    mturk.return_(idle.platform_id)
    poll()
    assert (state_of(idle), state_of(newer)) == ("returned", "active")


def test_nobody_who_was_seen_lately_is_taken_to_be_gone(mturk, listing):
    rows = [arrive(mturk, listing, name, ago=timedelta(minutes=10)) for name in ("A1", "A2")]
    mturk.return_(rows[0].platform_id)
    poll()
    assert [state_of(row) for row in rows] == ["active", "active"]


def test_somebody_at_work_on_a_long_session_is_not_idle(mturk, listing, project):
    from annotation.models import Annotator, Session

    working = arrive(mturk, listing, "A1", ago=timedelta(hours=2))
    gone = arrive(mturk, listing, "A2", ago=timedelta(hours=1))
    annotator = Annotator.objects.create(platform="mturk", worker_id="A1")
    Session.objects.create(project=project, annotator=annotator, last_seen_at=timezone.now())
    mturk.return_(gone.platform_id)
    poll()
    assert (state_of(working), state_of(gone)) == ("active", "returned")


def test_finished_and_handed_in_but_not_listed_yet_stays(mturk, listing):
    row = arrive(mturk, listing, "A1")
    mturk.market.lag_s = 600
    hand_in(mturk, row)
    assert poll().changes.given_back == 0
    assert state_of(row) == AssignmentState.SUBMITTED
    mturk.advance(601)
    assert poll().changes.handed_in == 1


def test_finished_here_and_given_back_there_frees_the_place(mturk, listing):
    row = arrive(mturk, listing, "A1")
    finish(row)
    mturk.return_(row.platform_id)
    poll()
    row.refresh_from_db()
    assert row.state == AssignmentState.RETURNED
    assert row.submitted_at is not None


def test_handed_in_after_all_is_what_it_was(mturk, listing):
    row = arrive(mturk, listing, "A1")
    finish(row)
    Assignment.objects.filter(pk=row.pk).update(state=AssignmentState.RETURNED)
    mturk.submit(row.platform_id, {"completionCode": "x"})
    poll()
    row.refresh_from_db()
    assert (row.state, row.note) == (AssignmentState.SUBMITTED, "")


@pytest.mark.parametrize("state", [AssignmentState.EXPIRED, AssignmentState.RETURNED])
def test_handed_in_unfinished_is_noted_for_the_reviewer(mturk, listing, state):
    row = arrive(mturk, listing, "A1")
    Assignment.objects.filter(pk=row.pk).update(state=state)
    mturk.submit(row.platform_id, {"completionCode": "x"})
    poll()
    row.refresh_from_db()
    assert row.state == AssignmentState.EXPIRED
    assert row.note == "handed in there, but not finished here"


def test_a_returned_and_re_accepted_id_is_two_people(mturk, listing):
    first = arrive(mturk, listing, "A1", ago=timedelta(hours=1))
    mturk.return_(first.platform_id)
    second = arrive(mturk, listing, "A2")
    assert second.platform_id == first.platform_id
    hand_in(mturk, second)
    poll()
    first.refresh_from_db()
    assert (first.state, first.status_there) == (AssignmentState.RETURNED, "")
    assert Assignment.objects.get(pk=second.pk).status_there == StatusThere.SUBMITTED
    assert Assignment.objects.count() == 2


def test_a_time_that_ran_out_mid_work_frees_the_place(mturk, listing):
    row = arrive(mturk, listing, "A1")
    mturk.advance(listing.minutes_allowed * 60 + 1)
    poll()
    assert state_of(row) == AssignmentState.RETURNED
    assert mturk.visible_hits("A2") == [listing.platform_id]


def test_our_own_deadline_is_kept_by_a_poll(mturk, listing):
    row = arrive(mturk, listing, "A1")
    Assignment.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    poll()
    assert state_of(row) == AssignmentState.EXPIRED


def test_whoever_holds_a_place_is_kept_from_other_listings_of_the_hit(mturk, project):
    project.overlap = 12
    project.save()
    first, second = publishing.publish(project, "mturk")
    arrive(mturk, first, "A1")
    poll()
    assert mturk.visible_hits("A1") == []
    assert mturk.visible_hits("A2") == [first.platform_id, second.platform_id]


def test_a_later_session_is_published_by_a_poll_for_its_person_alone(mturk, listing, project):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    own = project.hits.create(platform="mturk", session_number=2, worker_id="A1")
    project.hits.filter(pk=own.pk).update(created_at=timezone.now() - timedelta(days=30))
    assert poll().places_made == 1
    assert poll().places_made == 0
    (theirs,) = own.listings.all()
    assert mturk.visible_hits("A1") == [theirs.platform_id]
    assert theirs.platform_id not in mturk.visible_hits("A2")
    hand_in(mturk, arrive(mturk, theirs, "A1"))
    poll()
    assert not project.qualifications.filter(hit=own, purpose="took_part").exists()


# --- People who are not who they say


def test_a_forged_worker_is_noted_and_the_true_one_is_paid(mturk, listing, project):
    platform_id = mturk.accept(listing.platform_id, "ATRUE")
    forged = Assignment.objects.create(
        hit=listing.hit,
        listing=listing,
        worker_id="AFORGED",
        platform_id=platform_id,
        state=AssignmentState.ACTIVE,
        arrived_at=timezone.now() - LONG_AGO,
        expires_at=timezone.now() + LONG_AGO,
    )
    hand_in(mturk, forged)
    outcome = poll()
    assert outcome.changes.strange == 2
    forged.refresh_from_db()
    assert forged.note == f"{platform_id} was handed in by ATRUE, not by AFORGED"
    assert (forged.state, forged.status_there) == (AssignmentState.RETURNED, "")
    assert forged.submitted_at is not None
    true = Assignment.objects.get(worker_id="ATRUE")
    assert (true.state, true.status_there) == (AssignmentState.EXPIRED, StatusThere.SUBMITTED)
    assert "never came here" in true.note
    mturk.advance(72 * 3600 + 1)
    assert poll().changes.strange == 0
    (entry,) = LedgerEntry.objects.filter(state=EntryState.CONFIRMED)
    assert (entry.worker_id, entry.assignment) == ("ATRUE", true)


def test_a_made_up_assignment_keeps_nobody_out(mturk, listing):
    made_up = Assignment.objects.create(
        hit=listing.hit,
        listing=listing,
        worker_id="A9",
        platform_id="3MADEUP",
        state=AssignmentState.ACTIVE,
        arrived_at=timezone.now() - LONG_AGO,
        expires_at=timezone.now() + LONG_AGO,
    )
    poll()
    assert state_of(made_up) == AssignmentState.RETURNED


def test_who_came_with_a_made_up_id_is_found_by_what_they_handed_in(mturk, listing):
    row = arrive(mturk, listing, "A1")
    true_id = row.platform_id
    Assignment.objects.filter(pk=row.pk).update(platform_id="3MADEUP")
    hand_in(mturk, row)
    poll()
    row.refresh_from_db()
    assert (row.platform_id, row.status_there) == (true_id, StatusThere.SUBMITTED)
    assert row.note == f"came with 3MADEUP, handed in {true_id}"


# --- Decisions there


def test_what_approved_itself_is_paid_once_in_the_ledger(mturk, listing, project):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    mturk.advance(72 * 3600 + 1)  # nobody polled in between
    poll()
    poll()
    row.refresh_from_db()
    assert row.status_there == StatusThere.APPROVED
    (entry,) = LedgerEntry.objects.filter(state=EntryState.CONFIRMED)
    assert (entry.assignment, entry.worker_id) == (row, "A1")
    assert paid(project) == mturk.market.ledger.spent_cents() == 60


def test_an_older_answer_does_not_undo_a_decision(mturk, listing):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    Assignment.objects.filter(pk=row.pk).update(status_there=StatusThere.APPROVED)
    poll()
    assert Assignment.objects.get(pk=row.pk).status_there == StatusThere.APPROVED


def reject(client_of, row):
    client_of.reject_assignment(AssignmentId=row.platform_id, RequesterFeedback="Empty.")


@pytest.fixture
def requester(mturk):
    """Give the marketplace's API, as another program of the manager's uses it."""
    import boto3

    client = boto3.client("mturk", endpoint_url=mturk.url, region_name="us-east-1")
    yield client
    client.close()


def test_rejected_work_is_not_paid_and_its_place_is_made_again(mturk, listing, project, requester):
    rows = [arrive(mturk, listing, f"A{number}") for number in range(5)]
    for row in rows:
        hand_in(mturk, row)
    poll()
    reject(requester, rows[0])
    outcome = poll()
    assert (outcome.changes.rejected, outcome.places_made) == (1, 1)
    hit = mturk.market.hits[listing.platform_id]
    assert (hit.max_assignments, hit.available) == (6, 1)
    (entry,) = LedgerEntry.objects.filter(state=EntryState.FAILED)
    assert (entry.assignment, entry.note) == (rows[0], "rejected: Empty.")
    assert poll().places_made == 0
    assert mturk.visible_hits("A0") == []
    late = arrive(mturk, listing, "A9")
    hand_in(mturk, late)
    mturk.advance(73 * 3600)
    poll()
    assert paid(project) == mturk.market.ledger.spent_cents() == 5 * 60
    assert ledger.committed_cents(project, "sandbox") == 5 * 60


def test_nobody_is_turned_from_approved_to_rejected_and_back(mturk, listing, project, requester):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    poll()
    reject(requester, row)
    poll()
    requester.approve_assignment(AssignmentId=row.platform_id, OverrideRejection=True)
    poll()
    row.refresh_from_db()
    assert row.status_there == StatusThere.APPROVED
    states = sorted(LedgerEntry.objects.filter(assignment=row).values_list("state", flat=True))
    assert states == ["confirmed", "failed"]
    assert paid(project) == mturk.market.ledger.spent_cents() == 60


def test_what_was_paid_there_beyond_the_limit_has_a_row_all_the_same(mturk, project, requester):
    project.spend_limit_cents = 300
    project.save()
    (listing,) = publishing.publish(project, "mturk")
    rows = [arrive(mturk, listing, f"A{number}") for number in range(5)]
    for row in rows:
        hand_in(mturk, row)
    reject(requester, rows[0])
    poll()  # its place is made again, which uses the limit up
    hand_in(mturk, arrive(mturk, listing, "A9"))
    poll()
    mturk.advance(72 * 3600 + 1)
    poll()
    requester.approve_assignment(AssignmentId=rows[0].platform_id, OverrideRejection=True)
    poll()
    assert paid(project) == mturk.market.ledger.spent_cents() == 360
    assert LedgerEntry.objects.filter(assignment=rows[0], state=EntryState.CONFIRMED).count() == 1


# --- The end


def test_an_expired_listing_is_closed_and_its_promises_end(mturk, listing, project):
    row = arrive(mturk, listing, "A1")
    hand_in(mturk, row)
    mturk.advance(7 * 86_400 + 1)
    outcome = poll()
    assert outcome.closed == 1
    assert Listing.objects.get().state == ListingState.CLOSED
    assert ledger.committed_cents(project, "sandbox") == 60
    assert paid(project) == mturk.market.ledger.spent_cents() == 60
    assert poll().places_made == 0
    assert len(mturk.market.hits) == 1


def test_a_closed_listing_keeps_the_promises_of_those_at_work(mturk, listing, project):
    rows = [arrive(mturk, listing, name) for name in ("A1", "A2")]
    hand_in(mturk, rows[0])
    publishing.close(project, "mturk")
    poll()
    assert ledger.committed_cents(project, "sandbox") == 5 * 60
    hand_in(mturk, rows[1])
    poll()
    assert ledger.committed_cents(project, "sandbox") == 2 * 60
    mturk.advance(72 * 3600 + 1)
    assert poll().places_made == 0
    assert paid(project) == mturk.market.ledger.spent_cents() == 120


def test_a_full_listing_stays_open_for_more_places(mturk, listing):
    for number in range(5):
        hand_in(mturk, arrive(mturk, listing, f"A{number}"))
    assert poll().closed == 0
    assert Listing.objects.get().state == ListingState.OPEN


def test_one_that_was_just_given_a_place_is_not_taken_to_be_over(
    mturk, listing, project, requester
):
    rows = [arrive(mturk, listing, f"A{number}") for number in range(5)]
    for row in rows:
        hand_in(mturk, row)
    reject(requester, rows[0])
    assert poll().places_made == 1
    # As the platform's answers are for a while after a place was added to a full HIT.
    requester.update_expiration_for_hit(HITId=listing.platform_id, ExpireAt=0)
    assert poll().closed == 0
    PlatformCall.objects.update(sent_at=timezone.now() - timedelta(minutes=11))
    assert poll().closed == 1


def test_a_listing_of_another_market_is_left_alone_and_said(mturk, listing, settings):
    settings.MTURK_MODE = "live"
    calls = len(mturk.calls)
    outcome = following.sync()
    assert (outcome.listings, outcome.problems) == (0, [])
    assert "another market" in outcome.notes[0]
    assert len(mturk.calls) == calls


def test_a_publication_whose_answer_was_lost_is_finished(mturk, project, monkeypatch):
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 1)
    mturk.faults.add("lost_answer", next_calls=1, operations=["CreateHITWithHITType"])
    with pytest.raises(publishing.PlatformError):
        publishing.publish(project, "mturk")
    poll()
    listing = Listing.objects.get()
    assert listing.state == ListingState.OPEN
    assert [listing.platform_id] == list(mturk.market.hits)


def test_places_are_never_more_nor_fewer_than_wanted(mturk, project, requester):
    """Thirty people come, leave, hand in and are rejected; in the end five are paid."""
    publishing.publish(project, "mturk")
    for number in range(30):
        seen = mturk.visible_hits(f"AB{number}")
        if not seen:
            break
        row = arrive(mturk, Listing.objects.get(platform_id=seen[0]), f"AB{number}")
        if number % 3 == 0:
            mturk.return_(row.platform_id)
        else:
            hand_in(mturk, row)
        if number % 3 == 1:
            reject(requester, row)
        poll()
        offered = sum(
            hit.available + hit.count("Accepted", "Submitted", "Approved")
            for hit in mturk.market.hits.values()
        )
        assert offered == project.overlap
    mturk.advance(73 * 3600)
    poll()
    assert Assignment.objects.filter(status_there="approved").count() == project.overlap
    assert paid(project) == mturk.market.ledger.spent_cents() == 5 * 60
    assert ledger.committed_cents(project, "sandbox") == 5 * 60


@pytest.mark.django_db(transaction=True)
def test_two_polls_at_once_end_the_same(mturk, project, requester):
    (listing,) = publishing.publish(project, "mturk")
    rows = [arrive(mturk, listing, f"A{number}") for number in range(5)]
    for row in rows:
        hand_in(mturk, row)
    reject(requester, rows[0])
    requester.approve_assignment(AssignmentId=rows[1].platform_id)
    errors = []

    def poll_in_thread():
        try:
            errors.extend(following.sync().problems)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=poll_in_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert mturk.market.hits[listing.platform_id].max_assignments == 6
    assert LedgerEntry.objects.filter(state=EntryState.FAILED).count() == 1
    assert LedgerEntry.objects.filter(state=EntryState.CONFIRMED).count() == 1
    assert ledger.committed_cents(project, "sandbox") == 5 * 60


@pytest.mark.parametrize("seed", [1, 4])
def test_a_busy_week_ends_with_both_sides_saying_the_same(mturk, project, seed, monkeypatch):
    """People come, leave, come back, finish or not; calls fail; the manager decides meanwhile."""
    monkeypatch.setattr("tasks.platforms.mturk.client.ATTEMPTS", 3)
    Week(mturk, project, seed=seed).pass_by()


class Week:
    """What happens to a project in a week, by chance."""

    def __init__(self, mturk, project, *, seed):
        self.mturk, self.project = mturk, project
        self.random = random.Random(seed)
        self.people = iter(f"AW{number}" for number in range(1000))
        publishing.publish(project, "mturk")

    def pass_by(self):
        acts = [self.come, self.come, self.give_back, self.finish, self.hand_in, self.come_back]
        acts += [self.hand_in_unfinished, self.decide, self.poll_in_trouble]
        for _ in range(40):
            self.random.choice(acts)()
            assert self.offered() <= self.project.overlap
        self.time_passes()
        assert following.sync().problems == []
        assert self.offered() == self.project.overlap
        self.mturk.advance(8 * 86_400)
        self.time_passes()
        assert following.sync().problems == []
        self.check_that_both_sides_say_the_same()

    def held(self, *statuses):
        return [
            one
            for hit in self.mturk.market.hits.values()
            for one in hit.assignments
            if one.status in statuses
        ]

    def one_of(self, *statuses):
        held = self.held(*statuses)
        return self.random.choice(held) if held else None

    def row_of(self, held):
        rows = Assignment.objects.filter(platform_id=held.assignment_id, worker_id=held.worker_id)
        return rows.first()

    def come(self, worker_id=None):
        worker_id = worker_id or next(self.people)
        seen = self.mturk.visible_hits(worker_id)
        if not seen:
            return
        listing = Listing.objects.get(platform_id=self.random.choice(seen))
        if self.random.random() < 0.2:
            self.mturk.accept(listing.platform_id, worker_id)  # the page never opened
            return
        try:
            arrive(
                self.mturk, listing, worker_id, ago=timedelta(minutes=self.random.choice([1, 40]))
            )
        except arrivals.NotLetIn as refused:
            # Somebody who has just arrived here may have left there.
            assert refused.reason == arrivals.Reason.FULL

    def come_back(self):
        if gone := self.one_of("Returned"):
            with suppress(Refused):  # they have been back already
                self.come(gone.worker_id)

    def give_back(self):
        if held := self.one_of("Accepted"):
            self.mturk.return_(held.assignment_id)

    def finish(self):
        if (held := self.one_of("Accepted")) and (row := self.row_of(held)):
            services.submit(row)

    def hand_in(self):
        if held := self.one_of("Accepted"):
            if row := self.row_of(held):
                services.submit(row)
            self.hand_in_unfinished(held)

    def hand_in_unfinished(self, held=None):
        if held := held or self.one_of("Accepted"):
            self.mturk.submit(held.assignment_id, {"completionCode": "x"})

    def decide(self):
        row = Assignment.objects.filter(status_there="submitted", decision="").first()
        if row is None:
            return
        if self.random.random() < 0.5:
            paying.approve(row)
        else:
            paying.reject(row, reason="Every word was accepted.")

    def poll_in_trouble(self):
        kinds = ("throttle", "fault", "lost_answer", "lost_request")
        self.mturk.faults.add(self.random.choice(kinds), share=0.2)
        following.sync()
        self.mturk.faults.clear()

    def time_passes(self):
        """Let an hour go by, for us: what was said of people meanwhile is old."""
        hour = timedelta(hours=1)
        Assignment.objects.update(
            arrived_at=F("arrived_at") - hour,
            created_at=F("created_at") - hour,
            submitted_at=F("submitted_at") - hour,
        )
        PlatformCall.objects.update(sent_at=F("sent_at") - hour)

    def offered(self):
        return sum(
            hit.available + hit.count("Accepted", "Submitted", "Approved")
            for hit in self.mturk.market.hits.values()
        )

    def check_that_both_sides_say_the_same(self):
        there = {
            (one.assignment_id, one.worker_id, one.status.lower())
            for one in self.held("Submitted", "Approved", "Rejected")
        }
        here = Assignment.objects.exclude(status_there="")
        assert set(here.values_list("platform_id", "worker_id", "status_there")) == there
        assert paid(self.project) == self.mturk.market.ledger.spent_cents()
        committed = ledger.committed_cents(self.project, "sandbox")
        assert committed == paid(self.project)
        approved = LedgerEntry.objects.filter(state=EntryState.CONFIRMED)
        assert set(approved.values_list("worker_id", flat=True)) == {
            one.worker_id for one in self.held("Approved")
        }
        assert not Assignment.objects.holding_a_place().filter(status_there="").exists()
