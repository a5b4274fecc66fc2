"""Who may work: blocks, earlier projects, screening, and qualifications on a real client."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tasks.crowd import people
from tasks.crowd.people import Refusal
from tasks.models import (
    Assignment,
    Block,
    Qualification,
    QualificationHolder,
    Screening,
)
from tasks.platforms import PlatformError, platform_of
from tasks.services import TaskError
from tests.factories import make_link, make_project, make_session
from tests.marketplace import make_hit, offer_of, plan_listing, publish, take
from tests.stand_ins.mturk import Refused

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hit(project):
    return make_hit(project)


@pytest.fixture
def listing(mturk, hit):
    return plan_listing(hit)


@pytest.fixture
def market(mturk):
    return platform_of("mturk").market()


# --- Refusals ------------------------------------------------------------------------------------


def test_a_stranger_is_let_in(project):
    assert people.refusal(project, "mturk", "A1") is None


def test_an_offer_can_ask_for_another_projects_test(mturk, hit, listing, market):
    """Who passed there sees the work; others neither see it nor are let in."""
    tested = make_project(screening_percent=50)
    hit.project.offers.update(screened_in=tested)
    for worker_id, passed in (("APASSED", True), ("AFAILED", False)):
        Screening.objects.create(
            project=tested, platform="mturk", worker_id=worker_id, correct=1, asked=2, passed=passed
        )
    told = people.refusals(hit.project, "mturk", ["APASSED", "AFAILED", "ANEW"])
    assert told == dict.fromkeys(("AFAILED", "ANEW"), Refusal.FAILED_SCREENING)
    _, (screened,) = people.who_may(hit, offer_of(hit.project), market)
    assert screened.project == tested
    platform = platform_of("mturk")
    platform.grant(screened, "APASSED")
    hit_id = publish(listing, requiring=[screened])
    assert hit_id in mturk.visible_hits("APASSED")
    assert hit_id not in mturk.visible_hits("ANEW")


def test_a_block_holds_in_every_project_of_its_platform_alone(mturk, project):
    people.block("mturk", "A1", reason="copies")
    assert people.refusal(project, "mturk", "A1") == Refusal.BLOCKED
    assert people.refusal(make_project(), "mturk", "A1") == Refusal.BLOCKED
    assert people.refusal(project, "prolific", "A1") is None
    assert people.refusal(project, "mturk", "A2") is None


@pytest.mark.parametrize("state", ["active", "submitted"])
def test_who_worked_in_an_excluded_project_is_refused(project, state):
    earlier = make_project()
    take(plan_listing(make_hit(earlier)), "A1", state=state, submitted_at=timezone.now())
    assert people.refusal(project, "mturk", "A1") is None
    project.excluded_projects.add(earlier)
    assert people.refusal(project, "mturk", "A1") == Refusal.TOOK_PART_ELSEWHERE
    assert people.refusal(project, "direct", "A1") is None
    assert people.refusal(earlier, "mturk", "A1") is None


@pytest.mark.parametrize("state", ["offered", "expired", "revoked", "returned"])
def test_who_never_opened_an_excluded_project_took_no_part_in_it(project, state):
    earlier = make_project()
    project.excluded_projects.add(earlier)
    take(plan_listing(make_hit(earlier)), "A1", state=state)
    assert people.refusal(project, "mturk", "A1") is None


def test_who_agreed_to_take_part_and_gave_it_back_took_part(project):
    earlier = make_project()
    project.excluded_projects.add(earlier)
    session = make_session(earlier, "amina", is_submitted=False)
    Assignment.objects.filter(worker_id="amina").update(state="revoked")
    assert people.refusal(project, "direct", "amina") == Refusal.TOOK_PART_ELSEWHERE
    session.consented_at = None
    session.save()
    assert people.refusal(project, "direct", "amina") is None


def test_a_failed_test_refuses_in_its_project(project):
    row = {"platform": "mturk", "correct": 1, "asked": 4}
    Screening.objects.create(project=project, worker_id="A1", passed=False, **row)
    Screening.objects.create(project=project, worker_id="A2", passed=True, **row)
    assert people.refusal(project, "mturk", "A1") == Refusal.FAILED_SCREENING
    assert people.refusal(project, "mturk", "A2") is None
    assert people.refusal(make_project(), "mturk", "A1") is None


# --- Blocks --------------------------------------------------------------------------------------


def test_a_block_is_ours_and_the_platform_s(mturk, project):
    by = User.objects.create_user("zawadi")
    assert people.block("mturk", "A1", reason="copies", by=by) == ""
    assert Block.objects.get().made_by == by
    assert mturk.market.blocks == {"A1": "copies"}
    assert people.unblock("mturk", "A1") == ""
    assert not Block.objects.exists()
    assert mturk.market.blocks == {}


def test_a_block_that_the_platform_fails_holds_here_and_says_so(mturk, project):
    mturk.faults.add("fault", operations=["CreateWorkerBlock"])
    assert "trouble of its own" in people.block("mturk", "A1", reason="copies")
    assert people.refusal(project, "mturk", "A1") == Refusal.BLOCKED


def test_somebody_with_a_direct_link_is_blocked_without_a_call(mturk, project):
    assert people.block("direct", "amina", reason="copies") == ""
    assert people.refusal(project, "direct", "amina") == Refusal.BLOCKED
    assert mturk.calls == []


def test_blocking_twice_keeps_one_row_with_the_newer_reason(mturk, project):
    for reason in ("copies", "machine"):
        people.block("mturk", "A1", reason=reason)
    assert Block.objects.get().reason == "machine"


# --- Qualifications ------------------------------------------------------------------------------


def test_a_shared_hit_is_closed_to_who_took_it(mturk, hit, listing, market):
    forbidding, requiring = people.who_may(hit, offer_of(hit.project), market)
    there = publish(listing, forbidding=forbidding, requiring=requiring)
    people.note_took_part(take(listing, "A1"))
    assert there in mturk.visible_hits("A1")
    assert people.grant_waiting("mturk") == []
    assert there not in mturk.visible_hits("A1")
    with pytest.raises(Refused):
        mturk.accept(there, "A1")
    assert mturk.accept(there, "A2")


def test_the_same_qualification_is_used_for_every_listing_of_a_hit(hit, market):
    offer = offer_of(hit.project)
    first, again = (people.who_may(hit, offer, market)[0] for _ in range(2))
    assert first == again
    assert Qualification.objects.count() == 1
    assert len(first[0].name) <= 200


def test_who_took_part_in_an_excluded_project_does_not_see_the_hit(mturk, project, market):
    earlier = make_project()
    project.excluded_projects.add(earlier)
    people.note_took_part(take(plan_listing(make_hit(earlier)), "A1"))
    people.grant_waiting("mturk")
    hit = make_hit(project)
    forbidding, _ = people.who_may(hit, offer_of(project), market)
    there = publish(plan_listing(hit), forbidding=forbidding)
    assert there not in mturk.visible_hits("A1")
    assert there in mturk.visible_hits("A2")


def test_conditions_stay_within_ten_whatever_is_excluded_and_asked(mturk, project, market):
    for _ in range(12):
        earlier = make_project()
        project.excluded_projects.add(earlier)
        people.note_took_part(take(plan_listing(make_hit(earlier)), "A1"))
    offer = offer_of(project)
    offer.countries, offer.approval_percent = "KE, TZ", 95
    offer.approved_count, offer.needs_masters = 100, True
    offer.screened_in = make_project(screening_percent=50)
    offer.save()
    hit = make_hit(project)
    forbidding, requiring = people.who_may(hit, offer, market)
    assert (len(forbidding), len(requiring)) == (5, 1)
    assert publish(plan_listing(hit), forbidding=forbidding, requiring=requiring)


def test_a_hit_for_one_person_is_seen_by_them_alone(mturk, project, market):
    hit = make_hit(project, worker_id="A1", session_number=2)
    forbidding, requiring = people.who_may(hit, offer_of(project), market)
    assert (forbidding, [one.purpose for one in requiring]) == ([], ["invited"])
    people.invite(hit, market)
    people.grant_waiting("mturk")
    there = publish(plan_listing(hit, places=1), requiring=requiring)
    assert there in mturk.visible_hits("A1")
    assert there not in mturk.visible_hits("A2")


def test_a_listing_of_a_shared_hit_can_be_for_one_person(hit, market):
    _, requiring = people.who_may(hit, offer_of(hit.project), market, worker_id="A1")
    people.invite(hit, market, worker_id="A1")
    assert [one.purpose for one in requiring] == ["invited"]
    assert QualificationHolder.objects.get().qualification == requiring[0]


def test_who_passed_the_test_must_show_it_in_later_sessions(mturk, project, market):
    project.screening_percent = 50
    people.note_screening(take(plan_listing(make_hit(project)), "A1"), correct=3, asked=4)
    hit = make_hit(project, worker_id="A1", session_number=2)
    _, requiring = people.who_may(hit, offer_of(project), market)
    assert [one.purpose for one in requiring] == ["invited", "screened"]
    people.invite(hit, market)
    assert people.grant_waiting("mturk") == []
    there = publish(plan_listing(hit, places=1), requiring=requiring)
    assert there in mturk.visible_hits("A1")


def test_an_invitation_needs_somebody(hit, market):
    with pytest.raises(ValueError, match="is for anybody"):
        people.invite(hit, market)


# --- Grants --------------------------------------------------------------------------------------


def granted(mturk):
    return {
        who for (_, who), held in mturk.market.qualifications.items() if held.status == "Granted"
    }


def test_noting_and_granting_again_changes_nothing(mturk, listing):
    one = take(listing, "A1")
    for _ in range(2):
        people.note_took_part(one)
        assert people.grant_waiting("mturk") == []
    assert QualificationHolder.objects.count() == 1
    made = [call for call in mturk.calls if call.operation == "AssociateQualificationWithWorker"]
    assert len(made) == 1


def test_a_direct_link_grants_nothing(project):
    people.note_took_part(make_session(project).project.hits.get().assignments.get())
    assert not QualificationHolder.objects.exists()


def test_nothing_to_tell_asks_nothing(mturk, project):
    assert people.grant_waiting("mturk") == []
    assert mturk.calls == []


def test_grants_of_another_market_wait_for_it(mturk, listing, settings):
    people.note_took_part(take(listing, "A1"))
    settings.MTURK_MODE = "live"
    assert people.grant_waiting("mturk") == []
    assert granted(mturk) == set()
    settings.MTURK_MODE = "sandbox"
    people.grant_waiting("mturk")
    assert granted(mturk) == {"A1"}


def test_grants_can_be_made_for_one_project(mturk, listing):
    people.note_took_part(take(listing, "A1"))
    people.note_took_part(take(plan_listing(make_hit(make_project())), "A2"))
    people.grant_waiting("mturk", project=listing.hit.project)
    assert granted(mturk) == {"A1"}


def test_a_trouble_of_the_platform_is_tried_again(mturk, listing):
    for name in ("A1", "A2"):
        people.note_took_part(take(listing, name))
    mturk.faults.add("lost_request", operations=["AssociateQualificationWithWorker"])
    problems = people.grant_waiting("mturk")
    assert len(problems) == 2
    assert problems[0].startswith("A1, CLIME ")
    assert not QualificationHolder.objects.exclude(error="").exists()
    mturk.faults.clear()
    assert people.grant_waiting("mturk") == []
    assert granted(mturk) == {"A1", "A2"}


def test_a_platform_that_fails_on_and_on_is_left_until_the_next_time(mturk, listing):
    for n in range(20):
        people.note_took_part(take(listing, f"A{n}"))
    mturk.faults.add("lost_request", operations=["AssociateQualificationWithWorker"])
    assert len(people.grant_waiting("mturk")) == people.MOST_TROUBLES


def test_a_lost_answer_is_a_grant_once_it_was_asked_again(mturk, listing):
    people.note_took_part(take(listing, "A1"))
    for operation in ("CreateQualificationType", "AssociateQualificationWithWorker"):
        mturk.faults.add("lost_answer", operations=[operation], next_calls=8)
        people.grant_waiting("mturk")
    people.grant_waiting("mturk")
    assert len(mturk.market.qualification_types) == 1
    assert granted(mturk) == {"A1"}
    assert QualificationHolder.objects.get().granted_at


def test_a_refusal_for_good_is_kept_and_tried_no_more(mturk, listing):
    people.note_took_part(take(listing, "no worker id of theirs" * 4))
    people.note_took_part(take(listing, "A2"))
    assert len(people.grant_waiting("mturk")) == 1
    refused = QualificationHolder.objects.exclude(error="").get()
    assert refused.granted_at is None
    assert granted(mturk) == {"A2"}
    calls = len(mturk.calls)
    assert people.grant_waiting("mturk") == []
    assert len(mturk.calls) == calls


def test_wrong_keys_are_nobody_s_fault(listing, monkeypatch):
    people.note_took_part(take(listing, "A1"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(PlatformError, match="credentials"):
        people.grant_waiting("mturk")
    assert QualificationHolder.objects.get().error == ""


# --- Giving back ---------------------------------------------------------------------------------


def test_who_gives_a_place_back_may_come_again(mturk, hit, listing, market):
    forbidding, _ = people.who_may(hit, offer_of(hit.project), market)
    there = publish(listing, forbidding=forbidding)
    one = take(listing, "A1")
    people.note_took_part(one)
    people.grant_waiting("mturk")
    Assignment.objects.filter(pk=one.pk).update(state="returned", status_there="returned")
    assert people.grant_waiting("mturk") == []
    assert mturk.accept(there, "A1")
    assert not QualificationHolder.objects.exists()
    people.note_took_part(one)
    assert not QualificationHolder.objects.exists()


def test_a_place_given_back_before_the_grant_is_never_told(mturk, listing):
    one = take(listing, "A1")
    people.note_took_part(one)
    Assignment.objects.filter(pk=one.pk).update(state="returned")
    assert people.grant_waiting("mturk") == []
    assert mturk.calls == []


@pytest.mark.parametrize("field", ["submitted_at", "submitted_there_at"])
def test_who_finished_keeps_the_qualification(mturk, listing, field):
    one = take(listing, "A1")
    people.note_took_part(one)
    people.grant_waiting("mturk")
    Assignment.objects.filter(pk=one.pk).update(state="expired", **{field: timezone.now()})
    people.grant_waiting("mturk")
    assert granted(mturk) == {"A1"}


# --- The screening test --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "correct", "asked", "passed"),
    [(75, 3, 4, True), (76, 3, 4, False), (100, 7, 7, True), (67, 2, 3, False), (66, 2, 3, True)],
)
def test_the_pass_mark_is_a_share_that_is_reached(listing, percent, correct, asked, passed):
    listing.hit.project.screening_percent = percent
    screening = people.note_screening(take(listing, "A1"), correct=correct, asked=asked)
    assert screening.passed is passed


def test_the_first_answers_stand(listing):
    listing.hit.project.screening_percent = 50
    one = take(listing, "A1")
    people.note_screening(one, correct=1, asked=4)
    again = people.note_screening(one, correct=4, asked=4)
    assert (again.passed, again.correct) == (False, 1)
    assert Screening.objects.count() == 1


def test_who_fails_gives_the_place_back_and_is_shown_the_hit_no_more(mturk, listing):
    listing.hit.project.screening_percent = 50
    one = take(listing, "A1")
    people.note_screening(one, correct=1, asked=4)
    one.refresh_from_db()
    assert one.state == "returned"
    people.grant_waiting("mturk")
    assert granted(mturk) == {"A1"}
    assert QualificationHolder.objects.get().qualification.purpose == "took_part"


def test_who_passes_gets_the_project_s_qualification(mturk, listing):
    listing.hit.project.screening_percent = 50
    one = take(listing, "A1")
    people.note_screening(one, correct=3, asked=4)
    one.refresh_from_db()
    assert one.state == "active"
    people.grant_waiting("mturk")
    holder = QualificationHolder.objects.get()
    assert (holder.qualification.purpose, holder.qualification.hit) == ("screened", None)
    assert holder.granted_at


# --- Direct links --------------------------------------------------------------------------------


def test_who_gets_no_work_gets_no_link_and_is_named(project):
    earlier = make_project()
    make_session(earlier, "amina")
    project.excluded_projects.add(earlier)
    people.block("direct", "baraka", reason="copies")
    names = ["amina", "baraka", "chiku"]
    with pytest.raises(TaskError) as told:
        people.check_links(project, names)
    assert sorted(str(told.value).split(", ")) == [
        "amina: took part in an excluded project",
        "baraka: blocked",
    ]
    people.check_links(project, ["chiku"])


def test_who_has_a_link_keeps_it(project):
    make_link(project, "amina")
    people.block("direct", "amina", reason="copies")
    people.check_links(project, ["amina", "baraka"])


def test_links_without_a_name_are_somebody_else_s_in_each_project(project):
    earlier = make_project()
    make_session(earlier, "link-1")
    project.excluded_projects.add(earlier)
    people.check_links(project, ["link-1"])
    assert people.refusal(project, "direct", "link-1") is None


def test_a_thousand_people_take_as_many_queries_as_one(project, django_assert_num_queries):
    with django_assert_num_queries(5):
        people.check_links(project, ["amina"])
    with django_assert_num_queries(5):
        people.check_links(project, [f"person {n}" for n in range(1000)])
