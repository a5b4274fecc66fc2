"""Admin page of projects: how they are set up, where each stands, what can be done with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, JSONObject
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.html import format_html

from models_ml.admin import SUBJECT_PAGES, enqueue_for_each, link
from models_ml.models import Artefact, Embedding, Job, JobState
from tasks import controls
from tasks.admin.fields import CONTROLS, FIXED_ONCE_OFFERED, HITS_ARE_MADE_OF, SECTIONS
from tasks.admin.publishing import OfferInline, PublishPages
from tasks.forms import CategoryForm, PracticeWords, ProjectForm
from tasks.models import Assignment, Category, Platform, PracticeWord, Project

for _kind in ("prepare_project", "refresh_consensus"):
    SUBJECT_PAGES[_kind] = "admin:tasks_project_change"


class PracticeWordInline(admin.TabularInline[PracticeWord, Project]):
    model = PracticeWord
    formset = PracticeWords
    extra = 0


class CategoryInline(admin.TabularInline[Category, Project]):
    model = Category
    form = CategoryForm
    extra = 0


def _newest_preparation() -> QuerySet[Job, Any]:
    jobs = Job.objects.filter(kind="prepare_project", subject_id=OuterRef("pk")).order_by("-id")
    view = JSONObject(id="id", state="state", done="done", total="total", note="note")
    return jobs.values_list(view)[:1]


def _places_taken() -> QuerySet[Assignment, Any]:
    first = Assignment.objects.filter(
        hit__project=OuterRef("pk"), hit__session_number=1, hit__platform=Platform.DIRECT
    )
    taken = first.holding_a_place().filter(hit__batch=1).order_by().values("hit__project")
    return taken.annotate(n=Count("pk")).values("n")


def _open_problems() -> QuerySet[Assignment, Any]:
    asked = Assignment.objects.filter(hit__project=OuterRef("pk")).order_by()
    told = asked.filter(problems__isnull=False, problems__resolved_at=None)
    return told.values("hit__project").annotate(n=Count("problems")).values("n")


@admin.register(Project)
class ProjectAdmin(PublishPages):
    form = ProjectForm
    inlines = (CategoryInline, PracticeWordInline, OfferInline)
    list_display = (
        "name",
        "state_word",
        "preparation",
        "free_places",
        "sessions_submitted",
        "problems",
        "report",
        "links",
    )
    list_filter = ("state", "method", "classifier")
    list_select_related = ("embedding__source", "embedding__target")
    search_fields = ("name", "slug")
    actions = ("prepare", "make_links", "refresh_consensus")
    prepopulated_fields = {"slug": ("name",)}
    raw_id_fields = ("annotator_file",)
    fieldsets = SECTIONS
    standing = (
        "preparation",
        "free_places",
        "problems",
        "report",
        "links",
        "work",
        "consent_versions",
        "controls_placed",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                _preparation=Subquery(_newest_preparation()),
                _taken=Coalesce(Subquery(_places_taken()), Value(0), output_field=IntegerField()),
                _submitted=Count("sessions", filter=Q(sessions__state="submitted")),
                _problems=Coalesce(
                    Subquery(_open_problems()), Value(0), output_field=IntegerField()
                ),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        offered = obj is not None and Assignment.objects.filter(hit__project=obj).exists()
        return (*self.standing, *(FIXED_ONCE_OFFERED if offered else ()))

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        is_offered = Assignment.objects.filter(hit__project=obj).exists()
        if obj.ranking_id and not is_offered and _makes_other_hits(form):
            text = "Prepare the project again: its HITs are still those of the old settings."
            self.message_user(request, text, messages.WARNING)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Iterable[Any], change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        words = form.instance.practice_words.order_by()
        if len(set(words.values_list("is_accepted", flat=True))) == 1:
            text = (
                "All practice words have the same answer: people learn more from words of which "
                "some are to be accepted and some rejected."
            )
            self.message_user(request, text, messages.WARNING)

    def get_fieldsets(self, request: HttpRequest, obj: Project | None = None) -> Any:
        sections = super().get_fieldsets(request, obj)
        return sections if obj else [s for s in sections if s[0] != "Where it stands"]

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        if db_field.name == "embedding":
            bases = Embedding.objects.filter(parent=None).select_related("source", "target")
            kwargs["queryset"] = bases
        if db_field.name == "annotator_file":
            kwargs["queryset"] = Artefact.objects.filter(suffix=".tsv")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # --- What the list and the page of a project show ---

    @admin.display(description="state", ordering="state")
    def state_word(self, project: Project) -> str:
        return project.state

    @admin.display(description="preparation")
    def preparation(self, project: Any) -> str:
        job = project._preparation
        if job is None:
            return "prepared" if project.ranking_id else "not begun"
        if job["state"] == JobState.DONE:
            return "done"
        share = f" {100 * job['done'] // job['total']} %" if job["total"] else ""
        words = f"{job['state']}{share}" + (f": {job['note']}" if job["note"] else "")
        return link("admin:models_ml_job_change", words, job["id"])

    @admin.display(description="free places")
    def free_places(self, project: Any) -> str:
        if project.ranking_id is None:
            return "–"
        return f"{max(0, project.overlap - project._taken)} of {project.overlap}"

    @admin.display(description="sessions submitted", ordering="_submitted")
    def sessions_submitted(self, project: Any) -> str:
        query = f"?project__id__exact={project.pk}"
        return link("admin:annotation_session_changelist", project._submitted, query=query)

    @admin.display(description="problems", ordering="_problems")
    def problems(self, project: Any) -> str:
        query = f"?assignment__hit__project__id__exact={project.pk}&state=open"
        return link("admin:annotation_problem_changelist", project._problems, query=query)

    @admin.display(description="versions agreed to")
    def consent_versions(self, project: Project) -> str:
        if project.pk is None:
            return "–"
        query = f"?project__id__exact={project.pk}"
        versions = project.consent_versions.count()
        return link("admin:tasks_consentversion_changelist", versions, query=query)

    @admin.display(description="report")
    def report(self, project: Project) -> str:
        return link("reports:project", "report", project.slug)

    @admin.display(description="links")
    def links(self, project: Project) -> str:
        return link("admin:tasks_project_links", "links", project.pk)

    @admin.display(description="placed in the first session")
    def controls_placed(self, project: Project) -> str:
        if project.ranking_id is None:
            return "–"
        wanted, placed = controls.wanted_controls(project), controls.placed_controls(project)
        return " · ".join(f"{kind.label}s: {placed[kind]} of {wanted[kind]}" for kind in wanted)

    @admin.display(description="made from it")
    def work(self, project: Project) -> str:
        lists = (
            ("HITs", "admin:tasks_hit_changelist", "project__id__exact"),
            ("assignments", "admin:tasks_assignment_changelist", "hit__project__id__exact"),
            ("sessions", "admin:annotation_session_changelist", "project__id__exact"),
        )
        hits, assignments, sessions = (
            link(page, name, query=f"?{key}={project.pk}") for name, page, key in lists
        )
        return format_html("{} · {} · {}", hits, assignments, sessions)

    # --- What can be done with a project ---

    @admin.action(description="Prepare: find keywords, make HITs", permissions=["change"])
    def prepare(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        able = [project for project in queryset if self._can_be_prepared(request, project)]
        chosen = Project.objects.filter(pk__in=[project.pk for project in able])
        enqueue_for_each(request, self, "prepare_project", chosen)

    @admin.action(description="Refresh the consensus now", permissions=["change"])
    def refresh_consensus(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        enqueue_for_each(request, self, "refresh_consensus", queryset)

    def _can_be_prepared(self, request: HttpRequest, project: Project) -> bool:
        if project.categories.count() >= 2:
            return True
        text = f"{project}: a classifier needs at least two categories; add them first."
        self.message_user(request, text, messages.ERROR)
        return False


def _makes_other_hits(form: Any) -> bool:
    """True where HITs made before a form's changes are not those that would be made now."""
    changed = set(form.changed_data)
    takes_turns = bool(form.cleaned_data["session_minutes"])
    return bool(changed & {*HITS_ARE_MADE_OF, *CONTROLS}) or (
        "session_minutes" in changed and takes_turns != bool(form.initial["session_minutes"])
    )
