"""Admin pages of annotators, their sessions and what they answered."""

from annotation.admin.answers import (
    ContextViewAdmin,
    DocumentLabelAdmin,
    JudgementAdmin,
    SuggestionAdmin,
)
from annotation.admin.consensus import ConsensusAdmin, ConsensusPairAdmin
from annotation.admin.problems import ProblemAdmin
from annotation.admin.sessions import AnnotatorAdmin, PolicyDecisionAdmin, SessionAdmin

__all__ = [
    "AnnotatorAdmin",
    "ConsensusAdmin",
    "ConsensusPairAdmin",
    "ContextViewAdmin",
    "DocumentLabelAdmin",
    "JudgementAdmin",
    "PolicyDecisionAdmin",
    "ProblemAdmin",
    "SessionAdmin",
    "SuggestionAdmin",
]
