"""Pages of results, with opaque tokens that fit the listing they came from."""

from __future__ import annotations

import base64
import binascii
import json

from tests.stand_ins.mturk.errors import invalid
from tests.stand_ins.mturk.records import Shape

DEFAULT_SIZE = 10


def page(name: str, rows: list[Shape], parameters: Shape) -> Shape:
    """Return one page of `rows` as a list operation's answer.

    A full page has a token even where nothing follows, so the last page may be empty: a guess, from
    an answer seen in public that had a token beside its only row.
    """
    listing = json.dumps(
        [name, {k: v for k, v in parameters.items() if k not in ("NextToken", "MaxResults")}]
    )
    start = position(parameters.get("NextToken"), listing=listing)
    stop = start + parameters.get("MaxResults", DEFAULT_SIZE)
    shown = rows[start:stop]
    answer: Shape = {"NumResults": len(shown), name: shown}
    if stop <= len(rows):
        answer["NextToken"] = token_of(stop, listing=listing)
    return answer


def token_of(start: int, *, listing: str) -> str:
    mark = f"{binascii.crc32(listing.encode())}:{start}"
    return base64.urlsafe_b64encode(mark.encode()).decode()


def position(token: str | None, *, listing: str) -> int:
    """Return where a token says to go on; refuse one of another listing."""
    if token is None:
        return 0
    try:
        mark, start = base64.urlsafe_b64decode(token).decode().split(":")
    except ValueError as error:
        raise invalid(f"NextToken is invalid: {token}") from error
    if mark != str(binascii.crc32(listing.encode())):
        raise invalid("NextToken belongs to another request.")
    return int(start)
