"""A tiny project that was prepared, and no broker."""

import pytest

from clime_project import pipeline
from models_ml import jobs
from tasks.importing import import_project
from tasks.models import Project
from tests.clime_project.loop import quiet


@pytest.fixture
def unsent(monkeypatch):
    """Send no message: tests do the jobs themselves."""
    monkeypatch.setattr(jobs, "send", lambda job: None)


@pytest.fixture
def prepare(unsent, tiny_dataset_folder):
    """Give a function that makes and prepares a project of three keywords in two sessions."""

    def make(**fields):
        project = import_project(tiny_dataset_folder, report=quiet)
        wanted = {
            "keyword_count": 3,
            "neighbour_count": 2,
            "seeds": 2,
            "curve_step": 0,
            "method": "spectral",
            "session_count": 2,
            "overlap": 9,
        }
        Project.objects.filter(pk=project.pk).update(**wanted | fields)
        pipeline.prepare_project(project.pk, quiet)
        project.refresh_from_db()
        return project

    return make
