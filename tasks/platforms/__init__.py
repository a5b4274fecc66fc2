"""Where annotators come from. Each platform's file holds all that the product knows of it."""

from tasks.models import Platform
from tasks.platforms.base import CrowdPlatform, OutcomeUnknown, PlatformError, UnknownAssignment
from tasks.platforms.direct import DirectLink

__all__ = ["CrowdPlatform", "OutcomeUnknown", "PlatformError", "UnknownAssignment", "platform_of"]

_PLATFORMS: dict[str, CrowdPlatform] = {Platform.DIRECT: DirectLink()}


def platform_of(name: str) -> CrowdPlatform:
    """Return the platform of this name; raises KeyError for one that is not built in."""
    return _PLATFORMS[name]
