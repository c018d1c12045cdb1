"""Which threads take the core when data comes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sojourn import scheduling
from sojourn.scheduling import MANY, at_once_while_few, give_way, policy_for, threads_named, without_preempting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these policies")


@pytest.fixture
def receiving() -> Iterator[int]:
    """A thread of the system that began without preempting."""
    begun, ended, ids = threading.Event(), threading.Event(), []

    def work() -> None:
        ids.append(threading.get_native_id())
        begun.set()
        ended.wait(60)

    with without_preempting():
        thread = threading.Thread(target=work)
        thread.start()
    assert begun.wait(60)
    yield ids[0]
    ended.set()
    thread.join()


def test_threads_that_receive_wait_for_their_turn(receiving: int) -> None:
    assert os.sched_getscheduler(receiving) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_few_requests_are_taken_at_once_and_many_gather(receiving: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second at a time, as they come."""
    assert [policy_for(rate) for rate in (0, MANY - 1, MANY)] == [os.SCHED_OTHER, os.SCHED_OTHER, os.SCHED_BATCH]
    monkeypatch.setattr(scheduling, "_EVERY", 0.01)
    name = Path(f"/proc/self/task/{receiving}/comm").read_text().strip()
    monkeypatch.setattr(scheduling, "threads_named", lambda asked: [receiving] if asked == name else [])
    count, looked = [0.0], threading.Event()

    def requests() -> float:
        looked.set()
        return count[0]

    with at_once_while_few(name, requests):
        for each, policy in ((0.0, os.SCHED_OTHER), (1e9, os.SCHED_BATCH)):
            for _ in range(6_000):
                count[0] += each
                looked.clear()
                assert looked.wait(60)
                if os.sched_getscheduler(receiving) == policy:
                    break
            assert os.sched_getscheduler(receiving) == policy


def test_threads_are_found_by_the_name_that_the_system_knows() -> None:
    assert threads_named("nobody") == []
    assert threading.get_native_id() in threads_named(Path("/proc/thread-self/comm").read_text().strip())


def test_the_lane_gives_way() -> None:
    """And so does what it begins; the thread that began it does not."""
    levels: list[int] = []

    def work() -> None:
        give_way()
        levels.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    thread = threading.Thread(target=work)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread.start()
    thread.join()
    assert levels[0] == min(19, before + 5)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
