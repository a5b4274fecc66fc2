"""Content-addressed files: written once under the hash of their bytes, read from the local disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from models_ml.models import Artefact


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put(path: Path, *, suffix: str) -> Artefact:
    """Return the artefact with a local file's bytes, stored now unless the storage has them."""
    artefact = Artefact(sha256=_sha256(path), suffix=suffix, size=path.stat().st_size)
    known = Artefact.objects.filter(sha256=artefact.sha256).first()
    artefact = known or artefact
    name = artefact.path
    if default_storage.exists(name) and default_storage.size(name) != artefact.size:
        default_storage.delete(name)  # a writer died half-way
    if not default_storage.exists(name):
        with path.open("rb") as file:
            stored = default_storage.save(name, File(file))
        if stored != name:  # another worker stored the same bytes meanwhile
            default_storage.delete(stored)
    if known:
        return known
    return Artefact.objects.get_or_create(
        sha256=artefact.sha256, defaults={"suffix": suffix, "size": artefact.size}
    )[0]


@contextmanager
def new_file(suffix: str) -> Iterator[Path]:
    """Give the path of an empty scratch file to write an artefact to; it is deleted at the end."""
    handle, name = tempfile.mkstemp(suffix=suffix)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def local_path(artefact: Artefact) -> Path:
    """Return where an artefact's bytes lie on this machine, fetched first if they lie elsewhere.

    Raises FileNotFoundError where the storage has lost it.
    """
    try:
        path = Path(default_storage.path(artefact.path))
    except NotImplementedError:
        return _fetched(artefact)
    if not path.is_file():
        raise FileNotFoundError(f"artefact {artefact.path} is missing from the storage")
    return path


def _fetched(artefact: Artefact) -> Path:
    cached: Path = settings.ARTEFACT_CACHE_DIR / artefact.path
    if cached.is_file() and cached.stat().st_size == artefact.size:
        return cached
    cached.parent.mkdir(parents=True, exist_ok=True)
    with (
        default_storage.open(artefact.path, "rb") as stored,
        tempfile.NamedTemporaryFile(dir=cached.parent, delete=False) as scratch,
    ):
        for chunk in stored.chunks():
            scratch.write(chunk)
    arrived = Path(scratch.name)
    if _sha256(arrived) != artefact.sha256:
        arrived.unlink()
        raise FileNotFoundError(f"artefact {artefact.path} arrived damaged from the storage")
    arrived.replace(cached)  # at once, so that no other worker maps half a file
    return cached
