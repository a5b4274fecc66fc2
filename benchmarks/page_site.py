"""The site as production serves it, for `annotator_pages.py`: import this before any model.

Its database is its own and dropped afterwards: beside the one in DATABASE_URL, or else in SQLite.
"""

from __future__ import annotations

import os
import tempfile

# Django reads these as it is set up, which the import of `clime_project.wsgi` below does.
os.environ["CLIME_DATA_DIR"] = tempfile.mkdtemp(prefix="clime-pages-")
os.environ["DEBUG"] = "0"
os.environ["SITE_URL"] = "http://127.0.0.1"

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection

import clime_project.wsgi  # noqa: F401

DATABASE = "clime_bench_pages"
THREADS = 8  # as in `./run demo`
CONNECTIONS = 1000  # browsers keep theirs: of waitress's own 100, the 99th person gets none
PATIENCE_S = 30


@contextmanager
def own_site() -> Iterator[None]:
    """Give an empty database and the collected static files; afterwards, take both away."""
    where = connection.settings_dict
    usual = where["NAME"]
    on_sqlite = connection.vendor == "sqlite"
    where["TEST"]["NAME"] = str(settings.DATA_DIR / DATABASE) if on_sqlite else DATABASE
    call_command("collectstatic", interactive=False, verbosity=0)
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(usual, verbosity=0)
        shutil.rmtree(settings.DATA_DIR)


@contextmanager
def served(processes: int = 1) -> Iterator[list[int]]:
    """Give the ports of so many web processes, which end afterwards."""
    ports = _free_ports(processes)
    with ExitStack() as ends:
        for port in ports:
            ends.enter_context(_web_process(port))
        yield ports


def _free_ports(count: int) -> list[int]:
    with ExitStack() as ends:
        probes = [ends.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def _web_process(port: int) -> Iterator[None]:
    here = Path(__file__).parent
    flags = [f"--threads={THREADS}", f"--connection-limit={CONNECTIONS}"]
    command = [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", *flags]
    paths = {"PYTHONPATH": f"{here.parent}{os.pathsep}{here}", "DATABASE_URL": _database_url()}
    log = settings.DATA_DIR / f"web-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command, "timed_wsgi:application"], env=os.environ | paths, stderr=output
        )
    try:
        if not _is_reached(port, process):
            raise SystemExit(f"The web process does not start:\n{log.read_text()}")
        yield
    finally:
        process.terminate()
        process.wait()


def _database_url() -> str:
    """Return the address of the database in use, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"


def _is_reached(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until a process listens; False if it ended, or took too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False
