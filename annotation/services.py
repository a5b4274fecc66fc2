"""Changes to sessions and answers."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import mixing
from annotation.answering import SessionEnded
from annotation.models import (
    Annotator,
    OpenedKeyword,
    Problem,
    Session,
    SessionNeighbour,
    SessionState,
)
from annotation.work_time import Sign, WorkTime
from models_ml import jobs
from models_ml.models import Keyword, Neighbour
from tasks import services as tasks_services
from tasks.models import Assignment, AssignmentState, ConsentVersion, HITItem, Platform


def open_session(assignment: Assignment) -> Session:
    """Return the session that an assignment belongs to, begun now if need be."""
    annotator, _ = Annotator.objects.get_or_create(
        platform=assignment.hit.platform, worker_id=assignment.worker_id
    )
    session, _ = Session.objects.get_or_create(
        project_id=assignment.hit.project_id,
        annotator=annotator,
        number=assignment.hit.session_number,
    )
    return session


def note_presence(session: Session, *, on_document: bool = False) -> None:
    """Note that an annotator is at work now.

    on_document: whether the item at hand is a document, so that documents and keywords can be
    told apart by what they take.
    """
    note_signs(session, [Sign(timezone.now(), on_document=on_document)])


def note_signs(session: Session, signs: Iterable[Sign]) -> None:
    """Count the time between an open session's signs of work, whenever they come."""
    time = _work_time(session)
    time.note(signs)
    _store_work_time(session, time)


def take_break(session: Session) -> None:
    """Count the work until now, and nothing until the next sign of it."""
    time = _work_time(session)
    time.pause(timezone.now())
    _store_work_time(session, time)


def _work_time(session: Session) -> WorkTime:
    return WorkTime(
        seen_at=session.last_seen_at,
        paused_at=session.paused_at,
        gap_began_at=session.gap_began_at,
        gap_ended_at=session.gap_ended_at,
    )


def _store_work_time(session: Session, time: WorkTime) -> None:
    if time == _work_time(session):
        return
    # Conditional on what was read: of two requests at once, only one counts the time.
    unchanged = {"last_seen_at": session.last_seen_at, "gap_began_at": session.gap_began_at}
    Session.objects.filter(pk=session.pk, state=SessionState.OPEN, **unchanged).update(
        last_seen_at=time.seen_at,
        paused_at=time.paused_at,
        gap_began_at=time.gap_began_at,
        gap_ended_at=time.gap_ended_at,
        active_seconds=F("active_seconds") + time.worked.total_seconds(),
        document_seconds=F("document_seconds") + time.on_documents.total_seconds(),
    )


@transaction.atomic
def give_consent(session: Session, assignment: Assignment, *, version: ConsentVersion) -> None:
    """Store which version of its text the annotator agreed to; the first agreement stands."""
    Session.objects.filter(pk=session.pk, consented_at=None).update(
        consented_at=timezone.now(), consent=version
    )
    tasks_services.activate(assignment)


def has_yet_to_practise(session: Session) -> bool:
    """True for somebody new to keywords, who has neither practised nor answered anything."""
    return (
        session.number == 1
        and session.project.keyword_count > 0
        and session.practised_at is None
        and not session.judgements.exists()
        and not session.document_labels.exists()
    )


def has_yet_to_pass(session: Session) -> bool:
    """True for somebody who is to pass the project's screening test before the first page.

    Who was at work already when there came to be a test goes on.
    """
    project = session.project
    if project.screening_percent is None or session.number > 1 or session.practised_at:
        return False
    person = {"platform": session.annotator.platform, "worker_id": session.annotator.worker_id}
    return (
        project.practice_keyword != ""
        and project.practice_words.exists()
        and not project.screenings.filter(**person, passed=True).exists()
        and not session.judgements.exists()
        and not session.document_labels.exists()
    )


def end_practice(session: Session) -> None:
    """Note that the annotator has practised, or would rather not."""
    Session.objects.filter(pk=session.pk, practised_at=None).update(practised_at=timezone.now())


def choose_language(annotator: Annotator, language: str) -> None:
    """Keep the language in which an annotator reads the pages."""
    Annotator.objects.filter(pk=annotator.pk).update(language=language)


def resolve_problem(problem: Problem, *, by: User) -> bool:
    """Note that a problem was dealt with; False if it was."""
    return bool(
        Problem.objects.unresolved()
        .filter(pk=problem.pk)
        .update(resolved_at=timezone.now(), resolved_by=by)
    )


