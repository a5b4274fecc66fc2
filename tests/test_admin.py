"""The pages on which managers run their projects."""

import csv
import math
import re
from datetime import datetime, timedelta
from html import unescape
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotation.models import Consensus, DocumentLabel, Judgement
from models_ml.models import Embedding, Job, Report, Run, SeedResult
from tasks import services
from tasks.controls import place_controls
from tasks.models import (
    LIVE_METHODS,
    Assignment,
    Block,
    Message,
    PlatformCall,
    PlatformEvent,
    Project,
    Screening,
)
from tests.factories import (
    make_artefact,
    make_corpus,
    make_entry,
    make_link,
    make_listing,
    make_project,
    make_report,
    make_run,
    make_session,
    token_of,
)
from tests.marketplace import make_people

pytestmark = pytest.mark.django_db

OWN_APPS = {"models_ml", "tasks", "annotation"}
OWN_MODELS = sorted(
    (model for model in admin.site._registry if model._meta.app_label in OWN_APPS),
    key=lambda model: model._meta.label,
)
EDITABLE = {Project, Block, Message, Screening}


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_superuser("manager"))
    return client


@pytest.fixture
def project():
    return make_project(slug="demo", overlap=3)


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def act(client, model, action, *rows):
    """Choose an action for rows of a list; return the page after it."""
    form = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(address(model, "changelist"), form, follow=True)


def messages(response):
    """Return what the page says on top, as it is read."""
    return [re.sub(r"<[^>]+>", "", unescape(str(m))) for m in response.context["messages"]]


def a_busy_project(name):
    """Add one more of everything that lists show."""
    project = make_project(name=name, documents=1)
    session = make_session(project, f"person of {name}")
    keyword = project.ranking.keywords.first()
    for neighbour in keyword.neighbours.all():
        Judgement.objects.create(
            session=session, keyword=keyword, word=neighbour.word, verdict="accept", revision=1
        )
    document = project.pool_corpus.documents.first()
    DocumentLabel.objects.create(session=session, document=document, label=1, revision=1)
    session.refined = Embedding.objects.create(
        source=project.embedding.source,
        target=project.embedding.target,
        parent=project.embedding,
        delta=make_artefact(),
        key=name,
    )
    make_report(session, base=make_run(project), clime=make_run(project, embedding=session.refined))
    together = Consensus.objects.create(
        project=project, method="majority", refined=session.refined, report=Report.objects.create()
    )
    together.pairs.create(
        keyword=keyword.word, word=neighbour.word, accepted=1, rejected=0, posterior=1
    )
    session.decisions.create(block=2, kind="document", reason="Why.", evidence={})
    session.suggestions.create(keyword=keyword, side="target", text="sipitali")
    session.context_views.create(word=keyword.word)
    session.consent = services.consent_version(project)
    session.save()
    assignment = project.hits.get(platform="direct").assignments.get()
    assignment.problems.create(text="No sentences.", item=assignment.hit.items.first())
    make_link(project, f"another of {name}")
    make_people(project, name)
    project.offers.create(platform="mturk")
    for mode in ("sandbox", "live"):  # with two of each, every filter is there
        listing = make_listing(project, mode=mode)
        make_entry(listing, kind="bonus" if mode == "live" else "reward")
        for operation in ("CreateHIT", "SendBonus"):
            key = f"{operation}-{listing.key}"
            PlatformCall.objects.create(
                key=key, platform="mturk", mode=mode, operation=operation, state="sent"
            )
        PlatformEvent.objects.create(
            platform="mturk", event_id=listing.key, kind=f"HIT {mode}", subject={"HITId": "3A"}
        )
    for kind, subject in (("process_session", session), ("prepare_project", project)):
        Job.objects.create(kind=kind, subject_id=subject.pk, state="failed", error="no\nway")


# --- Lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", OWN_MODELS, ids=lambda model: model.__name__)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(manager, model):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert manager.get(address(model, "changelist")).status_code == 200
        return len(captured)

    for n in range(2):  # with two of each, every filter is there
        a_busy_project(f"project {n}")
    queries()  # what Django asks once and remembers
    rows_before, before = model.objects.count(), queries()
    a_busy_project("one more")
    assert model.objects.count() > rows_before
    assert queries() == before


