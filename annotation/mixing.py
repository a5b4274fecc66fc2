"""What an adaptive session asks next: keywords or documents, by what past sessions gained.

`models_ml.core.policy` decides; this module gathers what it decides by, and writes down why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from django.db.models import Count

from annotation.models import DocumentLabel, Judgement, PolicyDecision, Session, SessionState
from models_ml.core.policy import Kind, Observation, decide
from models_ml.models import Arm
from models_ml.reports import report_means
from tasks import services as tasks_services
from tasks.models import HIT, Assignment, Project


def next_block(session: Session, assignment: Assignment) -> Assignment | None:
    """Return the assignment of the block that an adaptive session asks next; None when it is done.

    The decision is logged with all that it was made of. To be called in a transaction that locks
    the session.
    """
    project = session.project
    blocks = list(HIT.objects.of_session(assignment.hit).order_by("batch"))
    sizes = _sizes(blocks)
    taken = set(Assignment.objects.of_session(assignment).values_list("hit_id", flat=True))
    asked = _by_kind(sizes[hit.pk] for hit in blocks if hit.pk in taken)
    free = [hit for hit in blocks if hit.pk not in taken]
    if sum(asked.values()) >= project.session_size or not free:
        return None
    seen, left = observations(project), _by_kind(sizes[hit.pk] for hit in free)
    options = {"block": project.batch_size or 1, "seed": 1_000 * session.pk + len(taken)}
    decision = decide(seen, asked=asked, left=left, **options)
    evidence = {
        "observations": [asdict(one) for one in seen],
        "asked": asked,
        "left": left,
        **options,
        "worths": [asdict(worth) for worth in decision.worths],
    }
    PolicyDecision.objects.update_or_create(
        session=session,
        block=len(taken) + 1,
        defaults={"kind": decision.kind, "reason": decision.reason, "evidence": evidence},
    )
    # Where somebody else took the last place of every block of this kind, the other kind is asked.
    free.sort(key=lambda hit: (sizes[hit.pk][0] is not decision.kind, hit.batch))
    return tasks_services.take_first(free, assignment.worker_id)


def _sizes(blocks: Iterable[HIT]) -> dict[int, tuple[Kind, int]]:
    """Return what each block asks: kind and number of items, in one query."""
    counted = HIT.objects.filter(pk__in=[hit.pk for hit in blocks]).values_list("pk")
    counts = counted.annotate(keywords=Count("items__keyword"), documents=Count("items__document"))
    return {
        pk: (Kind.KEYWORD, keywords) if keywords else (Kind.DOCUMENT, documents)
        for pk, keywords, documents in counts.order_by()
    }


def _by_kind(sizes: Iterable[tuple[Kind, int]]) -> dict[Kind, int]:
    total: Counter[Kind] = Counter()
    for kind, items in sizes:
        total[kind] += items
    return {kind: total[kind] for kind in Kind}


def observations(project: Project) -> list[Observation]:
    """Return what each past session of a project gained by keywords and by documents."""
    sessions = list(project.sessions.filter(state=SessionState.SUBMITTED, report__isnull=False))
    means = report_means(session.report_id for session in sessions if session.report_id)
    keywords = _numbers(
        Judgement.objects.filter(session__in=sessions)
        .decided()
        .about_words()
        .values_list("session")
        .annotate(Count("keyword", distinct=True))
    )
    documents = _numbers(
        DocumentLabel.objects.current()
        .filter(session__in=sessions, label__isnull=False)
        .values_list("session")
        .annotate(Count("pk"))
    )
    return [
        Observation(kind=kind, items=items, seconds=seconds, gain_points=gain)
        for session in sessions
        for kind, items, seconds, gain in _gains(
            session,
            means.get(session.report_id or 0, {}),
            keywords=keywords.get(session.pk, 0),
            documents=documents.get(session.pk, 0),
        )
    ]


def _numbers(rows: Iterable[tuple[int, int]]) -> dict[int, int]:
    return dict(rows)


def _gains(
    session: Session, means: Mapping[str, float], *, keywords: int, documents: int
) -> Iterator[tuple[Kind, int, float, float]]:
    """Yield kind, items, seconds and gained points of what a session asked.

    Where a session held both kinds, each is worth the mean of what it adds first and what it adds
    last (its Shapley value). What the space gains without any answer is not the keywords' doing.
    """
    base, active = means.get(Arm.BASE), means.get(Arm.ACTIVE)
    clime, both = means.get(Arm.CLIME), means.get(Arm.ACTIVE_CLIME)
    unasked = means.get(Arm.ALIGNED, base)
    seconds_of_documents = min(session.document_seconds, session.active_seconds)
    if keywords and clime is not None and unasked is not None:
        added = [clime - unasked]
        if both is not None and active is not None:
            added.append(both - active)
        seconds = session.active_seconds - seconds_of_documents
        yield Kind.KEYWORD, keywords, seconds, 100 * sum(added) / len(added)
    if documents and active is not None and base is not None:
        added = [active - base]
        if both is not None and clime is not None:
            added.append(both - clime)
        yield Kind.DOCUMENT, documents, seconds_of_documents, 100 * sum(added) / len(added)
