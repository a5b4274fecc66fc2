"""Prolific behind the product's interface: what is lost on the way makes nothing twice."""

import math
import threading
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit
from urllib.request import OpenerDirector
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from tasks.crowd import ledger, messaging
from tasks.models import (
    HIT,
    Assignment,
    CallState,
    LedgerEntry,
    Listing,
    PlatformCall,
    Project,
    Qualification,
)
from tasks.platforms import OutcomeUnknown, PlatformError, platform_of
from tasks.platforms.addresses import listing_of, mark_of
from tasks.platforms.base import AlreadyDecided, NotArrivable
from tasks.platforms.outbox import once
from tasks.platforms.prolific import Prolific
from tasks.platforms.prolific.http import BackOff
from tests.factories import make_project
from tests.stand_ins.prolific.world import Refused, Study

pytestmark = pytest.mark.django_db

REWARD = 500
FEE = math.ceil(REWARD * 0.428)
REASON = (
    "Every word of every page was accepted, the control words among them, in under four seconds "
    "each: nobody can read them in that time."
)


@pytest.fixture
def project():
    project = make_project(overlap=5, currency="GBP", session_minutes=30)
    project.offers.create(platform="prolific", reward_cents=REWARD, title="Judge words")
    return project


@pytest.fixture
def slept():
    return []


@pytest.fixture
def platform(there, slept):
    return Prolific(sleep=slept.append)


@pytest.fixture
def make_listing(platform, project):
    """Give a function that makes the row of a listing, its rewards promised; not there yet."""

    def make_listing(places=3, **fields):
        hit = HIT.objects.get_or_create(project=project, platform="prolific")[0]
        market = platform.market()
        listing = Listing.objects.create(
            **{
                "hit": hit,
                "platform": "prolific",
                "mode": market.mode,
                "endpoint": market.endpoint,
                "account": market.account,
                "places": places,
                "reward_cents": REWARD,
                "fee_cents": FEE,
                "minutes_allowed": 180,
                **fields,
            }
        )
        ledger.reserve(listing, places)
        return listing

    return make_listing


@pytest.fixture
def publish(platform, project):
    """Give a function that publishes a listing and notes what came of it."""

    def publish(listing, *, forbidding=(), requiring=()):
        offer = project.offers.get()
        made = platform.publish(listing, offer, forbidding=forbidding, requiring=requiring)
        listing.platform_id, listing.state = made.platform_id, "open"
        listing.expires_at = made.expires_at
        listing.save()
        return listing

    return publish


@pytest.fixture
def listing(make_listing, publish):
    return publish(make_listing())


@pytest.fixture
def arrive(platform, there, listing):
    """Give a function by which somebody takes a place and arrives here."""

    def arrive(worker_id="amina"):
        address = there.take(listing.platform_id, worker_id)
        came = platform.arrival(dict(parse_qsl(urlsplit(address).query)), listing)
        return Assignment.objects.create(
            hit=listing.hit,
            listing=listing,
            worker_id=came.worker_id,
            platform_id=came.platform_id,
            state="active",
            expires_at=timezone.now() + timedelta(hours=3),
        )

    return arrive


@pytest.fixture
def hand_in(platform, there, arrive):
    """Give a function by which somebody arrives and hands in the study's code."""

    def hand_in(worker_id="amina"):
        assignment = arrive(worker_id)
        there.finish(assignment.platform_id, platform.completion(assignment).code)
        return assignment

    return hand_in


@pytest.fixture
def promise(hand_in):
    """Give a function that promises somebody who handed in a bonus."""

    def promise(cents=200, assignment=None):
        assignment = assignment or hand_in()
        fee = platform_of("prolific").fee_cents(cents, places=1)
        return ledger.promise_bonus(
            assignment, cents=cents, fee_cents=fee, reason="Careful work", key=uuid4()
        )

    return promise


def studies(there):
    return list(there.world.studies.values())


def make_older(key, *, minutes=2):
    """Let a call have been sent some minutes ago."""
    sent_at = timezone.now() - timedelta(minutes=minutes)
    assert PlatformCall.objects.filter(key=key).update(sent_at=sent_at)


def calls(there, ending):
    return [call for call in there.calls if call.method == "POST" and call.path.endswith(ending)]


