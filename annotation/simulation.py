"""Simulated annotators who work through the task pages, as a browser without JavaScript would.

They see what a person sees: words, texts and buttons. What they know comes from outside.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from annotation.html_tree import Element, parse
from models_ml.core.answer_forms import GRADES
from models_ml.core.embeddings import Side
from models_ml.core.simulation import SimulatedAnnotator, Verdict

_LOOK_AGAIN_S = 1.0
# What simulated annotators know is not graded: they choose the ends of the scale.
_STEPS = {Verdict.ACCEPT: str(GRADES[-1]), Verdict.REJECT: str(GRADES[0])}


class CrowdError(Exception):
    """The server cannot be reached, or a page is not as it should be; the message says which."""


@dataclass(frozen=True)
class Page:
    """What a server answered, and at which address after redirects."""

    url: str
    tree: Element


class Browser:
    """Fetches pages, presses buttons and follows redirects; keeps no cookie."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # Straight to the server: a proxy in the environment is for the world outside.
        self._opener = build_opener(ProxyHandler({}))

    def get(self, url: str, **fields: str) -> Page:
        """Return the page at an address, or the answer to a search form."""
        return self._open(Request(f"{url}?{urlencode(fields)}" if fields else url))  # noqa: S310

    def press(self, page: Page, form: Element, button: Element | None = None) -> Page:
        """Return the page that follows from sending a form by one of its buttons."""
        fields = [(i["name"], i.get("value")) for i in form.find_all("input") if "name" in i]
        if button is not None and "name" in button:
            fields.append((button["name"], button.get("value")))
        address = urljoin(page.url, form.get("action", page.url))
        return self._open(Request(address, data=urlencode(fields).encode()))  # noqa: S310

    def follow(self, page: Page, anchor: Element) -> Page:
        """Return the page behind a link."""
        return self.get(urljoin(page.url, anchor["href"]))

    def _open(self, request: Request) -> Page:
        address = request.full_url
        if urlsplit(address).scheme not in {"http", "https"}:
            raise CrowdError(f"{address} is not an http address")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return Page(answer.url, parse(answer.read().decode()))
        except HTTPError as error:
            heading = parse(error.read().decode(errors="replace")).find("h1")
            said = f": {heading.text}" if heading else ""
            raise CrowdError(f"{address} answered {error.code}{said}") from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise CrowdError(
                f"No answer from {address} ({reason}). Is the server running there?"
            ) from error


@dataclass
class Work:
    """What one annotator did, and the completion code of each part."""

    accepted: int = 0
    rejected: int = 0
    added: int = 0
    labelled: int = 0
    codes: tuple[str, ...] = ()
    sessions: int = 1

    @property
    def judgements(self) -> int:
        return self.accepted + self.rejected + self.added


@dataclass(frozen=True)
class TrueLabel:
    """A document's number in its file, and its label."""

    number: int
    label: int


