"""Rows about words, vectors, documents, what was learned from them, and the machine's jobs."""

from __future__ import annotations

import unicodedata

from django.core.files.storage import default_storage
from django.db import models
from django.db.models import F, Q

from models_ml.core.embeddings import Side as CoreSide


class Side(models.TextChoices):
    """Which of a project's two languages."""

    SOURCE = CoreSide.SOURCE.value, "source"
    TARGET = CoreSide.TARGET.value, "target"


class Artefact(models.Model):
    """A file named by its own content: the same bytes are stored once, and never change."""

    sha256 = models.CharField(max_length=64, unique=True)
    suffix = models.CharField(max_length=16)
    size = models.PositiveBigIntegerField(help_text="bytes")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.path

    @property
    def path(self) -> str:
        """Name in the artefact storage."""
        return f"{self.sha256[:2]}/{self.sha256}{self.suffix}"

    @property
    def url(self) -> str:
        return default_storage.url(self.path)


class Vocabulary(models.Model):
    """One language's words and their base vectors."""

    language = models.CharField(max_length=80)
    tag = models.CharField("BCP-47 tag", max_length=35)
    direction = models.CharField(max_length=3, choices=[("ltr", "ltr"), ("rtl", "rtl")])
    words_file = models.ForeignKey(Artefact, models.PROTECT, related_name="+")
    matrix_file = models.ForeignKey(Artefact, models.PROTECT, related_name="+")
    word_count = models.PositiveIntegerField()
    dim = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=64, unique=True, help_text="hash of language and vectors")

    class Meta:
        verbose_name_plural = "vocabularies"

    def __str__(self) -> str:
        return f"{self.language} ({self.word_count:,} words)"


