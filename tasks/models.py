"""Projects, the HITs made from them, and who took which."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from models_ml.models import Artefact, Corpus, Document, Embedding, Keyword, Ranking, Run, Word


class ClassifierKind(models.TextChoices):
    CNN = "cnn", "Kim-CNN (as in the paper)"
    DAN = "dan", "deep averaging network"
    LOGISTIC = "logistic", "logistic regression"


class RefinementMethod(models.TextChoices):
    REALIGN_SPECTRAL = "realign_spectral", "realign, then spectral on the annotated words"
    REALIGN = "realign", "realign (turns the target side, where that is sure to help)"
    SPECTRAL = "spectral", "spectral (Eq. 3–5 on a normalised graph, exact)"
    CODE_SWITCH = "code_switch", "code-switch (training texts with accepted words)"
    PAPER = "paper", "paper (Eq. 3–5, Adam)"


# Beside each method, λ must be above this; models_ml.core.refinement says why.
LEAST_REGULARIZATION: dict[str, float] = {
    RefinementMethod.REALIGN: 0.0,
    RefinementMethod.REALIGN_SPECTRAL: 0.5,
    RefinementMethod.SPECTRAL: 0.5,
}


# The methods that can refine while a session is open; models_ml.core.live holds them.
LIVE_METHODS = (
    RefinementMethod.REALIGN,
    RefinementMethod.REALIGN_SPECTRAL,
    RefinementMethod.SPECTRAL,
)


class RefineFrom(models.TextChoices):
    BASE = "base", "the base vectors, by all that the person said"
    LAST = "last", "the person's last refinement, by what the new session says"


class ConsensusMethod(models.TextChoices):
    ONE_COIN = "one_coin", "one-coin EM (an accuracy a person)"
    MAJORITY = "majority", "majority"
    WEIGHTED = "weighted", "vote weighted by agreement"
    DAWID_SKENE = "dawid_skene", "Dawid–Skene (a confusion a person)"
    MACE = "mace", "MACE (a person knows or guesses)"


class DocumentStrategy(models.TextChoices):
    ENTROPY = "entropy", "entropy: the classifier is least sure"
    MARGIN = "margin", "margin: two categories are nearly equal"
    RANDOM = "random", "random"


class ProjectState(models.TextChoices):
    DRAFT = "draft", "draft: not prepared yet"
    OPEN = "open", "open: annotators can work"
    CLOSED = "closed", "closed: no new links"


DEFAULT_QUESTION = "Which words are likely to appear in the same category as this word?"
DEFAULT_INSTRUCTIONS = (
    "You will see one word at a time, with words from two languages beside it. Accept a word when "
    "it points to the same category as the word on top; reject it when it points elsewhere; leave "
    "it when you are not sure. If the right translation is missing, add it."
)
DEFAULT_CONSENT = (
    "Your answers are used to improve a computer program that sorts texts. We store your answers, "
    "when you gave them and how often you looked at example sentences, and nothing else about you. "
    "You may stop at any time."
)


class Project(models.Model):
    """One text-classification task over one language pair."""

    name = models.CharField(max_length=200)
    slug = models.SlugField(unique=True)
    state = models.CharField(
        max_length=16, choices=ProjectState.choices, default=ProjectState.DRAFT
    )
    embedding = models.ForeignKey(Embedding, models.PROTECT, related_name="projects")
    train_corpus = models.ForeignKey(Corpus, models.PROTECT, related_name="+")
    test_corpus = models.ForeignKey(Corpus, models.PROTECT, related_name="+", null=True, blank=True)
    pool_corpus = models.ForeignKey(Corpus, models.PROTECT, related_name="+", null=True, blank=True)
    annotator_file = models.ForeignKey(
        Artefact,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        help_text="what simulated annotators know; only for trying the system out",
    )

    question = models.CharField(max_length=300, default=DEFAULT_QUESTION)
    instructions = models.TextField(default=DEFAULT_INSTRUCTIONS)
    consent = models.TextField(default=DEFAULT_CONSENT)

    keyword_count = models.PositiveSmallIntegerField(
        "keywords", default=50, help_text="keywords in a session"
    )
    neighbour_count = models.PositiveSmallIntegerField(
        "neighbours",
        default=5,
        help_text="shown for each keyword, in each language",
        validators=[MinValueValidator(1), MaxValueValidator(20)],
    )
    document_count = models.PositiveSmallIntegerField(
        "documents", default=0, help_text="target documents to label in a session"
    )
    batch_size = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="keywords and documents in one HIT; empty: all in one",
    )
    overlap = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1)],
        help_text="how many annotators answer each HIT",
    )
    session_hours = models.PositiveSmallIntegerField(
        default=168,
        validators=[MinValueValidator(1)],
        help_text="hours from the making of a link until it expires",
    )

    session_count = models.PositiveSmallIntegerField(
        "sessions",
        default=1,
        validators=[MinValueValidator(1)],
        help_text="offered to each annotator, one after the other",
    )
    pause_hours = models.PositiveSmallIntegerField(
        default=0, help_text="hours of rest before the next session opens"
    )
    repeats_keywords = models.BooleanField(
        default=False,
        help_text="later sessions may ask about keywords again that the person has answered",
    )
    is_adaptive = models.BooleanField(
        "adaptive mix",
        default=False,
        help_text="after each block (the batch size) of a session, decide by what past sessions "
        "gained whether keywords or documents are worth more per second. A session asks as many "
        "in all as keywords and documents together",
    )
    document_strategy = models.CharField(
        max_length=16, choices=DocumentStrategy.choices, default=DocumentStrategy.ENTROPY
    )
    is_diverse = models.BooleanField(
        "diverse documents",
        default=False,
        help_text="rather documents unlike one another, for pools full of near copies; elsewhere "
        "it gained nothing sure",
    )
    hourly_pay = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="what an annotator's hour costs, for the reports; nothing is paid by it",
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator("^[A-Z]{3}$", "Three capital letters, such as USD.")],
    )

    control_identical = models.PositiveSmallIntegerField(
        "identical words",
        default=0,
        help_text="control words in a session: the keyword's own spelling in the other language",
    )
    control_translations = models.PositiveSmallIntegerField(
        "known translations", default=0, help_text="control words in a session, from the list below"
    )
    control_random = models.PositiveSmallIntegerField(
        "far random words", default=0, help_text="control words in a session, to be rejected"
    )
    known_translations = models.TextField(
        blank=True, help_text="a pair a line, with a tab between: source word, target word"
    )
    fastest_answer_s = models.FloatField(
        "fastest careful answer",
        default=0.8,
        validators=[MinValueValidator(0)],
        help_text="seconds; sessions whose answers came quicker than this are pointed out",
    )

    consensus_method = models.CharField(
        max_length=16, choices=ConsensusMethod.choices, default=ConsensusMethod.ONE_COIN
    )
    consensus_delay_s = models.PositiveIntegerField(
        default=60, help_text="seconds that the consensus waits for more sessions to arrive"
    )

    classifier = models.CharField(
        max_length=16, choices=ClassifierKind.choices, default=ClassifierKind.CNN
    )
    seeds = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1)],
        help_text="classifiers trained for each accuracy",
    )
    method = models.CharField(
        max_length=16, choices=RefinementMethod.choices, default=RefinementMethod.REALIGN_SPECTRAL
    )
    regularization = models.FloatField(
        "regularization λ",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0)],
        help_text="how strongly vectors are held where they are; empty: the method's own (for "
        "realign, the one that held-out judgements speak for)",
    )
    refine_from = models.CharField(
        max_length=8,
        choices=RefineFrom.choices,
        default=RefineFrom.BASE,
        help_text="of a person's second and later sessions",
    )
    curve_step = models.PositiveSmallIntegerField(
        default=10,
        help_text="accuracy is also measured after each so many keywords; 0: only at the end",
    )
    curve_seeds = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1)],
        help_text="classifiers trained for each point on the way",
    )
    learning_rate = models.FloatField(
        default=0.001, validators=[MinValueValidator(1e-9)], help_text="of the paper's method alone"
    )
    iterations = models.PositiveIntegerField(
        default=10_000, validators=[MinValueValidator(1)], help_text="of the paper's method alone"
    )
    live = models.BooleanField(
        default=False,
        help_text="refine while a session is open: keywords that an annotator has not opened yet "
        "then show neighbours in the vectors as their answers so far make them. Off, as in the "
        "paper: all at the end",
    )

    ranking = models.ForeignKey(
        Ranking, models.PROTECT, related_name="+", null=True, blank=True, editable=False
    )
    base_run = models.ForeignKey(
        Run, models.PROTECT, related_name="+", null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(neighbour_count__gte=1, neighbour_count__lte=20),
                name="project_neighbours_1_to_20",
            ),
            models.CheckConstraint(
                condition=Q(keyword_count__gte=1) | Q(document_count__gte=1),
                name="project_asks_something",
            ),
            models.CheckConstraint(condition=Q(overlap__gte=1), name="project_overlap_positive"),
            models.CheckConstraint(condition=Q(seeds__gte=1), name="project_seeds_positive"),
            models.CheckConstraint(
                condition=Q(session_count__gte=1), name="project_sessions_positive"
            ),
            models.CheckConstraint(
                condition=Q(is_adaptive=False)
                | Q(batch_size__isnull=False, document_count__gte=1, keyword_count__gte=1),
                name="project_adaptive_has_blocks_of_both",
            ),
            models.CheckConstraint(
                condition=Q(live=False) | Q(method__in=["realign", "realign_spectral", "spectral"]),
                name="project_live_method",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def first_hit(self) -> HIT | None:
        """The HIT that anybody begins with; there is none before the project was prepared."""
        return self.hits.filter(session_number=1, worker_id="").order_by("batch").first()

    @property
    def session_size(self) -> int:
        """How many keywords and documents a session asks about in all."""
        return self.keyword_count + self.document_count


class Category(models.Model):
    """One of the classes a document can be in, as annotators read it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="categories")
    label = models.PositiveSmallIntegerField(help_text="the number in the documents")
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["project", "-label"]
        verbose_name_plural = "categories"
        constraints = [
            models.UniqueConstraint(fields=["project", "label"], name="category_label_once")
        ]

    def __str__(self) -> str:
        return self.name


class Platform(models.TextChoices):
    DIRECT = "direct", "direct link"


class HITQuerySet(models.QuerySet["HIT"]):
    def of_session(self, hit: HIT) -> HITQuerySet:
        """The HITs of the session that a HIT is part of."""
        return self.filter(
            project=hit.project_id,
            session_number=hit.session_number,
            platform=hit.platform,
            worker_id=hit.worker_id,
        )


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
    submitted_at = models.DateTimeField(null=True, blank=True)

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
    def is_resting(self) -> bool:
        """True during the pause before a later session."""
        return self.opens_at is not None and self.opens_at > timezone.now()
