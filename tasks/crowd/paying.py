"""Review and pay: what a person decided is done on the platform, and every cent noted.

A decision is stored first and carried out after; what could not be carried out stays decided, and
`settle_all` carries it out later. What the platform says of an assignment is asked before each.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from tasks.crowd import ledger
from tasks.models import (
    Assignment,
    Decision,
    EntryKind,
    EntryState,
    LedgerEntry,
    Listing,
    Platform,
    Project,
    StatusThere,
)
from tasks.platforms import CrowdPlatform, OutcomeUnknown, PlatformError, platform_of
from tasks.platforms.base import AlreadyDecided, Submission
from tasks.services import TaskError

REFUSALS = (TaskError, PlatformError)
# ApproveAssignment's reference: only what was submitted within the previous 30 days.
OVERRULED_WITHIN = timedelta(days=30)
# What a reward says that is owed after a rejection; without it, a rejection there stands.
OVERRULED = "the rejection was taken back"
# Where asking for the same bonus again pays it once: the platform knows tokens.
_BONUS_REPEATS = {Platform.MTURK}
PATIENCE = 3  # temporary errors in a row; then the rest is left for later

By = AbstractBaseUser | None  # a manager; None: from the command line


class NotHandedIn(TaskError):
    """There is nothing to decide yet: the platform has not got the work."""


class DecidedOtherwise(TaskError):
    """The platform has it the other way, and only a person can say what follows."""


# --- Decisions ---


def approve(assignment: Assignment, *, by: By = None, feedback: str = "") -> Assignment:
    """Decide that somebody is paid, and pay. Approved before is no failure.

    Raises TaskError and PlatformError; the decision then stands, unless the sentence says that
    nothing was decided.
    """
    platform = _own_platform(assignment)
    _decide(platform, assignment, Decision.APPROVE, by=by, feedback=feedback)
    return _settle(platform, assignment)


def reject(assignment: Assignment, *, by: By = None, reason: str) -> Assignment:
    """Decide that somebody is not paid, for a reason that they are told, and tell them.

    Raises TaskError and PlatformError, as `approve` does.
    """
    if not reason.strip():
        raise TaskError(f"{assignment.worker_id} is to be told why: a rejection needs a reason")
    platform = _own_platform(assignment)
    _decide(platform, assignment, Decision.REJECT, by=by, feedback=reason.strip())
    return _settle(platform, assignment)


def overrule(assignment: Assignment, *, by: By = None, feedback: str = "") -> Assignment:
    """Take a rejection back, and pay. Raises TaskError, also where it is too late for that."""
    platform = _own_platform(assignment)
    _look(platform, assignment)
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
        _look(platform, assignment)  # raises where there is nothing to decide yet
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
    return _settle(_own_platform(assignment), assignment)


def settle_all(platform: str, *, project: Project | None = None) -> list[str]:
    """Do all that was decided and not done yet in the present market; return what went wrong."""
    there = platform_of(platform)
    market = there.market()
    listings = Listing.objects.filter(platform=platform, mode=market.mode, account=market.account)
    if project is not None:
        listings = listings.filter(hit__project=project)
    problems: list[str] = []
    failures = 0  # temporary ones in a row
    rows: list[Assignment | LedgerEntry] = [*_waiting(listings), *_unpaid_bonuses(listings)]
    for row in rows:
        try:
            _settle(there, row) if isinstance(row, Assignment) else _pay(there, row)
        except NotHandedIn:
            continue
        except REFUSALS as error:
            problems.append(f"{row.worker_id}: {error}")
            is_temporary = isinstance(error, PlatformError) and not error.permanent
            failures = failures + 1 if is_temporary else 0
            if failures == PATIENCE:
                problems.append("the rest is left for later")
                break
        else:
            failures = 0
    return problems


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
        told = _look(platform, assignment)
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
        _add_note(assignment, sentence)
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
    _set_status(assignment, StatusThere.APPROVED)


def _settle_rejection(platform: CrowdPlatform, assignment: Assignment, told: Submission) -> None:
    if told.status == StatusThere.APPROVED:
        _note_paid(assignment)
        sentence = (
            f"it was too late to reject {assignment.worker_id}: the platform had approved and paid"
        )
        _add_note(assignment, sentence)
        raise DecidedOtherwise(sentence)
    if told.status != StatusThere.REJECTED:
        try:
            platform.reject(assignment)
        except AlreadyDecided:
            raise
        except PlatformError as error:
            if error.permanent:  # such as a reason too short, which can be given anew
                _withdraw(assignment, f"not rejected: {error}")
            raise
        _set_status(assignment, StatusThere.REJECTED)
    ledger.end_reward(assignment, f"rejected: {assignment.feedback}")


def _as_refused(assignment: Assignment, told: Submission, error: AlreadyDecided) -> TaskError:
    """Return the sentence for a decision that the platform refuses for good, and note it."""
    if told.status == StatusThere.REJECTED:
        assignment.ledger.filter(reason=OVERRULED).update(reason="")
        ledger.end_reward(assignment, f"the platform keeps to the rejection: {error}")
    wanted = "approve" if assignment.decision == Decision.APPROVE else "reject"
    sentence = f"it is too late to {wanted} {assignment.worker_id}: {error}"
    _add_note(assignment, sentence)
    return DecidedOtherwise(sentence)


def _look(platform: CrowdPlatform, assignment: Assignment) -> Submission:
    """Return what the platform says of work that was handed in, once it is surely this person's.

    Raises NotHandedIn, and TaskError where somebody else has the assignment.
    """
    if not assignment.platform_id:
        raise NotHandedIn(f"{assignment.worker_id} has not come by the platform yet")
    told = platform.submission(assignment)
    if told.worker_id and told.worker_id != assignment.worker_id:
        sentence = (
            f"on the platform, {assignment.platform_id} is {told.worker_id}'s and not "
            f"{assignment.worker_id}'s: nothing was decided or paid"
        )
        _withdraw(assignment, sentence)
        raise TaskError(sentence)
    if told.status is None:
        raise NotHandedIn(f"{assignment.worker_id} has not handed in on the platform yet")
    if told.status == StatusThere.RETURNED:
        sentence = f"{assignment.worker_id} gave it back there: there is nothing to decide or pay"
        _withdraw(assignment, sentence)
        raise TaskError(sentence)
    _set_status(assignment, told.status)
    Assignment.objects.filter(pk=assignment.pk).update(
        submitted_there_at=told.submitted_at or assignment.submitted_there_at,
        approves_itself_at=told.approves_itself_at or assignment.approves_itself_at,
    )
    return told


def _set_status(assignment: Assignment, status: StatusThere) -> None:
    """Note what the platform says; an older answer never puts back what was decided since."""
    rows = Assignment.objects.filter(pk=assignment.pk)
    if status == StatusThere.SUBMITTED:
        rows = rows.exclude(status_there__in=[StatusThere.APPROVED, StatusThere.REJECTED])
    rows.update(status_there=status)


def _note_paid(assignment: Assignment) -> None:
    ledger.note_confirmed(ledger.reward_of(assignment, was_paid=True))


def _withdraw(assignment: Assignment, why: str) -> None:
    """Note that what was decided cannot be done, so that it can be decided anew."""
    Assignment.objects.filter(pk=assignment.pk).update(
        decision="", decided_at=None, decided_by=None
    )
    _add_note(assignment, why)


def _add_note(assignment: Assignment, sentence: str) -> None:
    note = Assignment.objects.values_list("note", flat=True).get(pk=assignment.pk)
    if sentence not in note.splitlines():
        Assignment.objects.filter(pk=assignment.pk).update(note=f"{note}\n{sentence}".strip())


# --- Bonuses ---


def bonus(
    assignment: Assignment, *, cents: int, reason: str, by: By = None, key: UUID | None = None
) -> LedgerEntry:
    """Pay somebody who handed in more than the reward; return the ledger's row of it.

    key: which bonus it is, so that a form sent twice pays once; without it, one of the same amount
    for the same reason is the same. Raises TaskError and PlatformError.
    """
    reason = reason.strip()
    if cents < 1:
        raise TaskError(f"a bonus is of at least one cent, and this is {cents}")
    if not reason:
        raise TaskError(f"{assignment.worker_id} is to be told why: a bonus needs a reason")
    platform = _own_platform(assignment)
    _look(platform, assignment)
    fee = platform.fee_cents(cents, places=1)
    entry = ledger.promise_bonus(
        assignment, cents=cents, fee_cents=fee, reason=reason, by=by, key=key
    )
    if entry.state == EntryState.FAILED:
        raise TaskError(f"this bonus to {entry.worker_id} was not paid: {entry.note}")
    return _pay(platform, entry)


def resend(entry: LedgerEntry) -> LedgerEntry:
    """Ask again for a bonus of which it is not known whether it was paid.

    Raises OutcomeUnknown where that could pay it twice: then a person looks there.
    """
    if entry.kind != EntryKind.BONUS or entry.assignment is None:
        raise TaskError(f"{entry} is no bonus")
    return _pay(_own_platform(entry.assignment), entry)


def _unpaid_bonuses(listings: QuerySet[Listing]) -> list[LedgerEntry]:
    """Return the bonuses that were promised and can be asked for, for the first time or again."""
    may_repeat = Q(state=EntryState.SENT, platform__in=_BONUS_REPEATS)
    promised = LedgerEntry.objects.filter(kind=EntryKind.BONUS, listing__in=listings)
    return list(
        promised.filter(Q(state=EntryState.PLANNED) | may_repeat).select_related("assignment")
    )


def _pay(platform: CrowdPlatform, entry: LedgerEntry) -> LedgerEntry:
    is_ours_to_send = ledger.note_sent(entry)  # whoever moves the row is the one who sends
    if entry.state in {EntryState.CONFIRMED, EntryState.FAILED}:
        return entry
    if not is_ours_to_send and entry.platform not in _BONUS_REPEATS:
        raise OutcomeUnknown(
            f"a bonus to {entry.worker_id} was sent at {_minute(entry.sent_at)} and what became of "
            "it is not known; look on the platform, then decide"
        )
    try:
        platform.pay_bonus(entry)
    except OutcomeUnknown:
        raise
    except PlatformError as error:
        note = ledger.note_failed if error.permanent else ledger.note_not_done
        note(entry, str(error))
        raise
    ledger.note_confirmed(entry)
    return entry


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "a time not known"


def _own_platform(assignment: Assignment) -> CrowdPlatform:
    """Return the platform that an assignment came from, as the settings have it.

    Raises TaskError for a direct link, and for an assignment of another market.
    """
    listing = assignment.listing
    if listing is None:
        raise TaskError(f"{assignment.worker_id} came by a direct link, and is paid by hand")
    platform = platform_of(listing.platform)
    market = platform.market()
    if (listing.mode, listing.account) != (market.mode, market.account):
        raise TaskError(
            f"{assignment.worker_id} worked in the {listing.mode} market"
            f"{_of(listing.account)}, and the settings are of {market.mode}{_of(market.account)}"
        )
    return platform


def _of(account: str) -> str:
    return f" of the account {account}" if account else ""
