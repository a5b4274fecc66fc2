"""What the people of a project say together."""

from __future__ import annotations

from django.db import models

from annotation.models.sessions import Annotator
from models_ml.models import Embedding, Report, Word
from tasks.models import ConsensusMethod, Project


class Consensus(models.Model):
    """What the people of a project say together, and the embedding that it makes."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="consensus")
    method = models.CharField(max_length=16, choices=ConsensusMethod.choices)
    refined = models.ForeignKey(
        Embedding, models.PROTECT, null=True, related_name="+", editable=False
    )
    report = models.OneToOneField(
        Report, models.PROTECT, null=True, related_name="consensus", editable=False
    )
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "consensuses"

    def __str__(self) -> str:
        return f"consensus of {self.project}"


class ConsensusMember(models.Model):
    """An annotator in a consensus, and how far the votes say that they can be relied on."""

    consensus = models.ForeignKey(Consensus, models.CASCADE, related_name="members")
    annotator = models.ForeignKey(Annotator, models.PROTECT, related_name="+")
    votes = models.PositiveIntegerField()
    reliability = models.FloatField(help_text="probability that a vote is right, by the method")
    agreement = models.FloatField(null=True, help_text="share of votes that the consensus shares")

    class Meta:
        ordering = ["consensus", "-reliability", "id"]
        constraints = [
            models.UniqueConstraint(fields=["consensus", "annotator"], name="member_once")
        ]

    def __str__(self) -> str:
        return f"{self.annotator}: {self.reliability:.2f}"


class ConsensusPair(models.Model):
    """What all said of one word beside one keyword."""

    consensus = models.ForeignKey(Consensus, models.CASCADE, related_name="pairs")
    keyword = models.ForeignKey(Word, models.PROTECT, related_name="+")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    accepted = models.PositiveIntegerField()
    rejected = models.PositiveIntegerField()
    posterior = models.FloatField(help_text="probability that it is to be accepted")
    strength = models.FloatField(
        default=1, help_text="mean strength of the votes for what it came to, 0 to 1"
    )

    class Meta:
        ordering = ["consensus", "id"]
        constraints = [
            models.UniqueConstraint(fields=["consensus", "keyword", "word"], name="pair_once")
        ]

    def __str__(self) -> str:
        return f"{self.keyword} – {self.word}: {self.posterior:.2f}"

    @property
    def is_conflict(self) -> bool:
        """True where people contradicted one another."""
        return bool(self.accepted and self.rejected)
