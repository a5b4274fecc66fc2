"""Artefacts: named by their content, stored once, whole or not at all."""

import hashlib

import pytest
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
