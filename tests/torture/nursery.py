"""Starts collectors quickly, so that there is time for many of them: a process that has imported everything, and forks.

Nothing that runs threads is begun before the fork, and the embedded engine is not even imported: collectors of a nursery use a server.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Final

_PACKAGES: Final = ("sojourn.collector", "sojourn.config", "sojourn.processors", "sojourn.sessions", "sojourn.storage")
_MODULES: Final = (
    "sojourn.cli sojourn.commands.run sojourn.exporters.clickhouse sojourn.receivers.otlp sojourn.extensions.health_check sojourn.testing "
    "sojourn._native numpy pyarrow clickhouse_connect clickhouse_connect.driver.httpclient"
)


class Nursery:
    """Processes by their numbers."""

    def __enter__(self) -> Nursery:
        words = [sys.executable, "-m", "tests.torture.nursery"]
        self._parent = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == ["ready"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._parent.kill()
        self._parent.communicate()

    def start(self, words: list[str], said: str) -> int:
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps([words, said]) + "\n")
        self._parent.stdin.flush()
        kind, number = self._line()
        assert kind == "began"
        return int(number)

    def wait(self, number: int) -> int:
        """The exit code, negative for a signal. One child at a time."""
        kind, pid, code = self._line()
        assert (kind, int(pid)) == ("ended", number)
        return int(code)

    def _line(self) -> list[str]:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().split()


def _modules() -> Iterator[str]:
    for package in _PACKAGES:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            yield module.name


def main() -> None:
    for module in [*_MODULES.split(), *_modules()]:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, _bury)
    print("ready", flush=True)
    while line := os.read(0, 65536):
        words, said = json.loads(line)
        if not (child := os.fork()):
            _live(words, said)
        print("began", child, flush=True)


def _bury(number: int, frame: FrameType | None) -> None:
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            os.write(1, f"ended {ended[0]} {os.waitstatus_to_exitcode(ended[1])}\n".encode())
    except ChildProcessError:
        pass


def _live(words: list[str], said: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    from sojourn.cli import main

    try:
        os._exit(main(words))
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