def open_keyword(session: Session, keyword: Keyword) -> None:
    """Keep what a live session shows beside a keyword as it is now, for its page was opened."""
    if not session.project.live or session.opened_keywords.filter(keyword=keyword).exists():
        return
    with transaction.atomic():
        # One after the other with store_neighbours: a page that is being read must not change.
        Session.objects.select_for_update().get(pk=session.pk)
        OpenedKeyword.objects.get_or_create(session=session, keyword=keyword)


@transaction.atomic
def store_neighbours(session: Session, neighbours: Iterable[Neighbour]) -> int:
    """Put these in the place of an open session's neighbours; return how many were stored.

    neighbours: rows that are not stored. Those of keywords that were opened or judged meanwhile
    are left out; what was stored for such keywords stays.
    """
    held = Session.objects.select_for_update().get(pk=session.pk)
    if held.state != SessionState.OPEN:
        return 0
    unopened = set(held.unopened_keywords().values_list("pk", flat=True))
    held.neighbours.filter(keyword__in=unopened).delete()
    stored = SessionNeighbour.objects.bulk_create(
        SessionNeighbour(
            session=held,
            keyword_id=near.keyword_id,
            word_id=near.word_id,
            position=near.position,
            cosine=near.cosine,
        )
        for near in neighbours
        if near.keyword_id in unopened
    )
    return len(stored)


@transaction.atomic
def exclude_session(session: Session, *, by: User) -> bool:
    """Leave a session out of its project's consensus, as a person decides; False if it was."""
    changed = Session.objects.filter(pk=session.pk, excluded_at=None).update(
        excluded_at=timezone.now(), excluded_by=by
    )
    if changed:
        jobs.enqueue("refresh_consensus", session.project_id, anew=True)
    return bool(changed)


@transaction.atomic
def include_session(session: Session) -> bool:
    """Take a session back into its project's consensus; False if it was not left out."""
    changed = Session.objects.filter(pk=session.pk, excluded_at__isnull=False).update(
        excluded_at=None, excluded_by=None
    )
    if changed:
        jobs.enqueue("refresh_consensus", session.project_id, anew=True)
    return bool(changed)


@transaction.atomic
def submit_assignment(session: Session, assignment: Assignment) -> bool:
    """Submit an assignment; with the session's last one the session is submitted and queued.

    Returns False where it was submitted before: a second press changes nothing. Raises
    SessionEnded where the link expired or was revoked.
    """
    Session.objects.select_for_update().get(pk=session.pk)
    if not tasks_services.submit(assignment):
        if Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.SUBMITTED).exists():
            return False
        raise SessionEnded(_("This task has ended and can no longer be submitted."))
    if _was_last_part(session, assignment):
        submit_session(session)
    return True


def _was_last_part(session: Session, assignment: Assignment) -> bool:
    if assignment.hit.platform != Platform.DIRECT:
        return not tasks_services.has_more_on_offer(assignment)
    return _next_part(session, assignment) is None


def _next_part(session: Session, assignment: Assignment) -> Assignment | None:
    """Return what a session asks after an assignment; None where it is done."""
    if session.project.is_adaptive:
        return mixing.next_block(session, assignment)
    return tasks_services.next_assignment(assignment)


@transaction.atomic
def submit_session(session: Session) -> bool:
    """Close a session for answers and queue the refinement of what it said; False if it was."""
    note_presence(session)
    changed = Session.objects.filter(pk=session.pk, state=SessionState.OPEN).update(
        state=SessionState.SUBMITTED, submitted_at=timezone.now()
    )
    if changed:
        jobs.enqueue("process_session", session.pk)
    return bool(changed)


def submit_abandoned_sessions() -> int:
    """Submit sessions whose later batches expired or were revoked; return how many.

    What their annotators finished is paid work: it is processed, not lost.
    """
    abandoned = Session.objects.abandoned().select_related("project")
    return sum(submit_session(session) for session in abandoned)


def where_to_resume(session: Session, assignment: Assignment) -> HITItem | None:
    """Return the item after the last one that has an answer; None when that was the last of all.

    Items left open on purpose are not asked again: the finish page lists them.
    """
    items = assignment.hit.items
    keywords = session.judgements.answered().values("keyword")
    documents = session.document_labels.current().values("document")
    answered = items.filter(Q(keyword__in=keywords) | Q(document__in=documents)).last()
    return items.filter(position__gt=answered.position if answered else 0).first()
