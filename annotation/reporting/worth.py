"""What accuracy cost: people's hours and their pay, and what each of them bought."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from annotation.models import Session, SessionState
from models_ml.models import Arm
from models_ml.reports import ArmResult
from tasks.models import Project

LEAST_HOURS = 1 / 60  # of less than a minute of work, "points an hour" would say nothing


@dataclass(frozen=True)
class Gain:
    """Percentage points above a line, and what an hour and a unit of currency bought of them."""

    points: float | None
    points_per_hour: float | None
    points_per_unit: float | None


@dataclass(frozen=True)
class Worth:
    """The time and money behind an accuracy, and what they bought.

    arm: whose accuracy it is. hours: at work. cost: None where the project names no pay.
    above_base: in all. above_aligned: above what the vectors gain with nobody's help, None where
    that was not measured.
    """

    arm: str
    hours: float
    cost: float | None
    currency: str
    above_base: Gain
    above_aligned: Gain | None


def worth(arms: Iterable[ArmResult], *, hours: float, project: Project) -> Worth:
    """Return what people's hours on a project bought, by the arm that learned from all they said.

    Their own pay is in the cost, and nothing else: no platform's fee, no machine.
    """
    arms = tuple(arms)
    best = best_informed(arms)
    aligned = next((arm for arm in arms if arm.arm == Arm.ALIGNED), None)
    cost = _cost(hours, project.hourly_pay)
    return Worth(
        arm=best.label if best else "",
        hours=hours,
        cost=cost,
        currency=project.currency,
        above_base=_gain(best.gain_points if best else None, hours, cost),
        above_aligned=_gain(_above(best, aligned), hours, cost) if aligned else None,
    )


def best_informed(arms: Iterable[ArmResult]) -> ArmResult | None:
    """Return the arm that learned from all that was answered; None where nothing was."""
    by_name = {line.arm: line for line in arms}
    order = (Arm.ACTIVE_CLIME, Arm.CLIME, Arm.ACTIVE)
    return next((by_name[name] for name in order if name in by_name), None)


def _cost(hours: float, hourly_pay: Decimal | None) -> float | None:
    return None if hourly_pay is None else hours * float(hourly_pay)


def _above(arm: ArmResult | None, line: ArmResult) -> float | None:
    if arm is None or arm.mean is None or line.mean is None:
        return None
    return 100 * (arm.mean - line.mean)


def _gain(points: float | None, hours: float, cost: float | None) -> Gain:
    is_known = points is not None and hours >= LEAST_HOURS
    return Gain(
        points=points,
        points_per_hour=points / hours if is_known and points is not None else None,
        points_per_unit=points / cost if is_known and points is not None and cost else None,
    )


def hours_up_to(sessions: Iterable[Session]) -> dict[int, float]:
    """Return each session's hours together with those of the same person's earlier sessions.

    A session's vectors are made of all that its annotator said by then, so all of that time
    bought them. One query.
    """
    sessions = list(sessions)
    rows = Session.objects.filter(
        project__in={session.project_id for session in sessions},
        annotator__in={session.annotator_id for session in sessions},
    )
    theirs = list(
        rows.order_by().values_list("project", "annotator", "number", "state", "active_seconds")
    )
    return {
        session.pk: sum(
            seconds
            for project, annotator, number, state, seconds in theirs
            if (project, annotator) == (session.project_id, session.annotator_id)
            and (
                number == session.number
                or (number < session.number and state == SessionState.SUBMITTED)
            )
        )
        / 3600
        for session in sessions
    }