@pytest.mark.parametrize("model", OWN_MODELS, ids=lambda model: model.__name__)
def test_every_row_has_a_page_and_every_list_a_search(manager, model):
    a_busy_project("busy")
    for row in model.objects.all():
        assert manager.get(address(model, "change", row.pk)).status_code == 200
    found = manager.get(address(model, "changelist"), {"q": "nothing is called so"})
    assert found.context["cl"].result_count == 0


@pytest.mark.parametrize("model", [m for m in OWN_MODELS if m not in EDITABLE], ids=str)
def test_what_was_made_or_answered_cannot_be_edited(manager, model):
    a_busy_project("busy")
    row = model.objects.first()
    for page, args in (("add", ()), ("delete", (row.pk,))):
        assert manager.get(address(model, page, *args)).status_code == 403
    assert manager.post(address(model, "change", row.pk), {}).status_code == 403


def test_links_of_every_list_lead_somewhere(manager):
    a_busy_project("busy")
    targets = set()
    for model in OWN_MODELS:
        html = manager.get(address(model, "changelist")).content.decode()
        table = html[html.index('id="changelist-form"') :] if "changelist-form" in html else html
        targets |= {unescape(link) for link in re.findall(r'href="(/[^"]+)"', table)}
    assert any("/reports/" in target for target in targets)
    for target in targets:
        assert manager.get(target).status_code == 200, target


def test_the_list_of_projects_shows_where_each_stands(manager, project):
    make_session(project)
    Job.objects.create(
        kind="prepare_project",
        subject_id=project.pk,
        state="running",
        done=1,
        total=4,
        note="training",
    )
    html = manager.get(address(Project, "changelist")).content.decode()
    row = html[html.index('id="result_list"') :]
    cells = dict(re.findall(r'class="field-(\w+)[^"]*">(.*?)</t[dh]>', row))
    assert "running 25 %: training" in cells["preparation"]
    assert cells["free_places"] == "2 of 3"
    assert ">1</a>" in cells["sessions_submitted"]
    assert "/reports/projects/demo/" in cells["report"]


def test_a_failed_job_shows_the_line_that_says_what_was_wrong(manager):
    error = "artefact is missing\n\nTraceback …"
    Job.objects.create(kind="evaluate_run", subject_id=1, state="failed", error=error)
    html = manager.get(address(Job, "changelist")).content.decode()
    assert "artefact is missing" in html
    assert "Traceback" not in html


# --- Projects --------------------------------------------------------------------------------


def saved(client, project, *, follow=False, **changes):
    """Send the form of a project's page with changes; return the answer."""
    page = client.get(address(Project, "change", project.pk))
    form = page.context["adminform"].form
    data = {name: form.initial.get(name) for name in form.fields} | changes
    for inline in ("categories", "practice_words", "offers"):
        data = {f"{inline}-TOTAL_FORMS": 0, f"{inline}-INITIAL_FORMS": 0} | data
    data = {name: "" if value is None else value for name, value in data.items()}
    return client.post(address(Project, "change", project.pk), data, follow=follow)


def errors(response):
    form = response.context["adminform"].form
    return [error for name in form.errors for error in form.errors[name]]


def test_settings_of_learning_can_be_changed_at_any_time(manager, project):
    assert saved(manager, project, seeds=3, regularization=2.5).status_code == 302
    project.refresh_from_db()
    assert (project.seeds, project.regularization) == (3, 2.5)


@pytest.mark.parametrize("method", LIVE_METHODS)
def test_a_project_can_be_made_live(manager, project, method):
    assert saved(manager, project, method=method, live="on").status_code == 302
    project.refresh_from_db()
    assert project.live


def test_a_live_project_with_links_keeps_to_live_methods(manager, project):
    Project.objects.update(live=True)
    services.make_links(project, ["amina"])
    assert "cannot refine live" in errors(saved(manager, project, method="paper"))[0]
    assert saved(manager, project, method="spectral").status_code == 302


def test_the_database_refuses_live_for_other_methods(project):
    with pytest.raises(IntegrityError, match="project_live_method"):
        Project.objects.update(live=True, method="paper")


