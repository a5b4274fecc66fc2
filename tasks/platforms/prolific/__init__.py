"""Prolific: all that the product knows of it.

The service's rules are those of its API reference and help pages; where they are silent, the code
says so.
"""

from tasks.platforms.prolific.platform import Prolific

__all__ = ["Prolific"]
