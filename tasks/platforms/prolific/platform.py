"""Prolific as a crowd platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.urls import reverse

from tasks.models import (
    Assignment,
    LedgerEntry,
    Listing,
    ListingState,
    Offer,
    Platform,
    Project,
    Qualification,
    StatusThere,
)
from tasks.platforms import base
from tasks.platforms.addresses import check_public_address, key_in
from tasks.platforms.base import (
    AlreadyDecided,
    Arrival,
    Completion,
    Found,
    Market,
    NotArrivable,
    PlatformError,
    Published,
    Standing,
)
from tasks.platforms.prolific import bonuses, studies, terms
from tasks.platforms.prolific.account import Account
from tasks.platforms.prolific.client import ProlificClient
from tasks.platforms.prolific.http import ProlificRefusal
from tasks.platforms.prolific.types import (
    Submission,
    SubmissionStatus,
    Subscription,
    checked_id,
)
from tasks.platforms.prolific.webhooks import STUDY_CHANGED, SUBMISSION_CHANGED

API = "https://api.prolific.com"
STUDY_PAGE = "https://app.prolific.com/researcher/workspaces/studies"
COMPLETION_PAGE = "https://app.prolific.com/submissions/complete"
REVIEW_TIME = timedelta(days=21)  # of the help pages: then Prolific approves by itself
# What is in none of these is being worked on. What has timed out may yet be handed in.
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
        self._account = Account(sleep=sleep)

    @property
    def _client(self) -> ProlificClient:
        return self._account.client

    def market(self) -> Market:
        return self._account.market

    def fee_cents(self, cents: int, *, places: int, needs_masters: bool = False) -> int:
        return terms.fee_cents(cents)

    def funds_cents(self) -> int:
        return self._client.balance(self._account.workspace_id).available_cents

    # --- Listings ---

    def publish(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> Published:
        return studies.Publication(
            self._account, listing, offer, forbidding=forbidding, requiring=requiring
        ).publish()

    def listings(self) -> Iterator[Found]:
        for study in self._client.studies(self._account.project_id):
            yield Found(
                platform_id=study.id,
                key=key_in(study.internal_name),
                title=study.name,
                status=study.status,
                created_at=study.created_at,
                can_be_taken=study.status in studies.TAKING,
            )

    def page_there(self, listing: Listing) -> str:
        if not listing.platform_id or listing.endpoint != API:
            return ""
        return f"{STUDY_PAGE}/{listing.platform_id}"

    def look(self, listing: Listing) -> Standing:
        return studies.look(self._account, listing)

    def raise_places(self, listing: Listing) -> None:
        studies.raise_places(self._account, listing)

    def close(self, platform_id: str) -> None:
        studies.close(self._account, platform_id)

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
                raise AlreadyDecided(
                    "Prolific takes no rejection back by its API: ask its support to, naming "
                    f"submission {assignment.platform_id}; the next poll then finds it approved"
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
        bonuses.pay(self._client, entry)

    def bonuses_cents(self, listing: Listing) -> int | None:
        return None  # a list of submissions leaves them out

    # --- Who may ---

    def grant(self, qualification: Qualification, worker_id: str) -> None:
        self._client.add_to_group(self._account.group_id(qualification), [worker_id])

    def withdraw(self, qualification: Qualification, worker_id: str) -> None:
        if qualification.platform_id:
            self._client.remove_from_group(qualification.platform_id, [worker_id])

    def block(self, worker_id: str, reason: str) -> None:
        raise PlatformError(
            f"Prolific blocks nobody by its API; {worker_id} is turned away here all the same",
            permanent=True,
        )

    def unblock(self, worker_id: str) -> None:
        """Do nothing: nobody is blocked there."""

    def notify(
        self, worker_ids: Sequence[str], *, subject: str, text: str, project: Project
    ) -> dict[str, PlatformError]:
        """Write to each alone: a message is about a study that the person took part in."""
        took_part_in = dict(
            Assignment.objects.filter(
                hit__project=project,
                worker_id__in=worker_ids,
                listing__platform=Platform.PROLIFIC,
            )
            .exclude(listing__platform_id="")
            .order_by("pk")
            .values_list("worker_id", "listing__platform_id")
        )
        failures: dict[str, PlatformError] = {}
        for person in worker_ids:
            study_id = took_part_in.get(person)
            if study_id is None:
                why = "has no study in this project to be written to about"
                failures[person] = PlatformError(why, permanent=True)
                continue
            try:
                self._client.message([person], f"{subject}\n\n{text}", study_id=study_id)
            except PlatformError as error:
                failures[person] = error
        return failures

    # --- Webhooks ---

    def subscribe(self) -> str:
        """Subscribe this site to what changes; return a new secret, by which webhooks are signed.

        A workspace has one secret: its former one ends. Subscribed already: only the secret is new.
        """
        address, workspace_id = _hook_address(), self._account.workspace_id
        secret = self._client.create_hook_secret(workspace_id)
        known = {one.event_type for one in self._subscriptions() if one.is_enabled}
        for event_type in {STUDY_CHANGED, SUBMISSION_CHANGED} - known:
            self._client.subscribe(workspace_id, event_type=event_type, target_url=address)
        return secret

    def unsubscribe(self) -> int:
        """End this site's subscriptions; return how many."""
        ended = self._subscriptions()
        for one in ended:
            self._client.unsubscribe(one.id)
        return len(ended)

    def _subscriptions(self) -> list[Subscription]:
        address = _hook_address()
        subscriptions = self._client.subscriptions(self._account.workspace_id)
        return [one for one in subscriptions if one.target_url == address]


def _hook_address() -> str:
    check_public_address(Platform.PROLIFIC.label)
    return settings.PUBLIC_BASE_URL + reverse("prolific_hook")


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
