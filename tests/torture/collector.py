"""A collector as a process of its own, that can be killed and started again on the same port and the same directory."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.nursery import Nursery


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


Process = subprocess.Popen[bytes]


@dataclass
class Child:
    """A process that a nursery began."""

    nursery: Nursery
    number: int

    def send_signal(self, what: int) -> None:
        with suppress(ProcessLookupError):  # it ended by itself: its exit code tells
            os.kill(self.number, what)

    def wait(self, timeout: float = 0.0) -> int:
        return self.nursery.wait(self.number)


@dataclass
class Collector:
    folder: Path
    endpoint: str = "chdb://"
    settings: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    health: int = field(default_factory=free_port)
    nursery: Nursery | None = None
    process: Process | Child | None = None

    def __post_init__(self) -> None:
        pipeline = {"receivers": ["otlp"], "processors": ["session", "aggregate", "lifecycle"], "exporters": ["clickhouse"]}
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "processors": {"session": None, "aggregate": None, "lifecycle": None},
            "exporters": {"clickhouse": {"endpoint": self.endpoint, "timeout": "5s", "retry_on_failure": {"initial_interval": "50ms"}}},
            "extensions": {"health_check": {"endpoint": f"127.0.0.1:{self.health}"}},
            "service": {
                "data_dir": str(self.folder / "data"),
                "flush_interval": "50ms",
                "extensions": ["health_check"],
                "pipelines": {"traces": pipeline},
            },
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yaml").write_text(json.dumps(config))

    def start(self) -> None:
        words = ["run", "--config", str(self.folder / "config.yaml")]
        words += [word for setting in self.settings for word in ("--set", setting)]
        if self.nursery is not None:
            self.process = Child(self.nursery, self.nursery.start(words, str(self.folder / "said")))
            return
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen([sys.executable, "-m", "sojourn.cli", *words], stderr=said, stdout=said)

    def listens(self, timeout: float = 120.0) -> None:
        """Wait until it takes requests."""
        self._until(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() or True, timeout, "listen")

    def settled(self, timeout: float = 120.0) -> None:
        """Wait until everything that it took is stored."""
        self._until(self._is_settled, timeout, "store everything")

    def _is_settled(self) -> bool:
        lanes = self.told()["lanes"].values()
        return not any(lane["queued_rows"] or lane["queued_bytes"] or lane["behind"] for lane in lanes)

    def told(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/", timeout=5) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            return dict(json.loads(error.read()))

    def _until(self, done: Any, timeout: float, what: str) -> None:
        deadline = time.monotonic() + timeout
        while True:
            try:
                if done():
                    return
            except OSError:
                pass
            assert self.process is not None
            if isinstance(self.process, subprocess.Popen):
                assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"it does not {what}: {self.said()[-3000:]}"
            time.sleep(0.02)  # another process: there is nothing to wait on

    def limit_files(self, size: int | None) -> None:
        """No file may be written beyond this size from now on, as on a full disk."""
        assert isinstance(self.process, Child)
        soft = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.process.number, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def kill(self) -> int:
        """Its exit code: -SIGKILL unless it had ended before."""
        if self.process is None:
            return -signal.SIGKILL
        self.process.send_signal(signal.SIGKILL)
        code = self.process.wait()
        self.process = None
        return code

    def stop(self, timeout: float = 90.0) -> int:
        """SIGTERM, and its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def said(self) -> str:
        return (self.folder / "said").read_text("utf-8", "replace")
