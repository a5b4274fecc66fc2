"""Changes to projects, HITs and assignments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from models_ml.models import Document, Keyword
from tasks.models import (
    HIT,
    Assignment,
    AssignmentState,
    ConsentVersion,
    HITItem,
    Platform,
    Project,
    ProjectState,
)

ITEMS_A_TURN = 5


class TaskError(Exception):
    """What was asked cannot be done; the message says why, for a person to read."""


@dataclass(frozen=True)
class Owner:
    """Whose own HITs are made, in their platform's words; no worker: anybody's."""

    platform: str
    worker_id: str


def find_project(name: str) -> Project:
    """Return the project with this slug or number.

    Raises TaskError, which names the projects that there are.
    """
    wanted = Q(slug=name)
    if re.fullmatch("[0-9]{1,18}", name):
        wanted |= Q(pk=int(name))
    project = Project.objects.filter(wanted).first()
    if project is None:
        known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none"
        raise TaskError(f"there is no project {name!r}; projects: {known}")
    return project


@transaction.atomic
def create_hits(
    project: Project,
    *,
    keywords: Iterable[Keyword],
    documents: Iterable[Document],
    session_number: int = 1,
    owner: Owner | None = None,
) -> list[HIT]:
    """Return the HITs of a session: keywords first, then documents, in batches.

    owner: the only person who may take them; None for anybody. Made anew as long as nobody was
    given one; from then on they stay as they are. The batches of an adaptive project hold either
    keywords or documents.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    owner = owner or Owner(Platform.DIRECT, "")
    whose = {"platform": owner.platform, "worker_id": owner.worker_id}
    same = project.hits.filter(session_number=session_number, worker_id=owner.worker_id)
    existing = same.filter(platform=owner.platform)
    # What is anybody's stands once for each platform: the others are copies (tasks.crowd.offers).
    all_of_them = existing if owner.worker_id else same
    offered = Q(assignments__isnull=False) | Q(listings__isnull=False)
    if all_of_them.filter(offered).exists():
        return list(existing)
    all_of_them.delete()
    of_keywords = [HITItem(keyword=keyword) for keyword in keywords]
    of_documents = [HITItem(document=document) for document in documents]
    if not of_keywords and not of_documents:
        raise TaskError(f"{project} has no keywords and no documents to ask about")
    if project.is_adaptive:
        kinds = [of_keywords, of_documents]
    elif project.session_minutes:
        kinds = [_in_turns(of_keywords, of_documents)]
    else:
        kinds = [[*of_keywords, *of_documents]]
    size = project.batch_size or len(kinds[0])
    batches = [
        items[start : start + size] for items in kinds for start in range(0, len(items), size)
    ]
    hits = []
    for batch, items in enumerate(batches, start=1):
        hit = HIT.objects.create(
            project=project, session_number=session_number, batch=batch, **whose
        )
        for position, item in enumerate(items, start=1):
            item.hit, item.position = hit, position
        HITItem.objects.bulk_create(items)
        hits.append(hit)
    return hits


