"""An annotator with a link."""

import pytest

from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project


@pytest.fixture
def project(db):
    return make_project()


@pytest.fixture
def newcomer(project):
    """Someone who has not agreed yet."""
    return Visitor(make_link(project))


@pytest.fixture
def visitor(newcomer):
    """Someone who agreed to take part in a project of three keywords."""
    newcomer.agree()
    return newcomer


@pytest.fixture
def visitor_of(db):
    """Give a function that makes someone who agreed to take part in a project."""

    def make(project, worker_id="amina"):
        visitor = Visitor(make_link(project, worker_id))
        visitor.agree()
        return visitor

    return make
