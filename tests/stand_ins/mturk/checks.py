"""The limits that the API reference sets beyond botocore's service model."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection
from urllib.parse import urlsplit

from tests.stand_ins.mturk.errors import ServiceError, invalid, missing, request_error
from tests.stand_ins.mturk.records import LOCALE, Shape

YEAR_S = 31_536_000
MONTH_S = 2_592_000
QUESTION_BYTES = 65_535
EXTERNAL = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
    "2006-07-14/ExternalQuestion.xsd"
)
RANGES = {
    "LifetimeInSeconds": (30, YEAR_S),
    "AssignmentDurationInSeconds": (30, YEAR_S),
    "AutoApprovalDelayInSeconds": (0, MONTH_S),
    "MaxAssignments": (1, 1_000_000_000),
    "NumberOfAdditionalAssignments": (1, 1_000_000_000),
}
LENGTHS = {
    "Title": 128,
    "Description": 2000,
    "Keywords": 1000,
    "RequesterAnnotation": 255,
    "Subject": 200,
    "MessageText": 4096,
}
INTEGER_COMPARATORS = {
    "LessThan",
    "LessThanOrEqualTo",
    "GreaterThan",
    "GreaterThanOrEqualTo",
    "EqualTo",
    "NotEqualTo",
}
SET_COMPARATORS = {"In", "NotIn"}
PRESENCE_COMPARATORS = {"Exists", "DoesNotExist"}
LOCALE_COMPARATORS = {"EqualTo", "NotEqualTo", "In", "NotIn"}


def check_limits(parameters: Shape) -> None:
    """Refuse numbers out of range and texts that are too long or empty."""
    for name, (least, most) in RANGES.items():
        if name in parameters and not least <= parameters[name] <= most:
            raise invalid(f"{name} must be between {least} and {most}, not {parameters[name]}.")
    for name, most in LENGTHS.items():
        if len(parameters.get(name) or "") > most:
            raise invalid(f"{name} must not be longer than {most} characters.")
    for name in ("Title", "Description"):
        if name in parameters and not parameters[name].strip():
            raise invalid(f"{name} must not be empty.")


def external_url(question: str) -> str:
    """Return the address that an ExternalQuestion shows, or refuse it."""
    if len(question.encode()) > QUESTION_BYTES:
        raise invalid(f"Question must not be larger than {QUESTION_BYTES} bytes.")
    try:
        root = ET.fromstring(question)
    except ET.ParseError as error:
        raise unparsable(str(error)) from error
    if root.tag != f"{{{EXTERNAL}}}ExternalQuestion":
        raise unparsable(f"{root.tag} is no ExternalQuestion of {EXTERNAL}")
    names = [child.tag.removeprefix(f"{{{EXTERNAL}}}") for child in root]
    if names != ["ExternalURL", "FrameHeight"]:
        raise unparsable(f"expected ExternalURL and FrameHeight, not {names}")
    url, height = ((child.text or "").strip() for child in root)
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise invalid(f"ExternalURL must use the HTTPS protocol, not {url}.")
    if not height.isdigit():
        raise unparsable(f"FrameHeight is no number: {height!r}")
    return url


def unparsable(problem: str) -> ServiceError:
    message = (
        f"There was an error parsing the XML question or answer data in your request. {problem}"
    )
    return request_error("XMLParseError", message)


def check_requirements(requirements: list[Shape], *, known_types: Collection[str]) -> None:
    """Refuse conditions that no HIT can have. Source: QualificationRequirement in the reference."""
    if len(requirements) > 10:
        raise invalid("A HIT can have at most ten Qualification requirements.")
    for requirement in requirements:
        if requirement["QualificationTypeId"] not in known_types:
            raise missing("QualificationType", requirement["QualificationTypeId"])
        if "RequiredToPreview" in requirement and "ActionsGuarded" in requirement:
            raise invalid("RequiredToPreview must not be used in combination with ActionsGuarded.")
        check_values(requirement)


def check_values(requirement: Shape) -> None:
    comparator = requirement["Comparator"]
    integers = requirement.get("IntegerValues", [])
    locales = requirement.get("LocaleValues", [])
    is_locale = requirement["QualificationTypeId"] == LOCALE
    if comparator in PRESENCE_COMPARATORS:
        if integers or locales:
            raise invalid(f"{comparator} takes no values.")
        return
    if is_locale and comparator not in LOCALE_COMPARATORS:
        raise invalid(f"{comparator} cannot be used with a locale.")
    if bool(integers) == is_locale or bool(locales) != is_locale:
        raise invalid(
            "A locale takes LocaleValues alone, other Qualifications IntegerValues alone."
        )
    values = locales or integers
    most = (30 if is_locale else 15) if comparator in SET_COMPARATORS else 1
    if not 1 <= len(values) <= most:
        raise invalid(f"{comparator} takes between 1 and {most} values, not {len(values)}.")
