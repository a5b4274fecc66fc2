"""Addresses of the task pages. The token is a person's own, and all the authority they need."""

from django.urls import include, path

from annotation import api, views

app_name = "annotation"

task = [
    path("", views.start, name="start"),
    path("welcome/", views.welcome, name="welcome"),
    path("<int:position>/", views.item, name="item"),
    path("finish/", views.finish, name="finish"),
    path("concordance/<int:word_id>", views.concordance, name="concordance"),
    path("judgements", api.Judgements.as_view(), name="judgements"),
    path("labels", api.Labels.as_view(), name="labels"),
    path("words", api.Words.as_view(), name="words"),
]
urlpatterns = [path("t/<str:token>/", include(task))]
