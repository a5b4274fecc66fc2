"""Every cent that is promised or paid through a platform."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum

from tasks.models.hits import Assignment, Platform
from tasks.models.offers import Listing, Mode
from tasks.models.projects import Project


class EntryKind(models.TextChoices):
    REWARD = "reward", "reward"
    BONUS = "bonus", "bonus"
    COMPENSATION = "compensation", "compensation"


class EntryState(models.TextChoices):
    PLANNED = "planned", "planned: promised"
    SENT = "sent", "sent: the platform was told"
    CONFIRMED = "confirmed", "confirmed: the platform says that it is paid"
    FAILED = "failed", "not paid"


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def committed(self) -> LedgerEntryQuerySet:
        """What was paid, or may yet be."""
        return self.exclude(state=EntryState.FAILED)

    def total_cents(self) -> int:
        """What these come to, fees and all."""
        sums = self.aggregate(cents=Sum("cents", default=0), fees=Sum("fee_cents", default=0))
        return int(sums["cents"] + sums["fees"])


class LedgerEntry(models.Model):
    """One payment to one person, with the platform's fee for it.

    A place that is offered has a planned reward from before the platform knows of it; whoever is
    approved takes one over. A place that nobody took ends as not paid.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="ledger")
    platform = models.CharField(max_length=16, choices=Platform.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    listing = models.ForeignKey(
        Listing, models.PROTECT, null=True, blank=True, related_name="ledger"
    )
    assignment = models.ForeignKey(
        Assignment, models.PROTECT, null=True, blank=True, related_name="ledger"
    )
    worker_id = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=16, choices=EntryKind.choices)
    cents = models.PositiveIntegerField(help_text="to the person")
    fee_cents = models.PositiveIntegerField(help_text="to the platform")
    state = models.CharField(max_length=16, choices=EntryState.choices, default=EntryState.PLANNED)
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    reason = models.TextField(blank=True, help_text="as the person reads it")
    note = models.TextField(blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    planned_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="confirmed or not paid")

    objects = LedgerEntryQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "ledger"
        constraints = [
            models.UniqueConstraint(
                fields=["assignment"],
                condition=Q(kind="reward") & ~Q(state="failed"),
                name="ledger_one_reward_an_assignment",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.cents} cents to {self.worker_id or 'whoever takes the place'}"
