"""The loop on a tiny project, without a broker: every stage leaves what the next one needs."""

import numpy as np
import pytest
from django.utils import timezone

from annotation.models import Annotator, Judgement, Session, Verdict
from clime_project import answers, pipeline
from models_ml import jobs, refining, runs
from models_ml.core import live
from models_ml.core.embeddings import Side
from models_ml.core.neighbours import nearest
from models_ml.core.refinement import (
    DEFAULT_METHOD,
    LEAST_STRENGTH,
    METHODS,
    RefinementConfig,
    refine,
)
from models_ml.models import Arm, Job, JobState, Report, Run
from tasks.importing import import_project
from tasks.models import LEAST_REGULARIZATION, LIVE_METHODS, Project, RefinementMethod
from tests.clime_project.loop import do_all_jobs, quiet

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unsent(monkeypatch):
    monkeypatch.setattr(jobs, "send", lambda job: None)


@pytest.fixture
def project(tiny_dataset_folder):
    project = import_project(tiny_dataset_folder, report=quiet)
    Project.objects.update(
        keyword_count=3, neighbour_count=2, seeds=2, iterations=50, method="paper"
    )
    pipeline.prepare_project(project.pk, quiet)
    project.refresh_from_db()
    return project


@pytest.fixture
def session(project):
    annotator = Annotator.objects.create(platform="direct", worker_id="amina")
    session = Session.objects.create(
        project=project, annotator=annotator, state="submitted", submitted_at=timezone.now()
    )
    keyword = project.ranking.keywords.first()
    verdicts = (Verdict.ACCEPT, Verdict.REJECT, Verdict.LEAVE)
    for neighbour, verdict in zip(keyword.neighbours.all(), verdicts, strict=False):
        Judgement.objects.create(
            session=session, keyword=keyword, word=neighbour.word, verdict=verdict, revision=1
        )
    return session


def test_a_prepared_project_is_open_and_has_hits_and_a_base_run_to_do(project):
    assert project.state == "open"
    items = project.hits.get().items.all()
    assert [item.keyword for item in items] == list(project.ranking.keywords.all())
    for keyword in project.ranking.keywords.all():
        words = [neighbour.word for neighbour in keyword.neighbours.all()]
        sides = [project.embedding.side_of(word) for word in words]
        assert sorted(sides) == ["source"] * 2 + ["target"] * 2
        assert keyword.word not in words
        assert keyword.word.occurrences.exists()
    seeds = project.base_run.results.values("pk")
    assert Job.objects.active().filter(kind="train_seed", subject_id__in=seeds).count() == 2


def test_preparing_twice_changes_nothing(project):
    hits = list(project.hits.get().items.values("keyword", "position"))
    ranking = project.ranking
    pipeline.prepare_project(project.pk, quiet)
    project.refresh_from_db()
    assert project.ranking == ranking
    assert list(project.hits.get().items.values("keyword", "position")) == hits


def test_batches_hold_every_item_once(project):
    Project.objects.update(batch_size=2)
    pipeline.prepare_project(project.pk, quiet)
    batches = [[item.keyword_id for item in hit.items.all()] for hit in project.hits.all()]
    assert [len(batch) for batch in batches] == [2, 1]
    assert [pk for batch in batches for pk in batch] == [
        keyword.pk for keyword in project.ranking.keywords.all()
    ]


def test_uncertain_documents_follow_the_keywords(project):
    Project.objects.update(document_count=2)
    pipeline.prepare_project(project.pk, quiet)
    documents = [item.document for item in project.hits.get().items.all() if item.document]
    assert len(documents) == 2
    assert {document.corpus for document in documents} == {project.pool_corpus}


def test_a_session_becomes_a_refined_embedding_and_a_report(session):
    pipeline.process_session(session.pk, quiet)
    do_all_jobs()
    session.refresh_from_db()
    arms = {arm.arm: arm.run for arm in session.report.arms.all()}
    assert set(arms) == {Arm.BASE, Arm.CLIME}
    assert arms[Arm.BASE] == session.project.base_run
    for run in arms.values():
        accuracies = [result.accuracy for result in run.results.all()]
        assert run.mean == pytest.approx(sum(accuracies) / 2)
    base = refining.open_space(session.project.embedding)
    refined = refining.open_space(session.refined)
    constraints = answers.constraints_of(session)
    assert set(refined.moved_ids) == {i for c in constraints for i in constraint_ids(c)}
    for constraint in constraints:
        assert constraint.sign * (cosine(refined, constraint) - cosine(base, constraint)) > 0


def constraint_ids(constraint):
    return constraint.keyword, constraint.neighbour


def cosine(space, constraint):
    a, b = space.gather(np.array(constraint_ids(constraint)))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_a_session_processed_twice_ends_the_same(session):
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    report = session.report
    refined, count = session.refined, Run.objects.count()
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    assert (session.refined, Run.objects.count()) == (refined, count)
    assert session.report == Report.objects.get() == report


