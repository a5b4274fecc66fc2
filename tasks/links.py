"""Everybody's direct links in a project: as a table for managers and their spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from models_ml.spreadsheets import as_text, csv_of
from tasks.models import Assignment, AssignmentState, Platform, Project
from tasks.platforms import task_links

COLUMNS = ("name", "link", "state", "expires", "session", "submitted", "completion_code", "batch")


@dataclass(frozen=True)
class Link:
    """A person's link to one HIT.

    link: empty once it opens nothing. completion_code: empty until the work is submitted.
    """

    assignment_id: int
    name: str
    link: str
    state: str
    expires: datetime
    session: int
    submitted: datetime | None
    completion_code: str
    batch: int

    @property
    def is_open(self) -> bool:
        """Whether its annotator may work, now or after a pause."""
        return self.state in {AssignmentState.OFFERED, AssignmentState.ACTIVE}


def links_of(project: Project) -> list[Link]:
    """Return all direct links of a project, of later sessions too; one query."""
    rows = Assignment.objects.filter(hit__project=project, hit__platform=Platform.DIRECT)
    return as_links(rows.select_related("hit").order_by("id"))


def as_links(assignments: Iterable[Assignment]) -> list[Link]:
    """Return the links of assignments, in their order."""
    return [_link(assignment) for assignment in assignments]


def _link(assignment: Assignment) -> Link:
    is_submitted = assignment.state == AssignmentState.SUBMITTED
    opens = assignment.is_held or is_submitted  # then it shows the completion code
    return Link(
        assignment_id=assignment.pk,
        name=assignment.worker_id,
        link=task_links.task_url(assignment) if opens else "",
        state=assignment.state_now,
        expires=assignment.expires_at,
        session=assignment.hit.session_number,
        submitted=assignment.submitted_at,
        completion_code=assignment.completion_code if is_submitted else "",
        batch=assignment.hit.batch,
    )


def as_csv(links: Iterable[Link]) -> str:
    """Return links as CSV; a name that a spreadsheet would compute has an apostrophe before it."""
    rows = ([as_text(_cell(value)) for value in values(link).values()] for link in links)
    return csv_of(COLUMNS, rows)


def values(link: Link) -> dict[str, str | int | None]:
    """Return what a program is told of a link, by column; times in ISO 8601."""
    read = {column: getattr(link, column) for column in COLUMNS}
    return {column: _told(value) for column, value in read.items()}


def _told(value: str | int | datetime | None) -> str | int | None:
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    return value


def _cell(value: str | int | None) -> str:
    return "" if value is None else str(value)