def test_what_is_asked_is_fixed_once_somebody_has_a_link(manager, project):
    services.make_links(project, ["amina"])
    fields = manager.get(address(Project, "change", project.pk)).context["adminform"].form.fields
    fixed = {"keyword_count", "classifier", "train_corpus", "live", "answer_form"}
    assert not fixed & set(fields)
    assert "session_minutes" in fields


def test_what_is_asked_can_be_changed_before_and_wants_a_new_preparation(manager, project):
    answer = saved(manager, project, keyword_count=7, follow=True)
    assert "Prepare the project again" in messages(answer)[0]
    project.refresh_from_db()
    assert project.keyword_count == 7


@pytest.mark.parametrize(
    ("before", "after", "is_stale"),
    [(None, 30, True), (30, "", True), (30, 60, False)],
)
def test_hits_are_stale_once_a_time_budget_comes_or_goes(manager, project, before, after, is_stale):
    Project.objects.update(session_minutes=before)
    said = messages(saved(manager, project, session_minutes=after, follow=True))
    assert any("Prepare the project again" in text for text in said) is is_stale


def test_a_project_may_be_graded_and_live(manager, project):
    assert saved(manager, project, answer_form="graded", live="on").status_code == 302
    project.refresh_from_db()
    assert (project.answer_form, project.live) == ("graded", True)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"keyword_count": 0}, "Ask about at least one keyword or one document."),
        ({"document_count": 5, "pool_corpus": ""}, "Without a pool of target documents"),
        ({"state": "open"}, "It opens by itself when it is prepared"),
        ({"neighbour_count": 21}, "less than or equal to 20"),
        ({"method": "spectral", "regularization": 0.5}, "needs more than 0.5"),
        ({"method": "spectral", "regularization": 0}, "needs more than 0.5"),
        ({"method": "realign_spectral", "regularization": 0.4}, "needs more than 0.5"),
        ({"method": "realign", "regularization": 0}, "needs more than 0."),
        ({"method": "paper", "live": "on"}, "This method cannot refine live. These can: realign,"),
        ({"method": "code_switch", "live": "on"}, "cannot refine live"),
    ],
)
def test_a_draft_that_cannot_work_is_refused(manager, project, changes, error):
    Project.objects.update(ranking=None, state="draft")
    assert error in errors(saved(manager, project, **changes))[0]


def test_documents_in_another_language_are_refused(manager, project):
    Project.objects.update(ranking=None, state="draft")
    english = make_corpus(project.embedding.source, ["a fever"], labels=[1])
    answer = saved(manager, project, test_corpus=english.pk)
    assert errors(answer) == ["These documents are not in the embedding's vocabulary."]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("nurse muuguzi", "Line 1: 'nurse muuguzi' is not two words with a tab between."),
        ("fever\thoma\nnurze\tmuuguzi", "Line 2: 'nurze' is not among the English words."),
        ("fever\thomaa", "Line 1: 'homaa' is not among the Swahili words."),
    ],
)
def test_known_translations_are_refused_by_line_and_value(manager, project, text, error):
    assert errors(saved(manager, project, known_translations=text)) == [error]


def test_a_projects_page_tells_how_many_controls_were_placed_of_those_wanted(manager, project):
    answer = saved(
        manager, project, known_translations="nurse\tmto", control_translations=2, follow=True
    )
    assert "Prepare the project again" in messages(answer)[0]
    project.refresh_from_db()
    place_controls(project, list(project.ranking.keywords.all()), far_words=lambda keyword: [])
    html = manager.get(address(Project, "change", project.pk)).content.decode()
    placed = "identical words: 0 of 0 · known translations: 1 of 2 · far random words: 0 of 0"
    assert placed in html


def test_a_new_project_can_be_made_from_data_that_is_there(manager, project):
    form = manager.get(address(Project, "add")).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    data |= {"name": "Second", "slug": "second", "embedding": project.embedding_id}
    data |= {"train_corpus": project.train_corpus_id, "categories-INITIAL_FORMS": 0}
    for inline in ("practice_words", "offers"):
        data |= {f"{inline}-TOTAL_FORMS": 0, f"{inline}-INITIAL_FORMS": 0}
    data |= {"categories-TOTAL_FORMS": 1, "categories-0-label": 1, "categories-0-name": "Yes"}
    data = {name: value for name, value in data.items() if value is not None}
    assert manager.post(address(Project, "add"), data).status_code == 302
    second = Project.objects.get(slug="second")
    assert (second.state, second.categories.get().name) == ("draft", "Yes")