def test_a_session_without_a_single_judgement_has_a_report_of_base_alone(session):
    session.judgements.all().delete()
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    assert session.refined is None
    assert [arm.arm for arm in session.report.arms.all()] == [Arm.BASE]


def test_document_labels_train_the_active_arms(session):
    document = session.project.pool_corpus.documents.first()
    session.document_labels.create(document=document, label=1, revision=1)
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    arms = {arm.arm: arm.run.extra_labels for arm in session.report.arms.all()}
    assert arms == {
        Arm.BASE: [],
        Arm.CLIME: [],
        Arm.ACTIVE: [[document.pk, 1]],
        Arm.ACTIVE_CLIME: [[document.pk, 1]],
    }
    do_all_jobs()


def test_each_seed_is_a_job_and_the_last_one_sums_up(session):
    run = session.project.base_run
    pipeline.evaluate_run(run.pk, quiet)
    first, second = run.results.all()
    assert Job.objects.active().filter(kind="train_seed").count() == 2
    pipeline.train_seed(second.pk, quiet)
    run.refresh_from_db()
    assert run.finished_at is None
    pipeline.train_seed(first.pk, quiet)
    run.refresh_from_db()
    accuracies = [result.accuracy for result in run.results.all()]
    assert run.mean == pytest.approx(sum(accuracies) / 2)


def test_what_a_seed_comes_to_depends_on_nothing_but_the_seed(session):
    run = session.project.base_run
    first, second = run.results.all()
    for result in (second, first):  # in another order than the other time, in a new process
        runs._bench.cache_clear()
        pipeline.train_seed(result.pk, quiet)
    then = list(run.results.values_list("accuracy", "predictions"))
    assert all(len(predictions) == 2 for _, predictions in then)
    run.results.update(accuracy=None, predictions=[])
    for result in run.results.all():
        pipeline.train_seed(result.pk, quiet)
    assert list(run.results.values_list("accuracy", "predictions")) == then


def test_trained_seeds_are_not_trained_again(session, monkeypatch):
    run = session.project.base_run
    do_all_jobs()
    run.results.filter(seed=1).update(accuracy=None)
    Run.objects.update(finished_at=None)
    trained = []
    fit = runs.fit

    def noting(*arguments, seed, **options):
        trained.append(seed)
        return fit(*arguments, seed=seed, **options)

    monkeypatch.setattr(runs, "fit", noting)
    pipeline.evaluate_run(run.pk, quiet)
    do_all_jobs()
    assert trained == [1]


def test_without_a_test_corpus_a_session_is_refined_and_nothing_is_measured(session):
    Project.objects.update(test_corpus=None)
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    assert session.refined is not None
    assert not session.report.arms.exists()


def test_the_admin_knows_the_core_s_methods_and_their_bounds():
    assert set(RefinementMethod.values) == set(METHODS)
    assert RefinementMethod(Project._meta.get_field("method").default) == DEFAULT_METHOD
    assert LEAST_REGULARIZATION == LEAST_STRENGTH
    assert set(LIVE_METHODS) == set(live.LIVE_METHODS)


def accept_everything(session):
    """Give a session's every keyword accepted words in both languages."""
    for keyword in session.project.ranking.keywords.all():
        for neighbour in keyword.neighbours.all():
            Judgement.objects.get_or_create(
                session=session,
                keyword=keyword,
                word=neighbour.word,
                defaults={"verdict": Verdict.ACCEPT, "revision": 1},
            )


def test_a_realigned_session_says_why_and_stands_beside_what_needs_nobody(session):
    Project.objects.update(method="realign")
    accept_everything(session)
    session.refresh_from_db()
    pipeline.process_session(session.pk, quiet)
    do_all_jobs()
    session.refresh_from_db()
    arms = {arm.arm: arm.run for arm in session.report.arms.all()}
    assert set(arms) == {Arm.BASE, Arm.ALIGNED, Arm.CLIME}
    assert all(run.mean is not None for run in arms.values())
    evidence = session.refined.config["evidence"]
    assert evidence["pairs"] > evidence["keywords"] >= 2
    space = refining.open_space(session.refined)
    assert (space.target_map is not None) == (evidence["stiffness"] is not None)
    again = refining.turn_by_anchors(session.project.embedding, report=quiet)
    assert again == arms[Arm.ALIGNED].embedding
    turned = refining.open_space(again).target_map
    np.testing.assert_allclose(turned @ turned.T, np.eye(len(turned)), atol=1e-5)


def test_code_switched_documents_are_trained_on(session, monkeypatch):
    Project.objects.update(method="code_switch")
    accept_everything(session)
    session.refresh_from_db()
    pipeline.process_session(session.pk, quiet)
    session.refresh_from_db()
    assert refining.open_space(session.refined).moved_ids.size == 0
    assert len(refining.open_switches(session.refined)) > 0
    sizes = set()
    fit = runs.fit

    def noting(corpus, **options):
        sizes.add(len(corpus))
        return fit(corpus, **options)

    monkeypatch.setattr(runs, "fit", noting)
    do_all_jobs()
    plain = session.project.train_corpus.document_count
    assert min(sizes) == plain
    assert plain < max(sizes) <= 3 * plain


