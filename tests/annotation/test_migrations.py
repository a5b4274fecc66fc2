"""Rows of before answers came as letters keep what they said, when, and what was agreed to."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from annotation.models import DocumentLabel, Judgement, Session
from tasks.models import Project
from tasks.models.projects import DEFAULT_CONSENT
from tests.factories import make_project, make_session

OLD_DEFAULT = (
    "Your answers are used to improve a computer program that sorts texts. We store your answers, "
    "when you gave them and how often you looked at example sentences, and nothing else about you. "
    "You may stop at any time."
)


def migrate(name):
    """Take the app's tables to a migration; return its models as they then are."""
    MigrationExecutor(connection).migrate([("annotation", name)])
    return MigrationExecutor(connection).loader.project_state([("annotation", name)]).apps


@pytest.fixture
def before(transactional_db):
    """Give a function that goes back to before the change; afterwards, all is as it was."""
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("annotation")[0][1]
    yield lambda: migrate("0004_annotators_hour")
    migrate(latest)


def test_answers_were_chosen_when_they_were_stored_and_consents_become_versions(before):
    project, own = make_project(consent=OLD_DEFAULT, documents=1), make_project(consent="Ours.")
    keyword = project.ranking.keywords.first()
    earlier = timezone.now() - timedelta(days=3)
    people = [make_session(project, name) for name in ("amina", "baraka", "chausiku")]
    stranger = make_session(project, "dalila")
    other = make_session(own)
    Judgement.objects.create(
        session=people[0],
        keyword=keyword,
        word=keyword.neighbours.first().word,
        verdict="accept",
        revision=1,
    )
    DocumentLabel.objects.create(
        session=people[0], document=project.pool_corpus.documents.first(), label=1, revision=1
    )
    for answers in (Judgement, DocumentLabel):
        answers.objects.update(created_at=earlier)
    Session.objects.filter(pk=stranger.pk).update(consented_at=None)

    old = before().get_model("annotation", "Session").objects
    texts = ["Second.", "First.", "Second."]
    for days, (session, text) in zip((2, 3, 1), zip(people, texts, strict=True), strict=True):
        agreed_at = timezone.now() - timedelta(days=days)
        old.filter(pk=session.pk).update(consent_text=text, consented_at=agreed_at)
    old.filter(pk=other.pk).update(consent_text="Ours.")
    migrate("0006_drop_consent_text")

    for answers in (Judgement, DocumentLabel):
        assert answers.objects.get().chosen_at == earlier
    agreed = [Session.objects.get(pk=session.pk).consent for session in people]
    assert [(one.number, one.consent, one.privacy) for one in agreed] == [
        (2, "Second.", ""),
        (1, "First.", ""),
        (2, "Second.", ""),
    ]
    assert Session.objects.get(pk=stranger.pk).consent is None
    assert Session.objects.get(pk=other.pk).consent.number == 1
    assert Project.objects.get(pk=project.pk).consent == DEFAULT_CONSENT
    assert Project.objects.get(pk=own.pk).consent == "Ours."
