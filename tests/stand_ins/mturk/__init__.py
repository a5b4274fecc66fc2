"""A local Mechanical Turk: the requester's API over HTTP, its workers, its clock and its money.

What a rule rests on is said where it stands: the API reference (botocore's service model carries
its text), what requesters saw the service answer, or a guess where neither speaks.
"""

from tests.stand_ins.mturk.records import Worker
from tests.stand_ins.mturk.server import MTurk
from tests.stand_ins.mturk.workers import Refused

__all__ = ["MTurk", "Refused", "Worker"]
