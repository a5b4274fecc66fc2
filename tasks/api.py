"""Projects as JSON, for managers' own programs: to be read, with a manager's login."""

from __future__ import annotations

from rest_framework import generics, serializers

from tasks.models import Project


class ProjectSerializer(serializers.ModelSerializer[Project]):
    source_language = serializers.CharField(source="embedding.source.language")
    target_language = serializers.CharField(source="embedding.target.language")
    report = serializers.HyperlinkedIdentityField("api:project", lookup_field="slug")

    class Meta:
        model = Project
        fields = (
            "id",
            "slug",
            "name",
            "state",
            "report",
            "source_language",
            "target_language",
            "keyword_count",
            "neighbour_count",
            "document_count",
            "session_count",
            "is_adaptive",
            "document_strategy",
            "is_diverse",
            "overlap",
            "classifier",
            "seeds",
            "method",
            "regularization",
            "learning_rate",
            "iterations",
            "refine_from",
            "consensus_method",
            "live",
            "created_at",
        )


class Projects(generics.ListAPIView[Project]):
    """Every project and its settings."""

    queryset = Project.objects.select_related("embedding__source", "embedding__target")
    serializer_class = ProjectSerializer