# --- While a session is open ---------------------------------------------------------------------


@pytest.fixture
def live_session(session):
    """A session that is open, whose first keyword has a word of each language judged."""
    Project.objects.update(live=True, method="spectral")
    Session.objects.update(state="open", submitted_at=None)
    return Session.objects.get()


def shown_by_keyword(session):
    """Return the session's own neighbours of each keyword: words in the order of the page."""
    rows = session.neighbours.order_by("position", "id").select_related("keyword__word")
    shown = {}
    for row in rows:
        shown.setdefault(row.keyword, []).append(row.word)
    return shown


def test_keywords_to_come_have_the_neighbours_of_the_current_vectors(live_session):
    pipeline.update_neighbours(live_session.pk, quiet)
    project = live_session.project
    remaining = project.ranking.keywords.all()[1:]  # of the first, something is said
    assert set(shown_by_keyword(live_session)) == set(remaining)
    base = refining.open_space(project.embedding)
    constraints = answers.constraints_of(live_session)
    current = refine(base, constraints, config=RefinementConfig("spectral")).embedding
    for keyword in remaining:
        rows = live_session.neighbours.filter(keyword=keyword).select_related("word")
        for side in Side:
            here = [r for r in rows if project.embedding.side_of(r.word) == side]
            here.sort(key=lambda row: row.position)
            (wanted,) = nearest(
                current, [refining.word_id(project.embedding, keyword.word)], k=2, side=side
            )
            ids = [refining.word_id(project.embedding, row.word) for row in here]
            assert [row.position for row in here] == [1, 2]
            assert ids == [n.word_id for n in wanted]
            assert [r.cosine for r in here] == pytest.approx([n.cosine for n in wanted], abs=1e-6)


def test_neighbours_follow_a_changed_mind_in_a_worker_that_knew_the_first(live_session):
    pipeline.update_neighbours(live_session.pk, quiet)
    first = list(live_session.neighbours.order_by("pk").values_list("keyword", "word", "cosine"))
    Judgement.objects.filter(verdict=Verdict.ACCEPT).update(verdict=Verdict.REJECT)
    warm = update_and_read(live_session)
    refining._live_refinement.cache_clear()
    refining._live_space.cache_clear()
    assert update_and_read(live_session) == warm
    Judgement.objects.update(verdict=Verdict.LEAVE)
    assert update_and_read(live_session) != first


def update_and_read(session):
    pipeline.update_neighbours(session.pk, quiet)
    return list(session.neighbours.order_by("pk").values_list("keyword", "word", "cosine"))


def test_what_was_opened_or_judged_stays_as_it_was(live_session):
    pipeline.update_neighbours(live_session.pk, quiet)
    _, opened, judged = live_session.project.ranking.keywords.all()
    live_session.opened_keywords.create(keyword=opened)
    word = judged.neighbours.first().word
    live_session.judgements.create(keyword=judged, word=word, verdict="reject", revision=1)
    before = list(live_session.neighbours.order_by("pk").values())
    pipeline.update_neighbours(live_session.pk, quiet)
    assert list(live_session.neighbours.order_by("pk").values()) == before


def test_an_update_that_comes_twice_ends_the_same(live_session):
    before = update_and_read(live_session)
    assert before
    assert update_and_read(live_session) == before


@pytest.mark.parametrize("change", ["submitted", "not live", "nothing said"])
def test_an_update_that_comes_too_late_or_for_nothing_stores_nothing(live_session, change):
    if change == "submitted":
        Session.objects.update(state="submitted", submitted_at=timezone.now())
    elif change == "not live":
        Project.objects.update(live=False)
    else:
        live_session.judgements.all().delete()
    assert update_and_read(live_session) == []


def test_an_answer_that_comes_during_an_update_is_seen_by_it(live_session, monkeypatch):
    keyword = live_session.project.ranking.keywords.first()
    word = live_session.project.embedding.target.words.last()
    seen = []
    find = refining.live_neighbours

    def answering(embedding, constraints, **options):
        seen.append(len(constraints))
        if len(seen) == 1:
            live_session.judgements.create(keyword=keyword, word=word, verdict="accept", revision=1)
        return find(embedding, constraints, **options)

    monkeypatch.setattr(refining, "live_neighbours", answering)
    pipeline.update_neighbours(live_session.pk, quiet)
    assert seen == [2, 3]


def test_of_many_updates_one_job_is_kept(live_session):
    for _ in range(3):
        job = jobs.enqueue("update_neighbours", live_session.pk)
        assert jobs.run(job.pk, pipeline.HANDLERS)
    kept = Job.objects.about("update_neighbours", live_session.pk).get()
    assert (kept.pk, kept.state) == (job.pk, JobState.DONE)


@pytest.mark.parametrize("method", LIVE_METHODS)
def test_every_live_method_gives_neighbours(live_session, method):
    Project.objects.update(method=method)
    pipeline.update_neighbours(live_session.pk, quiet)
    assert len(shown_by_keyword(live_session)) == 2
