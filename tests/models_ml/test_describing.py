"""What a report's runs and vectors say: figures worked by hand, and words that did it."""

import numpy as np
import pytest

from models_ml import comparing, describing, refining, runs
from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.core.embeddings import Side
from models_ml.core.findings import ClassFigures, Findings, Test
from models_ml.core.refinement import RefinementConfig
from models_ml.core.training import predict
from models_ml.models import Arm, CurvePoint, Report, ReportArm
from tasks.importing import import_project

pytestmark = pytest.mark.django_db

SPECTRAL = RefinementConfig(method="spectral")


def quiet(note, done, total):
    pass


@pytest.fixture
def project(tiny_dataset_folder):
    return import_project(tiny_dataset_folder, report=quiet)


@pytest.fixture
def space(project):
    return refining.open_space(project.embedding)


def define(project, embedding, *, seeds, **fields):
    return runs.define_run(
        embedding,
        train_corpus=project.train_corpus,
        classifier="dan",
        classes=2,
        seeds=seeds,
        scale_free=True,
        **{"test_corpus": project.test_corpus} | fields,
    )


def predicted(project, embedding, *predictions, **fields):
    """Return a finished run whose seeds predicted these labels of the two documents, 1 and 0."""
    run = define(project, embedding, seeds=len(predictions), **fields)
    for result, labels in zip(run.results.order_by("seed"), predictions, strict=True):
        result.accuracy = float(np.mean(np.array(labels) == [1, 0]))
        result.predictions = labels
        result.save()
    assert runs.finish_run(run.pk)
    return run


def trained(project, embedding, *, seeds=3):
    run = define(project, embedding, seeds=seeds)
    for result in run.results.all():
        runs.train_seed(result, report=quiet)
    assert runs.finish_run(run.pk)
    return run


def report_of(**arms):
    report = Report.objects.create()
    for arm, run in arms.items():
        ReportArm.objects.create(report=report, arm=arm, run=run)
    return report


def said(space, *pairs):
    """Return constraints: ("doctor", "target", "soko", -1), …"""
    return [
        Constraint(space.word_id(keyword, Side.SOURCE), space.word_id(word, Side(side)), sign)
        for keyword, side, word, sign in pairs
    ]


def refined_by(project, constraints):
    return refining.refine_embedding(project.embedding, constraints, config=SPECTRAL, report=quiet)


def describe(project, report, *, refined=None, constraints=(), **options):
    return describing.describe(
        report,
        base=project.embedding,
        refined=refined,
        constraints=constraints,
        progress=quiet,
        **options,
    )


@pytest.fixture
def judged(space):
    return said(
        space,
        ("doctor", "target", "daktari", ACCEPTED),
        ("doctor", "source", "hospital", ACCEPTED),
        ("doctor", "target", "dawa", REJECTED),
        ("rain", "target", "mvua", ACCEPTED),
        ("rain", "source", "market", REJECTED),
    )


# Tests and figures of arms


@pytest.fixture
def by_hand(project, judged):
    """Base, right once with each seed; CLIME, right twice, twice and once."""
    base = predicted(project, project.embedding, [1, 1], [1, 1], [0, 0])
    clime = predicted(project, refined_by(project, judged), [1, 0], [1, 0], [1, 1])
    return report_of(clime=clime, base=base)


def test_arms_are_tested_over_seeds_and_over_documents(project, by_hand):
    over_seeds, over_documents = describe(project, by_hand).tests
    # The differences are 1/2, 1/2 and 0: mean 1/3, standard error 1/6. With two degrees of
    # freedom, p = 1 - t / √(t² + 2) = 1 - 2 / √6.
    assert over_seeds == Test("paired", "clime", "base", 3, 33.333333, 2.0, 0.183503)
    # Most seeds of Base say 1 of both documents, most of CLIME 1 and 0: only one differs.
    assert over_documents == Test("mcnemar", "clime", "base", 2, 50.0, None, 1.0)


def test_confusions_sum_to_the_documents_and_each_class_has_its_measures(project, by_hand):
    base, clime = describe(project, by_hand).arms
    assert (base.arm, clime.arm) == ("base", "clime")
    assert base.confusion == ((0.333333, 0.666667), (0.333333, 0.666667))
    assert clime.confusion == ((0.666667, 0.333333), (0.0, 1.0))
    assert np.sum(clime.confusion) == pytest.approx(2)
    assert clime.classes == (
        ClassFigures(0, 1.0, 0.666667, 0.8, 1),
        ClassFigures(1, 0.75, 1.0, 0.857143, 1),
    )
    assert clime.macro_f1 == 0.828571  # (4/5 + 6/7) / 2


def test_a_run_whose_predictions_were_not_stored_has_no_figures_and_says_why(project, by_hand):
    by_hand.arms.get(arm=Arm.CLIME).run.results.filter(seed=1).update(predictions=[])
    found = describe(project, by_hand)
    assert [figures.arm for figures in found.arms] == ["base"]
    over_seeds, over_documents = found.tests
    assert over_seeds.p_value == 0.183503
    assert (over_documents.p_value, over_documents.why_not) == (None, comparing.NO_PREDICTIONS)
    assert over_documents.difference_points == 33.333333
    assert (found.changed_count, found.changed) == (0, ())


