"""`manage.py links`: direct links in bulk, without the browser."""

import csv
import json
from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks import services
from tasks.models import Assignment
from tests.factories import make_link, make_project, token_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="demo", overlap=3)


@pytest.fixture
def names(tmp_path):
    """Give a function that writes a file of names."""

    def write(text):
        file = tmp_path / "people.csv"
        file.write_text(text)
        return str(file)

    return write


def links(*args):
    out = StringIO()
    call_command("links", *args, stdout=out)
    return out.getvalue()


def test_links_are_made_by_number_and_printed_as_csv(project):
    rows = list(csv.DictReader(StringIO(links("demo", "--number", "2"))))
    assert [row["name"] for row in rows] == ["link-1", "link-2"]
    made = Assignment.objects.order_by("id")
    assert [row["link"].rsplit("/t/")[1] for row in rows] == [f"{token_of(one)}/" for one in made]


def test_links_of_the_people_in_a_file_are_printed_as_json(project, names):
    known = make_link(project, "amina")
    make_link(project, "zawadi")
    told = json.loads(links(str(project.pk), "--csv", names("name\nbaraka\namina\n"), "--json"))
    assert [one["name"] for one in told] == ["baraka", "amina"]
    assert datetime.fromisoformat(told[1]["expires"]) == known.expires_at.replace(microsecond=0)
    assert (told[1]["state"], told[1]["session"], told[1]["submitted"]) == ("offered", 1, None)


def test_without_people_all_links_are_printed_and_none_is_made(project):
    services.submit(make_link(project))
    (told,) = json.loads(links("demo", "--json"))
    assert told["state"] == "submitted"
    assert told["completion_code"] == Assignment.objects.get().completion_code


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["nothing"], "No link was made: there is no project 'nothing'; projects: demo."),
        (["demo", "--number", "4"], "No link was made: 4 wanted, but 3 of 3 places free; raise"),
        (["demo", "--csv", "/nowhere.csv"], "/nowhere.csv cannot be read: No such file"),
        (["demo", "--number", "0"], "'0' is not a number of people, 1 to 1000"),
        (["demo", "--number", "1", "--csv", "x"], "not allowed with argument"),
    ],
)
def test_trouble_is_told_in_a_sentence_and_nothing_is_made(project, args, error):
    with pytest.raises(CommandError, match=error):
        links(*args)
    assert not Assignment.objects.exists()


def test_a_wrong_line_of_the_file_is_named(project, names):
    with pytest.raises(
        CommandError, match=r"people\.csv: Line 2: 'amina' stands on line 1 already"
    ):
        links("demo", "--csv", names("amina\namina\n"))
    assert not Assignment.objects.exists()
