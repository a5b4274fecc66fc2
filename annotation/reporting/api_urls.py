from django.urls import path

from annotation.reporting import api as report_api
from tasks import api as tasks_api

app_name = "api"
urlpatterns = [
    path("projects/", tasks_api.Projects.as_view(), name="projects"),
    path("projects/<slug:slug>/", report_api.ProjectReportView.as_view(), name="project"),
    path(
        "projects/<slug:slug>/annotators/<int:pk>/",
        report_api.AnnotatorReportView.as_view(),
        name="annotator",
    ),
    path("projects/<slug:slug>/live/", report_api.ProjectLiveView.as_view(), name="project-live"),
    path("sessions/", report_api.Sessions.as_view(), name="sessions"),
    path("sessions/<int:pk>/", report_api.SessionReportView.as_view(), name="session"),
]
