"""Artefacts: named by their content, stored once, whole or not at all."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import default_storage

from models_ml import storage
from models_ml.models import Artefact

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "vectors.npy"
    path.write_bytes(b"some bytes")
    return path


def test_an_artefact_is_named_by_its_bytes_and_stored_once(file):
    artefact = storage.put(file, suffix=".npy")
    assert artefact.sha256 == hashlib.sha256(b"some bytes").hexdigest()
    assert storage.put(file, suffix=".npy") == artefact
    assert storage.local_path(artefact).read_bytes() == b"some bytes"


def test_half_a_file_of_a_dead_writer_is_replaced(file):
    artefact = storage.put(file, suffix=".npy")
    storage.local_path(artefact).write_bytes(b"some")
    storage.put(file, suffix=".npy")
    assert storage.local_path(artefact).read_bytes() == b"some bytes"


def test_a_lost_artefact_is_named(file):
    artefact = storage.put(file, suffix=".npy")
    default_storage.delete(artefact.path)
    with pytest.raises(FileNotFoundError, match=artefact.sha256):
        storage.local_path(artefact)


def test_a_scratch_file_does_not_outlive_its_use():
    with storage.new_file(".txt") as path:
        path.write_text("draft")
    assert not path.exists()
    assert not Artefact.objects.exists()


# --- A bucket elsewhere --------------------------------------------------------------------------


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as storing and fetching a file needs."""

    objects: ClassVar[dict[str, bytes]] = {}
    fetched: ClassVar[list[str]] = []

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            size, body = body.split(b"\r\n", 1)
            body = body[: int(size.split(b";")[0], 16)]
        self.objects[self.path] = body
        self.answer(200)

    def do_HEAD(self):
        self.answer(200 if self.path in self.objects else 404, self.objects.get(self.path, b""))

    def do_GET(self):
        self.fetched.append(self.path)
        self.answer(200, self.objects[self.path])
        self.wfile.write(self.objects[self.path])

    def do_DELETE(self):
        del self.objects[self.path]
        self.answer(204)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 12:00:00 GMT")
        self.end_headers()

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def bucket(settings, monkeypatch, tmp_path):
    """Keep artefacts in a bucket, which real boto3 reaches over HTTP."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setattr(Bucket, "objects", {})
    monkeypatch.setattr(Bucket, "fetched", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.ARTEFACT_CACHE_DIR = tmp_path / "cache"
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": "clime",
                "endpoint_url": f"http://127.0.0.1:{server.server_port}",
                "region_name": "eu-west-1",
                "file_overwrite": True,
            },
        }
    }
    yield Bucket
    server.shutdown()
    server.server_close()


def test_an_artefact_in_a_bucket_is_fetched_once_for_this_machine(bucket, file):
    artefact = storage.put(file, suffix=".npy")
    assert list(bucket.objects.values()) == [b"some bytes"]
    paths = {storage.local_path(artefact) for _ in range(2)}
    assert [path.read_bytes() for path in paths] == [b"some bytes"]
    assert len(bucket.fetched) == 1


def test_bytes_that_arrive_damaged_are_refused_and_not_kept(bucket, file):
    artefact = storage.put(file, suffix=".npy")
    for path in bucket.objects:
        bucket.objects[path] = b"SOME bytes"
    with pytest.raises(FileNotFoundError, match="damaged"):
        storage.local_path(artefact)
    kept = django_settings.ARTEFACT_CACHE_DIR.rglob("*")
    assert not [path for path in kept if path.is_file()]
