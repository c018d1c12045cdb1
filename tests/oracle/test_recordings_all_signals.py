"""The oracle gives every attainable figure of the recordings from all their signals."""

from __future__ import annotations

import random

import pytest

from tests.oracle import Record, World, read_logs, read_request, sessions_of, world
from tests.oracle.test_oracle import digest
from tests.recordings import figures, tape


def played(recording: str, requests: list[tape.Request]) -> World:
    arrival = tape.first_arrival(tape.traces(recording))
    facts = [fact for each in requests if each.signal == "traces" for fact in read_request(tape.parsed(each), arrival, digest)]
    return world(facts, records_of(requests, arrival))


def records_of(requests: list[tape.Request], arrival: int) -> list[Record]:
    return [record for each in requests if each.signal == "logs" for record in read_logs(tape.parsed(each), arrival, digest)]


@pytest.mark.parametrize("recording", tape.NAMES)
def test_all_signals_give_the_attainable_figures(recording: str) -> None:
    requests = tape.requests(recording)
    told = played(recording, requests)
    sessions, _ = sessions_of(told.rows, now=tape.first_arrival(requests), marks=told.marks)
    want = figures.wanted(recording, all_signals=True)
    assert {row["SessionId"]: figures.found(row, want[row["SessionId"]]) for row in sessions} == want


@pytest.mark.parametrize("recording", tape.WITH_OTHER_SIGNALS)
def test_order_and_repetition_of_all_signals_change_nothing(recording: str) -> None:
    requests = tape.requests(recording)
    again = random.Random(3).sample(requests * 2, len(requests) * 2)
    want, got = (sorted(played(recording, each).rows, key=repr) for each in (requests, again))
    assert got == want


@pytest.mark.parametrize("recording", figures.LOGS)
def test_log_records_are_counted(recording: str) -> None:
    told = played(recording, tape.requests(recording))
    sessions, _ = sessions_of(told.rows, now=0, marks=told.marks)
    want = figures.LOGS[recording]
    assert {row["SessionId"]: figures.found(row, want[row["SessionId"]]) for row in sessions} == want
