"""Where annotators come from. Each platform's room holds all that the product knows of it."""

from tasks.models import Platform
from tasks.platforms.base import (
    CrowdPlatform,
    OutcomeUnknown,
    PlatformError,
    ReplacedLink,
    UnknownAssignment,
)
from tasks.platforms.direct import DirectLink
from tasks.platforms.mturk import MechanicalTurk
from tasks.platforms.prolific import Prolific

__all__ = [
    "CrowdPlatform",
    "OutcomeUnknown",
    "PlatformError",
    "ReplacedLink",
    "UnknownAssignment",
    "platform_of",
    "task_links",
]

# Whoever may work has a link, wherever they come from: direct links are given to people, the
# others stand behind an arrival from a platform.
task_links = DirectLink()


def platform_of(name: str) -> CrowdPlatform:
    """Return a platform that work is published on, for calls by the settings as they are now.

    Raises PlatformError for one that there is not, direct links among them.
    """
    if name == Platform.MTURK:
        return MechanicalTurk()
    if name == Platform.PROLIFIC:
        return Prolific()
    known = ", ".join(value for value in Platform.values if value != Platform.DIRECT)
    raise PlatformError(f"nothing can be published on {name!r}; platforms: {known}", permanent=True)
