"""`POST /rebuild` and `sojourn rebuild`: rows that are not what their spans say are found, and mended."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sojourn.cli import main
from sojourn.testing import Collector, at, run, span
from tests.signals.telling import log, requests


def rebuild(collector: Collector, **said: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The last line of the answer, and the differences."""
    collector.settle()
    answer = httpx.post(f"http://{collector.endpoints['web']}/rebuild", json=said, timeout=120, trust_env=False)
    lines = [json.loads(line) for line in answer.raise_for_status().text.splitlines()]
    assert lines[-1].get("finished"), lines[-1]
    return lines[-1], [line["difference"] for line in lines if "difference" in line]


def drift(collector: Collector) -> float:
    return collector.service.meters.samples()['sojourn_session_drift_total{processor="lifecycle"}']


def chat(start: str, session: str = "s", **more: Any) -> Any:
    return span("chat", session=session, start=at(start), tokens=(100, 20), **{"trace": f"{session} {start}"} | more)


def corrupt(collector: Collector, table: str, changes: str, where: str = "SessionId = 's'") -> None:
    """Store a newer row in which something else stands."""
    version = "Version + 1 AS Version"
    collector.query("SELECT 1")
    database = collector.service.database()
    assert database is not None
    database.command(f"INSERT INTO {table} SELECT * REPLACE ({changes}, {version}) FROM {table} FINAL WHERE {where}")


DAMAGES = {
    "a total": ("session_rows", "toUInt64(7) AS InputTokens"),
    "a name": ("session_rows", "'wrong' AS Name"),
    "a state": ("session_rows", "'ended' AS State"),
    "a row that is gone": ("session_rows", "toUInt8(1) AS Deleted"),
    "a segment": ("session_segment_rows", "toUInt64(7) AS OutputTokens"),
    "a segment too many": ("session_segment_rows", "toUInt32(5) AS Segment"),
    "a trace": ("session_trace_rows", "toUInt64(7) AS InputTokens"),
    "a trace that is gone": ("session_trace_rows", "toUInt8(1) AS Deleted"),
    "a trace too many": ("session_trace_rows", f"'{'ab' * 16}' AS TraceId"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_mended(damage: str) -> None:
    """By --check, which changes nothing, and by a rebuild, behind which all is right, in the tables as in memory; both are counted."""
    with run(now="09:10", settings=[f"exporters.clickhouse.database=damage_{uuid.uuid4().hex[:8]}"]) as collector:
        collector.send(chat("08:00"), chat("09:06", attributes={"agentmark.session_name": "right"}), chat("09:07", "other"))
        right = collector.sessions()
        assert rebuild(collector, check=True)[0]["wrong"] == 0
        corrupt(collector, *DAMAGES[damage])
        last, differences = rebuild(collector, check=True)
        assert (last["wrong"], {each["session_id"] for each in differences}) == (1, {"s"})
        assert rebuild(collector, check=True)[0]["wrong"] == 1
        assert drift(collector) == 2
        assert rebuild(collector, sessions=["s"])[0]["wrong"] == 1
        assert rebuild(collector, check=True)[0]["wrong"] == 0
        unlike = ("Revision", "LastSeen")
        assert [{**row, **dict.fromkeys(unlike)} for row in collector.sessions()] == [{**row, **dict.fromkeys(unlike)} for row in right]
        collector.send(chat("09:09"))
        row = collector.sessions("SessionId = 's'")[0]
        assert (row["Traces"], row["InputTokens"], row["Name"], row["State"]) == (3, 300, "right", "active")
        assert rebuild(collector, check=True)[0]["wrong"] == 0


def test_ended_sessions_and_marks_are_rebuilt_as_they_were() -> None:
    """What people said is no drift, and sessions that are in the database only are folded like others."""
    with run(now="09:10") as collector:
        collector.send(chat("09:05"), chat("08:00", "old"), chat("09:05", "called"))
        collector.settle()
        with httpx.Client(base_url=f"http://{collector.endpoints['web']}", timeout=60, trust_env=False) as api:
            api.post("/sessions/called/name", json={"name": "by hand"}).raise_for_status()
            api.post("/sessions/s/end").raise_for_status()
        assert rebuild(collector, check=True)[0] == {"done": 3, "total": 3, "wrong": 0, "check": True, "finished": True, "unsettled": []}
        collector.advance("2h")
        collector.send(chat("09:06", "old", trace="late"))
        assert rebuild(collector)[0]["wrong"] == 0
        corrupt(collector, "session_rows", "'x' AS Name", "SessionId IN ('called', 's')")
        assert rebuild(collector, since="3h")[0]["wrong"] == 2
        names = {row["SessionId"]: (row["Name"], row["EndReason"]) for row in collector.sessions()}
        assert names == {"called": ("by hand", "idle_timeout"), "s": ("chat", "explicit"), "old": ("chat", "")}


def test_a_clock_that_goes_back_is_no_drift() -> None:
    """How silent a session was is told by the clock of then: it is looked at when that time has come again."""
    with run(now="09:10") as collector:
        collector.send(chat("09:05"))
        collector.advance("2h")
        assert [row["State"] for row in collector.sessions()] == ["ended"]
        collector.set("09:12")
        assert rebuild(collector, check=True)[0]["unsettled"] != []
        assert drift(collector) == 0
        collector.set("11:20")
        assert rebuild(collector, check=True)[0]["unsettled"] == []
        assert drift(collector) == 0


@pytest.mark.parametrize("later", [0.2, 61, 7200, -30])
@pytest.mark.parametrize("memory", ["1KiB", "64MiB"])
def test_a_time_that_follows_the_arrival_is_that_of_the_first_copy(memory: str, later: float) -> None:
    """Spans and records from a far future, or without any time, sent twice: the table keeps the copy that counts."""
    settings = [f"processors.aggregate.memory={memory}", f"processors.lifecycle.memory={memory}"]
    record = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"%s"},"timeUnixNano":"%d","attributes":'
    record += '[{"key":"session.id","value":{"stringValue":"logs"}}]}]}]}]}'
    with run(now="09:10", settings=settings) as collector:
        for _ in range(2):
            collector.send(chat("2026-01-09T09:00"), chat("09:05", "ends", end=1 << 63), chat("2011-01-01T09:00", "past"))
            for body, time in (("undated", 0), ("far", at("2026-01-09T09:00"))):
                message = json_format.Parse(record % (body, time), ExportLogsServiceRequest())
                collector.send(message.SerializeToString(), signal="logs")
            collector.settle()
            collector.set(collector.clock.now() + round(later * 10**9))
        collector.query("OPTIMIZE TABLE otel_traces FINAL")
        collector.query("OPTIMIZE TABLE otel_logs FINAL")
        collector.set("23:00")
        last, differences = rebuild(collector, check=True)
        assert (last["unsettled"], differences, drift(collector)) == ([], [], 0)


def test_who_tells_calls_in_a_session_counts_in_the_traces_that_it_shares() -> None:
    """A record of `other` stands in a trace of `s`, and is no call, since another record tells that its service has events of its own.
    So the trace has no calls but the figures of its chain, whether both sessions are looked at together or one alone."""
    chain = span("chain", session="s", start=at("09:05"), attributes={"openinference.span.kind": "CHAIN", "llm.token_count.prompt": 30})
    details = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 7}
    generic = log("gen_ai.client.inference.operation.details", "09:05", "other", trace=chain.trace_id, attributes=details)
    own = log(
        "codex.sse_event", "09:06", "other", attributes={"event.kind": "response.completed", "model": "gpt-5", "input_token_count": 4}
    )
    with run(now="09:10") as collector:
        collector.send(chain)
        for signal, body in requests([generic, own]):
            collector.send(body, signal=signal)
        assert {row["SessionId"]: row["InputTokens"] for row in collector.sessions()} == {"s": 30, "other": 4}
        for sessions in (["s", "other"], ["s"], ["other"]):
            assert rebuild(collector, check=True, sessions=sessions) == (ANY, [])
        collector.advance("2h")
        assert drift(collector) == 0


