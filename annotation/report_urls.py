from django.urls import path

from annotation import report_views

app_name = "reports"
urlpatterns = [
    path("sessions/<int:session_id>/", report_views.session_page, name="session"),
    path("sessions/<int:session_id>/report.json", report_views.session_json, name="session-json"),
    path("sessions/<int:session_id>/exclude/", report_views.exclude, name="exclude"),
    path("sessions/<int:session_id>/include/", report_views.include, name="include"),
    path("projects/<slug:slug>/", report_views.project_page, name="project"),
    path("projects/<slug:slug>/report.json", report_views.project_json, name="project-json"),
]
