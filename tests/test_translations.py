"""The catalogues of the task pages: complete, as the code now reads, and compiled."""

import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

HOME = Path(__file__).resolve().parents[1]
LANGUAGES = sorted(code for code, _ in settings.LANGUAGES if code != "en")
PLACEHOLDER = re.compile(r"%\(\w+\)s|<[^>]+>")


def catalogue(language, folder=HOME):
    return folder / "locale" / language / "LC_MESSAGES" / "django.po"


@pytest.fixture(scope="module", autouse=True)
def gettext_tools():
    """Skip where GNU gettext is missing; in CI that is a failure."""
    if shutil.which("msgfmt") and shutil.which("xgettext"):
        return
    missing = "GNU gettext was not found: install it (Debian: apt-get install gettext)"
    (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


def compiled(path, into):
    """Compile a catalogue, as strictly as gettext can, and return what it says of it."""
    command = ["msgfmt", "--check", "--statistics", "--output-file", into, path]
    env = os.environ | {"LANG": "C"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stderr


def messages(path):
    """Return what a compiled catalogue says, but for its header."""
    with path.open("rb") as file:
        found = dict(gettext.GNUTranslations(file)._catalog)
    found.pop("", None)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_and_what_is_used_is_what_was_compiled(language, tmp_path):
    path = catalogue(language)
    said = compiled(path, tmp_path / "fresh.mo")
    assert "untranslated" not in said, said
    assert "fuzzy" not in said, said
    assert messages(path.with_suffix(".mo")) == messages(tmp_path / "fresh.mo")


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_placeholders_and_elements(language, tmp_path):
    compiled(catalogue(language), tmp_path / "fresh.mo")
    for key, text in messages(tmp_path / "fresh.mo").items():
        original, form = key if isinstance(key, tuple) else (key, None)
        if form is None:  # of a plural, one form may write the number out
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(original)), text


def test_the_catalogues_hold_just_what_the_code_says(tmp_path):
    for room in ("annotation", "tasks", "models_ml", "clime_project", "templates", "locale"):
        shutil.copytree(HOME / room, tmp_path / room)
    shutil.copy(HOME / "manage.py", tmp_path)
    # As docs/task_pages.md has it; messages that are no longer used are dropped.
    command = [sys.executable, "manage.py", "makemessages", "--all", "--no-location", "--no-wrap"]
    options = ["--ignore", "templates/admin/*", "--no-obsolete"]
    env = os.environ | {"SECRET_KEY": "x" * 40, "CLIME_DATA_DIR": str(tmp_path / "var")}
    subprocess.run([*command, *options], cwd=tmp_path, env=env, check=True, capture_output=True)
    for language in LANGUAGES:
        fresh, stored = (
            re.findall(r'^msgid .*(?:\n".*)*', catalogue(language, folder).read_text(), re.M)
            for folder in (tmp_path, HOME)
        )
        assert sorted(fresh) == sorted(stored), language