def test_a_session_that_another_continues_comes_to_rest() -> None:
    """Of the record that continues it a part is its own: folded later, and alone, that too knows who tells calls there."""
    completed = {"event.kind": "response.completed", "model": "gpt-5", "input_token_count": 4}
    told = [log("codex.sse_event", "09:04", "s", attributes=completed)]
    told += [log("session.start", "09:05", "next", attributes={"session.previous_id": "s"}), log("note", "09:06", "next")]
    with run(now="09:10") as collector:
        for signal, body in requests(told):
            collector.send(body, signal=signal)
            collector.settle()
        last, differences = rebuild(collector, check=True)
        assert (last["unsettled"], differences, drift(collector)) == ([], [], 0)
        for session in ("s", "next"):
            assert rebuild(collector, check=True, sessions=[session]) == (ANY, [])


@pytest.mark.parametrize("now", ["09:10", "11:00"])
def test_what_a_rebuild_finds_may_be_an_alert(now: str) -> None:
    """Spans that were stored by somebody else make a condition true, of a session that lives or has ended: it is told, once."""
    alert = "processors.lifecycle.alerts=[{name: wordy, condition: input_tokens > 150}, {name: any, condition: spans > 0}]"
    with run(now="09:10", settings=[alert, f"exporters.clickhouse.database=alerts_{uuid.uuid4().hex[:8]}"]) as collector:
        collector.send(chat("09:05"))
        collector.settle()
        collector.set(now)
        collector.settle()
        database = collector.service.database()
        assert database is not None
        database.command(f"INSERT INTO otel_traces SELECT * REPLACE ('{'ab' * 16}' AS TraceId) FROM otel_traces")
        assert rebuild(collector)[0]["wrong"] == 1
        told = "SELECT Reason, count() AS Times FROM session_events WHERE Event = 'session.alert' GROUP BY Reason ORDER BY Reason"
        for _ in range(2):
            assert [tuple(row.values()) for row in collector.query(told)] == [("any", 1), ("wordy", 1)]
            assert [row["Alerts"] for row in collector.sessions()] == [["any", "wordy"]]
            assert rebuild(collector)[0]["wrong"] == 0


