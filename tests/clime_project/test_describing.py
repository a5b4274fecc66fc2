"""Reports are described once, of what their people said, whatever ends first."""

import json

import pytest
from django.utils import timezone

from annotation import consensus
from annotation.models import Consensus
from clime_project import pipeline
from models_ml import describing, refining, runs
from models_ml.core import aggregation
from models_ml.core.embeddings import Side
from models_ml.core.neighbours import nearest
from models_ml.models import Job, Report, Run
from tasks.models import Project, RefineFrom
from tests.clime_project.loop import begin, do_all_jobs, judge, quiet, submit

pytestmark = pytest.mark.django_db

PEOPLE = ("amina", "baraka", "chane")


def careful(keyword, word):
    return "reject" if word in {"rain", "market", "goal", "football", "soko", "goli"} else "accept"


def one_person(project, worker_id="amina", *, number=1):
    """Return a careful person's session, processed, measured and described."""
    session = begin(project, worker_id, number)
    judge(session, careful)
    submit(session)
    do_all_jobs()
    session.refresh_from_db()
    return session


@pytest.fixture
def make_crowd(prepare):
    """Give a function that has three people answer and label, each with one label of their own."""

    def make(**fields):
        project = prepare(session_count=1, document_count=2, **fields)
        sessions = [begin(project, name) for name in PEOPLE]
        for place, session in enumerate(sessions):
            judge(session, careful)
            session.document_labels.filter(document=_document(session, place % 2)).update(label=1)
            submit(session)
        return project, sessions

    return make


def _document(session, place):
    return session.document_labels.order_by("id")[place].document


def forget(report):
    Report.objects.filter(pk=report.pk).update(findings={}, described_at=None)


def kinds(report):
    return {(test["kind"], test["arm"], test["against"]) for test in report.findings["tests"]}


def test_a_session_whose_runs_have_ended_has_its_report_described(prepare):
    session = one_person(prepare(session_count=1))
    found = session.report.findings
    assert session.report.described_at
    assert kinds(session.report) == {("paired", "clime", "base"), ("mcnemar", "clime", "base")}
    documents = session.project.test_corpus.document_count
    for arm in found["arms"]:
        assert sum(map(sum, arm["confusion"])) == pytest.approx(documents)
    movement, said = found["movement"], pipeline.constraints_of(session)
    assert movement["accepted"] == sum(pair.sign > 0 for pair in said)
    assert movement["rejected"] == sum(pair.sign < 0 for pair in said)
    assert movement["mean_change_accepted"] > 0 > movement["mean_change_rejected"]
    keywords = list(dict.fromkeys(pair.keyword for pair in said))
    assert len(found["keywords"]) == len(found["maps"]) == len(keywords)


def test_a_report_is_described_once_and_from_scratch_the_same(prepare):
    session = one_person(prepare(session_count=1))
    stored, when = session.report.findings, session.report.described_at
    pipeline.describe_report(session.report_id, quiet)
    session.report.refresh_from_db()
    assert (session.report.findings, session.report.described_at) == (stored, when)
    forget(session.report)
    runs._bench.cache_clear()
    pipeline.describe_report(session.report_id, quiet)
    session.report.refresh_from_db()
    assert json.dumps(session.report.findings) == json.dumps(stored)
    assert session.report.described_at > when


def test_a_report_with_runs_to_come_or_that_was_replaced_is_left_alone(prepare):
    session = one_person(prepare(session_count=1))
    forget(session.report)
    Run.objects.filter(pk=session.project.base_run_id).update(finished_at=None)
    pipeline.describe_report(session.report_id, quiet)
    nobodys = Report.objects.create()
    for report in (session.report, nobodys):
        pipeline.describe_report(report.pk, quiet)
        report.refresh_from_db()
        assert (report.findings, report.described_at) == ({}, None)
    pipeline.describe_report(nobodys.pk + 1000, quiet)


def test_a_report_without_runs_still_says_how_vectors_moved(prepare):
    project = prepare(session_count=1)
    Project.objects.update(test_corpus=None)
    session = one_person(project)
    found = session.report.findings
    assert not session.report.arms.exists()
    assert (found["tests"], found["arms"], found["changed_count"]) == ([], [], 0)
    assert found["movement"]["accepted"] and found["keywords"] and found["maps"]


