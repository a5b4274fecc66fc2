"""What a report whose runs have all been trained says: made by workers, stored once beside it.

The runs are compared in comparing.py; here is what the vectors show: how judged pairs moved, whose
neighbours changed, and which words put documents elsewhere. Figures are rounded to six decimals,
so that the last bits of a sum, which machines round differently, are not in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from models_ml import runs
from models_ml.comparing import (
    ArmMeans,
    ArmRun,
    arm_figures,
    arm_runs,
    curve_end,
    rounded,
    tested_documents,
    tests_of,
    tests_over_people,
)
from models_ml.core import measures
from models_ml.core.changes import (
    NeighbourChange,
    PairMovement,
    movement_summary,
    neighbour_changes,
    pair_movements,
    word_contributions,
)
from models_ml.core.constraints import ACCEPTED, Constraint
from models_ml.core.embeddings import Embedding as Space
from models_ml.core.findings import (
    ChangedDocument,
    Findings,
    KeywordChange,
    KeywordMap,
    MapWord,
    Movement,
    Near,
    Pair,
    Test,
)
from models_ml.core.neighbours import Neighbour
from models_ml.core.projection import project
from models_ml.models import Arm, Embedding, Report
from models_ml.refining import open_space
from models_ml.services import ReportProgress

NEAREST = 5  # of each language
MOST_MAPS = 12
MOST_DOCUMENTS = 20
MOST_WORDS = 8
FIRST_SEED = 0


@dataclass(frozen=True, eq=False)
class Spaces:
    """The vectors before and after a refinement, and what was said of which words."""

    before: Space
    after: Space
    constraints: Sequence[Constraint]

    @property
    def keywords(self) -> list[int]:
        """The word ids of judged keywords, the first asked first."""
        return list(dict.fromkeys(pair.keyword for pair in self.constraints))


def describe(
    report: Report,
    *,
    base: Embedding,
    refined: Embedding | None,
    constraints: Sequence[Constraint],
    people: Sequence[ArmMeans] = (),
    progress: ReportProgress,
) -> Findings:
    """Return what a report's trained runs and vectors say; nothing is stored.

    base: the project's vectors, whatever the refinement started from. refined: None where nobody
    judged a word. constraints: the first asked first. people: of a consensus, each person's means.
    The same rows give the same findings.
    """
    progress("comparing classifiers", 0, 1)
    arms = arm_runs(report)
    spaces = None
    if refined is not None and constraints:
        spaces = Spaces(open_space(base), open_space(refined), constraints)
    tests = [*tests_of(arms), *_over_people(arms, people)]
    changed = _changed(arms, progress)
    near = _neighbour_changes(spaces, progress) if spaces else []
    return Findings(
        tests=tuple(tests),
        arms=tuple(arm_figures(arms)),
        movement=_movement(spaces) if spaces else None,
        keywords=tuple(_keyword_change(spaces, changes) for changes in near) if spaces else (),
        maps=tuple(_maps(spaces, near, progress)) if spaces else (),
        changed_count=len(changed.positions),
        changed=changed.documents,
        curve_end=curve_end(
            report, arms.get(Arm.CLIME), keywords=len(spaces.keywords) if spaces else 0
        ),
    )


def store(report: Report, findings: Findings) -> bool:
    """Keep a report's findings; return whether this call did: the first one, if it still exists."""
    undescribed = Report.objects.filter(pk=report.pk, described_at=None)
    return bool(undescribed.update(findings=findings.data(), described_at=timezone.now()))


def _over_people(arms: Mapping[Arm, ArmRun], people: Sequence[ArmMeans]) -> list[Test]:
    base = arms.get(Arm.BASE)
    return tests_over_people(
        people,
        base=base.mean if base else None,
        same_documents=base is not None and base.run.test_corpus_id is not None,
    )


# Judged pairs


def _movement(spaces: Spaces) -> Movement:
    moved = pair_movements(spaces.before, spaces.after, spaces.constraints)
    summary = movement_summary(moved)
    against = [_pair(spaces.before, movement) for movement in moved if movement.is_against]
    return Movement(
        summary.accepted,
        summary.rejected,
        _rounded_or_none(summary.accepted_change),
        _rounded_or_none(summary.rejected_change),
        tuple(sorted(against, key=_went_well)),
    )


def _pair(space: Space, movement: PairMovement) -> Pair:
    side, word = space.word(movement.neighbour)
    return Pair(
        space.word(movement.keyword)[1],
        word,
        str(side),
        movement.sign,
        rounded(movement.weight),
        rounded(movement.cosine_before),
        rounded(movement.cosine_after),
    )


def _went_well(pair: Pair) -> tuple[float, str, str, str]:
    """Return by what pairs are ordered, those that went against their judgement the most first."""
    change = rounded(pair.sign * (pair.cosine_after - pair.cosine_before))
    return change, pair.keyword, pair.side, pair.word


def _rounded_or_none(number: float | None) -> float | None:
    return None if number is None else rounded(number)


# Neighbourhoods


def _neighbour_changes(
    spaces: Spaces, progress: ReportProgress
) -> list[tuple[NeighbourChange, ...]]:
    """Return each keyword's changes, one a language."""
    progress("comparing neighbours", 0, 1)
    found = neighbour_changes(spaces.before, spaces.after, spaces.keywords, k=NEAREST)
    return [
        tuple(change for change in found if change.keyword == keyword)
        for keyword in spaces.keywords
    ]


