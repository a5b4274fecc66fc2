"""What people worked and are to be paid for."""

import csv
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.models import DocumentLabel, Judgement, Session
from annotation.reporting.invoices import Period, invoice
from tasks.models import Assignment
from tests.factories import make_project, make_session

pytestmark = pytest.mark.django_db

EVER = Period()


@pytest.fixture
def manager(client):
    client.force_login(User.objects.create_user("manager", is_staff=True))
    return client


@pytest.fixture
def project():
    return make_project(
        slug="demo", name="Fevers", documents=2, overlap=50, hourly_pay=Decimal("12.50")
    )


def work_of(project, worker_id="amina", *, day="2026-03-10", at="12:00", **fields):
    """Return a submitted session of a day, half an hour long unless told otherwise."""
    session = make_session(project, worker_id, **fields)
    time = datetime.fromisoformat(f"{day}T{at}:00+00:00")
    Session.objects.filter(pk=session.pk).update(started_at=time, submitted_at=time)
    return session


def judge(session, keyword, *verdicts):
    for neighbour, verdict in zip(keyword.neighbours.all(), verdicts, strict=False):
        Judgement.objects.create(
            session=session, keyword=keyword, word=neighbour.word, verdict=verdict, revision=1
        )


def names(report):
    return [person.annotator for person in report.people]


def test_a_persons_work_is_added_up_over_their_sessions(project):
    first = work_of(project, day="2026-03-10", minutes=61)
    later = Session.objects.create(
        project=project,
        annotator=first.annotator,
        number=2,
        state="submitted",
        active_seconds=29.6 * 60,
        submitted_at=datetime.fromisoformat("2026-03-12T09:00:00+00:00"),
    )
    one, two, _ = project.ranking.keywords.all()
    judge(first, one, "accept", "reject")
    judge(first, two, "accept", "leave")
    judge(later, two, "reject")
    for document in project.pool_corpus.documents.all():
        DocumentLabel.objects.create(session=first, document=document, label=1, revision=1)
    (person,) = invoice(project, EVER).people
    work = person.work
    assert (work.sessions, work.keywords, work.words, work.documents) == (2, 3, 4, 2)
    assert (work.hours_minutes, work.hours) == ("1:31", Decimal("1.52"))
    assert work.amount == Decimal("18.96")  # 91 minutes are 18.9583
    assert (person.first_day, person.last_day) == (date(2026, 3, 10), date(2026, 3, 12))
    assert person.codes == (Assignment.objects.get().completion_code,)


@pytest.mark.parametrize(
    ("seconds", "shown", "amount"),
    [(0, "0:00", "0.00"), (29, "0:00", "0.00"), (30, "0:01", "0.21"), (3599, "1:00", "12.50")],
)
def test_time_is_rounded_to_minutes_and_pay_to_cents(project, seconds, shown, amount):
    work_of(project, minutes=seconds / 60)
    work = invoice(project, EVER).people[0].work
    assert (work.hours_minutes, str(work.amount)) == (shown, amount)


def test_half_a_cent_is_rounded_up(project):
    project.hourly_pay = Decimal("0.30")
    work_of(project, minutes=1)
    assert invoice(project, EVER).people[0].work.amount == Decimal("0.01")


def test_the_total_adds_up_what_is_shown(project):
    for name in ("amina", "baraka", "chiku"):
        work_of(project, name, minutes=1)
    report = invoice(project, EVER)
    assert report.total.amount == sum(person.work.amount for person in report.people)
    assert (str(report.total.amount), report.total.hours_minutes) == ("0.63", "0:03")


def test_without_pay_there_is_no_amount(project):
    project.hourly_pay = None
    work_of(project)
    report = invoice(project, EVER)
    assert (report.people[0].work.amount, report.total.amount) == (None, None)


@pytest.mark.parametrize(
    ("first", "last", "whose"),
    [
        (None, None, ["amina", "baraka"]),
        ("2026-03-10", "2026-03-10", ["amina"]),
        ("2026-03-11", None, ["baraka"]),
        (None, "2026-03-09", []),
        ("2026-03-10", "2026-03-11", ["amina", "baraka"]),
    ],
)
def test_sessions_count_on_the_day_of_their_submission(project, first, last, whose):
    work_of(project, "amina", day="2026-03-10", at="23:59")
    work_of(project, "baraka", day="2026-03-11", at="00:00")
    days = [day and date.fromisoformat(day) for day in (first, last)]
    assert names(invoice(project, Period(*days))) == whose


