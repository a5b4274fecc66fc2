"""The consensus: one embedding of what all say, refreshed when sessions arrive."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import consensus
from annotation.models import Consensus, Session
from clime_project import measuring, pipeline
from models_ml import jobs, refining
from models_ml.models import Arm, Job, JobState, Report, Run, SeedResult
from tests.clime_project.loop import begin, do_all_jobs, judge, quiet, submit

pytestmark = pytest.mark.django_db


def careful(keyword, word):
    return "reject" if word in {"rain", "market", "goal", "football", "soko", "goli"} else "accept"


def contrary(keyword, word):
    return "accept" if careful(keyword, word) == "reject" else "reject"


@pytest.fixture
def project(prepare):
    return prepare(session_count=1)


@pytest.fixture
def crowd(project):
    """Three careful people and one who answers the opposite, processed together."""
    sessions = [begin(project, name) for name in ("amina", "baraka", "chane", "dalmar")]
    for session in sessions:
        judge(session, contrary if session is sessions[-1] else careful)
        submit(session)
    do_all_jobs()
    return sessions


def signs(project):
    return {
        (pair.keyword.text, pair.word.text): pair.posterior > 0.5
        for pair in project.consensus.pairs.select_related("keyword", "word")
    }


def test_the_majority_of_the_careful_decides_and_the_contrary_one_weighs_least(crowd, project):
    assert all(
        accepted == (careful(keyword, word) == "accept")
        for (keyword, word), accepted in signs(project).items()
    )
    members = list(project.consensus.members.select_related("annotator"))
    assert members[-1].annotator.worker_id == "dalmar"
    assert members[-1].reliability < 0.5 < members[-2].reliability
    assert (members[0].agreement, members[-1].agreement) == (1.0, 0.0)
    assert all(pair.is_conflict for pair in project.consensus.pairs.all())


def test_its_embedding_is_made_of_weighted_constraints_and_has_a_report(crowd, project):
    held = project.consensus
    assert {arm.arm for arm in held.report.arms.all()} == {Arm.BASE, Arm.CLIME}
    assert all(arm.run.mean is not None for arm in held.report.arms.all())
    ballot = consensus.collect(project)
    assert ballot.votes.annotators == 4
    moved = set(refining.open_space(held.refined).moved_ids)
    assert len(moved) == len({word for pair in ballot.pairs for word in pair})


def test_a_session_left_out_changes_the_consensus_and_back(crowd, project):
    before = project.consensus.refined
    Session.objects.filter(pk__in=[crowd[0].pk, crowd[1].pk]).update(excluded_at=timezone.now())
    pipeline.refresh_consensus(project.pk, quiet)
    held = Consensus.objects.get()
    assert {member.annotator.worker_id for member in held.members.all()} == {"chane", "dalmar"}
    assert held.refined != before
    Session.objects.update(excluded_at=None)
    pipeline.refresh_consensus(project.pk, quiet)
    assert Consensus.objects.get().refined == before


def test_the_same_answers_leave_the_consensus_as_it_is(crowd, project):
    held, reports = project.consensus, Report.objects.count()
    pipeline.refresh_consensus(project.pk, quiet)
    again = Consensus.objects.get()
    assert (again.refined, again.report) == (held.refined, held.report)
    assert Report.objects.count() == reports


def test_one_person_is_no_consensus(project):
    session = begin(project)
    judge(session)
    submit(session)
    do_all_jobs()
    assert not Consensus.objects.exists()


def test_with_too_few_people_left_the_consensus_ends(crowd, project):
    Session.objects.exclude(pk=crowd[0].pk).update(excluded_at=timezone.now())
    pipeline.refresh_consensus(project.pk, quiet)
    assert not Consensus.objects.exists()
    assert Report.objects.count() == len(crowd)


def test_sessions_that_arrive_together_are_one_refresh(project, monkeypatch):
    sent = []
    monkeypatch.setattr(jobs, "send", lambda job: sent.append(job.kind))
    for name in ("amina", "baraka"):
        session = begin(project, name)
        judge(session)
        submit(session)
        pipeline.process_session(session.pk, quiet)
    waiting = Job.objects.get(kind="refresh_consensus")
    assert waiting.not_before > timezone.now() + timedelta(seconds=50)
    jobs.sweep()
    assert "refresh_consensus" not in sent


@pytest.mark.parametrize("method", ["majority", "weighted", "one_coin", "dawid_skene", "mace"])
def test_every_method_of_a_project_makes_a_consensus(crowd, project, method):
    type(project).objects.update(consensus_method=method)
    pipeline.refresh_consensus(project.pk, quiet)
    held = Consensus.objects.get()
    assert held.method == method
    assert all(0 <= pair.posterior <= 1 for pair in held.pairs.all())


def test_labels_on_which_most_agree_train_the_consensus(prepare):
    project = prepare(session_count=1, document_count=2)
    sessions = [begin(project, name) for name in ("amina", "baraka", "chane")]
    for session in sessions:
        judge(session, careful)
    wrong = sessions[0].document_labels.order_by("id").first()
    sessions[0].document_labels.filter(pk=wrong.pk).update(label=1 - wrong.label)
    for session in sessions:
        submit(session)
    do_all_jobs()
    truth = {d.pk: d.label for d in project.pool_corpus.documents.all()}
    labels = consensus.agreed_labels(project)
    assert labels == sorted((pk, truth[pk]) for pk, _ in labels)
    assert len(labels) == 2
    arms = {arm.arm: arm.run for arm in project.consensus.report.arms.all()}
    assert arms[Arm.ACTIVE_CLIME].extra_labels == [list(label) for label in labels]


def test_a_tie_on_a_document_leaves_it_out(prepare):
    project = prepare(session_count=1, document_count=1)
    for name, flip in (("amina", 0), ("baraka", 1)):
        session = begin(project, name)
        judge(session, careful)
        given = session.document_labels.get()
        session.document_labels.update(label=abs(given.label - flip))
        submit(session)
    assert consensus.agreed_labels(project) == []


def test_a_consensus_that_was_replaced_is_not_trained_for_any_longer(prepare):
    project = prepare(session_count=1)
    for name in ("amina", "baraka", "chane"):
        session = begin(project, name)
        judge(session, careful)
        submit(session)
        pipeline.process_session(session.pk, quiet)
        pipeline.refresh_consensus(project.pk, quiet)
    wanted = {arm.run_id for report in Report.objects.all() for arm in report.arms.all()}
    assert set(Run.objects.values_list("pk", flat=True)) == wanted
    queued = Job.objects.active().filter(kind="train_seed").values_list("subject_id", flat=True)
    assert SeedResult.objects.filter(run__in=wanted, pk__in=queued).count() == len(queued)
    cancelled = Job.objects.filter(kind="train_seed", state=JobState.CANCELLED)
    assert cancelled.exists()  # the consensus of two people, before the third came
    do_all_jobs()
    assert not Run.objects.unfinished().exists()


def test_a_seed_that_ends_after_nobody_wants_it_harms_nothing(crowd, project):
    run = project.consensus.report.arms.get(arm=Arm.CLIME).run
    seed = run.results.first()
    run.results.update(accuracy=None)
    Run.objects.filter(pk=run.pk).update(finished_at=None)

    def train_while_it_is_replaced(pk, progress):
        measuring.forget_report(replaced())
        measuring.finish_run(run.pk)

    def replaced():
        report = project.consensus.report
        Consensus.objects.update(report=None)
        return report

    job = jobs.enqueue("train_seed", seed.pk)
    assert not jobs.run(job.pk, {"train_seed": train_while_it_is_replaced})
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    assert not Run.objects.filter(pk=run.pk).exists()
