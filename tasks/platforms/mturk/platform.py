"""Mechanical Turk as a crowd platform."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from tasks.models import (
    Assignment,
    LedgerEntry,
    Listing,
    Mode,
    Offer,
    Platform,
    Project,
    Qualification,
    StatusThere,
)
from tasks.platforms.addresses import arrival_url, key_in, mark_of
from tasks.platforms.base import (
    AlreadyDecided,
    Arrival,
    Completion,
    DoneBefore,
    Found,
    Market,
    NotArrivable,
    PlatformError,
    Published,
    Standing,
    Submission,
)
from tasks.platforms.mturk import client, notifications, terms
from tasks.platforms.mturk.client import Client, MTurkRefusal, Shape
from tasks.platforms.mturk.origins import frame_origins, origin_of, submit_origins
from tasks.platforms.mturk.qualifications import ensured_id
from tasks.platforms.outbox import Answer, once

logger = logging.getLogger(__name__)

NOT_ACCEPTED = "ASSIGNMENT_ID_NOT_AVAILABLE"
SUBMIT_PATH = "/mturk/externalSubmit"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HIT_ID = re.compile(r"\b[A-Z0-9]{20,40}\b")
_OVER = {"Reviewable", "Reviewing", "Disposed"}
WORKER_SITES = {
    Mode.SANDBOX: "https://workersandbox.mturk.com",
    Mode.LIVE: "https://worker.mturk.com",
}


class MechanicalTurk:
    """Implements tasks.platforms.base.CrowdPlatform."""

    def market(self) -> Market:
        return client.market()

    @cached_property
    def _client(self) -> Client:
        return Client(self.market())

    def fee_cents(self, cents: int, *, places: int, needs_masters: bool = False) -> int:
        return terms.fee_cents(cents, places=places, needs_masters=needs_masters)

    def funds_cents(self) -> int:
        return _cents(self._client.call("get_account_balance")["AvailableBalance"])

    # --- Listings ---

    def publish(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> Published:
        question = terms.external_question(arrival_url(listing))
        type_id = self._hit_type(listing, offer, forbidding=forbidding, requiring=requiring)

        def send(token: str) -> Answer:
            try:
                made = self._client.call(
                    "create_hit_with_hit_type",
                    HITTypeId=type_id,
                    MaxAssignments=listing.places,
                    LifetimeInSeconds=offer.days_open * 86_400,
                    Question=question,
                    RequesterAnnotation=mark_of(listing.key),
                    UniqueRequestToken=token,
                )
            except DoneBefore as error:
                if named := self._named_in(str(error), listing):
                    return named
                raise
            return _as_answer(made["HIT"])

        made = once(
            f"listing-{listing.key}",
            platform=Platform.MTURK,
            mode=listing.mode,
            operation="CreateHITWithHITType",
            send=send,
            find=lambda: self._find(listing),
        )
        expires_at = made.get("expires_at")
        return Published(
            made["platform_id"],
            made.get("group_id", ""),
            datetime.fromisoformat(expires_at) if expires_at else None,
        )

    def _hit_type(
        self,
        listing: Listing,
        offer: Offer,
        *,
        forbidding: Sequence[Qualification],
        requiring: Sequence[Qualification],
    ) -> str:
        """Return the id of the HIT type of these terms; the same terms give the same one."""
        needed = terms.requirements(
            offer,
            listing.mode,
            forbidding=[ensured_id(self._client, one) for one in forbidding],
            requiring=[ensured_id(self._client, one) for one in requiring],
        )
        words: Shape = {"Keywords": offer.search_words} if offer.search_words else {}
        made = self._client.call(
            "create_hit_type",
            Title=terms.title_of(offer),
            Description=terms.description_of(offer),
            **words,
            Reward=terms.dollars(listing.reward_cents),
            AssignmentDurationInSeconds=listing.minutes_allowed * 60,
            AutoApprovalDelayInSeconds=offer.review_hours * 3600,
            QualificationRequirements=needed,
        )
        type_id = str(made["HITTypeId"])
        try:
            self.subscribe(type_id)
        except PlatformError as error:
            # Polling finds the same, only later.
            logger.warning("no notifications of HIT type %s: %s", type_id, error)
        return type_id

    def subscribe(self, type_id: str) -> None:
        """Ask for notifications of a type's HITs, where the settings name a place for them."""
        wanted = notifications.specification()
        if wanted is not None:
            self._client.call(
                "update_notification_settings",
                HITTypeId=type_id,
                Notification=wanted,
                Active=True,
            )

    def _named_in(self, message: str, listing: Listing) -> Answer | None:
        """Return the listing's HIT where a message names it, as that of HITAlreadyExists does: a
        new HIT may take a while to be among those listed."""
        for hit_id in _HIT_ID.findall(message):
            try:
                hit = self._client.call("get_hit", HITId=hit_id)["HIT"]
            except PlatformError:
                continue
            if key_in(hit.get("RequesterAnnotation") or "") == listing.key:
                return _as_answer(hit)
        return None

    def _find(self, listing: Listing) -> Answer | None:
        """Return the HIT that bears a listing's key, among all of the account."""
        for hit in self._client.pages("list_hits", "HITs"):
            if key_in(hit.get("RequesterAnnotation") or "") == listing.key:
                return _as_answer(hit)
        return None

    def listings(self) -> Iterator[Found]:
        for hit in self._client.pages("list_hits", "HITs"):
            yield Found(
                platform_id=hit["HITId"],
                key=key_in(hit.get("RequesterAnnotation") or ""),
                title=hit.get("Title", ""),
                status=hit.get("HITStatus", ""),
                created_at=hit.get("CreationTime"),
                can_be_taken=hit.get("HITStatus") == "Assignable",
                places=hit.get("MaxAssignments"),
            )

    def page_there(self, listing: Listing) -> str:
        site = WORKER_SITES[Mode(listing.mode)]
        if not listing.group_id or listing.endpoint != client.ENDPOINTS[listing.mode]:
            return ""
        return f"{site}/mturk/preview?{urlencode({'groupId': listing.group_id})}"

    def look(self, listing: Listing) -> Standing:
        hit = self._client.call("get_hit", HITId=listing.platform_id)["HIT"]
        pending = hit.get("NumberOfAssignmentsPending", 0)
        return Standing(
            status=hit["HITStatus"],
            pending=pending,
            available=hit.get("NumberOfAssignmentsAvailable", 0),
            is_over=hit["HITStatus"] in _OVER and not pending,
        )

    def raise_places(self, listing: Listing) -> None:
        missing = listing.places - self._places_of(listing)
        if missing <= 0:
            return

        def send(token: str) -> Answer:
            return self._client.call(
                "create_additional_assignments_for_hit",
                HITId=listing.platform_id,
                NumberOfAdditionalAssignments=missing,
                UniqueRequestToken=token,
            )

        once(
            f"places-{listing.key}-{listing.places}",
            platform=Platform.MTURK,
            mode=listing.mode,
            operation="CreateAdditionalAssignmentsForHIT",
            send=send,
            find=lambda: {} if self._places_of(listing) >= listing.places else None,
        )

    def _places_of(self, listing: Listing) -> int:
        hit = self._client.call("get_hit", HITId=listing.platform_id)["HIT"]
        return int(hit["MaxAssignments"])

    def close(self, platform_id: str) -> None:
        # The service refuses the same HIT and second twice, so closing again is no failure.
        long_ago = datetime.now(tz=UTC) - timedelta(days=1)
        try:
            self._client.call("update_expiration_for_hit", HITId=platform_id, ExpireAt=long_ago)
        except DoneBefore:
            return
        except MTurkRefusal as refusal:
            if not refusal.code.startswith("invalidhitstate"):
                raise

    # --- People ---

    def arrival(self, query: Mapping[str, str], listing: Listing) -> Arrival | None:
        assignment_id = query.get("assignmentId", "")
        if assignment_id in {"", NOT_ACCEPTED}:
            return None
        worker_id, hit_id = query.get("workerId", ""), query.get("hitId", "")
        for name, value in (("assignmentId", assignment_id), ("workerId", worker_id)):
            if not _ID.fullmatch(value):
                raise NotArrivable(f"{name} is {value[:80]!r}")
        if hit_id and listing.platform_id and hit_id != listing.platform_id:
            raise NotArrivable(f"hitId is {hit_id[:80]!r}")
        submit_to = origin_of(query.get("turkSubmitTo", ""))
        if submit_to not in submit_origins(listing.mode):
            raise NotArrivable(f"turkSubmitTo is {query.get('turkSubmitTo', '')[:80]!r}")
        return Arrival(assignment_id, worker_id, submit_to)

    def frame_origins(self, listing: Listing) -> list[str]:
        return frame_origins(listing.mode)

    def completion(self, assignment: Assignment) -> Completion | None:
        if not assignment.submit_to:
            return None
        fields = {
            "assignmentId": assignment.platform_id,
            "completionCode": assignment.completion_code,
        }
        return Completion(assignment.submit_to + SUBMIT_PATH, fields, assignment.completion_code)

    def submissions(self, listing: Listing) -> Iterator[Submission]:
        asked = self._client.pages(
            "list_assignments_for_hit", "Assignments", HITId=listing.platform_id
        )
        for told in asked:
            yield _as_submission(told)

    def submission(self, assignment: Assignment) -> Submission:
        try:
            told = self._client.call("get_assignment", AssignmentId=assignment.platform_id)
        except MTurkRefusal as refusal:
            # What was accepted and not handed in is in none of the states that can be read.
            if refusal.code not in {"invalidassignmentstate", "assignmentdoesnotexist"}:
                raise
            return Submission(assignment.platform_id, "", None)
        return _as_submission(told["Assignment"])

    # --- Decisions and money ---

    def approve(self, assignment: Assignment, *, overrules: bool) -> None:
        told: Shape = {"OverrideRejection": True} if overrules else {}
        if assignment.feedback:
            told["RequesterFeedback"] = assignment.feedback[:1024]
        self._decide("approve_assignment", assignment, StatusThere.APPROVED, **told)

    def reject(self, assignment: Assignment) -> None:
        feedback = {"RequesterFeedback": assignment.feedback[:1024]}
        self._decide("reject_assignment", assignment, StatusThere.REJECTED, **feedback)

    def _decide(
        self, operation: str, assignment: Assignment, wanted: StatusThere, **told: Any
    ) -> None:
        try:
            self._client.call(operation, AssignmentId=assignment.platform_id, **told)
        except MTurkRefusal as refusal:
            if refusal.code != "invalidassignmentstate":
                raise
            now = self.submission(assignment).status
            if now != wanted:
                state = now or "not handed in"
                raise AlreadyDecided(f"on the platform it is {state}") from refusal

    def pay_bonus(self, entry: LedgerEntry) -> None:
        if entry.assignment is None:
            raise ValueError(f"{entry} is for no assignment")
        assignment_id = entry.assignment.platform_id
        reference = entry.key.hex[:12]  # a payment is listed without its token, so it says its name

        def send(token: str) -> Answer:
            return self._client.call(
                "send_bonus",
                WorkerId=entry.worker_id,
                AssignmentId=assignment_id,
                BonusAmount=terms.dollars(entry.cents),
                Reason=f"{entry.reason} (reference {reference})",
                UniqueRequestToken=token,
            )

        def find() -> Answer | None:
            paid = self._client.pages(
                "list_bonus_payments", "BonusPayments", AssignmentId=assignment_id
            )
            named = any(reference in (one.get("Reason") or "") for one in paid)
            return {} if named else None

        once(
            f"bonus-{entry.key.hex}",
            platform=Platform.MTURK,
            mode=entry.mode,
            operation="SendBonus",
            send=send,
            find=find,
        )

    def bonuses_cents(self, listing: Listing) -> int | None:
        paid = self._client.pages("list_bonus_payments", "BonusPayments", HITId=listing.platform_id)
        return sum(_cents(one["BonusAmount"]) for one in paid)

    # --- Who may ---

    def grant(self, qualification: Qualification, worker_id: str) -> None:
        self._client.call(
            "associate_qualification_with_worker",
            QualificationTypeId=ensured_id(self._client, qualification),
            WorkerId=worker_id,
            IntegerValue=1,
            SendNotification=False,
        )

    def withdraw(self, qualification: Qualification, worker_id: str) -> None:
        if not qualification.platform_id:
            return
        try:
            self._client.call(
                "disassociate_qualification_from_worker",
                QualificationTypeId=qualification.platform_id,
                WorkerId=worker_id,
            )
        except MTurkRefusal as refusal:
            # Somebody who does not have it is named as a wrong state or a wrong value.
            if "state" not in refusal.code and "doesnotexist" not in refusal.code:
                raise

    def block(self, worker_id: str, reason: str) -> None:
        self._client.call("create_worker_block", WorkerId=worker_id, Reason=reason)

    def unblock(self, worker_id: str) -> None:
        self._client.call("delete_worker_block", WorkerId=worker_id)

    def notify(
        self, worker_ids: Sequence[str], *, subject: str, text: str, project: Project
    ) -> dict[str, PlatformError]:
        told = self._client.call(
            "notify_workers",
            attempts=1,  # it has no token: sent twice, it is read twice
            Subject=subject,
            MessageText=text,
            WorkerIds=list(worker_ids),
        )
        return {
            one["WorkerId"]: PlatformError(
                one.get("NotifyWorkersFailureMessage")
                or one.get("NotifyWorkersFailureCode")
                or "the platform does not say why",
                permanent=True,
            )
            for one in told.get("NotifyWorkersFailureStatuses", [])
        }


def _as_answer(hit: Shape) -> Answer:
    """Return what is kept of a HIT, as JSON."""
    expires_at = hit.get("Expiration")
    return {
        "platform_id": hit["HITId"],
        "group_id": hit.get("HITGroupId", ""),
        "expires_at": expires_at.isoformat() if expires_at else "",
    }


def _as_submission(told: Shape) -> Submission:
    status = StatusThere(told["AssignmentStatus"].lower())
    return Submission(
        platform_id=told["AssignmentId"],
        worker_id=told["WorkerId"],
        status=status,
        submitted_at=told.get("SubmitTime"),
        approves_itself_at=told.get("AutoApprovalTime"),
        feedback=told.get("RequesterFeedback") or "",
    )


def _cents(amount: str) -> int:
    whole, _, part = amount.replace(",", "").partition(".")
    return int(whole or 0) * 100 + int((part + "00")[:2])