@pytest.fixture
def killed_at(monkeypatch):
    """Give a function that ends the process at a call: before it is sent, or before its answer."""
    send = OpenerDirector.open

    def killed_at(ending, *, is_sent):
        def open_or_die(opener, request, *about, **options):
            is_due = request.full_url.endswith(ending)
            answer = None if is_due and not is_sent else send(opener, request, *about, **options)
            if is_due:
                monkeypatch.setattr(OpenerDirector, "open", send)
                raise KeyboardInterrupt("the process was killed")
            return answer

        monkeypatch.setattr(OpenerDirector, "open", open_or_die)

    return killed_at


# --- Settings and money ---


def test_without_a_token_nothing_is_asked(there, settings):
    settings.PROLIFIC_TOKEN = ""
    with pytest.raises(PlatformError, match="PROLIFIC_TOKEN is not set") as refused:
        platform_of("prolific").market()
    assert refused.value.permanent
    assert there.calls == []


def test_calls_go_to_the_live_market_alone(there, platform):
    market = platform.market()
    assert (market.mode, market.endpoint) == ("live", there.url)
    assert market.account == there.world.project_id


def test_an_address_that_is_none_is_one_sentence(settings, platform):
    settings.PROLIFIC_API_URL = "api.prolific.com"
    with pytest.raises(PlatformError, match="PROLIFIC_API_URL"):
        platform.funds_cents()


def test_a_project_that_the_token_does_not_see_is_named(settings, platform):
    settings.PROLIFIC_PROJECT = "elsewhere"
    with pytest.raises(PlatformError, match="no project elsewhere"):
        platform.funds_cents()


def test_funds_are_what_no_running_study_holds(platform, listing):
    assert platform.funds_cents() == 100_000 - 3 * (REWARD + FEE)


@pytest.mark.parametrize(("percent", "fee"), [("42.8", 43), ("33.3", 34), ("0", 0)])
def test_the_fee_is_the_settings_and_rounded_up(settings, percent, fee):
    settings.PROLIFIC_FEE_PERCENT = type(settings.PROLIFIC_FEE_PERCENT)(percent)
    assert Prolific().fee_cents(100, places=50) == fee


# --- Publishing ---


def test_a_study_says_what_the_offer_says(there, listing, project, platform):
    (study,) = studies(there)
    told = study.told
    assert study.status == "ACTIVE"
    assert told["name"] == "Judge words"
    assert told["internal_name"] == mark_of(listing.key)
    assert (told["reward"], told["total_available_places"]) == (REWARD, 3)
    assert (told["estimated_completion_time"], told["maximum_allowed_time"]) == (30, 180)
    assert told["device_compatibility"] == ["desktop", "tablet", "mobile"]
    assert [code["actions"] for code in told["completion_codes"]] == [
        [{"action": "MANUALLY_REVIEW"}]
    ]
    assert listing.expires_at - listing.created_at == timedelta(days=7)


def test_the_address_is_signed_and_names_who_comes(there, listing):
    address = urlsplit(there.take(listing.platform_id, "amina"))
    assert (address.scheme, address.netloc) == ("https", "clime.test")
    assert listing_of(address.path.rstrip("/").rpartition("/")[2]) == listing
    assert parse_qs(address.query) == {
        "PROLIFIC_PID": ["amina"],
        "STUDY_ID": [listing.platform_id],
        "SESSION_ID": [there.session_of(listing.platform_id, "amina").id],
    }


def test_publishing_twice_makes_one_study(there, publish, make_listing):
    listing = make_listing()
    first = publish(listing).platform_id
    assert publish(listing).platform_id == first
    assert len(studies(there)) == 1


@pytest.mark.parametrize("fault", ["lost", "unheard", "broken"])
def test_a_draft_whose_answer_is_lost_is_made_once(there, publish, make_listing, fault):
    listing = make_listing()
    there.faults.plan(fault, on="POST .*/studies/$")
    with pytest.raises(OutcomeUnknown):
        publish(listing)
    make_older(f"listing-{listing.key}")
    publish(listing)
    assert [study.status for study in studies(there)] == ["ACTIVE"]
    assert listing.platform_id == studies(there)[0].id


