"""What an annotator's pages weigh, ask of the database, and take with a hundred people at work.

    PYTHONPATH=. DATABASE_URL=postgres://… python benchmarks/annotator_pages.py

The site is served as in production (`page_site.py`), with a small project and a large one.

- Weight: bytes over the wire, headers among them, as Chromium counts them with an empty cache.
- Statements: all that the database is sent, those that begin and end a transaction among them. The
  large project may not need one more.
- Time: on the server (`timed_wsgi.py`: all of Django, but no waiting for a free thread), by the
  clock and of the processor alone; and for the client. An annotator opens a page, sends ten answers
  one by one and looks for a word, thinking before each; then goes to the next page. People begin
  one after the other, within the time that a page takes them, which is not counted. One who is
  alone does not think, so that there is enough to count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, product
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import page_site  # sets Django up
from django.db import connection
from django.http import HttpResponseBase
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import sync_playwright

from annotation.models import Judgement, Session, SessionState, Verdict
from models_ml.models import Keyword, Side
from tasks.models import Project
from tests import chromium
from tests.factories import make_link, make_project, make_session, token_of

FIRST_PAGE_KB, NEXT_PAGE_KB, SERVER_MS = 60, 10, 50  # what is aimed at
LETTERS_A_PAGE = 10
SYLLABLES = ["".join(pair) for pair in product("bdfghjklmnprstwyz", "aeiou")]
WORDS = 13_000  # of each vocabulary
DURATION = re.compile(r"dur=([0-9.]+)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Weigh and time the pages of annotators.")
    parser.add_argument("--people", type=int, default=100, help="at work at once")
    parser.add_argument("--think", type=float, default=2, help="seconds before a click, the mean")
    parser.add_argument("--seconds", type=float, default=60, help="how long they are at work")
    parser.add_argument("--processes", type=int, default=1, help="that serve, people in turn")
    parser.add_argument("--past", type=int, default=100, help="people who answered everything")
    options = parser.parse_args()
    with page_site.own_site():
        small = make_project(keywords=3, neighbours=1, documents=1)
        large = large_project(past=options.past, present=options.people)
        links = open_links(large)
        report_statements(small, large)
        with page_site.served(options.processes) as ports:
            for project in (small, large):
                report_weight(project, ports[0])
            people = [Person(link, port) for link, port in zip(links, cycle(ports))]
            report_times(people, think_s=options.think, seconds=options.seconds)


# --- Who works on what ---------------------------------------------------------------------------


class Pair(NamedTuple):
    keyword: int
    word: int


@dataclass(frozen=True)
class Link:
    """An open session's pages: the path of its task, and the words beside each keyword."""

    path: str
    pages: list[list[Pair]]

    @classmethod
    def of(cls, session: Session) -> Link:
        assignment = make_link(session.project, session.annotator.worker_id)
        return cls(f"/t/{token_of(assignment)}", shown_pairs(session.project))


def shown_pairs(project: Project) -> list[list[Pair]]:
    """Return what is shown beside each keyword, in the order of the pages."""
    keywords = Keyword.objects.filter(ranking=project.ranking_id).order_by("position")
    return [
        [Pair(keyword.pk, near.word_id) for near in keyword.neighbours.order_by("pk")]
        for keyword in keywords
    ]


def large_project(*, past: int, present: int) -> Project:
    """Return a project of 50 keywords and 20 neighbours a language.

    past: how many submitted an answer to every word; present: how many have a session open.
    """
    spelled = ["".join(three) for three in product(SYLLABLES, repeat=3)]
    words = random.Random(0).sample(spelled, WORDS)  # noqa: S311
    project = make_project(
        keywords=50,
        neighbours=20,
        documents=10,
        source_words=words,
        target_words=words,
        overlap=past + present + 2,
    )
    pairs = [pair for page in shown_pairs(project) for pair in page]
    for number in range(past):
        answer_all(make_session(project, f"past-{number}"), pairs)
    for number in range(present):
        make_session(project, f"present-{number}", is_submitted=False)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as PostgreSQL does by itself before long
    return project


def answer_all(session: Session, pairs: Sequence[Pair]) -> None:
    verdicts = cycle([Verdict.ACCEPT, Verdict.REJECT, Verdict.REJECT])
    Judgement.objects.bulk_create(
        Judgement(
            session=session,
            keyword_id=pair.keyword,
            word_id=pair.word,
            verdict=verdict,
            revision=1,
        )
        for pair, verdict in zip(pairs, verdicts, strict=False)
    )


def open_links(project: Project) -> list[Link]:
    sessions = project.sessions.filter(state=SessionState.OPEN).select_related("annotator")
    return [Link.of(session) for session in sessions]


