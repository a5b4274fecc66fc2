"""What a report's finished runs say, as it is stored beside them: plain data for pages and JSON.

Made by workers (models_ml/describing.py), shown by the web process, which computes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Test:
    """A test of whether two accuracies differ by more than chance (the paper's Table 2).

    kind: `paired` over seeds, `mcnemar` over test documents, `single_sample` of several people's
    means against one accuracy, or `paired_people` over people's means. n: of seeds, documents or
    people. p_value is two-sided; None where there is none, and why_not says why.
    """

    __test__ = False  # pytest takes classes called Test… for its own

    kind: str
    arm: str
    against: str
    n: int
    difference_points: float
    statistic: float | None
    p_value: float | None
    why_not: str = ""


@dataclass(frozen=True)
class ClassFigures:
    """How well one category was found, by the mean confusion of the seeds; fractions."""

    label: int
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ArmFigures:
    """An arm beyond its accuracy; `confusion` is the mean over seeds, rows truth, columns said."""

    arm: str
    macro_f1: float
    confusion: tuple[tuple[float, ...], ...]
    classes: tuple[ClassFigures, ...]


@dataclass(frozen=True)
class Pair:
    """A judged word beside its keyword; sign: +1 accepted, -1 rejected."""

    keyword: str
    word: str
    side: str
    sign: int
    weight: float
    cosine_before: float
    cosine_after: float


@dataclass(frozen=True)
class Movement:
    """How judged pairs moved; mean changes are of cosines, None where there was no such pair."""

    accepted: int
    rejected: int
    mean_change_accepted: float | None
    mean_change_rejected: float | None
    against: tuple[Pair, ...]  # pairs that went against the annotator's wish, the worst first


@dataclass(frozen=True)
class Near:
    """The nearest words of one language to a keyword, before and after: (word, cosine)."""

    side: str
    before: tuple[tuple[str, float], ...]
    after: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class KeywordChange:
    keyword: str
    near: tuple[Near, ...]


@dataclass(frozen=True)
class MapWord:
    """A word in a map; verdict: accept, reject, keyword, or empty."""

    word: str
    side: str
    verdict: str
    before: tuple[float, float]
    after: tuple[float, float]


@dataclass(frozen=True)
class KeywordMap:
    """A keyword's neighbourhood before and after, in one projection of both (Figure 5)."""

    keyword: str
    method: str  # tsne or pca
    words: tuple[MapWord, ...]


@dataclass(frozen=True)
class ChangedDocument:
    """A test document that CLIME puts elsewhere than Base, and the words that did it.

    document: its id in the imported file. before, after: the labels that most seeds predict.
    words: (word, contribution in log-odds), as the first seed's classifiers have it; none where
    these do not put the document elsewhere.
    """

    document: int
    text: str
    truth: int | None
    before: int
    after: int
    words: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Findings:
    """All of it. curve_end: the number of keywords after which more did not help, if there is one.

    changed_count: of documents; `changed` holds the clearest of them.
    """

    tests: tuple[Test, ...] = ()
    arms: tuple[ArmFigures, ...] = ()
    movement: Movement | None = None
    keywords: tuple[KeywordChange, ...] = ()
    maps: tuple[KeywordMap, ...] = ()
    changed_count: int = 0
    changed: tuple[ChangedDocument, ...] = ()
    curve_end: int | None = None

    def data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)