def test_a_draft_that_may_yet_come_is_waited_for(there, publish, make_listing):
    listing = make_listing()
    there.faults.plan("unheard", on="POST .*/studies/$")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            publish(listing)
    assert len(calls(there, "/studies/")) == 1
    make_older(f"listing-{listing.key}")
    publish(listing)
    assert len(studies(there)) == 1


def test_a_draft_is_found_at_once_where_it_came(there, publish, make_listing):
    listing = make_listing()
    there.faults.plan("lost", on="POST .*/studies/$")
    with pytest.raises(OutcomeUnknown):
        publish(listing)
    publish(listing)
    assert len(calls(there, "/studies/")) == len(studies(there)) == 1


@pytest.mark.parametrize("fault", ["lost", "unheard", "broken"])
def test_a_publication_whose_answer_is_lost_is_finished(there, publish, make_listing, fault):
    listing = make_listing()
    there.faults.plan(fault, on="/transition/")
    with pytest.raises(OutcomeUnknown):
        publish(listing)
    assert studies(there)[0].status == ("ACTIVE" if fault == "lost" else "UNPUBLISHED")
    publish(listing)
    assert [study.status for study in studies(there)] == ["ACTIVE"]


@pytest.mark.parametrize(
    "death", [("/studies/", True), ("/transition/", False), ("/transition/", True)]
)
def test_a_crash_at_any_step_leaves_one_study(there, publish, make_listing, killed_at, death):
    listing = make_listing()
    killed_at(death[0], is_sent=death[1])
    with pytest.raises(KeyboardInterrupt):
        publish(listing)
    publish(listing)
    assert [study.status for study in studies(there)] == ["ACTIVE"]


def test_too_little_money_leaves_nothing_half_made(there, publish, make_listing):
    there.world.balance_cents = 3 * (REWARD + FEE) - 1
    listing = make_listing()
    with pytest.raises(PlatformError, match="balance is too low") as refused:
        publish(listing)
    assert refused.value.permanent
    assert studies(there) == []
    there.world.balance_cents += 1
    publish(listing)
    assert [study.status for study in studies(there)] == ["ACTIVE"]


def test_a_draft_that_was_deleted_by_hand_is_made_anew(there, publish, make_listing):
    listing = make_listing()
    there.faults.plan("unheard", on="/transition/")
    with pytest.raises(OutcomeUnknown):
        publish(listing)
    there.world.studies.clear()
    with pytest.raises(PlatformError, match="404"):
        publish(listing)
    publish(listing)
    assert [study.status for study in studies(there)] == ["ACTIVE"]


def test_forty_percent_throttling_publishes_once(there, publish, make_listing):
    there.faults.throttle_share(0.4, seed=2)
    publish(make_listing())
    assert len(studies(there)) == 1
    assert any(call.status == 429 for call in there.calls)


def test_throttling_past_the_back_off_is_one_sentence(there, publish, make_listing, slept):
    listing = make_listing()
    there.faults.plan("throttled", times=99)
    with pytest.raises(PlatformError, match="Too many requests") as refused:
        publish(listing)
    assert not refused.value.permanent
    assert len(slept) == BackOff.tries - 1
    assert studies(there) == []


def test_two_processes_at_once_send_one_call(db):
    sent = []
    PlatformCall.objects.create(
        key="a-call", platform="prolific", mode="live", state="sent", sent_at=timezone.now()
    )

    def send(_token):
        sent.append(1)
        return {}

    def ask(find):
        named = {"platform": "prolific", "mode": "live", "operation": "Do"}
        return once("a-call", **named, send=send, find=find)

    def find_nothing_while_the_other_sends():
        ask(find=lambda: None)

    with pytest.raises(OutcomeUnknown, match="another process"):
        ask(find=find_nothing_while_the_other_sends)
    assert sent == [1]


