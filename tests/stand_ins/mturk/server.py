"""The stand-in's HTTP server, as tests start it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.stand_ins.mturk.errors import (
    ServiceError,
    refused_credentials,
    service_fault,
    throttled,
)
from tests.stand_ins.mturk.faults import Faults
from tests.stand_ins.mturk.market import Market
from tests.stand_ins.mturk.wire import (
    OPERATIONS,
    TARGET,
    answer_of,
    check_signature,
    operation_of,
    parameters_of,
)
from tests.stand_ins.mturk.workers import Refused, Workers, fields_of

SUBMIT_PATH = "/mturk/externalSubmit"
TASK_PATH, PREVIEW_PATH = "/mturk/task", "/mturk/preview"
PAGE = "<!doctype html><html lang=en><title>Mechanical Turk</title>{}"
FRAME = '<iframe name="task" title="Task" width="100%" height="800" src="{}"></iframe>'


@dataclass(frozen=True)
class Call:
    """One request as it came and what became of it: "done", a fault's kind or an error's type."""

    operation: str
    parameters: dict[str, Any]
    outcome: str


class MTurk(Workers):
    """A marketplace with one requester, served on 127.0.0.1 between `start` and `stop`.

    with MTurk(balance_cents=50_00) as mturk:
        client = boto3.client("mturk", endpoint_url=mturk.url, region_name="us-east-1", …)

    holds_rewards: prepaid accounts set aside what open HITs may cost; those billed by AWS do not.
    access_keys: the keys that are let in; any, where none is named.

    Tests look at `calls`, `market.ledger`, `market.events` (all that happened) and
    `market.deliveries` (notifications asked for), break things by `faults.add`, and may set
    `turk_submit_to`, `frame_origin`, `market.lag_s` and `market.reuses_assignment_ids`.
    """

    def __init__(
        self,
        *,
        mode: str = "sandbox",
        balance_cents: int = 10_000_00,
        holds_rewards: bool = True,
        access_keys: set[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.market = Market(mode=mode, balance_cents=balance_cents, holds_rewards=holds_rewards)
        self.faults = Faults(seed)
        self.access_keys = access_keys
        self.calls: list[Call] = []
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.turk_submit_to = self.url

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def advance(self, seconds: float) -> None:
        """Move the marketplace's clock on."""
        self.market.advance(seconds)

    def task_page(self, assignment_id: str) -> str:
        """Return the address of the marketplace's page with the accepted task in its frame."""
        return f"{self.url}{TASK_PATH}?{urlencode({'assignmentId': assignment_id})}"

    def preview_page(self, hit_id: str) -> str:
        """Return the address of the marketplace's page with the preview in its frame."""
        return f"{self.url}{PREVIEW_PATH}?{urlencode({'hitId': hit_id})}"

    def framed(self, path: str, query: dict[str, str]) -> str:
        """Return what the frame of one of the marketplace's pages shows."""
        if path == TASK_PATH:
            return self.task_url(query.get("assignmentId", ""))
        if path == PREVIEW_PATH:
            return self.preview_url(query.get("hitId", ""))
        raise Refused(f"there is no page {path}")

    def calls_of(self, operation: str) -> list[Call]:
        with self.market.lock:
            return [call for call in self.calls if call.operation == operation]

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        """Return status and body of a call's answer, or None where the line is cut."""
        name = headers.get("x-amz-target", "").removeprefix(TARGET)
        rule = self.faults.draw(name)
        kind = rule.kind if rule else ""
        if rule and rule.delay_s:
            time.sleep(rule.delay_s)
        if kind == "lost_request":
            self._log(name, body, kind)
            return None
        try:
            if kind in ("throttle", "fault"):
                raise throttled() if kind == "throttle" else service_fault()
            answer = self._do(headers, body)
        except ServiceError as error:
            self._log(name, body, error.body["__type"])
            return error.status, json.dumps(error.body).encode()
        self._log(name, body, kind or "done")
        return None if kind == "lost_answer" else (200, answer)

    def _do(self, headers: dict[str, str], body: bytes) -> bytes:
        key = check_signature(headers.get("authorization"))
        if self.access_keys is not None and key not in self.access_keys:
            raise refused_credentials(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        operation = operation_of(headers.get("x-amz-target"))
        parameters = parameters_of(body, operation)
        with self.market.lock:
            self.market.catch_up()
            return answer_of(OPERATIONS[operation.name](self.market, parameters), operation)

    def _log(self, operation: str, body: bytes, outcome: str) -> None:
        try:
            parameters = json.loads(body)
        except ValueError:
            parameters = {}
        with self.market.lock:
            self.calls.append(Call(operation, parameters, outcome))


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # fifty workers may arrive at once


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.0, a connection a request: cutting one then loses one answer."""

    def __init__(self, mturk: MTurk, *args: Any) -> None:
        self.mturk = mturk
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if urlsplit(self.path).path == SUBMIT_PATH:
            self._submit(body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.mturk.answer(headers, body)
        if answer is not None:
            self._send(*answer, kind="application/x-amz-json-1.1")

    def do_GET(self) -> None:
        there = urlsplit(self.path)
        try:
            framed = self.mturk.framed(there.path, dict(fields_of(there.query)))
        except (Refused, ServiceError) as refusal:
            self._page(404, f"<h1>{escape(str(refusal))}</h1>")
        else:
            self._page(200, FRAME.format(escape(framed)))

    def _submit(self, body: bytes) -> None:
        try:
            self.mturk.submit_form(fields_of(body.decode()))
        except Refused as refusal:
            problem = f"There was a problem submitting your results: {refusal}"
            self._page(400, f"<h1>{escape(problem)}</h1>")
        else:
            self._page(200, "<h1>Your results have been submitted</h1>")

    def _page(self, status: int, content: str) -> None:
        self._send(status, PAGE.format(content).encode(), kind="text/html; charset=utf-8")

    def _send(self, status: int, body: bytes, *, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Keep quiet: calls are in `MTurk.calls`."""
