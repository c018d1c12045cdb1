"""The real thing: `sojourn run` as a process, OTLP over HTTP, the command line, a kill, and what is left behind it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn.testing import request, span

LONG = 240.0
PORTS = (
    *("receivers.otlp.protocols.grpc.endpoint", "receivers.otlp.protocols.http.endpoint"),
    *("extensions.web.endpoint", "extensions.clickhouse_http.endpoint", "extensions.health_check.endpoint"),
    "service.telemetry.metrics.endpoint",
)


class Life:
    """One life of a collector with the built-in configuration."""

    def __init__(self, folder: Path) -> None:
        settings = [f"service.data_dir={folder}", "service.flush_interval=50ms", *(f"{port}=127.0.0.1:0" for port in PORTS)]
        words = [sys.executable, "-m", "sojourn.cli", "run", *(word for setting in settings for word in ("--set", setting))]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(LONG, self.process.kill)
        self.watchdog.start()
        assert self.process.stderr is not None
        assert any("is listening" in line for line in iter(self.process.stderr.readline, ""))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()  # a full pipe would hold it up
        self.endpoints: dict[str, str] = json.loads((folder / "endpoints.json").read_text())

    def send(self, *spans: Any) -> None:
        body = request(*spans).SerializeToString()
        target = f"http://{self.endpoints['otlp_http']}/v1/traces"
        asked = urllib.request.Request(target, body, {"Content-Type": "application/x-protobuf"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(asked, timeout=60) as answer:
            assert answer.status == 200

    def get(self, path: str) -> Any:
        answer = httpx.get(f"http://{self.endpoints['web']}{path}", timeout=60, trust_env=False)
        return answer.json() if answer.status_code == 200 else None

    def until(self, holds: Callable[[], bool]) -> None:
        """Ask again and again, as a person would: the process is another one."""
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end
            threading.Event().wait(0.1)

    def run(self, *words: str) -> tuple[int, str]:
        """A command of `sojourn` as a process of its own: exit code and what it printed."""
        asked = [sys.executable, "-m", "sojourn.cli", *words, "--endpoint", f"http://{self.endpoints['web']}"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=LONG, check=False)
        return done.returncode, done.stdout + done.stderr

    def end(self, kill: bool = False) -> None:
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(60)
        self.watchdog.cancel()


def chat(session: str, ago: float, trace: str) -> Any:
    return span("chat", session=session, start=time.time_ns() - round(ago * 1e9), trace=trace, tokens=(100, 20))


@pytest.mark.skipif(sys.platform != "linux", reason="chDB")
def test_what_people_say_and_delete_outlives_a_kill(tmp_path: Path) -> None:
    """Renamed, ended and deleted from the command line; then kill -9, and the next life agrees with what is stored."""
    life = Life(tmp_path)
    try:
        life.send(chat("kept", 60, "a"), chat("gone", 60, "b"))
        life.until(lambda: len((life.get("/sessions.json") or {"sessions": []})["sessions"]) == 2)
        assert life.run("sessions", "rename", "kept", "By hand")[0] == 0
        assert life.run("sessions", "end", "kept", "--json")[0] == 0
        assert life.run("sessions", "delete", "gone") == (0, "")
        assert life.run("sessions", "delete", "gone")[0] == 1
        life.end(kill=True)
        life = Life(tmp_path)
        life.send(chat("gone", 30, "b"), chat("kept", 0, "c"))
        life.until(lambda: life.get("/sessions/kept.json")["session"]["segments"] == 2)
        session = life.get("/sessions/kept.json")
        assert (session["session"]["name"], session["session"]["name_source"]) == ("By hand", "manual")
        assert session["segments"][0]["end_reason"] == "explicit"
        assert life.get("/sessions/gone.json") is None
        code, said = life.run("rebuild", "--check")
        assert (code, "0 differ" in said) == (0, True), said
    finally:
        life.end()
    assert life.process.returncode == 0
