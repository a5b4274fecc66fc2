"""How Prolific is spoken to: a token, JSON, back-off, and what each failure means for money.

A call that may be repeated (it reads, or Prolific documents it as idempotent) is repeated after a
failure that may pass. Any other is sent once: where its answer is lost, it may have been done, and
`OutcomeUnknown` says so. Turned away with 429, it surely was not done, so it is sent again, unless
it pays.
"""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from email.message import Message
from http.client import HTTPException
from socket import gaierror
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from tasks.platforms.base import OutcomeUnknown, PlatformError

T = TypeVar("T")
_VERSION = "/api/v1"
_LONGEST_COMPLAINT = 500  # characters of Prolific's own words that a message repeats


class ProlificRefusal(PlatformError):
    """Prolific answered, and did not do it. `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message, permanent=status not in {408, 429} and status < 500)
        self.status = status


@dataclass(frozen=True)
class BackOff:
    """How often a repeatable call is tried, and how long is waited before each further try."""

    tries: int = 7
    first_s: float = 0.5
    longest_s: float = 30.0

    def wait_s(self, tries_made: int, *, asked_for_s: float | None, chance: float) -> float:
        """Return the seconds to wait: what Prolific asked for, else a jittered doubling."""
        if asked_for_s is not None:
            return min(asked_for_s, self.longest_s)
        return min(self.first_s * 2.0 ** (tries_made - 1), self.longest_s) * (0.5 + chance / 2)


@dataclass(frozen=True)
class Call:
    """One request. `repeatable`: doing it twice is the same as doing it once. `pays`: it is sent
    once whatever is answered."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: dict[str, Any] | None = None
    repeatable: bool = False
    pays: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What a call brought. Its body is parsed when it is asked for: not every answer has one."""

    content: bytes
    headers: Message

    @property
    def json(self) -> Any:
        """Return the body; numbers with a point are Decimal."""
        return json.loads(self.content, parse_float=Decimal)


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an error: following it would carry the token to another server."""

    def redirect_request(self, *about: Any, **named: Any) -> None:
        return None


class ProlificConnection:
    """Sends calls to one address with one token.

    base_url: with or without `/api/v1`. Raises ValueError for one that is not http(s), or for a
    token that is missing.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        timeout_s: float,
        *,
        back_off: BackOff | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if urlsplit(base_url).scheme not in {"http", "https"}:
            raise ValueError(f"PROLIFIC_API_URL {base_url!r} does not begin with https://")
        if not token or not token.isascii() or not token.isprintable():
            raise ValueError("PROLIFIC_TOKEN is missing or is not a token")
        self._root = base_url.rstrip("/").removesuffix(_VERSION) + _VERSION
        self._token = token
        self._timeout_s = timeout_s
        self._back_off = back_off or BackOff()
        self._sleep = sleep
        self._opener = build_opener(_NoRedirects)

    def send(self, call: Call, read: Callable[[Answer], T]) -> T:
        """Return what `read` makes of the answer.

        Raises ProlificRefusal, OutcomeUnknown, or PlatformError where Prolific was not reached or
        answered a question in a way that cannot be read.
        """
        tries_made = 0
        while True:
            tries_made += 1
            try:
                return self._send_once(call, read)
            except PlatformError as error:
                if not _may_be_sent_again(call, error) or tries_made >= self._back_off.tries:
                    raise
                self._sleep(
                    self._back_off.wait_s(
                        tries_made,
                        asked_for_s=_seconds_asked_for(error.__cause__),
                        chance=random.random(),  # noqa: S311 - spreads tries, guards nothing
                    )
                )

    def _send_once(self, call: Call, read: Callable[[Answer], T]) -> T:
        request = self._request(call)
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                return read(Answer(response.read(), response.headers))
        except HTTPError as error:
            raise _refusal(call, error) from error
        except (OSError, HTTPException) as error:
            raise _lost(call, error) from error
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise _unreadable(call, error) from error

    def _request(self, call: Call) -> Request:
        query = f"?{urlencode(call.query)}" if call.query else ""
        headers = {
            "Authorization": f"Token {self._token}",
            "Accept": "application/json",
            "User-Agent": "clime",  # firewalls turn urllib's own name away
        }
        data = None
        if call.body is not None:
            data = json.dumps(call.body).encode()
            headers["Content-Type"] = "application/json"
        return Request(  # noqa: S310 - the scheme is checked when the connection is made
            f"{self._root}/{call.path}{query}", data, headers, method=call.method
        )


def _may_be_sent_again(call: Call, error: PlatformError) -> bool:
    was_turned_away = isinstance(error, ProlificRefusal) and error.status == 429
    return not error.permanent and (call.repeatable or (was_turned_away and not call.pays))


def _refusal(call: Call, error: HTTPError) -> PlatformError:
    """Return what an answer other than 2xx means."""
    with error:
        complaint = _complaint(error)
    if error.code >= 500 and not call.repeatable:
        return OutcomeUnknown(
            f"Prolific failed at {call} ({error.code}), perhaps after doing it: {complaint}"
        )
    if error.code == 401:
        return ProlificRefusal("Prolific refuses PROLIFIC_TOKEN (401)", status=401)
    return ProlificRefusal(
        f"Prolific refused {call} ({error.code}): {complaint}", status=error.code
    )


def _complaint(error: HTTPError) -> str:
    """Return Prolific's own words: documented are a wrapped and a bare error object."""
    try:
        body = json.loads(error.read())
    except (OSError, HTTPException, ValueError):
        return str(error.reason)
    told = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(told, dict):
        said = [told.get(key) for key in ("title", "detail", "message", "additional_information")]
        told = ": ".join(_in_words(part) for part in said if part)
    return _in_words(told or error.reason)[:_LONGEST_COMPLAINT]


def _in_words(detail: object) -> str:
    """Return an error's detail, which is a text, a list of texts or texts by field, as one text."""
    if isinstance(detail, dict):
        return "; ".join(f"{field}: {_in_words(told)}" for field, told in detail.items())
    if isinstance(detail, list):
        return ", ".join(_in_words(part) for part in detail)
    return str(detail)


def _lost(call: Call, error: Exception) -> PlatformError:
    """Return what a broken line means: where no connection was made, nothing was done."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ConnectionRefusedError | gaierror):
        return PlatformError(f"Prolific cannot be reached for {call}: {reason}", permanent=False)
    if call.repeatable:
        return PlatformError(f"Prolific did not answer {call}: {reason}", permanent=False)
    return OutcomeUnknown(f"Prolific's answer to {call} was lost: {reason}")


def _unreadable(call: Call, error: Exception) -> PlatformError:
    """Return what an answer that says 'done', in a form nobody documents, means."""
    told = f"Prolific's answer to {call} cannot be read: {type(error).__name__}: {error}"
    return PlatformError(told, permanent=True) if call.repeatable else OutcomeUnknown(told)


def _seconds_asked_for(error: BaseException | None) -> float | None:
    """Return Retry-After in seconds; None where it is missing or a date."""
    value = error.headers.get("Retry-After", "") if isinstance(error, HTTPError) else ""
    return float(value) if value.isascii() and value.isdigit() else None
