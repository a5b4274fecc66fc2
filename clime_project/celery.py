"""The Celery application. Workers and beat start from here: `celery -A clime_project.celery …`."""

import os

from celery import Celery

from clime_project.supervision import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clime_project.settings")
end_with_parent()
app = Celery("clime_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
