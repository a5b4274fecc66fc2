"""A running Mechanical Turk stand-in, real boto3 before it, and HITs to try it with."""

import boto3
import pytest
from botocore.config import Config

from tests.stand_ins.mturk import MTurk
from tests.stand_ins.mturk.checks import EXTERNAL

PATIENCE_S = 10


@pytest.fixture
def mturk():
    with MTurk(balance_cents=100_00) as running:
        yield running


@pytest.fixture
def connect(mturk):
    """Return a function that makes clients, by default ones that never repeat a call."""
    clients = []

    def connect(*, attempts=1, **options):
        settings = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            connect_timeout=PATIENCE_S,
            read_timeout=PATIENCE_S,
        )
        keys = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
        where = {"endpoint_url": mturk.url, "region_name": "us-east-1"}
        client = boto3.client("mturk", config=settings, **{**keys, **where, **options})
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture
def hit_parameters():
    """Return what a HIT of one assignment at 50 cents needs."""
    return {
        "Title": "Which words mean the same?",
        "Description": "Judge words of two languages.",
        "Reward": "0.50",
        "AssignmentDurationInSeconds": 3600,
        "AutoApprovalDelayInSeconds": 86_400,
        "LifetimeInSeconds": 7 * 86_400,
        "MaxAssignments": 1,
        "Question": question("https://clime.test/turk?hit=1&amp;mac=ab"),
    }


def question(url, *, height="0"):
    return (
        f'<ExternalQuestion xmlns="{EXTERNAL}"><ExternalURL>{url}</ExternalURL>'
        f"<FrameHeight>{height}</FrameHeight></ExternalQuestion>"
    )


@pytest.fixture
def make_hit(client, hit_parameters):
    """Return a function that creates a HIT, changed as asked, and returns its id."""

    def make_hit(**changes):
        return client.create_hit(**{**hit_parameters, **changes})["HIT"]["HITId"]

    return make_hit
