"""What people are written through their platform: nobody twice by accident, every failure named.

Platforms know no token for a message. So each batch is marked as being sent before the call, and
one of which no answer came stays so: who may have read it is only written to again by a person.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count

from tasks.models import Assignment, Message, Platform, Project, Recipient, RecipientState
from tasks.platforms import platform_of
from tasks.platforms.base import CrowdPlatform, Market, OutcomeUnknown, PlatformError
from tasks.services import TaskError

# The most that Mechanical Turk takes.
BATCH = 100
LONGEST_TEXT = 4096
MOST_NAMED = 10
# Between two tries of a call that was surely not done, as under throttling; some seconds in all.
WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass(frozen=True)
class Standing:
    """How many people a message has reached; problem: what keeps the rest waiting."""

    sent: int
    failed: int
    unknown: int
    waiting: int
    problem: str = ""


def who_took_part(project: Project, platform_name: str) -> list[str]:
    """Return who has taken a place of a project in the present market, and so can be written to.

    Raises TaskError for direct links, PlatformError for settings that cannot work.
    """
    _check_can_be_written_to(platform_name)
    market = platform_of(platform_name).market()
    return sorted(_known(project, platform_name, market))


def _check_can_be_written_to(platform_name: str) -> None:
    if platform_name == Platform.DIRECT:
        raise TaskError(
            "who came by a direct link cannot be written to from here: write as you sent the link"
        )


def _known(project: Project, platform_name: str, market: Market) -> set[str]:
    theirs = Assignment.objects.filter(
        hit__project=project,
        listing__platform=platform_name,
        listing__mode=market.mode,
        listing__account=market.account,
    )
    return set(theirs.order_by().values_list("worker_id", flat=True))


def write(
    project: Project,
    platform_name: str,
    worker_ids: Iterable[str],
    *,
    subject: str,
    text: str,
    by: User | None = None,
) -> Message:
    """Return a message to people who took part in a project; `send` sends it.

    Raises TaskError for nobody, for strangers, and for a text that is empty or too long.
    """
    wanted = list(dict.fromkeys(worker_ids))
    check_recipients(project, platform_name, wanted)
    if len(text) > LONGEST_TEXT:
        raise TaskError(f"the text has {len(text)} characters, and {LONGEST_TEXT} are the most")
    message = Message(
        project=project, platform=platform_name, subject=subject, text=text, made_by=by
    )
    try:
        message.full_clean()
    except ValidationError as error:
        said = "; ".join(f"{name}: {' '.join(why)}" for name, why in error.message_dict.items())
        raise TaskError(said) from error
    with transaction.atomic():
        message.save()
        address(message, wanted)
    return message


def check_recipients(project: Project, platform_name: str, worker_ids: Sequence[str]) -> None:
    """Raise TaskError or PlatformError where these people cannot be written to."""
    known = set(who_took_part(project, platform_name))
    if not worker_ids:
        raise TaskError("there is nobody to write to")
    if strangers := [name for name in worker_ids if name not in known]:
        more = f" and {len(strangers) - MOST_NAMED} more" if len(strangers) > MOST_NAMED else ""
        raise TaskError(
            f"{', '.join(strangers[:MOST_NAMED])}{more} took no place of {project} in this market, "
            "and the platform lets nobody be written to who did not"
        )


def address(message: Message, worker_ids: Iterable[str]) -> None:
    """Add people to a message; who is there already stays as they are."""
    Recipient.objects.bulk_create(
        [Recipient(message=message, worker_id=name) for name in worker_ids], ignore_conflicts=True
    )


def send(message: Message) -> Standing:
    """Send a message to all who are waiting for it; return how it stands then.

    Must not be called within a transaction. A trouble of the platform's ends the round, and who is
    still waiting is told by the next call.
    """
    try:
        _check_can_be_written_to(message.platform)
        platform = platform_of(message.platform)
        known = _known(message.project, message.platform, platform.market())
        platform.funds_cents()  # refused keys are nobody's fault below: they end here
        while batch := _claim(message):
            strangers = [one for one in batch if one.worker_id not in known]
            _note(strangers, RecipientState.FAILED, "took no place in the present market")
            _deliver(platform, message, [one for one in batch if one.worker_id in known])
    except (PlatformError, TaskError) as error:
        return standing(message, problem=str(error))
    return standing(message)


def send_again(message: Message, *, to_unknown: bool = False) -> Standing:
    """Send a message to those whom it did not reach; return how it stands then.

    to_unknown: also to those of whom nobody knows, as a person decides: they may read it twice.
    """
    states = [RecipientState.FAILED, *([RecipientState.SENDING] if to_unknown else [])]
    message.recipients.filter(state__in=states).update(state=RecipientState.WAITING, error="")
    return send(message)


def standing(message: Message, *, problem: str = "") -> Standing:
    """Return how a message stands; problem: what keeps the rest waiting."""
    rows = message.recipients.order_by().values_list("state").annotate(n=Count("pk"))
    number = dict.fromkeys(RecipientState.values, 0) | dict(rows)
    return Standing(
        sent=number[RecipientState.SENT],
        failed=number[RecipientState.FAILED],
        unknown=number[RecipientState.SENDING],
        waiting=number[RecipientState.WAITING],
        problem=problem,
    )


def _claim(message: Message) -> list[Recipient]:
    """Return the next people to be written to, marked as being written to."""
    with transaction.atomic(durable=True):
        # One after the other with another process: nobody is claimed twice.
        Message.objects.select_for_update().get(pk=message.pk)
        batch = list(message.recipients.filter(state=RecipientState.WAITING)[:BATCH])
        _note(batch, RecipientState.SENDING)
    return batch


def _note(recipients: Sequence[Recipient], state: RecipientState, error: str = "") -> None:
    numbers = [one.pk for one in recipients]
    Recipient.objects.filter(pk__in=numbers).update(state=state, error=error)


def _deliver(platform: CrowdPlatform, message: Message, batch: Sequence[Recipient]) -> None:
    """Write to claimed people in one call; where it is refused, to the halves, for the sake of all
    whom it is not about. Raises PlatformError where it is better to stop for now."""
    if not batch:
        return
    try:
        failures = _notify(platform, message, [one.worker_id for one in batch])
    except OutcomeUnknown as error:
        _note(batch, RecipientState.SENDING, str(error))
        raise
    except PlatformError as error:
        if not error.permanent:
            _note(batch, RecipientState.WAITING, str(error))
            raise
        if len(batch) == 1:
            _note(batch, RecipientState.FAILED, str(error))
            return
        half = len(batch) // 2
        try:
            _deliver(platform, message, batch[:half])
        except PlatformError:
            _note(batch[half:], RecipientState.WAITING)  # surely not sent
            raise
        _deliver(platform, message, batch[half:])
        return
    _note([one for one in batch if one.worker_id not in failures], RecipientState.SENT)
    for one in batch:
        if (failure := failures.get(one.worker_id)) is not None:
            is_unknown = isinstance(failure, OutcomeUnknown)
            state = RecipientState.SENDING if is_unknown else RecipientState.FAILED
            _note([one], state, str(failure))


def _notify(
    platform: CrowdPlatform, message: Message, worker_ids: Sequence[str]
) -> dict[str, PlatformError]:
    """Return who could not be written to, and why; a call that was surely not done is repeated."""
    for wait_s in (*WAITS_S, None):
        try:
            return platform.notify(
                worker_ids, subject=message.subject, text=message.text, project=message.project
            )
        except PlatformError as error:
            if error.permanent or isinstance(error, OutcomeUnknown) or wait_s is None:
                raise
            time.sleep(wait_s)
    raise AssertionError("the last try returns or raises")
