"""The site as it is served, but each answer says how long it took, for `annotator_pages.py`.

python -m waitress timed_wsgi:application
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from clime_project.wsgi import application as site

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer as the site does, with its milliseconds by the clock and of this thread alone.

    A page is whole before its headers are sent, so all of its work is counted.
    """
    began_s, cpu_began_s = time.perf_counter(), time.thread_time()

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        took_ms = 1000 * (time.perf_counter() - began_s)
        cpu_ms = 1000 * (time.thread_time() - cpu_began_s)
        timing = ("Server-Timing", f"app;dur={took_ms:.3f}, cpu;dur={cpu_ms:.3f}")
        return start_response(status, [*headers, timing], *rest)

    return site(environ, start)
