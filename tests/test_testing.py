"""The helpers that ship for tests read like speech and wait for nothing but the work."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from datetime import datetime
from pathlib import Path

import pytest

from sojourn.testing import DAY, at, request, run, span


def test_times_are_nanoseconds_of_the_day() -> None:
    """'09:05' is a moment of DAY; fractions and other days can be said."""
    assert at("09:05") == int(datetime.fromisoformat(f"{DAY}T09:05:00+00:00").timestamp()) * 10**9
    assert at("09:05:00.25") - at("09:05") == 250_000_000
    assert at("09:05:00.000000001") - at("09:05") == 1
    assert at("2026-01-06T09:05") - at("09:05") == 86_400 * 10**9


def test_same_words_are_the_same_span() -> None:
    """What is said twice is one span; a child is in its parent's trace; everything else is told apart."""
    root = span("turn", start=at("09:00"))
    assert span("turn", start=at("09:00")).span_id == root.span_id
    assert span("turn", start=at("09:01")).trace_id != root.trace_id
    assert span("chat", parent=root).trace_id == root.trace_id
    assert span("chat", parent=root).parent_id == root.span_id
    assert root.but(error="no").span_id == root.span_id
    assert span("x", trace="00112233445566778899aabbccddeeff").trace_id == "00112233445566778899aabbccddeeff"


def test_request_says_what_the_span_says() -> None:
    """Every kind of value, events, and the status."""
    told = span("x", error="no", attributes={"a": [1, "b", {"c": 2.5}], "d": b"e", "f": True}, events=[("e", at("09:00"), {"g": 1})])
    (out,) = request(told).resource_spans[0].scope_spans[0].spans
    assert (out.status.code, out.status.message, out.events[0].name) == (2, "no", "e")
    assert {pair.key: pair.value.WhichOneof("value") for pair in out.attributes} == {
        "a": "array_value",
        "d": "bytes_value",
        "f": "bool_value",
    }


def test_whole_collector_runs_in_the_test() -> None:
    """Sessions, the page's API, time that passes on demand, and a late root; in one process and without a sleep."""
    with run(now="09:10") as collector:
        turn = span("turn", session="s1", start=at("09:05"), lasts="10s", trace="t")
        collector.send(span("chat", parent=turn, start=at("09:05:01"), tokens=(100, 20)))
        assert collector.sessions() == []
        collector.send(turn)
        (session,) = collector.sessions()
        assert (session["State"], session["Spans"], session["InputTokens"]) == ("active", 2, 100)
        collector.advance("31m")
        assert [row["State"] for row in collector.sessions()] == ["ended"]
        assert [row["Event"] for row in collector.query("SELECT Event FROM session_events ORDER BY Time")] == [
            "session.start",
            "session.end",
        ]
        with urllib.request.urlopen(f"http://{collector.endpoints['web']}/sessions.json", timeout=60) as answer:
            assert [each["session_id"] for each in json.loads(answer.read())["sessions"]] == ["s1"]


SMALL = """
receivers: {otlp: {protocols: {http: }}}
exporters: {clickhouse: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [clickhouse]}}}
"""


def test_ports_are_free_ones_where_a_configuration_names_none() -> None:
    """So that tests run beside each other, and beside a collector that somebody uses."""
    config = """
receivers: {otlp: {protocols: {http: , grpc: }}}
exporters: {debug: }
extensions: {health_check: , web: }
service: {extensions: [health_check], pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""
    for _ in range(2):
        with run(config) as collector:
            assert {"otlp_http", "otlp_grpc", "health"} <= set(collector.endpoints)
            assert not {endpoint.rpartition(":")[2] for endpoint in collector.endpoints.values()} & {"4317", "4318", "13133"}


def test_two_collectors_do_not_meet() -> None:
    """Every run has a database of its own, also where a configuration says nothing of it."""
    for config in (None, None, SMALL, SMALL):
        with run(config) as collector:
            assert collector.query("SELECT count() AS n FROM otel_traces") == [{"n": 0}]
            collector.send(span("x"))
            assert collector.query("SELECT count() AS n FROM otel_traces") == [{"n": 1}]


def test_a_directory_of_its_own_between_two_without(tmp_path: Path) -> None:
    """The engine that is kept open from one collector to the next is let go of, since a process can have only one: in one of its own."""
    script = """
import sys
from pathlib import Path
from sojourn.testing import run, span
for data_dir in (None, Path(sys.argv[1]), None):
    with run(data_dir=data_dir) as collector:
        collector.send(span("chat", session="s"))
        print(len(collector.sessions()))
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["1", "1", "1"]), done.stderr


def test_settings_win() -> None:
    """`settings` are those of --set, after the surroundings that tests need."""
    with run(settings=["service.flush_rows=7", "processors.lifecycle.idle_timeout=5m"]) as collector:
        assert collector.service.description.service.flush_rows == 7


def test_bad_request_is_an_error() -> None:
    """The test that sends it learns so."""
    with run() as collector, pytest.raises(ValueError, match=r"\w"):
        collector.send(b"\xff\xff")
