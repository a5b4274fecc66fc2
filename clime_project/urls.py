"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("annotation.urls")),
    path("reports/", include("annotation.report_urls")),
    path("admin/", admin.site.urls),
]
