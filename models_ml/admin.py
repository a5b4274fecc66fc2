"""Admin pages of what machines make: to be looked at, linked and repeated, never edited by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from models_ml import jobs
from models_ml.core.charts import percent
from models_ml.models import (
    Artefact,
    Corpus,
    Document,
    Embedding,
    Job,
    JobState,
    Keyword,
    Neighbour,
    Ranking,
    Run,
    SeedResult,
    Vocabulary,
)

ModelT = TypeVar("ModelT", bound=Model)

# Where the row that a job is about is looked at. Apps that bring a kind of job add its page.
SUBJECT_PAGES = {
    "evaluate_run": "admin:models_ml_run_change",
    "train_seed": "admin:models_ml_run_change",
    "describe_report": "reports:results",
}


def link(page: str, label: object, *args: object, query: str = "") -> SafeString:
    """Return a link to a named page of the site."""
    return format_html('<a href="{}{}">{}</a>', reverse(page, args=args), query, label)


def count(number: int, noun: str) -> str:
    """Return "1 job", "2 jobs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class ReadOnlyAdmin(admin.ModelAdmin[ModelT]):
    """Rows that a person may look at only. Actions ask for the right to change such rows."""

    actions_on_bottom = False
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ModelT | None = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may start and stop work; named by actions' `permissions`."""
        return super().has_change_permission(request)


def enqueue_for_each(
    request: HttpRequest, model_admin: admin.ModelAdmin[Any], kind: str, rows: QuerySet[Any]
) -> None:
    """Queue a job about each row, and say which were queued and which are under way already."""
    busy = set(Job.objects.active().filter(kind=kind).values_list("subject_id", flat=True))
    for row in rows:
        job = jobs.enqueue(kind, row.pk)
        page = link("admin:models_ml_job_change", f"job {job.pk}", job.pk)
        if row.pk in busy:
            text, level = format_html("{}: already under way, as {}.", row, page), messages.WARNING
        else:
            text, level = format_html("{}: queued, as {}.", row, page), messages.SUCCESS
        model_admin.message_user(request, text, level)


