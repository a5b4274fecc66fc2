"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from tasks.platforms.mturk import hooks as mturk_hooks
from tasks.platforms.prolific import hooks as prolific_hooks

admin.site.site_header = admin.site.site_title = "CLIME"
admin.site.index_title = "Projects and their work"
admin.site.site_url = None  # "View site" would lead back here
admin.site.enable_nav_sidebar = False  # lists need the width

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("annotation.urls")),
    path("reports/", include("annotation.reporting.urls")),
    path("api/", include("annotation.reporting.api_urls")),
    path("hooks/prolific/", prolific_hooks.receive, name="prolific_hook"),
    path("hooks/mturk/sns/", mturk_hooks.receive, name="mturk_hook"),
    path("admin/", admin.site.urls),
]
