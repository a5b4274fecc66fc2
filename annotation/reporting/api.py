"""Sessions and reports as JSON, for managers' own programs: to be read, with a manager's login."""

from __future__ import annotations

from dataclasses import asdict

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.models import Annotator, Session
from annotation.reporting.people import annotator_report
from annotation.reporting.progress import project_progress
from annotation.reporting.projects import project_report
from annotation.reporting.sessions import session_report
from tasks.models import Project


class SessionSerializer(serializers.ModelSerializer[Session]):
    project = serializers.CharField(source="project.slug")
    annotator = serializers.CharField(source="annotator.worker_id")
    report = serializers.HyperlinkedIdentityField("api:session")

    class Meta:
        model = Session
        fields = (
            "id",
            "project",
            "annotator",
            "number",
            "state",
            "report",
            "started_at",
            "submitted_at",
            "active_minutes",
        )


class Sessions(generics.ListAPIView[Session]):
    """Sessions, the newest first; `?project=SLUG` for those of one project."""

    serializer_class = SessionSerializer

    def get_queryset(self) -> QuerySet[Session]:
        sessions = Session.objects.select_related("project", "annotator")
        slug = self.request.query_params.get("project")
        return sessions.filter(project__slug=slug) if slug else sessions


class SessionReportView(APIView):
    """What a session's page shows."""

    def get(self, request: Request, pk: int) -> Response:
        return Response(asdict(session_report(get_object_or_404(Session, pk=pk))))


class ProjectReportView(APIView):
    """What a project's page shows."""

    def get(self, request: Request, slug: str) -> Response:
        return Response(asdict(project_report(get_object_or_404(Project, slug=slug))))


class AnnotatorReportView(APIView):
    """What a person's page shows of their sessions in a project."""

    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = get_object_or_404(Project, slug=slug)
        people = Annotator.objects.filter(sessions__project=project).distinct()
        return Response(asdict(annotator_report(project, get_object_or_404(people, pk=pk))))


class ProjectLiveView(APIView):
    """How far a project's people and the machine are by now."""

    def get(self, request: Request, slug: str) -> Response:
        return Response(asdict(project_progress(get_object_or_404(Project, slug=slug))))
