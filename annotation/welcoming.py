"""What the welcome page tells somebody before they agree: how it looks, how long it takes, and what
they agree to."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from django.utils.translation import gettext as _

from annotation.access import Visit
from annotation.models import SessionState
from annotation.pages import as_read
from tasks.models import Listing, Project

# The time of fewer people says more about them than about the work.
FEWEST_OTHERS = 3

# Pictures of a keyword's page, by name, in CSS pixels; tests/pictures.py makes them.
PICTURE_SIZES = {"verdicts": (360, 396), "sentences": (360, 302), "adding": (360, 214)}


@dataclass(frozen=True)
class Picture:
    """A picture of a keyword's page, in the reader's language."""

    file: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True)
class Consent:
    """What somebody is asked to agree to; of who did, what they agreed to and its version."""

    text: str
    privacy: str
    version: int | None = None


def picture_file(name: str, language: str) -> str:
    """Return the static name of a picture."""
    return f"annotation/guide/{name}.{language}.webp"


def pictures(language: str) -> list[Picture]:
    """Return how a keyword's page looks to a reader of this language, in the order of the work."""
    texts = {
        "verdicts": (
            _("A word on top. Of the words below it, one is accepted and one is rejected."),
            _("Accept the words that fit. Reject the words that do not. Press again to undo."),
        ),
        "sentences": (
            _("A word, and below it sentences in which it stands."),
            _("Press a word to see it in sentences."),
        ),
        "adding": (
            _("The beginning of a word is typed into a field. Words to add are below it."),
            _("Is a good word missing? Type how it begins, then press the word to add it."),
        ),
    }
    return [
        Picture(picture_file(name, language), *PICTURE_SIZES[name], alt=alt, caption=caption)
        for name, (alt, caption) in texts.items()
    ]


def reward(listing: Listing | None) -> str:
    """Return what a platform pays for a HIT, as people read it; empty for direct links."""
    if listing is None:
        return ""
    cents, currency = listing.reward_cents, listing.hit.project.currency
    return f"{cents // 100}.{cents % 100:02} {currency}"


def usual_minutes(project: Project) -> int | None:
    """Return how long others worked on a session of the project; None where too few have."""
    # Sessions that a manager left out were often done carelessly, thus too fast.
    others = project.sessions.filter(state=SessionState.SUBMITTED, excluded_at=None)
    seconds = list(others.values_list("active_seconds", flat=True))
    return max(1, round(median(seconds) / 60)) if len(seconds) >= FEWEST_OTHERS else None


def consent(visit: Visit) -> Consent | None:
    """Return what a visitor is asked to agree to, or agreed to; None where that was not kept."""
    if visit.agreed is None:
        return Consent(as_read(visit.project.consent), as_read(visit.project.privacy))
    if (given := visit.agreed.consent) is None:
        return None
    return Consent(as_read(given.consent), as_read(given.privacy), given.number)
