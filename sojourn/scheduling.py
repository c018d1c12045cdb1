"""Who gets the core first where there are fewer than there is work for: threads that receive, or the lane that folds."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MANY: Final = 1_000
"""Requests a second from which on it pays to let them gather."""
_EVERY: Final = 1.0
_NICE: Final = 5
"""A third of the weight of a thread that receives."""


@contextmanager
def without_preempting() -> Iterator[None]:
    """Threads that begin in here wait for their turn when data comes, in place of taking the core from whoever works (SCHED_BATCH).

    A receiving thread that interrupts the lane for every packet serves one or two requests each time; one that waits a moment finds
    many, which share the calls to the system: requests of one span on one core cost 30 µs of CPU instead of 50, and many senders
    wait no longer than before (measured; docs/decisions/0013). A sender with one request in flight waits 1 or 2 ms more where others
    keep the core busy, and no longer where it is free. Elsewhere than on Linux, and where somebody chose another policy for this
    process: nothing.
    """
    if not _ours():
        yield
        return
    _set([0], os.SCHED_BATCH)
    try:
        yield
    finally:
        _set([0], os.SCHED_OTHER)


@contextmanager
def at_once_while_few(thread: str, requests: Callable[[], float]) -> Iterator[None]:
    """While this lasts, threads of that name that began without preempting do preempt as long as fewer than MANY requests a second come.

    Whoever waits for the write-ahead log waits for the receiving thread twice; at a few hundred requests a second there is nothing to
    gather, and every turn that it misses is one of the lane's, milliseconds long. `requests` counts them since the start.
    """
    if not _ours():
        yield
        return
    ended = threading.Event()
    follower = threading.Thread(target=_follow, args=(thread, requests, ended), name="turns", daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()


def give_way() -> None:
    """The calling thread, and those that it begins, yield to threads that receive: senders wait for these, and for nobody else."""
    if _ours():
        with suppress(OSError):
            mine = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, mine, min(19, os.getpriority(os.PRIO_PROCESS, mine) + _NICE))


def _follow(thread: str, requests: Callable[[], float], ended: threading.Event) -> None:
    before, now = requests(), None
    while not ended.wait(_EVERY):
        before, policy = (count := requests()), policy_for((count - before) / _EVERY)
        if policy != now:
            _set(threads_named(thread), policy)
            now = policy


def policy_for(rate: float) -> int:
    """By how many requests a second come."""
    return os.SCHED_BATCH if rate >= MANY else os.SCHED_OTHER


def threads_named(name: str) -> list[int]:
    """Threads of this process, by the name that the system knows."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has just ended
            if (task / "comm").read_text().strip() == name:
                found.append(int(task.name))
    return found


def _ours() -> bool:
    """Whether the policy is ours to choose."""
    return sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER


def _set(threads: list[int], policy: int) -> None:
    for thread in threads:
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(thread, policy, os.sched_param(0))
