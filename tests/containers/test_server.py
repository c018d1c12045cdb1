"""What the embedded engine is tested for, against a server: the same code, the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from sojourn import schema
from sojourn.component import Host
from sojourn.config.types import Url
from sojourn.exporters.clickhouse import Clickhouse, Inserting
from sojourn.storage import migrate
from sojourn.storage.database import Database
from sojourn.storage.history import History
from tests.exporters.test_clickhouse import FixedClock
from tests.storage.rows import NOON, SECOND, TRACE, batch, session, span, trace, version


@pytest.fixture(params=["lz4", "none"])
def export(request: pytest.FixtureRequest, database: Database) -> Iterator[Inserting]:
    """An exporter as a configuration file describes it, compressing and not."""
    address = database.address
    login = f"{address.username}:{quote(address.password, safe='')}"
    endpoint = Url(f"clickhouse://{login}@{address.host}:{address.port}/{address.database}")
    with Clickhouse(endpoint=endpoint, compress=request.param).open(Host(FixedClock(), "test", None)) as running:
        assert isinstance(running, Inserting)
        yield running


def rows(database: Database, sql: str) -> list[dict[str, Any]]:
    return database.rows(sql.replace("$db", database.name))


def test_nothing_is_applied_twice(database: Database) -> None:
    """The server has all tables and views, and they are kept."""
    assert migrate.apply(database) == []


def test_a_session_comes_back(database: Database, export: Inserting) -> None:
    """Spans, traces, segments and sessions go in; views, previews and history give them back."""
    export.export(batch(schema.OTEL_TRACES, span(1, Arrival=NOON, SpanAttributes=[("it's", "\u2603")]), span(2)))
    export.export(batch(schema.SESSION_TRACE_ROWS, trace(Input="hello", Output="bye")))
    export.export(batch(schema.SESSION_SEGMENT_ROWS, session()))
    export.export(batch(schema.SESSION_ROWS, session(FirstTrace=TRACE, LastTrace=TRACE, CostPico=4_200_000_000)))
    assert rows(database, "SELECT SessionId, Cost, FirstInput, LastOutput FROM $db.sessions") == [
        {"SessionId": "s", "Cost": "0.0042", "FirstInput": "hello", "LastOutput": "bye"}
    ]
    spans = rows(database, "SELECT SpanId, SpanAttributes FROM $db.spans WHERE SessionId = 's' ORDER BY SpanId")
    assert [row["SpanAttributes"] for row in spans] == [{"it's": "\u2603"}, {}]
    history = History(database)
    assert history.newest_arrival() == NOON
    assert history.spans([TRACE]).num_rows == 2
    assert history.trace_rows_of_sessions([("", "", "s")]).num_rows == 1


def test_a_repeated_insert_is_stored_once(database: Database, export: Inserting) -> None:
    """The token makes it the same insert."""
    attempt = export._first(batch(schema.OTEL_TRACES, span(1)))
    export._insert(attempt)
    export._insert(attempt)
    assert rows(database, "SELECT count() AS n FROM $db.otel_traces") == [{"n": 1}]


def test_the_greatest_version_counts_across_hours(database: Database, export: Inserting) -> None:
    """As in the embedded engine."""
    for number, end in enumerate((2, 9, 5)):
        start = NOON + number * 7200 * SECOND
        export.export(batch(schema.OTEL_TRACES, span(1, start, SpanName=str(end), Version=version(NOON + end, 0))))
    assert rows(database, "SELECT SpanName FROM $db.spans") == [{"SpanName": "9"}]


def test_a_thousand_days(database: Database, export: Inserting) -> None:
    """No insert touches more partitions than the server allows."""
    days = [span(number, NOON - number * 86_400 * SECOND) for number in range(1000)]
    export.export(batch(schema.OTEL_TRACES, *days))
    assert rows(database, "SELECT count() AS n FROM $db.spans") == [{"n": 1000}]