def _in_turns(keywords: Sequence[HITItem], documents: Sequence[HITItem]) -> list[HITItem]:
    """Return all items, the two kinds in turns in their proportion, a few of a kind at a time.

    Whoever runs out of time has then answered as much of one as of the other.
    """
    turns = max(1, min(len(keywords), len(documents)) // ITEMS_A_TURN)
    return [
        item
        for turn in range(turns)
        for kind in (keywords, documents)
        for item in kind[len(kind) * turn // turns : len(kind) * (turn + 1) // turns]
    ]


@transaction.atomic
def offer_session(
    project: Project,
    *,
    session_number: int,
    owner: Owner,
    keywords: Iterable[Keyword],
    documents: Iterable[Document],
) -> Assignment | None:
    """Return a person's assignment of a later session's first HIT, which is theirs alone.

    It opens after the project's pause. Asked for again, it is found as it is. On a platform there
    is none until its person takes the HIT, which is published for them once the pause is over.
    """
    hits = create_hits(
        project,
        keywords=keywords,
        documents=documents,
        session_number=session_number,
        owner=owner,
    )
    if owner.platform != Platform.DIRECT:
        return None
    first = min(hits, key=lambda hit: hit.batch)
    return _take_place(first.pk, owner.worker_id, pause=timedelta(hours=project.pause_hours))


@transaction.atomic
def _take_place(hit_id: int, worker_id: str, *, pause: timedelta = timedelta(0)) -> Assignment:
    """Return the worker's assignment of a HIT, new if need be, to be opened after a pause.

    Raises TaskError when it is full or another person's own.
    """
    # The row lock makes counting and taking one step, so that overlap is never exceeded.
    hit = HIT.objects.select_for_update().select_related("project").get(pk=hit_id)
    assignment = hit.assignments.filter(worker_id=worker_id).first()
    if assignment is not None:
        return assignment
    _check_place(hit, worker_id)
    opens_at = timezone.now() + pause
    return Assignment.objects.create(
        hit=hit,
        worker_id=worker_id,
        opens_at=opens_at if pause else None,
        expires_at=opens_at + timedelta(hours=hit.project.session_hours),
    )


def _check_place(hit: HIT, worker_id: str) -> None:
    """Raise TaskError where a HIT, whose row is locked, has no free place for this person."""
    if hit.worker_id:
        if hit.worker_id != worker_id:
            raise TaskError(f"{hit} is for {hit.worker_id} alone")
        return
    if hit.assignments.holding_a_place().count() >= hit.project.overlap:
        raise TaskError(
            f"all {hit.project.overlap} places of {hit} are taken; raise the project's overlap"
        )


@transaction.atomic
def consent_version(project: Project) -> ConsentVersion:
    """Return the version that a project's consent text and privacy sentence are, as they now read.

    A text that was changed and changed back is the version that it was.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    versions = ConsentVersion.objects.filter(project=project)
    return versions.get_or_create(
        project=project,
        consent=project.consent,
        privacy=project.privacy,
        defaults={"number": versions.count() + 1},
    )[0]


@transaction.atomic
def make_links(project: Project, worker_ids: Sequence[str]) -> list[Assignment]:
    """Return an assignment of the first HIT for each person; one they already have is kept.

    Raises TaskError where the project is not open or has too few places; then none is made.
    """
    if project.state != ProjectState.OPEN:
        raise TaskError(f"{project} is {project.state}; prepare it first")
    first = project.first_hit
    if first is None:
        raise TaskError(f"{project} has no HITs; prepare it first")
    # The row lock makes counting and taking one step, so that overlap is never exceeded.
    hit = HIT.objects.select_for_update().select_related("project").get(pk=first.pk)
    known = {one.worker_id: one for one in hit.assignments.filter(worker_id__in=worker_ids)}
    new = [name for name in dict.fromkeys(worker_ids) if name not in known]
    _check_places(hit, len(new))
    expires_at = timezone.now() + timedelta(hours=hit.project.session_hours)
    made = Assignment.objects.bulk_create(
        Assignment(hit=hit, worker_id=name, expires_at=expires_at) for name in new
    )
    known |= {one.worker_id: one for one in made}
    return [known[name] for name in worker_ids]


def _check_places(hit: HIT, wanted: int) -> None:
    """Raise TaskError where a HIT, whose row is locked, has fewer free places than are wanted."""
    overlap = hit.project.overlap
    free = max(0, overlap - hit.assignments.holding_a_place().count())
    if wanted > free:
        raise TaskError(
            f"{wanted} wanted, but {free} of {overlap} places free; raise the project's overlap "
            f"by {wanted - free}"
        )


def free_places(project: Project) -> int:
    """Return how many more people can be given a link."""
    hit = project.first_hit
    return max(0, project.overlap - hit.assignments.holding_a_place().count()) if hit else 0


def next_worker_ids(project: Project, count: int) -> list[str]:
    """Return names for `count` new people: link-1, link-2, …, skipping those in use."""
    taken = set(Assignment.objects.filter(hit__project=project).values_list("worker_id", flat=True))
    numbers = (n for n in range(1, len(taken) + count + 1) if f"link-{n}" not in taken)
    return [f"link-{n}" for n, _ in zip(numbers, range(count), strict=False)]


def next_assignment(assignment: Assignment) -> Assignment | None:
    """Return the same person's assignment of the session's next HIT, or None where there is none.

    A HIT whose places are all taken, or which this person has ended already, is passed over. On a
    crowd platform there never is one: each HIT is accepted there.
    """
    hit = assignment.hit
    if hit.platform != Platform.DIRECT:
        return None
    later = HIT.objects.of_session(hit).filter(batch__gt=hit.batch).order_by("batch")
    return take_first(later, assignment.worker_id)


def has_more_on_offer(assignment: Assignment) -> bool:
    """True where a platform's person has, or can still take, another HIT of the session there."""
    session = HIT.objects.of_session(assignment.hit).exclude(pk=assignment.hit_id)
    return session.on_offer_to(assignment.worker_id, timezone.now()).exists()


def take_first(hits: Iterable[HIT], worker_id: str) -> Assignment | None:
    """Return a person's open assignment of the first of these HITs that gives them one."""
    for hit in hits:
        try:
            taken = _take_place(hit.pk, worker_id)
        except TaskError:
            continue
        if taken.is_open:
            return taken
    return None


def activate(assignment: Assignment) -> None:
    """Note that an offered assignment was opened."""
    Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.OFFERED).update(
        state=AssignmentState.ACTIVE
    )


def submit(assignment: Assignment) -> bool:
    """Submit an open assignment; return False where it was submitted, revoked or expired before."""
    now = timezone.now()
    return bool(
        Assignment.objects.filter(
            pk=assignment.pk,
            state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE],
            expires_at__gt=now,
        ).update(state=AssignmentState.SUBMITTED, submitted_at=now)
    )


