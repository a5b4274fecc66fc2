"""Calls that create or pay something, each done once whatever is lost on the way.

A row is committed before the call is sent, and says afterwards what became of it. A row that was
left at *sent* (a crash, a time-out, a lost answer) is looked for on the platform before anything is
sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from tasks.models import CallState, PlatformCall
from tasks.platforms.base import DoneBefore, OutcomeUnknown, PlatformError, UnderWay

Answer = dict[str, Any]

TOKEN_LIVES = timedelta(hours=23)  # a day, by the reference; an hour for clocks that differ


def once(
    key: str,
    *,
    platform: str,
    mode: str,
    operation: str,
    send: Callable[[str], Answer],
    find: Callable[[], Answer | None],
    repeats: bool = True,
) -> Answer:
    """Return the answer of a call that is made once.

    key: what the call does, and to what; at most 80 characters.
    send: makes the call with the token that it is given.
    find: returns what the call made, where the platform has it, else None.
    repeats: whether a call that was sent, and of which nothing is found, may be sent again: where
    the platform knows tokens. Elsewhere a person decides.

    Raises PlatformError; OutcomeUnknown where it may have been done. Must not be called within a
    transaction: the row has to outlive a crash.
    """
    with transaction.atomic(durable=True):
        call = PlatformCall.objects.get_or_create(
            key=key, defaults={"platform": platform, "mode": mode, "operation": operation}
        )[0]
    if call.state == CallState.DONE:
        return call.answer or {}
    # Where one call is tried several times, an earlier try may have got through, whatever the last
    # answer was.
    if call.state == CallState.SENT or (repeats and call.attempts):
        found = find()
        if found is not None:
            return _note(call, CallState.DONE, answer=found)
        if not repeats:
            raise OutcomeUnknown(
                f"{operation} was sent at {call.sent_at:%Y-%m-%d %H:%M} and what became of it is "
                "not known; look on the platform, then decide"
            )
    return _send(call, send, find)


def _send(
    call: PlatformCall, send: Callable[[str], Answer], find: Callable[[], Answer | None]
) -> Answer:
    _claim(call)
    try:
        answer = send(f"{call.key}-{call.token_number}")
    except DoneBefore as error:
        found = find()
        if found is None:
            _note(call, CallState.SENT, error=str(error))
            raise OutcomeUnknown(str(error)) from error
        answer = found
    except OutcomeUnknown as error:
        _note(call, CallState.SENT, error=str(error))
        raise
    except PlatformError as error:
        # The client tries some calls again by itself: an earlier try may have got through.
        if error.permanent and (done := _looked_for(find)) is not None:
            return _note(call, CallState.DONE, answer=done)
        state = CallState.FAILED if error.permanent else CallState.PLANNED
        _note(call, state, error=str(error))
        raise
    return _note(call, CallState.DONE, answer=answer)


def _looked_for(find: Callable[[], Answer | None]) -> Answer | None:
    """Return what a refused call made all the same; None too where that cannot be seen just now."""
    try:
        return find()
    except PlatformError:
        return None


def _claim(call: PlatformCall) -> None:
    """Note that a call is about to be sent, unless another process did so since it was read."""
    now = timezone.now()
    as_read = PlatformCall.objects.filter(pk=call.pk, state=call.state, attempts=call.attempts)
    if call.token_made_at and now - call.token_made_at > TOKEN_LIVES:
        call.token_number += 1  # nothing was found, so that the old one made nothing
        call.token_made_at = None
    call.token_made_at = call.token_made_at or now
    call.attempts += 1
    call.state, call.sent_at = CallState.SENT, now
    with transaction.atomic(durable=True):
        is_ours = as_read.update(
            state=call.state,
            attempts=call.attempts,
            sent_at=call.sent_at,
            token_number=call.token_number,
            token_made_at=call.token_made_at,
            answer=None,
            error="",
        )
    if not is_ours:
        raise UnderWay(f"{call.operation} is being made by another process just now")


def is_under_way(key: str, *, within: timedelta) -> bool:
    """Return whether a call was sent so lately that what it makes may yet appear."""
    lately = timezone.now() - within
    return PlatformCall.objects.filter(key=key, state=CallState.SENT, sent_at__gt=lately).exists()


def undone(key: str, why: str) -> None:
    """Note that what a call made was taken away again, so that it is made anew when asked for."""
    PlatformCall.objects.filter(key=key).update(state=CallState.FAILED, answer=None, error=why)


def _note(
    call: PlatformCall, state: CallState, *, answer: Answer | None = None, error: str = ""
) -> Answer:
    call.state, call.answer, call.error = state, answer, error
    with transaction.atomic(durable=True):
        call.save()
    return answer or {}
