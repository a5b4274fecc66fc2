"""Mending what a comparison found: one thing at a time, and only what is safe to repeat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from django.db import transaction
from django.utils import timezone

from tasks.crowd import following, ledger, paying, publishing
from tasks.crowd.reconciling import Finding, Kind, close_key, is_of, is_wanted, money_of
from tasks.models import (
    CallState,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    ListingState,
    PlatformCall,
)
from tasks.platforms import CrowdPlatform, PlatformError, platform_of
from tasks.services import TaskError

log = logging.getLogger(__name__)


def mend(finding: Finding, *, by: object = None) -> str:
    """Mend one thing; return what was done, as a sentence. Mended already is no failure.

    by: the person; None from the command line. Raises PlatformError or TaskError where it is not
    mended. Must not be called within a transaction.
    """
    if not finding.mending:
        raise TaskError("this is for a person to look at: a machine cannot know what is right")
    platform = platform_of(finding.platform)
    if finding.listing and not is_of(finding.listing, platform.market()):
        raise TaskError(f"{finding.listing} is of another market than the settings name")
    done = _MENDERS[finding.kind](platform, finding)
    log.info("%s: %s (%s)", finding.key, done, by or "from the command line")
    return done


def mend_all(
    findings: Iterable[Finding], *, by: object = None
) -> Iterator[tuple[Finding, str, bool]]:
    """Mend one after another; return with each what was done or why not, and whether it was."""
    for finding in findings:
        try:
            yield finding, mend(finding, by=by), True
        except (PlatformError, TaskError) as error:
            yield finding, str(error), False


def _close_without_row(platform: CrowdPlatform, finding: Finding) -> str:
    platform.close(finding.subject)
    PlatformCall.objects.update_or_create(
        key=close_key(finding.subject),
        defaults={
            "platform": finding.platform,
            "mode": platform.market().mode,
            "operation": "close",
            "state": CallState.DONE,
            "sent_at": timezone.now(),
        },
    )
    return f"{finding.subject} is closed there"


def _close_again(platform: CrowdPlatform, finding: Finding) -> str:
    platform.close(finding.subject)
    return f"{finding.subject} is closed there"


def _note_there(platform: CrowdPlatform, finding: Finding) -> str:
    """Give a row the name that its listing has there."""
    listing = _row_of(finding)
    if listing.state != ListingState.PLANNED:
        platform.close(finding.subject)
        Listing.objects.filter(pk=listing.pk, platform_id="").update(
            platform_id=finding.subject, state=ListingState.CLOSED, closed_at=timezone.now()
        )
        return f"{finding.subject} is closed there, and our row has its name"
    # What was sent is looked for before anything is sent again.
    call, _ = PlatformCall.objects.get_or_create(
        key=_making(listing),
        defaults={
            "platform": finding.platform,
            "mode": listing.mode,
            "operation": "publish",
            "sent_at": timezone.now(),
        },
    )
    PlatformCall.objects.filter(pk=call.pk).exclude(state=CallState.DONE).update(
        state=CallState.SENT
    )
    made = publishing.complete(listing)
    return f"{made.platform_id} is noted as {made.state}"


def _making(listing: Listing) -> str:
    """Return the key of the call that makes a listing."""
    return f"listing-{listing.key}"


def _row_of(finding: Finding) -> Listing:
    """Return a finding's listing as it is now."""
    if finding.listing is None:
        raise ValueError(f"{finding.key} is about no listing")
    return Listing.objects.select_related("hit__project").get(pk=finding.listing.pk)


def _make_or_give_up(_platform: CrowdPlatform, finding: Finding) -> str:
    listing = _row_of(finding)
    if is_wanted(listing):
        made = publishing.complete(listing)
        return f"{made.platform_id or made.key} is {made.state}"
    why = "given up: it was not there, and the project was not open any more"
    with transaction.atomic():
        if Listing.objects.filter(pk=listing.pk, state=ListingState.PLANNED).update(
            state=ListingState.FAILED, error=why
        ):
            ledger.release(listing)
        PlatformCall.objects.filter(key=_making(listing), state=CallState.SENT).update(
            state=CallState.FAILED, error=why
        )
    return f"the places of {listing.hit} are given up"


def _close_here(_platform: CrowdPlatform, finding: Finding) -> str:
    listing = _row_of(finding)
    with transaction.atomic():
        if Listing.objects.filter(pk=listing.pk, state=ListingState.OPEN).update(
            state=ListingState.CLOSED, closed_at=timezone.now()
        ):
            ledger.release(listing)
    return f"{listing.platform_id} is closed here"


def _raise_places(platform: CrowdPlatform, finding: Finding) -> str:
    listing = _row_of(finding)
    if listing.is_running(timezone.now()):
        platform.raise_places(listing)
    return f"{finding.subject} has {listing.places} places there"


def _settle_payment(_platform: CrowdPlatform, finding: Finding) -> str:
    entry = LedgerEntry.objects.select_related("assignment").get(pk=int(finding.subject))
    if entry.state == EntryState.SENT and entry.assignment is not None:
        if entry.kind == EntryKind.BONUS:
            paying.resend(entry)
        else:
            paying.settle(entry.assignment)
        entry.refresh_from_db()
    if entry.state in {EntryState.PLANNED, EntryState.SENT}:
        raise TaskError(f"whether the {entry} is paid is still not known")
    return f"the {entry} is {entry.get_state_display()}"


def _ask_again(platform: CrowdPlatform, finding: Finding) -> str:
    call = PlatformCall.objects.get(pk=int(finding.subject))
    listing = _row_of(finding)
    if listing.state == ListingState.PLANNED:
        listing = publishing.complete(listing)
    elif call.key != _making(listing) and listing.state == ListingState.OPEN:
        platform.raise_places(listing)
    # What made a listing that has its name is done; one that has ended needs no more places.
    PlatformCall.objects.filter(pk=call.pk, state=CallState.SENT).update(
        state=CallState.DONE, error=""
    )
    return f"{call.operation} for {listing.platform_id or listing.key} is settled"


def _take_their_word(platform: CrowdPlatform, finding: Finding) -> str:
    listing = _row_of(finding)
    outcome = following.sync_listing(listing)
    if outcome.problems:
        raise TaskError("; ".join(outcome.problems))
    for left in money_of(platform, listing):
        if left.key == finding.key:
            raise TaskError(f"asked again, and still {left.sentence}")
    return f"{listing.platform_id} was read again, and its money fits"


_MENDERS: dict[Kind, Callable[[CrowdPlatform, Finding], str]] = {
    Kind.NOT_NOTED: _note_there,
    Kind.TWICE: _close_without_row,
    Kind.ORPHAN: _close_without_row,
    Kind.NOT_CLOSED: _close_again,
    Kind.NOT_MADE: _make_or_give_up,
    Kind.GONE: _close_here,
    Kind.PLACES: _raise_places,
    Kind.PAYMENT: _settle_payment,
    Kind.CALL: _ask_again,
    Kind.MONEY: _take_their_word,
}
