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


LOGS = {
    "gemini-cli": {
        "e3051184-6b14-40b3-8229-a78a99ed88df": {"LogRecords": 30, "LogErrors": 1, "FirstInput": "What is in this folder?"},
        "1998944e-24b5-4d58-999b-9f133eb5435d": {"LogRecords": 10, "LogErrors": 0, "FirstInput": "Say something short."},
    },
    "google-adk": {
        "adk-session-a": {"LogRecords": 5, "LogErrors": 0},
        "e3b6c1a0-5a5a-4c4c-8d8d-101112131415": {"LogRecords": 2, "LogErrors": 0},
    },
    "otel-genai-openai": {
        "conv-genai-01": {"LogRecords": 4, "LogErrors": 0},
        "0c0c1d1d-2e2e-4f4f-8a8a-9b9b0c0c1d1d": {"LogRecords": 3, "LogErrors": 1},
    },
    "otel-openai-v2": {"bag-1c9e": {"LogRecords": 13, "LogErrors": 0}, "root-only-88": {"LogRecords": 6, "LogErrors": 0}},
}
"""Counted by hand in the recorded bytes."""


@pytest.mark.parametrize("recording", LOGS)
def test_log_records_are_counted(recording: str) -> None:
    told = played(recording, tape.requests(recording))
    sessions, _ = sessions_of(told.rows, now=0, marks=told.marks)
    assert {row["SessionId"]: {name: row[name] for name in LOGS[recording][row["SessionId"]]} for row in sessions} == LOGS[recording]
