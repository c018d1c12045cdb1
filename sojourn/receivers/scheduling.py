"""When threads that receive get their turn on a busy core."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def without_preempting() -> Iterator[None]:
    """Threads that begin in here wait for their turn when data comes, in place of taking the core from whoever works (SCHED_BATCH).

    A receiving thread that interrupts the lane for every packet serves one or two requests each time; one that waits a moment finds
    many, which share the calls to the system: requests of one span on one core cost 30 µs of CPU instead of 50, and many senders
    wait no longer than before (measured; docs/decisions/0013). A sender with one request in flight waits 1 or 2 ms more where others
    keep the core busy, and no longer where it is free. Elsewhere than on Linux, and where somebody chose another policy for this
    process: nothing.
    """
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    with suppress(OSError):  # a sandbox may forbid it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
