"""What still has to be delivered, in a file, so that a process that dies delivers it when it comes back: each thing at least once.

The file is a journal of lines: `+` and a message as JSON, or `-` and how many messages from the front are done with. A line that was cut
off when the process died is no line.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from itertools import islice
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)
Message = dict[str, Any]
_TIDY: Final = 1 << 20
"""Bytes by which the journal grows beyond twice what it was when it was written anew, until that is done again."""


class Outbox:
    """One thread puts messages in, another one takes them out. Without a path they are in memory only."""

    def __init__(self, path: Path | None, most: int) -> None:
        self._path, self._most = path, most
        self._waiting: deque[Message] = deque()
        self._turned = threading.Condition()
        self._closed = False
        self._file: int | None = None
        self._broken = False
        self._tidied = 0
        """Bytes of the journal when it was written anew."""
        self.refused = 0
        """Messages for which there was no room."""
        if path is not None:
            self._waiting.extend(_undelivered(path))
            self._rewrite()

    def put(self, messages: list[Message]) -> None:
        """Keep them, safe from the death of the process. Never raises, and never waits for a delivery."""
        with self._turned:
            room = max(0, self._most - len(self._waiting))
            if len(messages) > room:
                if not self.refused:
                    log.error("webhook: %d messages wait already: further ones are lost, and counted", len(self._waiting))
                self.refused += len(messages) - room
            kept = messages[:room]
            self._write("".join(f"+{json.dumps(message, separators=(',', ':'))}\n" for message in kept), safe=True)
            self._waiting.extend(kept)
            self._turned.notify()

    def front(self, most: int, timeout: float | None = None) -> list[Message]:
        """Up to so many messages, the oldest first, waiting for the first one; none after the timeout, or when it is closed and empty."""
        with self._turned:
            self._turned.wait_for(lambda: self._waiting or self._closed, timeout)
            return list(islice(self._waiting, most))

    def done(self, count: int) -> None:
        """So many from the front need not be delivered any more."""
        with self._turned:
            for _ in range(count):
                self._waiting.popleft()
            self._write(f"-{count}\n")
            if self._file is not None and (not self._waiting or os.fstat(self._file).st_size > 2 * self._tidied + _TIDY):
                self._rewrite()

    def pause(self, seconds: float) -> None:
        """Wait, unless it is closed."""
        with self._turned:
            self._turned.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """Nothing more comes; whoever waits, waits no longer."""
        with self._turned:
            self._closed = True
            self._turned.notify_all()

    def release(self) -> None:
        with self._turned:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return len(self._waiting)

    def _rewrite(self) -> None:
        """Only what waits."""
        assert self._path is not None
        part = self._path.with_suffix(".part")
        try:
            part.write_text("".join(f"+{json.dumps(message, separators=(',', ':'))}\n" for message in self._waiting), "utf-8")
            part.replace(self._path)
            if self._file is not None:
                os.close(self._file)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._tidied = os.fstat(self._file).st_size
        except OSError as error:
            self._fails(error)

    def _write(self, text: str, safe: bool = False) -> None:
        if self._file is None or not text:
            return
        try:
            os.write(self._file, text.encode())
            if safe:
                os.fdatasync(self._file)
        except OSError as error:
            self._fails(error)

    def _fails(self, error: OSError) -> None:
        if not self._broken:
            log.warning("webhook: %s: cannot be written: %s: what waits is in memory only", self._path, error.strerror)
        self._broken = True


def _undelivered(path: Path) -> list[Message]:
    """What the journal of an earlier life says. A broken line is left out."""
    found: list[Message] = []
    done = 0
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("webhook: %s: cannot be read: %s: what waited there is not delivered", path, error.strerror)
        return []
    for line in lines:
        try:
            if line[:1] == b"+":
                message = json.loads(line[1:])
                if isinstance(message, dict):
                    found.append(message)
            elif line[:1] == b"-":
                done += int(line[1:])
        except ValueError:
            continue
    return found[done:]
