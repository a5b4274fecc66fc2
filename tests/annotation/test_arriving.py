"""Where a platform's people arrive: samples, tasks, refusals, frames, and the way back."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from annotation.models import Annotator, Session
from annotation.services import submit_abandoned_sessions
from models_ml.models import Job
from tasks.crowd import offers
from tasks.models import HIT, Assignment, Block, Project, Purpose
from tasks.platforms import task_links
from tasks.platforms.addresses import arrival_url
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_listing, make_project
from tests.marketplace import set_

pytestmark = pytest.mark.django_db

WORKER_SITE = "https://workersandbox.mturk.com"
OFFERED = {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"}


@pytest.fixture(autouse=True)
def public_site(settings):
    settings.PUBLIC_BASE_URL = "https://clime.test"


@pytest.fixture
def listing(db):
    return make_listing(make_project(overlap=2))


def address(listing):
    return urlsplit(arrival_url(listing)).path


def accepted(worker_id, platform_id=""):
    """Return the query with which the marketplace shows an accepted HIT."""
    return {
        "assignmentId": platform_id or f"3OF{worker_id.upper()}",
        "workerId": worker_id,
        "turkSubmitTo": WORKER_SITE,
    }


def come(listing, worker_id="amina", platform_id="", *, client=None, **headers):
    """Arrive and return who came as a visitor, or the response where they are not let in."""
    client = client or Client(enforce_csrf_checks=True)
    response = client.get(address(listing), accepted(worker_id, platform_id), headers=headers)
    assert not response.cookies
    if response.status_code != 303:
        return response
    visitor = Visitor(Assignment.objects.get(worker_id=worker_id, hit=listing.hit), client)
    assert response["Location"] == visitor.url()
    return visitor


def finish(visitor):
    visitor.agree()
    assert visitor.post("finish/").status_code == 303
    visitor.assignment.refresh_from_db()


def policy(response):
    """Return a page's directives: name → sources."""
    parts = response["Content-Security-Policy"].split("; ")
    return {name: sources.split() for name, _, sources in (part.partition(" ") for part in parts)}


# --- Samples -------------------------------------------------------------------------------------


def test_a_sample_shows_a_page_that_nobody_can_press_and_stores_nothing(listing, client):
    for query in (OFFERED, OFFERED | {"workerId": "amina", "hitId": "3HIT0"}, {}):
        response = client.get(address(listing), query)
        assert response.status_code == 200
        page = response.content.decode()
        assert "This is a sample" in page
        assert "accept the work on Mechanical Turk" in page
        assert "<b>0.50 USD</b>" in page
        assert "<b>60 minutes</b> from accepting" in page
        assert "hospital" in page
        assert "hospitali" in page
        assert "<form" not in page
        buttons = re.findall(r"<button[^>]*>", page)
        assert len(buttons) == 8  # accept and reject, for two words of either language
        assert all("disabled" in button for button in buttons)
    assert not Assignment.objects.exists()
    assert not Session.objects.exists()
    assert not Annotator.objects.exists()


def test_a_sample_of_texts_shows_the_first_one(client):
    listing = make_listing(make_project(keywords=0, documents=2))
    page = client.get(address(listing), OFFERED).content.decode()
    assert "muuguzi alitoa dawa" in page
    assert "Emergency" in page
    assert "<button" not in page


@pytest.mark.parametrize("form", ["graded", "ranking"])
def test_a_sample_has_the_buttons_of_the_projects_answer_form(client, form):
    listing = make_listing(make_project(answer_form=form))
    page = client.get(address(listing), OFFERED).content.decode()
    assert len(re.findall(r"<button[^>]*disabled", page)) == (20 if form == "graded" else 8)


def test_a_sample_is_read_in_the_language_that_is_asked_for(listing, client):
    response = client.get(address(listing), OFFERED, headers={"Accept-Language": "sw"})
    assert '<html lang="sw"' in response.content.decode()
    page = client.get(address(listing), OFFERED | {"language": "ar"}).content.decode()
    assert '<html lang="ar" dir="rtl"' in page
    assert "assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&amp;language=fr" in page


def test_a_sample_costs_as_many_queries_in_a_large_project(django_assert_max_num_queries, client):
    for size in (1, 30):
        project = make_project(keywords=size, documents=size, neighbours=min(size, 20))
        listing = make_listing(project)
        with django_assert_max_num_queries(10):
            client.get(address(listing), OFFERED)


# --- Arrivals ------------------------------------------------------------------------------------


def test_who_accepted_is_led_to_the_task_and_back_to_it(listing):
    visitor = come(listing)
    page = visitor.text("welcome/")
    assert "<b>0.50 USD</b>" in page
    assert "<b>60 minutes</b> from accepting" in page
    assert "The link works until" not in page
    assert "come back to it on Mechanical Turk" in page
    visitor.agree()
    assert come(listing).assignment == visitor.assignment
    assert Session.objects.get().annotator.platform == "mturk"


