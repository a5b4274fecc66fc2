"""Admin pages of what was published on crowd platforms, what they were asked, and of the money."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.timezone import localtime

from models_ml.admin import SUBJECT_PAGES, ReadOnlyAdmin, link
from models_ml.spreadsheets import BYTE_ORDER_MARK, csv_of, harmless
from tasks.admin.outcomes import OutcomeActions
from tasks.admin.reconciling import ReconcilePages
from tasks.crowd.following import SYNC_ONE
from tasks.crowd.ledger import dollars
from tasks.models import (
    Assignment,
    EntryState,
    LedgerEntry,
    Listing,
    Mode,
    PlatformCall,
    PlatformEvent,
)
from tasks.platforms import platform_of

SHOWN_LETTERS = 160
SUBJECT_PAGES[SYNC_ONE] = "admin:tasks_listing_change"


def _places_held() -> QuerySet[Assignment, Any]:
    held = Assignment.objects.holding_a_place().filter(listing=OuterRef("pk")).order_by()
    return held.values("listing").annotate(n=Count("pk")).values("n")


@admin.register(Listing)
class ListingAdmin(ReconcilePages):
    list_display = (
        "name",
        "project",
        "mode_word",
        "state_word",
        "taken",
        "there",
        "cost",
        "synced_at",
        "trouble",
        "page",
        "people",
    )
    list_filter = ("platform", "mode", "state", "purpose", "hit__project")
    list_select_related = ("hit__project",)
    search_fields = ("platform_id", "key", "group_id", "worker_id", "hit__project__name")
    readonly_fields = ("taken", "there", "cost", "page", "people")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Listing]:
        return super().get_queryset(request).annotate(_taken=Subquery(_places_held()))

    @admin.display(description="name there", ordering="platform_id")
    def name(self, listing: Listing) -> str:
        return listing.platform_id or f"– ({listing.key})"

    @admin.display(description="project", ordering="hit__project")
    def project(self, listing: Listing) -> str:
        return link("admin:tasks_project_change", listing.hit.project, listing.hit.project_id)

    @admin.display(description="mode", ordering="mode")
    def mode_word(self, listing: Listing) -> str:
        return listing.mode.upper()

    @admin.display(description="state", ordering="state")
    def state_word(self, listing: Listing) -> str:
        return listing.state

    @admin.display(description="taken here", ordering="_taken")
    def taken(self, listing: Any) -> str:
        return f"{listing._taken or 0} of {listing.places}"

    @admin.display(description="there")
    def there(self, listing: Listing) -> str:
        if listing.synced_at is None:
            return "not asked yet"
        pending, available = listing.pending_there, listing.available_there
        return f"{listing.status_there}: {pending or 0} at work, {available or 0} free"

    @admin.display(description="cost")
    def cost(self, listing: Listing) -> str:
        return dollars(listing.cost_cents)

    @admin.display(description="error")
    def trouble(self, listing: Listing) -> str:
        return Truncator(listing.error).chars(SHOWN_LETTERS)

    @admin.display(description="people's page")
    def page(self, listing: Listing) -> str:
        address = platform_of(listing.platform).page_there(listing)
        if not address:
            return "–"
        return format_html('<a href="{}" rel="noreferrer">open there</a>', address)

    @admin.display(description="assignments")
    def people(self, listing: Listing) -> str:
        query = f"?listing__id__exact={listing.pk}"
        return link("admin:tasks_assignment_changelist", "assignments", query=query)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(OutcomeActions, ReadOnlyAdmin[LedgerEntry]):
    list_display = (
        "kind_word",
        "amount",
        "fee",
        "state_word",
        "mode_word",
        "worker_id",
        "project_link",
        "listing_link",
        "planned_at",
        "settled_at",
    )
    list_filter = ("state", "kind", "mode", "platform", "project")
    list_select_related = ("project", "listing", "assignment__hit__project")
    search_fields = ("worker_id", "listing__platform_id", "assignment__platform_id", "key")
    ordering = ("-id",)
    date_hierarchy = None
    actions = OutcomeActions.outcome_actions
    change_list_template = "admin/tasks/ledgerentry/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        csv = self.admin_site.admin_view(self.csv)
        return [path("csv/", csv, name="tasks_ledgerentry_csv"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        answer = super().changelist_view(request, extra_context)
        if isinstance(answer, TemplateResponse) and answer.context_data:
            shown = answer.context_data.get("cl")
            if shown is not None:
                answer.context_data["totals"] = _totals(shown.queryset)
        return answer

    def csv(self, request: HttpRequest) -> HttpResponse:
        """Return the rows that the list shows, by its filters, as a table to download."""
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        rows = self.get_changelist_instance(request).get_queryset(request)
        return HttpResponse(
            BYTE_ORDER_MARK + _as_csv(rows.select_related("listing", "assignment", "made_by")),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="ledger.csv"'},
        )

    @admin.display(description="what", ordering="kind")
    def kind_word(self, entry: LedgerEntry) -> str:
        return entry.kind

    @admin.display(description="amount", ordering="cents")
    def amount(self, entry: LedgerEntry) -> str:
        return dollars(entry.cents)

    @admin.display(description="fee", ordering="fee_cents")
    def fee(self, entry: LedgerEntry) -> str:
        return dollars(entry.fee_cents)

    @admin.display(description="state", ordering="state")
    def state_word(self, entry: LedgerEntry) -> str:
        return "not paid" if entry.state == EntryState.FAILED else entry.state

    @admin.display(description="mode", ordering="mode")
    def mode_word(self, entry: LedgerEntry) -> str:
        return entry.mode.upper()

    @admin.display(description="project", ordering="project")
    def project_link(self, entry: LedgerEntry) -> str:
        return link("admin:tasks_project_change", entry.project, entry.project_id)

    @admin.display(description="listing", ordering="listing")
    def listing_link(self, entry: LedgerEntry) -> str:
        if entry.listing is None:
            return "–"
        label = entry.listing.platform_id or entry.listing.key
        return link("admin:tasks_listing_change", label, entry.listing_id)


def _totals(entries: QuerySet[LedgerEntry]) -> list[dict[str, Any]]:
    """Return a line for each mode: its rows and cents, fees and all, by state."""
    sums = (
        entries.order_by()
        .values("mode", "state")
        .annotate(rows=Count("pk"), total=Sum(F("cents") + F("fee_cents")))
    )
    by_mode: dict[str, dict[str, Any]] = {}
    for one in sums:
        by_mode.setdefault(one["mode"], {})[one["state"]] = one
    nothing = {"rows": 0, "total": 0}
    return [
        {
            "mode": Mode(mode),
            "states": [
                {"name": state.label, **by_state.get(state, nothing)} for state in EntryState
            ],
        }
        for mode, by_state in sorted(by_mode.items())
    ]


_COLUMNS = (
    "platform",
    "mode",
    "project",
    "kind",
    "worker_id",
    "cents",
    "fee_cents",
    "state",
    "planned_at",
    "sent_at",
    "settled_at",
    "listing",
    "assignment",
    "reason",
    "note",
    "made_by",
    "key",
)


def _as_csv(entries: Iterable[LedgerEntry]) -> str:
    return csv_of(_COLUMNS, (harmless(_cells(entry)) for entry in entries))


def _cells(entry: LedgerEntry) -> list[str]:
    times = (entry.planned_at, entry.sent_at, entry.settled_at)
    planned, sent, settled = (
        moment.isoformat(timespec="seconds") if moment else "" for moment in times
    )
    listing = entry.listing.platform_id or entry.listing.key if entry.listing else ""
    assignment = entry.assignment.platform_id if entry.assignment else ""
    return [
        entry.platform,
        entry.mode,
        entry.project.slug,
        entry.kind,
        entry.worker_id,
        str(entry.cents),
        str(entry.fee_cents),
        entry.state,
        planned,
        sent,
        settled,
        listing,
        assignment,
        entry.reason,
        entry.note,
        entry.made_by.get_username() if entry.made_by else "",
        entry.key.hex,
    ]


@admin.register(PlatformCall)
class PlatformCallAdmin(ReadOnlyAdmin[PlatformCall]):
    list_display = (
        "operation",
        "key",
        "platform",
        "mode_word",
        "state_word",
        "attempts",
        "sent_at",
        "trouble",
    )
    list_filter = ("state", "operation", "mode", "platform")
    search_fields = ("key", "operation", "error")

    @admin.display(description="mode", ordering="mode")
    def mode_word(self, call: PlatformCall) -> str:
        return call.mode.upper()

    @admin.display(description="state", ordering="state")
    def state_word(self, call: PlatformCall) -> str:
        return call.state

    @admin.display(description="error")
    def trouble(self, call: PlatformCall) -> str:
        return Truncator(call.error).chars(SHOWN_LETTERS)


@admin.register(PlatformEvent)
class PlatformEventAdmin(ReadOnlyAdmin[PlatformEvent]):
    list_display = ("kind", "about", "platform", "happened_at", "received_at", "handled")
    list_filter = ("kind", ("handled_at", admin.EmptyFieldListFilter), "platform")
    search_fields = ("event_id", "kind")

    @admin.display(description="about")
    def about(self, event: PlatformEvent) -> str:
        told = cast(Any, event.subject)
        values = told.values() if isinstance(told, dict) else [told]
        return Truncator(", ".join(map(str, values))).chars(SHOWN_LETTERS)

    @admin.display(description="handled", ordering="handled_at")
    def handled(self, event: PlatformEvent) -> str:
        if event.handled_at is None:
            return "not yet"
        return date_format(localtime(event.handled_at), "DATETIME_FORMAT")
