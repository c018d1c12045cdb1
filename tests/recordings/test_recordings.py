"""Real producers through a whole collector, over HTTP into the embedded database: any way of sending them gives the same sessions."""

from __future__ import annotations

import random
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from sojourn import _native
from sojourn.testing import Collector, run
from tests.oracle import read_request, sessions_of, trace_rows
from tests.recordings import figures, tape
from tests.recordings.tape import Request

ARRIVAL = max(tape.first_arrival(tape.traces(name)) for name in tape.NAMES)


def shuffled(requests: list[Request]) -> list[Request]:
    return random.Random(7).sample(requests, len(requests))


def halves(requests: list[Request]) -> list[list[Request]]:
    """Two lives of a collector; the second one begins with something that the first one has seen."""
    middle = len(requests) // 2
    return [requests[:middle], requests[middle - 20 :]]


Ways = dict[str, Callable[[list[Request]], list[list[Request]]]]
"""What is sent in each life of a collector."""
WAYS: Ways = {
    "as recorded": lambda requests: [requests],
    "reversed": lambda requests: [requests[::-1]],
    "shuffled": lambda requests: [shuffled(requests)],
    "one span per request": lambda requests: [shuffled(tape.exploded(requests))],
    "sent twice": lambda requests: [shuffled(requests * 2)],
    "all in one request": lambda requests: [tape.together(requests)],
    "restart in the middle": lambda requests: halves(shuffled(requests)),
    "restart between single spans": lambda requests: halves(shuffled(tape.exploded(requests))),
}


@pytest.fixture(scope="module", params=WAYS)
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """A collector that has got all recordings at once."""
    with played(WAYS[request.param]([each for name in tape.NAMES for each in tape.traces(name)])) as collector:
        yield collector


@contextmanager
def played(lives: list[list[Request]]) -> Iterator[Collector]:
    """The last of several collectors, one after the other on one database."""
    settings = [f"exporters.clickhouse.database=recordings_{uuid.uuid4().hex[:8]}"]
    for number, requests in enumerate(lives, 1):
        with run(settings=settings, now=ARRIVAL) as collector:
            for each in requests:
                send(collector, each)
            collector.settle()
            if number == len(lives):
                yield collector


def send(collector: Collector, request: Request) -> None:
    address = f"http://{collector.endpoints['otlp_http']}/v1/{request.signal}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(address, request.body, {"Content-Type": request.content_type}), timeout=30) as answer:
        assert answer.status == 200
        assert answer.read() in (b"", b"{}")  # nothing is told to be rejected


@pytest.mark.parametrize("recording", tape.NAMES)
def test_every_figure_that_traces_can_give(collector: Collector, recording: str) -> None:
    want = figures.wanted(recording)
    rows = {row["SessionId"]: row for row in collector.sessions() if row["SessionId"] in want}
    assert {session: figures.found(rows[session], want[session]) for session in rows} == want


def test_no_session_came_out_that_nobody_played(collector: Collector) -> None:
    assert {row["SessionId"] for row in collector.sessions()} == {session for name in tape.NAMES for session in figures.wanted(name)}


def test_money_times_and_flags_are_the_oracles(collector: Collector) -> None:
    facts = [
        fact for name in tape.NAMES for request in tape.traces(name) for fact in read_request(tape.parsed(request), ARRIVAL, _native.digest)
    ]
    sessions, _ = sessions_of(trace_rows(facts), now=ARRIVAL)
    want = {row["SessionId"]: checked(row, None if row["CostPico"] is None else Decimal(row["CostPico"]).scaleb(-12)) for row in sessions}
    assert {row["SessionId"]: checked(row, row["Cost"]) for row in collector.sessions()} == want


def checked(row: dict[str, Any], cost: Decimal | None) -> dict[str, Any]:
    names = ("WallNs", "ActiveNs", "Segments", "Status", "CostSource", "Flags", "Providers", "Services", "Tools", "TurnP50Ns", "TurnP95Ns")
    return {"Cost": cost, **{name: row[name] for name in names}}
