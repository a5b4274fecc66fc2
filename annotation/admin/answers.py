"""Admin pages of what annotators answered, suggested and looked at."""

from __future__ import annotations

from django.contrib import admin

from annotation.models import ContextView, DocumentLabel, Judgement, Suggestion
from models_ml.admin import ReadOnlyAdmin


@admin.register(Judgement)
class JudgementAdmin(ReadOnlyAdmin[Judgement]):
    list_display = (
        "keyword",
        "word",
        "verdict",
        "strength",
        "is_added",
        "is_current",
        "revision",
        "session",
        "chosen_at",
    )
    list_filter = ("verdict", "is_added", "is_control", "is_current", "session__project")
    list_select_related = ("keyword__word", "word", "session__annotator", "session__project")
    search_fields = ("keyword__word__text", "word__text", "session__annotator__worker_id")


@admin.register(DocumentLabel)
class DocumentLabelAdmin(ReadOnlyAdmin[DocumentLabel]):
    list_display = ("document", "label", "is_current", "revision", "session", "chosen_at")
    list_filter = ("label", "is_current", "session__project")
    list_select_related = ("document", "session__annotator", "session__project")
    search_fields = ("document__text", "session__annotator__worker_id")


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin[Suggestion]):
    list_display = ("text", "side", "keyword", "is_withdrawn", "session", "chosen_at")
    list_filter = ("side", "is_withdrawn", "session__project")
    list_select_related = ("keyword__word", "session__annotator", "session__project")
    search_fields = ("text", "keyword__word__text", "session__annotator__worker_id")


@admin.register(ContextView)
class ContextViewAdmin(ReadOnlyAdmin[ContextView]):
    list_display = ("word", "session", "opened_at")
    list_filter = ("session__project", "opened_at")
    list_select_related = ("word", "session__annotator", "session__project")
    search_fields = ("word__text", "session__annotator__worker_id")
