"""Annotators and their sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast
from django.utils import timezone

from models_ml.models import Embedding, Keyword, Neighbour, Report, Word
from tasks.models import (
    HIT,
    Assignment,
    AssignmentState,
    Block,
    ConsentVersion,
    Control,
    HITItem,
    Platform,
    Project,
    ProjectState,
)


class Annotator(models.Model):
    """A person, as a platform knows them."""

    platform = models.CharField(max_length=16, choices=Platform.choices)
    worker_id = models.CharField(max_length=100)
    language = models.CharField(
        max_length=10, blank=True, help_text="in which they read the pages, by their own choice"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "worker_id"], name="annotator_once")
        ]

    def __str__(self) -> str:
        return self.worker_id


class SessionState(models.TextChoices):
    OPEN = "open", "open"
    SUBMITTED = "submitted", "submitted"


class SessionQuerySet(models.QuerySet["Session"]):
    def of(self, assignment: Assignment) -> SessionQuerySet:
        """The session that an assignment belongs to; there is none before its annotator agreed."""
        return self.filter(
            project_id=assignment.hit.project_id,
            number=assignment.hit.session_number,
            annotator__platform=assignment.hit.platform,
            annotator__worker_id=assignment.worker_id,
        )

    def abandoned(self) -> SessionQuerySet:
        """Open sessions with a submitted assignment and none that can still be worked on.

        On a crowd platform people take one HIT of a session after the other: a session with more on
        offer to its annotator waits for the project's hours after the last submission.
        """
        theirs = Assignment.objects.filter(
            hit__project=OuterRef("project"),
            hit__session_number=OuterRef("number"),
            hit__platform=OuterRef("annotator__platform"),
            worker_id=OuterRef("annotator__worker_id"),
        )
        unfinished = theirs.filter(state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE])
        submitted = theirs.filter(state=AssignmentState.SUBMITTED)
        now = timezone.now()
        hours = Cast("hit__project__session_hours", models.IntegerField())
        waits_for = models.ExpressionWrapper(
            hours * Value(timedelta(hours=1)), output_field=models.DurationField()
        )
        lately = submitted.annotate(waits_for=waits_for).filter(
            submitted_at__gt=models.ExpressionWrapper(
                Value(now) - F("waits_for"), output_field=models.DateTimeField()
            )
        )
        more = HIT.objects.exclude(platform=Platform.DIRECT).filter(
            project=OuterRef("project"),
            session_number=OuterRef("number"),
            platform=OuterRef("annotator__platform"),
        )
        is_waited_for = Exists(lately) & Exists(
            more.on_offer_to(OuterRef("annotator__worker_id"), now)
        )
        return self.filter(
            ~is_waited_for, Exists(submitted), ~Exists(unfinished), state=SessionState.OPEN
        )


class Session(models.Model):
    """An annotator's n-th pass over a project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="sessions")
    annotator = models.ForeignKey(Annotator, models.PROTECT, related_name="sessions")
    number = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=16, choices=SessionState.choices, default=SessionState.OPEN)
    consented_at = models.DateTimeField(null=True, blank=True)
    consent = models.ForeignKey(
        ConsentVersion, models.RESTRICT, null=True, blank=True, related_name="sessions"
    )
    practised_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True, help_text="a break is taken since then")
    gap_began_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="the last silence that was not counted as work, to be filled by late signs of it",
    )
    gap_ended_at = models.DateTimeField(null=True, blank=True)
    active_seconds = models.FloatField(
        default=0, help_text="time at work: gaps of over a minute are not counted"
    )
    document_seconds = models.FloatField(
        default=0, help_text="the part of the active seconds that went to documents"
    )
    contexts_opened = models.PositiveIntegerField(
        default=0,
        help_text="how often words were looked at in sentences, a sign of care; "
        "which and when is in its context views",
    )
    submitted_at = models.DateTimeField(null=True, blank=True)
    excluded_at = models.DateTimeField(
        null=True, blank=True, help_text="left out of the consensus since then, by a person"
    )
    excluded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    refined = models.ForeignKey(
        Embedding, models.PROTECT, null=True, blank=True, related_name="sessions", editable=False
    )
    report = models.OneToOneField(
        Report, models.PROTECT, null=True, blank=True, related_name="session", editable=False
    )

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "annotator", "number"], name="session_once"),
            models.CheckConstraint(
                condition=Q(state="submitted", submitted_at__isnull=False)
                | Q(state="open", submitted_at=None),
                name="session_submitted_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator}, session {self.number} of {self.project}"

    @property
    def active_minutes(self) -> float:
        return self.active_seconds / 60

    @property
    def has_next(self) -> bool:
        """True where the project offers its annotator another session after this one."""
        project, person = self.project, self.annotator
        if self.number >= project.session_count or project.state != ProjectState.OPEN:
            return False
        blocks = Block.objects.filter(platform=person.platform, worker_id=person.worker_id)
        return not blocks.exists()

    def up_to_now(self) -> SessionQuerySet:
        """The submitted sessions of the same person in the project, this one the last."""
        return Session.objects.filter(
            project=self.project_id,
            annotator=self.annotator_id,
            number__lte=self.number,
            state=SessionState.SUBMITTED,
        ).order_by("number")

    def words_beside(self, keyword: Keyword) -> list[Word]:
        """Return what the annotator is shown beside a keyword, nearest first in each language: the
        session's own neighbours where it has some, or else the ranking's, and the controls among
        them.
        """
        near = self._neighbours_of(keyword).order_by("position", "id")
        words = [n.word for n in near.select_related("word")]
        controls = Control.objects.filter(project=self.project_id, keyword=keyword)
        for control in controls.select_related("word").order_by("position", "id"):
            words = _with_control(words, control)
        return words

    def word_ids_beside(self, keyword: Keyword) -> set[int]:
        """Return the ids of the words that `words_beside` has, at a third of the cost."""
        near = self._neighbours_of(keyword).order_by().values_list("word", flat=True)
        controls = Control.objects.filter(project=self.project_id, keyword=keyword).order_by()
        return set(near.union(controls.values_list("word", flat=True)))

    def _neighbours_of(
        self, keyword: Keyword
    ) -> models.QuerySet[SessionNeighbour] | models.QuerySet[Neighbour]:
        own = self.neighbours.filter(keyword=keyword) if self.project.live else None
        return own if own is not None and own.exists() else keyword.neighbours.all()

    def unopened_keywords(self) -> models.QuerySet[Keyword]:
        """The keywords of the session that its annotator has neither opened nor judged."""
        items = HITItem.objects.filter(
            hit__project=self.project_id,
            hit__session_number=self.number,
            hit__worker_id__in=["", self.annotator.worker_id],
            keyword__isnull=False,
        )
        return (
            Keyword.objects.filter(pk__in=items.values("keyword"))
            .exclude(pk__in=self.opened_keywords.values("keyword"))
            .exclude(pk__in=self.judgements.values("keyword"))
        )


def _with_control(words: Sequence[Word], control: Control) -> list[Word]:
    """Return words with a control at its position among those of its language.

    A live session may find the control's word near by itself; it stands there once.
    """
    others = [word for word in words if word.pk != control.word_id]
    language = control.word.vocabulary_id
    places = [place for place, word in enumerate(others) if word.vocabulary_id == language]
    at = [*places, len(others)][min(control.position - 1, len(places))]
    return [*others[:at], control.word, *others[at:]]


class OpenedKeyword(models.Model):
    """A keyword whose page a live session's annotator opened: what it shows stays from then on.

    Not when it was opened: the consent text names the times of answers alone.
    """

    session = models.ForeignKey(Session, models.CASCADE, related_name="opened_keywords")
    keyword = models.ForeignKey(Keyword, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "keyword"], name="opened_keyword_once")
        ]

    def __str__(self) -> str:
        return f"{self.keyword}, opened in session {self.session_id}"


