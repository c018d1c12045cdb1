"""Room on the disk of the embedded engine: without it nothing is merged.

The engine takes a part for written although its disk was full meanwhile, and lets go of the parts that it was merged from
(docs/decisions/0028). It reserves room only against itself, so a merge that runs for minutes has to be ended as others fill the disk.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)

KEPT: Final = 64 << 20
"""A disk with less room is full: no insert and no merge begins that would leave less."""
LOW: Final = 256 << 20
"""With less than that a merge could meet a full disk before it is ended. A small disk has to do with an eighth."""
_SPEED: Final = 4 << 30
"""Nobody fills a disk faster, in bytes a second."""
_SHORTEST: Final = 0.05
_LONGEST: Final = 5.0
_STOPPED: Final = 1.0
"""While nothing is merged that is said again and again: tables that are made meanwhile know nothing of it."""


def free(path: Path) -> int:
    """Bytes that may still be written on the disk of `path`; very many where nobody knows."""
    return _disk(path)[0]


def _disk(path: Path) -> tuple[int, int]:
    """Its free bytes and all of them."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return 1 << 62, 1 << 62
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


class Watch:
    """Stops merges when the disk of the open engine becomes full, and lets them go on when it has room again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()
        self._stopped = False
        self._connection: Any = None
        pause = self.look()  # merges began as the engine was opened
        self._thread = threading.Thread(target=self._run, args=(pause,), name="sojourn-room", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        if self._connection is not None:
            self._connection.close()

    def _run(self, pause: float) -> None:
        while not self._ended.wait(pause):
            pause = self.look()

    def look(self) -> float:
        """Do what is due; the seconds until the next look, which are fewer the sooner the disk may be full."""
        left, whole = _disk(self._path)
        low = max(2 * KEPT, min(LOW, whole // 8))
        if left < low + KEPT * self._stopped:
            self._say("STOP", logging.WARNING, f"only {left >> 20} MiB of its disk are free: nothing is merged until there is more")
            return _STOPPED
        if self._stopped:
            self._say("START", logging.INFO, "its disk has room again: parts are merged")
        return min(max((left - low) / _SPEED, _SHORTEST), _LONGEST)

    def _say(self, what: str, level: int, why: str) -> None:
        try:
            if self._connection is None:
                import chdb

                self._connection = chdb.connect(str(self._path))  # type: ignore[no-untyped-call]
            self._connection.query(f"SYSTEM {what} MERGES")
        except RuntimeError as error:  # it is tried again at the next look
            log.debug("%s: SYSTEM %s MERGES: %s", self._path, what, error)
            return
        if self._stopped != (what == "STOP"):
            self._stopped = what == "STOP"
            log.log(level, "%s: %s", self._path, why)
