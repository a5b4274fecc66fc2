"""Who may work: blocks, qualifications, screening; and what people are written."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from tasks.models.hits import HIT, Platform
from tasks.models.offers import Mode
from tasks.models.projects import Project


class Block(models.Model):
    """Somebody who is given no more work, in any project."""

    platform = models.CharField(max_length=16, choices=Platform.choices)
    worker_id = models.CharField(max_length=100)
    reason = models.TextField(help_text="why, for the other managers; the person is not told")
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["platform", "worker_id"]
        constraints = [models.UniqueConstraint(fields=["platform", "worker_id"], name="block_once")]

    def __str__(self) -> str:
        return f"{self.worker_id} ({self.get_platform_display()})"


class QualificationPurpose(models.TextChoices):
    TOOK_PART = "took_part", "took this HIT already"
    INVITED = "invited", "may take this HIT"
    SCREENED = "screened", "passed the project's screening test"


class Qualification(models.Model):
    """A qualification (or participant group) that we made on a platform, for one HIT or project."""

    platform = models.CharField(max_length=16, choices=Platform.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    account = models.CharField(max_length=100, blank=True)
    purpose = models.CharField(max_length=16, choices=QualificationPurpose.choices)
    project = models.ForeignKey(Project, models.CASCADE, related_name="qualifications")
    hit = models.ForeignKey(
        HIT, models.CASCADE, null=True, blank=True, related_name="qualifications"
    )
    name = models.CharField(max_length=200, unique=True, help_text="what it is found by there")
    platform_id = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "mode", "account", "purpose", "hit"],
                condition=models.Q(hit__isnull=False),
                name="qualification_once_a_hit",
            ),
            models.UniqueConstraint(
                fields=["platform", "mode", "account", "purpose", "project"],
                condition=models.Q(hit=None),
                name="qualification_once_a_project",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QualificationHolder(models.Model):
    """Somebody who has a qualification, or is to get it."""

    qualification = models.ForeignKey(Qualification, models.CASCADE, related_name="holders")
    worker_id = models.CharField(max_length=100)
    granted_at = models.DateTimeField(null=True, blank=True, help_text="empty: still to be told")
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["qualification", "worker_id"], name="qualification_holder_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.worker_id}: {self.qualification}"


class Screening(models.Model):
    """What somebody answered in a project's screening test; it is taken once."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="screenings")
    platform = models.CharField(max_length=16, choices=Platform.choices)
    worker_id = models.CharField(max_length=100)
    correct = models.PositiveSmallIntegerField()
    asked = models.PositiveSmallIntegerField()
    passed = models.BooleanField()
    taken_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "platform", "worker_id"], name="screening_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.worker_id}: {self.correct} of {self.asked}"


class Message(models.Model):
    """Something written to people through their platform."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="messages")
    platform = models.CharField(max_length=16, choices=Platform.choices)
    subject = models.CharField(max_length=200)
    text = models.TextField(max_length=4096)
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.subject


class RecipientState(models.TextChoices):
    WAITING = "waiting", "waiting"
    SENDING = "sending", "sending: what became of it is not known"
    SENT = "sent", "sent"
    FAILED = "failed", "failed"


class Recipient(models.Model):
    """A person whom a message is for, and what became of it."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="recipients")
    worker_id = models.CharField(max_length=100)
    state = models.CharField(
        max_length=8, choices=RecipientState.choices, default=RecipientState.WAITING
    )
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["message", "worker_id"], name="recipient_once")
        ]

    def __str__(self) -> str:
        return self.worker_id
