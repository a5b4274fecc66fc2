"""A project while people work: a fragment that its page asks for, and “what if you stopped now”."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_GET, require_POST
from rest_framework.utils.encoders import JSONEncoder

from annotation.models import DocumentLabel, Judgement, SessionState
from annotation.reporting.progress import ProjectProgress, project_progress
from models_ml import jobs
from tasks.models import Project

MAY_PREVIEW = "annotation.change_session"


def live_context(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Return what the live part of a project's page shows."""
    project = get_object_or_404(Project, slug=slug)
    return {
        "live": project_progress(project),
        "may_preview": request.user.has_perm(MAY_PREVIEW),
        "now": timezone.now(),
    }


@require_GET
@staff_member_required
def fragment(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the live part of a project's page; 304 while nothing has changed."""
    context = live_context(request, slug)
    etag = _fingerprint(context["live"], may_preview=context["may_preview"])
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        answer = render(request, "reports/_live.html", context)
        answer["ETag"] = etag
    patch_cache_control(answer, private=True, no_cache=True)
    return answer


@require_GET
@staff_member_required
def as_json(request: HttpRequest, slug: str) -> JsonResponse:
    """Return the same figures as JSON."""
    progress = project_progress(get_object_or_404(Project, slug=slug))
    return JsonResponse(asdict(progress), encoder=JSONEncoder)


def _fingerprint(progress: ProjectProgress, *, may_preview: bool) -> str:
    said = json.dumps([asdict(progress), may_preview], cls=JSONEncoder)
    return f'"{hashlib.sha256(said.encode()).hexdigest()}"'


@require_POST
@staff_member_required
def ask_for_previews(request: HttpRequest, slug: str) -> HttpResponseRedirect:
    """Queue what an open session would have bought by now: one session's, or everybody's.

    Sessions without an answer are passed over; 404 where the session is not open in this project.
    """
    if not request.user.has_perm(MAY_PREVIEW):
        raise PermissionDenied
    project = get_object_or_404(Project, slug=slug)
    sessions = project.sessions.filter(state=SessionState.OPEN)
    if chosen := request.POST.get("session", ""):
        # Not a number is not a session: no query is made of it.
        sessions = sessions.filter(pk=get_object_or_404(sessions, pk=_number(chosen)).pk)
    judged = Judgement.objects.answered().filter(session=OuterRef("pk"))
    labelled = DocumentLabel.objects.current().filter(session=OuterRef("pk"))
    answered = sessions.filter(Q(Exists(judged)) | Q(Exists(labelled)))
    if project.test_corpus_id is not None:
        for session_id in answered.order_by("id").values_list("pk", flat=True):
            jobs.enqueue("preview_session", session_id, anew=True)
    return HttpResponseRedirect(reverse("reports:project", args=[slug]) + "#live")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
