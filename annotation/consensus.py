"""What all people of a project say together: their votes, and the rows of what these come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from annotation.models import (
    Annotator,
    Consensus,
    ConsensusMember,
    ConsensusPair,
    DocumentLabel,
    Judgement,
    Session,
    SessionState,
    Verdict,
)
from models_ml.core.aggregation import Aggregate, Votes, strengths_behind
from models_ml.models import Report, Run, Word
from models_ml.reports import report_means
from tasks.models import Project

FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class Ballot:
    """Every person's latest verdict on every pair of a keyword and a word beside it.

    pairs: (keyword, word) ids of stored words, the keywords first asked first. annotators: ids.
    votes: over these pairs and annotators, by their places. strengths: (votes,), how strongly each
    was given. Who is right is told from the votes alone: people use steps and orders differently.
    """

    pairs: tuple[tuple[int, int], ...]
    annotators: tuple[int, ...]
    votes: Votes
    strengths: NDArray[np.float64]

    def strengths_behind(self, aggregate: Aggregate) -> NDArray[np.float64]:
        """Return how strongly people said what each pair came to, (pairs,)."""
        return strengths_behind(aggregate.posterior, self.votes, self.strengths)


def sessions_in_consensus(project: Project) -> QuerySet[Session]:
    """Return the submitted sessions that nobody left out of a project's consensus."""
    return project.sessions.filter(state=SessionState.SUBMITTED, excluded_at=None)


def collect(project: Project) -> Ballot:
    """Return what people voted in the sessions that count: the latest session's word stands."""
    rows = (
        Judgement.objects.filter(session__in=sessions_in_consensus(project))
        .decided()
        .about_words()
        .order_by("session__number", "keyword__position", "word__vocabulary", "word__row", "id")
        .values_list(
            "session__annotator", "keyword__word", "word", "verdict", Coalesce("strength", 1.0)
        )
    )
    places: dict[tuple[int, int], int] = {}
    said: dict[tuple[int, int], tuple[bool, float]] = {}
    people = sorted({person for person, *_ in rows})
    for person, keyword, word, verdict, strength in rows:
        place = places.setdefault((keyword, word), len(places))
        said[place, people.index(person)] = verdict == Verdict.ACCEPT, strength
    ends = np.array(list(said), dtype=np.int64).reshape(-1, 2)
    votes = Votes(
        item=ends[:, 0],
        annotator=ends[:, 1],
        accepted=np.array([accepted for accepted, _ in said.values()], dtype=np.bool_),
        items=len(places),
        annotators=len(people),
    )
    strengths = np.array([strength for _, strength in said.values()], dtype=np.float64)
    return Ballot(tuple(places), tuple(people), votes, strengths)


def agreed_labels(project: Project) -> list[tuple[int, int]]:
    """Return (document, label) of each document on whose label more people agree than on another.

    A person's latest label counts; a tie leaves the document out.
    """
    rows = (
        DocumentLabel.objects.current()
        .filter(session__in=sessions_in_consensus(project), label__isnull=False)
        .order_by("session__number", "id")
        .values_list("document", "session__annotator", "label")
    )
    latest = {(document, person): label for document, person, label in rows}
    votes: defaultdict[int, list[int]] = defaultdict(list)
    for (document, _), label in latest.items():
        votes[document].append(int(label or 0))
    decided = {document: _winner(labels) for document, labels in votes.items()}
    return sorted((document, label) for document, label in decided.items() if label is not None)


def _winner(labels: Sequence[int]) -> int | None:
    counts = np.bincount(labels)
    best = int(counts.argmax())
    return best if (counts == counts[best]).sum() == 1 else None


def store_pairs(consensus: Consensus, ballot: Ballot, aggregate: Aggregate) -> None:
    """Put a ballot's outcome in the place of a consensus' pairs and members."""
    votes, posterior = ballot.votes, aggregate.posterior
    strengths = ballot.strengths_behind(aggregate)
    accepted = np.bincount(votes.item[votes.accepted], minlength=votes.items)
    rejected = np.bincount(votes.item[~votes.accepted], minlength=votes.items)
    consensus.pairs.all().delete()
    ConsensusPair.objects.bulk_create(
        ConsensusPair(
            consensus=consensus,
            keyword_id=keyword,
            word_id=word,
            accepted=int(accepted[place]),
            rejected=int(rejected[place]),
            posterior=float(posterior[place]),
            strength=float(strengths[place]),
        )
        for place, (keyword, word) in enumerate(ballot.pairs)
    )
    consensus.members.all().delete()
    agreement = _agreement(votes, posterior)
    ConsensusMember.objects.bulk_create(
        ConsensusMember(
            consensus=consensus,
            annotator_id=annotator,
            votes=int((votes.annotator == place).sum()),
            reliability=float(aggregate.reliability[place]),
            agreement=agreement.get(place),
        )
        for place, annotator in enumerate(ballot.annotators)
    )


def _agreement(votes: Votes, posterior: np.ndarray) -> dict[int, float]:
    """Return the share of each annotator's votes that the consensus shares, ties left out."""
    decided = posterior[votes.item] != 0.5
    agrees = (posterior[votes.item] > 0.5) == votes.accepted
    cast = np.bincount(votes.annotator[decided], minlength=votes.annotators)
    shared = np.bincount(votes.annotator[decided & agrees], minlength=votes.annotators)
    return {place: float(shared[place] / cast[place]) for place in np.flatnonzero(cast).tolist()}


def words_of(ballot: Ballot) -> Mapping[int, Word]:
    """Return the stored words of a ballot's pairs."""
    return Word.objects.in_bulk({word for pair in ballot.pairs for word in pair})


@transaction.atomic
def forget(project: Project) -> None:
    """Delete a project's consensus and its report: too few people are left to have one."""
    report = Report.objects.filter(consensus__project=project).first()
    Consensus.objects.filter(project=project).delete()
    if report is not None:
        report.delete()


def means_of_people(project: Project) -> list[Mapping[str, float]] | None:
    """Return the mean accuracies, by arm, of each person's newest session that counts.

    None while one of these sessions is still to be processed or measured: what a consensus says
    of its people must not depend on which runs end first.
    """
    newest: dict[int, Session] = {}
    for session in sessions_in_consensus(project).order_by("number"):
        newest[session.annotator_id] = session
    reports = [newest[annotator].report_id for annotator in sorted(newest)]
    measured = [report for report in reports if report is not None]
    arms, curve = Q(report_arms__report__in=measured), Q(curve_points__report__in=measured)
    if len(measured) < len(reports) or Run.objects.unfinished().filter(arms | curve).exists():
        return None
    means = report_means(measured)
    return [means.get(report, {}) for report in measured]


def people_with_work(project: Project) -> int:
    """Return how many people have a session that counts."""
    return Annotator.objects.filter(sessions__in=sessions_in_consensus(project)).distinct().count()
