"""How a project is offered on a crowd platform, and what was published there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from tasks.models.hits import HIT, Platform
from tasks.models.projects import Project

if TYPE_CHECKING:
    from datetime import datetime

LARGEST_BATCH = 9  # Mechanical Turk's fee doubles from ten assignments of a HIT on


class Mode(models.TextChoices):
    """Sandbox and live are two markets: nothing of one is ever used in the other."""

    SANDBOX = "sandbox", "sandbox: nobody is paid"
    LIVE = "live", "live: real money"


class Layout(models.TextChoices):
    BATCHES = "batches", f"HITs of up to {LARGEST_BATCH} places, closed to who did one already"
    SINGLE = "single", "one HIT with all places"


class Offer(models.Model):
    """The terms on which a project is offered on one platform."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="offers")
    platform = models.CharField(
        max_length=16,
        choices=[choice for choice in Platform.choices if choice[0] != Platform.DIRECT],
    )
    title = models.CharField(max_length=128, blank=True, help_text="empty: the project's question")
    description = models.TextField(
        max_length=2000, blank=True, help_text="empty: the first lines of the instructions"
    )
    search_words = models.CharField(
        max_length=1000, blank=True, default="words, translation, language, bilingual"
    )
    reward_cents = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="for a HIT, in cents; empty: the hourly pay times the time budget",
    )
    minutes_allowed = models.PositiveIntegerField(
        default=180,
        validators=[MinValueValidator(1), MaxValueValidator(525_600)],
        help_text="from accepting to handing in",
    )
    days_open = models.PositiveSmallIntegerField(
        default=7, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    review_hours = models.PositiveSmallIntegerField(
        default=72,
        validators=[MinValueValidator(0), MaxValueValidator(720)],
        help_text="until the platform approves by itself what nobody has reviewed",
    )
    layout = models.CharField(max_length=16, choices=Layout.choices, default=Layout.BATCHES)
    countries = models.CharField(
        max_length=300,
        blank=True,
        validators=[
            RegexValidator(
                r"^[A-Z]{2}(, ?[A-Z]{2})*$", "Two capital letters a country, such as KE, TZ."
            )
        ],
        help_text="ISO codes of the countries that people may live in; empty: any",
    )
    approval_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(100)],
        help_text="the least share of a person's earlier work that was approved",
    )
    approved_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="the least number of a person's earlier HITs approved"
    )
    needs_masters = models.BooleanField("Masters only", default=False)
    screened_in = models.ForeignKey(
        Project,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="passed the test of",
        help_text="only who passed that project's screening test, on the same platform",
    )

    class Meta:
        ordering = ["project", "platform"]
        constraints = [
            models.UniqueConstraint(fields=["project", "platform"], name="offer_once_a_platform")
        ]

    def __str__(self) -> str:
        return f"{self.project} on {self.get_platform_display()}"

    @property
    def largest_listing(self) -> int | None:
        """The most places that one listing is to have; None for any number.

        Elsewhere than on Mechanical Turk, the fee does not depend on it.
        """
        is_split = self.platform == Platform.MTURK and self.layout == Layout.BATCHES
        return LARGEST_BATCH if is_split else None

    @property
    def country_codes(self) -> list[str]:
        return [code.strip() for code in self.countries.split(",") if code.strip()]


class ListingState(models.TextChoices):
    PLANNED = "planned", "planned: not there yet"
    OPEN = "open", "open"
    CLOSED = "closed", "closed"
    FAILED = "failed", "failed: never came about"


class Purpose(models.TextChoices):
    WORK = "work", "work"
    COMPENSATION = "compensation", "compensation for work that could not be handed in"


def _key() -> str:
    return secrets.token_hex(12)


class Listing(models.Model):
    """One HIT (or study) on a platform: some of the places of one of our HITs.

    The row is committed before the platform is asked; `key` is what it is found by there, whatever
    became of the answer. Mode, endpoint, region and account are those it was made with.
    """

    hit = models.ForeignKey(HIT, models.PROTECT, related_name="listings")
    platform = models.CharField(max_length=16, choices=Platform.choices)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    endpoint = models.CharField(max_length=200)
    region = models.CharField(max_length=32, blank=True)
    account = models.CharField(max_length=100, blank=True)
    key = models.CharField(max_length=32, unique=True, default=_key, editable=False)
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.WORK)
    worker_id = models.CharField(
        max_length=100, blank=True, help_text="the only person who may take it; empty: anybody"
    )
    places = models.PositiveSmallIntegerField()
    reward_cents = models.PositiveIntegerField(help_text="for each place")
    fee_cents = models.PositiveIntegerField(help_text="for each place, to the platform")
    minutes_allowed = models.PositiveIntegerField()
    state = models.CharField(
        max_length=16, choices=ListingState.choices, default=ListingState.PLANNED
    )
    platform_id = models.CharField(max_length=100, blank=True, help_text="its name there")
    group_id = models.CharField(max_length=100, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # What the platform said when it was last asked.
    synced_at = models.DateTimeField(null=True, blank=True)
    status_there = models.CharField(max_length=32, blank=True)
    pending_there = models.PositiveIntegerField(null=True, blank=True)
    available_there = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "mode", "account", "platform_id"],
                condition=~models.Q(platform_id=""),
                name="listing_once_a_platform_id",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="open") | ~models.Q(platform_id=""),
                name="listing_open_is_there",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.platform_id or self.key} ({self.mode}) of {self.hit}"

    @property
    def cost_cents(self) -> int:
        """What all its places cost, with the platform's fee."""
        return self.places * (self.reward_cents + self.fee_cents)

    def is_running(self, now: datetime) -> bool:
        """True while people can still take a place."""
        is_there = self.state in {ListingState.PLANNED, ListingState.OPEN}
        return is_there and (self.expires_at is None or self.expires_at > now)
