"""The workers' side: what people do on the marketplace's own pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.sax.saxutils import escape

from tests.stand_ins.mturk.checks import external_url
from tests.stand_ins.mturk.market import Market, new_id
from tests.stand_ins.mturk.records import HANDED_IN, HIT, Assignment, Worker
from tests.stand_ins.mturk.requirements import may

NOT_ACCEPTED = "ASSIGNMENT_ID_NOT_AVAILABLE"
FREED = ("Returned", "Abandoned")
ANSWERS = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
    "2005-10-01/QuestionFormAnswers.xsd"
)


class Refused(Exception):
    """The marketplace does not let a worker do this."""


class Workers:
    """What workers do; `MTurk` gives it the market and the address that forms go to."""

    market: Market
    turk_submit_to: str
    frame_origin: str | None = None  # a local server that stands for the https address of HITs

    def add_worker(self, worker: Worker) -> None:
        """Say more of a worker than the marketplace assumes: country, approvals, Masters."""
        self.market.workers[worker.worker_id] = worker

    def visible_hits(self, worker_id: str) -> list[str]:
        """Return the ids of the HITs that a worker's search finds."""
        with self._caught_up() as market:
            return [
                hit.hit_id
                for hit in market.hits.values()
                if hit.status(market.now) == "Assignable"
                and worker_id not in market.blocks
                and may("Discover", market, hit.hit_type, worker_id)
            ]

    def preview_url(self, hit_id: str, worker_id: str | None = None) -> str:
        """Return what the frame shows before one accepts; one who is not signed in has no id."""
        with self._caught_up() as market:
            hit = market.hit(hit_id)
            if worker_id and not may("Preview", market, hit.hit_type, worker_id):
                raise Refused("your Qualifications do not allow to preview this HIT")
            who = {"workerId": worker_id} if worker_id else {}
            return self._address(hit, {"assignmentId": NOT_ACCEPTED, "hitId": hit_id, **who})

    def accept(self, hit_id: str, worker_id: str) -> str:
        """Take a place; return its assignment id, which a former holder may have had before."""
        with self._caught_up() as market:
            hit = market.hit(hit_id)
            self._check_may_accept(hit, worker_id)
            held = Assignment(self._free_id(hit), hit, worker_id, market.now)
            hit.assignments.append(held)
            market.assignments[held.assignment_id] = held
            market.announce("AssignmentAccepted", hit, held)
            return held.assignment_id

    def _check_may_accept(self, hit: HIT, worker_id: str) -> None:
        market = self.market
        if hit.status(market.now) != "Assignable":
            raise Refused("there are no more of these HITs available")
        if worker_id in market.blocks:
            raise Refused("this requester has blocked you")
        if not may("Accept", market, hit.hit_type, worker_id):
            raise Refused("your Qualifications do not meet this HIT's requirements")
        for held in hit.assignments:
            if held.worker_id == worker_id and held.status in ("Accepted", *HANDED_IN):
                raise Refused(f"you have {held.status.lower()} this HIT already")

    def _free_id(self, hit: HIT) -> str:
        """Return the id of a place that was given back, else a new one."""
        taken = {held.assignment_id for held in hit.assignments if held.status not in FREED}
        freed = [held.assignment_id for held in hit.assignments if held.status in FREED]
        reusable = [old for old in freed if old not in taken]
        return reusable[0] if reusable and self.market.reuses_assignment_ids else new_id()

    def task_url(self, assignment_id: str) -> str:
        """Return what the frame shows to the one who holds the assignment."""
        with self._caught_up():
            held = self._held(assignment_id)
            return self._address(
                held.hit,
                {
                    "assignmentId": assignment_id,
                    "hitId": held.hit.hit_id,
                    "workerId": held.worker_id,
                    "turkSubmitTo": self.turk_submit_to,
                },
            )

    def submit(self, assignment_id: str, form: dict[str, str]) -> None:
        """Hand in, as the POST to /mturk/externalSubmit does."""
        self.submit_form([("assignmentId", assignment_id), *form.items()])

    def submit_form(self, fields: list[tuple[str, str]]) -> None:
        """Take a posted form: an accepted assignment's id and at least one field more."""
        with self._caught_up() as market:
            answers = [(name, value) for name, value in fields if name != "assignmentId"]
            held = self._held(dict(fields).get("assignmentId", ""))
            if not answers:
                raise Refused("the form has no field beside assignmentId")
            held.status, held.submitted_at = "Submitted", market.now
            held.answer = answer_xml(answers)
            market.announce("AssignmentSubmitted", held.hit, held)
            market.review_if_ready(held.hit, market.now)

    def return_(self, assignment_id: str) -> None:
        """Give the place back."""
        with self._caught_up() as market:
            market.leave(self._held(assignment_id), "Returned", market.now)

    def _held(self, assignment_id: str) -> Assignment:
        held = self.market.assignments.get(assignment_id)
        if held is None or held.status != "Accepted":
            raise Refused(f"nobody works on assignment {assignment_id!r}")
        return held

    @contextmanager
    def _caught_up(self) -> Iterator[Market]:
        with self.market.lock:
            self.market.catch_up()
            yield self.market

    def _address(self, hit: HIT, parameters: dict[str, str]) -> str:
        url = external_url(hit.question)
        if self.frame_origin:
            there = urlsplit(url)
            url = self.frame_origin + there._replace(scheme="", netloc="").geturl()
        return url + ("&" if "?" in url else "?") + urlencode(parameters)


def answer_xml(answers: list[tuple[str, str]]) -> str:
    """Return the QuestionFormAnswers document that requesters read."""
    rows = "".join(
        f"<Answer><QuestionIdentifier>{escape(name)}</QuestionIdentifier>"
        f"<FreeText>{escape(value)}</FreeText></Answer>"
        for name, value in answers
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
        f'<QuestionFormAnswers xmlns="{ANSWERS}">{rows}</QuestionFormAnswers>'
    )


def fields_of(body: str) -> list[tuple[str, str]]:
    return parse_qsl(body, keep_blank_values=True)
