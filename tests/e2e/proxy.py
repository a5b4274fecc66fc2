"""A line between a browser and the server that loses, holds back and repeats what is sent."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from urllib.parse import urlsplit

BAD_FATES = ("lost", "unanswered", "overtaken", "slow", "twice")
ANSWERED = ("fine", "slow", "twice")
BAD_SHARE = 1 / 3
DELAYS_S = (0.2, 2.0)
HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding"}


class BadLine:
    """Says what becomes of each request that changes something, from a seed.

    lost: it never arrives; unanswered: its answer never does; overtaken: the same, and it arrives
    after later ones; slow: it takes up to two seconds; twice: it arrives two times.
    """

    def __init__(self, server: str, seed: int) -> None:
        self.server = urlsplit(server).netloc
        self.fates: Counter[str] = Counter()
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._late: list[threading.Thread] = []

    def fate(self) -> tuple[str, float]:
        """Return what becomes of the next request, and how long it is held back."""
        with self._lock:
            is_bad = self._random.random() < BAD_SHARE
            fate = self._random.choice(BAD_FATES) if is_bad else "fine"
            self.fates[fate] += 1
            return fate, self._random.uniform(*DELAYS_S)

    def later(self, delay_s: float, deliver: Callable[[], object]) -> None:
        thread = threading.Thread(target=lambda: (time.sleep(delay_s), deliver()))
        self._late.append(thread)
        thread.start()

    def wait_until_quiet(self) -> None:
        """Wait until what was overtaken has arrived as well."""
        for thread in self._late:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.0, a connection a request: no browser repeats a request by itself then."""

    def __init__(self, line: BadLine, *args: object) -> None:
        self.line = line
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(self._forward(b""))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fate, delay_s = self.line.fate()
        if fate == "overtaken":
            self.line.later(delay_s, partial(self._forward, body))
        if fate == "slow":
            time.sleep(delay_s)
        if fate == "twice":
            self._forward(body)
        answer = None if fate in {"lost", "overtaken"} else self._forward(body)
        if answer and fate in ANSWERED:
            self._answer(answer)

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.line.server, timeout=20)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    def _answer(self, answer: tuple[http.client.HTTPResponse, bytes]) -> None:
        response, content = answer
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *said: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *about: object) -> None:
        """Take a browser that went away for what it is."""


@contextmanager
def bad_line(server: str, seed: int):
    """Give the address of a bad line to a server, and the line."""
    line = BadLine(server, seed)
    proxy = _Server(("localhost", 0), partial(_Handler, line))
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://localhost:{proxy.server_port}", line
    finally:
        line.wait_until_quiet()
        proxy.shutdown()
        thread.join()
        proxy.server_close()
