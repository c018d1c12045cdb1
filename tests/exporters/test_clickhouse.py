"""The clickhouse exporter, into the embedded database and against servers that are down, odd or discard everything."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from sojourn import schema
from sojourn.component import Batch, Host, Raw
from sojourn.config.types import Url
from sojourn.errors import ConfigError, Rejected, Unavailable
from sojourn.exporters.clickhouse import Clickhouse, Inserting, RetryOnFailure
from sojourn.storage.database import Database
from tests.storage.rows import NOON, SECOND, TRACE, batch, records, session, span, trace

DAY = 86_400 * SECOND


class FixedClock:
    def now(self) -> int:
        return NOON


def host(collector: str = "test") -> Host:
    return Host(FixedClock(), collector, None)


@contextmanager
def running(database: Database, **keys: Any) -> Iterator[Inserting]:
    """An exporter into that database."""
    keys = {"endpoint": Url(f"chdb://{database.address.path}"), "database": database.name, **keys}
    with Clickhouse(**keys).open(host()) as export:
        assert isinstance(export, Inserting)
        yield export


def select(database: Database, sql: str) -> list[dict[str, Any]]:
    return database.rows(sql.replace("$db", database.name))


def test_rows_arrive(empty_database: Database) -> None:
    """Tables are made at start; columns that begin with _ are left out, and the collector's name is added."""
    with running(empty_database) as export:
        spans = records(schema.OTEL_TRACES, span(1), span(2)).append_column("_fact", pa.array([b"x", b"y"])).drop_columns(["Collector"])
        export.export(Batch("otel_traces", spans))
        export.export(batch(schema.SESSION_TRACE_ROWS, trace(Collector="told")))
        export.export(batch(schema.SESSION_ROWS, session()))
    assert select(empty_database, "SELECT SpanId, SessionId, Collector FROM $db.spans ORDER BY SpanId") == [
        {"SpanId": f"{number:016x}", "SessionId": "s", "Collector": "test"} for number in (1, 2)
    ]
    assert select(empty_database, "SELECT Collector FROM $db.session_trace_rows") == [{"Collector": "told"}]


def test_no_rows_are_no_insert(empty_database: Database) -> None:
    """An empty batch of every table is fine."""
    with running(empty_database) as export:
        for table in schema.TABLES:
            export.export(batch(table))
            assert select(empty_database, f"SELECT count() AS n FROM $db.{table.name}") == [{"n": 0}]


def test_slices_arrive(empty_database: Database) -> None:
    """A filter in a pipeline may hand on a slice."""
    rows = records(schema.OTEL_TRACES, *[span(number, SpanName=f"name {number}") for number in range(100)])
    with running(empty_database) as export:
        export.export(Batch("otel_traces", rows.slice(40, 3)))
    told = select(empty_database, "SELECT SpanName FROM $db.spans ORDER BY SpanName")
    assert [row["SpanName"] for row in told] == ["name 40", "name 41", "name 42"]


