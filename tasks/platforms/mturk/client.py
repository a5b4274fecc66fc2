"""Mechanical Turk's API through boto3, its errors as sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.loaders import create_loader
from django.conf import settings

from tasks.models import Mode
from tasks.platforms.base import DoneBefore, Market, OutcomeUnknown, PlatformError

REGION = "us-east-1"  # the only one that the service has
ENDPOINTS: dict[str, str] = {
    Mode.SANDBOX: "https://mturk-requester-sandbox.us-east-1.amazonaws.com",
    Mode.LIVE: "https://mturk-requester.us-east-1.amazonaws.com",
}
# boto3 waits longer each time, half a minute in all.
ATTEMPTS = 8
PAGE_SIZE = 100
_REFUSED_KEYS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "AccessDeniedException",
    "ExpiredTokenException",
    "NotAuthorizedException",
    "OptInRequired",
}
_TOO_MANY = {
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "TooManyRequestsException",
}
_CODE = re.compile(r"AWS\.MechanicalTurk\.\w+")
_DONE_BEFORE = ("hitalreadyexists", "duplicaterequest", "alreadyprocessed")

Shape = dict[str, Any]


class MTurkRefusal(PlatformError):
    """The service's own "no"; `code` is its TurkErrorCode without the prefix, in lower case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, permanent=True)
        self.code = code


# Reading the service's description takes most of what making a client takes; it never changes.
_descriptions = create_loader()


def _session() -> Any:
    """Return a session with the settings and keys as they are now."""
    inner = botocore.session.get_session()
    inner.register_component("data_loader", _descriptions)
    return boto3.session.Session(botocore_session=inner)


def market() -> Market:
    """Return where calls go. Raises PlatformError for settings that contradict one another."""
    mode = settings.MTURK_MODE
    endpoint = (settings.MTURK_ENDPOINT_URL or ENDPOINTS[mode]).rstrip("/")
    region = _session().region_name or REGION
    for other, host in ENDPOINTS.items():
        if other != mode and urlsplit(endpoint).hostname == urlsplit(host).hostname:
            raise PlatformError(
                f"MTURK_MODE is {mode}, but MTURK_ENDPOINT_URL is that of the {other} market",
                permanent=True,
            )
    if region != REGION:
        raise PlatformError(
            f"Mechanical Turk is in the region {REGION} alone, and AWS_DEFAULT_REGION is {region}",
            permanent=True,
        )
    return Market(mode, endpoint, region, settings.MTURK_ACCOUNT)


class Client:
    """Calls of one market. Every one raises PlatformError where it is not done.

    OutcomeUnknown: it may have been done. MTurkRefusal: the service says no.
    """

    def __init__(self, where: Market) -> None:
        self._where = where
        self._clients: dict[int, Any] = {}

    def call(self, operation: str, *, attempts: int | None = None, **parameters: Any) -> Shape:
        """Call an operation, such as "get_hit". attempts: 1 for what must not be sent twice."""
        try:
            answer: Shape = getattr(self._boto(attempts or ATTEMPTS), operation)(**parameters)
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise PlatformError(
                "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                permanent=True,
            ) from error
        except ParamValidationError as error:
            raise PlatformError(f"{operation}: {error}", permanent=True) from error
        except ClientError as error:
            raise self._explained(error) from error
        except BotoCoreError as error:
            raise OutcomeUnknown(
                f"Mechanical Turk ({self._where.mode}) gave no answer at {self._where.endpoint}: "
                f"{error}"
            ) from error
        answer.pop("ResponseMetadata", None)
        return answer

    def pages(self, operation: str, rows: str, **parameters: Any) -> Iterator[Shape]:
        """Return the rows of a listing, page by page."""
        asked = partial(self.call, operation, MaxResults=PAGE_SIZE, **parameters)
        seen: set[str] = set()
        answer = asked()
        while True:
            yield from answer.get(rows, [])
            following = answer.get("NextToken")
            if not following or following in seen:
                return
            seen.add(following)
            answer = asked(NextToken=following)

    def _boto(self, attempts: int) -> Any:
        if attempts not in self._clients:
            self._clients[attempts] = _session().client(
                "mturk",
                endpoint_url=self._where.endpoint,
                region_name=self._where.region,
                config=Config(
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    connect_timeout=10,
                    read_timeout=30,
                ),
            )
        return self._clients[attempts]

    def _explained(self, error: ClientError) -> PlatformError:
        """Return the sentence for an error that the service answered."""
        told: Any = error.response
        kind = told["Error"].get("Code", "")
        text = told["Error"].get("Message") or told.get("Message") or kind
        named = told.get("TurkErrorCode") or " ".join(_CODE.findall(text))
        code = str(named).rsplit(".", 1)[-1].casefold()
        where = f"Mechanical Turk ({self._where.mode})"
        if kind in _TOO_MANY or "throttl" in code:
            return PlatformError(
                f"{where} takes no more calls for now ({text}); try again in some minutes",
                permanent=False,
            )
        if kind in _REFUSED_KEYS:
            return PlatformError(f"{where} refuses the AWS credentials: {text}", permanent=True)
        if code == "insufficientfunds":
            return MTurkRefusal(
                code, f"the {self._where.mode} account has too little money: {text}"
            )
        if told["ResponseMetadata"].get("HTTPStatusCode", 500) >= 500:
            return OutcomeUnknown(f"{where} has trouble of its own: {text}")
        if any(word in code for word in _DONE_BEFORE):
            return DoneBefore(f"{where}: {text}")
        return MTurkRefusal(code, f"{where} says: {text}")