@pytest.mark.django_db(transaction=True)
def test_eight_processes_that_publish_at_once_make_one_study(there, publish, make_listing):
    listing = make_listing()
    outcomes = []

    def publish_it():
        try:
            outcomes.append(publish(Listing.objects.get(pk=listing.pk)).platform_id)
        except OutcomeUnknown:
            pass  # another one is at it
        finally:
            connection.close()

    threads = [threading.Thread(target=publish_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publish(listing)
    assert [study.status for study in studies(there)] == ["ACTIVE"]
    assert set(outcomes) <= {listing.platform_id}


def test_an_hourly_pay_in_another_currency_is_not_paid_out(there, project, publish, make_listing):
    project.offers.update(reward_cents=None)
    project.hourly_pay, project.currency = 10, "USD"
    project.save()
    with pytest.raises(PlatformError, match=r"pays in GBP, .* is in USD") as refused:
        publish(make_listing())
    assert refused.value.permanent
    assert studies(there) == []


def test_masters_are_another_platforms(there, project, publish, make_listing):
    project.offers.update(needs_masters=True)
    with pytest.raises(PlatformError, match="Masters"):
        publish(make_listing())
    assert studies(there) == []


@pytest.mark.parametrize(
    ("allowed", "sentence"), [(71, "no less than 72"), (1440, "less than 24 hours")]
)
def test_times_that_prolific_refuses_are_told_before(
    there, make_listing, publish, allowed, sentence
):
    publish(make_listing(minutes_allowed=72))
    with pytest.raises(PlatformError, match=sentence):
        publish(make_listing(minutes_allowed=allowed))
    assert len(studies(there)) == 1


@pytest.mark.parametrize(
    ("fields", "minutes"),
    [
        ({"session_minutes": 45}, 45),
        ({"session_minutes": None, "hourly_pay": 12}, 25),
        ({"session_minutes": None, "hourly_pay": None}, 1),
    ],
)
def test_the_time_that_work_takes_is_the_budget_or_what_is_paid_for(
    there, make_listing, publish, fields, minutes
):
    listing = make_listing()
    Project.objects.update(**fields)
    publish(Listing.objects.get(pk=listing.pk))
    assert studies(there)[0].told["estimated_completion_time"] == minutes


def test_filters_say_where_people_live_and_how_they_did(there, project, make_listing, publish):
    project.offers.update(countries="KE, TZ", approval_percent=95, approved_count=100)
    publish(make_listing())
    assert studies(there)[0].told["filters"] == [
        {"filter_id": "current-country-of-residence", "selected_values": ["110", "211"]},
        {"filter_id": "approval_rate", "selected_range": {"lower": 95, "upper": 100}},
        {"filter_id": "approval_numbers", "selected_range": {"lower": 100}},
    ]


def test_a_country_that_prolific_does_not_list_is_named(there, project, make_listing, publish):
    project.offers.update(countries="KE, SS")
    with pytest.raises(PlatformError, match=r"none for SS \(South Sudan\)"):
        publish(make_listing())
    assert studies(there) == []


def test_a_study_for_one_person_lets_nobody_else_in(there, make_listing, publish):
    listing = publish(make_listing(1, worker_id="amina"))
    with pytest.raises(Refused, match="filtered out"):
        there.take(listing.platform_id, "binta")
    assert there.take(listing.platform_id, "amina")


@pytest.fixture
def group(project, platform):
    market = platform.market()
    return Qualification.objects.create(
        platform="prolific",
        mode=market.mode,
        account=market.account,
        purpose="took_part",
        project=project,
        name="CLIME words · took part",
    )


def test_who_is_in_a_forbidden_group_is_kept_out(there, platform, group, make_listing, publish):
    listing = publish(make_listing(), forbidding=[group])
    platform.grant(group, "amina")
    with pytest.raises(Refused, match="filtered out"):
        there.take(listing.platform_id, "amina")
    platform.withdraw(group, "amina")
    platform.withdraw(group, "amina")
    assert there.take(listing.platform_id, "amina")


def test_only_who_is_in_a_required_group_gets_in(there, platform, group, make_listing, publish):
    listing = publish(make_listing(), requiring=[group])
    with pytest.raises(Refused, match="filtered out"):
        there.take(listing.platform_id, "amina")
    platform.grant(group, "amina")
    assert there.take(listing.platform_id, "amina")


def test_a_group_whose_answer_is_lost_is_made_once(there, platform, group):
    there.faults.plan("lost", on="POST .*/participant-groups/$")
    with pytest.raises(OutcomeUnknown):
        platform.grant(group, "amina")
    platform.grant(group, "amina")
    (made,) = there.world.groups.values()
    assert list(made.members) == ["amina"]
    assert group.platform_id == made.id


def test_a_group_that_may_yet_come_is_waited_for(there, platform, group):
    there.faults.plan("unheard", on="POST .*/participant-groups/$")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            platform.grant(group, "amina")
    assert len(calls(there, "/participant-groups/")) == 1
    make_older(f"qualification-{group.pk}")
    platform.grant(group, "amina")
    assert len(there.world.groups) == 1


def test_a_block_is_said_to_be_ours_alone(platform):
    with pytest.raises(PlatformError, match="turned away here") as refused:
        platform.block("amina", "Guesses")
    assert refused.value.permanent
    platform.unblock("amina")


# --- How listings stand ---


def test_all_studies_are_listed_ours_by_their_key(there, platform, listing):
    (ours,) = studies(there)
    told = {**ours.told, "name": "Made by hand", "internal_name": "pilot"}
    there.world.studies["6b1"] = Study("6b1", told, there.now)
    found = {
        one.platform_id: (one.key, one.title, one.status, one.can_be_taken)
        for one in platform.listings()
    }
    assert found == {
        listing.platform_id: (listing.key, "Judge words", "ACTIVE", True),
        "6b1": ("", "Made by hand", "UNPUBLISHED", False),
    }


def standing(platform, listing):
    one = platform.look(listing)
    return one.pending, one.available, one.is_over


def test_a_listing_stands_as_its_people_do(there, platform, listing, arrive, hand_in):
    assert standing(platform, listing) == (0, 3, False)
    there.reserve(listing.platform_id, "zuri")
    arrive("amina")
    assert standing(platform, listing) == (2, 1, False)
    finished = hand_in("binta")
    assert standing(platform, listing) == (2, 0, False)
    platform.approve(finished, overrules=False)
    assert standing(platform, listing) == (2, 0, False)


def test_closing_lets_nobody_new_in_and_is_no_failure_twice(there, platform, listing, arrive):
    at_work = arrive("amina")
    for _ in range(2):
        platform.close(listing.platform_id)
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "binta")
    there.finish(at_work.platform_id, platform.completion(at_work).code)
    assert platform.look(listing).pending == 0


def test_closing_a_full_study_is_no_failure(there, platform, make_listing, publish):
    listing = publish(make_listing(1))
    there.take(listing.platform_id, "amina")
    there.finish(there.session_of(listing.platform_id, "amina").id, "whatever")
    assert there.world.study(listing.platform_id).status == "AWAITING REVIEW"
    platform.close(listing.platform_id)


def test_closing_a_draft_deletes_it(there, platform, make_listing, publish):
    there.faults.plan("unheard", on="/transition/")
    with pytest.raises(OutcomeUnknown):
        publish(make_listing())
    platform.close(studies(there)[0].id)
    assert studies(there) == []


def test_a_study_is_stopped_once_its_days_are_over(there, platform, listing):
    listing.expires_at = timezone.now()
    assert standing(platform, listing) == (0, 3, True)
    assert there.world.study(listing.platform_id).status == "COMPLETED"


def test_more_places_are_set_once_whatever_is_lost(there, platform, listing):
    listing.places = 5
    there.faults.plan("lost", on="PATCH")
    with pytest.raises(OutcomeUnknown):
        platform.raise_places(listing)
    platform.raise_places(listing)
    platform.raise_places(listing)
    assert there.world.study(listing.platform_id).places == 5


@pytest.mark.parametrize("reopens", [True, False])
def test_a_rejection_is_replaced_by_one_person(there, platform, listing, hand_in, reopens):
    there.world.reopens = reopens
    rejected, *_ = [hand_in(person) for person in ("amina", "binta", "chidi")]
    rejected.feedback = REASON
    platform.reject(rejected)
    assert platform.look(listing).available == (1 if reopens else 0)
    listing.places = 4  # as our places count: the rejected one stays
    for _ in range(2):
        platform.raise_places(listing)
    assert platform.look(listing).available == 1
    there.take(listing.platform_id, "dalila")
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "emeka")


