"""What platforms are asked, and what they tell: rows that outlive a crash."""

from __future__ import annotations

from django.db import models

from tasks.models.hits import Platform
from tasks.models.offers import Mode


class CallState(models.TextChoices):
    PLANNED = "planned", "planned: not sent, or surely not done"
    SENT = "sent", "sent: what became of it is not known"
    DONE = "done", "done"
    FAILED = "failed", "failed: asking again changes nothing"


class PlatformCall(models.Model):
    """A call that creates or pays something: committed before it is sent."""

    key = models.CharField(max_length=100, unique=True, help_text="what it does, and to what")
    platform = models.CharField(max_length=16, choices=Platform.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    operation = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=CallState.choices, default=CallState.PLANNED)
    attempts = models.PositiveIntegerField(default=0)
    token_made_at = models.DateTimeField(
        null=True, blank=True, help_text="when its token was first used; it lives for a day"
    )
    token_number = models.PositiveSmallIntegerField(default=1)
    sent_at = models.DateTimeField(null=True, blank=True)
    answer = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"


class PlatformEvent(models.Model):
    """A notification, kept once however often it comes. It says where to look, never what is so."""

    platform = models.CharField(max_length=16, choices=Platform.choices)
    event_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=64)
    subject = models.JSONField(help_text="the platform's ids that it names")
    happened_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["platform", "event_id"], name="platform_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
