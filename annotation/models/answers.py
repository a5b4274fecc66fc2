"""What annotators answered, looked at and told us."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from annotation.models.sessions import Session
from models_ml.models import Document, Keyword, Side, Word
from tasks.models import Assignment, HITItem


class Verdict(models.TextChoices):
    ACCEPT = "accept", "accept"
    REJECT = "reject", "reject"
    LEAVE = "leave", "left open"


class Choice(models.Model):
    """What all answers have: when they were chosen, and by which letter of a device they came.

    Answers may come late, twice and in any order, so the time of the choice says which is the last.
    """

    chosen_at = models.DateTimeField(default=timezone.now)
    letter = models.UUIDField(null=True, blank=True, help_text="empty: it came as a form")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class JudgementQuerySet(models.QuerySet["Judgement"]):
    def current(self) -> JudgementQuerySet:
        """The latest revision of each answer."""
        return self.filter(is_current=True)

    def answered(self) -> JudgementQuerySet:
        """Latest revisions that say something: accept, reject, or left open on purpose."""
        return self.current().exclude(verdict=Verdict.LEAVE, strength=None)

    def decided(self) -> JudgementQuerySet:
        """Latest revisions that say accept or reject."""
        return self.current().exclude(verdict=Verdict.LEAVE)

    def about_words(self) -> JudgementQuerySet:
        """Those that tell something of words: not of the controls, whose answers were known."""
        return self.filter(is_control=False)


class Judgement(Choice):
    """What an annotator said of one word beside one keyword. Appended, never overwritten."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="judgements")
    keyword = models.ForeignKey(Keyword, models.PROTECT, related_name="judgements")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    strength = models.FloatField(
        null=True,
        blank=True,
        help_text="how strongly, 0 to 1, where the answer form asks it; 0 beside “left open”: on "
        "purpose. models_ml.core.answer_forms has the rule",
    )
    is_added = models.BooleanField(
        default=False, help_text="the annotator brought this word; it was not shown"
    )
    is_control = models.BooleanField(
        default=False, help_text="its answer was known: it measures the person, and moves nothing"
    )
    revision = models.PositiveIntegerField()
    is_current = models.BooleanField(default=True)

    objects = JudgementQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "keyword", "word", "revision"], name="judgement_revision_once"
            ),
            models.UniqueConstraint(
                fields=["session", "keyword", "word"],
                condition=Q(is_current=True),
                name="judgement_one_current",
            ),
            models.CheckConstraint(
                condition=Q(strength=None)
                | Q(strength=0, verdict="leave")
                | Q(strength__gt=0, strength__lte=1) & ~Q(verdict="leave"),
                name="judgement_strength_fits_verdict",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.keyword} – {self.word}: {self.verdict}"

    @property
    def weight(self) -> float:
        """How much a decided answer counts: a plain accept or reject counts in full."""
        return 1.0 if self.strength is None else self.strength


class DocumentLabelQuerySet(models.QuerySet["DocumentLabel"]):
    def current(self) -> DocumentLabelQuerySet:
        """The latest revision of each label, unless it was taken back."""
        return self.filter(is_current=True, is_withdrawn=False)


class DocumentLabel(Choice):
    """The category an annotator gave a document. Appended, never overwritten."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="document_labels")
    document = models.ForeignKey(Document, models.PROTECT, related_name="+")
    label = models.PositiveSmallIntegerField(null=True, help_text="empty: can't tell")
    is_withdrawn = models.BooleanField(default=False, help_text="taken back, and nothing said")
    revision = models.PositiveIntegerField()
    is_current = models.BooleanField(default=True)

    objects = DocumentLabelQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "document", "revision"], name="document_label_revision_once"
            ),
            models.UniqueConstraint(
                fields=["session", "document"],
                condition=Q(is_current=True),
                name="document_label_one_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document}: {self.label}"


class Suggestion(Choice):
    """A word that an annotator would add, but that the vocabulary does not have: it is kept."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="suggestions")
    keyword = models.ForeignKey(Keyword, models.PROTECT, related_name="+")
    side = models.CharField("language", max_length=8, choices=Side.choices)
    text = models.CharField(max_length=100)
    is_withdrawn = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "keyword", "side", "text"], name="suggestion_once"
            )
        ]

    def __str__(self) -> str:
        return self.text


class ContextView(models.Model):
    """That an annotator looked at a word in sentences, and when."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="context_views")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    letter = models.UUIDField(null=True, blank=True)
    opened_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "letter"], name="context_view_once")
        ]

    def __str__(self) -> str:
        return f"{self.word} in sentences"


class ProblemQuerySet(models.QuerySet["Problem"]):
    def unresolved(self) -> ProblemQuerySet:
        """Those that nobody has dealt with yet."""
        return self.filter(resolved_at=None)


class Problem(models.Model):
    """What an annotator reported to the manager, and whether it was dealt with."""

    assignment = models.ForeignKey(Assignment, models.CASCADE, related_name="problems")
    item = models.ForeignKey(
        HITItem,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="the page it is about",
    )
    text = models.TextField(max_length=2000)
    letter = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = ProblemQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["assignment", "letter"], name="problem_once")
        ]

    def __str__(self) -> str:
        return self.text[:60]