def test_a_repeated_insert_is_stored_once(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether an insert that ended in a broken connection was stored: it is repeated with the same token."""
    insert = Database.insert
    with running(empty_database) as export:

        def broken(self: Database, *args: Any, **keys: Any) -> None:
            insert(self, *args, **keys)
            raise OperationalError("connection reset by peer")

        rows = batch(schema.OTEL_TRACES, span(1))
        monkeypatch.setattr(Database, "insert", broken)
        for _ in range(3):
            with pytest.raises(Unavailable):
                export.export(rows)
        monkeypatch.setattr(Database, "insert", insert)
        export.export(rows)
        assert select(empty_database, "SELECT count() AS n FROM $db.otel_traces") == [{"n": 1}]
        export.export(Batch(rows.table, rows.records))  # another batch of equal rows is other data
        assert select(empty_database, "SELECT count() AS n FROM $db.otel_traces") == [{"n": 2}]
        assert select(empty_database, "SELECT count() AS n FROM $db.spans") == [{"n": 1}]


@pytest.mark.parametrize("table", [schema.OTEL_TRACES, schema.OTEL_LOGS, schema.OTEL_METRICS[0]], ids=lambda table: table.name)
def test_rows_that_the_database_only_believes_to_have_are_inserted_anew(empty_database: Database, table: schema.Table) -> None:
    """Killed between writing down the token of an insert and showing its rows, it takes the insert for a repeated one for ever after."""
    rows = [span(number, Digest=number, **{table.days: NOON + number}) for number in (1, 2, 3)]
    whole = Batch(table.name, records(table, *rows), token="group 1", again=True)
    count = f"SELECT count() AS n FROM $db.{table.name}"
    with running(empty_database) as export:
        for _ in range(2):
            export.export(whole)
            assert select(empty_database, count) == [{"n": 3}]
        empty_database.command(
            f"DELETE FROM {empty_database.name}.{table.name} WHERE {table.days} != fromUnixTimestamp64Nano(toInt64({NOON + 2}))"
        )
        assert select(empty_database, count) == [{"n": 1}]
        export.export(Batch(table.name, whole.records, token="group 1"))
        assert select(empty_database, count) == [{"n": 1}]  # so it does
        with pytest.raises(Unavailable, match="2 rows were taken for stored ones and are not there"):
            export.export(whole)
        export.export(whole)
        assert select(empty_database, count) == [{"n": 3}]


def test_equal_derived_rows_are_all_inserted(empty_database: Database) -> None:
    """They are replaced by version, so no insert of them may be taken for a repetition."""
    with running(empty_database) as export:
        for _ in range(2):
            export.export(batch(schema.SESSION_ROWS, session()))
        assert select(empty_database, "SELECT count() AS n FROM $db.session_rows") == [{"n": 2}]
        assert select(empty_database, "SELECT count() AS n FROM $db.sessions") == [{"n": 1}]


def test_a_thousand_days_do_not_harm_a_good_sender(empty_database: Database) -> None:
    """One odd clock spreads its spans over more days than one insert may touch; all are stored, and the good ones beside them."""
    odd = [span(number, NOON - number * DAY, TraceId="f" * 32) for number in range(1000)]
    with running(empty_database) as export:
        rows = batch(schema.OTEL_TRACES, *odd, *[span(number) for number in range(50)])
        export.export(rows)
    told = select(
        empty_database,
        "SELECT TraceId, count() AS n, uniqExact(toDate(Timestamp)) AS days FROM $db.spans GROUP BY TraceId ORDER BY TraceId",
    )
    assert told == [{"TraceId": TRACE, "n": 50, "days": 1}, {"TraceId": "f" * 32, "n": 1000, "days": 1000}]


def test_what_cannot_be_stored_is_rejected(empty_database: Database) -> None:
    """Rows of an unknown table, columns that are missing or of another type, requests as they came."""
    with running(empty_database) as export:
        for wrong in (
            Batch("otel_logs", pa.record_batch({"Body": ["x"]})),
            Batch("otel_traces", pa.record_batch({"Timestamp": pa.array([1], pa.timestamp("ns"))})),
            Batch("session_rows", records(schema.SESSION_ROWS, session()).set_column(0, "Tenant", pa.array([1]))),
            Raw("traces", (b"x",)),
        ):
            with pytest.raises(Rejected):
                export.export(wrong)
        assert export._attempts == {}


def test_a_dropped_table_is_made_again(empty_database: Database) -> None:
    """Somebody tidied up: the insert is repeated after the schema."""
    rows = batch(schema.OTEL_TRACES, span(1))
    with running(empty_database) as export:
        empty_database.command(f"DROP DATABASE {empty_database.name} SYNC", anywhere=True)
        with pytest.raises(Unavailable, match="a table is missing"):
            export.export(rows)
        export.export(rows)
        assert select(empty_database, "SELECT count() AS n FROM $db.spans") == [{"n": 1}]


def test_a_foreign_table_stops_the_start(empty_database: Database) -> None:
    """ConfigError with what to do."""
    name = empty_database.name
    empty_database.command(f"CREATE DATABASE {name}", anywhere=True)
    empty_database.command(f"CREATE TABLE {name}.otel_traces (a UInt8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(ConfigError, match="RENAME TABLE"), running(empty_database):
        pass


def test_a_database_that_is_down_does_not_stop_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """One warning at start, then every export says "later", with growing pauses, until the database is there."""
    description = Clickhouse(endpoint=Url("clickhouse://me:secret@127.0.0.1:1"), retry_on_failure=RetryOnFailure(max_interval="4s"))
    with caplog.at_level(logging.WARNING, "sojourn"), description.open(host()) as export:
        assert "data is taken and kept" in caplog.text
        rows, pauses = batch(schema.OTEL_TRACES, span(1)), []
        for _ in range(6):
            with pytest.raises(Unavailable) as told:
                export.export(rows)
            pauses.append(told.value.retry_after)
    assert pauses[0] <= 1.25
    assert 3.0 <= pauses[-1] <= 5.0
    assert "secret" not in caplog.text + str(told.value)


def test_a_database_that_comes_up_late(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema is applied at the first successful connection."""
    connect = Database._connect

    def refused(self: Database) -> None:
        raise Unavailable("connection refused")

    monkeypatch.setattr(Database, "_connect", refused)
    with running(empty_database) as export:
        rows = batch(schema.OTEL_TRACES, span(1))
        with pytest.raises(Unavailable):
            export.export(rows)
        monkeypatch.setattr(Database, "_connect", connect)
        export.export(rows)
    assert select(empty_database, "SELECT count() AS n FROM $db.spans") == [{"n": 1}]


@pytest.mark.parametrize("keys", [{"enabled": False}, {"max_elapsed_time": "1ns"}])
def test_giving_up(keys: dict[str, Any]) -> None:
    """Who does not want to wait loses the data, and is told."""
    description = Clickhouse(endpoint=Url("clickhouse://127.0.0.1:1"), retry_on_failure=RetryOnFailure(**keys))
    with description.open(host()) as export:
        with pytest.raises(Rejected, match="given up"):
            export.export(batch(schema.OTEL_TRACES, span(1)))
        assert isinstance(export, Inserting)
        assert export._attempts == {}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(None, Unavailable), (252, Unavailable), (241, Unavailable), (246, Unavailable), (516, Unavailable), (27, Rejected)],
)
def test_errors_are_classed_by_code(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch, code: int | None, expected: type[Exception]
) -> None:
    """Overload, memory, passwords and damaged parts pass; data that cannot be read never does."""

    def failing(*_: Any, **__: Any) -> None:
        raise DatabaseError("an error", code=code)

    with running(empty_database) as export:
        monkeypatch.setattr(Database, "insert", failing)
        with pytest.raises(expected):
            export.export(batch(schema.OTEL_TRACES, span(1)))