class CrowdWorker:
    """An annotator at a browser: from the link, through every page, to the completion code."""

    def __init__(
        self,
        annotator: SimulatedAnnotator,
        *,
        true_labels: Mapping[int, TrueLabel],
        categories: int,
        timeout_s: float = 30,
        patience_s: float = 3600,
    ) -> None:
        """true_labels: by the document's id on its page; texts without one are left.

        timeout_s: for each page; patience_s: for a next session, while it is being prepared.
        """
        self._annotator, self._true_labels = annotator, true_labels
        self._categories = categories
        self._browser, self._patience_s = Browser(timeout_s=timeout_s), patience_s

    def work(self, link: str, *, sessions: int = 1) -> Work:
        """Return what was done behind a link: all parts of it, and as many sessions as are offered.

        sessions: how many at most. Raises CrowdError.
        """
        work = Work()
        page = self._browser.get(link)
        while True:
            page = self._do_part(page, work)
            code = _need(page, "samp")
            work.codes += (code.text,)
            onward = _onward(page, "part")
            if onward is None and work.sessions < sessions:
                page = self._await_session(page)
                onward = _onward(page, "session")
                work.sessions += onward is not None
            if onward is None:
                return work
            page = self._browser.follow(page, onward)

    def _await_session(self, page: Page) -> Page:
        """Return the page once the next session is no longer being prepared."""
        deadline = time.monotonic() + self._patience_s
        while page.tree.find("div", data_next="preparing"):
            if time.monotonic() > deadline:
                raise CrowdError(f"{page.url}: no next session within {self._patience_s:g} s")
            time.sleep(_LOOK_AGAIN_S)
            page = self._browser.get(page.url)
        return page

    def _do_part(self, page: Page, work: Work) -> Page:
        """Return the page with the completion code."""
        if page.tree.find(id="task") is None and page.tree.find("samp") is None:
            page = self._agree(page)
        while task := page.tree.find(id="task"):
            if "data-keyword" in task:
                page = self._answer_keyword(page, work)
            else:
                page = self._label_document(page, int(task["data-document"]), work)
            page = self._browser.follow(page, _need(page, "a", rel="next"))
        if submit := page.tree.find("form", cls="submit"):
            page = self._browser.press(page, submit, submit.find("button"))
        return page

    def _agree(self, page: Page) -> Page:
        """Consent and begin where one is asked to; who did before goes on where they were."""
        for step in ("agree", "begin"):
            if form := page.tree.find("form", cls=step):
                page = self._browser.press(page, form, form.find("button"))
        return page

    # --- Keywords ---

    def _answer_keyword(self, page: Page, work: Work) -> Page:
        keyword = _need(page, "h1").text
        target_verdicts: dict[str, Verdict] = {}
        for side, word_id, word in list(_shown_words(page)):
            row = _row(page, word_id)
            if "data-added" in row:  # their own word, added before
                verdict = Verdict(row["data-verdict"])
            else:
                verdict = self._annotator.judge(keyword, word, side)
                page = self._give_verdict(page, word_id, verdict, work)
            if side is Side.TARGET:
                target_verdicts[word] = verdict
        return self._add_translation(page, keyword, target_verdicts, work)

    def _give_verdict(self, page: Page, word_id: str, verdict: Verdict, work: Work) -> Page:
        row = _row(page, word_id)
        if verdict is Verdict.LEAVE or row["data-verdict"] == verdict:
            return page
        form = row.find("form")
        button = row.find("button", data_verdict=verdict.value)
        button = button or row.find("button", data_grade=_STEPS[verdict])
        if form is None or button is None:
            raise CrowdError(f"{page.url} has no button to {verdict} {row.text!r}")
        page = self._browser.press(page, form, button)
        if _row(page, word_id)["data-verdict"] != verdict:
            raise CrowdError(f"{page.url} does not show that {row.text!r} was answered")
        work.accepted += verdict is Verdict.ACCEPT
        work.rejected += verdict is Verdict.REJECT
        return page

    def _add_translation(
        self, page: Page, keyword: str, target_verdicts: Mapping[str, Verdict], work: Work
    ) -> Page:
        """Look for the keyword's translation and add it, where no target word was accepted."""
        found: dict[str, tuple[Page, Element]] = {}

        def is_found(word: str) -> bool:
            answer = self._search(page, word)
            for form in _results(answer):
                found[form.text] = (answer, form)
            return word in found

        word = self._annotator.added_translation(keyword, target_verdicts, is_found)
        if word is None:
            return page
        answer, form = found[word]
        work.added += 1
        return self._browser.press(answer, form, form.find("button"))

    def _search(self, page: Page, word: str) -> Page:
        form = _need(page, "form", id=f"add-{Side.TARGET}")
        side = form.find("input", name="side")
        fields = {"side": side.get("value") if side else "", "q": word}
        return self._browser.get(urljoin(page.url, form.get("action")).partition("#")[0], **fields)

    # --- Documents ---

    def _label_document(self, page: Page, document_id: int, work: Work) -> Page:
        truth = self._true_labels.get(document_id)
        given = "none"
        if truth is not None:
            label = self._annotator.label(truth.number, truth.label, labels=self._categories)
            given = str(label)
            work.labelled += 1
        form = _need(page, "form", id="answers")
        button = form.find("button", name="label", value=given)
        if button is None:
            raise CrowdError(f"{page.url} has no button for label {given}")
        return self._browser.press(page, form, button)


def _need(page: Page, tag: str, /, **attributes: str) -> Element:
    element = page.tree.find(tag, **attributes)
    if element is None:
        described = " ".join([tag, *(f"{name}={value}" for name, value in attributes.items())])
        raise CrowdError(f"{page.url} has no <{described}>")
    return element


def _row(page: Page, word_id: str) -> Element:
    return _need(page, "li", data_word=word_id)


def _shown_words(page: Page) -> Iterator[tuple[Side, str, str]]:
    """Yield side, id and spelling of the words beside a keyword."""
    for column in page.tree.find_all("section", cls="column"):
        for row in column.find_all("li", cls="row"):
            word = row.find("a", cls="word")
            yield Side(column["data-side"]), row["data-word"], word.text if word else ""


def _results(page: Page) -> Iterator[Element]:
    """Yield the form of each word that a search found; its text is the word."""
    for found in page.tree.find_all("ul", cls="results"):
        yield from found.find_all("form")


def _onward(page: Page, what: str) -> Element | None:
    """Return the link to the next `part` or `session`, where there is one."""
    note = page.tree.find("div", data_next=what)
    return note.find("a") if note else None
