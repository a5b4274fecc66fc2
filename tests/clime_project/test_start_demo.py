"""The demo's login: made once, noted, and never taken from somebody who has it."""

import pytest
from django.contrib.auth import get_user_model

from clime_project.management.commands.start_demo import MANAGER, Command

pytestmark = pytest.mark.django_db


@pytest.fixture
def password(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return Command()._manager_password


def the_manager():
    return get_user_model().objects.get(username=MANAGER)


def test_a_second_start_prints_the_first_ones_password(password, tmp_path):
    made = password()
    assert password() == made
    assert the_manager().check_password(made)
    assert (tmp_path / "manager-password").stat().st_mode & 0o077 == 0


def test_a_manager_with_a_password_of_their_own_is_left_alone(password):
    users = get_user_model().objects
    before = users.create_superuser(MANAGER, password="their own secret")
    assert "was set" in password()
    assert the_manager().pk == before.pk
    assert the_manager().check_password("their own secret")