@pytest.mark.parametrize("headers", [{"sec-purpose": "prefetch;prerender"}, {}])
def test_what_no_person_asks_for_makes_nothing(listing, client, headers):
    ask = client.get if headers else client.head
    response = ask(address(listing), accepted("amina"), headers=headers)
    assert response.status_code == 204
    assert not Assignment.objects.exists()


def test_a_form_cannot_arrive(listing, client):
    assert client.post(address(listing), accepted("amina")).status_code == 405


def test_a_forged_address_is_not_known(listing, client):
    response = client.get(address(listing)[:-3] + "x/", accepted("amina"))
    assert response.status_code == 404
    assert "We do not know this link" in response.content.decode()
    assert policy(response)["frame-ancestors"] == ["'none'"]
    assert not Assignment.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"workerId": ""},
        {"workerId": "<script>"},
        {"assignmentId": "x" * 65},
        {"turkSubmitTo": "https://evil.test"},
        {"turkSubmitTo": "https://www.mturk.com"},  # the other mode's
        {"turkSubmitTo": "https://workersandbox.mturk.com.evil.test"},
        {"hitId": "3ANOTHER"},
    ],
)
def test_an_address_that_the_platform_never_makes_is_refused(listing, client, wrong):
    response = client.get(address(listing), accepted("amina") | wrong)
    assert response.status_code == 400
    assert "It is not as Mechanical Turk makes it" in response.content.decode()
    assert not Assignment.objects.exists()


def test_a_slash_behind_the_place_to_hand_in_is_no_difference(listing, client):
    query = accepted("amina") | {"turkSubmitTo": WORKER_SITE + "/"}
    assert client.get(address(listing), query).status_code == 303
    assert Assignment.objects.get().submit_to == WORKER_SITE


# --- Refusals ------------------------------------------------------------------------------------


def is_refused(response, *, saying):
    assert response.status_code == 403
    page = response.content.decode()
    assert saying in page
    assert "Please return it on Mechanical Turk: you lose nothing by it." in page
    assert policy(response)["frame-ancestors"] == [WORKER_SITE]
    return True


def test_a_refusal_says_why_and_what_to_do(listing):
    come(listing, "amina")
    come(listing, "bakari")
    assert is_refused(come(listing, "chausiku"), saying="All places are taken")
    Project.objects.update(state="closed")
    assert is_refused(come(listing, "chausiku"), saying="This work is closed")
    Project.objects.update(state="open")
    set_(listing, worker_id="amina")
    assert is_refused(come(listing, "chausiku"), saying="somebody else’s")
    Assignment.objects.filter(worker_id="amina").update(status_there="approved")
    assert is_refused(come(listing, "amina", "3NEW"), saying="You did this already")


def test_a_block_is_not_told(listing):
    Block.objects.create(platform="mturk", worker_id="amina", reason="Copied all answers.")
    response = come(listing)
    assert is_refused(response, saying="you do not meet all of them")
    assert "block" not in response.content.decode().casefold()
    assert not Assignment.objects.exists()


def test_who_took_part_elsewhere_or_failed_the_test_reads_so(listing):
    earlier = make_project()
    hit = offers.copies(earlier, "mturk")[0]
    hit.assignments.create(worker_id="amina", state="active", expires_at=timezone.now())
    listing.hit.project.excluded_projects.add(earlier)
    assert is_refused(come(listing), saying="did not take part in an earlier project")
    tried = {"correct": 1, "asked": 6, "passed": False}
    listing.hit.project.screenings.create(platform="mturk", worker_id="bakari", **tried)
    assert is_refused(come(listing, "bakari"), saying="people who passed the test")


def test_who_comes_before_the_pause_is_over_reads_when_it_is(listing):
    project = listing.hit.project
    mine = HIT.objects.create(
        project=project, platform="mturk", worker_id="amina", session_number=2
    )
    soon = timezone.now() + timedelta(hours=5)
    mine.assignments.create(worker_id="amina", opens_at=soon, expires_at=soon + timedelta(1))
    response = come(make_listing(mine, places=1))
    assert is_refused(response, saying="Between two sessions there is a pause")
    assert f'datetime="{soon:%Y-%m-%dT%H:%M}' in response.content.decode()


def test_a_refusal_is_in_the_readers_language(listing):
    Project.objects.update(state="closed")
    response = come(listing, **{"Accept-Language": "fr"})
    assert '<html lang="fr"' in response.content.decode()


# --- The link of an assignment that ended --------------------------------------------------------