def test_a_study_that_a_person_paused_or_stopped_is_not_begun_again(there, platform, listing):
    study = there.world.study(listing.platform_id)
    for status in ("PAUSED", "AWAITING REVIEW"):
        study.status, study.is_stopped = status, status != "PAUSED"
        platform.raise_places(listing)
        assert study.status != "ACTIVE"


def test_a_rejection_opens_no_place_of_a_closed_listing(there, platform, listing, hand_in):
    rejected, *_ = [hand_in(person) for person in ("amina", "binta", "chidi")]
    Listing.objects.filter(pk=listing.pk).update(state="closed")
    rejected = Assignment.objects.select_related("listing").get(pk=rejected.pk)
    rejected.feedback = REASON
    platform.reject(rejected)
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "dalila")


def test_a_return_opens_no_place_of_a_closed_listing_for_long(there, platform, listing, hand_in):
    first, *_ = [hand_in(person) for person in ("amina", "binta", "chidi")]
    listing.state = "closed"
    there.return_(first.platform_id)
    platform.look(listing)
    with pytest.raises(Refused, match="no place"):
        there.take(listing.platform_id, "dalila")


# --- Arrival and completion ---


@pytest.mark.parametrize(
    "query", [{}, {"PROLIFIC_PID": ""}, {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}]
)
def test_an_address_without_a_person_is_a_preview(platform, make_listing, query):
    assert platform.arrival(query, make_listing()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"STUDY_ID": "6a99"},
        {"STUDY_ID": ""},
        {"SESSION_ID": ""},
        {"SESSION_ID": "a/b"},
        {"PROLIFIC_PID": "<b>"},
        {"PROLIFIC_PID": "a" * 65},
    ],
)
def test_an_address_that_prolific_does_not_make_is_refused(platform, listing, changes):
    query = {"PROLIFIC_PID": "amina", "STUDY_ID": listing.platform_id, "SESSION_ID": "6a5"}
    assert platform.arrival(query, listing).worker_id == "amina"
    with pytest.raises(NotArrivable, match=next(iter(changes))):
        platform.arrival({**query, **changes}, listing)