def revoke(assignment: Assignment) -> bool:
    """End an open assignment's link for good; its place is free again."""
    return bool(
        Assignment.objects.filter(
            pk=assignment.pk, state__in=[AssignmentState.OFFERED, AssignmentState.ACTIVE]
        ).update(state=AssignmentState.REVOKED)
    )


@transaction.atomic
def reissue(assignment: Assignment) -> Assignment:
    """Return an assignment with a new link, good for the project's full time; older links end.

    One that had expired or was revoked takes a place again. Raises TaskError where none is free,
    and where the work was submitted.
    """
    hit = HIT.objects.select_for_update().select_related("project").get(pk=assignment.hit_id)
    held = hit.assignments.get(pk=assignment.pk)
    if held.state == AssignmentState.SUBMITTED:
        raise TaskError(f"{held.worker_id} has submitted already")
    if held.state in {AssignmentState.EXPIRED, AssignmentState.REVOKED}:
        _check_place(hit, held.worker_id)
        held.state = AssignmentState.OFFERED
    held.link_version += 1
    start = max(held.opens_at or timezone.now(), timezone.now())
    held.expires_at = start + timedelta(hours=hit.project.session_hours)
    # A submission may arrive meanwhile: it takes no lock on the HIT, and it wins.
    changed = hit.assignments.filter(pk=held.pk).exclude(state=AssignmentState.SUBMITTED)
    if not changed.update(
        state=held.state, link_version=held.link_version, expires_at=held.expires_at
    ):
        raise TaskError(f"{held.worker_id} has submitted already")
    return held


def expire_overdue() -> int:
    """Mark assignments whose time is over; return how many."""
    return Assignment.objects.overdue(timezone.now()).update(state=AssignmentState.EXPIRED)
