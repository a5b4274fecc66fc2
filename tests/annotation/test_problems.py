"""What annotators report reaches the manager: problems, suggested words, looks at sentences."""

import csv
from html import escape
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission, User

from annotation.models import ContextView, Problem, Session, Suggestion
from annotation.reporting.progress import project_progress
from annotation.reporting.suggestions import suggested_words
from tasks.models import Project
from tests.annotation.test_reports import plain
from tests.factories import make_link, make_project, make_session
from tests.test_admin import act, address, messages

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_superuser("manager"))
    return client


@pytest.fixture
def project():
    return make_project(slug="demo", name="Emergency or not")


@pytest.fixture
def assignment(project):
    return make_link(project)


def report(assignment, text="The word is cut off.", **fields):
    return Problem.objects.create(assignment=assignment, text=text, **fields)


def listed(client, **query):
    return client.get(address(Problem, "changelist"), query).context["cl"].result_list


# --- Problems --------------------------------------------------------------------------------


def test_problems_are_resolved_once_and_by_somebody(manager, assignment):
    first, second = report(assignment), report(assignment, "No sentences.")
    assert messages(act(manager, Problem, "resolve", first)) == ["1 problem marked as resolved."]
    said = messages(act(manager, Problem, "resolve", first, second))
    assert said == ["1 problem marked as resolved.", "1 problem had been resolved before."]
    first.refresh_from_db()
    assert first.resolved_by.username == "manager"
    assert not Problem.objects.unresolved().exists()


def test_unresolved_problems_come_first_and_the_newest_of_them(manager, assignment):
    oldest, newer, resolved = (report(assignment, text) for text in ("one", "two", "three"))
    act(manager, Problem, "resolve", resolved)
    assert list(listed(manager)) == [newer, oldest, resolved]
    assert list(listed(manager, state="open")) == [newer, oldest]
    assert list(listed(manager, state="resolved")) == [resolved]


def test_a_problem_tells_who_where_and_is_never_read_as_html(manager, assignment):
    item = assignment.hit.items.get(position=2)
    problem = report(assignment, "<b>Help</b>", item=item)
    for page in (address(Problem, "changelist"), address(Problem, "change", problem.pk)):
        html = manager.get(page).content.decode()
        assert "2. nurse" in html
        assert f"q={assignment.worker_id}" in html
        assert "&lt;b&gt;Help" in html
        assert "<b>Help" not in html


def test_who_may_only_look_at_problems_resolves_none(client, assignment):
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_problem"))
    client.force_login(looker)
    problem = report(assignment)
    act(client, Problem, "resolve", problem)
    assert list(Problem.objects.unresolved()) == [problem]


def test_projects_show_how_many_problems_are_open_with_a_link_to_them(manager, project, assignment):
    for text in ("one", "two", "three"):
        last = report(assignment, text)
    act(manager, Problem, "resolve", last)
    report(make_link(make_project()), "of another project")
    query = {"assignment__hit__project__id__exact": project.pk, "state": "open"}
    assert len(listed(manager, **query)) == 2
    expected = escape(f"{address(Problem, 'changelist')}?{urlencode(query)}")
    for page in (address(Project, "changelist"), address(Project, "change", project.pk)):
        assert f'<a href="{expected}">2</a>' in manager.get(page).content.decode()


def test_the_live_part_names_open_problems_and_nothing_where_there_are_none(
    manager, project, assignment
):
    live = f"/reports/projects/{project.slug}/live/"
    first = manager.get(live)
    assert "reported by annotators" not in plain(first)
    problem = report(assignment)
    page = manager.get(live, headers={"If-None-Match": first["ETag"]})
    assert "1 problem reported by annotators. Read it" in plain(page)
    report(assignment, "No sentences.")
    assert "2 problems reported by annotators. Read them" in plain(manager.get(live))
    act(manager, Problem, "resolve", problem)
    assert project_progress(project).problems == 1


# --- Words and sentences ---------------------------------------------------------------------


def suggest(session, text, *, position=1, side="target", **fields):
    keyword = session.project.ranking.keywords.get(position=position)
    return Suggestion.objects.create(
        session=session, keyword=keyword, side=side, text=text, **fields
    )


def test_suggested_words_are_counted_by_people_the_most_wanted_first(project):
    amina, baraka = make_session(project, "amina"), make_session(project, "baraka")
    later = Session.objects.create(project=project, annotator=amina.annotator, number=2)
    suggest(amina, "mganga")
    suggest(amina, "sipitali")
    suggest(amina, "sipitali", position=2)
    suggest(later, "sipitali")
    suggest(baraka, "sipitali")
    suggest(baraka, "clinic", side="source", position=3)
    suggest(baraka, "oops", is_withdrawn=True)
    suggest(make_session(make_project(), "chane"), "elsewhere")
    found = [(one.word, one.language, one.people, one.beside) for one in suggested_words(project)]
    assert found == [
        ("sipitali", "Swahili", 2, ("hospital", "nurse")),
        ("clinic", "English", 1, ("medicine",)),
        ("mganga", "Swahili", 1, ("hospital",)),
    ]


def test_a_projects_report_lists_them_and_has_no_section_without(manager, project):
    session = make_session(project)
    page = f"/reports/projects/{project.slug}/"
    assert "Suggested words" not in plain(manager.get(page))
    suggest(session, "<i>sipitali</i>")
    answer = manager.get(page)
    assert "<i>sipitali</i> Swahili hospital 1" in plain(answer)
    assert "<i>sipitali" not in answer.content.decode()
    (of_json,) = manager.get(f"{page}report.json").json()["suggestions"]
    assert (of_json["word"], of_json["people"], of_json["beside"]) == (
        "<i>sipitali</i>",
        1,
        ["hospital"],
    )
    text = manager.get(f"{page}report.csv").content.decode("utf-8-sig")
    rows = [row for row in csv.reader(StringIO(text)) if row[0] == "suggestions"]
    assert ["suggestions", "<i>sipitali</i> target", "people", "1"] in rows


def test_a_sessions_page_leads_to_its_suggestions_and_looks_at_sentences(manager, project):
    session, other = make_session(project, "amina"), make_session(project, "baraka")
    suggest(session, "sipitali")
    suggest(session, "oops", is_withdrawn=True)
    for one in (session, session, other):
        ContextView.objects.create(session=one, word=project.embedding.source.words.first())
    html = manager.get(address(Session, "change", session.pk)).content.decode()
    for model, number in ((Suggestion, 1), (ContextView, 2)):
        link = f"{address(model, 'changelist')}?session__id__exact={session.pk}"
        assert f'<a href="{link}">{number}</a>' in html
        assert manager.get(link).status_code == 200
