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
from django.utils import timezone, translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.gzip import gzip_page

from annotation import (
    answering,
    frames,
    ordering,
    pages,
    practising,
    progress,
    screening,
    services,
    welcoming,
)
from annotation.access import (
    LinkEnded,
    LinkResting,
    ReplacedLink,
    UnknownAssignment,
    Visit,
    find_visit,
    is_offered,
    reading_language,
)
from annotation.answering import Answer, AnswerSheet, NotAnswerable, SessionEnded, Stamp
from annotation.models import Session, SessionState, Verdict
from annotation.scripts import fonts_for
from models_ml.models import Keyword, Side, Word
from tasks import services as tasks_services
from tasks.models import AnswerForm, HITItem, Listing
from tasks.platforms import platform_of, task_links

CANNOT_TELL, TAKEN_BACK = "none", "undo"
# Sent by the script with a request for a page that nobody reads yet.
AHEAD = "X-Clime-Ahead"

View = Callable[..., HttpResponse]


def task_page(*methods: str) -> Callable[[View], View]:
    """Return a decorator that gives a view the visit its address stands for, or explains why not.

    methods: those that the view answers besides GET and HEAD.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @gzip_page
        @cache_control(no_store=True)
        @wraps(view)
        def answer(request: HttpRequest, token: str, **where: int) -> HttpResponse:
            allowed = ["GET", "HEAD", *methods]
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            with translation.override(reading_language(request, None)):
                response, listing = find_and_show(request, token, **where)
                return frames.open_to_platform(response, listing)

        def find_and_show(
            request: HttpRequest, token: str, **where: int
        ) -> tuple[HttpResponse, Listing | None]:
            """Return the answer, and the listing of who asks, if a platform sent them."""
            try:
                visit = find_visit(token)
            except ReplacedLink as replaced:
                return _refuse_replaced(request, replaced), replaced.assignment.listing
            except UnknownAssignment:
                return _refuse(request, "unknown", status=404), None
            except LinkEnded as ended:
                return _refuse_ended(request, ended.visit, ended), ended.visit.assignment.listing
            translation.activate(reading_language(request, visit))
            return explain(request, visit, **where), visit.assignment.listing

        def explain(request: HttpRequest, visit: Visit, **where: int) -> HttpResponse:
            try:
                return view(request, visit, **where)
            except Http404:
                return _refuse(request, "elsewhere", status=404, token=visit.token)
            except SessionEnded as ended:
                return _refuse_ended(request, visit, ended)
            except NotAnswerable as error:
                return _refuse(request, "invalid", status=400, token=visit.token, why=str(error))

        return answer

    return decorate


def _render(request: HttpRequest, visit: Visit, template: str, **page: object) -> HttpResponse:
    """Return a page of a task, with what all of them show."""
    project = visit.project
    embedding = project.embedding
    everywhere = {
        "visit": visit,
        "project": project,
        "session": visit.session,
        "texts": pages.texts(project),
        "fonts": fonts_for([embedding.source.tag, embedding.target.tag]),
    }
    return render(request, f"annotation/{template}.html", everywhere | page)


def _refuse(request: HttpRequest, reason: str, *, status: int, **said: object) -> HttpResponse:
    return render(request, "annotation/refused.html", {"reason": reason, **said}, status=status)


def _refuse_replaced(request: HttpRequest, replaced: ReplacedLink) -> HttpResponse:
    """Say where the newer link is: with the person who gave it, or on the platform's page."""
    listing = replaced.assignment.listing
    if listing is None:
        return _refuse(request, "unknown", status=404)
    return _refuse(request, "ended", status=410, listing=listing)


def _refuse_ended(
    request: HttpRequest, visit: Visit, ended: LinkEnded | SessionEnded
) -> HttpResponse:
    translation.activate(reading_language(request, visit))
    if isinstance(ended, LinkEnded) and screening.has_failed(visit.assignment):
        return _screened_out(request, visit)
    if not isinstance(ended, LinkResting):
        return _refuse(request, "ended", status=410, listing=visit.assignment.listing)
    return render(request, "annotation/resting.html", {"resting": visit.assignment})