def fold(text: str) -> str:
    """Return text without case, diacritics and joiners, for a search that forgives all three."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(
        c for c in decomposed if not unicodedata.combining(c) and unicodedata.category(c) != "Cf"
    )


class WordQuerySet(models.QuerySet["Word"]):
    def starting_with(self, prefix: str) -> WordQuerySet:
        """Words whose folded spelling begins with the folded prefix, most frequent first."""
        return self.filter(search_key__startswith=fold(prefix)).order_by("row")


class Word(models.Model):
    """A word of a vocabulary. Equal spellings in two languages are two words."""

    vocabulary = models.ForeignKey(Vocabulary, models.CASCADE, related_name="words")
    row = models.PositiveIntegerField(help_text="row of its vector; most frequent words first")
    text = models.CharField(max_length=255)
    search_key = models.CharField(max_length=255, help_text="folded: no case, no diacritics")

    objects = WordQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["vocabulary", "row"], name="word_row_once"),
            models.UniqueConstraint(fields=["vocabulary", "text"], name="word_text_once"),
        ]
        # varchar_pattern_ops lets PostgreSQL use the index for LIKE 'prefix%' in any collation.
        indexes = [
            models.Index(
                fields=["vocabulary", "search_key"],
                name="word_prefix",
                opclasses=["int8_ops", "varchar_pattern_ops"],
            )
        ]

    def __str__(self) -> str:
        return self.text


class Corpus(models.Model):
    """Documents of one language."""

    name = models.CharField(max_length=200)
    vocabulary = models.ForeignKey(Vocabulary, models.PROTECT, related_name="corpora")
    sha256 = models.CharField(max_length=64, help_text="of its documents")
    document_count = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "corpora"
        constraints = [
            models.UniqueConstraint(fields=["vocabulary", "sha256"], name="corpus_stored_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.document_count:,} documents)"


class Document(models.Model):
    """One tokenised text."""

    corpus = models.ForeignKey(Corpus, models.CASCADE, related_name="documents")
    number = models.BigIntegerField(help_text="its id in the imported file")
    text = models.TextField(help_text="tokens, a space between")
    label = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["corpus", "number"], name="document_number_once")
        ]
        ordering = ["corpus", "id"]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def tokens(self) -> list[str]:
        return self.text.split(" ")


class Occurrence(models.Model):
    """A place where a word stands in a document: the concordance, a few places a word."""

    word = models.ForeignKey(Word, models.CASCADE, related_name="occurrences")
    document = models.ForeignKey(Document, models.CASCADE, related_name="+")
    position = models.PositiveIntegerField(help_text="token, from 0")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["word", "document"], name="occurrence_document_once")
        ]

    def __str__(self) -> str:
        return f"{self.word} in document {self.document_id}"


class Embedding(models.Model):
    """A bilingual space: two vocabularies, and the rows in which it differs from their vectors."""

    source = models.ForeignKey(Vocabulary, models.PROTECT, related_name="+")
    target = models.ForeignKey(Vocabulary, models.PROTECT, related_name="+")
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="refinements"
    )
    delta = models.ForeignKey(Artefact, models.PROTECT, null=True, blank=True, related_name="+")
    key = models.CharField(max_length=64, unique=True, help_text="hash of inputs and settings")
    config = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(parent=None, delta=None) | Q(parent__isnull=False, delta__isnull=False),
                name="embedding_is_base_or_refined",
            )
        ]

    def __str__(self) -> str:
        kind = f"refined from {self.parent_id}" if self.parent_id else "base"
        return f"{self.source.language}–{self.target.language} embedding {self.pk} ({kind})"

    def vocabulary(self, side: str) -> Vocabulary:
        """Return the vocabulary of a side."""
        return self.source if side == Side.SOURCE else self.target

    def side_of(self, word: Word) -> str:
        """Return which side a word of this embedding is on."""
        return Side.SOURCE if word.vocabulary_id == self.source_id else Side.TARGET


class Ranking(models.Model):
    """The keywords that a classifier found most salient in a labelled corpus."""

    embedding = models.ForeignKey(Embedding, models.PROTECT, related_name="rankings")
    corpus = models.ForeignKey(Corpus, models.PROTECT, related_name="+")
    classifier = models.ForeignKey(Artefact, models.PROTECT, related_name="+")
    key = models.CharField(max_length=64, unique=True, help_text="hash of inputs and settings")
    config = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"ranking {self.pk}"


class Keyword(models.Model):
    """A salient source word, to be shown to annotators with its neighbours."""

    ranking = models.ForeignKey(Ranking, models.CASCADE, related_name="keywords")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    position = models.PositiveIntegerField(help_text="1 is the most salient")
    salience = models.FloatField()

    class Meta:
        ordering = ["ranking", "position"]
        constraints = [
            models.UniqueConstraint(fields=["ranking", "word"], name="keyword_once"),
            models.UniqueConstraint(fields=["ranking", "position"], name="keyword_position_once"),
        ]

    def __str__(self) -> str:
        return self.word.text


class Neighbour(models.Model):
    """A word near a keyword, in either language."""

    keyword = models.ForeignKey(Keyword, models.CASCADE, related_name="neighbours")
    word = models.ForeignKey(Word, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(help_text="1 is the nearest in its language")
    cosine = models.FloatField()

    class Meta:
        ordering = ["keyword", "word__vocabulary", "position"]
        constraints = [
            models.UniqueConstraint(fields=["keyword", "word"], name="neighbour_once"),
        ]

    def __str__(self) -> str:
        return self.word.text


class RunQuerySet(models.QuerySet["Run"]):
    def unfinished(self) -> RunQuerySet:
        return self.filter(finished_at=None)

    def of_report(self, report: Report) -> RunQuerySet:
        """The runs of a report's arms and of its curve."""
        return self.filter(Q(report_arms__report=report) | Q(curve_points__report=report))


class Run(models.Model):
    """Classifiers trained with several seeds on one embedding, and their accuracy on the target."""

    embedding = models.ForeignKey(Embedding, models.PROTECT, related_name="runs")
    train_corpus = models.ForeignKey(Corpus, models.PROTECT, related_name="+")
    test_corpus = models.ForeignKey(Corpus, models.PROTECT, null=True, related_name="+")
    test_labels = models.JSONField(
        default=list,
        help_text="[[document, label], …] measured on in place of a test corpus: people's labels",
    )
    extra_labels = models.JSONField(
        default=list,
        help_text="[[document, label], …] of target documents trained on as well; those that are "
        "measured on too are left out of training in turn (cross-validation)",
    )
    seeds = models.PositiveSmallIntegerField(help_text="how many")
    config = models.JSONField(default=dict)
    key = models.CharField(max_length=64, unique=True, help_text="hash of inputs and settings")
    mean = models.FloatField(null=True, help_text="accuracy, 0 to 1")
    std = models.FloatField(null=True)
    low = models.FloatField(null=True, help_text="95 % interval over seeds")
    high = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(test_corpus__isnull=False) | ~Q(test_labels=[]),
                name="run_measures_on_something",
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk} on embedding {self.embedding_id}"

    @property
    def test_documents(self) -> int:
        """How many documents its accuracy is measured on."""
        return self.test_corpus.document_count if self.test_corpus else len(self.test_labels)


