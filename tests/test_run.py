"""`sojourn run` as a process: it says where it listens, drains when it is stopped, and says clearly why it cannot start."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .collector.parts import BODY

KEEP = Path(__file__).parent / "plugins" / "keep.py"
LONG = 120.0


class Process:
    """A collector that forwards into a file."""

    def __init__(self, folder: Path, *settings: str, grpc: str = "127.0.0.1:0") -> None:
        self.folder = folder
        config = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": grpc}, "http": {"endpoint": "127.0.0.1:0"}}}},
            "exporters": {"keep": {"type": f"{KEEP}:Keep", "path": f"{folder}/kept", "away": f"{folder}/away"}},
            "extensions": {"health_check": {"endpoint": "127.0.0.1:0"}},
            "service": {
                "data_dir": f"{folder}/data",
                "extensions": ["health_check"],
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["keep"]}},
            },
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        words = [sys.executable, "-m", "sojourn.cli", "run", "--config", str(folder / "config.yaml")]
        words += [word for setting in settings for word in ("--set", setting)]
        self._listens = False
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.watchdog = threading.Timer(LONG, self.process.kill)  # whoever waits for its words must not wait for ever
        self.watchdog.start()

    def hears(self, words: str) -> bool:
        """Read on until a line has these words."""
        assert self.process.stderr is not None
        return any(words in line for line in iter(self.process.stderr.readline, ""))

    def endpoints(self) -> dict[str, str]:
        """Where it listens, as soon as it does."""
        if not self._listens:
            assert self.hears("is listening")
            self._listens = True
        return dict(json.loads((self.folder / "data/endpoints.json").read_text()))

    def send(self) -> int:
        target = f"http://{self.endpoints()['otlp_http']}/v1/traces"
        request = urllib.request.Request(target, BODY, {"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            return int(answer.status)

    def end(self) -> tuple[int, str]:
        """Exit code and what was said."""
        _, said = self.process.communicate(timeout=LONG)
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts collectors, and leaves none behind."""
    started: list[Process] = []

    def start(*settings: str, grpc: str = "127.0.0.1:0") -> Process:
        started.append(Process(tmp_path, *settings, grpc=grpc))
        return started[-1]

    yield start
    for collector in started:
        collector.watchdog.cancel()
        collector.process.kill()
        collector.process.communicate()


def test_drains_when_it_is_stopped(start: Callable[..., Process]) -> None:
    """What was answered with success is passed on before the process ends with 0, although the flush is far away."""
    collector = start("service.flush_interval=1h")
    assert [collector.send() for _ in range(3)] == [200] * 3
    collector.process.send_signal(signal.SIGTERM)
    code, said = collector.end()
    assert (code, (collector.folder / "kept").read_text().count("\n")) == (0, 3)
    assert "stopped: 3 rows were written while stopping, 0 were given up" in said


def test_drains_on_ctrl_c_too(start: Callable[..., Process]) -> None:
    """SIGINT means the same."""
    collector = start()
    collector.endpoints()
    collector.process.send_signal(signal.SIGINT)
    assert collector.end()[0] == 0


def test_second_signal_ends_at_once(start: Callable[..., Process]) -> None:
    """Whoever does not want to wait for a database that is away need not."""
    collector = start("service.shutdown_timeout=1h", "service.flush_interval=1ms")
    (collector.folder / "away").touch()
    collector.send()
    collector.process.send_signal(signal.SIGTERM)
    assert collector.hears("stopping")
    while collector.process.poll() is None:  # signals right after the first are the same wish, told twice
        collector.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            collector.process.wait(0.1)
    assert collector.end()[0] == 1


def test_what_is_left_when_it_stops_is_there_when_it_starts_again(start: Callable[..., Process]) -> None:
    """A target that stays away does not keep the process from ending, with 0; what was taken waits in the log, and comes first."""
    collector = start("service.shutdown_timeout=100ms", "service.flush_interval=1ms")
    (collector.folder / "away").touch()
    assert [collector.send() for _ in range(3)] == [200] * 3
    assert collector.hears("trying again")
    collector.process.send_signal(signal.SIGTERM)
    code, said = collector.end()
    assert code == 0
    assert "0 were given up, 3 requests (0.0 MiB) stay in the write-ahead log for the next start" in said
    (collector.folder / "away").unlink()
    again = start("service.flush_interval=1ms")
    again.send()
    again.process.send_signal(signal.SIGTERM)
    code, said = again.end()
    assert (code, (collector.folder / "kept").read_text().count("\n")) == (0, 4)


def test_killed_process_has_lost_nothing(start: Callable[..., Process]) -> None:
    """What was answered with success is passed on after SIGKILL and a new start."""
    collector = start("service.flush_interval=1h")
    assert [collector.send() for _ in range(3)] == [200] * 3
    collector.process.kill()
    collector.end()
    again = start("service.flush_interval=1ms")
    again.endpoints()
    again.process.send_signal(signal.SIGTERM)
    code, _ = again.end()
    assert (code, (collector.folder / "kept").read_text().count("\n")) == (0, 3)


def test_gives_up_in_time_and_says_so(start: Callable[..., Process]) -> None:
    """A target that stays away is told in health, and does not keep the process from ending."""
    received = "receivers.otlp.acknowledge=received"
    collector = start(received, "service.shutdown_timeout=100ms", "service.flush_interval=1ms")
    (collector.folder / "away").touch()
    collector.send()
    assert collector.hears("exporters::keep: the file is away: trying again")
    with urllib.request.urlopen(f"http://{collector.endpoints()['health']}/", timeout=LONG) as answer:
        told = json.loads(answer.read())
    assert (told["state"], told["components"]["exporters::keep"]["message"]) == ("degraded", "the file is away")
    assert told["oldest_unwritten_seconds"] > 0
    collector.process.send_signal(signal.SIGTERM)
    code, said_at_last = collector.end()
    assert code == 0
    assert "ERROR lane traces: 1 rows are not stored: exporters::keep: the collector stops" in said_at_last


def test_sender_that_waits_for_the_commit_is_told_to_come_again(start: Callable[..., Process]) -> None:
    """With `acknowledge: committed` nobody is told that data is safe which is not, not even at the end."""
    collector = start("receivers.otlp.acknowledge=committed", "service.shutdown_timeout=100ms", "service.flush_interval=1ms")
    collector.endpoints()
    (collector.folder / "away").touch()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(collector.send)
        assert collector.hears("trying again")
        collector.process.send_signal(signal.SIGTERM)
        with pytest.raises(urllib.error.HTTPError, match="503") as told:
            answer.result(LONG)
    assert int(told.value.headers["Retry-After"]) > 0
    assert collector.end()[0] == 0


def test_taken_port_is_told(start: Callable[..., Process]) -> None:
    """The component, the address and what to do; exit code 1, because the configuration is not wrong."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = start(grpc=address).end()
    assert code == 1
    assert said.startswith("sojourn: receivers::otlp: ")
    assert address in said
    assert "in use" in said
    assert "port 0 takes any free" in said
    assert "Traceback" not in said


def test_second_process_on_a_directory_is_told(start: Callable[..., Process]) -> None:
    """With the number of the process that has it."""
    first = start()
    first.endpoints()
    code, said = start().end()
    assert code == 1
    assert f"is in use by another sojourn (process {first.process.pid}): stop it, or choose another service::data_dir" in said
    first.process.send_signal(signal.SIGTERM)
    assert first.end()[0] == 0