def test_somebody_may_arrive_before_our_answer_does(there, platform, make_listing):
    query = {"PROLIFIC_PID": "amina", "STUDY_ID": "6a1", "SESSION_ID": "6a5"}
    came = platform.arrival(query, make_listing())
    assert (came.platform_id, came.worker_id) == ("6a5", "amina")


def test_the_code_is_the_studys_and_no_other_studys(there, platform, listing, arrive, make_listing):
    done = platform.completion(arrive())
    told = there.world.study(listing.platform_id).told
    assert [code["code"] for code in told["completion_codes"]] == [done.code]
    assert done.address == f"https://app.prolific.com/submissions/complete?cc={done.code}"
    assert done.fields == {}
    assert done.code not in told["external_study_url"]
    other = Assignment(listing=make_listing())
    assert platform.completion(other).code != done.code


def test_the_code_depends_on_the_secret_key(platform, arrive, settings):
    assignment = arrive()
    code = platform.completion(assignment).code
    settings.SECRET_KEY = "another-secret-key-of-at-least-32-letters"
    assert platform.completion(assignment).code != code


def test_studies_are_in_no_frame(platform, make_listing):
    assert platform.frame_origins(make_listing()) == []


# --- Submissions ---


def test_every_status_there_is_one_of_ours(there, platform, listing, arrive, hand_in):
    place = arrive("amina").platform_id
    for there_it_is, here in [
        ("RESERVED", None),
        ("ACTIVE", None),
        ("PROCESSING", None),
        ("AWAITING REVIEW", "submitted"),
        ("APPROVED", "approved"),
        ("PARTIALLY APPROVED", "approved"),
        ("REJECTED", "rejected"),
        ("RETURNED", "returned"),
        ("TIMED-OUT", "returned"),
    ]:
        there.world.submission(place).status = there_it_is
        (told,) = platform.submissions(listing)
        assert (told.platform_id, told.worker_id, told.status) == (place, "amina", here)


def test_what_timed_out_may_yet_be_handed_in(there, platform, listing, arrive):
    assignment = arrive()
    there.advance(24 * 3600)
    assert platform.submission(assignment).status == "returned"
    there.overrule(assignment.platform_id, "APPROVED")
    assert platform.submission(assignment).status == "approved"