def _screened_out(request: HttpRequest, visit: Visit) -> HttpResponse:
    page = _render(request, visit, "screened_out")
    page.status_code = 410
    return page


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
    if (session := visit.agreed) is None:
        address = reverse("annotation:welcome", args=[visit.token])
        return redirect(f"{address}?{request.GET.urlencode()}" if request.GET else address)
    if services.has_yet_to_pass(session):
        return redirect("annotation:screening", visit.token)
    if services.has_yet_to_practise(session):
        return redirect("annotation:practice", visit.token)
    item = services.where_to_resume(session, visit.assignment)
    if item is None:
        return redirect("annotation:finish", visit.token)
    return redirect("annotation:item", visit.token, item.position)


@task_page("POST")
def welcome(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Explain the task and ask for consent. Before consent nothing is stored about anyone."""
    if request.method == "POST" and visit.is_submitted:
        return _see("start", visit.token)
    text = visit.project.consent_fingerprint
    # A text that was changed while it was read is shown again, not taken for agreed to.
    if request.method == "POST" and request.POST.get("text") == text:
        session = visit.session or services.open_session(visit.assignment)
        version = tasks_services.consent_version(visit.project)
        services.give_consent(session, visit.assignment, version=version)
        if is_offered(chosen := request.POST.get("language", "")):
            services.choose_language(session.annotator, chosen)
        return _see("start", visit.token)
    return _render(
        request,
        visit,
        "welcome",
        outline=progress.outline(visit.assignment),
        pictures=welcoming.pictures(translation.get_language()),
        steps=pages.grade_steps(),
        categories=visit.project.categories.all(),
        usual_minutes=welcoming.usual_minutes(visit.project),
        reward=welcoming.reward(visit.assignment.listing),
        has_controls=visit.project.controls.exists(),
        has_test=visit.project.screening_percent and visit.assignment.hit.session_number == 1,
        consent=welcoming.consent(visit),
        text=text,
        is_changed=request.method == "POST",
    )


@task_page("POST")
def screening_test(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Let somebody answer the screening test, once; who failed it is told so, and nothing else."""
    session = visit.agreed
    if visit.is_submitted or session is None or not services.has_yet_to_pass(session):
        return _see("start", visit.token)
    if screening.has_failed(visit.assignment):
        return _screened_out(request, visit)
    services.note_presence(session)
    sheet = screening.fill_in(visit.project, request.POST if request.method == "POST" else None)
    if request.method == "POST" and sheet.is_complete:
        screening.hand_in(session, visit.assignment, sheet)
        return _see("start", visit.token)
    return _render(request, visit, "screening", sheet=sheet, is_sent=request.method == "POST")


@task_page("POST")
def practice(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Let somebody try a keyword whose answers are told; nothing that they press is stored."""
    session = visit.admitted
    if visit.is_submitted or session is None:
        return _see("start", visit.token)
    services.note_presence(session)
    if request.method == "POST" and "end" in request.POST:
        services.end_practice(session)
        return _see("start", visit.token)
    shown = practising.practice_of(visit.project)
    trial = practising.try_out(shown, request.POST if request.method == "POST" else None)
    return _render(
        request, visit, "practice", practice=shown, trial=trial, steps=pages.grade_steps()
    )


@task_page("POST")
def item(request: HttpRequest, visit: Visit, position: int) -> HttpResponse:
    """Ask about one keyword or document, and take answers sent as forms."""
    session = visit.admitted
    if visit.is_submitted or session is None:
        return _see("start", visit.token)
    items = visit.assignment.hit.items.order_by().select_related("keyword__word", "document")
    asked = get_object_or_404(items, position=position)
    is_ahead = AHEAD in request.headers
    if not is_ahead:
        services.note_presence(session, on_document=asked.document is not None)
    if request.method == "POST":
        with answering.open_sheet(session, visit.assignment) as sheet:
            anchor = _take_answer(request, sheet, session, asked)
        return _see("item", visit.token, position, anchor=anchor)
    pace = progress.pace(session, visit.assignment)
    page = {
        "item": asked,
        "position": position,
        "count": pace.items,
        "pace": pace,
        "now_ms": round(timezone.now().timestamp() * 1000),
    }
    if asked.keyword is None:
        page["shown"] = pages.document_page(session, asked)
        return _render(request, visit, "document", **page)
    if not is_ahead:
        services.open_keyword(session, asked.keyword)
    page["steps"] = pages.grade_steps()
    page["shown"] = shown = pages.keyword_page(
        session,
        asked.keyword,
        context_of=_whole_number(request.GET.get("context", "")),
        is_full="more" in request.GET,
        search_side=request.GET.get("side", ""),
        query=request.GET.get("q", ""),
    )
    if shown.concordance is not None and "more" not in request.GET:
        answering.note_context(session, shown.concordance.word, Stamp())
    return _render(request, visit, "keyword", **page)


def _take_answer(request: HttpRequest, sheet: AnswerSheet, session: Session, asked: HITItem) -> str:
    """Store the answer in a form; return the place on the page where it was given."""
    if asked.document is not None:
        given = request.POST.get("label", "")
        label = _whole_number(given)
        if label is None and given not in {CANNOT_TELL, TAKEN_BACK}:
            raise NotAnswerable(_("Please choose one of the categories."))
        sheet.label(asked.document, label, is_withdrawn=given == TAKEN_BACK)
        return "answers"
    if asked.keyword is None:
        raise ValueError(f"{asked} asks nothing")
    if "rest" in request.POST:
        return _take_rest(request.POST["rest"], sheet, asked.keyword)
    if "suggestion" in request.POST:
        return _take_suggestion(request, sheet, asked.keyword)
    word_id = _whole_number(request.POST.get("word", ""))
    word = Word.objects.filter(pk=word_id).first() if word_id else None
    if word is None:
        raise NotAnswerable(_("Please press one of the buttons beside a word."))
    move, verdict = request.POST.get("move", ""), request.POST.get("verdict", "")
    if move in {"up", "down"}:
        _reorder(sheet, session, asked.keyword, word, move)
    elif (grade := _whole_number(request.POST.get("grade", ""))) is not None:
        sheet.grade(asked.keyword, word, grade)
    elif verdict not in Verdict.values:
        raise NotAnswerable(_("Please press one of the buttons beside a word."))
    elif session.project.answer_form == AnswerForm.RANKING:
        _reorder(sheet, session, asked.keyword, word, verdict)
    else:
        sheet.judge(asked.keyword, word, Answer(Verdict(verdict)))
    return f"w-{word.pk}"


def _take_rest(given: str, sheet: AnswerSheet, keyword: Keyword) -> str:
    rest = {"reject": Answer(Verdict.REJECT), "leave": answering.LEFT_ON_PURPOSE}
    if given not in rest:
        raise NotAnswerable(_("Please press one of the buttons beside a word."))
    sheet.settle_rest(keyword, rest[given])
    return "rest"


def _take_suggestion(request: HttpRequest, sheet: AnswerSheet, keyword: Keyword) -> str:
    side, text = request.POST.get("side", ""), request.POST["suggestion"]
    if side not in Side.values:
        raise NotAnswerable(_("Please press one of the buttons beside a word."))
    sheet.suggest(keyword, side, text, is_withdrawn="withdraw" in request.POST)
    return f"add-{side}"


def _reorder(
    sheet: AnswerSheet, session: Session, keyword: Keyword, word: Word, given: str
) -> None:
    """Store a ranking in which a word was moved up or down, accepted, rejected or taken back.

    A word that is not there yet is added, and one's own that is taken back goes.
    """
    column = _column_of(session, keyword, word)
    shown = next((one for one in column.words if one.word == word), None)
    if given in Verdict.values and (shown is None or shown.is_added):
        sheet.judge(keyword, word, Answer(Verdict(given)))
        column = _column_of(session, keyword, word)
    if given == Verdict.LEAVE and word not in column:
        order = ordering.order_of(column)
    elif given in Verdict.values:
        order = ordering.placed(column, word, Verdict(given))
    elif word in column:
        order = ordering.moved(column, word, up=given == "up")
    else:
        raise NotAnswerable(_("This word is not part of your task."))
    sheet.rank(
        keyword,
        column.side,
        best_first=order.best_first,
        worst_first=order.worst_first,
        left=order.left,
    )


def _column_of(session: Session, keyword: Keyword, word: Word) -> pages.Column:
    """Return the column of a keyword's page in the language of a word."""
    for column in pages.keyword_page(session, keyword).columns:
        if column.vocabulary.pk == word.vocabulary_id:
            return column
    raise NotAnswerable(_("This word is not in the project's vocabulary."))


@task_page()
def concordance(request: HttpRequest, visit: Visit, word_id: int) -> HttpResponse:
    """Return a word in sentences, as the piece of a page that the script puts under the word.

    That it was opened comes as a letter of its own.
    """
    session = visit.admitted
    if session is None:
        raise Http404
    is_full = "more" in request.GET
    shown = pages.concordance(session.project, word_id, is_full=is_full)
    if shown is None:
        raise Http404
    return render(request, "annotation/_concordance.html", {"concordance": shown})


# --- Beside the work -----------------------------------------------------------------------------


@task_page("POST")
def take_break(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Stop the clock until the person goes on."""
    if visit.is_submitted or visit.agreed is None:
        return _see("start", visit.token)
    if request.method == "POST":
        services.take_break(visit.agreed)
        return _see("break", visit.token)
    return _render(request, visit, "break")


@task_page("POST")
def report_problem(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Take what somebody tells the manager, of a page or of the task as a whole."""
    if request.method == "POST":
        position = _whole_number(request.POST.get("position", ""))
        about = visit.assignment.hit.items.filter(position=position).first() if position else None
        answering.report_problem(visit.assignment, request.POST.get("text", ""), item=about)
    return _render(request, visit, "problem", is_told=request.method == "POST")


@task_page("POST")
def choose_language(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Keep the language that somebody chose; before they agree, in the address alone."""
    chosen = request.POST.get("language", "")
    if request.method != "POST" or not is_offered(chosen):
        return _see("start", visit.token)
    if visit.session is None:
        address = reverse("annotation:welcome", args=[visit.token])
        return HttpResponseRedirect(f"{address}?{urlencode({'language': chosen})}", status=303)
    services.choose_language(visit.session.annotator, chosen)
    position = _whole_number(request.POST.get("position", ""))
    return _see("item", visit.token, position) if position else _see("start", visit.token)


# --- The end -------------------------------------------------------------------------------------


@task_page("POST")
def finish(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show what was answered and take the submission; afterwards, show the completion code."""
    session = visit.admitted
    if session is None and visit.is_submitted:
        return _done(request, visit)  # a compensation: nothing was asked
    if session is None:
        return _see("start", visit.token)
    if request.method == "POST":
        services.submit_assignment(session, visit.assignment)
        query = "?now" if visit.assignment.listing else ""  # hand_in.js knows it
        return HttpResponseRedirect(
            reverse("annotation:finish", args=[visit.token]) + query, status=303
        )
    page: dict[str, object] = {"summary": progress.summary(session, visit.assignment)}
    if visit.is_submitted:
        return _done(request, visit, **page)
    services.note_presence(session)
    page["count"] = visit.assignment.hit.items.count()
    page["now_ms"] = round(timezone.now().timestamp() * 1000)
    return _render(request, visit, "finish", **page)


def _done(request: HttpRequest, visit: Visit, **page: object) -> HttpResponse:
    """Show what was done, and what is left to do: to hand it in there, or to go on here."""
    if visit.assignment.listing is not None:
        return _done_there(request, visit, visit.assignment.listing, **page)
    following = progress.following(visit.assignment)
    if following is not None:
        page["continue_url"] = task_links.task_url(following)
    elif visit.session and visit.session.state == SessionState.SUBMITTED:
        page["next"] = progress.next_session(visit.session)
    return _render(request, visit, "done", **page)


def _done_there(
    request: HttpRequest, visit: Visit, listing: Listing, **page: object
) -> HttpResponse:
    """Offer to hand the work in, until the platform says that it was."""
    completion = None
    if not visit.assignment.status_there:
        completion = platform_of(listing.platform).completion(visit.assignment)
    session = visit.session
    is_over = session is not None and session.state == SessionState.SUBMITTED
    response = _render(
        request,
        visit,
        "done_there",
        listing=listing,
        completion=completion,
        has_next=is_over and session is not None and session.has_next,
        is_sent_now="now" in request.GET,
        **page,
    )
    if completion is None or not completion.fields:
        return response
    return frames.let_hand_in(response, listing, completion)
