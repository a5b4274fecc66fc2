"""AWS JSON 1.1: requests checked against botocore's service model, answers built by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator

from tests.stand_ins.mturk import hits, people, qualifications, reviews
from tests.stand_ins.mturk.errors import (
    ServiceError,
    invalid,
    refused_credentials,
    request_error,
)

TARGET = "MTurkRequesterServiceV20170117."
OPERATIONS = {
    **hits.OPERATIONS,
    **reviews.OPERATIONS,
    **qualifications.OPERATIONS,
    **people.OPERATIONS,
}
CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/")
REGION = "us-east-1"  # the service has no other


@cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("mturk")


def check_signature(header: str | None) -> str:
    """Return the access key of a signed request. The signature itself is not worked out again."""
    found = CREDENTIAL.search(header or "")
    if found is None:
        raise refused_credentials(
            "MissingAuthenticationTokenException", "Missing Authentication Token"
        )
    if found["region"] != REGION:
        raise refused_credentials(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not '{found['region']}'. ",
        )
    if found["service"] != "mturk-requester":
        raise refused_credentials(
            "InvalidSignatureException", "Credential should be scoped to correct service."
        )
    return found["key"]


def operation_of(target: str | None) -> OperationModel:
    """Return the operation that a request's X-Amz-Target names."""
    name = (target or "").removeprefix(TARGET)
    if not (target or "").startswith(TARGET) or name not in service_model().operation_names:
        raise request_error("UnknownOperation", f"There is no operation {target!r}.")
    if name not in OPERATIONS:
        raise request_error("UnknownOperation", f"This stand-in does not know {name}.")
    return service_model().operation_model(name)


def parameters_of(body: bytes, operation: OperationModel) -> dict[str, Any]:
    """Return a request's parameters, or refuse what the service model does not allow."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError({"__type": "SerializationException", "message": str(error)}) from error
    report = ParamValidator().validate(parameters, operation.input_shape)
    if report.has_errors():
        raise invalid(report.generate_report())
    for problem in problems_of(parameters, operation.input_shape, name=""):
        raise invalid(problem)
    return parameters


def problems_of(value: Any, shape: Shape, *, name: str) -> Iterator[str]:
    """Yield what botocore's own validator lets pass: upper bounds, patterns and enumerations."""
    if shape.type_name == "structure":
        for member, inner in value.items():
            yield from problems_of(inner, shape.members[member], name=f"{name}.{member}")
    elif shape.type_name == "list":
        for inner in value:
            yield from problems_of(inner, shape.member, name=name)
    elif shape.type_name == "string":
        yield from text_problems(value, shape, name=name)
    elif shape.type_name in ("integer", "long") and value > shape.metadata.get("max", value):
        yield f"{name} must be at most {shape.metadata['max']}, not {value}"


def text_problems(value: str, shape: Shape, *, name: str) -> Iterator[str]:
    rules = shape.metadata
    if len(value) > rules.get("max", len(value)):
        yield f"{name} must have at most {rules['max']} characters"
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        yield f"{name} must match {rules['pattern']}, not {value!r}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"{name} must be one of {', '.join(rules['enum'])}, not {value!r}"


def answer_of(value: dict[str, Any], operation: OperationModel) -> bytes:
    """Return the body of an answer: epoch seconds for times, nothing for what is None."""
    shape = operation.output_shape
    return json.dumps(serialised(value, shape) if shape else {}).encode()


def serialised(value: Any, shape: Shape) -> Any:
    if shape.type_name == "structure":
        return {
            name: serialised(inner, shape.members[name])
            for name, inner in value.items()
            if inner is not None
        }
    if shape.type_name == "list":
        return [serialised(inner, shape.member) for inner in value]
    return int(value) if shape.type_name == "timestamp" else value
