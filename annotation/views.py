"""The pages on which annotators work. Each works as a plain form; the script only makes it quick.

Views are exempt from the CSRF check: it guards logins kept in cookies, and here there are none.
Whoever can send a form to an address that holds the token could as well open it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt

from annotation import pages, services
from annotation.access import LinkEnded, LinkResting, UnknownAssignment, Visit, find_visit
from annotation.models import Session, SessionState, Verdict
from annotation.services import NotAnswerable, SessionEnded
from models_ml.models import Word
from tasks.models import HITItem
from tasks.platforms import platform_of

CANNOT_TELL = "none"

View = Callable[..., HttpResponse]


def task_page(*methods: str) -> Callable[[View], View]:
    """Return a decorator that gives a view the visit its address stands for, or explains why not.

    methods: those that the view answers besides GET and HEAD.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @cache_control(no_store=True)
        @wraps(view)
        def answer(request: HttpRequest, token: str, **where: int) -> HttpResponse:
            allowed = ["GET", "HEAD", *methods]
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            try:
                return view(request, find_visit(token), **where)
            except UnknownAssignment:
                return _refuse(request, "unknown", status=404)
            except Http404:
                return _refuse(request, "elsewhere", status=404, token=token)
            except (LinkEnded, SessionEnded) as ended:
                return _refuse_ended(request, ended)
            except NotAnswerable as error:
                return _refuse(request, "invalid", status=400, token=token, why=str(error))

        return answer

    return decorate


def _refuse(request: HttpRequest, reason: str, *, status: int, **said: str) -> HttpResponse:
    return render(request, "annotation/refused.html", {"reason": reason, **said}, status=status)


def _refuse_ended(request: HttpRequest, ended: LinkEnded | SessionEnded) -> HttpResponse:
    if not isinstance(ended, LinkResting):
        return _refuse(request, "ended", status=410)
    return render(request, "annotation/resting.html", {"resting": ended.assignment})


def _see(name: str, *where: object, anchor: str = "") -> HttpResponse:
    """Return a redirect that a browser follows by GET, whatever it just sent."""
    address = reverse(f"annotation:{name}", args=where)
    return HttpResponseRedirect(f"{address}#{anchor}" if anchor else address, status=303)


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


@task_page()
def start(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Lead to where the person is."""
    if visit.is_submitted:
        return redirect("annotation:finish", visit.token)
    if visit.agreed is None:
        return redirect("annotation:welcome", visit.token)
    item = services.where_to_resume(visit.agreed, visit.assignment)
    if item is None:
        return redirect("annotation:finish", visit.token)
    return redirect("annotation:item", visit.token, item.position)


@task_page("POST")
def welcome(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Explain the task and ask for consent. Before consent nothing is stored about anyone."""
    if request.method == "POST":
        if not visit.is_submitted:
            session = visit.session or services.open_session(visit.assignment)
            services.give_consent(session, visit.assignment)
        return _see("start", visit.token)
    page = {
        "visit": visit,
        "project": visit.project,
        "outline": pages.outline(visit.assignment),
        "categories": visit.project.categories.all(),
        "has_controls": visit.project.controls.exists(),
    }
    return render(request, "annotation/welcome.html", page)


@task_page("POST")
def item(request: HttpRequest, visit: Visit, position: int) -> HttpResponse:
    """Ask about one keyword or document, and take answers sent as forms."""
    session = visit.agreed
    if visit.is_submitted or session is None:
        return _see("start", visit.token)
    items = visit.assignment.hit.items
    asked = get_object_or_404(items.select_related("keyword__word", "document"), position=position)
    services.note_presence(session, on_document=asked.document is not None)
    if request.method == "POST":
        anchor = _take_answer(request, visit, session, asked)
        return _see("item", visit.token, position, anchor=anchor)
    page = {
        "visit": visit,
        "project": session.project,
        "session": session,
        "position": position,
        "count": items.count(),
    }
    if asked.keyword is None:
        page["shown"] = pages.document_page(session, asked)
        return render(request, "annotation/document.html", page)
    services.open_keyword(session, asked.keyword)
    page["shown"] = shown = pages.keyword_page(
        session,
        asked.keyword,
        context_of=_whole_number(request.GET.get("context", "")),
        search_side=request.GET.get("side", ""),
        query=request.GET.get("q", ""),
    )
    if shown.concordance is not None:
        services.note_context(session)
    return render(request, "annotation/keyword.html", page)


def _take_answer(request: HttpRequest, visit: Visit, session: Session, asked: HITItem) -> str:
    """Store the answer in a form; return the place on the page where it was given."""
    if asked.document is not None:
        given = request.POST.get("label", "")
        label = _whole_number(given)
        if label is None and given != CANNOT_TELL:
            raise NotAnswerable("Please choose one of the categories.")
        services.record_document_label(
            session, visit.assignment, document=asked.document, label=label
        )
        return "answers"
    if asked.keyword is None:
        raise ValueError(f"{asked} asks nothing")
    word_id = _whole_number(request.POST.get("word", ""))
    word = Word.objects.filter(pk=word_id).first() if word_id else None
    verdict = request.POST.get("verdict", "")
    if word is None or verdict not in Verdict.values:
        raise NotAnswerable("Please press one of the buttons beside a word.")
    services.record_judgement(
        session, visit.assignment, keyword=asked.keyword, word=word, verdict=Verdict(verdict)
    )
    return f"w-{word.pk}"


@task_page()
def concordance(request: HttpRequest, visit: Visit, word_id: int) -> HttpResponse:
    """Return a word in sentences, as the piece of a page that the script puts under the word."""
    if visit.agreed is None:
        raise Http404
    services.note_presence(visit.agreed)
    shown = pages.concordance(visit.agreed.project, word_id)
    if shown is None:
        raise Http404
    services.note_context(visit.agreed)
    return render(request, "annotation/_concordance.html", {"concordance": shown})


@task_page("POST")
def finish(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show what was answered and take the submission; afterwards, show the completion code."""
    session = visit.agreed
    if session is None:
        return _see("start", visit.token)
    if request.method == "POST":
        services.submit_assignment(session, visit.assignment)
        return _see("finish", visit.token)
    page = {
        "visit": visit,
        "project": session.project,
        "summary": pages.summary(session, visit.assignment),
    }
    if not visit.is_submitted:
        services.note_presence(session)
        page["count"] = visit.assignment.hit.items.count()
        return render(request, "annotation/finish.html", page)
    following = pages.following(visit.assignment)
    if following is not None:
        page["continue_url"] = platform_of(following.hit.platform).task_url(following)
    elif session.state == SessionState.SUBMITTED:
        page["next"] = pages.next_session(session)
    return render(request, "annotation/done.html", page)
