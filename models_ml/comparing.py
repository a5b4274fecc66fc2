"""What a report's runs say beside one another: tests of their accuracies, and each class by class.

Needs scipy, but no torch; used by describing.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models_ml.core import measures, significance
from models_ml.core.changes import CurvePoint, learning_curve_end
from models_ml.core.findings import ArmFigures, ClassFigures, Test
from models_ml.models import Arm, Document, Report, Run

ArmMeans = Mapping[str, float]
"""Somebody's mean accuracy by arm."""

DECIMALS = 6
NO_PREDICTIONS = "it is not stored what each seed predicted"
OTHER_DOCUMENTS = "without a test corpus, people are measured on different documents"

# Besides all others against Base: with people's answers against what the same costs without them.
_RIVALS = ((Arm.CLIME, Arm.ALIGNED), (Arm.ACTIVE_CLIME, Arm.ACTIVE))
_RIVALS_OVER_PEOPLE = ((Arm.CLIME, Arm.ACTIVE), (Arm.ACTIVE_CLIME, Arm.CLIME))


@dataclass(frozen=True, eq=False)
class ArmRun:
    """A trained run of a report, its accuracies and predictions by seed, and the true labels.

    predictions: (seeds, documents), or None where they were not stored.
    """

    arm: Arm
    run: Run
    accuracies: Mapping[int, float]
    predictions: NDArray[np.int64] | None
    truth: NDArray[np.int64]

    @property
    def classes(self) -> int:
        return int(self.run.config["classes"])

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.accuracies.values())))

    @cached_property
    def majority(self) -> NDArray[np.int64] | None:
        """What most seeds predict, (documents,)."""
        if self.predictions is None:
            return None
        return measures.majority_prediction(self.predictions, self.classes)


def rounded(number: float) -> float:
    """Return a number as findings hold it: what machines round differently is left out."""
    return round(float(number), DECIMALS) + 0.0  # never -0.0


def tested_documents(run: Run) -> list[tuple[Document, int]]:
    """Return the documents that a run is measured on, each with its true label, in their order."""
    if run.test_corpus is not None:
        return [(d, int(d.label or 0)) for d in run.test_corpus.documents.order_by("id")]
    documents = Document.objects.in_bulk([document for document, _ in run.test_labels])
    return [(documents[document], label) for document, label in run.test_labels]


def arm_runs(report: Report) -> dict[Arm, ArmRun]:
    """Return the runs of a report's arms, in the order of `Arm`."""
    lines = report.arms.select_related("run__test_corpus", "run__embedding")
    return {
        Arm(line.arm): _arm_run(Arm(line.arm), line.run)
        for line in sorted(lines, key=lambda line: Arm.values.index(line.arm))
    }


def _arm_run(arm: Arm, run: Run) -> ArmRun:
    results = list(run.results.trained().order_by("seed"))
    truth = np.array([label for _, label in tested_documents(run)], dtype=np.int64)
    stored = [result.predictions for result in results]
    is_whole = bool(stored) and all(len(predicted) == len(truth) for predicted in stored)
    return ArmRun(
        arm,
        run,
        {result.seed: float(result.accuracy or 0) for result in results},
        np.array(stored, dtype=np.int64) if is_whole else None,
        truth,
    )


def tests_of(arms: Mapping[Arm, ArmRun]) -> list[Test]:
    """Return the tests of each arm against Base, and of arms with people's answers against those
    without: over seeds, and over documents.
    """
    pairs = [(arm, Arm.BASE) for arm in arms if arm != Arm.BASE] + list(_RIVALS)
    held = [(arms[arm], arms[other]) for arm, other in pairs if arm in arms and other in arms]
    return [test(arm, other) for arm, other in held for test in (_over_seeds, _over_documents)]


def _over_seeds(arm: ArmRun, against: ArmRun) -> Test:
    seeds = sorted(arm.accuracies.keys() & against.accuracies.keys())
    ours, theirs = ([each.accuracies[seed] for seed in seeds] for each in (arm, against))
    result = significance.paired(ours, theirs)
    return _t_test("paired", arm.arm, against.arm, arm.mean - against.mean, result)