def _keyword_change(spaces: Spaces, changes: Sequence[NeighbourChange]) -> KeywordChange:
    def words(neighbours: Sequence[Neighbour]) -> tuple[tuple[str, float], ...]:
        return tuple((spaces.before.word(n.word_id)[1], rounded(n.cosine)) for n in neighbours)

    return KeywordChange(
        spaces.before.word(changes[0].keyword)[1],
        tuple(Near(str(each.side), words(each.before), words(each.after)) for each in changes),
    )


def _maps(
    spaces: Spaces, near: Sequence[Sequence[NeighbourChange]], progress: ReportProgress
) -> Iterator[KeywordMap]:
    """Yield maps of the keywords whose neighbourhoods changed most, those first.

    That is, into which most words came among the nearest of both languages; of equally many, the
    keyword asked first.
    """
    ordered = sorted(near, key=lambda changes: -sum(len(change.entered) for change in changes))
    chosen = ordered[:MOST_MAPS]
    for number, changes in enumerate(chosen):
        progress("drawing maps of words", number, len(chosen))
        yield _map(spaces, changes)


def _map(spaces: Spaces, changes: Sequence[NeighbourChange]) -> KeywordMap:
    """Return the map of a keyword, its judged words and its nearest before and after."""
    keyword = changes[0].keyword
    verdicts = {keyword: "keyword"}
    for pair in spaces.constraints:
        if pair.keyword == keyword:
            verdicts[pair.neighbour] = "accept" if pair.sign == ACCEPTED else "reject"
    for change in changes:
        for neighbour in (*change.before, *change.after):
            verdicts.setdefault(neighbour.word_id, "")
    ids = np.array(list(verdicts), dtype=np.int64)
    plane = project(spaces.before.gather(ids), spaces.after.gather(ids))
    words = tuple(
        MapWord(text, str(side), verdict, _place(before), _place(after))
        for (side, text), verdict, before, after in zip(
            map(spaces.before.word, verdicts),
            verdicts.values(),
            plane.before,
            plane.after,
            strict=True,
        )
    )
    return KeywordMap(words[0].word, plane.method, words)


def _place(point: NDArray[np.float64]) -> tuple[float, float]:
    x, y = point.tolist()
    return rounded(x), rounded(y)


# Documents


@dataclass(frozen=True, eq=False)
class _Changed:
    """Positions of documents that CLIME puts elsewhere than Base, and the clearest of them."""

    positions: Sequence[int]
    documents: tuple[ChangedDocument, ...]


def _changed(arms: Mapping[Arm, ArmRun], progress: ReportProgress) -> _Changed:
    base, clime = arms.get(Arm.BASE), arms.get(Arm.CLIME)
    if base is None or clime is None or base.majority is None or clime.majority is None:
        return _Changed((), ())
    positions = np.flatnonzero(base.majority != clime.majority)
    clearest = _clearest(base, clime, positions)[:MOST_DOCUMENTS]
    words = _words_that_did_it(base, clime, clearest, progress)
    documents = tested_documents(base.run)
    return _Changed(
        positions.tolist(),
        tuple(
            ChangedDocument(
                documents[position][0].number,
                documents[position][0].text,
                int(base.truth[position]),
                int(base.majority[position]),
                int(clime.majority[position]),
                words.get(position, ()),
            )
            for position in clearest
        ),
    )


def _clearest(base: ArmRun, clime: ArmRun, positions: NDArray[np.int64]) -> list[int]:
    """Return the positions, first those whose new label gained most votes of seeds and whose old
    one lost most; of equal ones, those of which the first seed says the same.
    """
    assert base.predictions is not None and clime.predictions is not None
    assert base.majority is not None and clime.majority is not None
    gains = measures.vote_shares(clime.predictions, clime.classes) - measures.vote_shares(
        base.predictions, base.classes
    )
    before, after = base.majority[positions], clime.majority[positions]
    shift = np.round(gains[positions, after] - gains[positions, before], 9)
    is_shown = (base.predictions[FIRST_SEED, positions] == before) & (
        clime.predictions[FIRST_SEED, positions] == after
    )
    order = np.lexsort((positions, ~is_shown, -shift))
    clearest: list[int] = positions[order].tolist()
    return clearest


def _words_that_did_it(
    base: ArmRun, clime: ArmRun, positions: Sequence[int], progress: ReportProgress
) -> dict[int, tuple[tuple[str, float], ...]]:
    """Return by position the words of which the first seed's classifiers say the same as most."""
    assert base.majority is not None and clime.majority is not None
    if not positions:
        return {}
    old, new = (runs.trained_seed(arm.run, FIRST_SEED, report=progress) for arm in (base, clime))
    found = word_contributions(
        old.model,
        new.model,
        old.test.select(positions),
        old.space,
        new.space,
        top=MOST_WORDS,
    )
    words = {}
    for change in found:
        position = positions[change.position]
        labels = int(base.majority[position]), int(clime.majority[position])
        if (change.label_before, change.label_after) == labels:
            words[position] = tuple(
                (old.space.word(word.word_id)[1], rounded(word.contribution))
                for word in change.words
            )
    return words
