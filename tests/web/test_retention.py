"""`retention` removes whole sessions when their time is over, and what belongs to none; and sessions that end are looked at again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sojourn.processors import upkeep
from sojourn.testing import Collector, at, run, span
from tests.signals.telling import Point, log, requests
from tests.web.test_deleting import left, send_a_call_of_two
from tests.web.test_rebuild import corrupt, drift, rebuild


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rests between the steps: they are as long as the machine is busy."""
    monkeypatch.setattr(upkeep, "SHARE", 1.0)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with run(now="09:10", settings=["exporters.clickhouse.retention=10d"]) as collector:
        yield collector


def chat(start: str, session: str | None = "s", **more: Any) -> Any:
    return span("chat", session=session, start=at(start), tokens=(100, 20), **{"trace": f"{session} {start}"} | more)


def test_whole_sessions_go_when_their_time_is_over(collector: Collector) -> None:
    """Not the first half of one: what counts is the later of its end and its last arrival."""
    collector.send(chat("09:05", "short"), chat("09:05", "long"), chat("09:05", None))
    collector.advance("9d")
    collector.send(chat("2026-01-14T09:05", "long"))
    assert left(collector)["otel_traces"] == 4
    collector.advance("2d")
    assert [(row["SessionId"], row["Traces"]) for row in collector.sessions()] == [("long", 2)]
    collector.advance("2h")
    assert left(collector)["otel_traces"] == 2
    collector.advance("9d")
    collector.advance("2h")
    assert left(collector) == {}
    collector.send(span("late", session="short", trace="short 09:05", start=at("09:06")))
    assert [(row["SessionId"], row["Spans"]) for row in collector.sessions()] == [("short", 1)]


def test_records_and_points_of_nobody_go_by_their_arrival(collector: Collector) -> None:
    """Those of a session go with it; partitions in which nothing is left are dropped."""
    loose = Point("requests", at("09:05"), 1.0, {})
    own = Point("tokens", at("09:05"), 1.0, {"session.id": "s"})
    for signal, body in requests([log("thing", "09:05"), log("thing", "09:05", "s"), loose, own, chat("09:05")]):
        collector.send(body, signal=signal)
    collector.advance("9d")
    collector.send(chat("2026-01-14T09:05"))
    before = left(collector)
    assert (before["otel_logs"], before["otel_metrics_sum"]) == (2, 2)
    collector.advance("2d")
    collector.advance("2h")
    after = left(collector)
    assert (after["otel_logs"], after["otel_metrics_sum"], after["otel_traces"]) == (1, 1, 2)
    collector.advance("9d")
    collector.advance("2h")
    collector.advance("2h")
    assert left(collector) == {}
    mine = "database = currentDatabase() AND table = 'otel_traces' AND active AND partition LIKE '2026%'"
    sql = f"SELECT count() AS n FROM system.parts WHERE {mine}"
    assert collector.query(sql)[0]["n"] == 0


@pytest.mark.parametrize("goes", ["record", "span"])
def test_what_stays_of_a_trace_is_folded_without_what_went(collector: Collector, goes: str) -> None:
    """A record that names a session whose time is over stood in a trace of a session that goes on, or the other way round."""
    of_span, of_record = ("stays", "goes") if goes == "record" else ("goes", "stays")
    send_a_call_of_two(collector, of_span, of_record, {"gen_ai.usage.reasoning.output_tokens": 7})
    collector.advance("9d")
    collector.send(chat("2026-01-14T09:05", "stays"))
    collector.advance("2d")
    collector.advance("2h")
    collector.advance("2h")
    (row,) = collector.sessions()
    thought = 0 if goes == "record" else 7
    assert (row["SessionId"], row["LlmCalls"], row["InputTokens"], row["ReasoningTokens"]) == ("stays", 2, 200, thought)
    assert (rebuild(collector, check=True)[0]["wrong"], drift(collector)) == (0, 0)


def test_nothing_goes_if_retention_is_0() -> None:
    with run(now="09:10", settings=["exporters.clickhouse.retention=0"]) as collector:
        collector.send(chat("09:05"))
        collector.advance("3000d")
        assert left(collector)["otel_traces"] == 1


def test_sessions_that_end_or_lived_when_the_collector_stopped_are_folded_again() -> None:
    """What is wrong with them is counted and mended without anybody asking."""
    settings = [f"exporters.clickhouse.database=again_{uuid.uuid4().hex[:8]}"]
    with run(now="09:10", settings=settings) as collector:
        collector.send(chat("09:05"), chat("09:05", "t"))
        collector.advance("1h")
        collector.settle()
        assert (drift(collector), rebuild(collector, check=True)[0]["wrong"]) == (0, 0)
        collector.send(chat("10:05"), chat("10:05", "t"))
        collector.settle()
        corrupt(collector, "session_trace_rows", "toUInt64(7) AS InputTokens", "SessionId = 's'")
    with run(now="10:11", settings=settings) as collector:
        lane = collector.service.lanes[0]
        collector.settle()
        assert lane.wait(lambda: drift(collector) == 1, 60)
        assert rebuild(collector, check=True)[0]["wrong"] == 0
        corrupt(collector, "session_trace_rows", "toUInt64(7) AS InputTokens", "SessionId = 't'")
        collector.advance("1h")
        assert lane.wait(lambda: drift(collector) == 2, 60)
        assert [row["InputTokens"] for row in collector.sessions()] == [200, 200]
