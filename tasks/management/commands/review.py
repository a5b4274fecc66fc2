"""`manage.py review ASSIGNMENT approve|reject|bonus|compensate`: decide, and pay."""

from __future__ import annotations

import json as json_format
from argparse import ArgumentTypeError
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.crowd import bonuses, compensating, ledger, paying
from tasks.crowd.looking import find_assignment
from tasks.models import Assignment, EntryKind, EntryState, LedgerEntry
from tasks.services import TaskError

ACTIONS = ("approve", "reject", "bonus", "compensate")


class Command(BaseCommand):
    help = (
        "Decide about somebody's work on a platform: approve it and pay, reject it for a reason, "
        "pay a bonus, or compensate who could not hand in. Done before is no failure; the same "
        "bonus for the same reason is paid once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("assignment", help="our number, or the platform's")
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("--reason", default="", help="of a rejection or bonus: they read it")
        parser.add_argument("--feedback", default="", help="with an approval: they read it")
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument("--cents", type=_cents, metavar="N")
        amount.add_argument("--amount", dest="cents", type=_amount, metavar="1.50")
        parser.add_argument("--overrule", action="store_true", help="approve what was rejected")
        parser.add_argument("--again", action="store_true", help="pay the same bonus once more")
        parser.add_argument(
            "--outcome",
            choices=["paid", "unpaid"],
            help="what you found there of a bonus that was sent and of which nobody knows",
        )
        parser.add_argument("--json", action="store_true")

    def handle(
        self,
        *,
        assignment: str,
        action: str,
        reason: str,
        feedback: str,
        cents: int | None,
        overrule: bool,
        again: bool,
        outcome: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        try:
            found = find_assignment(assignment)
            if outcome is None:
                _check_options(action, reason=reason, cents=cents, overrule=overrule)
        except TaskError as error:
            raise CommandError(f"Not done: {error}.") from error
        problem = ""
        try:
            if outcome is not None:
                bonuses.note_outcome(_unknown(found, action, cents), was_paid=outcome == "paid")
            elif action == "approve":
                decide = paying.overrule if overrule else paying.approve
                decide(found, feedback=feedback)
            elif action == "reject":
                paying.reject(found, reason=reason)
            elif action == "bonus":
                key = uuid4() if again else None
                paying.bonus(found, cents=cents or 0, reason=reason, key=key)
            else:
                found = compensating.compensate(
                    found.hit.project, found.worker_id, cents=cents or 0, reason=reason
                ).assignments.get()
        except paying.REFUSALS as error:
            problem = str(error)
        told = _as_dict(found, action, problem)
        if json:
            self.stdout.write(json_format.dumps(told, ensure_ascii=False, indent=2))
        elif not problem:
            self.stdout.write(_as_text(told))
        if problem:
            stands = f" ({told['decision']} is noted, and done later)" if _is_kept(told) else ""
            raise CommandError(f"Not done: {problem}{stands}.")


def _unknown(assignment: Assignment, action: str, cents: int | None) -> LedgerEntry:
    """Return the bonus of which nobody knows whether it was paid. Raises TaskError."""
    if action != "bonus":
        raise TaskError("--outcome goes with bonus")
    sent = assignment.ledger.filter(kind=EntryKind.BONUS, state=EntryState.SENT)
    found = list(sent.filter(cents=cents) if cents else sent)
    if len(found) != 1:
        raise TaskError(
            f"{len(found)} bonuses to {assignment.worker_id} were sent and are not known to be "
            "paid; name one by its --cents or --amount"
        )
    return found[0]


def _check_options(action: str, *, reason: str, cents: int | None, overrule: bool) -> None:
    if action != "approve" and not reason.strip():
        raise TaskError(f"{action} needs a --reason, which the person reads")
    if action in {"bonus", "compensate"} and cents is None:
        raise TaskError(f"{action} needs --cents or --amount")
    if overrule and action != "approve":
        raise TaskError("--overrule goes with approve")


def _as_dict(assignment: Assignment, action: str, problem: str) -> dict[str, Any]:
    assignment = Assignment.objects.select_related("hit__project", "listing").get(pk=assignment.pk)
    listing = assignment.listing
    return {
        "assignment": assignment.pk,
        "project": assignment.hit.project.slug,
        "platform": assignment.hit.platform,
        "mode": listing.mode if listing else "",
        "listing": listing.platform_id if listing else "",
        "platform_id": assignment.platform_id,
        "worker_id": assignment.worker_id,
        "action": action,
        "done": not problem,
        "problem": problem,
        "decision": assignment.decision,
        "decided_at": assignment.decided_at.isoformat() if assignment.decided_at else None,
        "feedback": assignment.feedback,
        "status_there": assignment.status_there,
        "note": assignment.note,
        "ledger": [_row(entry) for entry in assignment.ledger.order_by("pk")],
    }


def _row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "key": str(entry.key),
        "kind": entry.kind,
        "state": entry.state,
        "cents": entry.cents,
        "fee_cents": entry.fee_cents,
        "reason": entry.reason,
        "note": entry.note,
    }


def _is_kept(told: dict[str, Any]) -> bool:
    """True where what was asked was decided, and is done once it can be."""
    return bool(told["decision"] == told["action"] and told["status_there"] in {"", "submitted"})


def _as_text(told: dict[str, Any]) -> str:
    rows = [
        f"  {row['kind']}: {ledger.dollars(row['cents'])} and a fee of "
        f"{ledger.dollars(row['fee_cents'])}, {row['state']}"
        for row in told["ledger"]
    ]
    said = told["status_there"] or "waiting to be taken up"
    head = f"{told['worker_id']} ({told['mode']}): {said} on the platform"
    return "\n".join([head, *rows])


def _amount(text: str) -> int:
    try:
        return ledger.cents_of(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _cents(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 99_999_99):
        raise ArgumentTypeError(f"{text!r} is not a number of cents")
    return int(text)