def test_prepare_queues_one_job_and_says_when_it_is_under_way(manager, project):
    assert "queued, as job" in messages(act(manager, Project, "prepare", project))[0]
    assert "already under way" in messages(act(manager, Project, "prepare", project))[0]
    assert Job.objects.about("prepare_project", project.pk).count() == 1


def test_a_project_without_two_categories_is_not_prepared(manager, project):
    project.categories.first().delete()
    assert "at least two categories" in messages(act(manager, Project, "prepare", project))[0]
    assert not Job.objects.exists()


# --- Links -----------------------------------------------------------------------------------


def links_of(project):
    return reverse("admin:tasks_project_links", args=[project.pk])


def make_links(client, project, **form):
    return client.post(links_of(project), {"number": "", "names": ""} | form, follow=True)


def test_making_links_is_offered_for_one_project_at_a_time(manager, project):
    assert act(manager, Project, "make_links", project).redirect_chain == [(links_of(project), 302)]
    answer = act(manager, Project, "make_links", project, make_project())
    assert "Choose one project" in messages(answer)[0]


def test_links_are_made_by_number_and_shown_to_copy(manager, project):
    answer = make_links(manager, project, number=2)
    assert messages(answer) == ["2 links made."]
    first, second = Assignment.objects.order_by("id")
    assert (first.worker_id, second.worker_id) == ("link-1", "link-2")
    html = answer.content.decode()
    for assignment in (first, second):
        assert f"/t/{token_of(assignment)}/" in html
    assert "1 place free of 3" in re.sub(r"\s+", " ", html)


def test_links_are_made_by_name_and_nobody_gets_two(manager, project):
    make_link(project, "amina")
    answer = make_links(manager, project, names="amina\n\n baraka \nbaraka")
    assert messages(answer) == ["1 link made. 1 of these people had one already."]
    assert set(Assignment.objects.values_list("worker_id", flat=True)) == {"amina", "baraka"}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "Give one of these: a number, names, or a file."),
        ({"number": 1, "names": "amina"}, "Give one of these: a number, names, or a file."),
        ({"number": 0}, "greater than or equal to 1"),
        ({"names": "x" * 101}, "cannot be a name"),
        ({"number": 4}, "No link was made: 4 wanted, but 3 of 3 places free; raise"),
    ],
)
def test_links_that_cannot_be_made_are_not_made_at_all(manager, project, form, error):
    assert error in unescape(make_links(manager, project, **form).content.decode())
    assert not Assignment.objects.exists()


def test_a_draft_shows_why_there_are_no_links(manager, project):
    Project.objects.update(state="draft", ranking=None)
    html = manager.get(links_of(project)).content.decode()
    assert "Links can be made while it is open" in html
    assert "<textarea" not in html


def file_of(text):
    return SimpleUploadedFile("people.csv", text.encode())


def test_links_are_made_for_the_people_in_a_file(manager, project):
    make_link(project, "amina")
    answer = make_links(manager, project, file=file_of("\ufeffname,note\r\namina,\r\nbaraka,x\r\n"))
    assert messages(answer) == ["1 link made. 1 of these people had one already."]
    assert set(Assignment.objects.values_list("worker_id", flat=True)) == {"amina", "baraka"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("amina\nbaraka\namina", "Line 3: 'amina' stands on line 1 already."),
        ("amina\nb\x07", r"Line 2: 'b\x07' cannot be a name."),
        ("a\nb\nc\nd\ne", "5 wanted, but 3 of 3 places free; raise the project's overlap by 2."),
        ("", "The submitted file is empty."),
    ],
)
def test_of_a_file_that_is_wrong_no_link_is_made(manager, project, text, error):
    answer = make_links(manager, project, file=file_of(text))
    assert error in unescape(answer.content.decode())
    assert not Assignment.objects.exists()


