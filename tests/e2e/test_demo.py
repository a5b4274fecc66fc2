"""`./run demo` as a newcomer uses it: one command, a crowd, reports, and nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from django.conf import settings as django_settings

HOME = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.e2e


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Give variables for a demo of its own, on the kind of database that the tests run on."""
    data = tmp_path_factory.mktemp("demo")
    variables = os.environ | {"CLIME_DATA_DIR": str(data)}
    where = django_settings.DATABASES["default"]
    if "sqlite" in where["ENGINE"]:
        yield variables | {"DATABASE_URL": f"sqlite:///{data / 'clime.sqlite3'}"}
        return
    name = f"clime_demo_{os.getpid()}"
    server = f"postgres://{where['USER']}@{where['HOST']}:{where['PORT']}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield variables | {"DATABASE_URL": f"{server}/{name}"}
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Demo:
    """A running `./run demo`."""

    def __init__(self, environment, port):
        self.url = f"http://127.0.0.1:{port}"
        self.environment = environment
        self.log = Path(environment["CLIME_DATA_DIR"]) / "terminal.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, HOME / "run", "demo", "--port", str(port), "--workers", "2"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def printed(self, pattern, *, timeout_s):
        """Return what a pattern finds in the terminal's text, waiting for it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace")
            if found := re.search(pattern, text):
                return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        pytest.fail(f"{pattern!r} was not printed:\n{self.log.read_text(errors='replace')}")

    def children(self):
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout.split()
        pairs = zip(listing[::2], listing[1::2], strict=True)
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]

    def manage(self, *arguments):
        result = subprocess.run(
            [sys.executable, HOME / "run", "manage", *arguments],
            env=self.environment | {"SITE_URL": self.url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def logged_in(demo, password):
    """Return an opener that is logged in to the admin."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = opener.open(f"{demo.url}/admin/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    form = {"username": "manager", "password": password, "csrfmiddlewaretoken": token}
    opener.open(f"{demo.url}/admin/login/", urlencode(form).encode())
    return opener


def finished_report(opener, url, *, timeout_s):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        report = json.load(opener.open(url))
        if report["arms"] and all(arm["mean"] is not None for arm in report["arms"]):
            return report
        time.sleep(1)
    pytest.fail(f"the report is not finished: {report}")


def test_the_demo_walks_the_whole_loop_and_ends_cleanly(environment):
    port = free_port()
    demo = Demo(environment, port)
    link = demo.printed(r"an annotator's task\s+(\S+)", timeout_s=120)
    password = demo.printed(r"password: (\S+)", timeout_s=5)
    slug = demo.printed(r"the report\s+\S+/reports/projects/([^/\s]+)/", timeout_s=5)
    assert urllib.request.urlopen(link).status == 200

    crowd = demo.manage("simulate_crowd", slug, "--annotators", "2", "--url", demo.url)
    reports = re.findall(r"/reports/sessions/\d+/", crowd)
    assert len(reports) == 2
    opener = logged_in(demo, password)
    for path in reports:
        report = finished_report(opener, f"{demo.url}{path}report.json", timeout_s=240)
        assert [arm["arm"] for arm in report["arms"]] == ["base", "clime"]
        assert all(0 <= arm["mean"] <= 1 for arm in report["arms"])

    children = demo.children()
    assert len(children) >= 4
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(timeout=15) == 0
    assert not any(map(is_running, children))

    again = Demo(environment, port)
    assert again.printed(r"an annotator's task\s+(\S+)", timeout_s=60) == link
    children = again.children()
    assert len(children) >= 4
    again.process.kill()
    again.process.wait()
    deadline = time.monotonic() + 10
    while any(map(is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, children)), "a killed parent left orphans"
