"""Annotators, their sessions, and everything they answered."""

from annotation.models.answers import (
    ContextView,
    DocumentLabel,
    DocumentLabelQuerySet,
    Judgement,
    JudgementQuerySet,
    Problem,
    Suggestion,
    Verdict,
)
from annotation.models.consensus import Consensus, ConsensusMember, ConsensusPair
from annotation.models.sessions import (
    Annotator,
    OpenedKeyword,
    PolicyDecision,
    Preview,
    Session,
    SessionNeighbour,
    SessionQuerySet,
    SessionState,
)

__all__ = [
    "Annotator",
    "Consensus",
    "ConsensusMember",
    "ConsensusPair",
    "ContextView",
    "DocumentLabel",
    "DocumentLabelQuerySet",
    "Judgement",
    "JudgementQuerySet",
    "OpenedKeyword",
    "PolicyDecision",
    "Preview",
    "Problem",
    "Session",
    "SessionNeighbour",
    "SessionQuerySet",
    "SessionState",
    "Suggestion",
    "Verdict",
]
