"""What managers read of sessions and projects."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.models import DocumentLabel, Judgement, Session
from annotation.reporting.projects import project_report
from annotation.reporting.sessions import session_report
from models_ml.models import Embedding, Job
from models_ml.reports import arm_result, in_words
from tests.factories import (
    make_artefact,
    make_corpus,
    make_project,
    make_report,
    make_run,
    make_session,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_user("manager", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def project():
    """Three keywords, two neighbours in each language, and a labelled test corpus of ten texts."""
    project = make_project(overlap=50)
    texts = [f"maandishi namba {n}" for n in range(10)]
    project.test_corpus = make_corpus(project.embedding.target, texts, labels=[0, 1] * 5)
    project.base_run = make_run(project, [0.7, 0.8])
    project.save()
    return project


def plain(response):
    """Return the words of a page as they are read."""
    page = re.sub(r"<style.*?</style>|<head>.*?</head>", "", response.content.decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).replace("\xa0", " ").split())


def read(client, session):
    return client.get(f"/reports/sessions/{session.pk}/")


def read_project(client, project):
    return client.get(f"/reports/projects/{project.slug}/")


def judge(session, position, place, verdict, **fields):
    """Let a session say something of the place-th neighbour of a keyword."""
    keyword = session.project.ranking.keywords.get(position=position)
    word = fields.pop("word", None) or keyword.neighbours.order_by("id")[place].word
    return Judgement.objects.create(
        session=session, keyword=keyword, word=word, verdict=verdict, revision=1, **fields
    )


def reported(session, base=(0.7, 0.8), **arms):
    project = session.project
    runs = {arm: make_run(project, accuracies) for arm, accuracies in arms.items()}
    make_report(session, base=make_run(project, base), **runs)
    return session


def refined(project):
    return Embedding.objects.create(
        source=project.embedding.source,
        target=project.embedding.target,
        parent=project.embedding,
        delta=make_artefact(".safetensors"),
        key="refined",
        config={"method": "paper", "learning_rate": 0.001},
    )


# --- Figures ---------------------------------------------------------------------------------


def test_a_gain_is_the_difference_of_two_means_in_points(project):
    session = reported(make_session(project), clime=[0.76, 0.84])
    report = session_report(session)
    base, clime = report.arms
    assert (base.label, base.gain_points) == ("Base", None)
    assert clime.gain_points == pytest.approx(5.0)
    assert clime.accuracies == (0.76, 0.84)
    assert report.gain_points_per_hour == pytest.approx(10.0)  # in half an hour


def test_arms_stand_in_the_papers_order_whatever_order_they_were_stored_in(project):
    session = make_session(project)
    arms = ("active_clime", "clime", "base", "active")
    make_report(session, **{arm: make_run(project) for arm in arms})
    assert [arm.label for arm in session_report(session).arms] == ["Base", "Active", "CLIME", "A+C"]


def test_the_gain_an_hour_is_that_of_all_the_annotators_answers(project):
    arms = {"active": [0.9, 0.9], "clime": [0.8, 0.9], "active_clime": [0.6, 0.7]}
    report = session_report(reported(make_session(project, minutes=60), **arms))
    assert report.best_informed.label == "A+C"
    assert report.gain_points_per_hour == pytest.approx(-10.0)


def test_less_than_a_minute_of_work_has_no_gain_an_hour(project):
    session = reported(make_session(project, minutes=0.9), clime=[0.9, 0.9])
    assert session_report(session).gain_points_per_hour is None


def test_answers_are_counted_by_their_latest_revision(project):
    session = make_session(project)
    first = judge(session, 1, 0, "accept", is_current=False)
    Judgement.objects.create(
        session=session, keyword=first.keyword, word=first.word, verdict="reject", revision=2
    )
    judge(session, 1, 1, "accept")
    judge(session, 2, 0, "leave")  # said, then taken back
    judge(session, 3, 0, "leave", strength=0)  # on purpose: answered, and undecided
    last_word = project.embedding.target.words.order_by("-row")[0]
    judge(session, 2, 0, "accept", word=last_word, is_added=True)
    judge(make_session(project, "baraka"), 3, 0, "accept")  # somebody else's
    answers = session_report(session).answers
    assert (answers.accepted, answers.rejected, answers.added) == (1, 1, 1)
    assert answers.judgements == 3
    assert (answers.keywords_answered, answers.keywords_shown) == (3, 3)
    assert answers.left_open == 3 * 2 * 2 - 2  # three keywords, two neighbours in two languages


def test_a_text_that_the_annotator_cannot_tell_is_not_labelled():
    project = make_project(keywords=0, documents=2)
    session = make_session(project)
    first, second = project.pool_corpus.documents.all()
    DocumentLabel.objects.create(session=session, document=first, label=None, revision=1)
    DocumentLabel.objects.create(session=session, document=second, label=1, revision=1)
    answers = session_report(session).answers
    assert (answers.documents_labelled, answers.documents_shown) == (1, 2)


def test_a_keyword_of_two_projects_shows_each_its_own_answers(project):
    session = make_session(project)
    judge(session, 1, 0, "accept")
    judge(session, 1, 1, "reject")
    other = make_project(ranking=project.ranking, keywords=0, documents=1)
    tally = project_report(project).keywords[0]
    assert (tally.sessions, tally.accepted, tally.rejected, tally.added) == (1, 1, 1, 0)
    assert project_report(other).keywords[0].accepted == 0


@pytest.mark.parametrize(
    ("accuracies", "sentence"),
    [
        ([0.85, 0.95], "CLIME is 15.0 points above Base: 90.0 % against 75.0 %."),
        ([0.55, 0.65], "CLIME is 15.0 points below Base: 60.0 % against 75.0 %."),
        ([0.75, 0.75], "CLIME is as accurate as Base (75.0 %)."),
        (
            [0.76, 0.78],
            "CLIME is 2.0 points above Base: 77.0 % against 75.0 %. "
            "The intervals overlap, so chance alone may explain the difference.",
        ),
    ],
)
def test_a_comparison_says_plainly_which_is_better(project, accuracies, sentence):
    base_run = make_run(project)
    base = arm_result("base", base_run, base_run)
    clime = arm_result("clime", make_run(project, accuracies), base_run)
    assert in_words(clime, base).replace("\xa0", " ") == sentence


def test_the_sampling_error_is_the_widest_that_so_many_documents_can_have(project):
    run = make_run(project)  # on ten documents
    assert arm_result("base", run, None).sampling_points == pytest.approx(30.99, abs=0.01)


# --- Pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "report.json"])
def test_only_staff_read_reports(client, project, path):
    session = make_session(project)
    client.force_login(User.objects.create_user("visitor"))
    for page in (f"sessions/{session.pk}", f"projects/{project.slug}"):
        answer = client.get(f"/reports/{page}/{path}")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/?next=/reports/")


def test_reports_of_nothing_are_not_found(manager):
    for path in ("sessions/1/", "projects/none/", "sessions/1/report.json"):
        assert manager.get(f"/reports/{path}").status_code == 404


def test_a_finished_session_shows_chart_table_and_work(manager, project):
    session = reported(make_session(project), clime=[0.55, 0.65])
    session.refined = refined(project)
    session.save()
    judge(session, 1, 0, "accept")
    page = read(manager, session)
    text = plain(page)
    assert "<svg" in page.content.decode()
    assert "CLIME is 15.0 points below Base" in text
    assert "CLIME 60.0 % 58.0 % to 62.0 % 7.1 −15.0 2" in text
    assert "sampling error of the 10 test documents" in text
    assert "1 accepted" in text
    assert "learning rate 0.001" in text
    assert "refresh" not in page.content.decode()


def test_without_labelled_target_documents_the_page_says_that_nothing_is_measured(manager):
    project = make_project()
    session = make_session(project)
    make_report(session)
    for page in (read(manager, session), read_project(manager, project)):
        text = plain(page)
        assert "no labelled target documents, so accuracy cannot be measured" in text
        assert "<svg" not in page.content.decode()
        assert "sampling error" not in text


def test_a_session_that_decided_nothing_has_nothing_to_compare(manager, project):
    text = plain(read(manager, reported(make_session(project))))
    assert "there is nothing to compare with Base" in text


def test_an_open_session_waits_for_its_annotator(manager, project):
    text = plain(read(manager, make_session(project, is_submitted=False)))
    assert "not submitted yet" in text
    assert "Classifiers are trained once the annotator submits." in text


def test_work_under_way_shows_its_progress_and_reloads(manager, project):
    session = make_session(project)
    Job.objects.create(kind="process_session", subject_id=session.pk, state="done")
    Job.objects.create(
        kind="process_session",
        subject_id=session.pk,
        state="running",
        done=30,
        total=120,
        note="refining the vectors",
    )
    for page in (read(manager, session), read_project(manager, project)):
        html = page.content.decode()
        assert '<meta http-equiv="refresh" content="5">' in html
        assert "25 %" in plain(page)
    html = read(manager, session).content.decode()
    assert 'value="25" max="100"' in html
    assert "refining the vectors" in html


def test_a_training_run_names_its_arm_and_how_many_seeds_are_done(manager, project):
    session = make_session(project)
    clime = make_run(project, [0.8], seeds=4)
    make_report(session, base=project.base_run, clime=clime)
    Job.objects.create(kind="evaluate_run", subject_id=clime.pk)
    text = plain(read(manager, session))
    assert "Training classifiers: CLIME queued" in text
    assert "1 of 4" in text


def test_a_failed_job_says_what_was_wrong_and_leads_to_the_job(manager, project):
    session = make_session(project)
    error = "artefact <b>is missing\n\nTraceback (most recent call last):\n  deep inside"
    job = Job.objects.create(
        kind="process_session", subject_id=session.pk, state="failed", error=error
    )
    page = read(manager, session)
    html = page.content.decode()
    assert "Processing the session failed. artefact <b>is missing" in plain(page)
    assert "artefact &lt;b&gt;is missing" in html
    assert "Traceback" not in html
    assert f"/admin/models_ml/job/{job.pk}/change/" in html
    assert "refresh" not in html
    assert "failed" in plain(read_project(manager, project))


def test_a_job_that_was_done_again_after_failing_is_not_shown_as_failed(manager, project):
    session = reported(make_session(project), clime=[0.8, 0.9])
    for state in ("failed", "done"):
        Job.objects.create(kind="process_session", subject_id=session.pk, state=state, error="x")
    assert "failed" not in plain(read(manager, session))


def test_a_project_that_was_not_prepared_says_what_to_do(manager, project):
    project.ranking = project.base_run = None
    project.save()
    text = plain(read_project(manager, project))
    assert "not prepared yet" in text
    assert "Base, the accuracy of the untouched vectors, is measured when" in text


def test_a_project_lists_sessions_keywords_and_gains(manager, project):
    session = reported(make_session(project, "amina", minutes=30), clime=[0.76, 0.84])
    judge(session, 1, 0, "accept")
    make_session(project, "baraka", is_submitted=False)
    text = plain(read_project(manager, project))
    assert "Base, with the untouched vectors: 75.0 % (73.0 % to 77.0 % over 2 seeds)." in text
    assert "amina submitted 1 0 30.0 80.0 % CLIME +5.0 +10.0" in text
    assert "baraka open 0 0 30.0 – – –" in text
    assert "1 hospital 1 1 0 0" in text


def test_a_script_in_a_name_or_a_word_is_shown_as_text(manager):
    hostile = "<script>alert(1)</script>"
    project = make_project(name=hostile, source_words=[hostile])
    project.test_corpus = project.pool_corpus
    project.base_run = make_run(project)
    project.save()
    session = reported(make_session(project, hostile), clime=[0.8, 0.9])
    for page in (read(manager, session), read_project(manager, project)):
        html = page.content.decode()
        assert hostile not in html
        assert "&lt;script&gt;" in html


def test_json_holds_the_figures_of_the_page(manager, project):
    session = reported(make_session(project), clime=[0.76, 0.84])
    judge(session, 1, 0, "reject")
    of_session = manager.get(f"/reports/sessions/{session.pk}/report.json").json()
    assert of_session["answers"]["rejected"] == 1
    assert of_session["arms"][1]["mean"] == pytest.approx(0.8)
    assert of_session["arms"][1]["accuracies"] == [0.76, 0.84]
    of_project = manager.get(f"/reports/projects/{project.slug}/report.json").json()
    assert of_project["sessions"] == [of_session]
    assert of_project["base"]["test_documents"] == 10


def test_programs_read_lists_and_reports(manager, project):
    session = reported(make_session(project), clime=[0.76, 0.84])
    make_session(make_project(), "baraka")
    listed = {one["slug"]: one for one in manager.get("/api/projects/").json()}
    assert len(listed) == 2
    assert listed[project.slug]["target_language"] == "Swahili"
    [one] = manager.get("/api/sessions/", {"project": project.slug}).json()
    assert (one["annotator"], one["active_minutes"]) == ("amina", 30)
    assert len(manager.get("/api/sessions/").json()) == 2
    of_page = manager.get(f"/reports/sessions/{session.pk}/report.json").json()
    assert manager.get(one["report"]).json() == of_page
    assert manager.get(listed[project.slug]["report"]).json()["sessions"] == [of_page]


def test_programs_may_only_read_and_only_as_staff(client, manager, project):
    session = make_session(project)
    paths = ("projects/", "sessions/", f"projects/{project.slug}/", f"sessions/{session.pk}/")
    for path in paths:
        assert manager.post(f"/api/{path}").status_code == 405
    manager.logout()
    for path in paths:
        assert client.get(f"/api/{path}").status_code == 403


def queries(client, address):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_reports_take_as_many_queries_for_many_sessions_as_for_one(manager, project):
    def add_session(name):
        session = reported(make_session(project, name), clime=[0.8, 0.9])
        for position in (1, 2, 3):
            judge(session, position, 0, "accept")
        Job.objects.create(kind="process_session", subject_id=session.pk, state="failed")
        return session

    session = add_session("amina")
    addresses = [f"/reports/projects/{project.slug}/", f"/reports/sessions/{session.pk}/"]
    addresses += ["/api/projects/", "/api/sessions/"]
    before = [queries(manager, address) for address in addresses]
    for n in range(5):
        add_session(f"person-{n}")
    assert [queries(manager, address) for address in addresses] == before


def test_a_reports_time_of_submission_is_the_sessions(manager, project):
    session = make_session(project)
    moment = timezone.make_aware(timezone.datetime(2026, 3, 4, 5, 6))
    Session.objects.filter(pk=session.pk).update(submitted_at=moment)
    assert "Submitted 4 March 2026, 05:06" in plain(read(manager, session))
