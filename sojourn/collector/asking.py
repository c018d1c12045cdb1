"""What people ask of a lane: it is answered between two groups, by the one thread that may touch the state of processors."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from sojourn.errors import Unavailable

MOST: Final = 64
"""How many requests may wait."""
Waiting = tuple[object, "Future[None]"]


class Desk:
    """Requests in the order in which they came. `wake` tells the lane's thread that there is one."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._waiting: queue.Queue[Waiting] = queue.Queue(MOST)
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, request: object, timeout: float) -> None:
        """Wait until the request was answered. Raises Unavailable, or what answering it raised."""
        outcome: Future[None] = Future()
        with self._lock:
            if self._closed:
                raise Unavailable("the collector is stopping")
            try:
                self._waiting.put_nowait((request, outcome))
            except queue.Full:
                raise Unavailable(f"{MOST} others ask already: try again", 5.0) from None
        self._wake()
        try:
            outcome.result(timeout)
        except TimeoutError:
            outcome.cancel()
            raise Unavailable(f"not done within {timeout:.0f} s: the collector is busy, or its database cannot be reached", 10.0) from None

    def waiting(self) -> bool:
        return not self._waiting.empty()

    def take(self) -> Waiting | None:
        """The next request that somebody still waits for."""
        while True:
            try:
                request, outcome = self._waiting.get_nowait()
            except queue.Empty:
                return None
            if outcome.set_running_or_notify_cancel():
                return request, outcome

    def close(self) -> None:
        """Nobody answers any more."""
        with self._lock:
            self._closed = True
        while (left := self.take()) is not None:
            left[1].set_exception(Unavailable("the collector is stopping"))
