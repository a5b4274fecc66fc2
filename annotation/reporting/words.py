"""A report's findings, made ready for its page: sentences, and tables with categories' names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models_ml.models import Arm

SURE = 0.05  # a difference that chance makes less often is called more than chance

Findings = Mapping[str, Any]


@dataclass(frozen=True)
class TestLine:
    """A comparison: what differs by how much, by which test, and what that says."""

    __test__ = False  # pytest takes classes called Test… for its own

    comparison: str
    test: str
    p_value: str
    verdict: str


@dataclass(frozen=True)
class ClassLine:
    """A category's row in a confusion table; cells are documents, on average over seeds."""

    name: str
    cells: tuple[tuple[str, float, bool], ...]  # (the category said, documents, is it right)
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ConfusionTable:
    """What an arm said of the documents of each category."""

    label: str
    macro_f1: float
    names: tuple[str, ...]
    lines: tuple[ClassLine, ...]


@dataclass(frozen=True)
class ChangedText:
    """A document that moved to another category, with the words that moved it."""

    document: int
    text: str
    before: str
    after: str
    truth: str
    is_right: bool | None
    words: tuple[tuple[str, float], ...]


def comparisons(findings: Findings) -> list[TestLine]:
    """Return a line for each test of a report."""
    return [
        TestLine(_comparison(test), _test(test), _p_value(test), _verdict(test))
        for test in findings.get("tests", ())
    ]


def _comparison(test: Findings) -> str:
    label, against = Arm(test["arm"]).label, Arm(test["against"]).label
    points = test["difference_points"]
    if f"{abs(points):.1f}" == "0.0":
        return f"{label} is as accurate as {against}"
    return f"{label} is {abs(points):.1f} points {'above' if points > 0 else 'below'} {against}"


def _test(test: Findings) -> str:
    n = test["n"]
    if test["kind"] == "mcnemar":
        return f"McNemar’s test on the same {n:,} documents, by what most seeds say"
    if test["kind"] == "single_sample":
        label = Arm(test["against"]).label
        return f"t-test of {n} people’s accuracies against that of {label}"
    one, many = ("person", "people") if test["kind"] == "paired_people" else ("seed", "seeds")
    return f"paired t-test over {n} {one if n == 1 else many}"


def _p_value(test: Findings) -> str:
    p_value = test["p_value"]
    if p_value is None:
        return "–"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _verdict(test: Findings) -> str:
    if test["p_value"] is None:
        return f"not tested: {test['why_not']}"
    return "more than chance" if test["p_value"] < SURE else "chance alone may explain it"


def verdict_over_seeds(findings: Findings, arm: str) -> str:
    """Return what the paired test of an arm against Base says, as a sentence; empty without one."""
    for test in findings.get("tests", ()):
        names = test["kind"], test["arm"], test["against"]
        if names == ("paired", arm, Arm.BASE) and test["p_value"] is not None:
            said = _test(test)
            return f"{said[0].upper()}{said[1:]}: {_p_value(test)}, {_verdict(test)}."
    return ""


def confusion_tables(findings: Findings, categories: Mapping[int, str]) -> list[ConfusionTable]:
    """Return each arm's table, with the names of the categories."""
    return [
        ConfusionTable(
            label=Arm(arm["arm"]).label,
            macro_f1=arm["macro_f1"],
            names=tuple(_name(line["label"], categories) for line in arm["classes"]),
            lines=tuple(_class_lines(arm, categories)),
        )
        for arm in findings.get("arms", ())
    ]


def _class_lines(arm: Findings, categories: Mapping[int, str]) -> Iterator[ClassLine]:
    names = [_name(line["label"], categories) for line in arm["classes"]]
    for place, (line, counts) in enumerate(zip(arm["classes"], arm["confusion"], strict=True)):
        yield ClassLine(
            name=names[place],
            cells=tuple(
                (name, count, column == place)
                for column, (name, count) in enumerate(zip(names, counts, strict=True))
            ),
            precision=line["precision"],
            recall=line["recall"],
            f1=line["f1"],
            support=line["support"],
        )


def movement_in_words(findings: Findings) -> list[str]:
    """Return sentences on how the judged pairs moved; none where nothing was judged."""
    movement = findings.get("movement")
    if not movement:
        return []
    sentences = [
        _moved(movement["accepted"], movement["mean_change_accepted"], "accepted"),
        _moved(movement["rejected"], movement["mean_change_rejected"], "rejected"),
    ]
    return [sentence for sentence in sentences if sentence]


def _moved(pairs: int, change: float | None, verdict: str) -> str:
    if change is None:
        return ""
    who = f"The {pairs:,} {verdict} words" if pairs != 1 else f"The one {verdict} word"
    if abs(change) < 0.0005:
        return f"{who} stayed as near to their keywords as before, on average."
    direction = "closer to" if change > 0 else "away from"
    size = f"{change:+.3f}".replace("-", "\N{MINUS SIGN}")
    return f"{who} moved {direction} their keywords: cosine {size} on average."


def curve_in_words(findings: Findings, keywords: Iterable[int]) -> str:
    """Return what a learning curve says of asking about more keywords; empty without a curve."""
    counts = list(keywords)
    if not counts or not findings:
        return ""
    end = findings.get("curve_end")
    if end is None:
        return "Accuracy does not tell yet after how many keywords more would not help."
    keywords_asked = "1 keyword" if end == 1 else f"{end} keywords"
    return f"After {keywords_asked}, more did not help measurably."


def changed_texts(findings: Findings, categories: Mapping[int, str]) -> list[ChangedText]:
    """Return the documents that CLIME puts elsewhere than Base, the clearest first."""
    return [
        ChangedText(
            document=one["document"],
            text=one["text"],
            before=_name(one["before"], categories),
            after=_name(one["after"], categories),
            truth="" if one["truth"] is None else _name(one["truth"], categories),
            is_right=None if one["truth"] is None else one["truth"] == one["after"],
            words=tuple((word, contribution) for word, contribution in one["words"]),
        )
        for one in findings.get("changed", ())
    ]


def _name(label: int, categories: Mapping[int, str]) -> str:
    return categories.get(label, f"category {label}")
