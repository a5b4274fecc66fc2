"""A Prolific that runs in a test: its documented rules over HTTP, and the participants' side.

Where the reference (docs.prolific.com/api-reference) says nothing, it does the sterner thing; each
such place is marked `guess`.
"""

from tests.stand_ins.prolific.server import Prolific

__all__ = ["Prolific"]
