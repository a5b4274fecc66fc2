"""Operations on assignments, bonuses and the balance."""

from __future__ import annotations

from tests.stand_ins.mturk.errors import already_processed, invalid, wrong_assignment_state
from tests.stand_ins.mturk.market import DAY_S, Market
from tests.stand_ins.mturk.money import Entry, bonus_fee, to_cents, to_dollars
from tests.stand_ins.mturk.paging import page
from tests.stand_ins.mturk.records import HANDED_IN, Assignment, BonusPayment, Shape

OVERRIDE_S = 30 * DAY_S


def is_handed_in(market: Market, held: Assignment) -> bool:
    """Return whether the API shows an assignment as submitted yet."""
    return held.submitted_at is not None and market.now >= held.submitted_at + market.lag_s


def handed_in(market: Market, assignment_id: str, *, else_allowed: str) -> Assignment:
    """Return an assignment that was submitted; one that is being worked on is in no state yet."""
    held = market.assignment(assignment_id)
    if not is_handed_in(market, held):
        raise wrong_assignment_state(else_allowed)
    return held


def get_assignment(market: Market, parameters: Shape) -> Shape:
    held = handed_in(
        market, parameters["AssignmentId"], else_allowed="Reviewable,Approved,Rejected"
    )
    return {"Assignment": held.as_shape(), "HIT": held.hit.as_shape(market.now)}


def list_assignments(market: Market, parameters: Shape) -> Shape:
    hit = market.hit(parameters["HITId"])
    wanted = parameters.get("AssignmentStatuses") or HANDED_IN
    shown = [held for held in hit.assignments if is_handed_in(market, held)]
    rows = [held for held in shown if held.status in wanted]
    rows.sort(key=lambda held: held.submitted_at)
    return page("Assignments", [held.as_shape() for held in rows], parameters)


def approve(market: Market, parameters: Shape) -> Shape:
    held = handed_in(market, parameters["AssignmentId"], else_allowed="null")
    if held.status == "Rejected":
        check_override(market, held, is_asked=parameters.get("OverrideRejection", False))
    elif held.status != "Submitted":
        raise wrong_assignment_state("Submitted")
    is_held_back = held.status == "Submitted" and market.holds_rewards
    market.require_funds(0 if is_held_back else held.hit.cost_each_cents)
    held.rejected_at = None
    held.feedback = parameters.get("RequesterFeedback", held.feedback)
    market.pay(held, market.now)
    return {}


def check_override(market: Market, held: Assignment, *, is_asked: bool) -> None:
    """Refuse to approve rejected work unasked, after 30 days, or once its HIT is deleted."""
    is_late = market.now - (held.submitted_at or 0) > OVERRIDE_S
    if not is_asked or is_late or held.hit.is_disposed:
        raise wrong_assignment_state("Submitted")


def reject(market: Market, parameters: Shape) -> Shape:
    held = handed_in(market, parameters["AssignmentId"], else_allowed="null")
    if held.status != "Submitted":
        raise wrong_assignment_state("Submitted")
    if not parameters["RequesterFeedback"].strip():
        raise invalid("RequesterFeedback must not be empty.")
    held.status, held.rejected_at = "Rejected", market.now
    held.feedback = parameters["RequesterFeedback"]
    market.announce("AssignmentRejected", held.hit, held)
    return {}


def send_bonus(market: Market, parameters: Shape) -> Shape:
    token = parameters.get("UniqueRequestToken")
    request_id = market.used_token("SendBonus", token)
    if request_id:
        raise already_processed(token, request_id=request_id)
    held = handed_in(
        market, parameters["AssignmentId"], else_allowed="Reviewable,Approved,Rejected"
    )
    if held.worker_id != parameters["WorkerId"]:
        raise invalid(f"Worker {parameters['WorkerId']} did not complete this assignment.")
    cents = to_cents(parameters["BonusAmount"])
    if cents < 1 or not parameters["Reason"].strip():
        raise invalid("A bonus needs an amount of at least 0.01 and a reason.")
    fee = bonus_fee(cents)
    market.require_funds(cents + fee)
    about = (held.assignment_id, held.worker_id)
    market.ledger.add(Entry(market.now, "bonus", -cents, *about))
    market.ledger.add(Entry(market.now, "bonus_fee", -fee, *about))
    market.bonuses.append(BonusPayment(held, cents, parameters["Reason"], market.now))
    market.remember_token("SendBonus", token)
    return {}


def list_bonuses(market: Market, parameters: Shape) -> Shape:
    if ("HITId" in parameters) == ("AssignmentId" in parameters):
        raise invalid("Either the HITId or the AssignmentId must be specified, and not both.")
    if "HITId" in parameters:
        market.hit(parameters["HITId"])
    else:
        market.assignment(parameters["AssignmentId"])
    rows = [
        bonus.as_shape()
        for bonus in market.bonuses
        if parameters.get("HITId") == bonus.assignment.hit.hit_id
        or parameters.get("AssignmentId") == bonus.assignment.assignment_id
    ]
    return page("BonusPayments", rows, parameters)


def get_balance(market: Market, _parameters: Shape) -> Shape:
    return {"AvailableBalance": to_dollars(market.available_cents)}


OPERATIONS = {
    "GetAssignment": get_assignment,
    "ListAssignmentsForHIT": list_assignments,
    "ApproveAssignment": approve,
    "RejectAssignment": reject,
    "SendBonus": send_bonus,
    "ListBonusPayments": list_bonuses,
    "GetAccountBalance": get_balance,
}
