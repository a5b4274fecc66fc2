"""Changes to sessions and answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from annotation import mixing
from annotation.models import (
    Annotator,
    DocumentLabel,
    Judgement,
    OpenedKeyword,
    Session,
    SessionNeighbour,
    SessionState,
    Verdict,
)
from models_ml import jobs
from models_ml.models import Document, Keyword, Neighbour, Word
from tasks import services as tasks_services
from tasks.models import Assignment, AssignmentState, HITItem

# A longer pause than this between two signs of life is a break, not work.
IDLE = timedelta(seconds=60)


class NotAnswerable(Exception):
    """The answer does not belong to this session; the message is for the annotator."""


class SessionEnded(NotAnswerable):
    """The session was submitted, or its link expired or was revoked."""


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
    """Count the time since the session's last sign of life as work, unless it was a break.

    on_document: whether the item at hand is a document, so that documents and keywords can be
    told apart by what they take.
    """
    now, last = timezone.now(), session.last_seen_at
    gap = now - last if last else None
    worked_s = gap.total_seconds() if gap and gap <= IDLE else 0.0
    # Conditional on what was read: of two requests at once, only one counts the gap.
    Session.objects.filter(pk=session.pk, last_seen_at=last, state=SessionState.OPEN).update(
        last_seen_at=now,
        active_seconds=F("active_seconds") + worked_s,
        document_seconds=F("document_seconds") + (worked_s if on_document else 0.0),
    )


def note_context(session: Session) -> None:
    """Count that a word was looked at in sentences, as long as the session is open."""
    Session.objects.filter(pk=session.pk, state=SessionState.OPEN).update(
        contexts_opened=F("contexts_opened") + 1
    )


def give_consent(session: Session, assignment: Assignment) -> None:
    """Store the text that the annotator agreed to; the first agreement stands."""
    Session.objects.filter(pk=session.pk, consented_at=None).update(
        consented_at=timezone.now(), consent_text=session.project.consent
    )
    tasks_services.activate(assignment)


def _lock_open(session: Session, assignment: Assignment) -> None:
    """Hold the session's row while an answer is stored; raises SessionEnded where it is too late.

    Answers of one session are stored one after the other, whatever tabs they come from.
    """
    held = Session.objects.select_for_update().get(pk=session.pk)
    current = Assignment.objects.get(pk=assignment.pk)
    is_renewed = current.link_version > 1
    if not current.is_open or (held.state == SessionState.SUBMITTED and not is_renewed):
        raise SessionEnded("This task has ended, so the answer was not saved.")
    if held.state == SessionState.SUBMITTED:
        _reopen(held)
    # Consent is given once a session: a later batch is opened by its first answer.
    tasks_services.activate(current)


def _reopen(session: Session) -> None:
    """Open a session again that was submitted in part, since a link to the rest was made anew."""
    Session.objects.filter(pk=session.pk, state=SessionState.SUBMITTED).update(
        state=SessionState.OPEN, submitted_at=None
    )


@transaction.atomic
def record_judgement(
    session: Session, assignment: Assignment, *, keyword: Keyword, word: Word, verdict: Verdict
) -> Judgement | None:
    """Append what the annotator says of a word beside a keyword; the same again changes nothing.

    A word that was not shown is stored as the annotator's own. Returns None where an answer is
    withdrawn that was never given. Raises NotAnswerable for a keyword of another task, a word of
    another vocabulary or the keyword itself, and SessionEnded when it is too late.
    """
    _lock_open(session, assignment)
    if not assignment.hit.items.filter(keyword=keyword).exists():
        raise NotAnswerable("This word is not part of your task.")
    embedding = session.project.embedding
    if word.vocabulary_id not in {embedding.source_id, embedding.target_id}:
        raise NotAnswerable("This word is not in the project's vocabulary.")
    if word.pk == keyword.word_id:
        raise NotAnswerable("A word cannot be its own neighbour.")
    answers = session.judgements.filter(keyword=keyword, word=word)
    last = answers.current().first()
    if last is None and verdict == Verdict.LEAVE:
        return None
    if last is not None and last.verdict == verdict:
        return last
    answers.current().update(is_current=False)
    if session.project.live:
        jobs.enqueue("update_neighbours", session.pk)
    return Judgement.objects.create(
        session=session,
        keyword=keyword,
        word=word,
        verdict=verdict,
        is_added=word not in session.words_beside(keyword),
        is_control=session.project.controls.filter(keyword=keyword, word=word).exists(),
        revision=last.revision + 1 if last else 1,
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
def record_document_label(
    session: Session, assignment: Assignment, *, document: Document, label: int | None
) -> DocumentLabel:
    """Append the category the annotator gives a document (None: can't tell).

    Raises NotAnswerable for a document of another task or a label that is no category, and
    SessionEnded when it is too late.
    """
    _lock_open(session, assignment)
    if not assignment.hit.items.filter(document=document).exists():
        raise NotAnswerable("This text is not part of your task.")
    if label is not None and not session.project.categories.filter(label=label).exists():
        raise NotAnswerable("This is not one of the categories.")
    labels = session.document_labels.filter(document=document)
    last = labels.current().first()
    if last is not None and last.label == label:
        return last
    labels.current().update(is_current=False)
    return DocumentLabel.objects.create(
        session=session,
        document=document,
        label=label,
        revision=last.revision + 1 if last else 1,
    )


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
        raise SessionEnded("This task has ended and can no longer be submitted.")
    if _next_part(session, assignment) is None:
        submit_session(session)
    return True


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
    keywords = session.judgements.current().values("keyword")
    documents = session.document_labels.current().values("document")
    answered = items.filter(Q(keyword__in=keywords) | Q(document__in=documents)).last()
    return items.filter(position__gt=answered.position if answered else 0).first()