def test_clime_is_also_tested_against_its_control_and_both_against_active_alone(project, judged):
    refined, aligned = refined_by(project, judged), refined_by(project, judged[:1])
    labels = [(document.pk, document.label) for document in project.pool_corpus.documents.all()]
    report = report_of(
        active_clime=predicted(project, refined, [1, 0], extra_labels=labels),
        clime=predicted(project, refined, [1, 1]),
        active=predicted(project, project.embedding, [0, 0], extra_labels=labels),
        aligned=predicted(project, aligned, [0, 1]),
        base=predicted(project, project.embedding, [1, 1]),
    )
    tests = describe(project, report).tests
    pairs = [(test.arm, test.against) for test in tests if test.kind == "paired"]
    assert pairs == [
        ("aligned", "base"), ("active", "base"), ("clime", "base"), ("active_clime", "base"),
        ("clime", "aligned"), ("active_clime", "active"),
    ]  # fmt: skip
    assert {test.why_not for test in tests if test.kind == "paired"} == {
        "there are fewer than two values"
    }


def test_people_are_tested_against_base_and_with_themselves():
    people = [{"clime": 0.8, "active": 0.7}, {"clime": 0.9, "active": 0.7}, {"base": 0.1}]
    alone, both = comparing.tests_over_people(people, base=0.75, same_documents=True)
    # 0.05 and 0.15 above Base: mean 0.1, standard error 0.05; p = 1 - 2 atan(t) / π.
    assert alone == Test("single_sample", "clime", "base", 2, 10.0, 2.0, 0.295167)
    assert both == Test("paired_people", "clime", "active", 2, 15.0, 3.0, 0.204833)


def test_one_person_or_other_documents_are_no_test_over_people():
    one = [{"clime": 0.8, "active_clime": 0.9}]
    for test in comparing.tests_over_people(one, base=0.7, same_documents=True):
        assert (test.n, test.p_value) == (1, None)
        assert test.why_not == "there are fewer than two values"
    alone, _ = comparing.tests_over_people(one * 2, base=0.7, same_documents=False)
    assert (alone.p_value, alone.why_not) == (None, comparing.OTHER_DOCUMENTS)
    assert comparing.tests_over_people([], base=0.7, same_documents=True) == []


def test_the_curve_ends_where_no_later_point_is_better(project, by_hand, judged):
    refined = refined_by(project, judged)
    half_way = predicted(project, refined_by(project, judged[:2]), [1, 0], [1, 0])
    CurvePoint.objects.create(report=by_hand, keywords=1, run=half_way)
    found = describe(project, by_hand, refined=refined, constraints=judged)
    assert found.curve_end == 1
    CurvePoint.objects.all().delete()
    assert describe(project, by_hand, refined=refined, constraints=judged).curve_end is None


# Vectors


def test_accepted_pairs_came_closer_and_rejected_ones_parted(project, judged):
    refined = refined_by(project, judged)
    movement = describe(project, report_of(), refined=refined, constraints=judged).movement
    assert (movement.accepted, movement.rejected, movement.against) == (3, 2, ())
    assert movement.mean_change_accepted > 0 > movement.mean_change_rejected


def test_a_pair_that_moved_against_its_judgement_is_named_with_its_cosines(project, space, judged):
    refined = refined_by(project, judged)
    contrary = [Constraint(c.keyword, c.neighbour, -c.sign) for c in judged]
    movement = describe(project, report_of(), refined=refined, constraints=contrary).movement
    assert movement.mean_change_accepted < 0 < movement.mean_change_rejected
    losses = [pair.sign * (pair.cosine_after - pair.cosine_before) for pair in movement.against]
    assert losses == sorted(losses) and len(losses) == 5
    after = refining.open_space(refined)
    for pair in movement.against:
        for of_space, cosine in ((space, pair.cosine_before), (after, pair.cosine_after)):
            ids = [
                of_space.word_id(pair.keyword, Side.SOURCE),
                of_space.word_id(pair.word, Side(pair.side)),
            ]
            a, b = of_space.gather(np.array(ids)).astype(float)
            assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) == pytest.approx(cosine, abs=1e-6)


def test_each_keyword_has_its_nearest_words_of_each_language_and_a_map(project, judged):
    refined = refined_by(project, judged)
    found = describe(project, report_of(), refined=refined, constraints=judged)
    assert [change.keyword for change in found.keywords] == ["doctor", "rain"]
    for change in found.keywords:
        assert [near.side for near in change.near] == ["source", "target"]
        for near in change.near:
            assert len(near.before) == len(near.after) == 5
            assert [c for _, c in near.after] == sorted((c for _, c in near.after), reverse=True)
    verdicts = {
        (m.keyword, word.word): word.verdict for m in found.maps for word in m.words if word.verdict
    }
    assert verdicts == {
        ("doctor", "doctor"): "keyword", ("doctor", "daktari"): "accept",
        ("doctor", "hospital"): "accept", ("doctor", "dawa"): "reject",
        ("rain", "rain"): "keyword", ("rain", "mvua"): "accept", ("rain", "market"): "reject",
    }  # fmt: skip
    for change in found.keywords:
        shown = {w.word for m in found.maps if m.keyword == change.keyword for w in m.words}
        assert {word for near in change.near for word, _ in (*near.before, *near.after)} <= shown


