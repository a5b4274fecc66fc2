"""Someone at the task pages."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

from annotation.models import Session
from tests.factories import token_of


def letter(kind: str, *, saw: int = 0, at: float | None = None, **said: Any) -> dict[str, Any]:
    """Return a letter as a device writes it; at: seconds from now, negative for the past."""
    when = round((time.time() + (at or 0)) * 1000)
    return {"id": str(uuid.uuid4()), "at": when, "saw": saw, "kind": kind, **said}


@dataclass
class Visitor:
    """Someone who opens pages of their task, sends forms, and sends what the script would."""

    assignment: Any
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def url(self, path: str = "") -> str:
        return f"/t/{token_of(self.assignment)}/{path}"

    def get(self, path: str = "", **query: Any) -> HttpResponse:
        return self.client.get(self.url(path), query)

    def post(self, path: str, **form: Any) -> HttpResponse:
        return self.client.post(self.url(path), form)

    def send(self, path: str, **answer: Any) -> HttpResponse:
        return self.client.post(self.url(path), answer, content_type="application/json")

    def agree(self) -> None:
        text = self.assignment.hit.project.consent_fingerprint
        assert self.post("welcome/", text=text).status_code == 303
        assert self.post("practice/", end=1).status_code == 303

    def answer(self, kind: str, *, saw: int = 0, at: float | None = None, **said: Any) -> Any:
        """Send one letter and return its receipt; at: seconds from now, negative for the past."""
        return self.deliver(letter(kind, saw=saw, at=at, **said))[0]

    def deliver(self, *letters: Any) -> Any:
        """Send letters at once and return their receipts."""
        response = self.send("answers", letters=letters)
        assert response.status_code == 200, response.content
        return response.json()["receipts"]

    @property
    def session(self) -> Session:
        return Session.objects.of(self.assignment).get()

    def text(self, path: str = "", **query: Any) -> str:
        response = self.get(path, **query)
        assert response.status_code == 200
        return response.content.decode()

    def item(self, position: int) -> Any:
        return self.assignment.hit.items.get(position=position)
