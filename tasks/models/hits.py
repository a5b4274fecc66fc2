"""The HITs made from projects, and who took which."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from models_ml.models import Document, Keyword, Word
from tasks.models.projects import Project


class Platform(models.TextChoices):
    DIRECT = "direct", "direct link"
    MTURK = "mturk", "Mechanical Turk"
    PROLIFIC = "prolific", "Prolific"


class HITQuerySet(models.QuerySet["HIT"]):
    def of_session(self, hit: HIT) -> HITQuerySet:
        """The HITs of the session that a HIT is part of."""
        return self.filter(
            project=hit.project_id,
            session_number=hit.session_number,
            platform=hit.platform,
            worker_id=hit.worker_id,
        )

    def on_offer_to(self, worker_id: str | OuterRef, now: datetime) -> HITQuerySet:
        """The HITs that a person can still take on a crowd platform, or has taken and not ended."""
        theirs = Assignment.objects.filter(hit=OuterRef("pk"), worker_id=_one_out(worker_id))
        unfinished = theirs.filter(state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE])
        submitted = theirs.filter(state=AssignmentState.SUBMITTED)
        is_running = Q(listings__state__in=["planned", "open"], project__state="open") & (
            Q(listings__expires_at=None) | Q(listings__expires_at__gt=now)
        )
        return self.filter(
            Q(Exists(unfinished)) | is_running & ~Exists(submitted),
            worker_id__in=["", worker_id],
            items__isnull=False,  # a compensation asks nothing
        )


def _one_out(value: str | OuterRef) -> str | OuterRef:
    """Return a value, or a reference to an outer row, as a query within another one names it."""
    return OuterRef(value) if isinstance(value, OuterRef) else value


class HIT(models.Model):
    """One unit of work: a batch of keywords and documents, offered to several annotators."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="hits")
    session_number = models.PositiveSmallIntegerField(default=1)
    worker_id = models.CharField(
        max_length=100, blank=True, help_text="the only person who may take it; empty: anybody"
    )
    batch = models.PositiveSmallIntegerField(default=1)
    platform = models.CharField(max_length=16, choices=Platform.choices, default=Platform.DIRECT)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HITQuerySet.as_manager()

    class Meta:
        verbose_name = "HIT"
        verbose_name_plural = "HITs"
        ordering = ["project", "session_number", "worker_id", "batch"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "session_number", "platform", "worker_id", "batch"],
                name="hit_batch_once",
            )
        ]

    def __str__(self) -> str:
        whose = f" · {self.worker_id}" if self.worker_id else ""
        return f"{self.project} · session {self.session_number}{whose} · batch {self.batch}"