def letter(pair: Pair, verdict: Verdict) -> dict[str, object]:
    """Return an answer as the script of a page sends it that shows every earlier one."""
    return {
        "id": str(uuid.uuid4()),
        "at": round(1000 * time.time()),
        "saw": 1_000_000,
        "kind": "verdict",
        "verdict": verdict,
        **pair._asdict(),
    }


# --- Statements ----------------------------------------------------------------------------------


def report_statements(small: Project, large: Project) -> None:
    """Print how many statements each request takes; end where the large project takes more."""
    few, many = statements(small), statements(large)
    print("statements: in the small project, in the large one")
    for request, count in few.items():
        print(f"  {request}: {count}, {many[request]}")
    if few != many:
        raise SystemExit("THE NUMBER OF STATEMENTS DEPENDS ON THE SIZE")


def statements(project: Project) -> dict[str, int]:
    """Return how many statements requests of an annotator take."""
    link = Link.of(make_session(project, "counted", is_submitted=False))
    client = Client(SERVER_NAME="127.0.0.1")

    def post(count: int) -> HttpResponseBase:
        # The same six pairs of three keywords, whatever the project has.
        pairs = cycle(pair for page in link.pages[:3] for pair in (page[0], page[-1]))
        verdicts = cycle([Verdict.ACCEPT] * 6 + [Verdict.REJECT] * 6)
        letters = [letter(next(pairs), next(verdicts)) for _ in range(count)]
        body = {"letters": letters, "position": 1}
        return client.post(f"{link.path}/answers", body, content_type="application/json")

    requests: dict[str, Callable[[], HttpResponseBase]] = {
        "keyword page": lambda: client.get(f"{link.path}/1/"),
        "document page": lambda: client.get(f"{link.path}/{len(link.pages) + 1}/"),
        "one letter": lambda: post(1),
        "thirty letters": lambda: post(30),
        "word search": lambda: client.get(f"{link.path}/words", {"side": Side.TARGET, "q": "mu"}),
    }
    counts = {}
    for what, send in requests.items():
        with CaptureQueriesContext(connection) as captured:
            answer = send()
        if answer.status_code != 200:
            raise SystemExit(f"{what}: {answer.status_code}")
        counts[what] = len(captured)
    return counts


# --- Weight --------------------------------------------------------------------------------------


@dataclass
class Transfer:
    """Something that the browser loaded."""

    url: str
    kind: str
    size: int = 0


def report_weight(project: Project, port: int) -> None:
    """Print what the first keyword page and the next one weigh; end where one asks elsewhere."""
    link = Link.of(make_session(project, "weighed", is_submitted=False))
    loaded = loaded_by_chromium(f"http://127.0.0.1:{port}{link.path}")
    elsewhere = [one.url for one in loaded if urlsplit(one.url).port != port]
    if elsewhere:
        raise SystemExit(f"THE PAGE ASKS ANOTHER SERVER: {elsewhere}")
    by_script = [one for one in loaded if one.kind in {"Fetch", "XHR"}]
    fonts = [one for one in loaded if one.kind == "Font"]
    first = [one for one in loaded if one not in [*by_script, *fonts]]
    following = [one for one in by_script if one.url.endswith("/2/")]
    print(f"weight of a page of {len(link.pages[0])} words, all from this server")
    say_weight("first page, empty cache", first, FIRST_PAGE_KB)
    say_weight("next page", following, NEXT_PAGE_KB)
    say_weight("fonts", fonts)


def say_weight(what: str, transfers: Sequence[Transfer], target_kb: float | None = None) -> None:
    size_kb = sum(one.size for one in transfers) / 1000
    verdict = (
        f", {'under' if size_kb <= target_kb else 'NOT UNDER'} {target_kb}" if target_kb else ""
    )
    print(f"  {what}: {size_kb:.1f} kB{verdict}; {len(transfers)} requests")
    for one in sorted(transfers, key=lambda one: -one.size):
        print(f"    {one.size / 1000:6.1f} {one.kind} {urlsplit(one.url).path.rpartition('/')[2]}")


def loaded_by_chromium(task: str) -> list[Transfer]:
    """Return what is loaded for the first page of a task and, ahead of its time, the next one."""
    loaded: dict[str, Transfer] = {}

    def begin(event: dict[str, Any]) -> None:
        loaded[event["requestId"]] = Transfer(event["request"]["url"], event["type"])

    def end(event: dict[str, Any]) -> None:
        loaded[event["requestId"]].size = event["encodedDataLength"]

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
        page = browser.new_page()
        network = page.context.new_cdp_session(page)
        network.on("Network.requestWillBeSent", begin)
        network.on("Network.loadingFinished", end)
        network.send("Network.enable")
        with page.expect_response("**/2/"):
            page.goto(f"{task}/1/")
        page.wait_for_load_state("networkidle")
        browser.close()
    return list(loaded.values())


