"""What the product asks of a crowd platform."""

from typing import Protocol

from tasks.models import Assignment


class UnknownAssignment(Exception):
    """The address was not made by us, or was replaced by a newer one."""


class PlatformError(Exception):
    """A platform did not do what was asked; the message is a sentence for a manager.

    permanent: asking again changes nothing until a person has done something about it.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class OutcomeUnknown(PlatformError):
    """What was asked was sent, and nobody has said whether it was done: look, then ask again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


class CrowdPlatform(Protocol):
    """A place that brings annotators to task pages."""

    def task_url(self, assignment: Assignment) -> str:
        """Return the address at which this assignment's annotator works."""

    def identify(self, token: str) -> Assignment:
        """Return the assignment that a token from an address stands for.

        Raises UnknownAssignment for a token that is forged, mistyped or replaced.
        """
