"""Files that may change while the collector runs: certificates, credentials."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

EVERY: Final = 2.0
"""Seconds between two looks. Asking the system for changes would not see through the links by which orchestrators replace secrets."""

log = logging.getLogger(__name__)


class Watch:
    """Calls `changed` when one of the files has become another one. What it raises is told, and what was before stays."""

    def __init__(self, where: str, files: Sequence[Path], changed: Callable[[], None]) -> None:
        self._where, self._files, self._changed = where, tuple(files), changed
        self._seen = self._signs()

    def look(self) -> None:
        signs = self._signs()
        if signs == self._seen:
            return
        self._seen = signs
        try:
            self._changed()
        except Exception as error:
            log.error("%s: the files have changed, but cannot be used: what was before stays: %s", self._where, error)
        else:
            log.info("%s: the files have changed and are used from now on", self._where)

    def _signs(self) -> tuple[object, ...]:
        return tuple(_sign(file) for file in self._files)


def _sign(file: Path) -> object:
    try:
        told = file.stat()
    except OSError as error:
        return error.errno
    return told.st_ino, told.st_size, told.st_mtime_ns


@contextmanager
def watching(where: str, files: Sequence[Path], changed: Callable[[], None]) -> Iterator[None]:
    """Look at the files now and then until left; without files nothing is done."""
    if not files:
        yield
        return
    watch, leaving = Watch(where, files, changed), threading.Event()

    def run() -> None:
        while not leaving.wait(EVERY):
            watch.look()

    thread = threading.Thread(target=run, name="watching", daemon=True)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join()
