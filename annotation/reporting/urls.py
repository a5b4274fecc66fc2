from django.urls import path

from annotation.reporting import invoice_views, live_views, views

_SESSION = "sessions/<int:session_id>/"
_PROJECT = "projects/<slug:slug>/"
_ANNOTATOR = "projects/<slug:slug>/annotators/<int:annotator_id>/"

app_name = "reports"
urlpatterns = [
    path(_SESSION, views.session_page, name="session"),
    path(f"{_SESSION}report.json", views.session_json, name="session-json"),
    path(f"{_SESSION}report.csv", views.session_csv, name="session-csv"),
    path(f"{_SESSION}exclude/", views.exclude, name="exclude"),
    path(f"{_SESSION}include/", views.include, name="include"),
    path(_PROJECT, views.project_page, name="project"),
    path(f"{_PROJECT}report.json", views.project_json, name="project-json"),
    path(f"{_PROJECT}report.csv", views.project_csv, name="project-csv"),
    path(_ANNOTATOR, views.annotator_page, name="annotator"),
    path(f"{_ANNOTATOR}report.json", views.annotator_json, name="annotator-json"),
    path(f"{_ANNOTATOR}report.csv", views.annotator_csv, name="annotator-csv"),
    path(f"{_PROJECT}invoice/", invoice_views.page, name="invoice"),
    path(f"{_PROJECT}invoice.json", invoice_views.as_json_file, name="invoice-json"),
    path(f"{_PROJECT}invoice.csv", invoice_views.as_csv_file, name="invoice-csv"),
    path("results/<int:report_id>/", views.results_page, name="results"),
    path(f"{_PROJECT}live/", live_views.fragment, name="live"),
    path(f"{_PROJECT}live.json", live_views.as_json, name="live-json"),
    path(f"{_PROJECT}preview/", live_views.ask_for_previews, name="preview"),
]
