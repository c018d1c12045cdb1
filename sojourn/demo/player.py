"""Tells stories to a collector: some that have just ended, then several at a time as they happen."""

from __future__ import annotations

import heapq
import http.client
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from sojourn.demo import wire
from sojourn.demo.stories import Story
from sojourn.demo.story import Packet

_log = logging.getLogger(__name__)
_NANOSECONDS: Final = 1_000_000_000
_TRIES: Final = 5

Send = Callable[[bytes], None]


def agenda(stories: Iterator[Story], past: int, at_once: int) -> Iterator[tuple[float, float, Packet]]:
    """(when to send, when its story began, packet) in seconds from now, in the order of sending, without end.

    `past` stories are over when the telling begins and are sent at once; then `at_once` stories are under way at any time.
    """
    for number in range(past):
        story = next(stories)
        beginning = -story[-1].due - 30.0 * (past - number)
        yield from ((0.0, beginning, packet) for packet in story)
    tie = itertools.count()
    queue: list[tuple[float, int, float, int, Story]] = []
    for number in range(at_once):
        _begin(queue, tie, number * 0.7, next(stories))
    while True:
        due, _, beginning, index, story = heapq.heappop(queue)
        yield due, beginning, story[index]
        if index + 1 < len(story):
            heapq.heappush(queue, (beginning + story[index + 1].due, next(tie), beginning, index + 1, story))
        else:
            _begin(queue, tie, due + 1.0, next(stories))


def _begin(queue: list[tuple[float, int, float, int, Story]], tie: Iterator[int], beginning: float, story: Story) -> None:
    heapq.heappush(queue, (beginning + story[0].due, next(tie), beginning, 0, story))


def play(entries: Iterator[tuple[float, float, Packet]], send: Send, now: Callable[[], int], stop: threading.Event) -> None:
    """Send each packet when it is due, until `stop` is set."""
    started, clock = now(), time.monotonic()
    for due, beginning, packet in entries:
        if stop.wait(max(0.0, clock + due - time.monotonic())):
            return
        try:
            send(wire.request(packet, started + round(beginning * _NANOSECONDS)))
        except OSError as error:
            _log.warning("demo: the collector did not take a request: %s", error)


class Sender:
    """Posts OTLP to a collector as an SDK does: one connection, and again where it is asked to wait."""

    def __init__(self, address: str, stop: threading.Event) -> None:
        self._address = address
        self._stop = stop
        self._connection: http.client.HTTPConnection | None = None

    def __call__(self, body: bytes) -> None:
        """Raises OSError if the request was not taken."""
        for _ in range(_TRIES):
            status, wait = self._post(body)
            if status == 200:
                return
            if status not in (429, 502, 503, 504) or self._stop.wait(wait):
                raise ConnectionError(f"answered {status}")
        raise ConnectionError("not taken after several tries")

    def _post(self, body: bytes) -> tuple[int, float]:
        connection = self._connection or http.client.HTTPConnection(self._address, timeout=10)
        self._connection = connection
        try:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            self._connection = None
            return 503, 0.5
        return answer.status, float(answer.headers.get("Retry-After") or 0.5)
