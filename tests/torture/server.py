"""The database of a collector as a process of its own, that can be killed and started again on the same port."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.torture.collector import free_port

INSERTS: Final = b"insert"
"""What it says on its standard output when it begins an insert, so that it can be killed in the middle of one."""


@dataclass
class Server:
    """The database in a process of its own."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    _inserts: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def address(self, database: str) -> str:
        return f"clickhouse://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.torture.database", str(self.folder), str(self.port)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE)
        self._inserts = threading.Semaphore(0)
        threading.Thread(target=self._follow, args=(self.process, self._inserts), daemon=True).start()

    def _follow(self, process: subprocess.Popen[bytes], inserts: threading.Semaphore) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(INSERTS):
                inserts.release()

    def is_asked_to_insert(self, timeout: float) -> bool:
        """Wait for the next insert to begin."""
        return self._inserts.acquire(timeout=timeout)

    def listens(self, timeout: float = 120.0) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process is not None
                assert self.process.poll() is None, f"the database ended with {self.process.returncode}"
                assert time.monotonic() < deadline, "the database does not answer"
                time.sleep(0.02)  # another process: there is nothing to wait on

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