def test_without_runs_other_answers_still_make_another_report(prepare):
    project = prepare(session_count=1)
    Project.objects.update(test_corpus=None)
    for name in PEOPLE[:2]:
        one_person(project, name)
    before = Consensus.objects.get()
    contrary = begin(project, PEOPLE[2])
    judge(contrary, lambda keyword, word: "reject")
    submit(contrary)
    do_all_jobs()
    after = Consensus.objects.get()
    assert after.refined != before.refined
    assert after.report_id != before.report_id
    assert after.report.described_at
    assert not Report.objects.filter(pk=before.report_id).exists()


@pytest.mark.parametrize("refine_from", RefineFrom.values)
def test_before_is_the_projects_vectors_in_every_session(prepare, refine_from):
    project = prepare(refine_from=refine_from)
    one_person(project)
    second = one_person(project, number=2)
    space = refining.open_space(project.embedding)
    for change in second.report.findings["keywords"]:
        ids = [space.word_id(change["keyword"], Side.SOURCE)]
        for near in change["near"]:
            (found,) = nearest(space, ids, k=describing.NEAREST, side=Side(near["side"]))
            assert [word for word, _ in near["before"]] == [
                space.word(neighbour.word_id)[1] for neighbour in found
            ]


# The consensus


def test_a_consensus_has_the_papers_tests_over_people(make_crowd):
    project, sessions = make_crowd()
    do_all_jobs()
    report = project.consensus.report
    over_people = {
        ("single_sample", "clime", "base"),
        ("paired_people", "clime", "active"),
        ("paired_people", "active_clime", "clime"),
    }
    assert over_people < kinds(report)
    assert ("paired", "clime", "base") in kinds(report)
    (alone,) = (test for test in report.findings["tests"] if test["kind"] == "single_sample")
    means = []
    for session in sessions:
        session.refresh_from_db()
        assert not over_people & kinds(session.report)
        means.append(session.report.arms.get(arm="clime").run.mean)
    base = report.arms.get(arm="base").run.mean
    assert alone["n"] == len(means) == 3
    assert alone["difference_points"] == pytest.approx(100 * (sum(means) / 3 - base), abs=1e-6)


def test_its_constraints_are_read_back_from_its_pairs_as_they_were(make_crowd):
    project, _ = make_crowd()
    do_all_jobs()
    held = Consensus.objects.get()
    ballot = consensus.collect(project)
    aggregate = aggregation.aggregate(ballot.votes, project.consensus_method)
    constraints = pipeline.constraints_of_consensus(held)
    assert constraints == pipeline.constraints_of_ballot(project, ballot, aggregate)
    movement = held.report.findings["movement"]
    assert movement["accepted"] + movement["rejected"] == len(constraints) > 0


def test_a_consensus_waits_for_the_runs_of_its_people(make_crowd):
    _, sessions = make_crowd()
    do_all_jobs()
    held = Consensus.objects.get()
    stored = held.report.findings
    forget(held.report)
    sessions[0].refresh_from_db()
    own = sessions[0].report.arms.get(arm="active").run  # with labels like nobody else's
    Run.objects.filter(pk=own.pk).update(finished_at=None)
    pipeline.describe_report(held.report_id, quiet)
    held.report.refresh_from_db()
    assert held.report.described_at is None
    Run.objects.filter(pk=own.pk).update(finished_at=timezone.now())
    pipeline.describe_report(sessions[0].report_id, quiet)
    assert Job.objects.active().get().subject_id == held.report_id
    do_all_jobs()
    held.report.refresh_from_db()
    assert held.report.findings == stored


def test_a_person_who_is_yet_to_be_processed_is_waited_for(make_crowd):
    project, sessions = make_crowd()
    do_all_jobs()
    held = Consensus.objects.get()
    forget(held.report)
    sessions[0].refresh_from_db()
    type(sessions[0]).objects.filter(pk=sessions[0].pk).update(report=None)
    assert consensus.means_of_people(project) is None
    pipeline.describe_report(held.report_id, quiet)
    held.report.refresh_from_db()
    assert held.report.described_at is None


def test_without_a_test_corpus_people_are_not_tested_against_one_base(make_crowd, monkeypatch):
    monkeypatch.setattr("clime_project.measuring.FEWEST_LABELS", 1)
    make_crowd()
    Project.objects.update(test_corpus=None)
    do_all_jobs()
    tests = Consensus.objects.get().report.findings["tests"]
    (alone,) = (test for test in tests if test["kind"] == "single_sample")
    assert alone["p_value"] is None
    assert "different documents" in alone["why_not"]
