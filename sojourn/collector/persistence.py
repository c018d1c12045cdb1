"""Trying again: how long, how often, and when to give up."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sojourn.collector.health import Health
from sojourn.collector.meters import Meters
from sojourn.errors import Rejected, Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
FIRST_WAIT: Final = 0.25
LONGEST_WAIT: Final = 10.0
MAX_RETRY_AFTER: Final = 300.0
"""No component can ask for a longer pause than this."""
MAX_SURPRISES: Final = 5
"""How often an exception that nobody foresaw is met with another try."""


class GivenUp(Exception):
    """The collector stops: this group is not brought to its end."""


class Surprised(Exception):
    """A component fails again and again, as nobody foresaw, and perhaps only with this data."""


class Persistence:
    """Repeats what is not possible now, with growing pauses, until it is or until the collector has to stop."""

    def __init__(self, health: Health, meters: Meters) -> None:
        self._health = health
        self._meters = meters
        self._stopping = threading.Event()
        self._deadline = float("inf")

    def stop(self, within: float) -> None:
        """From now on try at most so many seconds more; whoever waits tries at once."""
        self._deadline = min(self._deadline, time.monotonic() + within)
        self._stopping.set()

    def expired(self) -> bool:
        """Whether the time is over that a stopping collector has."""
        return time.monotonic() >= self._deadline

    def attempt(self, where: Callable[[], str], action: Callable[[], T], undo: Callable[[], None] = lambda: None) -> T:
        """The result of `action`, repeated until it succeeds; `undo` is called before each repetition, `where` names who failed.

        Raises Rejected as `action` does, Surprised, and GivenUp.
        """
        wait, surprises = FIRST_WAIT, 0
        while True:
            try:
                return action()
            except Rejected:
                raise
            except Unavailable as error:
                self.tell(where(), error)
                pause = max(error.retry_after, wait)
            except Exception as error:
                surprises += 1
                self.tell(where(), error)
                if surprises == MAX_SURPRISES:
                    raise Surprised(f"{where()}: failed {surprises} times: {type(error).__name__}: {error}") from error
                pause = wait
            undo()
            self._meters.add("sojourn_lane_retries_total", component=where())
            self._pause(where(), min(pause, MAX_RETRY_AFTER) * random.uniform(0.75, 1.25))
            wait = min(wait * 1.7, LONGEST_WAIT)

    def tell(self, component: str, error: Exception) -> None:
        """To health and, when it begins, to the log: an outage of an hour is one warning, not a thousand."""
        if isinstance(error, Unavailable):
            if self._health.trouble(component, str(error)):
                log.warning("%s: %s: trying again until it works; senders are told to wait when the queue is full", component, error)
        elif self._health.trouble(component, f"{type(error).__name__}: {error}"):
            log.error("%s: failed unexpectedly: this is a defect, please report it", component, exc_info=error)

    def well(self, component: str) -> None:
        if (seconds := self._health.well(component)) is not None:
            log.info("%s: works again after %.1f s", component, seconds)

    def _pause(self, component: str, seconds: float) -> None:
        if not self._stopping.is_set():
            self._stopping.wait(seconds)
            return
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise GivenUp(f"{component}: the collector stops and cannot wait for it")
        time.sleep(min(seconds, left, 1.0))
