"""A running Mechanical Turk, which the settings point to, and projects to publish there."""

from datetime import timedelta

import pytest
from botocore.retries.standard import ExponentialBackoff
from django.utils import timezone

from tasks.crowd import publishing
from tasks.models import Assignment
from tests.factories import make_project
from tests.stand_ins.mturk import MTurk


@pytest.fixture
def mturk(settings, monkeypatch):
    """Give a running stand-in with 100 dollars; all calls of the product go there."""
    with MTurk(balance_cents=100_00) as running:
        settings.PUBLIC_BASE_URL = "https://clime.test"
        settings.ALLOWED_HOSTS = ["clime.test", "testserver"]
        settings.MTURK_MODE = "sandbox"
        settings.MTURK_ENDPOINT_URL = running.url
        settings.MTURK_ACCOUNT = ""
        settings.MTURK_FRAME_HOSTS = [running.url]
        settings.MTURK_SUBMIT_HOSTS = [running.url]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        # boto3 repeats calls as often as ever, and does not wait between them.
        monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        yield running


@pytest.fixture
def project(db):
    """Give a project whose HIT five people are to answer, at 50 cents each."""
    project = make_project(overlap=5)
    project.offers.create(platform="mturk", reward_cents=50)
    return project


@pytest.fixture
def listing(mturk, project):
    """Give the project's five places, on offer there."""
    (listing,) = publishing.publish(project, "mturk")
    return listing


@pytest.fixture
def arrive(mturk, listing):
    """Give a function by which somebody takes a place and has finished the work here."""

    def arrive(worker_id="AMINA"):
        return Assignment.objects.create(
            hit=listing.hit,
            listing=listing,
            worker_id=worker_id,
            platform_id=mturk.accept(listing.platform_id, worker_id),
            state="submitted",
            submitted_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=3),
        )

    return arrive


@pytest.fixture
def hand_in(mturk, arrive):
    """Give a function by which somebody finishes the work and hands it in."""

    def hand_in(worker_id="AMINA"):
        assignment = arrive(worker_id)
        mturk.submit(assignment.platform_id, {"completionCode": assignment.completion_code})
        return assignment

    return hand_in


@pytest.fixture
def impatient(monkeypatch):
    """Let no call be repeated by boto3, so that what befalls one is what the product sees."""
    call = "tasks.platforms.mturk.client.Client.call"
    monkeypatch.setattr(f"{call}.__kwdefaults__", {"attempts": 1})
