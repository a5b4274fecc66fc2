"""Sessions on a phone with words in Ethiopic, Sinhala and Arabic script, beside Swahili."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from annotation.models import Suggestion
from tests.e2e.sameness import address, begin, go, is_same, wait_until_sent
from tests.e2e.steps import focused, press, press_keys, row, show_sentences, tab_to
from tests.e2e.test_network import open_task, suggest
from tests.factories import make_project

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

PHONE = {"width": 360, "height": 740}
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Language:
    """A language to annotate in; typed: how people may type the beginning of the last word."""

    name: str
    tag: str
    direction: str
    words: tuple[str, ...]
    typed: tuple[str, ...]
    unknown: str
    font: str | None = None

    @property
    def added(self) -> str:
        return self.words[-1]

    @property
    def text(self) -> str:
        return " ".join(self.words[:4])


def nfd(text):
    return unicodedata.normalize("NFD", text)


TIGRINYA = Language(
    "Tigrinya",
    "ti",
    "ltr",
    ("ሆስፒታል", "ሕክምና", "ነርስ", "ሓኪም", "ማይ", "ዕዳጋ", "መድሃኒት"),
    ("መድ", "መድሃኒት"),
    "ክሊኒክ",
    "ethiopic",
)
SINHALA = Language(
    "Sinhala",
    "si",
    "ltr",
    ("රෝහල", "වෛද්‍යවරයා", "හෙදිය", "බෙහෙත්", "උණ", "ජලය", "දෝෂය"),
    ("දෝ", nfd("දෝ"), "දො"),
    "සායනය",
    "sinhala",
)
UYGHUR = Language(
    "Uyghur",
    "ug",
    "rtl",
    ("دوختۇرخانا", "سېسترا", "دورا", "قىزىتما", "سۇ", "بازار", "ئۆپكە"),
    ("ئۆپ", nfd("ئۆپ"), "يۆپ"),
    "كلىنىكا",
    "arabic",
)
SWAHILI = Language(
    "Swahili",
    "sw",
    "ltr",
    ("hospitali", "muuguzi", "dawa", "homa", "maji", "soko", "mgonjwa"),
    ("MGO", "mgö"),
    "kliniki",
)


def named(language):
    return language.tag


@pytest.fixture(params=[TIGRINYA, SINHALA, UYGHUR, SWAHILI], ids=named)
def language(request):
    return request.param


@pytest.fixture
def assignment(language):
    project = make_project(
        keywords=2,
        documents=1,
        target_words=language.words,
        target_language=(language.name, language.tag, language.direction),
        target_texts=(language.text,),
    )
    return begin(project)


@pytest.fixture
def phone(new_device):
    return new_device(viewport=PHONE, has_touch=True)


def column(page, language):
    return page.locator(".column").filter(has=page.get_by_role("heading", name=language.name))


def fonts_of(page):
    """Return the list to which the fonts are added that a page loads."""
    loaded = []

    def note(request):
        if request.resource_type == "font":
            loaded.append(urlsplit(request.url).path.rsplit("/", 1)[-1])

    page.on("request", note)
    return loaded


def is_marked_up(page, words, language):
    """Check that a page is as wide as the phone, and that each word tells its language."""
    assert page.evaluate(OVERFLOW) <= 0
    for word in words:
        shown = page.locator(f'bdi:text-is("{word}"), mark:text-is("{word}")').all()
        assert shown, word
        for one in shown:
            told = one.evaluate("one => one.closest('[lang]').lang")
            assert told == language.tag, word
            if one.evaluate("one => !one.matches('.of')"):
                way = one.evaluate("one => getComputedStyle(one).direction")
                assert way == language.direction, word


def test_the_font_of_the_script_is_loaded_and_no_other(phone, assignment, language):
    page = phone.new_page()
    loaded = fonts_of(page)
    page.goto(address(assignment))
    page.evaluate("document.fonts.ready.then(() => null)")
    page.wait_for_load_state("networkidle")
    assert loaded == ([f"noto-sans-{language.font}-400.woff2"] if language.font else [])


def test_every_word_tells_its_language_and_direction(phone, assignment, language):
    page = open_task(phone, assignment)
    is_marked_up(page, language.words[:2], language)
    show_sentences(page, language.words[0])
    expect(row(page, language.words[0]).locator("mark")).to_have_text(language.words[0])
    is_marked_up(page, language.words[:1], language)
    search = column(page, language).get_by_role("searchbox")
    assert search.get_attribute("lang") == language.tag
    assert search.get_attribute("dir") == language.direction
    go(page, "next")
    go(page, "next")
    text = page.locator(".card.text")
    expect(text).to_contain_text(language.text)
    assert text.get_attribute("lang") == language.tag
    assert text.get_attribute("dir") == language.direction
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate("document.documentElement.dir") == "ltr"


def test_words_are_found_added_and_suggested_however_they_are_typed(phone, assignment, language):
    page = open_task(phone, assignment)
    results = column(page, language).locator(".results")
    for typed in language.typed:
        column(page, language).get_by_role("searchbox").fill(typed)
        expect(results.get_by_role("button", name=language.added, exact=True)).to_be_visible()
        is_marked_up(page, [language.added], language)
    results.get_by_role("button", name=language.added, exact=True).click()
    expect(row(page, language.added)).to_contain_text("added by you")
    suggest(page, language.unknown, language.name)
    suggestion = page.locator(".suggestion")
    expect(suggestion.locator("bdi").first).to_have_text(language.unknown)
    press(page, language.words[1], re.compile("Reject"))
    wait_until_sent(page)
    is_marked_up(page, [language.added, language.unknown], language)
    is_same(page, assignment)
    page.reload()
    is_marked_up(page, [language.added, language.unknown], language)
    is_same(page, assignment)
    assert Suggestion.objects.get().text == language.unknown


def test_the_keyboard_alone_is_enough(phone, assignment, language):
    page = open_task(phone, assignment)
    press_keys(page, "ArrowRight", "ArrowRight", "a")
    assert focused(page) == row(page, language.words[0]).get_attribute("id")
    tab_to(page, "q-target")
    page.keyboard.type(language.typed[0])
    expect(column(page, language).locator(".results button").first).to_be_visible()
    tab_to(page, language.added)
    press_keys(page, "Enter")
    expect(row(page, language.added)).to_contain_text("added by you")
    assert focused(page) == "q-target"
    wait_until_sent(page)
    is_same(page, assignment)


def test_without_scripts_words_are_found_added_and_suggested(new_device, assignment, language):
    page = new_device(viewport=PHONE, java_script_enabled=False).new_page()
    page.goto(address(assignment))
    press(page, language.words[0], "Accept")
    for query, button in (
        (language.typed[-1], language.added),
        (language.unknown, f"Keep as a suggestion: {language.unknown}"),
    ):
        column(page, language).get_by_role("searchbox").fill(query)
        column(page, language).get_by_role("button", name="Find").click()
        column(page, language).locator(".results").get_by_role("button", name=button).click()
    expect(row(page, language.added)).to_contain_text("added by you")
    expect(page.locator(".suggestion bdi").first).to_have_text(language.unknown)
    is_marked_up(page, [language.words[0], language.added, language.unknown], language)
    is_same(page, assignment)
