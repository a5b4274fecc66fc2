"""Addresses of the task pages. The token is a person's own, and all the authority they need; that
of an arrival is a listing's, and the platform adds who comes."""

from django.urls import include, path

from annotation import api, arriving, views

app_name = "annotation"

task = [
    path("", views.start, name="start"),
    path("welcome/", views.welcome, name="welcome"),
    path("<int:position>/", views.item, name="item"),
    path("finish/", views.finish, name="finish"),
    path("concordance/<int:word_id>", views.concordance, name="concordance"),
    path("screening/", views.screening_test, name="screening"),
    path("practice/", views.practice, name="practice"),
    path("break/", views.take_break, name="break"),
    path("problem/", views.report_problem, name="problem"),
    path("language/", views.choose_language, name="language"),
    path("answers", api.Answers.as_view(), name="answers"),
    path("words", api.Words.as_view(), name="words"),
]
urlpatterns = [
    path("t/<str:token>/", include(task)),
    path("arrive/<str:token>/", arriving.arrive, name="arrive"),
]
