"""The answers that are not 200, as the service words them."""

from __future__ import annotations

import time

CODES = "AWS.MechanicalTurk."


class ServiceError(Exception):
    """Ends a call: an HTTP status and the JSON body that botocore makes an exception of."""

    def __init__(self, body: dict[str, str], *, status: int = 400) -> None:
        super().__init__(body)
        self.body = body
        self.status = status


def request_error(code: str, message: str) -> ServiceError:
    """Return the service's RequestError; its message ends with the time, as the real one's does."""
    stamp = f"({int(time.time() * 1000)})"
    body = {"Message": f"{message} {stamp}", "TurkErrorCode": CODES + code}
    return ServiceError({"__type": "RequestError", **body})


def invalid(message: str) -> ServiceError:
    """Return the error for a value that the service refuses."""
    return request_error("ParameterValidationError", message)


def missing(thing: str, key: str) -> ServiceError:
    """Return the error for an id that names nothing ("HIT", "Assignment", "QualificationType")."""
    shown = {"HIT": "Hit"}.get(thing, thing)
    return request_error(f"{thing}DoesNotExist", f"{shown} {key} does not exist.")


def wrong_assignment_state(allowed: str) -> ServiceError:
    """Seen in public: "null" for an assignment that nobody submitted, else "Submitted"."""
    message = f"This operation can be called with a status of: {allowed}"
    return request_error("InvalidAssignmentState", message)


def wrong_hit_state(state: str, *, allowed: str) -> ServiceError:
    message = (
        f"This HIT is currently in the state '{state}'.  "
        f"This operation can be called with a status of: {allowed}"
    )
    return request_error("InvalidHITState", message)


def insufficient_funds() -> ServiceError:
    message = "This Requester has insufficient funds in their account to complete this transaction."
    return request_error("InsufficientFunds", message)


def already_processed(token: str, *, request_id: str) -> ServiceError:
    """The wording was seen for UpdateExpirationForHIT; the reference promises the request's id."""
    message = (
        f'The idempotency token "{token}" has already been processed. Request ID: {request_id}'
    )
    return request_error("DuplicateRequest", message)


def hit_already_exists(hit_id: str) -> ServiceError:
    """The reference promises the code and "a message containing the HITId", not its words."""
    return request_error("HITAlreadyExists", f"The HIT already exists. HITId = {hit_id}")


def throttled() -> ServiceError:
    return ServiceError({"__type": "ThrottlingException", "message": "Rate exceeded"})


def service_fault() -> ServiceError:
    message = "Amazon Mechanical Turk is temporarily unable to process your request."
    body = {"Message": message, "TurkErrorCode": CODES + "InternalFault"}
    return ServiceError({"__type": "ServiceFault", **body}, status=500)


def refused_credentials(kind: str, message: str) -> ServiceError:
    return ServiceError({"__type": kind, "message": message})
