"""Review and pay: what a person decided is done on the platform, and every cent noted.

A decision is stored first and carried out after; what could not be carried out stays decided, and
`settle_all` carries it out later. What the platform says of an assignment is asked before each.
"""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from tasks.crowd import bonuses, ledger
from tasks.crowd.bonuses import bonus, resend
from tasks.crowd.looking import NotHandedIn, add_note, look, own_platform, set_status, withdraw
from tasks.models import (
    Assignment,
    Decision,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    Project,
    StatusThere,
)
from tasks.platforms import CrowdPlatform, OutcomeUnknown, PlatformError, platform_of
from tasks.platforms.base import AlreadyDecided, Submission, UnderWay
from tasks.services import TaskError

__all__ = [
    "REFUSALS",
    "DecidedOtherwise",
    "NotHandedIn",
    "approve",
    "bonus",
    "naming",
    "overrule",
    "reject",
    "resend",
    "settle",
    "settle_all",
]

REFUSALS = (TaskError, PlatformError)
# ApproveAssignment's reference: only what was submitted within the previous 30 days.
OVERRULED_WITHIN = timedelta(days=30)
# What a reward says that is owed after a rejection; without it, a rejection there stands.
OVERRULED = "the rejection was taken back"
PATIENCE = 3  # temporary errors in a row; then the rest is left for later

By = AbstractBaseUser | None  # a manager; None: from the command line


class DecidedOtherwise(TaskError):
    """The platform has it the other way, and only a person can say what follows."""


# --- Decisions ---


def approve(assignment: Assignment, *, by: By = None, feedback: str = "") -> Assignment:
    """Decide that somebody is paid, and pay. Approved before is no failure.

    Raises TaskError and PlatformError; the decision then stands, unless the sentence says that
    nothing was decided.
    """
    platform = own_platform(assignment)
    _decide(platform, assignment, Decision.APPROVE, by=by, feedback=feedback)
    return _settle(platform, assignment)


def reject(assignment: Assignment, *, by: By = None, reason: str) -> Assignment:
    """Decide that somebody is not paid, for a reason that they are told, and tell them.

    Raises TaskError and PlatformError, as `approve` does.
    """
    if not reason.strip():
        raise TaskError(f"{assignment.worker_id} is to be told why: a rejection needs a reason")
    platform = own_platform(assignment)
    _decide(platform, assignment, Decision.REJECT, by=by, feedback=reason.strip())
    return _settle(platform, assignment)


def overrule(assignment: Assignment, *, by: By = None, feedback: str = "") -> Assignment:
    """Take a rejection back, and pay. Raises TaskError, also where it is too late for that."""
    platform = own_platform(assignment)
    look(platform, assignment)
    _take_back(assignment, by=by, feedback=feedback)
    return _settle(platform, assignment)


@transaction.atomic
def _take_back(assignment: Assignment, *, by: By, feedback: str) -> None:
    """Store that a rejection is taken back, with the promise of the reward: both or neither."""
    now = timezone.now()
    assignment.refresh_from_db()
    submitted_at = assignment.submitted_there_at or assignment.submitted_at
    last_day = (submitted_at or now) + OVERRULED_WITHIN
    if assignment.status_there == StatusThere.REJECTED and last_day < now:
        raise TaskError(
            f"the rejection of {assignment.worker_id} could be taken back until "
            f"{last_day:%Y-%m-%d}; a bonus can still be paid"
        )
    is_rejected = Q(decision=Decision.REJECT) | Q(status_there=StatusThere.REJECTED)
    if Assignment.objects.filter(is_rejected, pk=assignment.pk).update(
        decision=Decision.APPROVE, decided_at=now, decided_by=by, feedback=feedback
    ):
        owed = ledger.reward_of(assignment)
        LedgerEntry.objects.filter(pk=owed.pk).update(reason=OVERRULED)
    elif assignment.decision != Decision.APPROVE:
        raise TaskError(f"{assignment.worker_id} was not rejected")


def _decide(
    platform: CrowdPlatform, assignment: Assignment, decision: Decision, *, by: By, feedback: str
) -> None:
    """Store a person's decision. Raises TaskError where another one was made before."""
    if not (assignment.submitted_at or assignment.status_there):
        look(platform, assignment)  # raises where there is nothing to decide yet
    decided = Assignment.objects.filter(pk=assignment.pk, decision="").update(
        decision=decision, decided_at=timezone.now(), decided_by=by, feedback=feedback
    )
    assignment.refresh_from_db()
    if decided or assignment.decision == decision:
        return
    who = f" by {assignment.decided_by}" if assignment.decided_by else ""
    when = f"{assignment.decided_at:%Y-%m-%d %H:%M}" if assignment.decided_at else ""
    if assignment.decision == Decision.REJECT:
        raise TaskError(
            f"{assignment.worker_id} was rejected{who} at {when}; take that back by overruling it"
        )
    raise TaskError(f"{assignment.worker_id} was approved{who} at {when}, which stands")


# --- What was decided is done ---


def settle(assignment: Assignment) -> Assignment:
    """Do on the platform what was decided; done before is no failure.

    Raises NotHandedIn, DecidedOtherwise, another TaskError where the assignment there is not this
    person's, and PlatformError. Must not be called within a transaction.
    """
    return _settle(own_platform(assignment), assignment)


