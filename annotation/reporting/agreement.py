"""How far the people of a project agree: beyond chance, with one another, with the consensus.

A unit is a keyword's word and a word beside it. People are compared, not sessions: the latest
session's word stands. What is undecided is missing; controls and excluded sessions are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.consensus import Ballot, collect, words_of
from annotation.models import Annotator, ConsensusMember
from models_ml.core.agreement import Alpha, alpha_with_interval, pairwise_agreement
from tasks.models import Project

KEYWORD_RESAMPLES = 200  # there are many keywords, and few units in each


@dataclass(frozen=True)
class NamedAlpha:
    """α of some of a project's units."""

    name: str
    alpha: Alpha


@dataclass(frozen=True)
class PersonAgreement:
    """How often an annotator says what others say.

    with_consensus: share of their votes that the consensus shares; None where it is not made yet.
    with_others: for each person in turn the share of the units of both on which they said the
    same; None beside themselves and where there are no such units. shared: how many there are.
    """

    annotator: str
    votes: int
    with_consensus: float | None
    with_others: tuple[float | None, ...]
    shared: tuple[int, ...]


@dataclass(frozen=True)
class ProjectAgreement:
    """A project's agreement: of all, by the language of the neighbour, and by keyword.

    by_keyword: those on which people agree least come first.
    """

    overall: Alpha
    reading: str
    by_language: tuple[NamedAlpha, ...]
    by_keyword: tuple[NamedAlpha, ...]
    people: tuple[PersonAgreement, ...]


def agreement(project: Project) -> ProjectAgreement:
    """Return how far a project's people agree, in a number of queries that is always the same."""
    ballot = collect(project)
    keyword, language, names = _groups(ballot)
    overall = _alpha(ballot, np.ones(len(ballot.pairs), dtype=np.bool_))
    source, target = project.embedding.source, project.embedding.target
    by_keyword = [
        NamedAlpha(names[word], _alpha(ballot, keyword == word, resamples=KEYWORD_RESAMPLES))
        for word in dict.fromkeys(keyword.tolist())
    ]
    return ProjectAgreement(
        overall=overall,
        reading=in_words(overall),
        by_language=tuple(
            NamedAlpha(side.language, _alpha(ballot, language == side.pk))
            for side in (source, target)
        ),
        by_keyword=tuple(sorted(by_keyword, key=_least_first)),
        people=_people(project, ballot),
    )


def _groups(ballot: Ballot) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, str]]:
    """Return each pair's keyword and vocabulary of the other word, and keywords' spellings."""
    words = words_of(ballot)
    keyword = np.array([pk for pk, _ in ballot.pairs], dtype=np.int64)
    language = np.array([words[pk].vocabulary_id for _, pk in ballot.pairs], dtype=np.int64)
    return keyword, language, {pk: words[pk].text for pk, _ in ballot.pairs}


def _alpha(ballot: Ballot, of_pairs: NDArray[np.bool_], *, resamples: int = 1000) -> Alpha:
    """Return α of the votes on some of a ballot's pairs, (pairs,) booleans."""
    votes = ballot.votes
    chosen = of_pairs[votes.item]
    return alpha_with_interval(
        votes.item[chosen],
        votes.annotator[chosen],
        votes.accepted[chosen],
        resamples=resamples,
    )


def _least_first(named: NamedAlpha) -> tuple[bool, float]:
    value = named.alpha.value
    return value is None, value or 0.0


def _people(project: Project, ballot: Ballot) -> tuple[PersonAgreement, ...]:
    votes = ballot.votes
    alike, shared = pairwise_agreement(
        votes.item, votes.annotator, votes.accepted, annotator_count=votes.annotators
    )
    np.fill_diagonal(alike, np.nan)
    counts = votes.by_annotator()
    names = Annotator.objects.in_bulk(ballot.annotators)
    members = ConsensusMember.objects.filter(consensus__project=project)
    with_consensus = dict(members.values_list("annotator", "agreement"))
    return tuple(
        PersonAgreement(
            annotator=names[pk].worker_id,
            votes=int(counts[place]),
            with_consensus=with_consensus.get(pk),
            with_others=tuple(None if np.isnan(x) else float(x) for x in alike[place]),
            shared=tuple(int(n) for n in shared[place]),
        )
        for place, pk in enumerate(ballot.annotators)
    )


def in_words(alpha: Alpha) -> str:
    """Return what α says, in a sentence for somebody who has never heard of it.

    Source of the bounds .667 and .8: Krippendorff 2004, Reliability in Content Analysis.
    """
    if alpha.value is None:
        return (
            "Nothing can be said yet: it takes two people who have judged the same words, and who "
            "have both accepted and rejected some."
        )
    if alpha.value >= 0.8:
        return "People agree well: their answers can be relied on."
    if alpha.value >= 0.667:
        return "People agree fairly well: good enough for cautious conclusions."
    if alpha.value > 0.2:
        return "People agree more than by chance, but often differ."
    if alpha.value > -0.05:
        return "People agree hardly more than by chance."
    return "People contradict one another more than by chance: perhaps some misread the question."
