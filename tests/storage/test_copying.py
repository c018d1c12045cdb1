"""Copying everything from the embedded database into a server: whole, once, and resumable at every point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sojourn import schema
from sojourn.component import Host
from sojourn.config.types import Url
from sojourn.errors import SojournError, Unavailable
from sojourn.exporters.clickhouse import Clickhouse
from sojourn.storage import migrate, moving
from sojourn.storage.address import Address
from sojourn.storage.copied import Copied
from sojourn.storage.copying import Copying
from sojourn.storage.database import Database
from tests.exporters.test_clickhouse import FixedClock
from tests.storage.rows import NOON, SECOND, batch, session, span, trace, version
from tests.torture.server import Server

HOUR = 3600 * SECOND


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    server.listens()
    yield server
    server.kill()


@pytest.fixture
def target(server: Server, database_name: str) -> Iterator[Database]:
    with Database(Address(database_name, host="127.0.0.1", port=server.port)) as target:
        migrate.apply(target)
        yield target


@pytest.fixture
def copying(database: Database, target: Database, tmp_path: Path) -> Iterator[Copying]:
    """A dozen rows at a time, and no patience."""
    with Copied(tmp_path / "copied", "there") as copied:
        copied.begin()
        yield Copying(database, target, copied, 12, ())


def store(database: Database, *batches: Any) -> None:
    keys = {"endpoint": Url(f"chdb://{database.path}"), "database": database.name}
    with Clickhouse(**keys).open(Host(FixedClock(), "test", None)) as export:
        for each in batches:
            export.export(each)


def fill(database: Database) -> None:
    """Some of everything, over days, with texts of every kind."""
    odd = ["", "it's", "a\tb\\n\u2603", "'; DROP TABLE x", "z" * 400]
    spans = [
        span(
            number,
            NOON + number * HOUR,
            TraceId=f"{number % 9:032x}",
            SpanAttributes=[("key", odd[number % 5])],
            InputTokens=number,
            Version=version(NOON + number, number),
            **{"Events.Timestamp": [NOON], "Events.Name": ["event"], "Events.Attributes": [[("a", "b")]]},
        )
        for number in range(40)
    ]
    logs = [
        {"Timestamp": NOON + number * SECOND, "ServiceName": odd[number % 5], "Digest": number, "Body": odd[number % 5], "Arrival": NOON}
        for number in range(25)
    ]
    points = [{"TimeUnix": NOON + number, "MetricName": "m", "Digest": number, "Value": 0.1 * number} for number in range(9)]
    events = [
        {"SessionId": odd[number % 5], "SegmentStart": NOON + number, "Event": "session.alert", "Reason": odd[number % 5]}
        for number in range(20)
    ]
    store(
        database,
        batch(schema.OTEL_TRACES, *spans),
        batch(schema.OTEL_LOGS, *logs),
        *(batch(table, *points) for table in schema.OTEL_METRICS[:1]),
        batch(schema.SESSION_TRACE_ROWS, *(trace(odd[number % 5], f"{number:032x}", Input=odd[number % 5]) for number in range(30))),
        batch(schema.SESSION_ROWS, *(session(f"s{number % 10}", Version=number, Metadata=[("k", "v")]) for number in range(20))),
        batch(schema.SESSION_SEGMENT_ROWS, *(session("s1", Segment=number) for number in range(3))),
        batch(schema.SESSION_EVENT_ROWS, *events),
        batch(schema.SESSION_MARKS, *({"SessionId": f"s{number}", "Mark": "name", "Name": "n", "Time": NOON} for number in range(3))),
    )


def count(database: Database, table: schema.Table) -> int:
    """Of all rows that are stored, merged or not."""
    return int(database.rows(f"SELECT count() AS n FROM {database.name}.{table.name}")[0]["n"])


def newest(database: Database, table: schema.Table) -> list[dict[str, Any]]:
    names = ", ".join(f"`{column.name}`" for column in table.columns)
    return sorted(database.rows(f"SELECT {names} FROM {database.name}.{table.name} FINAL"), key=str)


def finish(copying: Copying) -> dict[str, moving.Compared]:
    return {step.table.name: step for step in moving.move(copying) if isinstance(step, moving.Compared)}


def assert_equal(copying: Copying, found: dict[str, moving.Compared]) -> None:
    assert list(found) == [table.name for table in schema.TABLES]
    assert {name: each.names() for name, each in found.items() if each.different} == {}
    for table in schema.TABLES:
        if found[table.name].here["rows"]:
            assert newest(copying.target, table) == newest(copying.source, table)
    for table in (schema.OTEL_TRACES, schema.OTEL_LOGS):  # nothing twice, before any merge
        assert count(copying.target, table) == found[table.name].here["rows"]


def test_everything_arrives(copying: Copying) -> None:
    """Every column of every row, and the comparison says so."""
    fill(copying.source)
    found = finish(copying)
    assert_equal(copying, found)
    assert found["otel_traces"].here["rows"] == 40
    assert found["otel_traces"].there["InputTokens"] == sum(range(40))
    assert found["session_rows"].here["rows"] == 10


def test_nothing_is_copied_too(copying: Copying) -> None:
    """An empty database is a copy of an empty database."""
    assert_equal(copying, finish(copying))


def test_rows_that_were_deleted_are_copied(copying: Copying) -> None:
    """An older row that comes late must not bring back what has vanished."""
    store(copying.source, batch(schema.SESSION_ROWS, session("gone", Version=5, Deleted=1), session("there", Version=5)))
    finish(copying)
    assert count(copying.target, schema.SESSION_ROWS) == 2
    assert [row["SessionId"] for row in newest(copying.target, schema.SESSION_ROWS)] == ["there"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_insert(copying: Copying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Before a piece is stored, or after it, when nobody heard of it: the next start goes on, and nothing is there twice."""
    fill(copying.source)
    insert = Database.insert
    calls = 0

    def killed(self: Database, *args: Any, **keys: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 4 == 0 and when == "before":
            raise KeyboardInterrupt
        insert(self, *args, **keys)
        if calls % 4 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(Database, "insert", killed)
    starts = 0
    while True:
        starts += 1
        with Copied(tmp_path / "copied", "there") as copied:
            copying.copied = copied
            try:
                found = finish(copying)
                break
            except KeyboardInterrupt:
                copying.source.command(f"OPTIMIZE TABLE {copying.source.name}.otel_traces FINAL")  # merges move nothing out of its piece
    assert starts > 3
    assert_equal(copying, found)


def test_what_came_in_between_is_copied_too(copying: Copying, tmp_path: Path) -> None:
    """The collector ran again before the copy was begun a second time."""
    fill(copying.source)
    finish(copying)
    store(
        copying.source,
        batch(schema.OTEL_TRACES, *(span(number, NOON + number, InputTokens=3) for number in range(100, 120))),
        batch(schema.SESSION_ROWS, session("s1", Version=1000, Name="new")),
    )
    with Copied(tmp_path / "copied", "there") as copied:
        copying.copied = copied
        found = finish(copying)
    assert not any(each.different for each in found.values())
    assert found["otel_traces"].there["rows"] == 60


def test_what_differs_is_told(copying: Copying) -> None:
    """Somebody else's row there, or one that was removed here."""
    fill(copying.source)
    finish(copying)
    copying.target.command(f"INSERT INTO {copying.target.name}.otel_traces (TraceId, InputTokens, Timestamp) VALUES ('x', 5, 1)")
    found = finish(copying)
    assert {name for name, each in found.items() if each.different} == {"otel_traces"}
    spans = found["otel_traces"]
    assert {"rows", "keys", "InputTokens"} <= set(spans.names())
    assert (spans.here["rows"], spans.there["rows"]) == (40, 41)


def test_a_server_that_is_away(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is waited for; if it stays away, that is said, and the next start goes on."""
    fill(copying.source)
    insert, failures = Database.insert, [2, 9]

    def away(self: Database, *args: Any, **keys: Any) -> None:
        failures[0] -= 1
        if failures[0] >= 0:
            raise Unavailable("there: cannot be reached")
        insert(self, *args, **keys)

    monkeypatch.setattr(Database, "insert", away)
    copying.pauses = (0.0, 0.0, 0.0)
    steps = moving.move(copying)
    assert isinstance(next(steps), moving.Stored)
    failures[0] = 9
    with pytest.raises(Unavailable, match="cannot be reached"):
        list(steps)
    monkeypatch.setattr(Database, "insert", insert)
    assert_equal(copying, finish(copying))


def test_a_record_that_was_cut_off(tmp_path: Path) -> None:
    """Of a last line that is not whole nothing was done yet."""
    with Copied(tmp_path / "copied", "there") as copied:
        copied.begin()
        copied.tell("spans", "begun", ["a", "1"], 7)
        copied.tell("spans", "stored")
        copied.tell("spans", "begun", ["b", "1"], 5)
    text = (tmp_path / "copied").read_bytes()
    for size in range(len(text) - 1, text.rindex(b"\n", 0, -1), -1):
        (tmp_path / "copied").write_bytes(text[:size])
        with Copied(tmp_path / "copied", "there") as again:
            assert again.id == copied.id
            assert again.of("spans").upto is None
            assert again.of("spans").after == ("a", "1")
            assert again.rows() == 7
            again.tell("spans", "finished")
        with Copied(tmp_path / "copied", "there") as third:
            assert third.of("spans").finished


@pytest.mark.parametrize("text", [b'{"format": 2, "id": "x"}\n', b"nonsense\n", b"[]\n", b'{"format": 1, "id": "x"}\n{"what": "stored"}\n'])
def test_a_record_that_is_none(tmp_path: Path, text: bytes) -> None:
    """Is refused with what to do."""
    (tmp_path / "copied").write_bytes(text)
    with pytest.raises(SojournError, match="remove it, and copy into an empty database"):
        Copied(tmp_path / "copied", "there")
