"""The data directory: it belongs to one process, keeps this collector's name and says where it listens."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sojourn.errors import SojournError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Home:
    collector: str
    """This collector's stable name."""
    path: Path | None

    def write_endpoints(self, endpoints: Mapping[str, str]) -> None:
        """For scripts that started a collector on port 0 and want to reach it."""
        if self.path is None:
            return
        part = self.path / "endpoints.json.part"
        try:
            part.write_text(json.dumps(endpoints, indent=2) + "\n")
            part.replace(self.path / "endpoints.json")
        except OSError as error:  # a full disk is no reason not to run: the log tells it to senders, and goes on when there is room
            log.warning("service::data_dir: %s cannot be written: %s", self.path / "endpoints.json", error.strerror)


@contextmanager
def move_in(path: Path | None, collector: str | None) -> Iterator[Home]:
    """Make the directory if it is not there, and hold it while the collector runs. SojournError if it cannot be had."""
    if path is None:
        yield Home(collector or socket.gethostname(), None)
        return
    try:
        path = path.expanduser().resolve()
        path.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise SojournError(f"service::data_dir: {path}: {error.strerror}: choose a directory that can be written") from error
    try:
        _hold(lock, path)
        yield Home(collector or _name(path), path)
        (path / "endpoints.json").unlink(missing_ok=True)
    finally:
        os.close(lock)


def _hold(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
        advice = "stop it, or choose another service::data_dir"
        raise SojournError(f"service::data_dir: {path}: is in use by another sojourn (process {owner}): {advice}") from None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())


def _name(path: Path) -> str:
    """The name that is kept; at the first start one is made up."""
    file = path / "collector"
    try:
        if name := file.read_text(encoding="utf-8").strip():
            return name
    except FileNotFoundError:
        pass
    name = f"{socket.gethostname()}-{os.urandom(3).hex()}"
    file.write_text(name + "\n", encoding="utf-8")
    return name
