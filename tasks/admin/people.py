"""Admin pages of who may work, and of what people are written."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from models_ml.admin import ReadOnlyAdmin, count, link
from tasks.crowd import messaging, people
from tasks.forms import WIDE
from tasks.models import (
    Block,
    Message,
    Qualification,
    QualificationHolder,
    Recipient,
    RecipientState,
    Screening,
)
from tasks.platforms import PlatformError
from tasks.services import TaskError


class BlockForm(forms.ModelForm[Block]):
    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        name = data.get("worker_id", "")
        if people.is_nobody_s_name(data.get("platform", ""), name):
            self.add_error(
                "worker_id",
                f"{name} is somebody else in each project: revoke the link in its project.",
            )
        return data


@admin.register(Block)
class BlockAdmin(admin.ModelAdmin[Block]):
    """Blocks are made and undone; the platform is told once the row is committed."""

    form = BlockForm
    list_display = ("worker_id", "platform", "reason", "made_by", "made_at")
    list_filter = ("platform", "made_at")
    list_select_related = ("made_by",)
    search_fields = ("worker_id", "reason")
    fields = ("platform", "worker_id", "reason")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: Block | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Block, form: Any, change: bool) -> None:
        by = obj.made_by = cast(User, request.user)
        super().save_model(request, obj, form, change)

        def tell() -> None:
            problem = people.block(obj.platform, obj.worker_id, reason=obj.reason, by=by)
            if problem:
                text = f"{obj} gets no more work from us, but is not blocked there: {problem}."
                self.message_user(request, text, messages.WARNING)

        transaction.on_commit(tell)

    def delete_model(self, request: HttpRequest, obj: Block) -> None:
        name, platform, worker_id = str(obj), obj.platform, obj.worker_id
        super().delete_model(request, obj)

        def tell() -> None:
            if problem := people.unblock(platform, worker_id):
                text = f"{name} may work for us again, but is still blocked there: {problem}."
                self.message_user(request, text, messages.WARNING)

        transaction.on_commit(tell)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Block]) -> None:
        for block in queryset:
            self.delete_model(request, block)


@admin.register(Screening)
class ScreeningAdmin(ReadOnlyAdmin[Screening]):
    """Results stand as they are; who deletes one lets the person take the test again."""

    list_display = ("worker_id", "platform", "project", "result", "passed", "taken_at")
    list_filter = ("project", "platform", "passed", "taken_at")
    list_select_related = ("project",)
    search_fields = ("worker_id", "project__name")

    def has_delete_permission(self, request: HttpRequest, obj: Screening | None = None) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request, obj)

    @admin.display(description="right answers")
    def result(self, screening: Screening) -> str:
        return f"{screening.correct} of {screening.asked}"


# --- Qualifications ------------------------------------------------------------------------------


class HolderInline(admin.TabularInline[QualificationHolder, Qualification]):
    model = QualificationHolder
    extra = 0
    can_delete = False
    fields = readonly_fields = ("worker_id", "granted_at", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[QualificationHolder]:
        return super().get_queryset(request).select_related("qualification")

    def has_add_permission(self, request: HttpRequest, obj: Qualification | None = None) -> bool:
        return False


@admin.register(Qualification)
class QualificationAdmin(ReadOnlyAdmin[Qualification]):
    list_display = (
        "name",
        "platform",
        "mode",
        "purpose",
        "project_link",
        "granted",
        "waiting",
        "refused",
    )
    list_filter = ("project", "platform", "mode", "purpose")
    list_select_related = ("project",)
    search_fields = ("name", "platform_id", "project__name", "holders__worker_id")
    inlines = (HolderInline,)
    actions = ("try_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Qualification]:
        told, refused = Q(holders__granted_at__isnull=False), ~Q(holders__error="")
        is_waiting = Q(holders__granted_at=None, holders__error="", holders__isnull=False)

        def number(which: Q) -> Count:
            return Count("holders", filter=which, distinct=True)

        return (
            super()
            .get_queryset(request)
            .annotate(
                _granted=number(told),
                _waiting=number(is_waiting),
                _refused=number(refused & Q(holders__isnull=False)),
            )
        )

    @admin.display(description="project", ordering="project")
    def project_link(self, qualification: Qualification) -> str:
        project = qualification.project
        return link("admin:tasks_project_change", project, project.pk)

    @admin.display(description="granted", ordering="_granted")
    def granted(self, qualification: Any) -> int:
        return cast(int, qualification._granted)

    @admin.display(description="waiting", ordering="_waiting")
    def waiting(self, qualification: Any) -> int:
        return cast(int, qualification._waiting)

    @admin.display(description="refused there", ordering="_refused")
    def refused(self, qualification: Any) -> int:
        return cast(int, qualification._refused)

    @admin.action(description="Try refused grants again", permissions=["operate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Qualification]) -> None:
        refused = QualificationHolder.objects.filter(qualification__in=queryset).exclude(error="")
        changed = refused.update(error="")
        text = f"{count(changed, 'grant')} will be tried again with the next poll."
        self.message_user(request, text, messages.SUCCESS if changed else messages.WARNING)


# --- Messages ------------------------------------------------------------------------------------


class MessageForm(forms.ModelForm[Message]):
    """A message and whom it is for."""

    everybody = forms.BooleanField(
        label="To all who took a place", required=False, help_text="in the present market"
    )
    worker_ids = forms.CharField(
        label="Or to these",
        required=False,
        widget=forms.Textarea({"rows": 5, "cols": 40}),
        help_text="Ids of the platform, one a line.",
    )

    class Meta:
        model = Message
        fields = ("project", "platform", "subject", "text")
        widgets = {"subject": forms.TextInput(WIDE), "text": forms.Textarea(WIDE | {"rows": 8})}
        help_texts = {
            "platform": "Who came by a direct link cannot be written to from here: write as you "
            "sent the link.",
            "text": "Read by people as you write it, in plain text.",
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        names = list(dict.fromkeys(data["worker_ids"].split()))
        if bool(names) == data["everybody"]:
            raise forms.ValidationError("Say to whom: tick all, or name some.")
        project, platform = data["project"], data["platform"]
        try:
            data["recipients"] = names or messaging.who_took_part(project, platform)
            messaging.check_recipients(project, platform, data["recipients"])
        except (TaskError, PlatformError) as error:
            raise forms.ValidationError(f"Nothing was sent: {error}.") from error
        return data


class RecipientInline(admin.TabularInline[Recipient, Message]):
    model = Recipient
    extra = 0
    can_delete = False
    fields = readonly_fields = ("worker_id", "state", "error")

    def has_add_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin[Message]):
    """Messages are written and sent, and stay as they are; each call has a batch of people."""

    list_display = (
        "subject",
        "project",
        "platform",
        "made_at",
        "made_by",
        *(f"{state}_count" for state in RecipientState.values),
    )
    list_filter = ("project", "platform", "made_at")
    list_select_related = ("project", "made_by")
    search_fields = ("subject", "text", "project__name", "recipients__worker_id")
    actions = ("send_again", "send_to_unknown")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_add_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        numbers = {
            f"_{state}": Count("recipients", filter=Q(recipients__state=state), distinct=True)
            for state in RecipientState.values
        }
        return super().get_queryset(request).annotate(**numbers)

    def get_form(
        self, request: HttpRequest, obj: Message | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(
            request, obj, change, **({} if obj else {"form": MessageForm}), **kwargs
        )

    def get_fieldsets(self, request: HttpRequest, obj: Message | None = None) -> Any:
        if obj is None:
            fields = ("project", "platform", "everybody", "worker_ids", "subject", "text")
            told = "Sent as soon as it is saved, in batches of a hundred people."
            return ((None, {"description": told, "fields": fields}),)
        fields = ("project", "platform", "subject", "text", "made_by", "made_at")
        return ((None, {"fields": fields}),)

    def get_inlines(self, request: HttpRequest, obj: Message | None) -> Any:
        return (RecipientInline,) if obj else ()

    @admin.display(description="sent", ordering="_sent")
    def sent_count(self, message: Any) -> int:
        return cast(int, message._sent)

    @admin.display(description="failed", ordering="_failed")
    def failed_count(self, message: Any) -> int:
        return cast(int, message._failed)

    @admin.display(description="not known", ordering="_sending")
    def sending_count(self, message: Any) -> int:
        return cast(int, message._sending)

    @admin.display(description="waiting", ordering="_waiting")
    def waiting_count(self, message: Any) -> int:
        return cast(int, message._waiting)

    def save_model(self, request: HttpRequest, obj: Message, form: Any, change: bool) -> None:
        obj.made_by = cast(User, request.user)
        super().save_model(request, obj, form, change)
        messaging.address(obj, form.cleaned_data["recipients"])
        # Sent once the rows are committed: a crash on the way then leaves a trace.
        transaction.on_commit(lambda: self._say(request, obj, messaging.send(obj)))

    @admin.action(
        description="Send to those whom it did not reach (failed, waiting)",
        permissions=["operate"],
    )
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        for message in queryset.select_related("project"):
            self._say(request, message, messaging.send_again(message))

    @admin.action(
        description="Send also to those of whom it is not known: they may read it twice",
        permissions=["operate"],
    )
    def send_to_unknown(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        for message in queryset.select_related("project"):
            self._say(request, message, messaging.send_again(message, to_unknown=True))

    def _say(self, request: HttpRequest, message: Message, told: messaging.Standing) -> None:
        parts = {
            "sent": told.sent,
            "failed": told.failed,
            "not known to have arrived": told.unknown,
            "waiting": told.waiting,
        }
        said = ", ".join(f"{number} {word}" for word, number in parts.items() if number)
        text = f"“{message}”: {said}." + (f" {told.problem}." if told.problem else "")
        is_done = not (told.failed or told.unknown or told.waiting)
        self.message_user(request, text, messages.SUCCESS if is_done else messages.WARNING)