def test_maps_are_of_the_keywords_whose_neighbours_changed_most(project, space, monkeypatch):
    monkeypatch.setattr(describing, "NEAREST", 2)
    monkeypatch.setattr(describing, "MOST_MAPS", 1)
    unmoved = said(space, ("goal", "target", "goli", ACCEPTED))
    moving = said(
        space, ("rain", "target", "dawa", ACCEPTED), ("rain", "source", "doctor", ACCEPTED)
    )
    refined = refined_by(project, moving)
    found = describe(project, report_of(), refined=refined, constraints=[*unmoved, *moving])
    entered = {
        change.keyword: sum(
            len({w for w, _ in near.after} - {w for w, _ in near.before}) for near in change.near
        )
        for change in found.keywords
    }
    assert entered["rain"] > entered["goal"]
    assert [m.keyword for m in found.maps] == ["rain"]


def test_where_nobody_judged_a_word_nothing_is_said_of_vectors(project, by_hand):
    found = describe(project, by_hand)
    assert (found.movement, found.keywords, found.maps) == (None, (), ())
    assert found.tests and found.arms


# Documents


@pytest.fixture
def misled(project, space):
    """A report of vectors in which the words of the second document mean health."""
    health = ("doctor", "hospital", "fever", "medicine")
    pairs = [(word, "target", near, ACCEPTED) for word in health for near in ("soko", "mvua")]
    constraints = said(space, *pairs)
    refined = refined_by(project, constraints)
    report = report_of(base=trained(project, project.embedding), clime=trained(project, refined))
    return report, refined, constraints


def test_a_document_that_is_put_elsewhere_is_shown_with_the_words_that_did_it(project, misled):
    report, refined, constraints = misled
    found = describe(project, report, refined=refined, constraints=constraints)
    assert found.changed_count == 1
    (document,) = found.changed
    assert (document.document, document.text, document.truth) == (1, "soko ya mvua", 0)
    assert (document.before, document.after) == (0, 1)
    assert {word for word, _ in document.words} == {"soko", "mvua"}
    contributions = [contribution for _, contribution in document.words]
    assert contributions == sorted(contributions, reverse=True)
    assert contributions[-1] > 0


def test_described_twice_it_says_the_same(project, misled):
    report, refined, constraints = misled
    first = describe(project, report, refined=refined, constraints=constraints)
    runs._bench.cache_clear()
    assert describe(project, report, refined=refined, constraints=constraints) == first


def test_documents_are_ordered_by_how_many_seeds_changed_their_minds(project, by_hand):
    base, clime = (
        by_hand.arms.get(arm=arm).run.results.order_by("seed") for arm in (Arm.BASE, Arm.CLIME)
    )
    for of_run, predictions in (
        (base, [[0, 1], [0, 1], [1, 1]]),
        (clime, [[1, 0], [1, 0], [1, 0]]),
    ):
        for result, labels in zip(of_run, predictions, strict=True):
            result.predictions = labels
            result.save()
    found = describe(project, by_hand)
    assert [document.document for document in found.changed] == [1, 0]
    assert found.changed_count == 2


def test_a_classifier_trained_again_predicts_what_its_run_stored(project):
    run = trained(project, project.embedding, seeds=1)
    again = runs.trained_seed(run, 0, report=quiet)
    scores = predict(again.model, again.test, embedding=again.space)
    assert scores.argmax(axis=1).tolist() == run.results.get().predictions


def test_a_cross_validated_run_has_no_one_classifier_a_seed(project):
    labels = [(document.pk, document.label) for document in project.pool_corpus.documents.all()]
    run = define(
        project, project.embedding, seeds=1, test_corpus=None, test_labels=labels,
        extra_labels=labels,
    )  # fmt: skip
    with pytest.raises(ValueError, match="has 3 classifiers a seed, not one"):
        runs.trained_seed(run, 0, report=quiet)


def test_findings_are_stored_once(project, by_hand):
    found = describe(project, by_hand)
    assert describing.store(by_hand, found)
    by_hand.refresh_from_db()
    stored, when = by_hand.findings, by_hand.described_at
    assert stored["tests"][0]["difference_points"] == 33.333333
    assert not describing.store(by_hand, Findings())
    by_hand.refresh_from_db()
    assert (by_hand.findings, by_hand.described_at) == (stored, when)


def test_a_report_that_is_gone_is_not_stored(project):
    report = report_of()
    found = describe(project, report)
    Report.objects.all().delete()
    assert not describing.store(report, found)
    assert not Report.objects.exists()
