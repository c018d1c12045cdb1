"""`sojourn demo` as a process: sessions are there and grow, in the API and in SQL alike."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PORTS = (
    *("receivers.otlp.protocols.grpc.endpoint", "receivers.otlp.protocols.http.endpoint", "extensions.web.endpoint"),
    *("extensions.clickhouse_http.endpoint", "extensions.health_check.endpoint", "service.telemetry.metrics.endpoint"),
)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "sojourn.cli", "demo", "--seed", "5", "--data-dir", str(tmp_path / "data")]
    words += [word for port in PORTS for word in ("--set", f"{port}=127.0.0.1:0")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def totals(web: str, clickhouse: str) -> tuple[dict[str, int], dict[str, int]]:
    """Spans per session, as the API and as SQL tell them."""
    with urllib.request.urlopen(f"http://{web}/sessions.json?limit=1000", timeout=30) as answer:
        listed = {session["session_id"]: session["spans"] for session in json.load(answer)["sessions"]}
    with urllib.request.urlopen(f"http://{clickhouse}/", b"SELECT SessionId, Spans FROM sessions FORMAT JSONEachRow", timeout=30) as answer:
        rows = [json.loads(line) for line in answer.read().splitlines()]
    return listed, {row["SessionId"]: int(row["Spans"]) for row in rows}


def test_sessions_grow(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    """There are many sessions soon, and some grow while one looks; a signal ends it with 0."""
    assert demo.stderr is not None
    assert any("is listening" in line for line in iter(demo.stderr.readline, ""))
    began = time.monotonic()
    endpoints = json.loads((tmp_path / "data/endpoints.json").read_text())
    first: dict[str, int] = {}
    while time.monotonic() - began < 60:
        listed, queried = totals(endpoints["web"], endpoints["clickhouse_http"])
        first = first or listed
        assert listed.keys() <= queried.keys()
        if len(listed) >= 10 and any(listed[session] > spans for session, spans in first.items()):
            break
    else:
        pytest.fail(f"nothing grew: {first}")
    demo.send_signal(signal.SIGTERM)
    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 0, said