def test_who_is_in_the_file_and_whose_link_has_ended_is_named(manager, project):
    services.revoke(make_link(project, "amina"))
    answer = make_links(manager, project, file=file_of("amina\nbaraka"))
    assert messages(answer)[1] == "Their links have ended, so re-issue them: amina."


def test_making_many_links_takes_as_many_queries_as_making_one(project):
    Project.objects.update(overlap=200)

    def queries(names):
        with CaptureQueriesContext(connection) as captured:
            services.make_links(project, names)
        return len(captured)

    # SQLite takes 999 values a statement, so that a hundred rows are inserted by a few of them.
    fields = [field for field in Assignment._meta.concrete_fields if not field.primary_key]
    a_statement = connection.ops.bulk_batch_size(fields, range(100))
    inserts = math.ceil(100 / a_statement)
    more = queries([f"person {n}" for n in range(100)]) - queries(["amina"])
    assert more == inserts - 1


def test_links_are_downloaded_with_what_became_of_them(manager, project):
    Project.objects.update(overlap=4)
    names = ("amina", "baraka", "chiku", "=daudi")
    working, expired, done, revoked = (make_link(project, name) for name in names)
    Assignment.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    services.submit(done)
    services.revoke(revoked)
    answer = manager.get(reverse("admin:tasks_project_csv", args=[project.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="links-demo.csv"'
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["name"], row["state"], bool(row["link"]), row["session"]) for row in rows] == [
        ("amina", "offered", True, "1"),
        ("baraka", "expired", False, "1"),
        ("chiku", "submitted", True, "1"),
        ("'=daudi", "revoked", False, "1"),
    ]
    assert rows[0]["link"].endswith(f"/t/{token_of(working)}/")
    assert datetime.fromisoformat(rows[0]["expires"]) == working.expires_at.replace(microsecond=0)
    done.refresh_from_db()
    assert [row["completion_code"] for row in rows] == ["", "", done.completion_code, ""]
    assert datetime.fromisoformat(rows[2]["submitted"]) == done.submitted_at.replace(microsecond=0)
    assert rows[0]["submitted"] == ""


def change_links(client, project, action, *assignments):
    form = {"action": action, "link": [one.pk for one in assignments]}
    page = reverse("admin:tasks_project_change_links", args=[project.pk])
    return client.post(page, form, follow=True)


def test_links_are_revoked_together_once_that_was_confirmed(manager, project):
    amina, baraka, chiku = (make_link(project, name) for name in ("amina", "baraka", "chiku"))
    services.submit(chiku)
    asked = change_links(manager, project, "revoke", amina, baraka, chiku)
    html = re.sub(r"\s+", " ", asked.content.decode())
    assert "These 2 people’s links end at once" in html
    assert not Assignment.objects.filter(state="revoked").exists()
    said = messages(change_links(manager, project, "confirmed_revoke", amina, baraka, chiku))
    assert said == ["2 links revoked: amina, baraka.", "Not revoked, as submitted already: chiku."]
    assert set(Assignment.objects.filter(state="revoked")) == {amina, baraka}


def test_links_are_reissued_together_and_each_refusal_has_its_reason(manager, project, client):
    amina, baraka, chiku = (make_link(project, name) for name in ("amina", "baraka", "chiku"))
    services.submit(baraka)
    services.revoke(chiku)
    make_link(project, "daudi")
    old = token_of(amina)
    said = messages(change_links(manager, project, "reissue", amina, baraka, chiku))
    assert said[0] == "1 new link: amina. Older ones have ended: send the new ones."
    assert said[1] == "No new link for baraka: baraka has submitted already."
    assert said[2].startswith("No new link for chiku: all 3 places")
    amina.refresh_from_db()
    assert client.get(f"/t/{old}/").status_code == 404
    assert client.get(f"/t/{token_of(amina)}/", follow=True).status_code == 200


def test_links_of_other_projects_and_what_is_no_link_are_passed_over(manager, project):
    other = make_link(make_project(), "zawadi")
    page = reverse("admin:tasks_project_change_links", args=[project.pk])
    form = {"action": "confirmed_revoke", "link": [other.pk, "x", "9" * 30, "-1"]}
    answer = manager.post(page, form, follow=True)
    assert messages(answer) == ["Nothing was changed: tick people first."]
    assert manager.post(page, form | {"action": "delete"}).status_code == 400
    assert manager.get(page).status_code == 405
    other.refresh_from_db()
    assert other.state == "offered"


def test_a_thousand_people_can_be_ticked_at_once(manager, project):
    Project.objects.update(overlap=1000)
    made = services.make_links(project, [f"person {n}" for n in range(1000)])
    asked = change_links(manager, project, "revoke", *made)
    assert "These 1000 people’s links end" in re.sub(r"\s+", " ", asked.content.decode())


@pytest.mark.parametrize(
    ("tick", "ticked"), [("all", 3), ("offered", 1), ("revoked", 2), ("", 0), ("x", 0)]
)
def test_rows_are_ticked_by_their_state(manager, project, tick, ticked):
    _, *ended = (make_link(project, name) for name in ("amina", "baraka", "chiku"))
    for assignment in ended:
        services.revoke(assignment)
    html = manager.get(links_of(project), {"tick": tick}).content.decode()
    assert len(re.findall(r'type="checkbox"[^>]* checked', html)) == ticked


def test_the_page_of_links_takes_as_many_queries_for_many_as_for_few(manager, project):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            manager.get(links_of(project))
        return len(captured)

    make_link(project, "amina")
    queries()
    before = queries()
    make_link(project, "baraka")
    make_link(project, "chiku")
    assert queries() == before


def test_who_may_not_change_assignments_cannot_end_links_here_either(client, project):
    assignment = make_link(project)
    maker = User.objects.create_user("maker", is_staff=True)
    maker.user_permissions.add(Permission.objects.get(codename="change_project"))
    client.force_login(maker)
    html = client.get(links_of(project)).content.decode()
    assert 'type="checkbox"' not in html
    assert "confirmed_revoke" not in html
    assert change_links(client, project, "confirmed_revoke", assignment).status_code == 403


def test_links_are_for_those_who_may_change_projects(client, project):
    make_link(project)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_project"))
    client.force_login(viewer)
    for page in ("admin:tasks_project_links", "admin:tasks_project_csv"):
        assert client.get(reverse(page, args=[project.pk])).status_code == 403
    html = client.get(address(Project, "changelist")).content.decode()
    assert "make_links" not in html


# --- Assignments, sessions, runs, jobs -------------------------------------------------------


def test_a_revoked_assignment_frees_its_place(manager, project):
    open_one, done = make_link(project, "amina"), make_link(project, "baraka")
    services.submit(done)
    said = messages(act(manager, Assignment, "revoke", open_one, done))
    assert said == ["1 link revoked.", "1 assignment had ended already."]
    assert services.free_places(project) == 2


def test_a_reissued_link_replaces_the_old_one(manager, project, client, settings):
    assignment = make_link(project)
    old = token_of(assignment)
    Assignment.objects.update(expires_at=timezone.now() - timedelta(hours=1), state="expired")
    said = messages(act(manager, Assignment, "reissue", assignment))
    assignment.refresh_from_db()
    assert assignment.state == "offered"
    assert assignment.is_open
    new = token_of(assignment)
    assert said == [f"New link for amina: {settings.SITE_URL}/t/{new}/"]
    assert client.get(f"/t/{old}/").status_code == 404
    assert client.get(f"/t/{new}/", follow=True).status_code == 200


def test_a_link_is_not_reissued_without_a_place_or_after_submission(manager, project):
    revoked, *others = (make_link(project, name) for name in ("amina", "baraka", "chiku"))
    services.revoke(revoked)
    make_link(project, "daudi")
    services.submit(others[0])
    said = messages(act(manager, Assignment, "reissue", revoked, others[0]))
    assert any("No new link for amina: all 3 places" in text for text in said)
    assert any("No new link for baraka: baraka has submitted already." in text for text in said)
    assert set(Assignment.objects.values_list("link_version", flat=True)) == {1}


def test_a_session_is_run_again_once_it_was_submitted(manager, project):
    submitted, still_open = make_session(project), make_session(project, "b", is_submitted=False)
    said = messages(act(manager, type(submitted), "process", submitted, still_open))
    assert ["queued" in text for text in said] == [True, False]
    assert "not submitted yet" in said[1]
    assert Job.objects.get().subject_id == submitted.pk


def test_a_run_is_run_again(manager, project):
    run = make_run(project)
    assert "queued" in messages(act(manager, type(run), "evaluate", run))[0]
    assert Job.objects.about("evaluate_run", run.pk).active().exists()


def test_failed_jobs_are_retried_as_new_ones(manager):
    failed, running = (
        Job.objects.create(kind="evaluate_run", subject_id=n, state=state)
        for n, state in enumerate(["failed", "running"])
    )
    said = messages(act(manager, Job, "retry", failed, running))
    assert "Queued again" in said[0]
    assert "1 job left alone" in said[1]
    again = Job.objects.about("evaluate_run", failed.subject_id).active().get()
    assert again.pk != failed.pk


def test_active_jobs_are_cancelled(manager):
    jobs = [
        Job.objects.create(kind="evaluate_run", subject_id=n, state=state)
        for n, state in enumerate(["queued", "running", "done"])
    ]
    said = messages(act(manager, Job, "cancel", *jobs))
    assert said == ["2 jobs cancelled.", "1 job had ended already."]
    states = list(Job.objects.order_by("id").values_list("state", flat=True))
    assert states == ["cancelled", "cancelled", "done"]


def test_who_may_only_look_is_offered_no_action(client):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(viewer)
    job = Job.objects.create(kind="evaluate_run", subject_id=1)
    act(client, Job, "cancel", job)
    job.refresh_from_db()
    assert job.state == "queued"


def test_pages_of_the_admin_hold_nothing_that_the_security_policy_forbids(manager, project):
    for page in (address(Project, "changelist"), address(Project, "change", project.pk)):
        html = manager.get(page).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html)
        assert ' style="' not in html
    assert "default-src 'self'" in manager.get(links_of(project))["Content-Security-Policy"]


