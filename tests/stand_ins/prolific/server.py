"""The stand-in itself: an HTTP server in a thread, its clock, and the participants' side."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.stand_ins.prolific import extras, studies, submissions
from tests.stand_ins.prolific.api import Asked, Reply, answer
from tests.stand_ins.prolific.faults import Fault, Faults
from tests.stand_ins.prolific.world import Delivery, Payment, Refused, Submission, World

TOKEN = "prolific-token-of-tests"
CORPORATE_FEE = Fraction(428, 1000)
ACCOUNT_CENTS = 100_000


@dataclass(frozen=True)
class Call:
    """A request that came, and how it was answered: None where the line was cut."""

    method: str
    path: str
    query: dict[str, str]
    told: dict
    status: int | None


class Prolific:
    """A Prolific of one researcher. `with Prolific() as prolific: prolific.url …`"""

    token = TOKEN

    def __init__(
        self, *, balance_cents: int = ACCOUNT_CENTS, fee_share: Fraction = CORPORATE_FEE
    ) -> None:
        self.world = World(balance_cents, fee_share)
        self.faults = Faults()
        self.calls: list[Call] = []
        self._lock = threading.RLock()
        self._statuses: dict[str, str] = {}
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Prolific:
        self._thread.start()
        return self

    def __exit__(self, *_about: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    # Time and money

    @property
    def now(self) -> datetime:
        return self.world.now

    def advance(self, seconds: float) -> None:
        """Move the clock, and do what is due by then."""
        with self._lock:
            self.world.now += timedelta(seconds=seconds)
            for submission in list(self.world.submissions.values()):
                submissions.let_time_pass(self.world, submission)
            submissions.pay_what_is_due(self.world)
            self._notice_changes()

    @property
    def ledger(self) -> list[Payment]:
        return list(self.world.ledger)

    def paid_cents(self, participant_id: str) -> int:
        """Return what one participant has got in all."""
        return sum(row.cents for row in self.ledger if row.participant_id == participant_id)

    # The participants' side

    def reserve(self, study_id: str, participant_id: str) -> Submission:
        """Take a place without opening the study."""
        with self._lock:
            study = self.world.study(study_id)
            submission = studies.take_part(self.world, study, participant_id)
            self._notice_changes()
            return submission

    def take(self, study_id: str, participant_id: str) -> str:
        """Take a place, open the study, and return the address that the participant is sent to."""
        with self._lock:
            submission = self.reserve(study_id, participant_id)
            submission.status = "ACTIVE"
            self._notice_changes()
            return self.address(submission)

    def address(self, submission: Submission) -> str:
        """Return a submission's external study address, with its parameters filled in."""
        address = self.world.study(submission.study_id).told["external_study_url"]
        for name, value in (
            ("PROLIFIC_PID", submission.participant_id),
            ("STUDY_ID", submission.study_id),
            ("SESSION_ID", submission.id),
        ):
            address = address.replace("{{%" + name + "%}}", value)
        return address

    def session_of(self, study_id: str, participant_id: str) -> Submission:
        """Return a participant's newest submission in a study."""
        theirs = self.world.submissions_of(self.world.study(study_id))
        return [one for one in theirs if one.participant_id == participant_id][-1]

    def finish(self, submission_id: str, code: str | None) -> None:
        """Come back with a code, as by app.prolific.com/submissions/complete?cc=…; or without."""
        with self._lock:
            submission = self._at_work(submission_id)
            known = self.world.study(submission.study_id).code(code, "participant")
            submissions.hand_in(self.world, submission, known, code)
            self._notice_changes()

    def return_(self, submission_id: str) -> None:
        """Give a place back, unpaid: at work, or while the work waits for its review."""
        with self._lock:
            submission = self.world.submission(submission_id)
            if submission.status not in {"RESERVED", "ACTIVE", "AWAITING REVIEW"}:
                raise Refused(400, "Bad request", f"{submission.status} cannot be returned.")
            submission.status = "RETURNED"
            self._notice_changes()

    def overrule(self, submission_id: str, status: str) -> None:
        """Set a status as Prolific's own staff may: a late approval, a rejection undone."""
        with self._lock:
            submission = self.world.submission(submission_id)
            if status == "APPROVED":
                submissions.approve(self.world, submission)
            submission.status = status
            self._notice_changes()

    # Webhooks

    @property
    def deliveries(self) -> list[Delivery]:
        """Return the webhooks that left Prolific; a test posts them to where they go."""
        return list(self.world.deliveries)

    # What the handler calls

    def respond(self, method: str, asked: Asked, token: str) -> Reply:
        with self._lock:
            if token != f"Token {self.token}":
                raise Refused(401, "Unauthorized", "Invalid token.")
            reply = answer(self.world, method, asked)
            self._notice_changes()
            return reply

    def _at_work(self, submission_id: str) -> Submission:
        submission = self.world.submission(submission_id)
        if submission.status != "ACTIVE":
            raise Refused(400, "Bad request", f"{submission.status} cannot be finished.")
        return submission

    def _notice_changes(self) -> None:
        """Move studies to where their submissions brought them; tell subscribers what changed."""
        for study in self.world.studies.values():
            studies.settle(self.world, study)
            if self._statuses.setdefault(study.id, "UNPUBLISHED") != study.status:
                self._statuses[study.id] = study.status
                extras.tell_study(self.world, study)
        for submission in self.world.submissions.values():
            if self._statuses.get(submission.id) != submission.status:
                self._statuses[submission.id] = submission.status
                extras.tell_submission(self.world, submission)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, prolific: Prolific, *args: object) -> None:
        self.prolific = prolific
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        address = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(address.path, dict(parse_qsl(address.query)), {})
        fault = self.prolific.faults.next_for(f"{self.command} {address.path}")
        if fault:
            time.sleep(fault.delay_s)
        reply = _not_done(fault) if fault else None
        if reply is None and not (fault and fault.kind == "unheard"):
            asked, reply = self._do(asked, content)
        is_cut = fault is not None and fault.kind in {"unheard", "lost"}
        self._log(asked, None if is_cut else reply)
        if reply and not is_cut:
            self._send(reply)

    def _do(self, asked: Asked, content: bytes) -> tuple[Asked, Reply]:
        try:
            asked = Asked(asked.path, asked.query, self._told(content))
            token = self.headers.get("Authorization", "")
            return asked, self.prolific.respond(self.command, asked, token)
        except Refused as refused:
            return asked, Reply(refused.as_json(), refused.status)

    def _told(self, content: bytes) -> dict:
        if not content:
            return {}
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "Unsupported media type", "Send JSON.")
        try:
            told = json.loads(content)
        except ValueError:
            raise Refused(400, "Parse error", "JSON parse error.") from None
        if not isinstance(told, dict):
            raise Refused(400, "Parse error", "An object is expected.")
        return told

    def _log(self, asked: Asked, reply: Reply | None) -> None:
        status = reply.status if reply else None
        call = Call(self.command, asked.path, asked.query, asked.told, status)
        self.prolific.calls.append(call)

    def _send(self, reply: Reply) -> None:
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        content = b"" if reply.body is None else text.encode()
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *said: object) -> None:
        """Log nothing."""


def _not_done(fault: Fault) -> Reply | None:
    """Return the answer of a fault that lets nothing be done, None for another's."""
    if fault.kind == "broken":
        return Reply("<h1>Server Error (500)</h1>", 500)
    if fault.kind == "throttled":
        wait = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
        return Reply(Refused(429, "Too many requests", "Slow down.").as_json(), 429, wait)
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # a test's end waits for the last answer

    def handle_error(self, *about: object) -> None:
        """Take a client that went away for what it is."""
