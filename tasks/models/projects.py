"""Projects: one classification task over one language pair, as its manager set it up."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_noop

from models_ml.models import Artefact, Corpus, Embedding, Ranking, Run, Side

if TYPE_CHECKING:
    from tasks.models.hits import HIT


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


class AnswerForm(models.TextChoices):
    """How annotators say what they think of a word; models_ml.core.answer_forms weighs it."""

    VERDICT = "verdict", "accept or reject (as in the paper)"
    GRADED = "graded", "graded: five steps from “not at all” to “just the same”"
    RANKING = "ranking", "ranking: accepted and rejected words in an order"


# Managers may replace these; as they stand, annotators read them in their own language.
DEFAULT_QUESTION = gettext_noop(
    "Which words are likely to appear in the same category as this word?"
)
DEFAULT_INSTRUCTIONS = gettext_noop(
    "You will see one word at a time, with words from two languages beside it. Accept a word when "
    "it points to the same category as the word on top; reject it when it points elsewhere; leave "
    "it when you are not sure. If the right translation is missing, add it."
)
DEFAULT_CONSENT = gettext_noop(
    "Your answers are used to improve a computer program that sorts texts. You take part by your "
    "own choice, and you may stop at any time."
)
DEFAULT_PRIVACY = gettext_noop(
    "We store your answers, when you gave them, when you looked at example sentences, how long "
    "you worked and the language you read in, and nothing else about you."
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
    privacy = models.TextField(
        "privacy sentence", default=DEFAULT_PRIVACY, help_text="what is stored, agreed to as well"
    )
    pay_note = models.CharField(
        max_length=200,
        blank=True,
        help_text="what annotators read of their pay, such as “12 USD an hour, paid on Fridays”",
    )
    practice_keyword = models.CharField(
        max_length=100,
        blank=True,
        help_text="a source word to practise on, with the words below; empty: a general example",
    )
    answer_form = models.CharField(
        max_length=16, choices=AnswerForm.choices, default=AnswerForm.VERDICT
    )

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
    session_minutes = models.PositiveSmallIntegerField(
        "time budget",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="minutes of work that a session is planned for: keywords and documents then take "
        "turns, and when the time is over the annotator is led to the end. Empty: no limit",
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
        help_text="for the reports, and shown to annotators where there is no pay note; nothing is "
        "paid by it",
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator("^[A-Z]{3}$", "Three capital letters, such as USD.")],
    )

    spend_limit_cents = models.PositiveIntegerField(
        "spending limit",
        null=True,
        blank=True,
        help_text="in cents, for all that is promised or paid on platforms, fees and all; nothing "
        "passes it. Empty: none",
    )
    excluded_projects = models.ManyToManyField(
        "self",
        symmetrical=False,
        blank=True,
        related_name="+",
        help_text="who took part in one of these gets no work here",
    )
    screening_percent = models.PositiveSmallIntegerField(
        "pass mark",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="of a screening test made of the practice words: the share that must be right "
        "before somebody may begin. Empty: no test",
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
        """The HIT that direct links begin with; there is none before the project was prepared."""
        shared = self.hits.filter(session_number=1, worker_id="", platform="direct")
        return shared.order_by("batch").first()

    @property
    def consent_fingerprint(self) -> str:
        """A name for what is agreed to as it now reads; it changes with every letter."""
        text = f"{self.consent}\0{self.privacy}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

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


class ConsentVersion(models.Model):
    """A text that annotators of a project agreed to, kept as they read it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="consent_versions")
    number = models.PositiveSmallIntegerField(help_text="1 is the first")
    consent = models.TextField()
    privacy = models.TextField(blank=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["project", "number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="consent_version_once")
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.project}"


class PracticeWord(models.Model):
    """A word beside a project's practice keyword, with the answer that is told to who practises."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="practice_words")
    side = models.CharField("language", max_length=8, choices=Side.choices)
    text = models.CharField(max_length=100)
    is_accepted = models.BooleanField("to be accepted", default=True)
    reason = models.CharField(max_length=200, help_text="told after the answer")

    class Meta:
        ordering = ["project", "id"]

    def __str__(self) -> str:
        return self.text
