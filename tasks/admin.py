"""Admin pages of projects, the work made from them, and who has it."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, JSONObject
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.html import format_html

from models_ml.admin import SUBJECT_PAGES, ReadOnlyAdmin, count, enqueue_for_each, link
from models_ml.models import Artefact, Embedding, Job, JobState
from tasks import controls, services
from tasks.admin_links import LinkPages
from tasks.forms import CategoryForm, ProjectForm
from tasks.models import HIT, Assignment, AssignmentState, Category, HITItem, Project
from tasks.platforms import platform_of

for _kind in ("prepare_project", "refresh_consensus"):
    SUBJECT_PAGES[_kind] = "admin:tasks_project_change"

# Preparation makes HITs of these, and HITs that people were given stay as they are.
FIXED_ONCE_OFFERED = (
    "embedding",
    "train_corpus",
    "test_corpus",
    "pool_corpus",
    "keyword_count",
    "neighbour_count",
    "document_count",
    "batch_size",
    "is_adaptive",
    "document_strategy",
    "is_diverse",
    "classifier",
)


CONTROLS = ("control_identical", "control_translations", "control_random", "known_translations")


class CategoryInline(admin.TabularInline[Category, Project]):
    model = Category
    form = CategoryForm
    extra = 0


def _newest_preparation() -> QuerySet[Job, Any]:
    jobs = Job.objects.filter(kind="prepare_project", subject_id=OuterRef("pk")).order_by("-id")
    view = JSONObject(id="id", state="state", done="done", total="total", note="note")
    return jobs.values_list(view)[:1]


def _places_taken() -> QuerySet[Assignment, Any]:
    first = Assignment.objects.filter(hit__project=OuterRef("pk"), hit__session_number=1)
    taken = first.holding_a_place().filter(hit__batch=1).order_by().values("hit__project")
    return taken.annotate(n=Count("pk")).values("n")


@admin.register(Project)
class ProjectAdmin(LinkPages):
    form = ProjectForm
    inlines = (CategoryInline,)
    list_display = (
        "name",
        "state_word",
        "preparation",
        "free_places",
        "sessions_submitted",
        "report",
        "links",
    )
    list_filter = ("state", "method", "classifier")
    list_select_related = ("embedding__source", "embedding__target")
    search_fields = ("name", "slug")
    actions = ("prepare", "make_links", "refresh_consensus")
    prepopulated_fields = {"slug": ("name",)}
    raw_id_fields = ("annotator_file",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "state")}),
        (
            "Where it stands",
            {"fields": ("preparation", "free_places", "report", "links", "work")},
        ),
        (
            "Data",
            {
                "description": "Which vectors and documents. Fixed once somebody has a link.",
                "fields": (
                    "embedding",
                    "train_corpus",
                    "test_corpus",
                    "pool_corpus",
                    "annotator_file",
                ),
            },
        ),
        (
            "What annotators read",
            {
                "description": "Changes show on the next page that an annotator opens. "
                "Whoever has agreed to the consent text is not asked again; "
                "their session keeps the text they saw.",
                "fields": ("question", "instructions", "consent"),
            },
        ),
        (
            "What annotators are asked",
            {
                "description": "Used when the project is prepared, as often as you like until "
                "somebody has a link; fixed from then on.",
                "fields": (
                    "keyword_count",
                    "neighbour_count",
                    "document_count",
                    "batch_size",
                    "is_adaptive",
                    "document_strategy",
                    "is_diverse",
                ),
            },
        ),
        (
            "Sessions",
            {
                "description": "Who has submitted a session is offered the next one, made from "
                "their own refined vectors. A change holds for sessions processed from now on.",
                "fields": ("session_count", "pause_hours", "repeats_keywords", "refine_from"),
            },
        ),
        (
            "Consensus",
            {
                "description": "What all annotators say together, and the vectors that it makes.",
                "fields": ("consensus_method", "consensus_delay_s"),
            },
        ),
        (
            "Care and controls",
            {
                "description": "Control words are words whose answers are known. They tell how "
                "carefully people answer, and move nothing. They are placed when the project is "
                "prepared, and again for each later session; a keyword gets one at most.",
                "fields": (
                    "control_identical",
                    "control_translations",
                    "control_random",
                    "known_translations",
                    "controls_placed",
                    "fastest_answer_s",
                ),
            },
        ),
        (
            "Places",
            {
                "description": "A higher overlap makes places free at once; "
                "the hours apply to links made from now on.",
                "fields": ("overlap", "session_hours"),
            },
        ),
        (
            "Cost",
            {
                "description": "For the reports alone: accuracy per hour and per unit of money.",
                "fields": ("hourly_pay", "currency"),
            },
        ),
        (
            "Learning",
            {
                "description": "The classifier and live are fixed once somebody has a link, "
                "because they choose what people are shown. The other settings are used for the "
                "next session that is processed; to apply them to earlier ones, re-run those "
                "sessions.",
                "fields": (
                    "classifier",
                    "seeds",
                    "curve_step",
                    "curve_seeds",
                    "method",
                    "regularization",
                    "learning_rate",
                    "iterations",
                    "live",
                ),
            },
        ),
    )
    standing = ("preparation", "free_places", "report", "links", "work", "controls_placed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                _preparation=Subquery(_newest_preparation()),
                _taken=Coalesce(Subquery(_places_taken()), Value(0), output_field=IntegerField()),
                _submitted=Count("sessions", filter=Q(sessions__state="submitted")),
            )
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        offered = obj is not None and Assignment.objects.filter(hit__project=obj).exists()
        return (*self.standing, *((*FIXED_ONCE_OFFERED, "live") if offered else ()))

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        made_of = {*FIXED_ONCE_OFFERED, *CONTROLS}
        is_offered = Assignment.objects.filter(hit__project=obj).exists()
        if obj.ranking_id and not is_offered and set(form.changed_data) & made_of:
            text = "Prepare the project again: its HITs are still those of the old settings."
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


class HITItemInline(admin.TabularInline[HITItem, HIT]):
    model = HITItem
    extra = 0
    can_delete = False
    fields = readonly_fields = ("position", "keyword", "document")

    def get_queryset(self, request: HttpRequest) -> QuerySet[HITItem]:
        return super().get_queryset(request).select_related("hit", "keyword__word", "document")

    def has_add_permission(self, request: HttpRequest, obj: HIT | None = None) -> bool:
        return False


@admin.register(HIT)
class HITAdmin(ReadOnlyAdmin[HIT]):
    list_display = ("__str__", "platform", "items_count", "taken", "submitted", "assignments_link")
    list_filter = ("project", "platform", "session_number")
    list_select_related = ("project",)
    search_fields = ("project__name", "project__slug")
    inlines = (HITItemInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[HIT]:
        held = Q(assignments__in=Assignment.objects.holding_a_place())
        submitted = Q(assignments__state=AssignmentState.SUBMITTED)
        items = HITItem.objects.filter(hit=OuterRef("pk")).order_by().values("hit")
        return (
            super()
            .get_queryset(request)
            .annotate(
                _items=Subquery(items.annotate(n=Count("pk")).values("n")),
                _taken=Count("assignments", filter=held),
                _submitted=Count("assignments", filter=submitted),
            )
        )

    @admin.display(description="items")
    def items_count(self, hit: Any) -> int:
        return cast(int, hit._items or 0)

    @admin.display(description="places taken", ordering="_taken")
    def taken(self, hit: Any) -> str:
        return f"{hit._taken} of {hit.project.overlap}"

    @admin.display(description="submitted", ordering="_submitted")
    def submitted(self, hit: Any) -> int:
        return cast(int, hit._submitted)

    @admin.display(description="assignments")
    def assignments_link(self, hit: HIT) -> str:
        query = f"?hit__id__exact={hit.pk}"
        return link("admin:tasks_assignment_changelist", "assignments", query=query)


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin[Assignment]):
    list_display = (
        "worker_id",
        "hit_link",
        "state_word",
        "opens_at",
        "expires_at",
        "submitted_at",
        "page",
        "work",
    )
    list_filter = ("state", "hit__project", "hit__platform", "expires_at")
    list_select_related = ("hit__project",)
    search_fields = ("worker_id", "hit__project__name", "completion_code")
    actions = ("revoke", "reissue")
    readonly_fields = ("page", "work")

    @admin.display(description="state", ordering="state")
    def state_word(self, assignment: Assignment) -> str:
        return assignment.state

    @admin.display(description="HIT", ordering="hit")
    def hit_link(self, assignment: Assignment) -> str:
        return link("admin:tasks_hit_change", assignment.hit, assignment.hit_id)

    @admin.display(description="task page")
    def page(self, assignment: Assignment) -> str:
        if not assignment.is_held:
            return "–"
        address = platform_of(assignment.hit.platform).task_url(assignment)
        return format_html('<a href="{}">open</a>', address)

    @admin.display(description="session")
    def work(self, assignment: Assignment) -> str:
        wanted = {"project__id__exact": assignment.hit.project_id, "q": assignment.worker_id}
        query = f"?{urlencode(wanted)}"
        return link("admin:annotation_session_changelist", "session", query=query)

    @admin.action(description="Revoke: end the link, free the place", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        revoked = sum(services.revoke(assignment) for assignment in queryset)
        if revoked:
            self.message_user(request, f"{count(revoked, 'link')} revoked.", messages.SUCCESS)
        if skipped := queryset.count() - revoked:
            text = f"{count(skipped, 'assignment')} had ended already."
            self.message_user(request, text, messages.WARNING)

    @admin.action(description="Re-issue: a new link, the old one ends", permissions=["operate"])
    def reissue(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        for assignment in queryset.select_related("hit"):
            try:
                renewed = services.reissue(assignment)
            except services.TaskError as error:
                text = f"No new link for {assignment.worker_id}: {error}."
                self.message_user(request, text, messages.ERROR)
                continue
            address = platform_of(renewed.hit.platform).task_url(renewed)
            text = f"New link for {renewed.worker_id}: {address}"
            self.message_user(request, text, messages.SUCCESS)