# --- Training --------------------------------------------------------------------------------


def seed_jobs(run, *states):
    """Give a run seeds that are still to be trained, each with a job in a state."""
    rows = [SeedResult.objects.create(run=run, seed=100 + n) for n in range(len(states))]
    return [
        Job.objects.create(kind="train_seed", subject_id=row.pk, state=state)
        for row, state in zip(rows, states, strict=True)
    ]


def states(jobs):
    return [Job.objects.get(pk=job.pk).state for job in jobs]


def test_cancelling_a_runs_training_cancels_its_seeds_and_no_other_runs(manager, project):
    run, other = make_run(project), make_run(project)
    starting = Job.objects.create(kind="evaluate_run", subject_id=run.pk)
    own = seed_jobs(run, "queued", "running", "failed")
    others = seed_jobs(other, "running")
    said = messages(act(manager, Run, "cancel_training", run))
    assert said == [f"{run}: 3 jobs cancelled."]
    assert states([starting, *own]) == ["cancelled", "cancelled", "cancelled", "failed"]
    assert states(others) == ["running"]


def test_cancelling_where_nothing_is_trained_says_so(manager, project):
    run = make_run(project)
    assert messages(act(manager, Run, "cancel_training", run)) == [
        f"{run}: nothing was being trained."
    ]


def test_who_may_only_look_at_runs_cannot_cancel_training(client, project):
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_run"))
    client.force_login(looker)
    run = make_run(project)
    jobs = seed_jobs(run, "running")
    act(client, Run, "cancel_training", run)
    assert states(jobs) == ["running"]


def test_a_seeds_job_leads_to_its_run_and_a_descriptions_to_its_report(manager, project):
    session = make_session(project)
    run = make_run(project)
    report = make_report(session, base=run)
    seed_jobs(run, "queued")
    Job.objects.create(kind="describe_report", subject_id=report.pk)
    Job.objects.create(kind="train_seed", subject_id=987654)  # of a run that was deleted
    html = manager.get(address(Job, "changelist")).content.decode()
    assert f'href="/admin/models_ml/run/{run.pk}/change/"' in html
    assert f'href="/reports/results/{report.pk}/"' in html
    assert "/run/987654/" not in html
