"""What a platform says of one assignment, asked before anything is decided or paid."""

from __future__ import annotations

import re

from django.db import transaction

from tasks.crowd.publishing import check_market
from tasks.models import Assignment, AssignmentState, StatusThere
from tasks.platforms import CrowdPlatform, platform_of
from tasks.platforms.base import Submission
from tasks.services import TaskError


class NotHandedIn(TaskError):
    """There is nothing to decide yet: the platform has not got the work."""


def find_assignment(name: str) -> Assignment:
    """Return the assignment of this number, ours or else the platform's.

    Where the platform gave its number to several people in turn, it is that of the one who has not
    given it back. Raises TaskError, also where that is not one alone.
    """
    if re.fullmatch("[0-9]{1,18}", name):
        ours = Assignment.objects.filter(pk=int(name)).first()
        if ours is not None:
            return ours
    found = list(Assignment.objects.filter(platform_id=name).order_by("pk")) if name else []
    kept = [one for one in found if one.state != AssignmentState.RETURNED]
    if len(kept) == 1:
        return kept[0]
    if len(found) > 1:
        people = ", ".join(f"{one.pk} ({one.worker_id}, {one.state_now})" for one in found)
        raise TaskError(f"{name} was given to several people: name one by our number: {people}")
    if not found:
        raise TaskError(f"there is no assignment {name!r}")
    return found[0]


def own_platform(assignment: Assignment) -> CrowdPlatform:
    """Return the platform that an assignment came from, as the settings have it.

    Raises TaskError for a direct link, and PlatformError for an assignment of another market.
    """
    if assignment.listing is None:
        raise TaskError(f"{assignment.worker_id} came by a direct link, and is paid by hand")
    platform = platform_of(assignment.listing.platform)
    check_market(assignment.listing, platform.market())
    return platform


def look(platform: CrowdPlatform, assignment: Assignment) -> Submission:
    """Return what the platform says of work that was handed in, once it is surely this person's.

    Raises NotHandedIn, and TaskError where somebody else has the assignment.
    """
    if not assignment.platform_id:
        raise NotHandedIn(f"{assignment.worker_id} has not come by the platform yet")
    told = platform.submission(assignment)
    if told.worker_id and told.worker_id != assignment.worker_id:
        sentence = (
            f"on the platform, {assignment.platform_id} is {told.worker_id}'s and not "
            f"{assignment.worker_id}'s: nothing was decided or paid"
        )
        withdraw(assignment, sentence)
        raise TaskError(sentence)
    if told.status is None:
        raise NotHandedIn(f"{assignment.worker_id} has not handed in on the platform yet")
    if told.status == StatusThere.RETURNED:
        sentence = f"{assignment.worker_id} gave it back there: there is nothing to decide or pay"
        withdraw(assignment, sentence)
        raise TaskError(sentence)
    set_status(assignment, told.status)
    Assignment.objects.filter(pk=assignment.pk).update(
        submitted_there_at=told.submitted_at or assignment.submitted_there_at,
        approves_itself_at=told.approves_itself_at or assignment.approves_itself_at,
    )
    return told


def set_status(assignment: Assignment, status: StatusThere) -> None:
    """Note what the platform says; an older answer never puts back what was decided since."""
    rows = Assignment.objects.filter(pk=assignment.pk)
    if status == StatusThere.SUBMITTED:
        rows = rows.exclude(status_there__in=[StatusThere.APPROVED, StatusThere.REJECTED])
    rows.update(status_there=status)


def withdraw(assignment: Assignment, why: str) -> None:
    """Note that what was decided cannot be done, so that it can be decided anew."""
    Assignment.objects.filter(pk=assignment.pk).update(
        decision="", decided_at=None, decided_by=None
    )
    add_note(assignment, why)


@transaction.atomic
def add_note(assignment: Assignment, sentence: str) -> None:
    """Add a sentence to what does not fit, once."""
    note = Assignment.objects.select_for_update().get(pk=assignment.pk).note
    if sentence not in note.splitlines():
        Assignment.objects.filter(pk=assignment.pk).update(note=f"{note}\n{sentence}".strip())
