"""What was stored, read back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from sojourn import _native, schema
from sojourn.errors import Unavailable
from sojourn.storage.address import parse
from sojourn.storage.database import Database
from sojourn.storage.history import History
from tests.storage.rows import NOON, SECOND, TRACE, session, span, trace, version
from tests.storage.test_views import HOUR, insert


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


def test_nothing_was_stored(history: History) -> None:
    """Empty answers have all columns."""
    assert history.newest_arrival() is None
    assert history.last_version() == 0
    assert history.spans([TRACE]).schema.names == history.spans([]).schema.names
    assert history.records([TRACE]).schema.names == history.records([]).schema.names
    assert history.spans([]).num_rows == history.sessions([]).num_rows == history.open_sessions(1).num_rows == 0
    assert history.parts_of_traces([]) == history.parts_of_traces([TRACE]) == []
    assert history.horizon() is None
    assert [part.num_rows for part in history.traces_since(None)] == [0]
    assert [each.tolist() for each in history.session_digests()] == [[]]


def test_arrival_and_version(database: Database, history: History) -> None:
    """The newest of each, deleted rows and events included."""
    insert(database, schema.OTEL_TRACES, span(1, Arrival=NOON + 5), span(2, Arrival=NOON + 9), span(3, Arrival=NOON - HOUR))
    assert history.newest_arrival() == NOON + 9
    insert(database, schema.SESSION_ROWS, session(Version=7))
    insert(database, schema.SESSION_TRACE_ROWS, trace(Version=8, Deleted=1))
    assert history.last_version() == 8
    insert(database, schema.SESSION_EVENT_ROWS, {"SessionId": "s", "Version": 2**63})
    assert history.last_version() == 2**63


def test_traces_that_are_stored(database: Database, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of spans, of log records and log traces, each tenant's own; in parts where they are many."""
    wanted = {("", number) for number in range(10)} | {("acme", 3), ("", 77), ("", 78)}
    insert(database, schema.OTEL_TRACES, *(span(number, TraceId=f"{number:032x}") for number in range(10)), span(11, TraceId=f"{0:032x}"))
    insert(database, schema.OTEL_TRACES, span(1, TraceId=f"{3:032x}", Tenant="acme"))
    insert(database, schema.OTEL_LOGS, {"TraceId": f"{77:032x}"}, {"LogTrace": f"{78:032x}"}, {"Body": "of none"})
    for at_once in (100, 3):
        monkeypatch.setattr("sojourn.storage.history.AT_ONCE", at_once)
        parts = list(history.traces_since(None))
        assert len(parts) == 15 // at_once + 1
        found = [(row["Tenant"], (row["Hi"] << 64) + row["Lo"]) for part in parts for row in part.to_pylist()]
        assert len(found) == len(set(found))
        assert set(found) == wanted


