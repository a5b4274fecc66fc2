"""Simulated annotators work through the pages of a running server, as people without scripts do."""

import re

import pytest
from django.core.management import CommandError, call_command

from annotation.html_tree import parse
from annotation.models import DocumentLabel, Judgement, Session
from annotation.simulation import Browser, CrowdError, CrowdWorker
from models_ml import storage
from models_ml.core.simulation import SimulatedAnnotator, read_annotator
from models_ml.models import Job
from tasks import services
from tests.factories import make_link, make_project, token_of

# nurse points where hospital points; medicine elsewhere; fever nowhere. Nobody knows a word for
# medicine that is shown, and of the two that they know, the vocabulary has the second.
KNOWLEDGE = """\
word\tlanguage\tclass\ttranslations
hospital\tsource\tH\thospitali
nurse\tsource\tH\tmuuguzi
medicine\tsource\tN\ttiba|soko
fever\tsource\t0\t
"""
ANSWERS = {
    ("hospital", "nurse", "accept"),
    ("hospital", "medicine", "reject"),
    ("hospital", "hospitali", "accept"),
    ("nurse", "medicine", "reject"),
    ("nurse", "fever", "reject"),
    ("nurse", "muuguzi", "accept"),
    ("medicine", "fever", "reject"),
    ("medicine", "soko", "accept"),
}


@pytest.fixture
def annotator_file(tmp_path):
    path = tmp_path / "annotator.tsv"
    path.write_text(KNOWLEDGE, encoding="utf-8")
    return path


@pytest.fixture
def project(transactional_db, settings, annotator_file):
    return make_project(slug="demo", annotator_file=storage.put(annotator_file, suffix=".tsv"))


@pytest.fixture
def simulate(live_server, settings, capsys):
    """Give a function that runs the command against the server and returns what it printed."""
    settings.SITE_URL = live_server.url

    def run(*arguments):
        call_command("simulate_crowd", *arguments)
        return capsys.readouterr().out

    return run


def answers(session):
    rows = Judgement.objects.current().filter(session=session)
    return set(rows.values_list("keyword__word__text", "word__text", "verdict"))


def test_annotators_answer_by_what_they_know_and_submit(project, simulate):
    printed = simulate("demo", "--annotators", "2").splitlines()
    assert Session.objects.count() == len(printed) == 2
    for session, line in zip(Session.objects.order_by("id"), printed, strict=True):
        assert session.state == "submitted"
        assert answers(session) == ANSWERS
        code = project.hits.get().assignments.get(worker_id=str(session.annotator)).completion_code
        assert line.startswith(f"{session.annotator}: 8 judgements (3 accepted, 4 rejected, 1 add")
        assert f"code {code};" in line
        assert line.endswith(f"/reports/sessions/{session.pk}/")
        assert Job.objects.about("process_session", session.pk).active().count() == 1
    added = Judgement.objects.filter(is_added=True)
    assert set(added.values_list("word__text", flat=True)) == {"soko"}


def test_who_errs_always_accepts_what_should_be_rejected(project, simulate):
    simulate(str(project.pk), "--noise", "1")
    swapped = {"accept": "reject", "reject": "accept"}
    given = {answer for answer in answers(Session.objects.get()) if answer[1] != "soko"}
    expected = {(k, w, swapped[verdict]) for k, w, verdict in ANSWERS if w != "soko"}
    assert expected <= given


def test_documents_get_their_true_labels_and_unknown_ones_none(transactional_db, simulate, project):
    project = make_project(
        keywords=0, documents=3, slug="texts", annotator_file=project.annotator_file
    )
    first, second, _ = documents = list(project.pool_corpus.documents.all())
    for document, label in ((first, 1), (second, 0)):
        document.label = label
        document.save()
    assert "0 judgements" in simulate("texts")
    given = DocumentLabel.objects.current().order_by("document").values_list("document", "label")
    assert list(given) == [(d.pk, label) for d, label in zip(documents, (1, 0, None), strict=True)]


def test_all_parts_of_a_session_are_done_each_with_its_code(transactional_db, simulate, project):
    make_project(slug="parts", batch_size=1, annotator_file=project.annotator_file)
    codes = re.search(r"code (.*);", simulate("parts"))[1].split(", ")
    assert len(set(codes)) == 3
    session = Session.objects.get()
    assert (session.state, answers(session)) == ("submitted", ANSWERS)


def test_names_in_use_are_passed_over_and_places_are_made_where_they_lack(project, simulate):
    project.overlap = 2
    project.save()
    services.make_links(project, ["simulated-1", "amina"])
    printed = simulate("demo", "--annotators", "2")
    assert "Raised the overlap of Emergency or not to 4." in printed
    names = [str(session.annotator) for session in Session.objects.order_by("id")]
    assert names == ["simulated-2", "simulated-3"]


