"""What does not fit between our rows and a platform's, told in sentences; see also mending.py.

Only what was made in the present market (mode, endpoint, account) is compared: rows of another one
are counted and never touched, and so are listings of the account that are none of ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from tasks.crowd.ledger import dollars
from tasks.models import (
    CallState,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    ListingState,
    Platform,
    PlatformCall,
    ProjectState,
    Purpose,
    StatusThere,
)
from tasks.platforms import CrowdPlatform, PlatformError, platform_of
from tasks.platforms.base import Found, Market


class Kind(StrEnum):
    """What does not fit."""

    NOT_NOTED = "not_noted"  # there, and our row does not know
    TWICE = "twice"  # there beside the one that our row names
    ORPHAN = "orphan"  # there with a key of ours' form, and no row here
    NOT_CLOSED = "not_closed"  # closed here, open there
    NOT_MADE = "not_made"  # planned here, not there
    GONE = "gone"  # open here, no more there
    PLACES = "places"  # open on both sides, with other numbers of places
    CALL = "call"  # what became of a call is not known
    PAYMENT = "payment"  # what became of a payment is not known
    MONEY = "money"  # sums that differ


@dataclass(frozen=True)
class Finding:
    """Something that does not fit; `mending` says what mending does, empty where a person must."""

    kind: Kind
    platform: str
    subject: str  # a listing's name there, or the number of a row of ours
    sentence: str
    mending: str = ""
    listing: Listing | None = None

    @property
    def key(self) -> str:
        """Return what it is named by in forms."""
        return f"{self.kind}:{self.subject}"


@dataclass(frozen=True)
class Comparison:
    """A platform beside our rows."""

    platform: str
    market: Market
    findings: list[Finding] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)  # what could not be looked at
    compared: int = 0  # listings that are here and there
    of_others: int = 0  # listings of the account that are none of ours
    elsewhere: list[str] = field(default_factory=list)  # rows of other markets, as sentences

    @property
    def fits(self) -> bool:
        return not self.findings and not self.troubles


def compare(platform_name: str) -> Comparison:
    """Return what does not fit on a platform. Raises PlatformError where it cannot be asked."""
    return _Comparing(platform_name).result()


def is_of(listing: Listing, market: Market) -> bool:
    """Return whether a listing was made in a market."""
    made_in = (listing.mode, listing.endpoint, listing.account)
    return made_in == (market.mode, market.endpoint, market.account)


def is_wanted(listing: Listing) -> bool:
    """Return whether a listing that was planned is still to be made."""
    is_open = listing.closed_at is None and listing.hit.project.state == ProjectState.OPEN
    return is_open or listing.purpose == Purpose.COMPENSATION  # that is owed in any case


def close_key(platform_id: str) -> str:
    """Return the key of the call that closed a listing of which there is no row."""
    return f"close-{platform_id}"


def money_of(platform: CrowdPlatform, listing: Listing) -> list[Finding]:
    """Return the sums of a listing that differ: what the platform has paid, and what our ledger
    has confirmed. A payment whose outcome is not known is told by itself."""
    approved = {
        one.platform_id
        for one in platform.submissions(listing)
        if one.status == StatusThere.APPROVED
    }
    sums = [
        (
            "rewards",
            len(approved) * listing.reward_cents,
            listing.ledger.exclude(kind=EntryKind.BONUS),
            "takes the platform's word: what is approved there is confirmed here",
        )
    ]
    bonuses = platform.bonuses_cents(listing)
    if bonuses is not None:
        sums.append(("bonuses", bonuses, listing.ledger.filter(kind=EntryKind.BONUS), ""))
    found = []
    for what, there, entries, mending in sums:
        confirmed = _cents(entries, EntryState.CONFIRMED)
        if confirmed <= there <= confirmed + _cents(entries, EntryState.SENT):
            continue
        sentence = (
            f"{what} of {listing.platform_id}: {dollars(there)} are paid there, and "
            f"{dollars(confirmed)} are confirmed here"
        )
        found.append(
            Finding(
                Kind.MONEY,
                listing.platform,
                f"{listing.pk}-{what}",
                sentence,
                mending if there > confirmed else "",
                listing,
            )
        )
    return found


class _Comparing:
    """One comparison: our rows are read first, so that what is made meanwhile has one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.platform: CrowdPlatform = platform_of(name)
        self.market = self.platform.market()
        listings = Listing.objects.filter(platform=name).select_related("hit__project")
        self.rows = {row.key: row for row in listings}
        self.here = {key: row for key, row in self.rows.items() if is_of(row, self.market)}
        self.there = list(self.platform.listings())
        self.troubles: list[str] = []
        self.now = timezone.now()

    @cached_property
    def ours(self) -> list[Found]:
        """Return what is there with a key of ours' form."""
        return [one for one in self.there if one.key]

    def result(self) -> Comparison:
        findings = [*self._of_theirs(), *self._of_ours()]
        told = {one.listing.pk for one in findings if one.listing}
        findings += [*self._of_payments(), *self._of_calls(told)]
        ids = {one.platform_id for one in self.ours}
        on_both_sides = [row for row in self.here.values() if row.platform_id in ids]
        for listing in on_both_sides:
            try:
                findings += money_of(self.platform, listing)
            except PlatformError as error:
                self.troubles.append(f"{listing.platform_id}: {error}")
        return Comparison(
            self.name,
            self.market,
            findings=findings,
            troubles=self.troubles,
            compared=len(on_both_sides),
            of_others=len(self.there) - len(self.ours),
            elsewhere=_elsewhere(self.rows.values(), self.market),
        )

    def _found(
        self,
        kind: Kind,
        subject: object,
        sentence: str,
        mending: str,
        listing: Listing | None = None,
    ) -> Finding:
        return Finding(kind, self.name, str(subject), sentence, mending, listing)

    # --- Theirs ---

    def _of_theirs(self) -> Iterator[Finding]:
        for found in self.ours:
            row = self.rows.get(found.key)
            if row is None:
                yield from self._of_orphan(found)
            elif found.key not in self.here:
                continue  # its row names another market: counted, never touched
            elif not row.platform_id:
                yield self._of_unnoted(found, row)
            elif row.platform_id != found.platform_id:
                yield from self._of_second(found, row)
            elif _has_ended(row) and found.can_be_taken:
                yield self._found(
                    Kind.NOT_CLOSED,
                    found.platform_id,
                    f"{_named(found)} is {row.state} here, and people can still take it there",
                    "closes it there; who works there may finish, and is paid",
                    row,
                )
            elif row.is_running(self.now) and found.places not in {None, row.places}:
                yield self._of_places(found, row)

    def _of_places(self, found: Found, row: Listing) -> Finding:
        there = found.places or 0
        is_fewer = there < row.places
        return self._found(
            Kind.PLACES,
            found.platform_id,
            f"{_named(found)} has {there} places there and {row.places} here"
            + ("" if is_fewer else ": nobody has promised what the others would cost"),
            f"gives it {row.places} places there, whose rewards are promised already"
            if is_fewer
            else "",
            row,
        )

    def _of_orphan(self, found: Found) -> Iterator[Finding]:
        if self._may_be_taken(found):
            yield self._found(
                Kind.ORPHAN,
                found.platform_id,
                f"{_named(found)} is there with the key {found.key}, which no row of ours has. "
                "Another installation may have made it with this account (leave it then), or it "
                "was made before a backup was restored",
                "closes it there: nobody can take a place any more, who works there may finish, "
                "and what they hand in is to be reviewed and paid by hand, on the platform's site",
            )

    def _of_second(self, found: Found, row: Listing) -> Iterator[Finding]:
        if self._may_be_taken(found):
            yield self._found(
                Kind.TWICE,
                found.platform_id,
                f"{_named(found)} is there beside {row.platform_id}, with the same key: the same "
                "places were made twice",
                "closes this second one there; what was handed in for it is to be reviewed and "
                "paid by hand, on the platform's site",
                row,
            )

    def _of_unnoted(self, found: Found, row: Listing) -> Finding:
        is_planned = row.state == ListingState.PLANNED
        return self._found(
            Kind.NOT_NOTED,
            found.platform_id,
            f"{_named(found)} is there, and our row of it ({row.key}) is {row.state}",
            "notes that it is open there; nothing is made again"
            if is_planned
            else "closes it there and notes its name, so that whoever handed in is paid",
            row,
        )

    def _may_be_taken(self, found: Found) -> bool:
        """True where a listing without a row is open, or opens again once a place is given back.

        One that was closed from here is not told again while people finish.
        """
        if found.can_be_taken:
            return True
        closed = PlatformCall.objects.filter(key=close_key(found.platform_id), state=CallState.DONE)
        if closed.exists():
            return False
        return not self.platform.look(Listing(platform_id=found.platform_id)).is_over

    # --- Ours ---

    def _of_ours(self) -> Iterator[Finding]:
        keys = {one.key for one in self.ours}
        ids = {one.platform_id for one in self.there}
        for row in self.here.values():
            if row.state == ListingState.PLANNED and row.key not in keys:
                yield self._of_unmade(row)
            elif row.state == ListingState.OPEN and row.platform_id not in ids:
                try:
                    yield from self._of_absent(row)
                except PlatformError as error:
                    self.troubles.append(f"{row.platform_id}: {error}")

    def _of_unmade(self, row: Listing) -> Finding:
        why = f": {row.error}" if row.error else ""
        cents = dollars(row.cost_cents)
        return self._found(
            Kind.NOT_MADE,
            row.pk,
            f"{_places(row)} of {row.hit} were planned at {row.created_at:%Y-%m-%d %H:%M} UTC and "
            f"are not there{why}",
            f"makes them there ({cents})"
            if is_wanted(row)
            else f"gives them up, as the project is not open: {cents} are promised no more",
            row,
        )

    def _of_absent(self, row: Listing) -> Iterator[Finding]:
        """A listing that was made just now may lack in lists: it is asked for by its name."""
        try:
            is_gone = self.platform.look(row).is_over
        except PlatformError as error:
            if not error.permanent:
                raise
            is_gone = True
        if is_gone:
            yield self._found(
                Kind.GONE,
                row.pk,
                f"{row.platform_id} of {row.hit} is open here, and no more there",
                "closes it here; what was promised for places that nobody took is promised no more",
                row,
            )

    # --- Calls and money ---

    def _of_payments(self) -> Iterator[Finding]:
        """Money of which nobody knows whether it was paid."""
        sent = LedgerEntry.objects.filter(
            platform=self.name, mode=self.market.mode, state=EntryState.SENT
        )
        for entry in sent.select_related("listing__hit__project", "assignment"):
            if entry.listing and not is_of(entry.listing, self.market):
                continue
            when = f" at {entry.sent_at:%Y-%m-%d %H:%M} UTC" if entry.sent_at else ""
            yield self._found(
                Kind.PAYMENT,
                entry.pk,
                f"the {entry.kind} of {dollars(entry.cents)} for {entry.worker_id or 'nobody'} was "
                f"sent{when}, and whether it is paid is not known",
                _mending_of(entry),
                entry.listing,
            )

    def _of_calls(self, told: set[int]) -> Iterator[Finding]:
        """Calls that make places and whose outcome is not known; those of payments are told."""
        left = PlatformCall.objects.filter(
            platform=self.name, mode=self.market.mode, state=CallState.SENT
        )
        for call in left.exclude(key__startswith="qualification-"):  # costs nothing, asked again
            subject = _subject_of(call)
            if isinstance(subject, LedgerEntry):
                continue
            if subject and (subject.pk in told or not is_of(subject, self.market)):
                continue
            when = f" at {call.sent_at:%Y-%m-%d %H:%M} UTC" if call.sent_at else ""
            why = f": {call.error}" if call.error else ""
            yield self._found(
                Kind.CALL,
                call.pk,
                f"{call.operation} ({call.key}) was sent{when}, and what became of it is not "
                f"known{why}",
                "looks whether it is done, and asks again for what is not" if subject else "",
                subject,
            )


