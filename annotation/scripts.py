"""Which of our web fonts a language's words need: many phones show these scripts badly."""

from collections.abc import Iterable
from itertools import takewhile

# Scripts by their ISO 15924 code in lower case, each with the static name of its style sheet.
SHEETS = {
    "ethi": "annotation/fonts/ethiopic.css",
    "sinh": "annotation/fonts/sinhala.css",
    "arab": "annotation/fonts/arabic.css",
}
# The languages written in each script unless their tag says otherwise (CLDR: likely subtags and
# aliases). The rules in the style sheets name the same.
LANGUAGES = {
    "ethi": "am gez ti tig",
    "sinh": "si",
    "arab": "acm aeb afb apc apd ar arq ars ary arz azb bal ckb fa glk khw ks lrc mzn pnb prs ps"
    " sd skr ug ur",
}
_USUAL_SCRIPT = {
    language: script for script, languages in LANGUAGES.items() for language in languages.split()
}


def fonts_for(tags: Iterable[str]) -> list[str]:
    """Return the static names of the style sheets that words with these BCP-47 tags need.

    Each comes once, in the order of `SHEETS` whatever the order of the tags.
    """
    scripts = {_script_of(tag) for tag in tags}
    return [sheet for script, sheet in SHEETS.items() if script in scripts]


def _script_of(tag: str) -> str | None:
    """Return the script that a BCP-47 tag names, else its language's usual one if a font has it."""
    language, *subtags = tag.lower().split("-")
    # A single letter begins extensions, where four letters are no script (`en-u-nu-arab`).
    own_subtags = takewhile(lambda subtag: len(subtag) > 1, subtags)
    named = (subtag for subtag in own_subtags if len(subtag) == 4 and subtag.isalpha())
    return next(named, _USUAL_SCRIPT.get(language))