def settle_all(platform: str, *, project: Project | None = None) -> list[str]:
    """Do all that was decided and not done yet in the present market; return what went wrong."""
    there = platform_of(platform)
    market = there.market()
    listings = Listing.objects.filter(platform=platform, mode=market.mode, account=market.account)
    if project is not None:
        listings = listings.filter(hit__project=project)
    problems: list[str] = []
    failures = 0  # temporary ones in a row
    rows: list[Assignment | LedgerEntry] = [*_waiting(listings), *bonuses.unpaid(listings)]
    for row in rows:
        try:
            _settle(there, row) if isinstance(row, Assignment) else bonuses.pay(there, row)
        except (NotHandedIn, UnderWay):
            continue
        except REFUSALS as error:
            problems.append(naming(row.worker_id, error))
            is_temporary = isinstance(error, PlatformError) and not error.permanent
            failures = failures + 1 if is_temporary else 0
            if failures == PATIENCE:
                problems.append("the rest is left for later")
                break
        else:
            failures = 0
    return problems


def naming(worker_id: str, error: Exception) -> str:
    """Return what went wrong, with whose work it is about."""
    return str(error) if worker_id in str(error) else f"{worker_id}: {error}"


def _waiting(listings: QuerySet[Listing]) -> list[Assignment]:
    """Return the assignments whose decision is not done there, as far as we know."""
    rewards = LedgerEntry.objects.filter(assignment=OuterRef("pk")).exclude(kind=EntryKind.BONUS)
    is_paid = Q(status_there=StatusThere.APPROVED) & Exists(
        rewards.filter(state=EntryState.CONFIRMED)
    )
    is_final = Q(status_there__in=[StatusThere.APPROVED, StatusThere.REJECTED])
    stands = Q(status_there=StatusThere.REJECTED) & ~Exists(rewards.filter(reason=OVERRULED))
    decided = Assignment.objects.filter(listing__in=listings).exclude(platform_id="")
    return list(
        decided.filter(
            Q(decision=Decision.APPROVE) & ~is_paid & ~stands
            | Q(decision=Decision.REJECT) & ~is_final
        )
        .select_related("listing__hit__project")
        .order_by("decided_at", "pk")
    )


def _settle(platform: CrowdPlatform, assignment: Assignment) -> Assignment:
    for is_last in (False, True):
        assignment = Assignment.objects.select_related("listing__hit__project").get(
            pk=assignment.pk
        )
        if not assignment.decision:
            raise TaskError(f"nobody has decided about {assignment.worker_id} yet")
        told = look(platform, assignment)
        try:
            if assignment.decision == Decision.APPROVE:
                _settle_approval(platform, assignment, told)
            else:
                _settle_rejection(platform, assignment, told)
        except AlreadyDecided as error:
            # Since we looked, somebody or the clock was quicker: look once more.
            if is_last:
                raise _as_refused(assignment, told, error) from error
        else:
            break
    assignment.refresh_from_db()
    return assignment


def _settle_approval(platform: CrowdPlatform, assignment: Assignment, told: Submission) -> None:
    if told.status == StatusThere.APPROVED:
        _note_paid(assignment)
        return
    is_rejected = told.status == StatusThere.REJECTED
    if is_rejected and not assignment.ledger.filter(reason=OVERRULED).exists():
        ledger.end_reward(assignment, "rejected on the platform")
        sentence = f"{assignment.worker_id} was rejected on the platform; overrule that to pay"
        add_note(assignment, sentence)
        raise DecidedOtherwise(sentence)
    entry = ledger.reward_of(assignment)
    ledger.note_sent(entry)
    try:
        platform.approve(assignment, overrules=is_rejected)
    except (OutcomeUnknown, AlreadyDecided):
        raise
    except PlatformError as error:
        ledger.note_not_done(entry, str(error))
        raise
    ledger.note_confirmed(entry)
    set_status(assignment, StatusThere.APPROVED)


def _settle_rejection(platform: CrowdPlatform, assignment: Assignment, told: Submission) -> None:
    if told.status == StatusThere.APPROVED:
        _note_paid(assignment)
        sentence = (
            f"it was too late to reject {assignment.worker_id}: the platform had approved and paid"
        )
        add_note(assignment, sentence)
        raise DecidedOtherwise(sentence)
    if told.status != StatusThere.REJECTED:
        try:
            platform.reject(assignment)
        except AlreadyDecided:
            raise
        except PlatformError as error:
            if error.permanent:  # such as a reason too short, which can be given anew
                withdraw(assignment, f"not rejected: {error}")
            raise
        set_status(assignment, StatusThere.REJECTED)
    ledger.end_reward(assignment, f"rejected: {assignment.feedback}")


def _as_refused(assignment: Assignment, told: Submission, error: AlreadyDecided) -> TaskError:
    """Return the sentence for a decision that the platform refuses for good, and note it."""
    if told.status == StatusThere.REJECTED:
        assignment.ledger.filter(reason=OVERRULED).update(reason="")
        ledger.end_reward(assignment, f"the platform keeps to the rejection: {error}")
    wanted = "approved" if assignment.decision == Decision.APPROVE else "rejected"
    sentence = f"{assignment.worker_id} cannot be {wanted} any more: {error}"
    add_note(assignment, sentence)
    return DecidedOtherwise(sentence)


def _note_paid(assignment: Assignment) -> None:
    ledger.note_confirmed(ledger.reward_of(assignment, was_paid=True))
