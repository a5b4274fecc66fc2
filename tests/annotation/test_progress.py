"""What managers see while people work."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from annotation.models import DocumentLabel, Preview, Session
from annotation.reporting.progress import Items, agreement_so_far, project_progress
from models_ml import jobs
from models_ml.models import Job, SeedResult
from tests.annotation.test_reports import judge, plain, queries
from tests.factories import make_corpus, make_project, make_report, make_run, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    monkeypatch.setattr(jobs, "send", lambda job: None)


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_user("manager", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def reader(client):
    """A member of staff who may change nothing."""
    client.force_login(User.objects.create_user("reader", is_staff=True))
    return client


@pytest.fixture
def project():
    project = make_project(keywords=6, documents=2, overlap=50)
    texts = [f"maandishi namba {n}" for n in range(10)]
    project.test_corpus = make_corpus(project.embedding.target, texts, labels=[0, 1] * 5)
    project.base_run = make_run(project, [0.7, 0.8])
    project.save()
    return project


def at_work(project, name="amina", *, seen_s=5, **fields):
    session = make_session(project, name, is_submitted=False, **fields)
    session.last_seen_at = timezone.now() - timedelta(seconds=seen_s)
    session.save()
    return session


def of(project, session):
    return next(one for one in project_progress(project).sessions if one.id == session.pk)


def preview_of(session, **fields):
    made = {"keywords": 1, "constraints": 2, "seeds": 3, "mean": 0.812, "low": 0.789}
    return Preview.objects.create(session=session, **made | {"high": 0.835} | fields)


# --- People ----------------------------------------------------------------------------------


def test_people_are_counted_by_what_they_do(project):
    at_work(project, "amina", seen_s=110)
    at_work(project, "baraka", seen_s=130)
    make_session(project, "chane")
    people = project_progress(project).people
    assert (people.invited, people.working, people.submitted) == (3, 1, 1)
    assert [one.annotator for one in project_progress(project).sessions] == ["amina", "baraka"]


def test_answered_are_keywords_and_documents_with_any_answer(project):
    session = at_work(project)
    judge(session, 1, 0, "accept")
    judge(session, 1, 1, "reject")
    judge(session, 2, 0, "leave")
    document = project.pool_corpus.documents.first()
    DocumentLabel.objects.create(session=session, document=document, label=None, revision=1)
    assert of(project, session).answered == Items(keywords=1, documents=1)
    judge(session, 3, 0, "leave", strength=0)  # on purpose
    shown = of(project, session)
    assert shown.answered == Items(keywords=2, documents=1)
    assert (shown.asked, shown.items_asked) == (Items(keywords=6, documents=2), 8)
    assert shown.percent == 37


def test_what_is_left_goes_by_the_persons_own_pace_from_the_fifth_answer_on(project):
    session = at_work(project, minutes=10)
    for position in range(1, 5):
        judge(session, position, 0, "accept")
    assert of(project, session).minutes_left is None
    judge(session, 5, 0, "accept")
    assert of(project, session).minutes_left == pytest.approx(10 / 5 * 3)  # three of eight left


def test_an_adaptive_session_asks_as_many_as_its_size_whatever_was_offered():
    project = make_project(keywords=4, documents=4, batch_size=2, is_adaptive=True)
    shown = of(project, at_work(project))
    assert shown.items_asked == 8
    assert shown.asked == Items(keywords=2, documents=0)  # of the block that was taken


def test_what_others_are_asked_in_a_later_session_is_not_counted(project):
    session = at_work(project)
    project.hits.create(session_number=2, worker_id="baraka")
    later = Session.objects.create(project=project, annotator=session.annotator, number=2)
    hit = project.hits.create(session_number=2, worker_id="amina")
    hit.items.create(position=1, keyword=project.ranking.keywords.first())
    assert of(project, later).asked == Items(keywords=1)
    assert of(project, session).asked == Items(keywords=6, documents=2)


# --- Agreement -------------------------------------------------------------------------------


def test_agreement_is_that_of_open_and_submitted_sessions(project):
    amina, baraka = make_session(project, "amina"), at_work(project, "baraka")
    for session, second in ((amina, "reject"), (baraka, "accept")):
        judge(session, 1, 0, "accept")
        judge(session, 1, 1, second)
        judge(session, 2, 0, "reject")
    judge(amina, 3, 0, "accept")  # nobody else did
    judge(baraka, 4, 0, "reject", is_control=True)
    judge(amina, 4, 0, "reject", is_control=True)
    so_far = agreement_so_far(project)
    assert (so_far.pairs, so_far.alike) == (3, 2)
    # Three accepts and three rejects in six votes; one pair of three disagrees, counted twice.
    assert so_far.alpha == pytest.approx(1 - (6 - 1) * 2 / (3 * 3 + 3 * 3))


def test_a_persons_last_word_stands_and_whoever_is_left_out_does_not_count():
    project = make_project(session_count=2, overlap=50)
    amina, baraka = at_work(project, "amina"), at_work(project, "baraka")
    later = Session.objects.create(project=project, annotator=amina.annotator, number=2)
    judge(amina, 1, 0, "reject")
    judge(later, 1, 0, "accept")
    judge(baraka, 1, 0, "accept")
    so_far = agreement_so_far(project)
    assert (so_far.pairs, so_far.alike) == (1, 1)
    Session.objects.filter(pk=baraka.pk).update(excluded_at=timezone.now())
    assert agreement_so_far(project).pairs == 0


def test_where_nobody_shares_a_pair_nothing_is_said_of_agreement(project):
    judge(at_work(project), 1, 0, "accept")
    so_far = agreement_so_far(project)
    assert (so_far.alpha, so_far.share) == (None, None)


# --- The queue -------------------------------------------------------------------------------


def test_the_queue_holds_the_projects_own_jobs_and_not_anothers(project):
    session, other = make_session(project), make_session(make_project(), "baraka")
    clime = make_run(project, [0.8], seeds=3)
    report = make_report(session, clime=clime)
    untrained = SeedResult.objects.create(run=clime, seed=1)
    for kind, subject, state in [
        ("prepare_project", project.pk, "running"),
        ("train_seed", untrained.pk, "queued"),
        ("evaluate_run", clime.pk, "queued"),
        ("describe_report", report.pk, "failed"),
        ("process_session", other.pk, "queued"),
        ("refresh_consensus", other.project_id, "queued"),
        ("prepare_session", session.pk, "done"),
    ]:
        Job.objects.create(kind=kind, subject_id=subject, state=state, error="disk is full\n\nat")
    queue = project_progress(project).queue
    assert (queue.running, queue.waiting, queue.failed) == (1, 2, 1)
    assert {line.kind for line in queue.lines} == {
        "prepare_project", "train_seed", "evaluate_run", "describe_report",
    }  # fmt: skip
    assert (queue.newest_failure.title, queue.newest_failure.error) == (
        "Describing the results",
        "disk is full",
    )
    assert (queue.seeds_trained, queue.seeds_wanted) == (3, 4)  # two of Base, one and one of CLIME


def test_a_failure_that_was_done_again_is_none(project):
    for state in ("failed", "done"):
        Job.objects.create(kind="prepare_project", subject_id=project.pk, state=state)
    queue = project_progress(project).queue
    assert (queue.failed, queue.newest_failure, queue.is_busy) == (0, None, False)


# --- Pages -----------------------------------------------------------------------------------


def live(project):
    return f"/reports/projects/{project.slug}/live/"


def test_a_poll_takes_as_many_queries_for_many_sessions_as_for_one(manager, project):
    judge(at_work(project), 1, 0, "accept")
    addresses = [live(project), f"/api/projects/{project.slug}/live/"]
    before = [queries(manager, address) for address in addresses]
    for n in range(5):
        session = at_work(project, f"person-{n}")
        judge(session, 1, 0, "accept")
        preview_of(session)
        Job.objects.create(kind="preview_session", subject_id=session.pk)
    assert [queries(manager, address) for address in addresses] == before
    assert before[0] <= 15


def test_nothing_new_is_answered_with_304_and_an_answer_with_a_new_fragment(manager, project):
    session = at_work(project)
    first = manager.get(live(project))
    assert "0 of 8" in plain(first)
    again = manager.get(live(project), headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    judge(session, 1, 0, "accept")
    newer = manager.get(live(project), headers={"If-None-Match": first["ETag"]})
    assert newer.status_code == 200
    assert "1 of 8" in plain(newer)


def test_the_projects_page_holds_the_state_at_load_and_a_link_to_refresh(manager, project):
    at_work(project)
    text = plain(manager.get(f"/reports/projects/{project.slug}/"))
    assert "1 person is working now; 0 of 1 with a link have submitted." in text
    assert "Refresh" in text


def test_the_page_asks_quickly_only_while_something_goes_on(manager, project):
    assert 'data-pace="slow"' in manager.get(live(project)).content.decode()
    at_work(project)
    assert 'data-pace="quick"' in manager.get(live(project)).content.decode()


def test_programs_read_the_same_figures(manager, project):
    judge(at_work(project), 1, 0, "accept")
    of_page = manager.get(f"/reports/projects/{project.slug}/live.json").json()
    assert of_page == manager.get(f"/api/projects/{project.slug}/live/").json()
    assert of_page["sessions"][0]["answered"] == {"keywords": 1, "documents": 0}


def test_only_staff_see_it(client, project):
    for path in ("live/", "live.json"):
        answer = client.get(f"/reports/projects/{project.slug}/{path}")
        assert answer.status_code == 302
    assert client.get(f"/api/projects/{project.slug}/live/").status_code == 403


def test_a_name_is_never_read_as_html(manager, project):
    hostile = "<script>alert(1)</script>"
    judge(at_work(project, hostile), 1, 0, "accept")
    assert hostile not in manager.get(live(project)).content.decode()


# --- What if they stopped now ------------------------------------------------------------------


def ask(client, project, **form):
    return client.post(f"/reports/projects/{project.slug}/preview/", form)


def asked():
    return list(Job.objects.filter(kind="preview_session").values_list("subject_id", flat=True))


def test_a_preview_stands_beside_base_and_says_what_it_is_made_of(manager, project):
    session = at_work(project)
    judge(session, 1, 0, "accept")
    preview_of(session)
    text = plain(manager.get(live(project)))
    assert (
        "If amina stopped now (1 of 6 keywords): 81.2 % (78.9 % to 83.5 % over 3 seeds); "
        "Base 75.0 %."
    ) in text
    assert "As of 1 keyword" not in text
    judge(session, 2, 0, "accept")
    text = plain(manager.get(live(project)))
    assert "(2 of 6 keywords)" in text
    assert "As of 1 keyword." in text


def test_one_sessions_preview_is_queued_or_that_of_all_who_answered(manager, project):
    amina, baraka, _ = (at_work(project, name) for name in ("amina", "baraka", "chane"))
    for session in (amina, baraka):
        judge(session, 1, 0, "accept")
    assert ask(manager, project, session=amina.pk)["Location"].endswith("/#live")
    assert asked() == [amina.pk]
    ask(manager, project)
    assert sorted(asked()) == [amina.pk, baraka.pk]  # chane has not answered anything


def test_a_preview_asked_for_while_one_runs_is_made_anew(manager, project):
    session = at_work(project)
    judge(session, 1, 0, "accept")
    running = Job.objects.create(kind="preview_session", subject_id=session.pk, state="running")
    ask(manager, project, session=session.pk)
    running.refresh_from_db()
    assert running.is_asked_again


def test_whoever_may_not_change_sessions_has_no_button_and_is_refused(reader, project):
    session = at_work(project)
    judge(session, 1, 0, "accept")
    assert "<button" not in reader.get(live(project)).content.decode()
    assert ask(reader, project, session=session.pk).status_code == 403
    assert asked() == []
    user = User.objects.get(username="reader")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label="annotation", codename="change_session")
    )
    assert "<button" in reader.get(live(project)).content.decode()
    assert ask(reader, project, session=session.pk).status_code == 302
    assert asked() == [session.pk]


def test_a_session_that_is_not_open_here_is_not_found(manager, project):
    elsewhere = at_work(make_project(), "amina")
    for wrong in (elsewhere.pk, make_session(project, "baraka").pk, "x", "9" * 30):
        assert ask(manager, project, session=wrong).status_code == 404
    assert manager.get(f"/reports/projects/{project.slug}/preview/").status_code == 405
    assert asked() == []


def test_a_preview_needs_a_token_against_forged_requests(project):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("manager", is_staff=True, is_superuser=True))
    assert ask(client, project).status_code == 403


def test_without_labelled_target_documents_a_sentence_stands_for_the_button(manager):
    project = make_project()
    session = at_work(project)
    judge(session, 1, 0, "accept")
    page = manager.get(live(project))
    assert "cannot be worked out" in plain(page)
    assert "<button" not in page.content.decode()
    ask(manager, project)
    assert asked() == []