def test_handed_in_work_says_when_it_approves_itself(there, platform, hand_in):
    told = platform.submission(hand_in())
    assert told.submitted_at == there.now
    assert told.approves_itself_at == there.now + timedelta(days=21)


def test_more_submissions_than_a_page_holds_are_all_read(there, platform, make_listing, publish):
    listing = publish(make_listing(137, reward_cents=10, fee_cents=5))
    for number in range(137):
        there.take(listing.platform_id, f"person{number}")
    assert len({one.platform_id for one in platform.submissions(listing)}) == 137
    assert standing(platform, listing) == (137, 0, False)


# --- Decisions ---


@pytest.mark.parametrize("fault", [None, "lost", "throttled", "broken"])
def test_approving_twice_pays_once(there, platform, hand_in, fault):
    assignment = hand_in()
    if fault:
        there.faults.plan(fault, times=3, on="/transition/")
    for _ in range(2):
        platform.approve(assignment, overrules=False)
    assert there.paid_cents("amina") == REWARD


def test_approving_what_prolific_approved_meanwhile_is_no_failure(there, platform, hand_in):
    assignment = hand_in()
    there.advance(21 * 24 * 3600)
    platform.approve(assignment, overrules=False)
    assert there.paid_cents("amina") == REWARD


def test_a_decision_against_prolifics_own_is_too_late(there, platform, hand_in):
    assignment = hand_in()
    assignment.feedback = REASON
    there.advance(21 * 24 * 3600)
    with pytest.raises(AlreadyDecided, match="APPROVED"):
        platform.reject(assignment)
    there.overrule(assignment.platform_id, "RETURNED")
    with pytest.raises(AlreadyDecided, match="RETURNED"):
        platform.approve(assignment, overrules=False)


def test_work_at_hand_is_not_decided_about(there, platform, arrive):
    with pytest.raises(PlatformError, match="ACTIVE cannot APPROVE") as refused:
        platform.approve(arrive(), overrules=False)
    assert not isinstance(refused.value, AlreadyDecided)


@pytest.mark.parametrize(
    ("feedback", "category"),
    [(REASON, "OTHER"), (f"LOW_EFFORT: {REASON}", "LOW_EFFORT"), (f"NO: {REASON}", "OTHER")],
)
def test_a_rejection_has_a_category_and_its_words(there, platform, hand_in, feedback, category):
    assignment = hand_in()
    assignment.feedback = feedback
    for _ in range(2):
        platform.reject(assignment)
    said = there.world.submission(assignment.platform_id).rejection
    assert said == (category, feedback.removeprefix("LOW_EFFORT: "))


@pytest.mark.parametrize("feedback", ["x" * 63, "LOW_EFFORT: " + "x" * 63, "x" * 63 + " " * 99])
def test_a_reason_too_short_says_how_much_is_missing(there, platform, hand_in, feedback):
    assignment = hand_in()
    assignment.feedback = feedback
    asked = len(there.calls)
    with pytest.raises(PlatformError, match="37 short") as refused:
        platform.reject(assignment)
    assert refused.value.permanent
    assert len(there.calls) == asked


def test_a_rejection_is_taken_back_by_prolifics_support_alone(there, platform, hand_in):
    assignment = hand_in()
    assignment.feedback = REASON
    platform.reject(assignment)
    with pytest.raises(PlatformError, match=f"support .* {assignment.platform_id}"):
        platform.approve(assignment, overrules=True)
    assert there.paid_cents("amina") == 0
    there.overrule(assignment.platform_id, "APPROVED")
    platform.approve(assignment, overrules=True)
    assert there.paid_cents("amina") == REWARD


# --- Bonuses ---


def test_a_bonus_is_paid_once_however_often_it_is_asked_for(there, platform, promise):
    entry = promise(105)
    for _ in range(2):
        platform.pay_bonus(entry)
    there.advance(600)
    assert [(row.kind, row.cents, row.fee_cents) for row in there.ledger] == [
        ("bonus", entry.cents, entry.fee_cents)
    ]


