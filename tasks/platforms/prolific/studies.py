"""Listings as studies: drafted, published, looked at, enlarged, stopped.

A study is made by two calls, and neither has a token: each is written down before it is sent, and
a study is found again by its internal name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.utils import timezone

from tasks.models import (
    Listing,
    ListingState,
    Offer,
    Platform,
    Purpose,
    Qualification,
)
from tasks.platforms.base import DoneBefore, OutcomeUnknown, PlatformError, Published, Standing
from tasks.platforms.outbox import Answer, is_under_way, once, undone
from tasks.platforms.prolific import terms
from tasks.platforms.prolific.account import APPEARS_WITHIN, Account
from tasks.platforms.prolific.http import ProlificRefusal
from tasks.platforms.prolific.types import (
    RangeFilter,
    SelectFilter,
    Study,
    StudyAction,
    Submission,
    SubmissionStatus,
)

# A study's statuses. Stopped, it is full until all its work is reviewed.
_DRAFT, _PAUSED, _FULL, _STOPPED = "UNPUBLISHED", "PAUSED", "AWAITING REVIEW", "COMPLETED"
TAKING = {"ACTIVE", "PUBLISHING", "SCHEDULED"}
_AT_WORK = {SubmissionStatus.RESERVED, SubmissionStatus.ACTIVE, SubmissionStatus.UNKNOWN}
_HOLDING = _AT_WORK | {
    SubmissionStatus.AWAITING_REVIEW,
    SubmissionStatus.APPROVED,
    SubmissionStatus.PARTIALLY_APPROVED,
}


class Publication:
    """The steps by which one listing becomes a public study; each may be done again."""

    def __init__(
        self,
        account: Account,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> None:
        self._account, self._client = account, account.client
        self._listing, self._offer = listing, offer
        self._forbidding, self._requiring = forbidding, requiring
        # The name by which a listing's first call is known on all platforms.
        self._draft_key = f"listing-{listing.key}"

    def publish(self) -> Published:
        """Return the study once people can take part. Raises PlatformError."""
        study_id = self._drafted()
        try:
            once(
                f"publish-{self._listing.key}",
                platform=Platform.PROLIFIC,
                mode=self._listing.mode,
                operation="PublishStudy",
                send=lambda _token: self._make_public(study_id),
                find=lambda: self._if_public(study_id),
            )
        except PlatformError as error:
            if error.permanent:
                self._discard(study_id, why=str(error))
            raise
        expires_at = self._listing.created_at + timedelta(days=self._offer.days_open)
        return Published(study_id, "", expires_at)

    def _drafted(self) -> str:
        """Return the id of the listing's study, which is made as a draft if there is none."""
        made = once(
            self._draft_key,
            platform=Platform.PROLIFIC,
            mode=self._listing.mode,
            operation="CreateStudy",
            send=lambda _token: self._draft(),
            find=self._find,
        )
        return str(made["platform_id"])

    def _draft(self) -> Answer:
        self._check_currency()
        study = terms.study_of(
            self._listing,
            self._offer,
            project_id=self._account.project_id,
            filters=self._filters(),
        )
        return {"platform_id": self._client.create_study(study).id}

    def _find(self) -> Answer | None:
        """Return the study that bears the listing's key, among all of the project's.

        There is no token. But what was made is among the studies soon, so what is not among them
        later was not made. Raises OutcomeUnknown before that.
        """
        wanted = terms.inner_name(self._listing)
        for study in self._client.studies(self._account.project_id):
            if study.internal_name == wanted:
                return {"platform_id": study.id}
        if is_under_way(self._draft_key, within=APPEARS_WITHIN):
            raise OutcomeUnknown(
                "a study was asked for less than a minute ago and is not among Prolific's yet; it "
                "is looked for again later"
            )
        return None

    def _check_currency(self) -> None:
        """Raise PlatformError where the hourly pay is told in another currency than is paid in."""
        project = self._offer.project
        pays_in = self._client.balance(self._account.workspace_id).currency
        is_of_hours = self._offer.reward_cents is None and self._listing.purpose == Purpose.WORK
        if is_of_hours and pays_in != project.currency:
            raise PlatformError(
                f"the Prolific workspace pays in {pays_in}, and the hourly pay of {project} is in "
                f"{project.currency}: set the offer's reward in hundredths of {pays_in}",
                permanent=True,
            )

    def _filters(self) -> list[SelectFilter | RangeFilter]:
        return terms.filters_of(
            self._listing,
            self._offer,
            country_choices=self._country_choices() if self._offer.country_codes else {},
            forbidding=[self._account.group_id(one) for one in self._forbidding],
            requiring=[self._account.group_id(one) for one in self._requiring],
        )

    def _country_choices(self) -> Mapping[str, str]:
        """Return Prolific's names of countries by their ids, which its reference asks to read."""
        for one in self._client.filters(self._account.workspace_id):
            if one.id == terms.COUNTRY_FILTER:
                return one.choices
        raise PlatformError(
            f"Prolific has no filter {terms.COUNTRY_FILTER!r} any more; leave the offer's "
            "countries empty",
            permanent=True,
        )

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

    def _discard(self, study_id: str, *, why: str) -> None:
        """Delete a draft that Prolific does not publish, so that nothing half-made is left."""
        try:
            self._client.delete_draft(study_id)
        except PlatformError as error:
            if not isinstance(error, ProlificRefusal) or error.status != 404:
                return  # it is found and published when that is asked for again
        undone(self._draft_key, f"deleted again: {why}")


