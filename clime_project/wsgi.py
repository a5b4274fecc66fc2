"""The web process. It never imports torch: what a page shows is already in the database."""

import os

from django.core.wsgi import get_wsgi_application

from clime_project.supervision import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clime_project.settings")
end_with_parent()
application = get_wsgi_application()
