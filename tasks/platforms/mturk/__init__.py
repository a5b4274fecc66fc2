"""Mechanical Turk: all that the product knows of it.

The service's rules are those of its API reference and requester's guide; where they are silent, the
code says so.
"""

from tasks.platforms.mturk.platform import MechanicalTurk

__all__ = ["MechanicalTurk"]
