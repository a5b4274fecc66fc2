"""Admin pages of what the people of a project say together."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from annotation.models import Consensus, ConsensusPair
from models_ml.admin import ReadOnlyAdmin, link


@admin.register(Consensus)
class ConsensusAdmin(ReadOnlyAdmin[Consensus]):
    list_display = ("project", "method", "people", "pairs_link", "refined_link", "made_at")
    list_filter = ("method", "made_at")
    list_select_related = ("project",)
    search_fields = ("project__name", "project__slug")
    readonly_fields = ("people", "pairs_link", "refined_link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Consensus]:
        return (
            super()
            .get_queryset(request)
            .annotate(_people=Count("members", distinct=True), _pairs=Count("pairs", distinct=True))
        )

    @admin.display(description="annotators")
    def people(self, consensus: Any) -> int:
        return int(consensus._people)

    @admin.display(description="pairs of words")
    def pairs_link(self, consensus: Any) -> str:
        query = f"?consensus__id__exact={consensus.pk}"
        return link("admin:annotation_consensuspair_changelist", consensus._pairs, query=query)

    @admin.display(description="consensus embedding")
    def refined_link(self, consensus: Consensus) -> str:
        if consensus.refined_id is None:
            return "–"
        label = f"embedding {consensus.refined_id}"
        return link("admin:models_ml_embedding_change", label, consensus.refined_id)


@admin.register(ConsensusPair)
class ConsensusPairAdmin(ReadOnlyAdmin[ConsensusPair]):
    list_display = ("keyword", "word", "accepted", "rejected", "posterior", "strength", "consensus")
    list_filter = ("consensus__project",)
    list_select_related = ("keyword", "word", "consensus__project")
    search_fields = ("keyword__text", "word__text")