# --- Time ----------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """What one request took, in milliseconds."""

    request: str
    server: float
    processor: float
    client: float


class Person:
    """An annotator at work, with a connection that is kept, as browsers do."""

    def __init__(self, link: Link, port: int) -> None:
        self._link, self._port = link, port
        self._random = random.Random(link.path)  # noqa: S311

    def work(self, *, think_s: float, begin: float, until: float) -> list[Sample]:
        """Return what each request took in this time, one page after the other."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        samples = []
        time.sleep(self._random.uniform(0, max(0.0, begin - time.monotonic())))
        for request, method, path, body in self._clicks():
            time.sleep(think_s * self._random.uniform(0.5, 1.5))
            if (now := time.monotonic()) > until:
                break
            sample = self._send(connection, request, method, path, body)
            if now >= begin:
                samples.append(sample)
        connection.close()
        return samples

    def _clicks(self) -> Iterator[tuple[str, str, str, dict[str, object] | None]]:
        verdicts = cycle([Verdict.ACCEPT, Verdict.REJECT, Verdict.LEAVE])
        for position, pairs in cycle(enumerate(self._link.pages, start=1)):
            yield "keyword page", "GET", f"/{position}/", None
            for pair in self._random.sample(pairs, LETTERS_A_PAGE):
                letters = [letter(pair, next(verdicts))]
                yield "answer", "POST", "/answers", {"letters": letters, "position": position}
            prefix = self._random.choice(SYLLABLES)
            yield "word search", "GET", f"/words?side=target&q={prefix}", None

    def _send(
        self,
        connection: HTTPConnection,
        request: str,
        method: str,
        path: str,
        body: dict[str, object] | None,
    ) -> Sample:
        headers = {"Accept-Encoding": "gzip", "Content-Type": "application/json"}
        began_s = time.perf_counter()
        connection.request(
            method, self._link.path + path, json.dumps(body) if body else None, headers
        )
        answer = connection.getresponse()
        answer.read()
        client_ms = 1000 * (time.perf_counter() - began_s)
        if answer.status != 200:
            raise SystemExit(f"{request}: {answer.status}")
        server_ms, processor_ms = map(float, DURATION.findall(answer.headers["Server-Timing"]))
        return Sample(request, server_ms, processor_ms, client_ms)


def report_times(people: Sequence[Person], *, think_s: float, seconds: float) -> None:
    """Print what requests take with one person at work and with all."""
    busy = os.getloadavg()[0]  # above the processors, times say more of other work than of ours
    print(f"times; before them, {busy:.1f} processes were busy on {os.cpu_count()} processors")
    alone = at_work(people[:1], think_s=0, seconds=seconds / 3)
    say_times("one annotator", alone, seconds / 3)
    together = at_work(people, think_s=think_s, seconds=seconds)
    say_times(f"{len(people)} annotators, a click every {think_s:g} s", together, seconds)
    for request in sorted({*kinds(alone)} & {*kinds(together)}):
        ratio = quantiles(together, request, "server")[1] / quantiles(alone, request, "server")[1]
        print(f"  {request}: p95 on the server {ratio:.1f} × that of one annotator")
    worst = max(quantiles(together, request, "server")[1] for request in kinds(together))
    print(f"worst p95 {worst:.0f} ms, {'under' if worst <= SERVER_MS else 'NOT UNDER'} {SERVER_MS}")


def at_work(people: Sequence[Person], *, think_s: float, seconds: float) -> list[Sample]:
    """Return what all requests of people took who work at the same time."""
    begin = time.monotonic() + think_s * (LETTERS_A_PAGE + 2)
    until = begin + seconds
    with ThreadPoolExecutor(len(people)) as pool:
        work = [pool.submit(one.work, think_s=think_s, begin=begin, until=until) for one in people]
        return [sample for one in work for sample in one.result()]


def say_times(who: str, samples: Sequence[Sample], seconds: float) -> None:
    print(f"{who}: {len(samples) / seconds:.1f} requests/s; ms at p50, p95, p99")
    for request in kinds(samples):
        times = ", ".join(
            f"{where} " + " / ".join(f"{ms:.1f}" for ms in quantiles(samples, request, where))
            for where in ("server", "processor", "client")
        )
        count = sum(sample.request == request for sample in samples)
        print(f"  {request} ({count}): {times}")


def kinds(samples: Sequence[Sample]) -> list[str]:
    return sorted({sample.request for sample in samples})


def quantiles(samples: Sequence[Sample], request: str, where: str) -> list[float]:
    """Return the 50th, 95th and 99th percentile of a request's times."""
    times = [getattr(sample, where) for sample in samples if sample.request == request]
    return [float(one) for one in np.percentile(times, [50, 95, 99])]


if __name__ == "__main__":
    main()
