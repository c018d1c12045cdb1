"""`sojourn run`: the collector, until somebody stops it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType

from sojourn.collector.logs import to_stderr
from sojourn.collector.service import Service, Unfinished, running
from sojourn.commands import configuration
from sojourn.config.model import Description

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    configuration.add_arguments(parser)


def execute(args: argparse.Namespace) -> int:
    return run(configuration.description(args))


def run(description: Description, beside: Callable[[Service], AbstractContextManager[object]] = nullcontext) -> int:
    """Run, with `beside` while it listens, until SIGTERM or SIGINT; then drain, commit and return 0.

    A second signal ends the process at once with 1.
    """
    to_stderr(description.service.telemetry.logs.level)
    for warning in description.warnings:
        log.warning("%s", warning)
    stop = _on_signals()
    try:
        with running(description) as service, beside(service):
            announce(service)
            stop.wait()
    except Unfinished as error:
        log.log(logging.ERROR if error.lost else logging.WARNING, "%s", error)
        logging.shutdown()
        os._exit(1 if error.lost else 0)  # a thread hangs in a database that does not answer: nothing would end it
    return 0


def announce(service: Service) -> None:
    """Where everything listens."""
    from sojourn import _native

    width = max(map(len, service.endpoints), default=0)
    lines = [f"    {name:<{width}}  {_shown(name, url)}" for name, url in service.urls().items()]
    log.info("sojourn %s (%s) is listening:\n%s", _native.version(), service.host.collector, "\n".join(lines))


def _shown(name: str, url: str) -> str:
    """An address that can be clicked where a browser can go."""
    paths = {"web": "/", "health": "/", "metrics": "/metrics", "clickhouse_http": "/"}
    path = paths.get(name.partition("/")[0])
    if path:
        return url + path
    return url if url.startswith("https:") else url.removeprefix("http://")


ONE_WISH = 0.5
"""Signals within so many seconds are one wish to stop: timeout(1) and some supervisors tell the process and its group."""


def _on_signals() -> threading.Event:
    stop = threading.Event()
    first = 0.0

    def receive(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not stop.is_set():
            first = time.monotonic()
        elif time.monotonic() - first > ONE_WISH:
            os.write(2, b"sojourn: stopped at once: what is in no log and not written is lost\n")
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, receive)
    return stop