@pytest.mark.parametrize("fault", ["lost", "unheard", "broken"])
def test_a_bonus_whose_answer_is_lost_is_never_sent_again(there, platform, promise, fault):
    entry = promise()
    there.faults.plan(fault, on="/pay/")
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            platform.pay_bonus(entry)
    there.advance(600)
    assert len(calls(there, "/pay/")) == 1
    assert there.paid_cents("amina") == (200 if fault == "lost" else 0)
    if fault == "lost":
        platform.pay_bonus(entry)  # Prolific lists it by now
    else:
        with pytest.raises(OutcomeUnknown, match="look on the platform"):
            platform.pay_bonus(entry)
    assert len(calls(there, "/pay/")) == 1


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_crash_while_a_bonus_is_paid_does_not_pay_it_twice(
    there, platform, promise, killed_at, is_sent
):
    entry = promise()
    killed_at("/pay/", is_sent=is_sent)
    with pytest.raises(KeyboardInterrupt):
        platform.pay_bonus(entry)
    assert PlatformCall.objects.get(key=f"bonus-{entry.key.hex}").state == CallState.SENT
    with pytest.raises(OutcomeUnknown):
        platform.pay_bonus(entry)
    there.advance(600)
    assert there.paid_cents("amina") == (200 if is_sent else 0)


@pytest.mark.parametrize("fault", ["lost", "unheard", "broken"])
def test_a_batch_whose_answer_is_lost_costs_nothing(there, platform, promise, fault):
    entry = promise()
    there.faults.plan(fault, on="/bonus-payments/")
    with pytest.raises(PlatformError, match="nothing is paid yet") as refused:
        platform.pay_bonus(entry)
    assert not isinstance(refused.value, OutcomeUnknown)
    platform.pay_bonus(entry)
    there.advance(600)
    assert there.paid_cents("amina") == 200


def test_a_throttled_bonus_can_be_asked_for_again(there, platform, promise):
    entry = promise()
    there.faults.plan("throttled", on="/pay/")
    with pytest.raises(PlatformError, match="429"):
        platform.pay_bonus(entry)
    platform.pay_bonus(entry)
    there.advance(600)
    assert there.paid_cents("amina") == 200


def test_of_two_equal_bonuses_a_lost_one_cannot_be_told(there, platform, promise):
    first = promise()
    platform.pay_bonus(first)
    ledger.note_confirmed(first)
    there.advance(600)
    second = promise(assignment=first.assignment)
    there.faults.plan("lost", on="/pay/")
    with pytest.raises(OutcomeUnknown):
        platform.pay_bonus(second)
    there.advance(600)
    with pytest.raises(OutcomeUnknown, match="more than once"):
        platform.pay_bonus(second)
    assert there.paid_cents("amina") == 400


def test_a_bonus_that_costs_more_than_is_promised_is_not_paid(there, platform, promise):
    entry = promise()
    entry.fee_cents -= 1
    with pytest.raises(PlatformError, match=r"takes 2\.86 .* 2\.85 are promised") as refused:
        platform.pay_bonus(entry)
    assert refused.value.permanent
    there.advance(600)
    assert there.ledger == []


def test_a_bonus_beyond_the_balance_is_one_sentence(there, platform, promise):
    entry = promise()
    there.world.balance_cents = there.world.held_cents()
    with pytest.raises(PlatformError, match="balance is too low") as refused:
        platform.pay_bonus(entry)
    assert refused.value.permanent
    assert LedgerEntry.objects.get(pk=entry.pk).state == "planned"


# --- Messages ---


def test_a_message_is_about_the_study_that_somebody_took_part_in(there, platform, project, hand_in):
    assignment = hand_in()
    failures = platform.notify(
        ["amina", "zuri"], subject="Thank you", text="Session 2 is open.", project=project
    )
    assert list(failures) == ["zuri"]
    assert there.world.messages == [
        ("amina", "Thank you\n\nSession 2 is open.", assignment.listing.platform_id)
    ]


def test_a_message_whose_answer_is_lost_is_said_to_be_so(there, platform, project, hand_in):
    for person in ("amina", "binta"):
        hand_in(person)
    there.faults.plan("lost", on="/messages/")
    message = messaging.write(
        project, "prolific", ["amina", "binta"], subject="Hello", text="…", by=None
    )
    told = messaging.send(message)
    assert (told.sent, told.failed, told.unknown) == (1, 0, 1)
    assert len(there.world.messages) == 2
    messaging.send_again(message)  # whom it may have reached is a person's to decide
    assert len(there.world.messages) == 2