def _over_documents(arm: ArmRun, against: ArmRun) -> Test:
    """Return McNemar's test of what most seeds of each predict."""
    names = arm.arm.value, against.arm.value
    if arm.majority is None or against.majority is None:
        points = _points(arm.mean - against.mean)
        return Test("mcnemar", *names, 0, points, None, None, NO_PREDICTIONS)
    ours, theirs = (each.majority == each.truth for each in (arm, against))
    result = significance.mcnemar(ours, theirs)
    points = _points(float(np.mean(ours)) - float(np.mean(theirs)))
    return Test("mcnemar", *names, result.n, points, None, rounded(result.p_value))


def tests_over_people(
    people: Sequence[ArmMeans], *, base: float | None, same_documents: bool
) -> list[Test]:
    """Return the paper's tests over people: CLIME against Base, and pairs of arms that all have.

    people: each one's means. base: Base's accuracy, None where it was not measured.
    same_documents: whether all were measured on the same. A test that nobody has the arms for is
    left out. Source: Yuan et al. 2020, Table 2.
    """
    tests = []
    alone = [means[Arm.CLIME] for means in people if Arm.CLIME in means]
    if alone and base is not None:
        tests.append(_against_base(alone, base, same_documents=same_documents))
    for arm, other in _RIVALS_OVER_PEOPLE:
        both = [(means[arm], means[other]) for means in people if arm in means and other in means]
        if both:
            ours, theirs = zip(*both, strict=True)
            difference = float(np.mean(ours)) - float(np.mean(theirs))
            result = significance.paired(ours, theirs)
            tests.append(_t_test("paired_people", arm, other, difference, result))
    return tests


def _against_base(accuracies: Sequence[float], base: float, *, same_documents: bool) -> Test:
    difference = float(np.mean(accuracies)) - base
    if not same_documents:
        points, n = _points(difference), len(accuracies)
        names = Arm.CLIME.value, Arm.BASE.value
        return Test("single_sample", *names, n, points, None, None, OTHER_DOCUMENTS)
    result = significance.single_sample(accuracies, base)
    return _t_test("single_sample", Arm.CLIME, Arm.BASE, difference, result)


def _t_test(
    kind: str, arm: Arm, against: Arm, difference: float, result: significance.TestResult
) -> Test:
    statistic, p_value = (
        None if number is None else rounded(number) for number in (result.statistic, result.p_value)
    )
    why_not = str(result.reason or "")
    return Test(
        kind, arm.value, against.value, result.n, _points(difference), statistic, p_value, why_not
    )


def _points(difference: float) -> float:
    return rounded(100 * difference)


def arm_figures(arms: Mapping[Arm, ArmRun]) -> list[ArmFigures]:
    """Return what each arm got right and wrong; arms without predictions are left out."""
    return [
        _figures(arm.arm, arm.predictions, arm)
        for arm in arms.values()
        if arm.predictions is not None
    ]


def _figures(name: Arm, predictions: NDArray[np.int64], arm: ArmRun) -> ArmFigures:
    mean = measures.mean_confusion(
        [measures.confusion(arm.truth, predicted, arm.classes) for predicted in predictions]
    )
    classes = tuple(
        ClassFigures(
            each.label,
            rounded(each.precision),
            rounded(each.recall),
            rounded(each.f1),
            each.support,
        )
        for each in measures.per_class(mean)
    )
    rows = tuple(tuple(rounded(cell) for cell in row) for row in mean.tolist())
    return ArmFigures(name.value, rounded(measures.macro_f1(mean)), rows, classes)


def curve_end(report: Report, clime: ArmRun | None, *, keywords: int) -> int | None:
    """Return after how many keywords more did not help; the last point is CLIME, with all."""
    points = [
        CurvePoint(point.keywords, tuple(_accuracies(point.run)))
        for point in report.curve.select_related("run")
        if point.keywords < keywords
    ]
    if clime is None or not points:
        return None
    return learning_curve_end([*points, CurvePoint(keywords, tuple(clime.accuracies.values()))])


def _accuracies(run: Run) -> list[float]:
    results = run.results.trained().order_by("seed").values_list("accuracy", flat=True)
    return [accuracy for accuracy in results if accuracy is not None]
