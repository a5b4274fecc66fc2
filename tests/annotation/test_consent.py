"""What somebody agreed to is kept as they read it, and before that nothing is kept at all."""

import pytest

from annotation.models import Annotator, Session
from tasks.models import Assignment, ConsentVersion
from tasks.services import consent_version
from tests.annotation.visitor import Visitor
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db

CHANGED = "This text was changed while you read it."


def agree_to(visitor, fingerprint):
    return visitor.post("welcome/", text=fingerprint)


def rewrite(project, **texts):
    for name, text in texts.items():
        setattr(project, name, text)
    project.save()
    return project.consent_fingerprint


@pytest.mark.parametrize("changed", [{"consent": "New."}, {"privacy": "New."}])
def test_a_text_that_was_changed_while_it_was_read_is_shown_again(newcomer, project, changed):
    read = project.consent_fingerprint
    fresh = rewrite(project, **changed)
    page = agree_to(newcomer, read)
    assert page.status_code == 200
    text = page.content.decode()
    assert CHANGED in text
    assert "New." in text
    assert f'name="text" value="{fresh}"' in text
    assert not Session.objects.exists()
    assert not Annotator.objects.exists()
    assert not ConsentVersion.objects.exists()
    assert agree_to(newcomer, fresh).status_code == 303
    assert newcomer.session.consented_at is not None


@pytest.mark.parametrize("fingerprint", ["", "x", "0" * 16])
def test_agreeing_to_no_text_stores_nothing(newcomer, fingerprint):
    assert agree_to(newcomer, fingerprint).status_code == 200
    assert newcomer.post("welcome/").status_code == 200
    assert not Session.objects.exists()
    assert not Annotator.objects.exists()


def test_a_first_look_says_nothing_of_a_change(newcomer):
    assert CHANGED not in newcomer.text("welcome/")


def test_a_text_that_was_changed_back_is_the_version_that_it_was(project):
    first = project.consent
    numbers = []
    for worker_id, text in (("a", first), ("b", "Another text."), ("c", first)):
        rewrite(project, consent=text)
        visitor = Visitor(make_link(project, worker_id))
        agree_to(visitor, project.consent_fingerprint)
        numbers.append(visitor.session.consent.number)
    assert numbers == [1, 2, 1]
    assert ConsentVersion.objects.count() == 2


def test_projects_number_their_versions_apart(project):
    other = make_project()
    assert consent_version(project).number == consent_version(other).number == 1
    rewrite(project, privacy="We keep little.")
    assert (consent_version(project).number, consent_version(other).number) == (2, 1)


def test_a_sentence_that_moves_from_one_text_to_the_other_is_a_change(project):
    before = rewrite(project, consent="One. Two.", privacy="")
    assert rewrite(project, consent="One.", privacy=" Two.") != before


def test_who_agreed_is_not_asked_again_when_the_text_changes(visitor, project):
    rewrite(project, consent="Something else.")
    assert visitor.get()["Location"] == visitor.url("1/")
    assert visitor.get("1/").status_code == 200
    assert visitor.session.consent.consent != "Something else."


def test_no_page_stores_anything_of_who_has_not_agreed(newcomer):
    for path in ("1/", "finish/", "practice/", "break/"):
        assert newcomer.post(path, verdict="accept", end="1").status_code == 303
    newcomer.post("language/", language="ar")
    newcomer.send("answers", letters=[])
    assert not Session.objects.exists()
    assert not Annotator.objects.exists()
    assert Assignment.objects.get().state == "offered"
