"""Submissions and bonuses: what participants do, what researchers decide, what is paid."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.stand_ins.prolific import studies
from tests.stand_ins.prolific.world import (
    BonusBatch,
    Refused,
    Submission,
    World,
    found,
    invalid,
    minutes,
    moment,
)

CATEGORIES = {
    "TOO_QUICKLY",
    "TOO_SLOWLY",
    "FAILED_INSTRUCTIONS",
    "INCOMP_LONGITUDINAL",
    "FAILED_CHECK",
    "LOW_EFFORT",
    "MALINGERING",
    "NO_CODE",
    "BAD_CODE",
    "NO_DATA",
    "UNSUPP_DEVICE",
    "OTHER",
}
DECIDED = {"APPROVE": "APPROVED", "REJECT": "REJECTED"}
RESERVATION = minutes(10)
AUTOMATIC_APPROVAL = timedelta(days=21)  # of the help pages, not of the reference (guess)
BONUS_DELAY = minutes(2)  # "in the following minutes"


def hand_in(world: World, submission: Submission, code: dict | None, text: str | None) -> None:
    """End somebody's work with a code; a wrong one is for a person to look at."""
    submission.completed_at, submission.code = world.now, text
    submission.status = "AWAITING REVIEW"
    for step in (code or {}).get("actions", ()):
        group = world.groups.get(step.get("participant_group", ""))
        if step["action"] == "AUTOMATICALLY_APPROVE":
            approve(world, submission)
        elif step["action"] == "REQUEST_RETURN":
            submission.return_requested = world.now
        elif step["action"] == "ADD_TO_PARTICIPANT_GROUP" and group:
            group.members.setdefault(submission.participant_id, world.now)
        elif step["action"] == "REMOVE_FROM_PARTICIPANT_GROUP" and group:
            group.members.pop(submission.participant_id, None)


def approve(world: World, submission: Submission) -> None:
    submission.status = "APPROVED"
    world.pay("reward", submission, world.study(submission.study_id).reward)


def transition(world: World, submission: Submission, told: dict) -> None:
    """Decide about a submission; the same decision again is ignored, another is refused."""
    action = told.get("action")
    if action in DECIDED and submission.status == DECIDED[action]:
        return
    if action == "APPROVE":
        _expect(submission, "AWAITING REVIEW", action)
        approve(world, submission)
    elif action == "REJECT":
        _reject(submission, told)
    elif action == "COMPLETE":
        _complete(world, submission, told.get("completion_code"))
    else:
        raise invalid(action=f"{action!r} is not supported here.")


def _reject(submission: Submission, told: dict) -> None:
    category, message = told.get("rejection_category"), told.get("message") or ""
    if category not in CATEGORIES:
        raise invalid(rejection_category="Not a valid choice.")
    if len(message) < 100:
        raise invalid(message="Ensure this field has at least 100 characters.")
    _expect(submission, "AWAITING REVIEW", "REJECT")
    submission.status, submission.rejection = "REJECTED", (category, message)


def _complete(world: World, submission: Submission, text: str | None) -> None:
    if submission.completed_at and submission.code == text:
        return
    _expect(submission, "ACTIVE", "COMPLETE")
    code = world.study(submission.study_id).code(text, "researcher")
    if code is None:
        raise invalid(completion_code="Not a code of the researcher's.")
    hand_in(world, submission, code, text)


def _expect(submission: Submission, status: str, action: str) -> None:
    if submission.status != status:
        raise Refused(400, "Bad request", f"A submission {submission.status} cannot {action}.")


def request_return(world: World, submission: Submission, told: dict) -> dict:
    reasons = told.get("request_return_reasons")
    if not reasons or not all(isinstance(reason, str) for reason in reasons):
        raise invalid(request_return_reasons="This field is required.")
    submission.return_requested = world.now
    world.messages.append((submission.participant_id, "; ".join(reasons), submission.study_id))
    return {
        "id": submission.id,
        "status": submission.status,
        "participant": submission.participant_id,
        "return_requested": moment(submission.return_requested),
    }


