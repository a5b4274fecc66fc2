"""Makes the welcome page's pictures of a keyword's page: `./run python -m tests.pictures`.

The real page, in a real browser as wide as a small phone, on a made-up project in a database that
is thrown away. To be run again whenever that page or a translation of it has changed.
"""

from __future__ import annotations

import base64
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

import django
from playwright.sync_api import FloatRect, Locator, Page, sync_playwright

from tests import chromium

STATIC = Path(__file__).resolve().parent.parent / "annotation" / "static"
# So high that nothing is laid over the words at its end.
PHONE = {"width": 360, "height": 2000}
PIXELS_A_POINT = 1.5  # sharp enough to read, small enough to load over a slow line
QUALITY = 70
AIR = 8  # above the first part
HIDE_WHAT_FOLLOWS = """last => {
  for (let part = last; part !== document.body; part = part.parentElement)
    for (let next = part.nextElementSibling; next; next = next.nextElementSibling)
      next.style.visibility = "hidden";
}"""


@dataclass(frozen=True)
class Example:
    """What the pictures show beside English, in a language that the reader knows."""

    language: tuple[str, str, str]
    words: str
    sentences: tuple[str, ...]
    beginning: str  # of the last word, which is missing beside the keyword


SOURCE = "hospital nurse market doctor"
SENTENCES = ("a nurse helped the child", "we called a nurse at night", "the nurse gave medicine")
SWAHILI = Example(
    ("Swahili", "sw", "ltr"),
    "hospitali soko muuguzi daktari",
    ("muuguzi alimsaidia mtoto", "tulimwita muuguzi usiku", "muuguzi alitoa dawa"),
    "dak",
)
EXAMPLES = {
    "ar": Example(
        ("العربية", "ar", "rtl"),
        "مستشفى سوق ممرضة طبيب",
        ("ساعدت ممرضة الطفل", "اتصلنا في الليل مع ممرضة", "ممرضة أعطت الدواء"),
        "طب",
    ),
    "en": SWAHILI,
    "fr": Example(
        ("français", "fr", "ltr"),
        "hôpital marché infirmière médecin",
        (
            "une infirmière a aidé l’enfant",
            "nous avons appelé une infirmière",
            "l’ infirmière a donné un médicament",
        ),
        "méd",
    ),
    "sw": SWAHILI,
}


def main() -> None:
    """Make all pictures anew, and say how large they are."""
    if chromium.PATH is None:
        sys.exit(f"{chromium.MISSING}.")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as site:
        links = {language: site + path for language, path in make_links().items()}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium.PATH, args=chromium.FLAGS)
            for language, link in links.items():
                context = browser.new_context(
                    viewport=PHONE,
                    has_touch=True,
                    locale=language,
                    java_script_enabled=False,  # nothing then moves or arrives late
                )
                take_pictures(context.new_page(), link, language)
            browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address of a server whose database is made in a folder."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "clime_project.settings",
        "DEBUG": "1",
        "CLIME_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'pictures.sqlite3'}",
        "CELERY_BROKER_URL": "memory://",
        "SITE_URL": "http://127.0.0.1",
    }
    django.setup()
    from django.core.management import call_command
    from waitress import create_server

    from clime_project.wsgi import application

    call_command("migrate", verbosity=0)
    server = create_server(application, host="127.0.0.1", port=0)
    Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


def make_links() -> dict[str, str]:
    """Return the path of a keyword's page for a reader of each language, who agreed already."""
    from django.conf import settings
    from django.urls import reverse

    from annotation import services
    from tasks import services as tasks_services
    from tests.factories import make_link, make_project, token_of

    paths = {}
    for language, _ in settings.LANGUAGES:
        example = EXAMPLES[language]
        project = make_project(
            keywords=1,
            source_words=SOURCE.split(),
            source_texts=SENTENCES,
            target_language=example.language,
            target_words=example.words.split(),
            target_texts=example.sentences,
        )
        assignment = make_link(project)
        session = services.open_session(assignment)
        version = tasks_services.consent_version(project)
        services.give_consent(session, assignment, version=version)
        paths[language] = reverse("annotation:item", args=[token_of(assignment), 1])
    return paths


# --- The pictures -------------------------------------------------------------------------------


def take_pictures(page: Page, link: str, language: str) -> None:
    """Take the pictures of one language."""
    from annotation.welcoming import PICTURE_SIZES, picture_file

    for name, (width, height) in PICTURE_SIZES.items():
        page.goto(link)
        first, last = STEPS[name](page, link, EXAMPLES[language])
        top, bottom = box(first)["y"] - AIR, box(last)["y"] + box(last)["height"]
        if bottom > top + height:
            sys.exit(f"PICTURE_SIZES: {name} in {language} needs a height of {bottom - top:.0f}")
        last.evaluate(HIDE_WHAT_FOLLOWS)  # or else some of it would show, cut in two
        picture = photograph(page, {"x": 0, "y": top, "width": width, "height": height})
        path = STATIC / picture_file(name, language)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
        print(f"{path.name}: {len(picture) / 1024:.1f} KB, {top + height - bottom:.0f} px to spare")


def show_verdicts(page: Page, link: str, example: Example) -> Span:
    """Accept a word and reject one."""
    for place, button in enumerate(("accept", "reject")):
        page.locator(f".row button.{button}").nth(place).click()
    page.goto(link)  # without the place that was answered, to which the browser scrolled
    return page.locator(".question"), page.locator(".row").nth(1)


def show_sentences(page: Page, link: str, example: Example) -> Span:
    """Open a word in sentences."""
    address = page.locator(".row a.word").first.get_attribute("href") or ""
    page.goto(link + address.partition("#")[0])
    return page.locator(".column h2").first, page.locator(".row").nth(1)


def show_adding(page: Page, link: str, example: Example) -> Span:
    """Look for a missing word of the other language."""
    page.goto(f"{link}?{urlencode({'side': 'target', 'q': example.beginning})}")
    column = page.locator(".column[data-side=target]")
    return column.locator(".add"), column.locator(".results li").last


# What must be in a picture: its first and its last part.
Span = tuple[Locator, Locator]
STEPS: dict[str, Callable[[Page, str, Example], Span]] = {
    "verdicts": show_verdicts,
    "sentences": show_sentences,
    "adding": show_adding,
}


def box(part: Locator) -> FloatRect:
    """Return where a part of a page is."""
    found = part.bounding_box()
    if found is None:
        raise RuntimeError(f"{part} is not shown")
    return found


def photograph(page: Page, clip: dict[str, float]) -> bytes:
    """Return a piece of a page as WebP, which Playwright itself does not write."""
    devtools = page.context.new_cdp_session(page)
    wish = {"format": "webp", "quality": QUALITY, "clip": clip | {"scale": PIXELS_A_POINT}}
    shot = devtools.send("Page.captureScreenshot", wish)
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()
