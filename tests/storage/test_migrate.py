"""Tables and views: made once, as `schema.py` says, and never out of somebody else's."""

from __future__ import annotations

import pytest

from sojourn import schema
from sojourn.errors import ConfigError
from sojourn.storage import migrate
from sojourn.storage.arrow import arrow_schema
from sojourn.storage.database import Database
from tests.storage.rows import NOON, SECOND
from tests.storage.test_views import insert

COMPUTED = {"otel_logs": {"TimestampTime": "ALIAS", "Precedence": "MATERIALIZED"}}
"""Columns that nobody inserts."""


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_tables_have_the_columns_of_the_schema(database: Database, table: schema.Table) -> None:
    """DESCRIBE TABLE says what schema.py says: names, order, types and meaning."""
    asked = {"database": database.name, "table": table.name}
    found = database.rows(
        """SELECT name, type, comment FROM system.columns
        WHERE database = {database:String} AND table = {table:String} AND default_kind = '' ORDER BY position""",
        asked,
    )
    assert [(row["name"], row["type"], row["comment"]) for row in found] == [
        (column.name, column.type, column.meaning) for column in table.columns
    ]
    computed = database.rows(
        """SELECT name, default_kind FROM system.columns
        WHERE database = {database:String} AND table = {table:String} AND default_kind != '' ORDER BY position""",
        asked,
    )
    assert {row["name"]: row["default_kind"] for row in computed} == COMPUTED.get(table.name, {})


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda table: table.name)
def test_arrow_has_the_types_that_clickhouse_gives(database: Database, table: schema.Table) -> None:
    """What History gives for no rows has the columns that it has for rows."""
    columns = ", ".join(f"`{column.name}`" for column in table.columns)
    database.command(f"INSERT INTO {database.name}.{table.name} (Collector) VALUES ('one')")
    found = database.query_arrow(f"SELECT {columns} FROM {database.name}.{table.name}")
    assert found is not None
    assert [(field.name, _bare(field.type)) for field in found.schema] == [(field.name, _bare(field.type)) for field in arrow_schema(table)]


def _bare(kind: object) -> str:
    """Without time zones and the names of list items, which are the server's affair."""
    import re

    return re.sub(r", tz=[^\]]*\]", "]", str(kind)).replace("item: ", "").replace(" not null", "").replace("element: ", "")


def test_nothing_is_applied_twice(empty_database: Database) -> None:
    """A second start changes nothing; another collector on the same database neither."""
    first = migrate.apply(empty_database)
    assert first == [migration.name for migration in migrate.migrations()]
    assert migrate.apply(empty_database) == []
    assert migrate.apply(empty_database, again=True) == first


def test_statements_are_for_people_too() -> None:
    """What `sojourn schema` prints names the database, has every table and view, and no placeholder or password."""
    text = ";\n".join(migrate.statements("shop"))
    assert "$" not in text
    assert "PASSWORD" not in text
    assert all(f"shop.{table.name}" in text for table in schema.TABLES)
    assert all(f"VIEW shop.{view}" in text for view in ("sessions", "session_segments", "session_traces", "session_events", "spans"))


def test_credentials_are_quoted() -> None:
    """A server reads its own tables for the dictionary with the exporter's account."""
    text = "".join(statement for migration in migrate.migrations("otel", "me", "it's \\ me") for statement in migration.statements)
    assert "USER 'me' PASSWORD 'it\\'s \\\\ me'" in text


def test_a_foreign_table_is_refused(empty_database: Database) -> None:
    """The contrib exporter's table would take rows in and answer wrongly: the message says what to do."""
    name = empty_database.name
    empty_database.command(f"CREATE DATABASE {name}", anywhere=True)
    empty_database.command(f"CREATE TABLE {name}.otel_traces (Timestamp DateTime64(9)) ENGINE = MergeTree ORDER BY Timestamp")
    with pytest.raises(ConfigError, match=rf"{name}\.otel_traces has the engine MergeTree.*RENAME TABLE"):
        migrate.apply(empty_database)


def test_a_table_without_our_columns_is_refused(empty_database: Database) -> None:
    """Of the right engine, but of another program or version."""
    name = empty_database.name
    empty_database.command(f"CREATE DATABASE {name}", anywhere=True)
    empty_database.command(f"CREATE TABLE {name}.session_rows (SessionId String) ENGINE = ReplacingMergeTree ORDER BY SessionId")
    with pytest.raises(ConfigError, match=r"session_rows has no column Tenant"):
        migrate.apply(empty_database)


def test_dashboards_for_older_log_tables_find_their_time(database: Database) -> None:
    """The contrib exporter had TimestampTime until its version 0.150; it costs nothing here, and days are still left out by it."""
    insert(database, schema.OTEL_LOGS, {"Timestamp": NOON}, {"Timestamp": NOON - 5 * 86_400 * SECOND})
    asked = f"SELECT count() AS n FROM {database.name}.otel_logs WHERE TimestampTime >= toDateTime({NOON // SECOND})"
    assert database.rows(asked) == [{"n": 1}]
    assert any("Parts: 1/2" in str(row) for row in database.rows(f"EXPLAIN indexes = 1 {asked}"))


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (schema.OTEL_LOGS, {"Timestamp": NOON, "Digest": 1}),
        *((table, {"TimeUnix": NOON, "MetricName": "m", "Digest": 1}) for table in schema.OTEL_METRICS),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_is_sent_again_is_read_once(database: Database, table: schema.Table, columns: dict[str, object]) -> None:
    """With FINAL, whatever the request and its arrival."""
    for arrival in (NOON, NOON + 1):
        insert(database, table, columns | {"Arrival": arrival}, columns | {"Digest": 2, "Arrival": arrival})
    assert database.rows(f"SELECT count() AS n FROM {database.name}.{table.name} FINAL") == [{"n": 2}]
