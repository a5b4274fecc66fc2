"""A running Prolific, which the settings point to."""

import pytest
from django.utils import timezone

from tests.stand_ins.prolific import Prolific


@pytest.fixture
def there(settings):
    """Give a running stand-in with 1,000 pounds; all calls of the product go there."""
    with Prolific() as running:
        settings.PUBLIC_BASE_URL = "https://clime.test"
        settings.ALLOWED_HOSTS = ["clime.test", "testserver"]
        settings.PROLIFIC_API_URL = running.url
        settings.PROLIFIC_TOKEN = running.token
        settings.PROLIFIC_PROJECT = running.world.project_id
        settings.PROLIFIC_WEBHOOK_SECRET = "a-secret-of-tests"
        running.world.now = timezone.now().replace(microsecond=0)
        running.world.secret = settings.PROLIFIC_WEBHOOK_SECRET
        yield running