@pytest.mark.parametrize("path", ["", "1/", "finish/"])
@pytest.mark.parametrize("ended", ["expired", "returned", "passed on", "taken anew"])
def test_a_page_that_ended_says_where_to_go_on(listing, path, ended):
    visitor = come(listing)
    visitor.agree()
    old = visitor.url(path)
    if ended == "passed on":
        come(listing, "bakari", "3OFAMINA")
    elif ended == "taken anew":
        come(listing, "amina", "3NEW")
    else:
        set_(visitor.assignment, state=ended)
    response = visitor.client.get(old)
    assert response.status_code == 410
    assert "open the work again on Mechanical Turk" in response.content.decode()
    assert policy(response)["frame-ancestors"] == [WORKER_SITE]
    assert visitor.client.post(old, {}).status_code in {405, 410}


def test_an_answer_from_a_page_that_ended_is_refused_as_such(listing):
    visitor = come(listing)
    visitor.agree()
    old = visitor.url("answers")
    come(listing, "bakari", "3OFAMINA")
    response = visitor.client.post(old, {"letters": []}, content_type="application/json")
    assert response.status_code == 410
    assert response.json() == {"detail": "This task has ended, so the answer was not saved."}


def test_who_comes_back_finds_their_answers(listing):
    visitor = come(listing)
    visitor.agree()
    keyword, word = (
        visitor.item(1).keyword,
        visitor.session.words_beside(visitor.item(1).keyword)[0],
    )
    visitor.answer("verdict", keyword=keyword.pk, word=word.pk, verdict="accept")
    come(listing, "bakari", "3OFAMINA")
    again = come(listing, "amina", "3NEW")
    assert again.url() != visitor.url()
    assert again.session.judgements.get().verdict == "accept"
    assert again.get().headers["Location"] == again.url("2/")
    finish(again)
    assert again.assignment.platform_id == "3NEW"


# --- Frames --------------------------------------------------------------------------------------


def test_all_pages_of_a_listing_may_be_framed_by_its_marketplace_alone(listing):
    visitor = come(listing)
    responses = [visitor.client.get(address(listing), OFFERED), visitor.get("welcome/")]
    visitor.agree()
    responses += [visitor.get(path) for path in ("", "1/", "practice/", "99/", "finish/", "break/")]
    responses += [visitor.post("1/", word="x")]
    finish(visitor)
    responses += [visitor.get("finish/")]
    for response in responses:
        assert policy(response)["frame-ancestors"] == [WORKER_SITE]
        assert "X-Frame-Options" not in response
        assert not response.cookies
    for response in responses[:-1]:
        assert policy(response)["form-action"] == ["'self'"]
    assert set(policy(responses[-1])["form-action"]) == {"'self'", WORKER_SITE}


def test_the_live_market_frames_live_listings(settings):
    settings.MTURK_MODE = "live"
    listing = make_listing(make_project(), mode="live")
    sources = policy(Client().get(address(listing), OFFERED))["frame-ancestors"]
    assert sources == ["https://worker.mturk.com", "https://www.mturk.com"]


def test_pages_of_direct_links_and_of_prolific_are_never_framed(settings):
    visitor = Visitor(make_link(make_project()))
    visitor.agree()
    visitor.post("finish/")
    study = make_listing(make_project(), platform="prolific", mode="live")
    responses = [visitor.get(""), visitor.get("finish/"), Client().get(address(study))]
    for response in responses:
        assert policy(response)["frame-ancestors"] == ["'none'"]
        assert policy(response)["form-action"] == ["'self'"]
        assert response["X-Frame-Options"] == "DENY"


# --- The end -------------------------------------------------------------------------------------


def test_finished_work_is_handed_in_by_a_form(listing):
    visitor = come(listing)
    finish(visitor)
    response = visitor.get("finish/?now")
    page = response.content.decode()
    assert f'method="post" action="{WORKER_SITE}/mturk/externalSubmit"' in page
    assert '<input type="hidden" name="assignmentId" value="3OFAMINA">' in page
    code = visitor.assignment.completion_code
    assert f'<input type="hidden" name="completionCode" value="{code}">' in page
    assert "Hand in on Mechanical Turk</button>" in page
    assert "hand_in.js" in page
    assert response["Referrer-Policy"] == "strict-origin"  # a policy of "same-origin" hides ours


def test_who_submits_is_sent_on_by_the_script_and_who_comes_back_is_not(listing):
    visitor = come(listing)
    visitor.agree()
    submitted = visitor.post("finish/")
    assert submitted["Location"] == visitor.url("finish/?now")
    assert "hand_in.js" in visitor.text("finish/?now")
    assert "hand_in.js" not in visitor.text("finish/")


