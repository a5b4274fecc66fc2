"""Prolific as a crowd platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property

from django.conf import settings
from django.utils import timezone

from tasks.models import (
    Assignment,
    CallState,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    ListingState,
    Mode,
    Offer,
    Platform,
    PlatformCall,
    Project,
    Qualification,
    StatusThere,
)
from tasks.platforms import base
from tasks.platforms.base import (
    AlreadyDecided,
    Arrival,
    Completion,
    DoneBefore,
    Found,
    Market,
    NotArrivable,
    OutcomeUnknown,
    PlatformError,
    Published,
    Standing,
)
from tasks.platforms.outbox import Answer, once, undone
from tasks.platforms.prolific import terms
from tasks.platforms.prolific.client import ProlificClient
from tasks.platforms.prolific.http import ProlificRefusal
from tasks.platforms.prolific.types import (
    Bonus,
    RangeFilter,
    SelectFilter,
    Study,
    StudyAction,
    Submission,
    SubmissionStatus,
    checked_id,
)

API = "https://api.prolific.com"
STUDY_PAGE = "https://app.prolific.com/researcher/workspaces/studies"
COMPLETION_PAGE = "https://app.prolific.com/submissions/complete"
REVIEW_TIME = timedelta(days=21)  # of the help pages: then Prolific approves by itself
# A draft that was asked for and is not among the studies: it may yet come for so long.
DRAFT_COMES_WITHIN = timedelta(minutes=1)
# A study's statuses. Stopped, it is full until all its work is reviewed.
_DRAFT, _PAUSED, _FULL, _STOPPED = "UNPUBLISHED", "PAUSED", "AWAITING REVIEW", "COMPLETED"
_TAKING = {"ACTIVE", "PUBLISHING", "SCHEDULED"}
_AT_WORK = {SubmissionStatus.RESERVED, SubmissionStatus.ACTIVE, SubmissionStatus.UNKNOWN}
_HOLDING = _AT_WORK | {
    SubmissionStatus.AWAITING_REVIEW,
    SubmissionStatus.APPROVED,
    SubmissionStatus.PARTIALLY_APPROVED,
}
_STATUSES = {
    SubmissionStatus.AWAITING_REVIEW: StatusThere.SUBMITTED,
    SubmissionStatus.APPROVED: StatusThere.APPROVED,
    SubmissionStatus.PARTIALLY_APPROVED: StatusThere.APPROVED,
    SubmissionStatus.REJECTED: StatusThere.REJECTED,
    SubmissionStatus.RETURNED: StatusThere.RETURNED,
    SubmissionStatus.TIMED_OUT: StatusThere.RETURNED,
    SubmissionStatus.SCREENED_OUT: StatusThere.RETURNED,
}


class Prolific:
    """Implements tasks.platforms.base.CrowdPlatform.

    sleep: how to wait before a call is tried again.
    """

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def market(self) -> Market:
        if not settings.PROLIFIC_TOKEN:
            raise PlatformError(
                "PROLIFIC_TOKEN is not set: make one on Prolific, under Settings, API tokens",
                permanent=True,
            )
        return Market(Mode.LIVE, settings.PROLIFIC_API_URL, "", settings.PROLIFIC_PROJECT)

    @cached_property
    def _client(self) -> ProlificClient:
        market = self.market()
        try:
            return ProlificClient(market.endpoint, settings.PROLIFIC_TOKEN, sleep=self._sleep)
        except ValueError as error:
            raise PlatformError(str(error), permanent=True) from error

    @cached_property
    def _rooms(self) -> tuple[str, str]:
        """The ids of the workspace, whose money is spent, and of the project that studies go to."""
        wanted = settings.PROLIFIC_PROJECT
        for workspace in self._client.workspaces():
            for project in self._client.projects(workspace.id):
                if not wanted or project.id == wanted:
                    return workspace.id, project.id
        missing = f"has no project {wanted} (PROLIFIC_PROJECT)" if wanted else "has no project"
        raise PlatformError(f"the account of PROLIFIC_TOKEN {missing}", permanent=True)

    @property
    def _workspace_id(self) -> str:
        return self._rooms[0]

    def fee_cents(self, cents: int, *, places: int, needs_masters: bool = False) -> int:
        return terms.fee_cents(cents)

    def funds_cents(self) -> int:
        return self._client.balance(self._workspace_id).available_cents

    # --- Listings ---

    def publish(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> Published:
        study_id = self._drafted(listing, offer, forbidding=forbidding, requiring=requiring)
        try:
            once(
                f"publish-{listing.key}",
                platform=Platform.PROLIFIC,
                mode=listing.mode,
                operation="PUBLISH",
                send=lambda _token: self._make_public(study_id),
                find=lambda: self._if_public(study_id),
            )
        except PlatformError as error:
            if error.permanent:
                self._discard(listing, study_id, why=str(error))
            raise
        return Published(study_id, "", listing.created_at + timedelta(days=offer.days_open))

    def _drafted(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> str:
        """Return the id of a listing's study, which is made as a draft if there is none."""

        def send(_token: str) -> Answer:
            self._check_currency(offer)
            study = terms.study_of(
                listing,
                offer,
                project_id=self._rooms[1],
                filters=self._filters(listing, offer, forbidding=forbidding, requiring=requiring),
            )
            return {"platform_id": self._client.create_study(study).id}

        key = _draft_key(listing)
        # There is no token. But what was made is among the studies soon, so what is not among them
        # later was not made.
        may_yet_come = PlatformCall.objects.filter(
            key=key, state=CallState.SENT, sent_at__gt=timezone.now() - DRAFT_COMES_WITHIN
        )
        made = once(
            key,
            platform=Platform.PROLIFIC,
            mode=listing.mode,
            operation="CreateStudy",
            send=send,
            find=lambda: self._find(listing),
            repeats=not may_yet_come.exists(),
        )
        return str(made["platform_id"])

    def _check_currency(self, offer: Offer) -> None:
        """Raise PlatformError where the hourly pay is told in another currency than is paid in."""
        pays_in, told_in = self._client.balance(self._workspace_id).currency, offer.project.currency
        if offer.reward_cents is None and pays_in != told_in:
            raise PlatformError(
                f"the Prolific workspace pays in {pays_in}, and the hourly pay of {offer.project} "
                f"is in {told_in}: set the offer's reward in hundredths of {pays_in}",
                permanent=True,
            )

    def _filters(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> list[SelectFilter | RangeFilter]:
        return terms.filters_of(
            listing,
            offer,
            country_choices=self._country_choices() if offer.country_codes else {},
            forbidding=[self._ensured(one) for one in forbidding],
            requiring=[self._ensured(one) for one in requiring],
        )

    def _country_choices(self) -> Mapping[str, str]:
        """Return Prolific's names of countries by their ids, which its reference asks to read."""
        for one in self._client.filters(self._workspace_id):
            if one.id == terms.COUNTRY_FILTER:
                return one.choices
        raise PlatformError(
            f"Prolific has no filter {terms.COUNTRY_FILTER!r} any more; leave the offer's "
            "countries empty",
            permanent=True,
        )

    def _find(self, listing: Listing) -> Answer | None:
        """Return the study that bears a listing's key, among all of the project's."""
        wanted = terms.inner_name(listing)
        for study in self._client.studies(self._rooms[1]):
            if study.internal_name == wanted:
                return {"platform_id": study.id}
        return None

    def _make_public(self, study_id: str) -> Answer:
        try:
            self._client.transition_study(study_id, StudyAction.PUBLISH)
        except ProlificRefusal as refusal:
            if self._client.study(study_id).status == _DRAFT:
                raise
            raise DoneBefore(str(refusal)) from refusal
        return {}

    def _if_public(self, study_id: str) -> Answer | None:
        return {} if self._client.study(study_id).status != _DRAFT else None

    def _discard(self, listing: Listing, study_id: str, *, why: str) -> None:
        """Delete a draft that Prolific does not publish, so that nothing half-made is left."""
        try:
            self._client.delete_draft(study_id)
        except PlatformError as error:
            if not isinstance(error, ProlificRefusal) or error.status != 404:
                return  # it is found and published when that is asked for again
        undone(_draft_key(listing), f"deleted again: {why}")

    def listings(self) -> Iterator[Found]:
        for study in self._client.studies(self._rooms[1]):
            yield Found(
                platform_id=study.id,
                key=terms.key_of(study.internal_name),
                title=study.name,
                status=study.status,
                created_at=study.created_at,
                can_be_taken=study.status in _TAKING,
            )

    def page_there(self, listing: Listing) -> str:
        if not listing.platform_id or listing.endpoint != API:
            return ""
        return f"{STUDY_PAGE}/{listing.platform_id}"

    def look(self, listing: Listing) -> Standing:
        """Return how a listing stands. A study has no end of its own, and a rejection opens a full
        one again: one whose listing has ended is stopped when it is looked at."""
        study = self._client.study(listing.platform_id)
        has_ended = _has_ended(listing)
        if has_ended and study.status in _TAKING:
            self.close(listing.platform_id)
            study = self._client.study(listing.platform_id)
        submissions = self._client.submissions(listing.platform_id)
        pending = sum(one.status in _AT_WORK for one in submissions)
        is_closed = study.status == _STOPPED or (has_ended and study.status == _FULL)
        return Standing(
            status=study.status,
            pending=pending,
            available=_available(study, submissions),
            is_over=is_closed and not pending,
        )

    def raise_places(self, listing: Listing) -> None:
        """Give a study its listing's places, but for those of rejected work: Prolific opens these
        again by itself, or once a study is started again that was full."""
        study = self._client.study(listing.platform_id)
        submissions = self._client.submissions(listing.platform_id)
        rejected = sum(one.status == SubmissionStatus.REJECTED for one in submissions)
        wanted, before = listing.places - rejected, study.places or 0
        if wanted > before:
            # To set the same number again changes nothing, so that a lost answer does no harm.
            study = self._client.set_places(listing.platform_id, wanted)
        handed_in = sum(one.completed_at is not None for one in submissions)
        if study.status in {_FULL, _PAUSED} and handed_in >= before and not _has_ended(listing):
            # One that was never full was stopped or paused by a person, and stays so.
            self._client.transition_study(listing.platform_id, StudyAction.START)

    def close(self, platform_id: str) -> None:
        status = self._client.study(platform_id).status
        if status == _STOPPED:
            return
        if status == _DRAFT:
            self._client.delete_draft(platform_id)
            return
        try:
            self._client.transition_study(platform_id, StudyAction.STOP)
        except ProlificRefusal as refusal:
            # Stopped meanwhile, or full: whether that can be stopped, the reference does not say.
            if refusal.permanent and self._is_closed(platform_id):
                return
            raise

    def _is_closed(self, platform_id: str) -> bool:
        return self._client.study(platform_id).status in {_STOPPED, _FULL}

    # --- People ---

    def arrival(self, query: Mapping[str, str], listing: Listing) -> Arrival | None:
        person = query.get("PROLIFIC_PID", "")
        if not person or person.startswith("{{"):  # as the address stands in the study
            return None
        study_id, session_id = query.get("STUDY_ID", ""), query.get("SESSION_ID", "")
        for name, value in (
            ("PROLIFIC_PID", person),
            ("STUDY_ID", study_id),
            ("SESSION_ID", session_id),
        ):
            try:
                checked_id(value)
            except ValueError as error:
                raise NotArrivable(f"{name} is {value[:80]!r}") from error
        if listing.platform_id and study_id != listing.platform_id:
            raise NotArrivable(f"STUDY_ID is {study_id[:80]!r}")
        return Arrival(session_id, person)

    def frame_origins(self, listing: Listing) -> list[str]:
        return []  # studies open in a tab of their own

    def completion(self, assignment: Assignment) -> Completion | None:
        if assignment.listing is None:
            return None
        code = terms.completion_code(assignment.listing)
        return Completion(f"{COMPLETION_PAGE}?cc={code}", {}, code)

    def submissions(self, listing: Listing) -> Iterator[base.Submission]:
        for told in self._client.submissions(listing.platform_id):
            yield _as_submission(told)

    def submission(self, assignment: Assignment) -> base.Submission:
        return _as_submission(self._client.submission(assignment.platform_id))

    # --- Decisions and money ---

    def approve(self, assignment: Assignment, *, overrules: bool) -> None:
        if overrules:
            if self.submission(assignment).status != StatusThere.APPROVED:
                raise PlatformError(
                    "Prolific takes no rejection back by its API: ask its support to, naming "
                    f"submission {assignment.platform_id}; the next poll then finds it approved",
                    permanent=True,
                )
            return
        try:
            self._client.approve(assignment.platform_id)
        except ProlificRefusal as refusal:
            self._check_decided(assignment, StatusThere.APPROVED, refusal)

    def reject(self, assignment: Assignment) -> None:
        category, words = terms.reason_of(assignment.feedback)
        try:
            self._client.reject(assignment.platform_id, category=category, message=words)
        except ProlificRefusal as refusal:
            self._check_decided(assignment, StatusThere.REJECTED, refusal)
        listing = assignment.listing
        if listing is not None and listing.state == ListingState.CLOSED:
            self.close(listing.platform_id)  # a rejection opens the place again

    def _check_decided(
        self, assignment: Assignment, wanted: StatusThere, refusal: ProlificRefusal
    ) -> None:
        """Take a refusal for done where it is; raise what it means where it is not."""
        now = self._client.submission(assignment.platform_id).status
        status = _STATUSES.get(now)
        if status == wanted:
            return
        if status in {StatusThere.APPROVED, StatusThere.REJECTED, StatusThere.RETURNED}:
            raise AlreadyDecided(f"on Prolific it is {now.value}") from refusal
        raise refusal

    def pay_bonus(self, entry: LedgerEntry) -> None:
        """Pay a bonus by one call that is never sent twice: each would pay again."""
        if entry.assignment is None or entry.listing is None:
            raise ValueError(f"{entry} is for no assignment")
        submission_id, study_id = entry.assignment.platform_id, entry.listing.platform_id
        try:
            batch = once(
                f"batch-{entry.key.hex}",
                platform=Platform.PROLIFIC,
                mode=entry.mode,
                operation="SetUpBonuses",
                send=lambda _token: self._set_up(entry, submission_id, study_id),
                find=lambda: None,  # one that is not paid costs nothing, so another is set up
            )
        except OutcomeUnknown as error:
            raise PlatformError(f"{error}; nothing is paid yet", permanent=False) from error

        def pay(_token: str) -> Answer:
            self._client.pay_bonuses(batch["batch_id"])
            return {}

        once(
            f"bonus-{entry.key.hex}",
            platform=Platform.PROLIFIC,
            mode=entry.mode,
            operation="PayBonuses",
            send=pay,
            find=lambda: self._find_bonus(entry, submission_id, paid_before=batch["paid_before"]),
            repeats=False,
        )

    def _set_up(self, entry: LedgerEntry, submission_id: str, study_id: str) -> Answer:
        paid = self._client.submission(submission_id).bonus_cents
        batch = self._client.set_up_bonuses(study_id, [Bonus(submission_id, entry.cents)])
        promised = entry.cents + entry.fee_cents
        if batch.total_cents > promised:
            raise PlatformError(
                f"with its fee Prolific takes {_amount(batch.total_cents)} for this bonus, and "
                f"{_amount(promised)} are promised: raise PROLIFIC_FEE_PERCENT",
                permanent=True,
            )
        return {"batch_id": batch.id, "paid_before": paid.count(entry.cents)}

    def _find_bonus(
        self, entry: LedgerEntry, submission_id: str, *, paid_before: int
    ) -> Answer | None:
        """Return {} where a bonus whose answer was lost is surely paid: Prolific lists amounts
        alone. Raises OutcomeUnknown where another of the same amount cannot be told from it."""
        alike = LedgerEntry.objects.filter(
            assignment=entry.assignment_id,
            kind=EntryKind.BONUS,
            cents=entry.cents,
            state__in=[EntryState.SENT, EntryState.CONFIRMED],
        ).exclude(pk=entry.pk)
        if paid_before or alike.exists():
            raise OutcomeUnknown(
                f"{_amount(entry.cents)} were sent to {entry.worker_id} more than once, and "
                "Prolific does not say which of them it has paid; look there, then decide"
            )
        paid = self._client.submission(submission_id).bonus_cents
        return {} if entry.cents in paid else None

    def bonuses_cents(self, listing: Listing) -> int | None:
        return None  # a list of submissions leaves them out

    # --- Who may ---

    def grant(self, qualification: Qualification, worker_id: str) -> None:
        self._client.add_to_group(self._ensured(qualification), [worker_id])

    def withdraw(self, qualification: Qualification, worker_id: str) -> None:
        if qualification.platform_id:
            self._client.remove_from_group(qualification.platform_id, [worker_id])

    def _ensured(self, qualification: Qualification) -> str:
        """Return the id of a participant group, which is made the first time."""
        if not qualification.platform_id:
            made = once(
                f"qualification-{qualification.pk}",
                platform=Platform.PROLIFIC,
                mode=qualification.mode,
                operation="CreateParticipantGroup",
                send=lambda _token: self._make_group(qualification),
                find=lambda: self._find_group(qualification),
            )
            qualification.platform_id = made["platform_id"]
            qualification.save(update_fields=["platform_id"])
        return qualification.platform_id

    def _make_group(self, qualification: Qualification) -> Answer:
        made = self._client.create_group(self._workspace_id, qualification.name)
        return {"platform_id": made.id}

    def _find_group(self, qualification: Qualification) -> Answer | None:
        for group in self._client.groups(self._workspace_id):
            if group.name == qualification.name:
                return {"platform_id": group.id}
        return None

    def block(self, worker_id: str, reason: str) -> None:
        raise PlatformError(
            f"Prolific blocks nobody by its API; {worker_id} is turned away here all the same",
            permanent=True,
        )

    def unblock(self, worker_id: str) -> None:
        """Do nothing: nobody is blocked there."""

    def notify(
        self, worker_ids: Sequence[str], *, subject: str, text: str, project: Project
    ) -> dict[str, str]:
        """Write to each alone: a message is about a study that the person took part in."""
        studies = dict(
            Assignment.objects.filter(
                hit__project=project,
                worker_id__in=worker_ids,
                listing__platform=Platform.PROLIFIC,
            )
            .exclude(listing__platform_id="")
            .order_by("pk")
            .values_list("worker_id", "listing__platform_id")
        )
        failures = {}
        for person in worker_ids:
            if person not in studies:
                failures[person] = "has no study in this project to be written to about"
                continue
            try:
                self._client.message([person], f"{subject}\n\n{text}", study_id=studies[person])
            except OutcomeUnknown as error:
                failures[person] = f"may have it all the same: {error}"
            except PlatformError as error:
                failures[person] = str(error)
        return failures


def _draft_key(listing: Listing) -> str:
    return f"listing-{listing.key}"


def _has_ended(listing: Listing) -> bool:
    """True where nobody is to take a place any more."""
    is_late = listing.expires_at is not None and listing.expires_at <= timezone.now()
    return is_late or listing.state == ListingState.CLOSED


def _available(study: Study, submissions: Sequence[Submission]) -> int:
    """Return how many people could take a place, or could have while the study was open."""
    if study.status not in _TAKING | {_STOPPED}:
        return 0
    holding = sum(one.status in _HOLDING for one in submissions)
    return max(0, (study.places or 0) - holding)


def _as_submission(told: Submission) -> base.Submission:
    status = _STATUSES.get(told.status)
    approves_itself_at = None
    if status == StatusThere.SUBMITTED and told.completed_at and not told.return_requested:
        approves_itself_at = told.completed_at + REVIEW_TIME
    return base.Submission(
        platform_id=told.id,
        worker_id=told.participant_id,
        status=status,
        submitted_at=told.completed_at,
        approves_itself_at=approves_itself_at,
    )


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