def test_who_began_goes_on_where_they_were(project, live_server, settings, annotator_file):
    settings.SITE_URL = live_server.url
    annotator = SimulatedAnnotator(read_annotator(annotator_file), noise=0, seed=0)
    worker = CrowdWorker(annotator, true_labels={}, categories=2)
    link = f"{live_server.url}/t/{token_of(make_link(project))}/"
    browser = Browser(timeout_s=10)
    page = browser.get(link)
    for step in ("agree", "begin"):
        form = page.tree.find("form", cls=step)
        page = browser.press(page, form, form.find("button"))
    row = page.tree.find("li", cls="row")  # hospital – nurse
    browser.press(page, row.find("form"), row.find("button", data_verdict="accept"))
    work = worker.work(link)
    assert work.codes == (project.hits.get().assignments.get().completion_code,)
    assert ("hospital", "nurse", "accept") in answers(Session.objects.get())
    assert worker.work(link).judgements == 0  # submitted: the code again, and nothing else


def test_a_revoked_link_ends_with_what_the_page_says(project, live_server, annotator_file):
    assignment = make_link(project)
    services.revoke(assignment)
    annotator = SimulatedAnnotator(read_annotator(annotator_file), noise=0, seed=0)
    worker = CrowdWorker(annotator, true_labels={}, categories=2)
    with pytest.raises(CrowdError, match="answered 410: "):
        worker.work(f"{live_server.url}/t/{token_of(assignment)}/")


def test_without_a_server_nobody_is_given_a_place(project):
    with pytest.raises(CommandError, match="Is the server running"):
        call_command("simulate_crowd", "demo", "--url", "http://127.0.0.1:1", "--timeout-s", "2")
    assert project.hits.get().assignments.count() == 0


def test_an_unknown_project_is_named_with_those_that_there_are(project):
    with pytest.raises(CommandError, match=r"no project 'deno'; projects: demo"):
        call_command("simulate_crowd", "deno")


def test_a_project_without_knowledge_cannot_be_simulated(project, simulate):
    make_project(slug="real")
    with pytest.raises(CommandError, match=r"without an annotator\.tsv"):
        simulate("real")


def test_a_draft_has_no_places(project, simulate):
    project.state = "draft"
    project.save()
    with pytest.raises(CommandError, match="prepare it first"):
        simulate("demo", "--annotators", "6")
    project.refresh_from_db()
    assert project.overlap == 5


@pytest.mark.parametrize("option", ["--annotators=0", "--noise=2", "--noise=often"])
def test_senseless_options_are_refused(option):
    with pytest.raises(CommandError, match=option.partition("=")[2]):
        call_command("simulate_crowd", "demo", option)


def test_a_page_is_read_as_a_tree_without_what_its_templates_hold():
    page = parse(
        '<ul class="a b"><li data-word="1">x &lt;<br>y</li><template><li>no</li></template>'
        '<li data-word="2"><svg><use href="#i"/></svg> z</b></li></ul>'
    )
    assert [item.text for item in page.find_all("li")] == ["x <y", "z"]
    assert page.find(cls="b").tag == "ul"
    assert page.find("li", data_word="2").find("use")["href"] == "#i"
    assert page.find("li", data_word="3") is None


# --- Other answer forms ----------------------------------------------------------------------


def test_on_a_graded_project_they_choose_the_ends_of_the_scale(transactional_db, simulate, project):
    make_project(slug="graded", answer_form="graded", annotator_file=project.annotator_file)
    assert "8 judgements (3 accepted, 4 rejected, 1 added)" in simulate("graded")
    session = Session.objects.get()
    assert (session.state, answers(session)) == ("submitted", ANSWERS)
    shown = Judgement.objects.current().filter(is_added=False)
    assert set(shown.values_list("strength", flat=True)) == {1.0}


def test_on_a_ranking_project_they_accept_and_reject(transactional_db, simulate, project):
    make_project(slug="ranked", answer_form="ranking", annotator_file=project.annotator_file)
    assert "8 judgements (3 accepted, 4 rejected, 1 added)" in simulate("ranked")
    session = Session.objects.get()
    assert (session.state, answers(session)) == ("submitted", ANSWERS)


def test_what_was_graded_or_added_before_stays_as_it_was(
    transactional_db, live_server, annotator_file
):
    graded = make_project(answer_form="graded")
    link = f"{live_server.url}/t/{token_of(make_link(graded))}/"
    browser = Browser(timeout_s=10)
    page = browser.get(link)
    for step in ("agree", "begin"):
        form = page.tree.find("form", cls=step)
        page = browser.press(page, form, form.find("button"))
    row = page.tree.find("li", cls="row")  # hospital – nurse
    page = browser.press(page, row.find("form"), row.find("button", data_grade="3"))
    found = browser.get(page.url.partition("#")[0], side="target", q="mto")
    column = found.tree.find("section", data_side="target")
    form = column.find("ul", cls="results").find("form")
    browser.press(found, form, form.find("button"))
    annotator = SimulatedAnnotator(read_annotator(annotator_file), noise=0, seed=0)
    work = CrowdWorker(annotator, true_labels={}, categories=2).work(f"{link}1/")
    assert (work.judgements, len(work.codes)) == (7, 1)
    session = Session.objects.get()
    assert answers(session) == ANSWERS | {("hospital", "mto", "accept")}
    kept = session.judgements.current().get(keyword__position=1, word__text="nurse")
    assert (kept.verdict, kept.strength, kept.revision) == ("accept", 0.5, 1)
