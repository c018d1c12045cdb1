"""How long the page and the API take over very many sessions: `python bench/looking.py [--sessions 1000000] [--repetitions 5]`.

Wall-clock and CPU milliseconds of the whole answer, at the server, best and median of the repetitions. CPU counts on a busy machine.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

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


def in_a_browser(address: str, repetitions: int) -> list[float]:
    """Milliseconds from asking for the list until it can be read and used, in a real browser; nothing where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return []
    if program is None:
        return []
    with sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=program, args=["--no-sandbox"]).new_page()
        times = []
        for _ in range(repetitions):
            window.goto(f"{address}/sessions")
            window.wait_for_selector("html.has-script table.list a.main")
            times.append(window.evaluate("performance.getEntriesByType('navigation')[0].domComplete"))
        return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, Database(Address("otel", path=Path(directory) / "db")) as database:
        filled(database, args.sessions)
        page = Web(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database))
        with page as listening, httpx.Client(base_url=f"http://{listening.endpoints['web']}", timeout=120, trust_env=False) as web:
            print(f"{args.sessions:,} sessions, ms: {'':12} wall best  wall median  cpu best  cpu median")
            for name, path in QUESTIONS.items():
                walls, cpus = zip(*measured(web, path, args.repetitions), strict=True)
                print(
                    f"{name:36} {min(walls):10.0f} {statistics.median(walls):12.0f} {min(cpus):9.0f} {statistics.median(cpus):11.0f}",
                    flush=True,
                )
            if times := in_a_browser(str(web.base_url).rstrip("/"), args.repetitions):
                print(f"{'first page usable in a browser':36} {min(times):10.0f} {statistics.median(times):12.0f}")


if __name__ == "__main__":
    main()