class SeedResultInline(admin.TabularInline[SeedResult, Run]):
    model = SeedResult
    extra = 0
    can_delete = False
    fields = readonly_fields = ("seed", "accuracy")

    def has_add_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin[Run]):
    list_display = ("id", "arms", "accuracy", "interval", "seeds_done", "embedding", "created_at")
    list_filter = (("finished_at", admin.EmptyFieldListFilter), "test_corpus", "created_at")
    list_select_related = ("embedding__source", "embedding__target")
    search_fields = ("=id", "key")
    actions = ("evaluate", "cancel_training")
    inlines = (SeedResultInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        lines = super().get_queryset(request).prefetch_related("report_arms")
        return lines.annotate(_done=Count("results__accuracy"))

    @admin.display(description="in reports as")
    def arms(self, run: Run) -> str:
        labels = dict.fromkeys(line.get_arm_display() for line in run.report_arms.all())
        return ", ".join(labels) or "–"

    @admin.display(description="accuracy", ordering="mean")
    def accuracy(self, run: Run) -> str:
        return "–" if run.mean is None else percent(run.mean)

    @admin.display(description="95 % interval over seeds")
    def interval(self, run: Run) -> str:
        if run.low is None or run.high is None:
            return "–"
        return f"{percent(run.low)} to {percent(run.high)}"

    @admin.display(description="seeds")
    def seeds_done(self, run: Any) -> str:
        return f"{run._done} of {run.seeds}"

    @admin.action(description="Re-run: train what is missing", permissions=["operate"])
    def evaluate(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        enqueue_for_each(request, self, "evaluate_run", queryset)

    @admin.action(description="Cancel training", permissions=["operate"])
    def cancel_training(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            # First what would start seeds, so that none is started behind our back.
            active = _active("evaluate_run", [run.pk])
            active += _active("train_seed", run.results.values("pk"))
            stopped = sum(jobs.cancel(job_id) for job_id in active)
            level = messages.SUCCESS if stopped else messages.WARNING
            text = f"{count(stopped, 'job')} cancelled" if stopped else "nothing was being trained"
            self.message_user(request, f"{run}: {text}.", level)


def _active(kind: str, subjects: Iterable[int] | QuerySet[Any]) -> list[int]:
    of_subjects = Job.objects.active().filter(kind=kind, subject_id__in=subjects)
    return list(of_subjects.values_list("pk", flat=True))


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin[Job]):
    list_display = ("id", "kind", "subject", "state", "news", "attempts", "started_at", "took")
    list_filter = ("state", "kind", "created_at")
    search_fields = ("=id", "=subject_id", "note", "error")
    actions = ("retry", "cancel")
    readonly_fields = ("subject",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        run = SeedResult.objects.filter(pk=OuterRef("subject_id")).values("run")
        return super().get_queryset(request).annotate(_run=Subquery(run))

    @admin.display(description="about")
    def subject(self, job: Any) -> str:
        page = SUBJECT_PAGES.get(job.kind)
        name = f"{job.kind.rpartition('_')[2]} {job.subject_id}"
        # A seed has no page of its own: it is looked at on its run's, if it is there still.
        shown = job._run if job.kind == "train_seed" else job.subject_id
        return link(page, name, shown) if page and shown else name

    @admin.display(description="news")
    def news(self, job: Job) -> str:
        """Return how far an active job is, or what went wrong with a failed one."""
        if not job.is_active:
            return job.error.strip().split("\n", 1)[0][:160]
        share = f"{100 * job.done // job.total} %" if job.total else ""
        return " · ".join(part for part in (share, job.note) if part)

    @admin.display(description="took")
    def took(self, job: Job) -> str:
        """Return how long the last attempt ran, without fractions of a second."""
        if job.started_at is None or job.finished_at is None:
            return ""
        return str(timedelta(seconds=round((job.finished_at - job.started_at).total_seconds())))

    @admin.action(description="Retry the failed and cancelled", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        ended = queryset.filter(state__in=[JobState.FAILED, JobState.CANCELLED])
        for kind, subject_id in sorted(set(ended.values_list("kind", "subject_id"))):
            job = jobs.enqueue(kind, subject_id)
            page = link("admin:models_ml_job_change", f"job {job.pk}", job.pk)
            self.message_user(request, format_html("Queued again, as {}.", page))
        if skipped := queryset.count() - ended.count():
            text = f"{count(skipped, 'job')} left alone: neither failed nor cancelled."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Cancel the queued and running", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        chosen = list(queryset.values_list("pk", flat=True))
        stopped = sum(jobs.cancel(job_id) for job_id in chosen)
        if stopped:
            self.message_user(request, f"{count(stopped, 'job')} cancelled.", messages.SUCCESS)
        if skipped := len(chosen) - stopped:
            text = f"{count(skipped, 'job')} had ended already."
            self.message_user(request, text, messages.WARNING)


@admin.register(Embedding)
class EmbeddingAdmin(ReadOnlyAdmin[Embedding]):
    list_display = ("id", "languages", "refined_from", "runs_link", "created_at")
    list_filter = (("parent", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("source", "target")
    search_fields = ("=id", "source__language", "target__language", "key")

    @admin.display(description="languages")
    def languages(self, embedding: Embedding) -> str:
        return f"{embedding.source.language} – {embedding.target.language}"

    @admin.display(description="refined from")
    def refined_from(self, embedding: Embedding) -> str:
        if not embedding.parent_id:
            return "– (base)"
        label = f"embedding {embedding.parent_id}"
        return link("admin:models_ml_embedding_change", label, embedding.parent_id)

    @admin.display(description="runs")
    def runs_link(self, embedding: Embedding) -> str:
        query = f"?embedding__id__exact={embedding.pk}"
        return link("admin:models_ml_run_changelist", "runs", query=query)


@admin.register(Vocabulary)
class VocabularyAdmin(ReadOnlyAdmin[Vocabulary]):
    list_display = ("language", "tag", "direction", "word_count", "dim")
    search_fields = ("language", "tag")


@admin.register(Corpus)
class CorpusAdmin(ReadOnlyAdmin[Corpus]):
    list_display = ("name", "vocabulary", "document_count", "documents_link")
    list_filter = ("vocabulary__language",)
    list_select_related = ("vocabulary",)
    search_fields = ("name",)

    @admin.display(description="documents")
    def documents_link(self, corpus: Corpus) -> str:
        query = f"?corpus__id__exact={corpus.pk}"
        return link("admin:models_ml_document_changelist", "documents", query=query)


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin[Document]):
    list_display = ("number", "corpus", "label", "beginning")
    list_filter = ("label", "corpus")
    list_select_related = ("corpus",)
    search_fields = ("=number", "text")

    @admin.display(description="text")
    def beginning(self, document: Document) -> str:
        return document.text[:160]


@admin.register(Artefact)
class ArtefactAdmin(ReadOnlyAdmin[Artefact]):
    list_display = ("sha256", "suffix", "size", "created_at")
    list_filter = ("suffix", "created_at")
    search_fields = ("sha256",)


@admin.register(Ranking)
class RankingAdmin(ReadOnlyAdmin[Ranking]):
    list_display = ("id", "corpus", "keywords_link", "created_at")
    list_select_related = ("corpus",)
    search_fields = ("=id", "key")

    @admin.display(description="keywords")
    def keywords_link(self, ranking: Ranking) -> str:
        query = f"?ranking__id__exact={ranking.pk}"
        return link("admin:models_ml_keyword_changelist", "keywords", query=query)


class NeighbourInline(admin.TabularInline[Neighbour, Keyword]):
    model = Neighbour
    extra = 0
    can_delete = False
    fields = readonly_fields = ("language", "position", "word", "cosine")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Neighbour]:
        return super().get_queryset(request).select_related("word__vocabulary")

    @admin.display(description="language")
    def language(self, neighbour: Neighbour) -> str:
        return neighbour.word.vocabulary.language

    def has_add_permission(self, request: HttpRequest, obj: Keyword | None = None) -> bool:
        return False


@admin.register(Keyword)
class KeywordAdmin(ReadOnlyAdmin[Keyword]):
    list_display = ("position", "word", "salience", "ranking")
    list_display_links = ("word",)
    list_select_related = ("word", "ranking")
    search_fields = ("word__text",)
    inlines = (NeighbourInline,)
