"""The oracle is right about what real producers sent, before anything is measured against it."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.oracle import Fact, read_request, sessions_of, trace_rows
from tests.recordings import figures, tape


def digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def facts_of(recording: str) -> list[Fact]:
    requests = tape.traces(recording)
    arrival = tape.first_arrival(requests)
    return [fact for request in requests for fact in read_request(tape.parsed(request), arrival, digest)]


@pytest.mark.parametrize("recording", tape.NAMES)
def test_a_recording_gives_the_sessions_that_were_played(recording: str) -> None:
    facts = facts_of(recording)
    rows = trace_rows(facts)
    sessions, _ = sessions_of(rows, now=max(fact.arrival for fact in facts))
    want = figures.wanted(recording)
    assert {row["SessionId"]: figures.found(row, want[row["SessionId"]]) for row in sessions} == want
    without = {fact.trace_id for fact in facts} - {row["TraceId"] for row in rows}
    assert len(without) == tape.expected(recording)["no_session"].get("traces", 0)


@pytest.mark.parametrize("recording", tape.NAMES)
def test_order_and_repetition_change_nothing(recording: str) -> None:
    facts = facts_of(recording)
    again = facts * 2
    random.Random(1).shuffle(again)
    by_trace = {row["TraceId"]: row for row in trace_rows(facts)}
    assert {row["TraceId"]: row for row in trace_rows(again)} == by_trace


@pytest.mark.parametrize(
    ("recording", "session"), [("pydantic-ai", "conv-retail-42"), ("pydantic-ai", "019bd1c2-0c55-7e2b-9d3e-3b1a8f6f0a01")]
)
def test_what_the_framework_reports_as_cost_is_the_cost(recording: str, session: str) -> None:
    told = tape.expected(recording)["sessions"][session]["cost_on_spans"]["operation.cost"]
    facts = facts_of(recording)
    sessions, _ = sessions_of(trace_rows(facts), now=facts[0].arrival)
    row = next(row for row in sessions if row["SessionId"] == session)
    assert (row["CostPico"], row["CostSource"]) == (round(told * 10**12), "reported")
