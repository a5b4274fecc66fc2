"""Control words: which are placed where, and what tells them apart for nobody but the manager."""

import pytest

from models_ml.models import Keyword
from tasks.controls import (
    place_controls,
    placed_controls,
    read_translations,
    unknown_words,
)
from tasks.models import Control
from tests.factories import make_link, make_project

pytestmark = pytest.mark.django_db

SOURCE = ("radio", "nurse", "taxi", "fever", "doctor", "water", "market", "river", "score", "goal")
# The first words are neighbours of the first keywords; radio is its own spelling's neighbour.
TARGET = ("radio", "muuguzi", "dawa", "homa", "taxi", "daktari", "maji", "soko", "mto", "bao")


@pytest.fixture
def project():
    """Keywords radio, nurse, taxi and fever, each beside the two target words from its own on."""
    return make_project(
        keywords=4,
        source_words=SOURCE,
        target_words=TARGET,
        control_identical=1,
        control_translations=2,
        control_random=1,
        known_translations="nurse\tdaktari\nfever\tmaji\n\nnobody\tdawa",
    )


def keywords_of(project):
    return list(project.ranking.keywords.all())


def frequent_first(keyword):
    """Say that the words of the target language are all far, the most frequent first."""
    return list(keyword.ranking.embedding.target.words.order_by("row"))


def place(project):
    return place_controls(project, keywords_of(project), far_words=frequent_first)


def rows():
    controls = Control.objects.order_by("keyword__position")
    return [(c.keyword.word.text, c.word.text, c.kind, c.position) for c in controls]


def test_each_kind_is_placed_where_it_fits_and_one_a_keyword(project):
    place(project)
    placed = {keyword: (word, kind) for keyword, word, kind, _ in rows()}
    assert placed == {
        "radio": ("dawa", "random"),
        "nurse": ("daktari", "translation"),
        "taxi": ("taxi", "identical"),
        "fever": ("maji", "translation"),
    }


def test_a_far_word_is_the_first_that_is_no_neighbour(project):
    place(project)
    (far,) = [row for row in rows() if row[2] == "random"]
    # radio and muuguzi stand beside the keyword radio: the next frequent word is taken.
    assert far[:2] == ("radio", "dawa")


def test_a_natural_neighbour_is_never_a_control(project):
    project.known_translations = "nurse\tmuuguzi\nnurse\tdawa"
    project.control_identical, project.control_random = 4, 4
    place(project)
    for control in Control.objects.all():
        beside = control.keyword.neighbours.values_list("word", flat=True)
        assert control.word_id not in {*beside, control.keyword.word_id}
    kinds = {keyword: kind for keyword, _, kind, _ in rows()}
    assert kinds["radio"] == "random"  # its spelling is a neighbour already


def test_a_word_that_fits_is_never_a_far_one(project):
    project.control_identical = project.control_translations = 0
    project.control_random = 4

    def only_fitting(keyword):
        words = keyword.ranking.embedding.target.words
        return list(words.filter(text__in=["taxi", "daktari", "maji"]))

    place_controls(project, keywords_of(project), far_words=only_fitting)
    found = {keyword: word for keyword, word, *_ in rows()}
    assert found["taxi"] != "taxi"
    assert found["nurse"] != "daktari"
    assert found["fever"] != "maji"


def test_scarce_kinds_leave_keywords_to_each_other(project):
    """Taxi alone has only a spelling; nurse would have both, were nurse a target word too."""
    words = project.embedding.target.words
    words.filter(text="bao").update(text="nurse")
    project.known_translations = "nurse\tdaktari"
    project.control_translations = 1
    place(project)
    kinds = {keyword: kind for keyword, _, kind, _ in rows()}
    assert (kinds["taxi"], kinds["nurse"]) == ("identical", "translation")


def test_fewer_than_wanted_are_placed_and_told(project):
    project.control_identical = 3
    project.control_translations = 1
    place(project)
    assert placed_controls(project) == {"identical": 1, "translation": 1, "random": 1}


def test_the_same_keywords_get_the_same_controls(project):
    place(project)
    before = rows()
    place(project)
    assert rows() == before
    assert all(1 <= position <= project.neighbour_count + 1 for *_, position in before)


def test_a_new_preparation_replaces_controls(project):
    place(project)
    project.control_random = project.control_translations = 0
    place(project)
    assert [row[:3] for row in rows()] == [("taxi", "taxi", "identical")]


def test_controls_that_somebody_was_given_stay(project):
    place(project)
    before = rows()
    make_link(project)
    project.control_random = 0
    assert {c.pk for c in place(project)} == set(Control.objects.values_list("pk", flat=True))
    assert rows() == before


def test_another_persons_later_keywords_leave_those_of_the_first_session_alone(project):
    place(project)
    before = rows()
    make_link(project)
    later = Keyword.objects.create(
        ranking=project.ranking,
        word=project.embedding.source.words.get(text="market"),
        position=9,
        salience=0.1,
    )
    (control,) = place_controls(project, [later], far_words=frequent_first)
    assert (control.keyword, control.kind) == (later, "random")
    assert rows()[:-1] == before


def test_a_project_that_wants_none_asks_for_no_far_word(project):
    project.control_identical = project.control_translations = project.control_random = 0
    assert place_controls(project, keywords_of(project), far_words=lambda keyword: 1 / 0) == []


@pytest.mark.parametrize("line", ["nurse muuguzi", "nurse\t", "\tmuuguzi", "a\tb\tc"])
def test_a_line_that_is_no_pair_is_refused_by_number_and_value(line):
    with pytest.raises(ValueError, match=r"Line 2: .* is not two words") as refused:
        read_translations(f"fever\thoma\n{line}")
    assert repr(line) in str(refused.value)


def test_words_outside_the_vocabularies_are_named_with_line_and_language(project):
    pairs = read_translations("nurse\tmuuguzi\n\nnurze\tdawa\nfever\thomaa")
    assert unknown_words(pairs, project.embedding) == [
        "Line 3: 'nurze' is not among the English words.",
        "Line 4: 'homaa' is not among the Swahili words.",
    ]