class SeedResultQuerySet(models.QuerySet["SeedResult"]):
    def trained(self) -> SeedResultQuerySet:
        return self.filter(accuracy__isnull=False)

    def untrained(self) -> SeedResultQuerySet:
        return self.filter(accuracy=None)


class SeedResult(models.Model):
    """One seed of a run: to be trained by whichever worker is free, or what it came to."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="results")
    seed = models.PositiveIntegerField()
    accuracy = models.FloatField(null=True, help_text="empty: not trained yet")
    predictions = models.JSONField(
        default=list, help_text="the label predicted for each test document, in their order"
    )

    objects = SeedResultQuerySet.as_manager()

    class Meta:
        ordering = ["run", "seed"]
        constraints = [
            models.UniqueConstraint(fields=["run", "seed"], name="seed_once"),
            models.CheckConstraint(
                condition=Q(accuracy__gte=0, accuracy__lte=1), name="accuracy_is_a_fraction"
            ),
        ]

    def __str__(self) -> str:
        said = "not trained yet" if self.accuracy is None else f"{self.accuracy:.1%}"
        return f"seed {self.seed}: {said}"


class Arm(models.TextChoices):
    """What a classifier was given, in the paper's words; ALIGNED is a control that asks nobody."""

    BASE = "base", "Base"
    ALIGNED = "aligned", "Aligned by itself"
    ACTIVE = "active", "Active"
    CLIME = "clime", "CLIME"
    ACTIVE_CLIME = "active_clime", "A+C"


class Report(models.Model):
    """Runs beside one another, and what they say once all have been trained."""

    findings = models.JSONField(
        default=dict, help_text="models_ml.core.findings has its parts; empty: not described yet"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    described_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"report {self.pk}"


class ReportArm(models.Model):
    """One line of a report."""

    report = models.ForeignKey(Report, models.CASCADE, related_name="arms")
    arm = models.CharField(max_length=16, choices=Arm.choices)
    run = models.ForeignKey(Run, models.PROTECT, related_name="report_arms")

    class Meta:
        ordering = ["report", "id"]
        constraints = [models.UniqueConstraint(fields=["report", "arm"], name="arm_once")]

    def __str__(self) -> str:
        return f"{self.get_arm_display()} of report {self.report_id}"


class CurvePoint(models.Model):
    """A run with the first keywords only: a point of accuracy against keywords (Figure 4)."""

    report = models.ForeignKey(Report, models.CASCADE, related_name="curve")
    keywords = models.PositiveSmallIntegerField(help_text="how many, the most salient first")
    run = models.ForeignKey(Run, models.PROTECT, related_name="curve_points")

    class Meta:
        ordering = ["report", "keywords"]
        constraints = [
            models.UniqueConstraint(fields=["report", "keywords"], name="curve_point_once")
        ]

    def __str__(self) -> str:
        return f"{self.keywords} keywords of report {self.report_id}"


class JobState(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


class JobQuerySet(models.QuerySet["Job"]):
    def active(self) -> JobQuerySet:
        return self.filter(state__in=[JobState.QUEUED, JobState.RUNNING])

    def about(self, kind: str, subject_id: int) -> JobQuerySet:
        return self.filter(kind=kind, subject_id=subject_id)


class Job(models.Model):
    """Something for a worker to do. The row is the truth; a message only says "look at it now".

    A running job is leased: its worker renews the lease as it reports progress, and a job whose
    lease ran out is given to another worker. So every job must be safe to run twice.
    """

    kind = models.CharField(max_length=40)
    subject_id = models.BigIntegerField(help_text="the row that the job is about")
    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True, help_text="it waits for company until then")
    is_asked_again = models.BooleanField(
        default=False, help_text="asked for once more while it ran: to be done anew"
    )
    sent_at = models.DateTimeField(null=True, help_text="when a message was last sent for it")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=200, blank=True, help_text="what it is doing")
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_id"],
                condition=Q(state__in=["queued", "running"]),
                name="one_active_job_a_subject",
            ),
            models.CheckConstraint(
                condition=Q(done__lte=F("total")), name="job_progress_within_total"
            ),
        ]
        indexes = [models.Index(fields=["state", "lease_until"], name="job_sweep")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id} ({self.state})"

    @property
    def is_active(self) -> bool:
        return self.state in {JobState.QUEUED, JobState.RUNNING}