@pytest.mark.parametrize(
    "said",
    [
        "Code: 75. DB::ErrnoException: Cannot write to file x: , errno: 28, strerror: No space left on device.",
        'Code: 1001. DB::Exception: std::__1::filesystem::filesystem_error: filesystem error: in rename: Read-only file system ["x"]',
    ],
)
def test_what_the_machine_cannot_do_now_is_later(empty_database: Database, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """A disk that is full or cannot be written says nothing of the rows: they are no dead letters. A value may say the same."""

    def failing(*_: Any, **__: Any) -> None:
        raise DatabaseError(said)

    with running(empty_database) as export:
        monkeypatch.setattr(Database, "insert", failing)
        with pytest.raises(Unavailable):
            export.export(batch(schema.OTEL_TRACES, span(1)))
        said = "Code: 27. DB::Exception: Cannot parse input: 'DB::ErrnoException: no'"
        with pytest.raises(Rejected):
            export.export(batch(schema.OTEL_TRACES, span(1)))


def test_history_and_page_read_the_same_database(empty_database: Database) -> None:
    """What was exported is what processors and extensions read."""
    description = Clickhouse(endpoint=Url(f"chdb://{empty_database.address.path}"), database=empty_database.name)
    with description.open(host()) as export, description.open_history(host()) as history, description.stores_in(host()) as database:
        export.export(batch(schema.OTEL_TRACES, span(1, Arrival=NOON)))
        assert history is not None
        assert history.newest_arrival() == NOON
        assert database.rows(f"SELECT count() AS n FROM {database.name}.spans") == [{"n": 1}]


def test_a_second_database_is_refused(chdb_path: Path, tmp_path: Path) -> None:
    """The engine has one directory per process; nothing hangs, and the message says which one."""
    from sojourn.errors import SojournError

    with pytest.raises(SojournError, match="can have only one"), Clickhouse().open(Host(FixedClock(), "test", tmp_path)):
        pass


def test_the_name_of_the_database_is_plain() -> None:
    """It stands in statements as it is."""
    with pytest.raises(ValueError, match="database"):
        Clickhouse(database="otel; DROP")
