"""What the product asks of a crowd platform."""

from typing import Protocol

from tasks.models import Assignment


class UnknownAssignment(Exception):
    """The address was not made by us, or was replaced by a newer one."""


class CrowdPlatform(Protocol):
    """A place that brings annotators to task pages."""

    def task_url(self, assignment: Assignment) -> str:
        """Return the address at which this assignment's annotator works."""

    def identify(self, token: str) -> Assignment:
        """Return the assignment that a token from an address stands for.

        Raises UnknownAssignment for a token that is forged, mistyped or replaced.
        """
