"""Where somebody stands in their session: what is asked, answered and left, and what comes next."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from annotation.models import Session, Verdict
from tasks.models import HIT, Assignment, AssignmentState, HITItem, Platform
from tasks.platforms import task_links

# With fewer answered pages a person's pace says nothing.
FEWEST_FOR_PACE = 3


@dataclass(frozen=True)
class Outline:
    """How much a task asks."""

    keywords: int
    documents: int
    part: int
    parts: int


@dataclass(frozen=True)
class Summary:
    """What was answered of a task so far."""

    keywords: int
    keywords_answered: int
    accepted: int
    rejected: int
    added: int
    documents: int
    documents_answered: int
    left: list[HITItem]


@dataclass(frozen=True)
class Pace:
    """How a person gets on: minutes worked in the session, and to go by their own pace.

    minutes_left: None while too little is answered to tell. is_over: the time that the project
    planned for the session is used up. items: all that the assignment asks.
    """

    items: int
    minutes: int
    minutes_left: int | None
    is_over: bool


@dataclass(frozen=True)
class NextSession:
    """A person's next session: the link to it, or None while it is being prepared."""

    number: int
    count: int
    assignment: Assignment | None

    @property
    def url(self) -> str | None:
        if self.assignment is None:
            return None
        return task_links.task_url(self.assignment)


def outline_of(hit: HIT) -> Outline:
    """Return how much a HIT asks, and which part of its session it is."""
    kinds = hit.items.values_list("keyword_id", flat=True)
    keywords = sum(keyword is not None for keyword in kinds)
    batches = list(HIT.objects.of_session(hit).order_by("batch").values_list("pk", flat=True))
    return Outline(
        keywords=keywords,
        documents=len(kinds) - keywords,
        part=batches.index(hit.pk) + 1,
        parts=len(batches),
    )


def outline(assignment: Assignment) -> Outline:
    """Return how much an assignment asks, and which part of its session it is."""
    asked, project = outline_of(assignment.hit), assignment.hit.project
    if project.is_adaptive and project.batch_size:
        part = Assignment.objects.of_session(assignment).filter(pk__lte=assignment.pk).count()
        parts = math.ceil(project.session_size / project.batch_size)
        return replace(asked, part=part, parts=parts)
    return asked


def pace(session: Session, assignment: Assignment) -> Pace:
    """Return how long a person has worked, and how long the rest takes at their pace."""
    # Sets of ids, which take less than the statement that would count them all at once.
    words = session.judgements.answered().order_by().values_list("keyword", flat=True)
    texts = session.document_labels.current().order_by().values_list("document", flat=True)
    answered = {"keyword": set(words.distinct()), "document": set(texts)}
    items = list(assignment.hit.items.order_by().values_list("keyword", "document"))
    asked = {"keyword": {pk for pk, __ in items if pk}, "document": {pk for __, pk in items if pk}}
    on_documents_s = min(session.document_seconds, session.active_seconds)
    spent_s = {"keyword": session.active_seconds - on_documents_s, "document": on_documents_s}
    left = {kind: len(asked[kind] - answered[kind]) for kind in asked}
    seconds = sum(n * spent_s[kind] / max(1, len(answered[kind])) for kind, n in left.items())
    is_known = all(len(answered[kind]) >= FEWEST_FOR_PACE for kind, n in left.items() if n)
    budget = session.project.session_minutes
    return Pace(
        items=len(items),
        minutes=round(session.active_minutes),
        minutes_left=math.ceil(seconds / 60) if is_known else None,
        is_over=budget is not None and session.active_minutes >= budget,
    )


def summary(session: Session, assignment: Assignment) -> Summary:
    """Return what was answered of a task so far."""
    items = list(assignment.hit.items.select_related("keyword__word"))
    keywords = [item.keyword_id for item in items if item.keyword_id]
    documents = [item.document_id for item in items if item.document_id]
    decided = list(session.judgements.decided().filter(keyword__in=keywords))
    answered = session.judgements.answered().filter(keyword__in=keywords)
    judged = set(answered.values_list("keyword_id", flat=True))
    labelled = set(
        session.document_labels.current()
        .filter(document__in=documents)
        .values_list("document_id", flat=True)
    )
    return Summary(
        keywords=len(keywords),
        keywords_answered=len(judged),
        accepted=sum(one.verdict == Verdict.ACCEPT for one in decided),
        rejected=sum(one.verdict == Verdict.REJECT for one in decided),
        added=sum(one.is_added for one in decided),
        documents=len(documents),
        documents_answered=len(labelled),
        left=[i for i in items if i.keyword_id not in judged and i.document_id not in labelled],
    )


def following(assignment: Assignment) -> Assignment | None:
    """Return the same person's next open assignment of the session, if they were given one."""
    if assignment.hit.platform != Platform.DIRECT:
        return None  # each part is taken on the platform
    theirs = Assignment.objects.of_session(assignment).filter(
        state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE]
    )
    return next((one for one in theirs.select_related("hit").order_by("id") if one.is_open), None)


def next_session(session: Session) -> NextSession | None:
    """Return what awaits a person who submitted a session; None where that was the last one."""
    if not session.has_next:
        return None
    offered = (
        Assignment.objects.filter(
            hit__project=session.project_id,
            hit__session_number=session.number + 1,
            hit__platform=session.annotator.platform,
            worker_id=session.annotator.worker_id,
        )
        .select_related("hit")
        .order_by("id")
        .first()
    )
    if offered is not None and not offered.is_held:
        return None
    return NextSession(session.number + 1, session.project.session_count, offered)
