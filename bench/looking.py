"""How long the page and the API take over very many sessions: `python bench/looking.py [--sessions 1000000] [--repetitions 5]`.

Wall-clock and CPU milliseconds of the whole answer, at the server, best and median of the repetitions. CPU counts on a busy machine.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from subject import cpu

from sojourn.component import Host
from sojourn.config.types import Endpoint
from sojourn.storage import migrate
from sojourn.storage.address import Address
from sojourn.storage.database import Database
from sojourn.web.extension import Web

STATEMENTS = Path(__file__).with_suffix(".sql").read_text("utf-8").split(";\n")
QUESTIONS = {
    "newest 50": "/sessions.json",
    "the page of it": "/sessions",
    "by cost": "/sessions.json?sort=-cost",
    "by tokens, least first": "/sessions.json?sort=total_tokens",
    "state": "/sessions.json?state=ended",
    "errors of a service": "/sessions.json?status=error&service=chat",
    "one user": "/sessions.json?user=user-4711",
    "model and project": "/sessions.json?model=gpt-5&project=shop",
    "user, by start": "/sessions.json?user=user-4711&sort=start",
    "long ones, by errors": "/sessions.json?min_wall=1h&sort=-errors",
    "last day, by duration": "/sessions.json?since=24h&sort=-wall_ns",
    "metadata": "/sessions.json?meta.plan=gold&min_cost=1",
    "metadata of one": "/sessions.json?meta.order={number}",
    "substring, many": "/sessions.json?search=jacket",
    "substring, one": "/sessions.json?search={number}7",
    "substring, none": "/sessions.json?search=nowhere{number}",
    "over a day": "/metrics-over-time.json?since=24h",
    "1000 traces": "/sessions/large.json",
    "the page of it ": "/sessions/large",
}
NUMBERS = itertools.count(100_000)


class Clock:
    def now(self) -> int:
        return time.time_ns()


class Service:
    """As much of a running collector as the page needs."""

    def __init__(self, database: Database) -> None:
        self.host = Host(clock=Clock(), collector="bench", data_dir=None)
        self._database = database

    def health(self) -> tuple[bool, dict[str, object]]:
        return True, {}

    def database(self) -> Database:
        return self._database

    def ask(self, request: object, timeout: float) -> None:
        raise NotImplementedError


def filled(database: Database, sessions: int) -> None:
    migrate.apply(database)
    client = database.client()
    many, traces, *others = STATEMENTS
    now = time.time_ns()
    for first in range(0, sessions, 50_000):
        for statement in (many, traces):
            client.command(statement, parameters={"now": now, "first": first, "count": min(50_000, sessions - first)})
    for statement in filter(str.strip, others):
        client.command(statement, parameters={"now": now})
    calm = 0
    while calm < 5:  # merges are of writing, not of looking
        time.sleep(0.5)
        calm = 0 if client.query("SELECT count() FROM system.merges").result_rows[0][0] else calm + 1


def measured(web: httpx.Client, asked: str, repetitions: int) -> Iterator[tuple[float, float]]:
    for _ in range(repetitions):
        path = asked.replace("{number}", str(next(NUMBERS)))  # the database remembers where it found nothing: nobody asks the same again
        wall, cpu = time.perf_counter(), time.process_time()
        answer = web.get(path)
        answer.raise_for_status()
        yield (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def in_a_browser(address: str, repetitions: int) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds from asking for the list until it can be read and used, in a real browser, with nothing in its cache and with what an
    earlier visit left there; and of CPU, of the server and the browser together. Nothing where there is no browser.
    """
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {}
    if program is None:
        return {}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        times: dict[str, list[tuple[float, float]]] = {"first page, first visit": [], "first page, again": []}
        for _ in range(repetitions):
            context = browser.new_context()  # with a cache of its own
            window = context.new_page()
            for visits in times.values():
                spent = cpu(os.getpid())
                window.goto(f"{address}/sessions")
                window.wait_for_selector("html.has-script table.list a.main")
                wall = window.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
                visits.append((wall, (cpu(os.getpid()) - spent) * 1000))
            context.close()
        return times


@contextlib.contextmanager
def place(keep: str | None) -> Iterator[Path]:
    """Where the database lies: in a directory that is kept, if one is named, so that it is filled only once."""
    if keep is None:
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory)
    else:
        yield Path(keep)


def told(name: str, times: Sequence[tuple[float, float]]) -> None:
    walls, cpus = zip(*times, strict=True)
    print(
        f"{name:36} {min(walls):10.0f} {statistics.median(walls):12.0f} {min(cpus):9.0f} {statistics.median(cpus):11.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--keep", metavar="DIRECTORY", help="keep the database there, and use one that is there")
    args = parser.parse_args()
    with place(args.keep) as directory, Database(Address("otel", path=directory / "db")) as database:
        if not (directory / "filled").exists():
            filled(database, args.sessions)
            (directory / "filled").touch()
        page = Web(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database))
        with page as listening, httpx.Client(base_url=f"http://{listening.endpoints['web']}", timeout=120, trust_env=False) as web:
            print(f"{args.sessions:,} sessions, ms: {'':12} wall best  wall median  cpu best  cpu median")
            for name, path in QUESTIONS.items():
                told(name, list(measured(web, path, args.repetitions)))
            for name, visits in in_a_browser(str(web.base_url).rstrip("/"), args.repetitions).items():
                told(name, visits)


if __name__ == "__main__":
    main()
