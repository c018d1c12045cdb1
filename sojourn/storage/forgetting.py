"""Rows that go for good: sessions and traces removed from every table, by deletes that mask them at once (docs/decisions)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sojourn import schema

if TYPE_CHECKING:
    import pyarrow as pa

    from sojourn.storage.database import Database

# Names are anybody's text, so they travel as hex; `.` stands between the parts of one, `,` between two.
_PARTS: Final = "arrayJoin(arrayMap(one -> splitByChar('.', one), splitByChar(',', {{{name}:String}}))) AS part"
_SESSIONS: Final = f"(SELECT (unhex(part[1]), unhex(part[2]), unhex(part[3])) FROM (SELECT {_PARTS.format(name='sessions')}))"
_TRACES: Final = f"(SELECT (unhex(part[1]), part[2]) FROM (SELECT {_PARTS.format(name='traces')}))"
_OF_SESSIONS: Final = f"(Tenant, Project, SessionId) IN {_SESSIONS}"
_OF_TRACES: Final = f"(Tenant, TraceId) IN {_TRACES}"
_OF_ROWS: Final = _OF_TRACES.replace("{traces:", "{rows:")
_OLD: Final = "Version <= {version:UInt64}"
_EARLIER: Final = "({time} < fromUnixTimestamp64Nano({{before:Int64}}) OR Arrival < fromUnixTimestamp64Nano({{before:Int64}}))"
# A record whose resource alone names the session goes with the spans of its trace, if it has any in another session.
_BOUND_ELSEWHERE: Final = (
    "(Tenant, TraceId) IN (SELECT Tenant, TraceId FROM {database}.session_trace_rows FINAL WHERE Spans > 0 AND (Tenant, TraceId) IN "
    f"(SELECT Tenant, TraceId FROM {{database}}.otel_logs WHERE {_OF_SESSIONS.replace('{', '{{').replace('}', '}}')} AND TraceId != ''))"
)


def forget(database: Database, orders: pa.RecordBatch) -> None:
    """Remove what `sessions.graves.orders_of` names. May be done again. Raises Unavailable or Rejected."""
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in orders.to_pylist():
        groups.setdefault((row["Before"], row["Version"]), []).append(row)
    mode = " SETTINGS lightweight_delete_mode = 'lightweight_update_force'" if database.knows("lightweight_delete_mode") else ""
    for (before, version), rows in groups.items():
        if not version:
            forget_loose(database, before, mode)
            continue
        sessions = [row for row in rows if not row["TraceId"]]
        traces = [row for row in rows if row["TraceId"]]
        whole = [row for row in traces if row["Spans"]]
        parameters = {
            "sessions": ",".join(".".join(row[name].encode().hex() for name in ("Tenant", "Project", "SessionId")) for row in sessions),
            "traces": ",".join(f"{row['Tenant'].encode().hex()}.{row['TraceId']}" for row in whole),
            "rows": ",".join(f"{row['Tenant'].encode().hex()}.{row['TraceId']}" for row in traces),
            "before": before,
            "version": version,
        }
        for table, condition in _conditions(database.name, bool(sessions), bool(whole), bool(traces)):
            database.command(f"DELETE FROM {database.name}.{table} WHERE {condition}{mode}", parameters)


def _conditions(database: str, sessions: bool, traces: bool, rows: bool) -> Iterator[tuple[str, str]]:
    """Which rows go, by table: what was received first, so that what names it goes last.

    Of `traces` everything goes; of `rows` only what the session has of them: others may have the rest.
    """
    logs = []
    if traces:
        yield schema.OTEL_TRACES.name, _OF_TRACES
        logs.append(f"{_OF_TRACES} AND (SessionId = '' OR IdClass >= 2)")
    if sessions:
        own = f"IdClass < 2 OR TraceId = '' OR NOT {_BOUND_ELSEWHERE.format(database=database)}"
        logs.append(f"{_OF_SESSIONS} AND {_EARLIER.format(time='Timestamp')} AND ({own})")
    if logs:
        yield schema.OTEL_LOGS.name, " OR ".join(f"({condition})" for condition in logs)
    if sessions:
        for table in schema.OTEL_METRICS:
            yield table.name, f"{_OF_SESSIONS} AND {_EARLIER.format(time='TimeUnix')}"
        yield schema.SESSION_MARKS.name, f"{_OF_SESSIONS} AND Mark != 'delete' AND {_OLD}"
        for table in (schema.SESSION_EVENT_ROWS, schema.SESSION_SEGMENT_ROWS, schema.SESSION_ROWS):
            yield table.name, f"{_OF_SESSIONS} AND {_OLD}"
    if rows:
        owned = f" AND {_OF_SESSIONS}" if sessions else ""
        yield schema.SESSION_TRACE_ROWS.name, f"{_OF_ROWS}{owned}"


def forget_loose(database: Database, before: int, mode: str) -> None:
    """Remove what arrived before then (ns since 1970) and belongs to no trace and no session, and partitions in which nothing is left."""
    for table, time, condition in _loose(database.name):
        parameters = {"before": before}
        old = f"{time} < addDays(fromUnixTimestamp64Nano({{before:Int64}}), 2) AND {condition}"
        if database.rows(f"SELECT 1 AS one FROM {database.name}.{table} WHERE {old} LIMIT 1", parameters):
            database.command(f"DELETE FROM {database.name}.{table} WHERE {old}{mode}", parameters)
        _drop_empty(database, table, time, before)
    _drop_empty(database, schema.OTEL_TRACES.name, "Timestamp", before)


def _loose(database: str) -> Iterator[tuple[str, str, str]]:
    """Table, the time of its partitions, and which rows belong to nothing."""
    old, key = "Arrival < fromUnixTimestamp64Nano({before:Int64})", "(Tenant, Project, SessionId)"

    def homeless(table: str) -> str:
        named = f"SELECT Tenant, Project, SessionId FROM {database}.{table} WHERE {old} AND SessionId != ''"
        alive = f"SELECT Tenant, Project, SessionId FROM {database}.session_rows FINAL WHERE {key} IN ({named})"
        return f"(SessionId = '' OR {key} NOT IN ({alive}))"

    logs = schema.OTEL_LOGS.name
    of_logs = f"SELECT TraceId FROM {database}.{logs} WHERE {old} AND TraceId != ''"
    traced = f"SELECT Tenant, TraceId FROM {database}.otel_traces WHERE TraceId IN ({of_logs})"
    yield logs, "Timestamp", f"{old} AND {homeless(logs)} AND (TraceId = '' OR (Tenant, TraceId) NOT IN ({traced}))"
    for table in schema.OTEL_METRICS:
        yield table.name, "TimeUnix", f"{old} AND {homeless(table.name)}"


def _drop_empty(database: Database, table: str, time: str, before: int) -> None:
    """What was removed row by row still lies on the disk until its part is merged, and old parts never are."""
    asked = {"database": database.name, "table": table, "before": before}
    parts = "SELECT DISTINCT partition AS day FROM system.parts WHERE database = {database:String} AND table = {table:String} AND active"
    old = "match(partition, '^[0-9-]{10}$') AND toDateOrZero(partition) < toDate(fromUnixTimestamp64Nano({before:Int64}))"  # not patches
    for row in database.rows(f"{parts} AND {old}", asked):
        day = {"day": row["day"]}
        if not database.rows(f"SELECT 1 AS one FROM {database.name}.{table} WHERE toDate({time}) = toDate({{day:String}}) LIMIT 1", day):
            database.command(f"ALTER TABLE {database.name}.{table} DROP PARTITION {{day:String}}", day)
