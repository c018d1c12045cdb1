"""`DELETE /sessions/ID`: gone from every table, and what comes late of it goes too; what starts later is a new session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sojourn.cli import main
from sojourn.schema import TABLES
from sojourn.testing import Collector, at, run, span
from tests.signals.telling import Point, log, requests
from tests.web.test_changing import page
from tests.web.test_rebuild import rebuild


@pytest.fixture
def collector() -> Iterator[Collector]:
    with run(now="09:10") as collector:
        yield collector


@pytest.fixture
def api(collector: Collector) -> Iterator[httpx.Client]:
    with page(collector) as client:
        yield client


def chat(start: str, session: str | None = "s", **more: Any) -> Any:
    return span("chat", session=session, start=at(start), tokens=(100, 20), **{"trace": f"{session} {start}"} | more)


def left(collector: Collector) -> dict[str, int]:
    """How many rows each table has; those of marks are what has to stay."""
    names = [table.name for table in TABLES if table.name != "session_marks"]
    return {name: rows for name in names if (rows := collector.query(f"SELECT count() AS n FROM {name}")[0]["n"])}


def delete(api: httpx.Client, session: str = "s") -> None:
    assert api.delete(f"/sessions/{session}").status_code == 204


def test_a_deleted_session_is_gone_from_every_table(collector: Collector, api: httpx.Client) -> None:
    """With its spans, and nothing else is touched."""
    collector.send(chat("09:05"), chat("09:06"), chat("09:05", "other"), chat("09:05", None))
    collector.settle()
    api.post("/sessions/s/name", json={"name": "secret"}).raise_for_status()
    delete(api)
    assert api.get("/sessions/s.json").status_code == 404
    assert api.delete("/sessions/s").status_code == 404
    assert left(collector) == {
        "otel_traces": 2,
        "session_trace_rows": 1,
        "session_rows": 1,
        "session_event_rows": 1,
    }
    marks = collector.query("SELECT Mark, TraceId != '' AS Trace, Done FROM session_marks FINAL ORDER BY Mark, Trace")
    assert [tuple(mark.values()) for mark in marks] == [("delete", 0, 1), ("delete", 1, 1), ("delete", 1, 1)]
    assert rebuild(collector, check=True)[0]["wrong"] == 0


def test_late_spans_of_it_go_too_and_later_traces_are_a_new_session(collector: Collector, api: httpx.Client) -> None:
    """Late: of a trace that went with it, or of one that began before and turns out to be of it, whose root comes last."""
    collector.send(chat("09:05", trace="gone"), span("child", trace="unbound", parent="root", id="child", start=at("09:06")))
    collector.settle()
    delete(api)
    collector.send(span("late", trace="gone", start=at("09:07")))
    collector.send(span("root", trace="unbound", id="root", session="s", start=at("09:05")))
    collector.set("09:20")
    collector.send(chat("09:15", trace="new"))
    (session,) = collector.sessions()
    assert (session["SessionId"], session["Traces"], session["Spans"], session["Segments"]) == ("s", 1, 1, 1)
    assert left(collector)["otel_traces"] == 1
    collector.send(span("later", trace="unbound", start=at("09:16")))
    assert left(collector)["otel_traces"] == 1
    assert rebuild(collector, check=True)[0]["wrong"] == 0


def test_it_stays_deleted_after_a_restart() -> None:
    """For late spans, and for those that turn out to be of it."""
    settings = [f"exporters.clickhouse.database=deleted_{uuid.uuid4().hex[:8]}"]
    with run(settings=settings, now="09:10") as collector, page(collector) as api:
        collector.send(chat("09:05", trace="gone"), span("child", trace="unbound", parent="root", id="child", start=at("09:06")))
        collector.settle()
        delete(api)
    with run(settings=settings, now="09:11") as collector:
        collector.send(span("late", trace="gone", start=at("09:07")), chat("09:05", trace="gone"))
        collector.send(span("root", trace="unbound", id="root", session="s", start=at("09:05")), chat("09:10:30", trace="new"))
        assert [(row["SessionId"], row["Spans"]) for row in collector.sessions()] == [("s", 1)]
        assert left(collector)["otel_traces"] == 1


def test_a_deletion_that_was_broken_off_is_brought_to_its_end() -> None:
    """A collector that died between the mark and the last delete goes on where it was."""
    settings = [f"exporters.clickhouse.database=broken_{uuid.uuid4().hex[:8]}"]
    with run(settings=settings, now="09:10") as collector:
        collector.send(chat("09:05"), chat("09:06", "other"))
        collector.settle()
        trace = collector.query("SELECT TraceId FROM session_trace_rows WHERE SessionId = 's'")[0]["TraceId"]
        database = collector.service.database()
        assert database is not None
        for of in ("", trace):
            values = f"'', '', 's', 'delete', '{of}', toDateTime64('2026-01-05 09:09:00', 9), '', 0, 'x', 9000000000000000"
            database.command(f"INSERT INTO session_marks VALUES ({values})")
    with run(settings=settings, now="09:11") as collector:
        assert [row["SessionId"] for row in collector.sessions()] == ["other"]
        assert left(collector)["otel_traces"] == 1
        collector.settle()
        assert collector.query("SELECT min(Done) AS Done FROM session_marks FINAL")[0]["Done"] == 1


def test_records_and_points_go_with_their_session(collector: Collector, api: httpx.Client) -> None:
    """Those that name it, and those of its traces; late ones are not stored."""
    collector.send(chat("09:05", trace="gone"), chat("09:05", "other", trace="stays"))
    (_, mine), (_, others) = requests([log("thing", "09:06", "s")]) + requests([log("thing", "09:06", "other")])
    collector.send(mine, others, signal="logs")
    collector.settle()
    assert left(collector)["otel_logs"] == 2
    delete(api)
    collector.send(mine, signal="logs")
    assert left(collector)["otel_logs"] == 1
    collector.set("09:20")
    collector.send(requests([log("thing", "09:15", "s")])[0][1], signal="logs")
    rows = {row["SessionId"]: (row["LogRecords"], row["Traces"]) for row in collector.sessions()}
    assert rows == {"s": (1, 0), "other": (1, 1)}


def test_late_points_of_it_are_not_stored() -> None:
    """Also after a restart, before anything else came; later ones are of the new session with that id."""
    settings = [f"exporters.clickhouse.database=points_{uuid.uuid4().hex[:8]}"]

    def send(collector: Collector, session: str, time: str) -> None:
        point = Point("tokens", at(time), 5, {"session.id": session})
        for signal, body in requests([point]):
            collector.send(body, signal=signal)

    with run(settings=settings, now="09:10") as collector, page(collector) as api:
        collector.send(chat("09:05"))
        send(collector, "s", "09:05")
        send(collector, "other", "09:05")
        collector.settle()
        delete(api)
        assert left(collector) == {"otel_metrics_sum": 1}
        send(collector, "s", "09:06")
        assert left(collector) == {"otel_metrics_sum": 1}
    with run(settings=settings, now="09:20") as collector:
        send(collector, "s", "09:07")
        send(collector, "s", "09:15")
        sessions = collector.query("SELECT SessionId, TimeUnix > '2026-01-05 09:10:00' AS later FROM otel_metrics_sum ORDER BY SessionId")
        assert [tuple(row.values()) for row in sessions] == [("other", 0), ("s", 1)]


def send_a_call_of_two(collector: Collector, of_span: str, of_record: str, more: dict[str, Any]) -> None:
    """A call that a span of one session tells, and a record of another; the record tells `more` of it."""
    call = span("chat", session=of_span, trace="t", start=at("09:05"), tokens=(100, 20))
    told = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20} | more
    collector.send(call)
    for signal, body in requests([log("gen_ai.client.inference.operation.details", "09:06", of_record, names=call, attributes=told)]):
        collector.send(body, signal=signal)
    collector.settle()


def test_a_trace_of_another_session_stays_where_only_a_record_was_of_the_deleted_one(collector: Collector, api: httpx.Client) -> None:
    """A record that names one session stands in a trace of another one: its spans are not the deleted session's, and its row is what the
    stored ones say: the call that only the record told in full is known by its span alone."""
    send_a_call_of_two(collector, "other", "s", {"gen_ai.usage.reasoning.output_tokens": 7})
    assert {row["SessionId"]: row["ReasoningTokens"] for row in collector.sessions()} == {"other": 7, "s": 0}
    delete(api)
    (row,) = collector.sessions()
    assert (row["SessionId"], row["Spans"], row["InputTokens"], row["ReasoningTokens"], row["Flags"]) == ("other", 1, 100, 0, [])
    assert left(collector)["otel_traces"] == 1
    assert rebuild(collector, check=True)[0]["wrong"] == 0


def test_a_record_that_stays_tells_its_call_alone(collector: Collector, api: httpx.Client) -> None:
    """The other way round: the trace goes, and with it the span that told the call too."""
    send_a_call_of_two(collector, "s", "other", {})
    assert {row["SessionId"]: row["LlmCalls"] for row in collector.sessions()} == {"other": 0, "s": 1}
    delete(api)
    assert {row["SessionId"]: (row["LlmCalls"], row["InputTokens"]) for row in collector.sessions()} == {"other": (1, 100)}
    assert rebuild(collector, check=True)[0]["wrong"] == 0


def test_what_it_said_of_another_session_goes_with_it(collector: Collector, api: httpx.Client) -> None:
    """A deleted session had continued another one, which had ended by that; what the record said there is a row there."""
    collector.send(chat("09:05", "other"))
    told = [log("session.start", "09:06", "s", attributes={"session.previous_id": "other"}), log("note", "09:07", "s")]
    for signal, body in requests(told):
        collector.send(body, signal=signal)
    assert {row["SessionId"]: row["EndReason"] for row in collector.sessions()} == {"other": "continued", "s": ""}
    delete(api)
    assert {row["SessionId"]: row["EndReason"] for row in collector.sessions()} == {"other": ""}
    assert len(collector.query("SELECT TraceId FROM session_trace_rows FINAL")) == 1
    assert rebuild(collector, check=True)[1] == []


def test_the_command_line_and_the_form(collector: Collector, api: httpx.Client, capfd: pytest.CaptureFixture[str]) -> None:
    """`sojourn sessions delete` says nothing when all is well; a form leads back to the list."""
    from sojourn.web.changing import TOKEN

    collector.send(chat("09:05"), chat("09:05", "t"))
    collector.settle()
    assert main(["sessions", "delete", "s", "--endpoint", str(api.base_url)]) == 0
    assert capfd.readouterr().out == ""
    answer = api.post("/sessions/t/delete", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions")
    assert collector.sessions() == []
