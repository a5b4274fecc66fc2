"""Direct links: signed, revocable, one person's."""

import pytest

from tasks import services
from tasks.models import Assignment, AssignmentState
from tasks.platforms import UnknownAssignment
from tasks.platforms.direct import DirectLink
from tests.factories import make_project

pytestmark = pytest.mark.django_db
PLATFORM = DirectLink()


@pytest.fixture
def assignment():
    return services.make_links(make_project(), ["amina"])[0]


def test_a_link_leads_back_to_its_assignment(assignment):
    assert PLATFORM.identify(PLATFORM.token(assignment)) == assignment


@pytest.mark.parametrize("token", ["", "1-1", "1-1~", "1-1~forged", "~", "x~y~z"])
def test_a_forged_link_is_unknown(assignment, token):
    with pytest.raises(UnknownAssignment):
        PLATFORM.identify(token)


def test_another_assignments_number_does_not_fit_the_signature(assignment):
    claim, signature = PLATFORM.token(assignment).split("~")
    number, version = claim.split("-")
    with pytest.raises(UnknownAssignment):
        PLATFORM.identify(f"{int(number) + 1}-{version}~{signature}")


def test_a_new_link_ends_the_older_one(assignment):
    old = PLATFORM.token(assignment)
    Assignment.objects.update(link_version=2)
    assignment.refresh_from_db()
    with pytest.raises(UnknownAssignment):
        PLATFORM.identify(old)
    assert PLATFORM.identify(PLATFORM.token(assignment)) == assignment


def test_a_revoked_place_is_free_again(assignment):
    project = assignment.hit.project
    before = services.free_places(project)
    assert services.revoke(assignment)
    assert services.free_places(project) == before + 1
    assignment.refresh_from_db()
    assert assignment.state == AssignmentState.REVOKED
    assert not services.submit(assignment)
