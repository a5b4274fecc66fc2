"""Operations on qualification types and who has them."""

from __future__ import annotations

from tests.stand_ins.mturk.errors import ServiceError, invalid, missing, request_error
from tests.stand_ins.mturk.market import Market, new_id
from tests.stand_ins.mturk.paging import page
from tests.stand_ins.mturk.records import Qualification, Shape


def own_type(market: Market, type_id: str) -> Shape:
    """Return a type that the requester made; system types belong to nobody here."""
    if type_id not in market.qualification_types:
        raise missing("QualificationType", type_id)
    return market.qualification_types[type_id]


def create_type(market: Market, parameters: Shape) -> Shape:
    for other in market.qualification_types.values():
        if other["Name"] == parameters["Name"]:
            raise request_error(
                "QualificationTypeAlreadyExists",
                "You have already created a QualificationType with this name. "
                f"QualificationTypeId = {other['QualificationTypeId']}",
            )
    if parameters.get("Test") and parameters.get("AutoGranted"):
        raise invalid("AutoGranted cannot be true where a Test is specified.")
    made = {
        **parameters,
        "QualificationTypeId": new_id(),
        "CreationTime": market.now,
        "IsRequestable": True,
        "AutoGranted": parameters.get("AutoGranted", False),
    }
    market.qualification_types[made["QualificationTypeId"]] = made
    return {"QualificationType": made}


def get_type(market: Market, parameters: Shape) -> Shape:
    return {"QualificationType": own_type(market, parameters["QualificationTypeId"])}


def update_type(market: Market, parameters: Shape) -> Shape:
    made = own_type(market, parameters["QualificationTypeId"])
    made.update(parameters)
    return {"QualificationType": made}


def delete_type(market: Market, parameters: Shape) -> Shape:
    own_type(market, parameters["QualificationTypeId"])
    del market.qualification_types[parameters["QualificationTypeId"]]
    return {}


def list_types(market: Market, parameters: Shape) -> Shape:
    query = parameters.get("Query", "").casefold()
    rows = [
        made
        for made in market.qualification_types.values()
        if query in f"{made['Name']} {made['Description']} {made.get('Keywords', '')}".casefold()
    ]
    return page("QualificationTypes", rows, parameters)


def associate(market: Market, parameters: Shape) -> Shape:
    made = own_type(market, parameters["QualificationTypeId"])
    if made["QualificationTypeStatus"] != "Active":
        raise request_error("InvalidQualificationTypeState", "This QualificationType is Inactive.")
    key = (parameters["QualificationTypeId"], parameters["WorkerId"])
    market.qualifications[key] = Qualification(*key, parameters.get("IntegerValue", 1), market.now)
    return {}


def disassociate(market: Market, parameters: Shape) -> Shape:
    granted(market, parameters).status = "Revoked"
    return {}


def granted(market: Market, parameters: Shape) -> Qualification:
    own_type(market, parameters["QualificationTypeId"])
    held = market.qualifications.get((parameters["QualificationTypeId"], parameters["WorkerId"]))
    if held is None:
        raise not_granted()
    if held.status != "Granted":
        raise request_error(
            "InvalidQualificationState", "This operation can be called with a status of: Granted"
        )
    return held


def not_granted() -> ServiceError:
    return request_error(
        "QualificationDoesNotExist",
        "You requested a Qualification that does not exist: it was not granted to this Worker.",
    )


def get_score(market: Market, parameters: Shape) -> Shape:
    return {"Qualification": granted(market, parameters).as_shape()}


def list_workers(market: Market, parameters: Shape) -> Shape:
    own_type(market, parameters["QualificationTypeId"])
    status = parameters.get("Status")
    rows = [
        held.as_shape()
        for held in market.qualifications.values()
        if held.type_id == parameters["QualificationTypeId"] and status in (None, held.status)
    ]
    return page("Qualifications", rows, parameters)


OPERATIONS = {
    "CreateQualificationType": create_type,
    "GetQualificationType": get_type,
    "UpdateQualificationType": update_type,
    "DeleteQualificationType": delete_type,
    "ListQualificationTypes": list_types,
    "AssociateQualificationWithWorker": associate,
    "DisassociateQualificationFromWorker": disassociate,
    "GetQualificationScore": get_score,
    "ListWorkersWithQualificationType": list_workers,
}
