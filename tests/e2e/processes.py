"""Other processes beside a test: what they are told, and waiting for them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from models_ml.models import Job

HOME = Path(__file__).resolve().parents[2]


def database_url():
    """Return the address of the test database, for another process."""
    where = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{where['NAME']}"
    login = f"{where['USER']}:{where['PASSWORD']}" if where["PASSWORD"] else where["USER"]
    return f"postgres://{login}@{where['HOST']}:{where['PORT']}/{where['NAME']}"


def tell(environment, statement):
    """Run a statement in another process, as the web server or beat would."""
    script = f"import django; django.setup(); from models_ml import jobs; {statement}"
    env = environment | {"DJANGO_SETTINGS_MODULE": "clime_project.settings"}
    subprocess.run([sys.executable, "-c", script], cwd=HOME, env=env, check=True)


def wait_for(condition, *, timeout_s, what):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"{what} did not happen within {timeout_s} s: {list(Job.objects.values())}")