class HITItem(models.Model):
    """A keyword or a document in a HIT, in the order in which it is asked."""

    hit = models.ForeignKey(HIT, models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField(help_text="1 is asked first")
    keyword = models.ForeignKey(Keyword, models.PROTECT, null=True, blank=True, related_name="+")
    document = models.ForeignKey(Document, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["hit", "position"]
        constraints = [
            models.UniqueConstraint(fields=["hit", "position"], name="item_position_once"),
            models.CheckConstraint(
                condition=Q(keyword__isnull=False, document=None)
                | Q(keyword=None, document__isnull=False),
                name="item_is_keyword_or_document",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.keyword or self.document}"


class ControlKind(models.TextChoices):
    IDENTICAL = "identical", "identical word"
    TRANSLATION = "translation", "known translation"
    RANDOM = "random", "far random word"


class Control(models.Model):
    """A word put beside a keyword although its answer is known: it measures people, not words."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="controls")
    keyword = models.ForeignKey(Keyword, models.CASCADE, related_name="+")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=ControlKind.choices)
    position = models.PositiveSmallIntegerField(help_text="among the words of its language")

    class Meta:
        ordering = ["project", "keyword", "position"]
        constraints = [
            models.UniqueConstraint(fields=["project", "keyword", "word"], name="control_word_once")
        ]

    def __str__(self) -> str:
        return f"{self.word} beside {self.keyword} ({self.get_kind_display()})"

    @property
    def is_to_be_accepted(self) -> bool:
        return self.kind != ControlKind.RANDOM


class AssignmentState(models.TextChoices):
    OFFERED = "offered", "offered: link made"
    ACTIVE = "active", "active: opened"
    SUBMITTED = "submitted", "submitted"
    EXPIRED = "expired", "expired"
    REVOKED = "revoked", "revoked"
    RETURNED = "returned", "returned: given back on the platform"


class StatusThere(models.TextChoices):
    """What a platform says of an assignment; empty where it has said nothing."""

    SUBMITTED = "submitted", "submitted"
    APPROVED = "approved", "approved"
    REJECTED = "rejected", "rejected"
    RETURNED = "returned", "returned"


class Decision(models.TextChoices):
    APPROVE = "approve", "approve"
    REJECT = "reject", "reject"


def _completion_code() -> str:
    # No vowels, no look-alikes: read out on the phone without spelling a word.
    return "".join(secrets.choice("BCDFGHJKMNPQRTVWXZ2346789") for _ in range(8))


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def holding_a_place(self) -> AssignmentQuerySet:
        """Assignments that count against their HIT's overlap."""
        return self.filter(
            state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE, AssignmentState.SUBMITTED]
        )

    def of_session(self, assignment: Assignment) -> AssignmentQuerySet:
        """The same person's assignments of the session that one is part of."""
        hit = assignment.hit
        return self.filter(
            hit__project=hit.project_id,
            hit__session_number=hit.session_number,
            hit__platform=hit.platform,
            worker_id=assignment.worker_id,
        )

    def overdue(self, now: datetime) -> AssignmentQuerySet:
        return self.filter(
            state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE], expires_at__lte=now
        )


class Assignment(models.Model):
    """One annotator's take of a HIT."""

    hit = models.ForeignKey(HIT, models.CASCADE, related_name="assignments")
    worker_id = models.CharField(max_length=100, help_text="who it is, in the platform's words")
    state = models.CharField(
        max_length=16, choices=AssignmentState.choices, default=AssignmentState.OFFERED
    )
    link_version = models.PositiveIntegerField(
        default=1, help_text="raised when a link is made anew; older links then end"
    )
    completion_code = models.CharField(max_length=16, default=_completion_code, editable=False)
    opens_at = models.DateTimeField(
        null=True, blank=True, help_text="the pause before a later session ends then"
    )
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True, help_text="finished here")

    # Of those who come from a platform. *Finished here* and *submitted there* are two facts.
    listing = models.ForeignKey(
        "tasks.Listing", models.PROTECT, null=True, blank=True, related_name="assignments"
    )
    platform_id = models.CharField(
        max_length=100,
        blank=True,
        help_text="its name there; after a return, the same can go to another person",
    )
    submit_to = models.CharField(
        max_length=200, blank=True, help_text="the platform's origin that the finished work goes to"
    )
    arrived_at = models.DateTimeField(null=True, blank=True)
    status_there = models.CharField(max_length=16, choices=StatusThere.choices, blank=True)
    submitted_there_at = models.DateTimeField(null=True, blank=True)
    approves_itself_at = models.DateTimeField(
        null=True, blank=True, help_text="when the platform approves what nobody has reviewed"
    )
    decision = models.CharField(
        max_length=8, choices=Decision.choices, blank=True, help_text="a person's"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    feedback = models.TextField(blank=True, help_text="what the person is told with the decision")
    note = models.TextField(blank=True, help_text="what does not fit what the platform says")

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["hit", "worker_id"], name="assignment_once_a_worker"),
            models.CheckConstraint(
                condition=Q(state="submitted", submitted_at__isnull=False) | ~Q(state="submitted"),
                name="assignment_submitted_has_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["platform_id"],
                condition=~Q(platform_id=""),
                name="assignment_platform_id",
            )
        ]

    def __str__(self) -> str:
        return f"{self.worker_id} on {self.hit}"

    @property
    def is_open(self) -> bool:
        """True while its annotator may answer."""
        return self.is_held and not self.is_resting

    @property
    def is_held(self) -> bool:
        """True while its annotator may answer, now or after a pause."""
        return (
            self.state in {AssignmentState.OFFERED, AssignmentState.ACTIVE}
            and self.expires_at > timezone.now()
        )

    @property
    def state_now(self) -> str:
        """The state; one whose time is over has expired, whether or not that was noted yet."""
        is_unfinished = self.state in {AssignmentState.OFFERED, AssignmentState.ACTIVE}
        return AssignmentState.EXPIRED if is_unfinished and not self.is_held else self.state

    @property
    def is_resting(self) -> bool:
        """True during the pause before a later session."""
        return self.opens_at is not None and self.opens_at > timezone.now()
