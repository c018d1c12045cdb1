"""What is sent, and senders that send it again until it is acknowledged."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sojourn.testing import request, span

SESSIONS: Final = 12
SPANS: Final = 6
"""Spans of one request: half of a trace."""
BEGIN: Final = time.time_ns() - 600_000_000_000


def body(number: int) -> bytes:
    """Request `number`: every second one brings the other half of the trace of the one before it, with the root."""
    trace, late = divmod(number, 2)
    session = f"s{trace % SESSIONS}"
    start = BEGIN + trace * 20_000_000
    root = span("turn", session=session, trace=f"trace {trace}", id="root", start=start, end=start + 10_000_000, user=f"u{trace % 5}")
    children = [
        span(
            "chat",
            session=session if late else None,  # the first half learns its session from the root, which comes later
            trace=root.trace,
            parent="root",
            id=f"call {late} {index}",
            start=start + 1000 * index,
            end=start + 1000 * index + 500_000,
            model="gpt-4o",
            tokens=(trace % 97 + index, 7),
            error="no" if (trace + index) % 11 == 0 else None,
        )
        for index in range(SPANS - late)
    ]
    return request(*children, *([root] if late else [])).SerializeToString()


@dataclass
class Senders:
    """Threads that send one request after the other, each until it is acknowledged, and note which were."""

    port: int
    threads: int = 3
    seed: int = 1
    acknowledged: set[int] = field(default_factory=set)
    again: int = 0
    """How often something was sent again."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)
    most: int | None = None
    """After so many requests it is enough."""
    pause: float = 0.01
    """Seconds after each request: what is sent has to be sent to the undisturbed collector too."""

    def __enter__(self) -> Senders:
        for index in range(self.threads):
            thread = threading.Thread(target=self._send_all, args=(random.Random(self.seed + index),), daemon=True)
            thread.start()
            self._running.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self.finish(0.0)

    def finish(self, timeout: float) -> None:
        """Begin no more requests, and wait until those that were begun are acknowledged."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        for thread in self._running:
            thread.join(max(0.0, deadline - time.monotonic()))

    def all_sent(self, patience: float) -> bool:
        """Wait until `most` requests are acknowledged; False if there comes a time of `patience` seconds in which none is."""
        seen = -1
        while any(thread.is_alive() for thread in self._running):
            if len(self.acknowledged) == seen:
                return False
            seen = len(self.acknowledged)
            deadline = time.monotonic() + patience
            for thread in self._running:
                thread.join(max(0.0, deadline - time.monotonic()))
        return True

    def _send_all(self, chance: random.Random) -> None:
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers)
            if self.most is not None and number >= self.most:
                return
            self._send(number, chance)

    def _send(self, number: int, chance: random.Random) -> None:
        told = body(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        pause = threading.Event()
        while True:
            try:
                connection.request("POST", "/v1/traces", told, {"Content-Type": "application/x-protobuf"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    with self._lock:
                        self.acknowledged.add(number)
                    connection.close()
                    pause.wait(self.pause)
                    return
                assert answer.status == 503, f"request {number}: {answer.status}"
            except (OSError, http.client.HTTPException):
                connection.close()
            self.again += 1
            pause.wait(chance.uniform(0.005, 0.05))