def _named(found: Found) -> str:
    return f"{found.platform_id} “{found.title}” ({found.status})"


def _places(row: Listing) -> str:
    return "1 place" if row.places == 1 else f"{row.places} places"


def _has_ended(row: Listing) -> bool:
    return row.state in {ListingState.CLOSED, ListingState.FAILED}


def _mending_of(entry: LedgerEntry) -> str:
    if entry.assignment_id is None:
        return ""
    if entry.kind != EntryKind.BONUS:
        return "asks the platform whether it is paid, and approves what is not"
    if entry.platform == Platform.MTURK:
        return "looks for it there, and sends it again where it is not"
    return ""  # its bonus calls are never repeated by a machine


def _subject_of(call: PlatformCall) -> Listing | LedgerEntry | None:
    """Return the row that a call is about, by its key."""
    name = call.key.partition("-")[2].partition("-")[0]
    listing = Listing.objects.select_related("hit__project").filter(key=name).first()
    if listing is not None:
        return listing
    try:
        return LedgerEntry.objects.filter(key=UUID(hex=name)).first()
    except ValueError:
        return None


def _cents(entries: QuerySet[LedgerEntry], state: EntryState) -> int:
    return sum(entries.filter(state=state).values_list("cents", flat=True))


def _elsewhere(rows: Iterable[Listing], market: Market) -> list[str]:
    """Return a sentence for each other market in which listings of ours were made."""
    others: dict[tuple[str, str, str], list[Listing]] = defaultdict(list)
    for row in rows:
        if not is_of(row, market):
            others[row.mode, row.endpoint, row.account].append(row)
    return [_of_market(where, found) for where, found in sorted(others.items())]


def _of_market(where: tuple[str, str, str], found: list[Listing]) -> str:
    mode, endpoint, account = where
    running = sum(not _has_ended(row) for row in found)
    were = "was" if len(found) == 1 else "were"
    by = f" by the account {account}" if account else ""
    return (
        f"{len(found)} of our listings {were} made in the {mode} market at {endpoint}{by}, "
        f"{running} of them not closed; the settings name another market, so they are left alone"
    )
