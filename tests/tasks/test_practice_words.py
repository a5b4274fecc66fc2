"""Practice words and versions of consent, as managers set them up and read them."""

import pytest
from django.contrib.auth.models import User

from tasks import services
from tasks.models import ConsentVersion, PracticeWord, Project
from tests.factories import make_project, make_session
from tests.test_admin import address, messages, saved

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_superuser("manager"))
    return client


@pytest.fixture
def project():
    return make_project(slug="demo")


def with_words(client, project, *words, keyword="goal"):
    """Save a project with a practice keyword and words: (text, is it to be accepted)."""
    rows = {}
    for n, (text, is_accepted) in enumerate(words):
        told = {"side": "target", "text": text, "reason": "Sport."}
        told |= {"is_accepted": "on"} if is_accepted else {}
        rows |= {f"practice_words-{n}-{name}": value for name, value in told.items()}
    rows["practice_words-TOTAL_FORMS"] = len(words)
    return saved(client, project, practice_keyword=keyword, follow=True, **rows)


def refusals(response):
    found = response.context["inline_admin_formsets"]
    return [str(e) for inline in found for e in inline.formset.non_form_errors()]


def test_words_to_accept_and_to_reject_are_kept_without_a_warning(manager, project):
    said = messages(with_words(manager, project, ("mchezo", True), ("soko", False)))
    assert len(said) == 1
    assert "changed successfully" in said[0]
    words = PracticeWord.objects.values_list("text", "is_accepted", "reason")
    assert list(words) == [("mchezo", True, "Sport."), ("soko", False, "Sport.")]


@pytest.mark.parametrize("is_accepted", [True, False])
def test_words_that_all_have_one_answer_are_kept_with_a_warning(manager, project, is_accepted):
    answer = with_words(manager, project, ("mchezo", is_accepted), ("mpira", is_accepted))
    assert any("All practice words have the same answer" in text for text in messages(answer))
    assert project.practice_words.count() == 2


def test_words_without_a_keyword_are_refused(manager, project):
    (refusal,) = refusals(with_words(manager, project, ("mchezo", True), keyword=""))
    assert refusal.startswith("These words have no practice keyword")
    assert not PracticeWord.objects.exists()


def test_a_keyword_without_words_is_refused(manager, project):
    (refusal,) = refusals(with_words(manager, project))
    assert refusal.startswith("“goal” has no words to practise on")
    project.refresh_from_db()
    assert project.practice_keyword == ""


def test_a_keyword_whose_last_word_is_deleted_is_refused(manager, project):
    with_words(manager, project, ("mchezo", True))
    word = project.practice_words.get()
    row = {"id": word.pk, "project": project.pk, "side": "target", "text": "mchezo"}
    row |= {"reason": "Sport.", "DELETE": "on"}
    rows = {f"practice_words-0-{name}": value for name, value in row.items()}
    rows |= {"practice_words-TOTAL_FORMS": 1, "practice_words-INITIAL_FORMS": 1}
    project.refresh_from_db()
    assert refusals(saved(manager, project, follow=True, **rows))
    saved(manager, project, practice_keyword="", **rows)
    assert not project.practice_words.exists()


def test_versions_of_consent_tell_how_many_sessions_agreed_to_each(manager, project):
    for name, text in (("amina", "One."), ("baraka", "Two."), ("chane", "Two.")):
        Project.objects.update(consent=text)
        project.refresh_from_db()
        session = make_session(project, name)
        session.consent = services.consent_version(project)
        session.save()
    shown = manager.get(address(ConsentVersion, "changelist")).context["cl"].result_list
    assert {(v.number, v.consent, v._sessions) for v in shown} == {(1, "One.", 1), (2, "Two.", 2)}
    html = manager.get(address(Project, "change", project.pk)).content.decode()
    link = f"{address(ConsentVersion, 'changelist')}?project__id__exact={project.pk}"
    assert f'<a href="{link}">2</a>' in html
    second = project.consent_versions.get(number=2)
    sessions = manager.get("/admin/annotation/session/", {"consent__id__exact": second.pk})
    assert sessions.context["cl"].result_count == 2


# --- The screening test that they make -----------------------------------------------------------


def test_a_pass_mark_without_practice_words_is_refused(manager, project):
    (refusal,) = refusals(saved(manager, project, screening_percent=70, follow=True))
    assert refusal.startswith("The screening test is made of practice words")
    project.refresh_from_db()
    assert project.screening_percent is None


def test_a_pass_mark_with_practice_words_is_kept(manager, project):
    Project.objects.update(screening_percent=70)
    with_words(manager, project, ("mchezo", True), ("soko", False))
    project.refresh_from_db()
    assert project.screening_percent == 70
    assert project.practice_words.count() == 2


def test_the_words_of_a_test_cannot_be_taken_away_from_it(manager, project):
    Project.objects.update(screening_percent=70)
    (refusal,) = refusals(with_words(manager, project, keyword=""))
    assert refusal.startswith("The screening test is made of practice words")


# --- Who is excluded -----------------------------------------------------------------------------


def test_earlier_projects_are_excluded_and_never_the_project_itself(manager, project):
    earlier = make_project(slug="earlier")
    saved(manager, project, excluded_projects=[earlier.pk])
    assert list(project.excluded_projects.all()) == [earlier]
    saved(manager, project, excluded_projects=[project.pk])
    assert list(project.excluded_projects.all()) == [earlier]
