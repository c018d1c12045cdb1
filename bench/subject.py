"""A process under test and the tools around it: started on a core, watched through /proc, stopped for certain."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """CPU-seconds of a process and its children, user and system."""
    return sum(_cpu_of_one(one) for one in _tree(pid))


def memory(pid: int, what: str = "VmRSS") -> float:
    """MiB that a process and its children hold; `VmHWM` for the most they ever held."""
    total = 0
    for one in _tree(pid):
        with contextlib.suppress(OSError):
            found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{one}/status").read_text())
            total += int(found[1]) if found else 0
    return round(total / 1024, 1)


def _cpu_of_one(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / TICKS  # utime, stime, and those of children that were waited for
    return 0.0


def _tree(pid: int) -> list[int]:
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def started(command: list[str], cores: str, ports: list[int], log: Path, environment: dict[str, str]) -> Iterator[tuple[int, float]]:
    """Run a command until the block ends; yields (pid, seconds until it listened on all ports)."""
    begun = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(["taskset", "-c", cores, *command], stdout=out, stderr=out, env=os.environ | environment)
    try:
        for port in ports:
            _wait_for(port, process, log)
        yield process.pid, time.monotonic() - begun
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"bench: {process.args}: ended with {process.returncode} before it listened: see {log}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.01)
    raise SystemExit(f"bench: {process.args}: does not listen on port {port} after 60 s: see {log}")


def until_quiet(pid: int, limit: float = 120) -> None:
    """Wait until the process does nothing any more: queues are drained, merges are done."""
    deadline = time.monotonic() + limit
    before, calm = cpu(pid), 0
    while calm < 3 and time.monotonic() < deadline:
        time.sleep(0.7)
        now = cpu(pid)
        calm = calm + 1 if now - before <= 0.02 else 0
        before = now


def get_json(port: int, path: str) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return json.load(answer)


def query(port: int, sql: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/?query={urllib.parse.quote(sql)}", timeout=60) as answer:
        return answer.read().decode().strip()
