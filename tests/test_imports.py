"""The house: imports run one way, and the web process stays without torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
# Each room, and the rooms that it may import from.
MAY_IMPORT = {
    "models_ml/core": {"models_ml.core"},
    "models_ml": {"models_ml"},
    "tasks": {"tasks", "models_ml"},
    "annotation": {"annotation", "tasks", "models_ml"},
    "clime_project": {"clime_project", "annotation", "tasks", "models_ml"},
}
ROOMS = ("models_ml", "tasks", "annotation", "clime_project")


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room):
    wrong = [
        f"{path.relative_to(HOME)} imports {module}"
        for path in sorted((HOME / room).rglob("*.py"))
        for module in imported_modules(path)
        if module.split(".")[0] in ROOMS
        and not any(module == ok or module.startswith(f"{ok}.") for ok in MAY_IMPORT[room])
    ]
    assert wrong == []


def test_the_core_knows_no_django():
    core = (HOME / "models_ml" / "core").rglob("*.py")
    known = {module.split(".")[0] for path in core for module in imported_modules(path)}
    assert not known & {"django", "celery", "rest_framework", "boto3"}


def test_the_web_process_never_imports_torch():
    script = (
        "import sys; from clime_project import wsgi; from django.urls import get_resolver;"
        "get_resolver().url_patterns; from django.contrib import admin; admin.autodiscover();"
        "from django.core.checks import run_checks; run_checks();"
        "sys.exit(' '.join(sorted({'torch', 'scipy', 'sklearn'} & set(sys.modules))) or 0)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, cwd=HOME, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
