"""The web fonts in a real browser: our font draws every letter, whatever the machine has."""

import pytest
from django.contrib.staticfiles import finders

from annotation.scripts import fonts_for

pytestmark = pytest.mark.e2e

SITE = "http://fonts.test"
UYGHUR_LETTERS = "ئ ې ۆ ۇ ۈ ۋ ڭ گ چ پ ژ ھ ە ى ك غ"


@pytest.fixture
def page(browser):
    """Give a page that gets static files from their folders and everything else from nowhere."""
    page = browser.new_page()
    page.route("**", lambda route: route.abort())
    page.route(
        f"{SITE}/static/**",
        lambda route: route.fulfill(path=finders.find(route.request.url.split("/static/")[1])),
    )
    yield page
    page.close()


def show(page, *, tag, text):
    """Show a word as task pages do: bold, in a heading, beside the sheets that its tag needs."""
    sheets = ["annotation/clime.css", "annotation/task.css", *fonts_for([tag])]
    links = "".join(f'<link rel="stylesheet" href="{SITE}/static/{sheet}">' for sheet in sheets)
    page.route(
        f"{SITE}/",
        lambda route: route.fulfill(
            content_type="text/html; charset=utf-8",
            body=f'<!doctype html>{links}<h1><bdi lang="{tag}">{text}</bdi></h1>',
        ),
    )
    page.goto(f"{SITE}/")
    page.evaluate("document.fonts.ready.then(() => null)")


def fonts_drawn(page, selector):
    """Return what drew an element's letters: pairs of a font's name and whether it is ours."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument")["root"]["nodeId"]
    node = devtools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    fonts = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    return {(font["familyName"], font["isCustomFont"]) for font in fonts}


@pytest.mark.parametrize(
    ("tag", "words", "font"),
    [
        ("ti", "ሕክምና ሆስፒታል ጠቕላሊ ቋንቋ ወ፡ዘ፡ተ።", "Noto Sans Ethiopic"),
        ("si", "රෝහල වෛද්‍යවරයා ශ්‍රී ක්‍රමය", "Noto Sans Sinhala"),
        ("ug", f"دوختۇرخانا سېسترا {UYGHUR_LETTERS}", "Noto Sans Arabic"),
        ("az-Arab", "خسته‌خانا", "Noto Sans Arabic"),
    ],
)
def test_every_letter_is_drawn_by_our_font(page, tag, words, font):
    show(page, tag=tag, text=words.replace(" ", ""))
    assert fonts_drawn(page, "bdi") == {(font, True)}


def test_letters_of_other_scripts_keep_the_page_s_font(page):
    show(page, tag="ti", text="COVID-19")
    assert [ours for _, ours in fonts_drawn(page, "bdi")] == [False]


def test_a_conjunct_is_narrower_than_its_letters(page):
    show(page, tag="si", text="ද්‍ය")
    joined = page.locator("bdi").bounding_box()["width"]
    show(page, tag="si", text="ද්ය")
    assert joined < page.locator("bdi").bounding_box()["width"]
