"""Traces, logs and metrics of real producers through a whole collector: whatever comes first, the attainable figures come out exactly."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from sojourn import _native
from sojourn.testing import Collector
from tests.oracle import read_logs, read_request, sessions_of, world
from tests.recordings import figures, tape
from tests.recordings.tape import Request
from tests.recordings.test_recordings import ARRIVAL, Ways, checked, halves, played, shuffled


def _by_signal(requests: list[Request], *order: str) -> list[Request]:
    return [request for signal in order for request in requests if request.signal == signal]


WAYS: Ways = {
    "as recorded": lambda requests: [requests],
    "logs first": lambda requests: [_by_signal(requests, "logs", "metrics", "traces")],
    "logs last": lambda requests: [_by_signal(requests, "metrics", "traces", "logs")],
    "one record per request": lambda requests: [shuffled(tape.exploded(requests))],
    "sent twice": lambda requests: [shuffled(requests * 2)],
    "all in one request per signal": lambda requests: [tape.together(requests)],
    "restart in the middle": lambda requests: halves(shuffled(requests)),
    "restart between single records": lambda requests: halves(shuffled(tape.exploded(requests))),
}
REQUESTS = [request for name in tape.NAMES for request in tape.requests(name)]


@pytest.fixture(scope="module", params=WAYS)
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """A collector that has got all signals of all recordings."""
    with played(WAYS[request.param](REQUESTS)) as collector:
        yield collector


@pytest.mark.parametrize("recording", tape.NAMES)
def test_every_attainable_figure(collector: Collector, recording: str) -> None:
    want = figures.wanted(recording, all_signals=True)
    for session, told in figures.LOGS.get(recording, {}).items():
        want[session] |= told
    rows = {row["SessionId"]: row for row in collector.sessions() if row["SessionId"] in want}
    assert {session: figures.found(rows[session], want[session]) for session in rows} == want


def test_no_session_came_out_that_nobody_played(collector: Collector) -> None:
    assert {row["SessionId"] for row in collector.sessions()} == {session for name in tape.NAMES for session in figures.wanted(name)}


def test_money_times_and_flags_are_the_oracles(collector: Collector) -> None:
    facts = [fact for each in REQUESTS if each.signal == "traces" for fact in read_request(tape.parsed(each), ARRIVAL, _native.digest)]
    records = [record for each in REQUESTS if each.signal == "logs" for record in read_logs(tape.parsed(each), ARRIVAL, _native.digest)]
    told = world(facts, records)
    sessions, _ = sessions_of(told.rows, ARRIVAL, marks=told.marks)
    want = {row["SessionId"]: checked(row, None if row["CostPico"] is None else Decimal(row["CostPico"]).scaleb(-12)) for row in sessions}
    assert {row["SessionId"]: checked(row, row["Cost"]) for row in collector.sessions()} == want


def test_log_records_are_stored_once(collector: Collector) -> None:
    logs = [tape.parsed(each) for each in REQUESTS if each.signal == "logs"]
    records = {record.digest for each in logs for record in read_logs(each, ARRIVAL, _native.digest)}
    assert collector.query("SELECT count() AS n FROM otel_logs FINAL")[0]["n"] == len(records)
