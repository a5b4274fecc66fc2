"""What people said, from the rows of the apps to what the numerical core takes.

Used by pipeline.py and measuring.py alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotation import consensus
from annotation.models import (
    Consensus,
    DocumentLabel,
    Judgement,
    Session,
    SessionState,
    Verdict,
)
from models_ml import refining
from models_ml.core import aggregation
from models_ml.core.constraints import ACCEPTED, REJECTED, Constraint
from models_ml.models import Embedding, Word
from tasks.models import Project, RefineFrom


@dataclass(frozen=True)
class Said:
    """What somebody, or all together, answered.

    constraints: keyword by keyword, the first asked first. labels: (document, label).
    """

    constraints: Sequence[Constraint]
    labels: Sequence[tuple[int, int]]

    @property
    def keywords(self) -> list[int]:
        """The word ids of keywords with a decided answer, the first asked first."""
        return list(dict.fromkeys(c.keyword for c in self.constraints))

    def first(self, keywords: int) -> list[Constraint]:
        """Return the constraints of the first keywords."""
        chosen = set(self.keywords[:keywords])
        return [c for c in self.constraints if c.keyword in chosen]


def constraints_of(sessions: Session | QuerySet[Session]) -> list[Constraint]:
    """Return what sessions accepted (+1) and rejected (-1), weighed by how strongly they said it.

    In the order in which keywords were asked. Of a pair decided in several sessions the last
    decision stands; what was said of controls is left out.
    """
    given = Judgement.objects.filter(session__in=_as_queryset(sessions)).decided().about_words()
    latest: dict[tuple[int, int], Constraint] = {}
    rows = given.select_related("keyword__word", "word", "session__project__embedding")
    for judgement in rows.order_by("session__number", "keyword__position", "id"):
        embedding = judgement.session.project.embedding
        ends = (
            refining.word_id(embedding, judgement.keyword.word),
            refining.word_id(embedding, judgement.word),
        )
        sign = ACCEPTED if judgement.verdict == Verdict.ACCEPT else REJECTED
        latest[ends] = Constraint(*ends, sign, judgement.weight)
    return list(latest.values())


def constraints_of_ballot(
    project: Project, ballot: consensus.Ballot, aggregate: aggregation.Aggregate
) -> list[Constraint]:
    """Return a consensus as constraints: each pair by the surer side.

    Weighed by how sure that is, times how strongly those on that side said it.
    """
    words = consensus.words_of(ballot)
    pairs = [(words[keyword], words[word]) for keyword, word in ballot.pairs]
    weights = aggregation.constraint_weights(aggregate.posterior)
    return _weighted(project.embedding, pairs, weights * ballot.strengths_behind(aggregate))


def constraints_of_consensus(held: Consensus) -> list[Constraint]:
    """Return the constraints that a stored consensus was made of, by its pairs."""
    rows = list(held.pairs.select_related("keyword", "word").order_by("id"))
    weights = aggregation.constraint_weights(np.array([row.posterior for row in rows]))
    strengths = np.array([row.strength for row in rows])
    pairs = [(row.keyword, row.word) for row in rows]
    return _weighted(held.project.embedding, pairs, weights * strengths)


def _weighted(
    embedding: Embedding, pairs: Iterable[tuple[Word, Word]], weights: NDArray[np.float64]
) -> list[Constraint]:
    return [
        Constraint(
            refining.word_id(embedding, keyword),
            refining.word_id(embedding, word),
            ACCEPTED if weight > 0 else REJECTED,
            abs(float(weight)),
        )
        for (keyword, word), weight in zip(pairs, weights, strict=True)
        if weight
    ]


def labels_of(sessions: Session | QuerySet[Session]) -> list[tuple[int, int]]:
    """Return (document, label) for each document that sessions labelled, the last word each."""
    given = DocumentLabel.objects.current().filter(
        session__in=_as_queryset(sessions), label__isnull=False
    )
    rows = given.order_by("session__number", "id").values_list("document", "label")
    return list({document: int(label or 0) for document, label in rows}.items())


def _as_queryset(sessions: Session | QuerySet[Session]) -> QuerySet[Session]:
    if isinstance(sessions, Session):
        return Session.objects.filter(pk=sessions.pk)
    return sessions.order_by()


def what_counts(session: Session) -> tuple[Embedding, Said]:
    """Return the vectors that a session's refinement starts from, and the answers that it is of.

    By default the base vectors and all that the person ever said in the project; as an option
    their last refinement and what is new. Documents labelled are never forgotten.
    """
    # A preview asks for a session that is still open.
    sessions = session.up_to_now() | Session.objects.filter(pk=session.pk)
    base = session.project.embedding
    if session.project.refine_from == RefineFrom.BASE:
        return base, Said(constraints_of(sessions), labels_of(sessions))
    earlier = sessions.exclude(pk=session.pk).filter(refined__isnull=False).last()
    parent = earlier.refined if earlier and earlier.refined else base
    return parent, Said(constraints_of(session), labels_of(sessions))


def answered_words(session: Session) -> set[int]:
    """Return the keywords' words that a person has answered in the project by now.

    Somebody who left all words of a keyword open on purpose is not asked about it again.
    """
    sessions = session.up_to_now().order_by()
    answered = Judgement.objects.filter(session__in=sessions).answered().about_words()
    return set(answered.values_list("keyword__word", flat=True))


def newest_judgement(session: Session) -> int:
    """Return the id of an open session's last judgement; 0 where there is none."""
    judgements = Judgement.objects.filter(session=session, session__state=SessionState.OPEN)
    return judgements.order_by("-id").values_list("id", flat=True).first() or 0
