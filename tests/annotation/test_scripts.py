"""Which web fonts a project's languages need, and the files that hold them."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from annotation.scripts import LANGUAGES, SHEETS, fonts_for

ARABIC, ETHIOPIC, SINHALA = (
    f"annotation/fonts/{script}.css" for script in ("arabic", "ethiopic", "sinhala")
)


def text_of(sheet):
    return Path(finders.find(sheet)).read_text(encoding="utf-8")


def fonts_named_in(sheet):
    return [f"annotation/fonts/{name}" for name in re.findall(r'url\("(.+?)"\)', text_of(sheet))]


@pytest.mark.parametrize(
    ("tags", "sheets"),
    [
        (["ti"], [ETHIOPIC]),
        (["am"], [ETHIOPIC]),
        (["si"], [SINHALA]),
        (["ug"], [ARABIC]),
        (["fa"], [ARABIC]),
        (["en", "fr", "zh-Hans"], []),
        ([], []),
    ],
)
def test_a_language_needs_the_font_of_its_usual_script(tags, sheets):
    assert fonts_for(tags) == sheets


@pytest.mark.parametrize(
    ("tag", "sheets"),
    [
        ("ug-Cyrl", []),
        ("ug-Latn-KZ", []),
        ("ur-Aran", []),
        ("az-Arab", [ARABIC]),
        ("ms-Arab-BN", [ARABIC]),
        ("om-Ethi", [ETHIOPIC]),
        ("pi-Sinh", [SINHALA]),
        ("zh-yue-Arab", [ARABIC]),
    ],
)
def test_a_script_in_the_tag_wins_over_the_language(tag, sheets):
    assert fonts_for([tag]) == sheets


@pytest.mark.parametrize(
    ("tag", "sheets"),
    [
        ("ti-ER", [ETHIOPIC]),
        ("fa-1996", [ARABIC]),
        ("ar-arz", [ARABIC]),
        ("ug-u-nu-latn", [ARABIC]),
        ("en-u-nu-arab", []),
        ("en-x-ethi", []),
    ],
)
def test_other_subtags_say_nothing_of_the_script(tag, sheets):
    assert fonts_for([tag]) == sheets


def test_the_case_of_a_tag_does_not_matter():
    assert fonts_for(["UG"]) == fonts_for(["AZ-arab"]) == fonts_for(["az-ARAB"]) == [ARABIC]


def test_each_sheet_comes_once_in_an_order_that_is_always_the_same():
    tags = ["ur", "ti", "en", "si", "am", "ug"]
    assert fonts_for(tags) == fonts_for(reversed(tags)) == [ETHIOPIC, SINHALA, ARABIC]


@pytest.mark.parametrize("script", SHEETS)
def test_the_rule_of_a_sheet_names_the_languages_that_load_it(script):
    text = text_of(SHEETS[script])
    assert re.findall(r'\[lang\|="(.+?)"\]', text) == sorted(LANGUAGES[script].split())
    assert f'[lang*="-{script.title()}" i]' in text


@pytest.mark.parametrize("sheet", SHEETS.values())
def test_the_files_that_a_sheet_names_are_small_web_fonts(sheet):
    fonts = fonts_named_in(sheet)
    assert fonts
    for font in fonts:
        content = Path(finders.find(font)).read_bytes()
        assert content.startswith(b"wOF2")
        assert len(content) <= 64 * 1024
