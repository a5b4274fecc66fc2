"""What report pages show once results are described, and while they are not."""

import csv
from io import StringIO

import pytest
from django.contrib.auth.models import User

from annotation.models import DocumentLabel, PolicyDecision, Session
from annotation.reporting.projects import project_report
from annotation.reporting.sessions import session_report
from models_ml.models import Job, Run, SeedResult
from models_ml.results import FEWEST_LABELS
from tests.annotation.test_reports import plain, queries, read, read_project
from tests.factories import (
    make_consensus,
    make_corpus,
    make_curve,
    make_findings,
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
    project = make_project(overlap=50, hourly_pay=12)
    texts = [f"maandishi namba {n}" for n in range(10)]
    project.test_corpus = make_corpus(project.embedding.target, texts, labels=[0, 1] * 5)
    project.base_run = make_run(project, [0.7, 0.8])
    project.save()
    return project


def measured(session, **arms):
    """Give a session finished arms beside Base."""
    project = session.project
    runs = {arm: make_run(project, accuracies) for arm, accuracies in arms.items()}
    make_report(session, base=project.base_run, **runs)
    return session


def described(session, **arms):
    session = measured(session, **(arms or {"clime": [0.76, 0.84]}))
    make_findings(session.report)
    return session


def read_annotator(client, session):
    address = f"/reports/projects/{session.project.slug}/annotators/{session.annotator_id}/"
    return client.get(address)


# --- A session -------------------------------------------------------------------------------


def test_tests_are_told_in_plain_words(manager, project):
    text = plain(read(manager, described(make_session(project))))
    assert (
        "CLIME is 5.0 points above Base: 80.0 % against 75.0 %. "
        "Paired t-test over 10 seeds: p = 0.003, more than chance." in text
    )
    assert (
        "CLIME is 5.0 points above Base McNemar’s test on the same 200 documents, by what most "
        "seeds say p = 0.210 chance alone may explain it" in text
    )


def test_overlapping_intervals_are_not_called_chance_where_a_test_says_otherwise(manager, project):
    session = measured(make_session(project), clime=[0.76, 0.78])
    hint = "The intervals overlap, so chance alone may explain the difference."
    assert hint in plain(read(manager, session))
    make_findings(session.report)
    assert hint not in plain(read(manager, session))


def test_confusions_have_the_names_of_the_categories(manager, project):
    text = plain(read(manager, described(make_session(project))))
    assert "macro-F1 80.2 %" in text
    assert "True category said Other said Emergency Documents" in text
    assert "Other 80.5 19.5 100 80.1 % 80.5 % 80.3 %" in text
    assert "CLIME 80.0 % 78.0 % to 82.0 % 5.7 +5.0 80.2 % 2" in text  # with macro-F1


def test_what_moved_is_summed_up_and_what_went_against_the_wish_listed(manager, project):
    text = plain(read(manager, described(make_session(project))))
    assert "The 12 accepted words moved closer to their keywords: cosine +0.250 on average." in text
    assert "The one rejected word moved away from their keywords: cosine −0.125" in text
    assert "nurse maji accepted 0.600 0.580" in text


def test_a_word_that_is_new_among_the_neighbours_stands_out(manager, project):
    html = read(manager, described(make_session(project))).content.decode()
    assert "<b><bdi>muuguzi</bdi></b> <span" in html
    assert "<b><bdi>maji</bdi></b> <span" not in html


def test_maps_are_drawn_with_their_words_in_a_table(manager, project):
    page = read(manager, described(make_session(project)))
    assert "Neighbourhood of nurse before and after" in page.content.decode()
    assert "muuguzi Swahili accepted 4.0, 3.0 0.5, 0.5" in plain(page)


def test_changed_documents_show_the_words_that_did_it(manager, project):
    text = plain(read(manager, described(make_session(project))))
    assert "7 documents got another category from most CLIME classifiers" in text
    assert "here is the clearest." in text
    assert "Other → Emergency ✓ which is right document 3 muuguzi alitoa dawa" in text
    assert "muuguzi +2.5, dawa +0.4 (log-odds)" in text


def test_the_curve_ends_at_clime_and_says_where_more_did_not_help(manager, project):
    session = measured(make_session(project), clime=[0.76, 0.84])
    make_curve(session.report, k10=make_run(project, [0.77, 0.79]))
    make_findings(session.report)
    page = read(manager, session)
    assert "After 10 keywords, more did not help measurably." in plain(page)
    assert "10 78.0 % 76.0 % to 80.0 % 2" in plain(page)
    assert "Accuracy against the number of keywords" in page.content.decode()


def test_an_hour_and_a_unit_of_pay_are_weighed_against_what_costs_nobody_an_hour(project):
    session = make_session(project, minutes=30)
    arms = {"aligned": [0.77, 0.79], "clime": [0.80, 0.84], "active_clime": [0.83, 0.87]}
    worth = session_report(measured(session, **arms)).worth
    assert (worth.arm, worth.hours, worth.cost, worth.currency) == ("A+C", 0.5, 6, "USD")
    assert worth.above_base.points == pytest.approx(10)
    assert worth.above_base.points_per_hour == pytest.approx(20)
    assert worth.above_base.points_per_unit == pytest.approx(10 / 6)
    assert worth.above_aligned.points == pytest.approx(7)
    assert worth.above_aligned.points_per_hour == pytest.approx(14)


def test_a_later_session_is_weighed_against_all_hours_up_to_it(project):
    first = make_session(project, minutes=30)
    later = {
        n: Session.objects.create(
            project=project,
            annotator=first.annotator,
            number=n,
            active_seconds=1800 * n,
        )
        for n in (2, 3)
    }
    make_session(project, "baraka", minutes=600)
    Session.objects.filter(pk=later[2].pk).update(
        state="submitted", submitted_at=first.submitted_at
    )
    assert session_report(later[2]).worth.hours == pytest.approx(0.5 + 1)
    assert session_report(later[3]).worth.hours == pytest.approx(0.5 + 1 + 1.5)
    assert session_report(first).worth.hours == pytest.approx(0.5)


def test_without_pay_the_page_says_how_to_see_points_per_money(manager, project):
    project.hourly_pay = None
    project.save()
    session = described(make_session(project))
    assert session_report(session).worth.cost is None
    assert "name an hour’s pay in the project’s settings" in plain(read(manager, session))


def test_decisions_of_an_adaptive_session_are_listed_with_their_reasons(manager, project):
    session = make_session(project)
    for block, kind in ((2, "document"), (1, "keyword")):
        PolicyDecision.objects.create(
            session=session, block=block, kind=kind, reason=f"reason {block}", evidence={"seed": 1}
        )
    text = plain(read(manager, session))
    assert "keywords reason 1 documents reason 2" in text


# --- No labelled test documents --------------------------------------------------------------


def with_labels(count):
    """Return a session whose annotator labelled so many documents, in a project with no test."""
    session = make_session(make_project(keywords=3, documents=12))
    documents = session.project.pool_corpus.documents.all()[:count]
    for document in documents:
        DocumentLabel.objects.create(session=session, document=document, label=1, revision=1)
    return session


def estimated(session, accuracies):
    run = make_run(session.project, accuracies)
    labels = [[n, n % 2] for n in range(12)]
    Run.objects.filter(pk=run.pk).update(test_corpus=None, test_labels=labels)
    return Run.objects.get(pk=run.pk)


def test_an_estimate_is_named_as_such_with_what_it_is_made_of(manager):
    session = with_labels(12)
    runs = {"base": estimated(session, [0.5, 0.6]), "active": estimated(session, [0.6, 0.7])}
    make_report(session, **runs)
    text = plain(read(manager, session))
    assert "no labelled target documents, so accuracy cannot be measured" in text
    assert "Estimated accuracy" in text
    assert "an estimate from the 12 documents that this person labelled" in text
    assert "Active and A+C, which learn from them, are cross-validated" in text
    assert "likely lower than on documents drawn at random" in text
    assert "Active is 10.0 points above Base" in text
    assert "the 12 labelled documents" in text


@pytest.mark.parametrize("labelled", [0, 1, FEWEST_LABELS - 1])
def test_too_few_labels_measure_nothing_and_the_page_says_what_to_do(manager, labelled):
    text = plain(read(manager, with_labels(labelled)))
    assert f"needs at least 10 and there {'is' if labelled == 1 else 'are'} {labelled}:" in text
    assert "nothing can be measured. Let sessions of this project ask about more documents" in text


def test_labels_of_earlier_sessions_count_and_those_of_others_do_not():
    session = with_labels(3)
    later = Session.objects.create(
        project=session.project, annotator=session.annotator, number=2, consented_at=None
    )
    documents = session.project.pool_corpus.documents.all()
    for document in documents[2:5]:  # one of them once more
        DocumentLabel.objects.create(session=later, document=document, label=0, revision=1)
    assert session_report(session).labels == 3
    assert session_report(later).labels == 5


# --- Under way -------------------------------------------------------------------------------


def half_trained(session, trained, of=10):
    """Give a session a CLIME run with some seeds trained, and return the other seeds' rows."""
    run = make_run(session.project, [0.8] * trained, seeds=of)
    rest = [SeedResult.objects.create(run=run, seed=seed) for seed in range(trained, of)]
    make_report(session, base=session.project.base_run, clime=run)
    return rest


def test_seeds_of_an_arm_are_shown_as_one_job(manager, project):
    session = make_session(project)
    for seed in half_trained(session, 7):
        Job.objects.create(kind="train_seed", subject_id=seed.pk)
    report = session_report(session)
    [job] = report.jobs
    assert (job.title, job.note, job.percent) == (
        "Training classifiers: CLIME",
        "7 of 10 seeds",
        70,
    )
    assert report.is_under_way
    assert "7 of 10 seeds" in plain(read(manager, session))


def test_many_accuracies_that_are_trained_are_shown_as_one_bar(manager, project):
    session = make_session(project)
    runs = [make_run(project, (0.8,) * trained, seeds=4) for trained in (1, 3)]
    make_report(session, base=session.project.base_run, clime=runs[0], active=runs[1])
    for run, trained in zip(runs, (1, 3), strict=True):
        for seed in range(trained, 4):
            row = SeedResult.objects.create(run=run, seed=seed)
            Job.objects.create(kind="train_seed", subject_id=row.pk)
    [job] = session_report(session).jobs
    assert (job.title, job.percent) == ("Training classifiers", 50)
    assert job.note == "4 of 8 seeds of 2 accuracies"


def test_a_seed_that_failed_is_shown_with_its_arm_and_leads_to_its_job(manager, project):
    session = make_session(project)
    failing, *others = half_trained(session, 7)
    for seed in others:
        Job.objects.create(kind="train_seed", subject_id=seed.pk, state="running")
    job = Job.objects.create(
        kind="train_seed", subject_id=failing.pk, state="failed", error="out of memory\n\nTrace"
    )
    page = read(manager, session)
    assert "Training classifiers: CLIME failed. out of memory" in plain(page)
    assert f"/admin/models_ml/job/{job.pk}/change/" in page.content.decode()
    Job.objects.create(kind="train_seed", subject_id=failing.pk)  # tried again
    assert not any(job.is_failed for job in session_report(session).jobs)


def test_a_report_that_is_being_described_says_so_until_it_is(manager, project):
    session = measured(make_session(project), clime=[0.8, 0.9])
    Job.objects.create(kind="describe_report", subject_id=session.report_id)
    assert session_report(session).is_under_way
    said = "appear here once all classifiers are trained and the results are described"
    assert said in plain(read(manager, session))
    make_findings(session.report)
    Job.objects.update(state="done")
    assert not session_report(session).is_under_way
    assert said not in plain(read(manager, session))


# --- A person --------------------------------------------------------------------------------


def test_a_person_is_followed_over_their_sessions(manager, project):
    first = measured(make_session(project, minutes=30), clime=[0.76, 0.84])
    second = Session.objects.create(
        project=project,
        annotator=first.annotator,
        number=2,
        active_seconds=3600,
        state="submitted",
        submitted_at=first.submitted_at,
    )
    measured(second, clime=[0.84, 0.86])
    make_consensus(project, ["amina", "baraka"])
    page = read_annotator(manager, first)
    text = plain(page)
    assert "Accuracy of amina by session" in page.content.decode()
    assert "After session 2, CLIME is at 85.0 %, +10.0 points from Base." in text
    assert "hours of work 1.50" in text
    assert "USD of pay 18.00" in text
    assert "of 40 votes shared by the consensus 80.0 %" in text
    assert f'href="/reports/sessions/{second.pk}/"' in page.content.decode()


def test_a_person_without_results_has_a_page(manager, project):
    text = plain(read_annotator(manager, make_session(project, is_submitted=False)))
    assert "No session of this person has been measured yet." in text
    assert "not part of a consensus" in text


def test_a_person_of_another_project_has_no_page_in_this_one(manager, project):
    other = make_session(make_project())
    assert (
        manager.get(
            f"/reports/projects/{project.slug}/annotators/{other.annotator_id}/"
        ).status_code
        == 404
    )


# --- A project -------------------------------------------------------------------------------


def test_a_consensus_is_shown_with_its_members_and_conflicts(manager, project):
    measured(make_session(project, "amina"), clime=[0.80, 0.84])
    measured(make_session(project, "baraka"), clime=[0.84, 0.88])
    consensus = make_consensus(
        project,
        ["amina", "baraka"],
        pairs=[
            ("nurse", "dawa", 3, 1, 0.9),
            ("nurse", "soko", 2, 2, 0.5),
            ("fever", "maji", 1, 3, 0.2),
            ("fever", "homa", 4, 0, 0.99),
        ],
        base=project.base_run,
        clime=make_run(project, [0.88, 0.92]),
    )
    make_findings(consensus.report)
    text = plain(read_project(manager, project))
    assert "CLIME is 15.0 points above Base: 90.0 % against 75.0 %." in text
    assert "amina 40 90.0 % 80.0 % 82.0 %" in text
    assert "baraka 40 85.0 % 80.0 % 86.0 %" in text
    assert "Of 4 judged pairs, 3 were accepted by some and rejected by others." in text
    assert (
        "nurse soko 2 2 left out 50.0 % fever maji 1 3 rejected 80.0 % nurse dawa 3 1 accepted"
        in text
    )
    assert "CLIME 2 84.0 % 58.6 % to 100.0 % +9.0" in text  # 12.7 times 2 points, cut at 100


def test_a_person_counts_once_and_an_excluded_session_not_at_all(project):
    first = measured(make_session(project, "amina"), clime=[0.7, 0.7])
    again = Session.objects.create(
        project=project,
        annotator=first.annotator,
        number=2,
        state="submitted",
        submitted_at=first.submitted_at,
    )
    measured(again, clime=[0.9, 0.9])
    careless = measured(make_session(project, "baraka"), clime=[0.1, 0.1])
    Session.objects.filter(pk=careless.pk).update(excluded_at=first.submitted_at)
    [clime] = project_report(project).people
    assert (clime.label, clime.people, clime.mean) == ("CLIME", 1, pytest.approx(0.9))
    assert (clime.low, clime.high) == (None, None)


def test_results_lead_to_the_page_that_shows_them(manager, project):
    session = measured(make_session(project), clime=[0.8, 0.9])
    consensus = make_consensus(project, ["amina"], base=project.base_run)
    of_session = manager.get(f"/reports/results/{session.report_id}/")
    assert of_session["Location"] == f"/reports/sessions/{session.pk}/"
    of_consensus = manager.get(f"/reports/results/{consensus.report_id}/")
    assert of_consensus["Location"] == f"/reports/projects/{project.slug}/"


# --- For programs, and many sessions ---------------------------------------------------------


def test_json_csv_and_interface_say_the_same_of_a_person(manager, project):
    session = described(make_session(project))
    address = f"projects/{project.slug}/annotators/{session.annotator_id}/"
    data = manager.get(f"/reports/{address}report.json").json()
    assert data["sessions"][0]["arms"][1]["mean"] == pytest.approx(0.8)
    assert manager.get(f"/api/{address}").json() == data


@pytest.mark.parametrize("page", ["sessions/{0}", "projects/{1}", "projects/{1}/annotators/{2}"])
def test_every_report_is_a_table_too(manager, project, page):
    session = described(make_session(project, "=cmd()"))
    path = page.format(session.pk, project.slug, session.annotator_id)
    answer = manager.get(f"/reports/{path}/report.csv")
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    table = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
    values = {row["value"] for row in table}
    assert "'=cmd()" in values
    assert not any(cell.startswith("=") for row in table for cell in row.values())
    means = {row["column"]: row["value"] for row in table if "mean" in row["column"]}
    assert str(0.8) in [f"{float(value):g}" for value in means.values() if value]


def test_a_sessions_table_holds_its_findings(manager, project):
    session = described(make_session(project))
    answer = manager.get(f"/reports/sessions/{session.pk}/report.csv")
    rows = {tuple(row) for row in csv.reader(StringIO(answer.content.decode("utf-8-sig")))}
    assert ("findings.tests", "clime base paired", "p_value", "0.003") in rows
    assert ("findings.movement.against", "nurse maji", "cosine_after", "0.58") in rows
    assert ("findings", "", "curve_end", "10") in rows


def test_a_projects_report_leaves_the_findings_to_the_sessions_own(manager, project):
    session = described(make_session(project))
    [listed] = manager.get(f"/reports/projects/{project.slug}/report.json").json()["sessions"]
    whole = manager.get(f"/reports/sessions/{session.pk}/report.json").json()
    assert listed["findings"] == {}
    assert whole["findings"]["movement"]["accepted"] == 12
    assert listed["arms"] == whole["arms"]  # with macro F1
    assert whole["arms"][1]["macro_f1"] == pytest.approx(0.8021)


def test_only_staff_read_a_persons_report(client, project):
    session = make_session(project)
    client.force_login(User.objects.create_user("visitor"))
    for name in ("", "report.json", "report.csv"):
        path = f"/reports/projects/{project.slug}/annotators/{session.annotator_id}/{name}"
        assert client.get(path).status_code == 302
    assert client.get(f"/reports/results/{session.pk}/").status_code == 302


def test_reports_take_as_many_queries_for_six_sessions_as_for_two(manager, project):
    def add_session(name):
        session = make_session(project, name)
        seeds = half_trained(session, 1, of=3)
        Job.objects.create(kind="train_seed", subject_id=seeds[0].pk, state="failed", error="no")
        Job.objects.create(kind="train_seed", subject_id=seeds[1].pk)
        make_curve(session.report, k10=make_run(project, [0.7, 0.8]))
        make_findings(session.report)
        return session

    first = add_session("amina")
    add_session("person-0")
    consensus = make_consensus(
        project, ["amina", "person-0"], pairs=[("nurse", "soko", 1, 1, 0.5)], base=project.base_run
    )
    make_findings(consensus.report)
    paths = [
        f"/reports/projects/{project.slug}/",
        f"/reports/projects/{project.slug}/report.csv",
        f"/reports/projects/{project.slug}/annotators/{first.annotator_id}/",
        f"/reports/sessions/{first.pk}/",
    ]
    before = [queries(manager, path) for path in paths]
    for n in range(1, 5):
        add_session(f"person-{n}")
    assert [queries(manager, path) for path in paths] == before