def test_days_are_those_of_the_products_own_time_zone(project):
    work_of(project, day="2026-03-10", at="22:00")
    with timezone.override(ZoneInfo("Africa/Nairobi")):
        report = invoice(project, Period(first=date(2026, 3, 11)))
    assert report.people[0].last_day == date(2026, 3, 11)


def test_unfinished_sessions_are_told_of_and_count_when_asked_for(project):
    work_of(project, "amina")
    left = make_session(project, "baraka", is_submitted=False, minutes=20)
    seen = datetime.fromisoformat("2026-03-12T09:00:00+00:00")
    Session.objects.filter(pk=left.pk).update(started_at=seen, last_seen_at=seen)
    make_session(project, "chiku", is_submitted=False, minutes=0)
    report = invoice(project, EVER)
    assert (names(report), report.unfinished, report.unfinished_minutes) == (["amina"], 1, 20)
    report = invoice(project, Period(date(2026, 3, 12), date(2026, 3, 12), with_unfinished=True))
    assert (names(report), report.unfinished) == (["baraka"], 0)
    assert report.people[0].codes == ()


def test_other_projects_work_is_not_in_it(project):
    work_of(make_project(overlap=5), "amina")
    report = invoice(project, EVER)
    assert (report.people, report.total.minutes) == ((), 0)


def test_the_number_of_queries_does_not_depend_on_the_people(project):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            invoice(project, EVER)
        return len(captured)

    work_of(project, "amina")
    before = queries()
    for n in range(4):
        work_of(project, f"person {n}")
    assert queries() == before <= 6


def test_the_page_shows_hours_pay_and_codes(project, manager):
    work_of(project, "amina <b>", minutes=90)
    html = manager.get("/reports/projects/demo/invoice/").content.decode()
    assert "amina &lt;b&gt;" in html
    assert "1:30" in html
    assert "18.75" in html
    assert Assignment.objects.get().completion_code in html
    assert "half up" in html


def test_the_chosen_days_lead_on_to_the_downloads(project, manager):
    work_of(project)
    page = manager.get("/reports/projects/demo/invoice/", {"first": "2026-04-01"})
    assert "No session was submitted on these days." in page.content.decode()
    assert "/invoice.csv?first=2026-04-01" in page.content.decode()
    told = manager.get("/reports/projects/demo/invoice.json", {"first": "2026-04-01"}).json()
    assert told["people"] == []


@pytest.mark.parametrize(
    "days",
    [{"first": "soon"}, {"last": "2026-02-30"}, {"first": "2026-04-02", "last": "2026-04-01"}],
)
@pytest.mark.parametrize("address", ["invoice/", "invoice.json", "invoice.csv"])
def test_days_that_are_none_are_refused(project, manager, days, address):
    answer = manager.get(f"/reports/projects/demo/{address}", days)
    assert answer.status_code == 400
    assert "valid date" in answer.content.decode() or "after the last" in answer.content.decode()


def test_the_table_for_spreadsheets_has_a_row_for_each_person_and_their_total(project, manager):
    work_of(project, "+255712345678", minutes=90)
    work_of(project, "zawadi", minutes=30)
    answer = manager.get("/reports/projects/demo/invoice.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="clime-demo-work.csv"'
    rows = list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["person"] for row in rows] == ["'+255712345678", "zawadi", "TOTAL"]
    first, _, total = rows
    assert (first["hours_minutes"], first["hours"], first["amount"]) == ("1:30", "1.50", "18.75")
    assert (first["first_day"], first["hourly_pay"], first["currency"]) == (
        "2026-03-10",
        "12.50",
        "USD",
    )
    assert (total["sessions"], total["hours"], total["amount"]) == ("2", "2.00", "25.00")


def test_the_same_figures_are_there_for_programs(project, manager):
    work_of(project, minutes=90)
    told = manager.get("/reports/projects/demo/invoice.json").json()
    assert told["people"][0]["work"]["amount"] == 18.75
    assert told["total"]["minutes"] == 90


@pytest.mark.parametrize("address", ["invoice/", "invoice.json", "invoice.csv"])
def test_the_work_report_is_for_managers(project, client, address):
    client.force_login(User.objects.create_user("somebody"))
    assert client.get(f"/reports/projects/demo/{address}").status_code == 302


def test_a_projects_pages_lead_to_its_work_report(project, client):
    client.force_login(User.objects.create_superuser("chief"))
    work_of(project)
    for page in (
        "/reports/projects/demo/",
        f"/admin/tasks/project/{project.pk}/change/",
        f"/admin/tasks/project/{project.pk}/links/",
    ):
        assert "/reports/projects/demo/invoice/" in client.get(page).content.decode()
