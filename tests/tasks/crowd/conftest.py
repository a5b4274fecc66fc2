"""A running Mechanical Turk, which the settings point to, and projects to publish there."""

import pytest

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
        yield running


@pytest.fixture
def project(db):
    """Give a project whose HIT five people are to answer, at 50 cents each."""
    project = make_project(overlap=5)
    project.offers.create(platform="mturk", reward_cents=50)
    return project
