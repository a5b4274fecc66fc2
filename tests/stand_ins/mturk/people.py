"""Operations on workers (blocks, mails) and on notifications."""

from __future__ import annotations

from tests.stand_ins.mturk.checks import check_limits
from tests.stand_ins.mturk.errors import invalid
from tests.stand_ins.mturk.hits import known_hit_type
from tests.stand_ins.mturk.market import Market, event_of, new_id
from tests.stand_ins.mturk.paging import page
from tests.stand_ins.mturk.records import Shape

VERSIONS = ("2006-05-05", "2014-08-15")  # the service model names one, the reference the other
UNKNOWN_WORKER = "Cannot send a notification to a worker who has not done any work for you"


def create_block(market: Market, parameters: Shape) -> Shape:
    market.blocks[parameters["WorkerId"]] = parameters["Reason"]
    return {}


def delete_block(market: Market, parameters: Shape) -> Shape:
    market.blocks.pop(parameters["WorkerId"], None)
    return {}


def list_blocks(market: Market, parameters: Shape) -> Shape:
    rows = [{"WorkerId": who, "Reason": reason} for who, reason in market.blocks.items()]
    return page("WorkerBlocks", rows, parameters)


def notify(market: Market, parameters: Shape) -> Shape:
    """Mail those whose work was approved or rejected before; report the others one by one."""
    check_limits(parameters)
    workers = parameters["WorkerIds"]
    if not 1 <= len(workers) <= 100:
        raise invalid(f"WorkerIds takes between 1 and 100 Workers, not {len(workers)}.")
    known = [worker for worker in workers if market.worked_for_us(worker)]
    market.mails += [{**parameters, "WorkerId": worker} for worker in known]
    failures = [
        {
            "WorkerId": worker,
            "NotifyWorkersFailureCode": "HardFailure",
            "NotifyWorkersFailureMessage": UNKNOWN_WORKER,
        }
        for worker in workers
        if worker not in known
    ]
    return {"NotifyWorkersFailureStatuses": failures}


def update_settings(market: Market, parameters: Shape) -> Shape:
    known_hit_type(market, parameters["HITTypeId"])
    before = market.notification_settings.get(parameters["HITTypeId"])
    specification = parameters.get("Notification") or (before and before["Notification"])
    if specification is None or not {"Notification", "Active"} & parameters.keys():
        raise invalid("Notification must be specified, or Active where there is one already.")
    check_specification(specification)
    if "Ping" in specification["EventTypes"]:
        raise invalid("Ping is only valid for SendTestEventNotification.")
    is_active = parameters.get("Active", before["Active"] if before else True)
    market.notification_settings[parameters["HITTypeId"]] = {
        "Notification": specification,
        "Active": is_active,
    }
    return {}


def check_specification(specification: Shape) -> None:
    if specification["Version"] not in VERSIONS:
        raise invalid(f"Version must be one of {', '.join(VERSIONS)}.")
    if not specification["EventTypes"]:
        raise invalid("EventTypes must name at least one event.")
    start = {"SQS": ("https://", "http://"), "SNS": ("arn:aws:sns:",), "Email": ("",)}
    if not specification["Destination"].startswith(start[specification["Transport"]]):
        raise invalid(f"Destination is no {specification['Transport']} address.")


def send_test_event(market: Market, parameters: Shape) -> Shape:
    check_specification(parameters["Notification"])
    kind = parameters["TestEventType"]
    event = event_of(
        kind,
        at=market.now,
        hit_type_id=new_id(),
        hit_id=new_id(),
        assignment_id=new_id() if kind.startswith("Assignment") else None,
    )
    market.events.append(event)
    market.send(event, parameters["Notification"])
    return {}


OPERATIONS = {
    "CreateWorkerBlock": create_block,
    "DeleteWorkerBlock": delete_block,
    "ListWorkerBlocks": list_blocks,
    "NotifyWorkers": notify,
    "UpdateNotificationSettings": update_settings,
    "SendTestEventNotification": send_test_event,
}