PRICES = "openai:\n  gpt-4o: {input: %d, output: 10}\n  '*': {input: 1, output: 1}\n"


@pytest.mark.parametrize("memory", ["1KiB", "64MiB"])
def test_new_prices_count_when_a_rebuild_is_told_so(tmp_path: Path, memory: str, capfd: pytest.CaptureFixture[str]) -> None:
    """And then for stored spans and records too, so that all later rebuilds find the same; what was reported stays."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES % 1)
    settings = [f"processors.aggregate.prices={prices}", f"exporters.clickhouse.database=prices_{uuid.uuid4().hex[:8]}"]
    settings += [f"processors.{name}.memory={memory}" for name in ("aggregate", "lifecycle")]
    used = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20, "gen_ai.request.model": "gpt-4o"}
    used |= {"gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat"}
    told = log("gen_ai.client.inference.operation.details", "09:06", "logs", service="other", attributes=used)

    def costs(collector: Collector) -> list[tuple[Any, ...]]:
        sql = "SELECT SessionId, toString(Cost) AS Cost, CostSource FROM sessions ORDER BY SessionId"
        return [tuple(row.values()) for row in collector.query(sql)]

    with run(now="09:10", settings=settings) as collector:
        collector.send(
            span("one", session="s", start=at("09:05"), attributes=used), chat("09:05", "said", attributes={"gen_ai.usage.cost": 5})
        )
        collector.send(span("two", session="s", start=at("09:06"), attributes=used | {"gen_ai.request.model": "gpt-4o-mini"}))
        for signal, body in requests([told]):
            collector.send(body, signal=signal)
        assert costs(collector) == [("logs", "0.0003", "computed"), ("s", "0.00042", "computed"), ("said", "5", "reported")]
    prices.write_text(PRICES % 2)
    with run(now="09:10", settings=settings) as collector:
        assert rebuild(collector, check=True)[0]["wrong"] == 0
        assert rebuild(collector, check=True, reprice=True)[0]["wrong"] == 2
        assert costs(collector)[0] == ("logs", "0.0003", "computed")
        assert main(["rebuild", "--reprice", "--endpoint", f"http://{collector.endpoints['web']}"]) == 0
        assert "3 sessions folded again, 2 cost something else now" in capfd.readouterr().out
        assert costs(collector) == [("logs", "0.0004", "computed"), ("s", "0.00052", "computed"), ("said", "5", "reported")]
        assert rebuild(collector, check=True, reprice=True)[0]["wrong"] == rebuild(collector, check=True)[0]["wrong"] == 0
        assert drift(collector) == 0
        spans = collector.query("SELECT SpanName, toString(Cost) AS Cost FROM spans WHERE SessionId = 's' ORDER BY SpanName")
        assert [tuple(row.values()) for row in spans] == [("one", "0.0004"), ("two", "0.00012")]
        collector.send(span("three", session="s", start=at("09:07"), attributes=used))
        assert costs(collector)[1] == ("s", "0.00092", "computed")


def test_the_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    """`sojourn rebuild --check` ends with 1 if anything differs, tells what, and a rebuild mends it."""
    with run(now="09:10") as collector:
        collector.send(chat("09:05"))
        collector.settle()
        endpoint = ["--endpoint", f"http://{collector.endpoints['web']}"]
        assert main(["rebuild", "--check", *endpoint]) == 0
        assert "1 sessions folded again, 0 differ" in capfd.readouterr().out
        corrupt(collector, "session_rows", "toUInt64(7) AS InputTokens")
        assert main(["rebuild", "s", "--check", *endpoint]) == 1
        out = capfd.readouterr()
        assert "session_rows.InputTokens is 7, its spans say 100" in out.out + out.err
        assert main(["rebuild", "--json", *endpoint]) == 0
        assert json.loads(capfd.readouterr().out.splitlines()[-1])["wrong"] == 1
        assert main(["rebuild", "--check", "--since", "1h", *endpoint]) == 0
        assert main(["rebuild", "--since", "soon", *endpoint]) == 2
