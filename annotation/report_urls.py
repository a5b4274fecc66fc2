from django.urls import path

from annotation import live_views, report_views

app_name = "reports"
urlpatterns = [
    path("sessions/<int:session_id>/", report_views.session_page, name="session"),
    path("sessions/<int:session_id>/report.json", report_views.session_json, name="session-json"),
    path("projects/<slug:slug>/", report_views.project_page, name="project"),
    path("projects/<slug:slug>/report.json", report_views.project_json, name="project-json"),
    path("projects/<slug:slug>/live/", live_views.fragment, name="live"),
    path("projects/<slug:slug>/live.json", live_views.as_json, name="live-json"),
    path("projects/<slug:slug>/preview/", live_views.ask_for_previews, name="preview"),
]
