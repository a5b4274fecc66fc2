"""A process started by another ends with it, however that other ended."""

import os
import threading
import time

PARENT_VARIABLE = "CLIME_PARENT_PID"
POLL_S = 0.5


def end_with_parent() -> None:
    """Watch the process named by CLIME_PARENT_PID, if any, and exit once it is gone.

    A supervisor that is killed cannot stop its children; so each child looks for itself.
    Jobs are leased rows, so a worker that ends in the middle of one loses nothing.
    """
    expected = os.environ.get(PARENT_VARIABLE)
    if expected is None:
        return

    def watch() -> None:
        while os.getppid() == int(expected):
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