def test_the_newest_traces_of_many(database: Database, history: History) -> None:
    """Where more rows are stored than shall be read, those of the longest time that has no more; where there is none, no rows."""
    ages = {1: 0, 2: HOUR // 2, 3: 3 * HOUR, 4: 20 * HOUR, 5: 100 * HOUR}
    insert(database, schema.OTEL_TRACES, *(span(n, TraceId=f"{n:032x}", Arrival=NOON - age) for n, age in ages.items()))
    for most, hours, traces in ((5, None, {1, 2, 3, 4, 5}), (4, 24, {1, 2, 3, 4}), (3, 6, {1, 2, 3}), (2, 1, {1, 2}), (1, 0, set())):
        horizon = history.horizon(most)
        assert horizon == (None if hours is None else NOON - hours * HOUR)
        assert {low for part in history.traces_since(horizon) for low in part["Lo"].to_pylist()} == traces


def test_spans(database: Database, history: History) -> None:
    """Of the traces that were asked for, one row per span, the greatest Version, with what is folded as it was stored."""
    facts = {"SpanName": "chat", "InputTokens": 5, "Facets.What": [1, 2], "Facets.Key": ["k", ""], "Facets.Value": ["v", "tag"]}
    old, new = version(NOON, 9), version(NOON + SECOND, 1)
    insert(
        database,
        schema.OTEL_TRACES,
        span(1, NOON + 2 * HOUR, Version=old),
        span(1, Version=new, **facts),
        span(2),
        span(3, TraceId="f" * 32),
    )
    rows = history.spans([TRACE, "d" * 32])
    assert rows.num_rows == 2
    told = rows.filter(pa.compute.equal(rows["SpanName"], "chat")).to_pylist()[0]
    assert {name: told[name] for name in facts} == facts
    assert told["Version"] == new
    assert rows.schema.field("Version").type == pa.binary(16)
    assert history.spans([f"{number:032x}" for number in range(20_000)]).num_rows == 0


def test_trace_rows(database: Database, history: History) -> None:
    """By trace and by session, newest versions, without deleted ones."""
    other = "e" * 32
    insert(database, schema.SESSION_TRACE_ROWS, trace(), trace("gone"), trace("s", other), trace(Tenant="acme"))
    insert(database, schema.SESSION_TRACE_ROWS, trace(Spans=0, Version=2), trace("gone", Version=2, Deleted=1))
    assert sorted(history.parts_of_traces([TRACE])) == [("", "", "s", TRACE, 0), ("acme", "", "s", TRACE, 1)]
    assert sorted(history.trace_rows_of_sessions([("", "", "s"), ("", "", "gone")])["TraceId"].to_pylist()) == [TRACE, other]


@pytest.mark.parametrize("name", ["s", "it's", "\0", "a,b.c", "\u2603", "x" * 300, "\\"])
def test_sessions_with_any_name(database: Database, history: History, name: str) -> None:
    """Ids are anybody's text."""
    insert(database, schema.SESSION_ROWS, session(name, Project=name, Tenant=name), session("another"))
    insert(database, schema.SESSION_SEGMENT_ROWS, session(name, Project=name, Tenant=name, Segment=1), session(name))
    key = (name, name, name)
    assert history.sessions([key])["SessionId"].to_pylist() == [name]
    assert history.segments([key])["Segment"].to_pylist() == [1]
    digest = _native.digest("\0".join(key).encode())
    (digests,) = history.session_digests()
    assert digest in digests.tolist()


def test_open_sessions(database: Database, history: History) -> None:
    """Those that have not ended, by their newest row."""
    insert(database, schema.SESSION_ROWS, session("a"), session("b", State="idle"), session("c", State="ended"), session("d"), session("e"))
    insert(database, schema.SESSION_ROWS, session("d", State="ended", Version=2), session("e", Deleted=1, Version=2))
    assert sorted(history.open_sessions(10)["SessionId"].to_pylist()) == ["a", "b"]
    assert len(history.open_sessions(1)) == 1


def test_digests_of_many_sessions_come_in_parts(database: Database, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.storage.history.AT_ONCE", 3)
    insert(database, schema.SESSION_ROWS, *(session(str(number)) for number in range(10)))
    parts = list(history.session_digests())
    assert len(parts) == 4
    wanted = {_native.digest("\0".join(("", "", str(number))).encode()) for number in range(10)}
    assert {digest for part in parts for digest in part.tolist()} == wanted


def test_silent_sessions(database: Database, history: History) -> None:
    """Those that have not ended and were not heard of since, the longest silent first."""
    late = {"LastSeen": (NOON + 90 * SECOND) // 10**6}
    ended = session("e", State="ended")
    insert(
        database, schema.SESSION_ROWS, session("a", NOON + 20 * SECOND), session("b"), session("c", seconds=60), session("d", **late), ended
    )
    assert history.silent_sessions(NOON + 30 * SECOND, 10)["SessionId"].to_pylist() == ["b", "a"]
    assert history.silent_sessions(NOON + 30 * SECOND, 1)["SessionId"].to_pylist() == ["b"]


def event(session: str, name: str, number: int = 0, version: int = 1, **columns: object) -> dict[str, object]:
    return {"Time": NOON, "SessionId": session, "Segment": number, "SegmentStart": NOON, "Event": name, "Version": version, **columns}


def test_sessions_whose_events_may_be_lost(database: Database, history: History) -> None:
    """Those of this collector's newest rows, if no event was stored with them."""
    mine = {"Collector": "here"}
    insert(database, schema.SESSION_ROWS, session("a", Version=5, **mine), session("b", Version=4, **mine), session("c", Version=9))
    assert history.untold_sessions("here")["SessionId"].to_pylist() == ["a"]
    assert len(history.untold_sessions("nobody")) == 0
    insert(database, schema.SESSION_EVENT_ROWS, event("z", "session.start", version=5))
    assert len(history.untold_sessions("here")) == 0


def test_the_last_events_of_sessions(database: Database, history: History) -> None:
    insert(
        database,
        schema.SESSION_EVENT_ROWS,
        event("a", "session.start"),
        event("a", "session.end", version=2),
        event("a", "session.rotated", 1, version=3),
        event("a", "session.alert", 1, version=4, Reason="x"),
        event("a", "session.updated", 0, version=9),
        event("b", "session.alert", version=2, Reason="y"),
        event("c", "session.start"),
    )
    rows = [tuple(row.values()) for row in history.last_events([("", "", "a"), ("", "", "b"), ("", "", "d")]).to_pylist()]
    assert sorted(rows) == [("", "", "a", 2, "session.rotated", ["x"]), ("", "", "b", 1, "", ["y"])]
    assert len(history.last_events([])) == 0


class Sink(BaseHTTPRequestHandler):
    """A server that discards everything: it answers what a client asks at connecting, and `1` to all else."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        text = self.path + self.rfile.read(int(self.headers["Content-Length"])).decode("latin-1")
        self.send_response(200)
        answer = b"25.8.1.1\tUTC\n" if "version" in text and "timezone" in text else b"" if "system.settings" in text else b"1\n"
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def sink() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_garbage_is_empty(sink: str, caplog: pytest.LogCaptureFixture) -> None:
    """A database that answers with what is not an answer is warned of once, and taken as empty."""
    with Database(parse(sink)) as database, caplog.at_level(logging.WARNING, "sojourn"):
        history = History(database)
        assert history.newest_arrival() is None
        assert history.last_version() == 0
        assert history.spans([TRACE]).num_rows == 0
        assert [each.tolist() for each in history.session_digests()] == [[]]
        assert database.rows("SELECT 1") == []
    assert [record.levelname for record in caplog.records if record.name.startswith("sojourn")] == ["WARNING"]


def test_a_database_that_cannot_be_reached_is_told() -> None:
    """Unavailable, with the address and without the password."""
    with Database(parse("clickhouse://me:secret@127.0.0.1:1")) as database, pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as told:
        History(database).newest_arrival()
    assert "secret" not in str(told.value)