def test_the_form_is_offered_again_until_the_platform_has_it(listing):
    visitor = come(listing)
    finish(visitor)
    again = come(listing)
    assert again.get().headers["Location"] == again.url("finish/")
    assert "externalSubmit" in again.text("finish/")
    set_(again.assignment, status_there="submitted")
    page = again.text("finish/?now")
    assert "Your work is handed in on Mechanical Turk" in page
    assert "externalSubmit" not in page
    assert "hand_in.js" not in page


def test_after_a_return_the_form_names_the_new_assignment(listing):
    visitor = come(listing)
    finish(visitor)
    again = come(listing, "amina", "3NEW")
    page = again.text("finish/")
    assert 'name="assignmentId" value="3NEW"' in page
    assert visitor.client.get(f"/t/{task_links.token(visitor.assignment)}/").status_code == 410


def test_prolific_is_gone_back_to_by_a_link_with_its_code():
    study = make_listing(make_project(), platform="prolific", mode="live")
    query = {"PROLIFIC_PID": "amina", "STUDY_ID": study.platform_id, "SESSION_ID": "5ub"}
    client = Client()
    assert client.get(address(study), query).status_code == 303
    visitor = Visitor(Assignment.objects.get(), client)
    finish(visitor)
    page = visitor.text("finish/?now")
    link = re.search(r'href="(https://app.prolific.com/submissions/complete\?cc=(\w+))"', page)
    assert link
    assert f"<samp>{link[2]}</samp>" in page
    assert "hand_in.js" not in page


def test_a_compensation_asks_nothing_but_to_be_handed_in(listing):
    hit = HIT.objects.create(
        project=listing.hit.project, platform="mturk", worker_id="amina", batch=9
    )
    owed = make_listing(hit, places=1, worker_id="amina", purpose=Purpose.COMPENSATION)
    visitor = come(owed)
    assert visitor.get().headers["Location"] == visitor.url("finish/")
    assert 'name="assignmentId" value="3OFAMINA"' in visitor.text("finish/")
    assert not Session.objects.exists()
    sample = visitor.client.get(address(owed), OFFERED)
    assert "hospital" not in sample.content.decode()


# --- Sessions of several HITs --------------------------------------------------------------------


@pytest.fixture
def parts(db):
    """Give the listings of a session of three HITs."""
    project = make_project(keywords=3, batch_size=1, overlap=2, session_hours=24)
    return [make_listing(hit) for hit in offers.copies(project, "mturk")]


def test_the_next_part_is_taken_on_the_platform(parts):
    first = come(parts[0])
    finish(first)
    assert "/t/" not in first.text("finish/").split("<main")[1].split("</main>")[0]
    assert Assignment.objects.count() == 1
    second = come(parts[1])
    finish(second)
    assert first.session == second.session


def test_a_later_session_is_announced_once_the_one_before_is_over(parts):
    Project.objects.update(session_count=2)
    for number, listing in enumerate(parts, start=1):
        visitor = come(listing)
        finish(visitor)
        announced = "There will be another session" in visitor.text("finish/")
        assert announced == (number == len(parts))


def test_a_session_ends_with_its_last_part(parts):
    for listing in parts:
        assert not Job.objects.exists()
        finish(come(listing))
    assert Session.objects.get().state == "submitted"
    assert Job.objects.get().kind == "process_session"


def test_a_session_with_more_on_offer_waits_for_the_projects_hours(parts):
    finish(come(parts[0]))
    assert submit_abandoned_sessions() == 0
    Assignment.objects.update(submitted_at=timezone.now() - timedelta(hours=23))
    assert submit_abandoned_sessions() == 0
    Assignment.objects.update(submitted_at=timezone.now() - timedelta(hours=25))
    assert submit_abandoned_sessions() == 1
    assert Session.objects.get().state == "submitted"


def test_a_session_does_not_wait_for_what_is_not_on_offer(parts):
    finish(come(parts[0]))
    for listing in parts[1:]:
        assert submit_abandoned_sessions() == 0
        set_(listing, state="closed")
    assert submit_abandoned_sessions() == 1


def test_a_part_at_hand_keeps_the_session_open(parts):
    finish(come(parts[0]))
    second = come(parts[1])
    for listing in parts:
        set_(listing, state="closed")
    Assignment.objects.update(submitted_at=timezone.now() - timedelta(days=9))
    assert submit_abandoned_sessions() == 0
    assert second.post("finish/").status_code == 303
    assert Session.objects.get().state == "submitted"


def test_a_part_that_is_taken_late_opens_the_session_again(parts):
    finish(come(parts[0]))
    Assignment.objects.update(submitted_at=timezone.now() - timedelta(hours=25))
    submit_abandoned_sessions()
    late = come(parts[1])
    keyword = late.item(1).keyword
    word = late.session.words_beside(keyword)[0]
    receipt = late.answer("verdict", keyword=keyword.pk, word=word.pk, verdict="accept")
    assert receipt["state"] == "saved"
    assert Session.objects.get().state == "open"