def look(account: Account, listing: Listing) -> Standing:
    """Return how a listing stands.

    A study has no end of its own, and a rejection opens a full one again: one whose listing has
    ended is stopped when it is looked at.
    """
    client = account.client
    study = client.study(listing.platform_id)
    has_ended = _has_ended(listing)
    if has_ended and study.status in TAKING:
        close(account, listing.platform_id)
        study = client.study(listing.platform_id)
    submissions = client.submissions(listing.platform_id)
    pending = sum(one.status in _AT_WORK for one in submissions)
    is_closed = study.status == _STOPPED or (has_ended and study.status == _FULL)
    return Standing(
        status=study.status,
        pending=pending,
        available=_available(study, submissions),
        is_over=is_closed and not pending,
    )


def raise_places(account: Account, listing: Listing) -> None:
    """Give a study its listing's places, but for those of rejected work: Prolific opens these again
    by itself, or once a study that was full is started again."""
    client = account.client
    study = client.study(listing.platform_id)
    submissions = client.submissions(listing.platform_id)
    rejected = sum(one.status == SubmissionStatus.REJECTED for one in submissions)
    wanted, before = listing.places - rejected, study.places or 0
    if wanted > before:
        # To set the same number again changes nothing, so that a lost answer does no harm.
        study = client.set_places(listing.platform_id, wanted)
    handed_in = sum(one.completed_at is not None for one in submissions)
    if study.status in {_FULL, _PAUSED} and handed_in >= before and not _has_ended(listing):
        # One that was never full was stopped or paused by a person, and stays so.
        client.transition_study(listing.platform_id, StudyAction.START)


def close(account: Account, study_id: str) -> None:
    """Stop a study; delete one that is a draft. Stopped already is no failure."""
    client = account.client
    status = client.study(study_id).status
    if status == _DRAFT:
        client.delete_draft(study_id)
    elif status != _STOPPED:
        try:
            client.transition_study(study_id, StudyAction.STOP)
        except ProlificRefusal:
            # Stopped meanwhile, or full: whether that can be stopped, the reference does not say.
            if client.study(study_id).status not in {_STOPPED, _FULL}:
                raise


def _has_ended(listing: Listing) -> bool:
    """True where nobody is to take a place any more."""
    is_late = listing.expires_at is not None and listing.expires_at <= timezone.now()
    return is_late or listing.state == ListingState.CLOSED


def _available(study: Study, submissions: Sequence[Submission]) -> int:
    """Return how many people could take a place, or could have while the study was open."""
    if study.status not in TAKING | {_STOPPED}:
        return 0
    holding = sum(one.status in _HOLDING for one in submissions)
    return max(0, (study.places or 0) - holding)