def set_up_bonuses(world: World, told: dict) -> dict:
    study = world.studies.get(told.get("study_id", ""))
    if study is None:
        raise invalid(study_id="No such study.")
    lines = [line for line in (told.get("csv_bonuses") or "").split("\n") if line.strip()]
    if not lines:
        raise invalid(csv_bonuses="This field is required.")
    batch = BonusBatch(world.new_id(), study.id, [_bonus(world, study, li) for li in lines])
    world.batches[batch.id] = batch
    cents = sum(amount for _, amount in batch.amounts)
    fees = sum(world.fee(amount) for _, amount in batch.amounts)
    told = {"id": batch.id, "study": study.id, "amount": cents, "fees": fees, "vat": 0}
    return {**told, "total_amount": cents + fees}


def _bonus(world: World, study: studies.Study, line: str) -> tuple[str, int]:
    """Return a line's submission and cents. The line names it or its participant."""
    match = re.fullmatch(r"([0-9A-Za-z]+),([0-9]+)(?:\.([0-9]{1,2}))?", line.strip())
    if match is None:
        raise invalid(csv_bonuses=f"{line!r} is not <id>,<amount>.")
    who, whole, part = match.groups()
    theirs = [s for s in world.submissions_of(study) if who in (s.id, s.participant_id)]
    cents = 100 * int(whole) + int((part or "0").ljust(2, "0"))
    if not theirs or not cents:
        raise invalid(csv_bonuses=f"{who} did not take part in this study, or would get nothing.")
    return theirs[-1].id, cents


def pay_bonuses(world: World, batch_id: str) -> None:
    """Take a pay call: each pays the whole batch again, for the call is not idempotent."""
    batch = found(world.batches, batch_id)
    total = sum(cents + world.fee(cents) for _, cents in batch.amounts)
    if total > world.available_cents():
        raise Refused(400, "Insufficient funds", "Your balance is too low: please top up.")  # guess
    batch.due.append(world.now + BONUS_DELAY)


def pay_what_is_due(world: World) -> None:
    for batch in world.batches.values():
        for due in [due for due in batch.due if due <= world.now]:
            batch.due.remove(due)
            for submission_id, cents in batch.amounts:
                submission = world.submissions[submission_id]
                submission.bonuses.append(cents)
                world.pay("bonus", submission, cents)


def let_time_pass(world: World, submission: Submission) -> None:
    """Do what the clock does to a submission."""
    study = world.study(submission.study_id)
    age = world.now - submission.started_at
    if submission.status == "RESERVED" and age >= RESERVATION:
        submission.status = "TIMED-OUT"  # guess: the reference ends a reservation, and says not how
    elif submission.status == "ACTIVE" and age >= studies.longest(study):
        submission.status = "TIMED-OUT"
    elif submission.status == "AWAITING REVIEW" and submission.return_requested is None:
        waited = world.now - submission.completed_at
        if waited >= AUTOMATIC_APPROVAL:
            approve(world, submission)


def as_json(submission: Submission) -> dict:
    return {
        "id": submission.id,
        "study_id": submission.study_id,
        "participant": submission.participant_id,
        "status": submission.status,
        "started_at": moment(submission.started_at),
        "completed_at": moment(submission.completed_at),
        "entered_code": submission.code,
        "return_requested": moment(submission.return_requested),
        "bonus_payments": submission.bonuses,
    }


def in_short(submission: Submission) -> dict:
    """Return a submission as lists show it, which is not how a single one is shown."""
    return {
        "id": submission.id,
        "participant_id": submission.participant_id,
        "status": submission.status,
        "started_at": moment(submission.started_at),
        "completed_at": moment(submission.completed_at),
        "has_siblings": False,
        "study_code": submission.code,
        "return_requested": moment(submission.return_requested),
    }
