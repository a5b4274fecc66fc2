"""What every test has: a database file of its own, no broker, no collected static files."""

import pytest
from celery import current_app
from django.db import connections
from django.test import override_settings

from tests.tiny import tiny_dataset_folder, tiny_embedding  # noqa: F401 - fixtures for all


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """Keep SQLite in a file: threads and other processes then open it as they do outside tests."""
    where = connections["default"].settings_dict
    if "sqlite" in where["ENGINE"]:
        where["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def settings_of_all_tests(tmp_path_factory):
    """Keep artefacts apart, serve static files from where they are, hash passwords quickly, and
    send jobs over Celery's in-memory broker: no worker of a running demo may find them."""
    # The address to write to, since Celery prefers CELERY_BROKER_URL to its own `broker_url`.
    current_app.conf.update(broker_write_url="memory://", broker_transport_options={})
    storages = {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path_factory.mktemp("artefacts")},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    with override_settings(
        STORAGES=storages,
        WHITENOISE_AUTOREFRESH=True,
        WHITENOISE_USE_FINDERS=True,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ):
        yield