class SessionNeighbour(models.Model):
    """A word near a keyword in the vectors as a live session's answers have made them."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="neighbours")
    keyword = models.ForeignKey(Keyword, models.CASCADE, related_name="+")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(help_text="1 is the nearest in its language")
    cosine = models.FloatField()

    class Meta:
        ordering = ["session", "keyword", "word__vocabulary", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "keyword", "word"], name="session_neighbour_once"
            )
        ]

    def __str__(self) -> str:
        return self.word.text


class Preview(models.Model):
    """What an open session would have bought, had it ended at a moment: the newest one."""

    session = models.OneToOneField(Session, models.CASCADE, related_name="preview")
    keywords = models.PositiveSmallIntegerField(help_text="answered by then")
    constraints = models.PositiveIntegerField()
    seeds = models.PositiveSmallIntegerField()
    mean = models.FloatField(help_text="accuracy, 0 to 1")
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    made_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"session {self.session_id} after {self.keywords} keywords: {self.mean:.1%}"


class PolicyDecision(models.Model):
    """What an adaptive session was asked next, and why."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="decisions")
    block = models.PositiveSmallIntegerField(help_text="the batch that it chose")
    kind = models.CharField(
        max_length=16, choices=[("keyword", "keyword"), ("document", "document")]
    )
    reason = models.TextField()
    evidence = models.JSONField(help_text="what the decision was made of, seed included")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["session", "block"]
        constraints = [
            models.UniqueConstraint(fields=["session", "block"], name="decision_once_a_block")
        ]

    def __str__(self) -> str:
        return f"block {self.block} of session {self.session_id}: {self.kind}s"
