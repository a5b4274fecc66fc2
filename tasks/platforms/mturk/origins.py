"""Whose pages may show a task in a frame, and where finished work may be handed in: by mode."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from django.conf import settings

from tasks.models import Mode

FRAME_ORIGINS = {
    Mode.SANDBOX: ["https://workersandbox.mturk.com"],
    Mode.LIVE: ["https://worker.mturk.com", "https://www.mturk.com"],
}
SUBMIT_ORIGINS = {
    Mode.SANDBOX: ["https://workersandbox.mturk.com"],
    Mode.LIVE: ["https://www.mturk.com", "https://worker.mturk.com"],
}
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


def frame_origins(mode: str) -> list[str]:
    """Return the origins whose pages show tasks in a frame."""
    return _origins(settings.MTURK_FRAME_HOSTS, mode, FRAME_ORIGINS)


def origin_of(address: str) -> str:
    """Return the origin of an address that is nothing more, but for a slash; "" for any other."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    is_bare = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_bare:
        return ""
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port else "")


def submit_origins(mode: str) -> list[str]:
    """Return the origins to which finished work may be handed in."""
    return _origins(settings.MTURK_SUBMIT_HOSTS, mode, SUBMIT_ORIGINS)


def _origins(chosen: Sequence[str], mode: str, usual: Mapping[Mode, list[str]]) -> list[str]:
    """Return the settings' origins where they are of this mode, else the mode's own ones."""
    if not chosen or mode != settings.MTURK_MODE:
        return usual[Mode(mode)]
    origins = []
    for one in chosen:
        if "://" not in one and _LOOPBACK.fullmatch(one):
            origins.append(f"http://{one}")  # a stand-in on this machine
        origins.append(origin_of(one if "://" in one else f"https://{one}") or one.rstrip("/"))
    return origins
