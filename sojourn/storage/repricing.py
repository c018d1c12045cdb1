"""Costs of stored spans and log records written anew, in place: what a span is does not change, so its row must not be a newer one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sojourn import schema

if TYPE_CHECKING:
    import pyarrow as pa

    from sojourn.storage.database import Database

AT_ONCE: Final = 5_000
"""Rows of one statement."""
_LIST: Final = "splitByChar(',', {{{name}:String}})"
_KEYS: Final = {
    schema.OTEL_TRACES.name: "concat(hex(toString(Tenant)), '.', TraceId, '.', SpanId)",
    schema.OTEL_LOGS.name: "concat(hex(toString(Tenant)), '.', toString(Digest))",
}
"""What tells a row apart; names are anybody's text, so they travel as hex."""


def reprice(database: Database, orders: pa.RecordBatch) -> None:
    """Write the costs that `component.REPRICE` orders. May be done again. Raises Unavailable or Rejected."""
    rows = orders.to_pylist()
    for table, mine in (
        (schema.OTEL_TRACES.name, [row for row in rows if not row["Digest"]]),
        (schema.OTEL_LOGS.name, [row for row in rows if row["Digest"]]),
    ):
        for first in range(0, len(mine), AT_ONCE):
            some = mine[first : first + AT_ONCE]
            database.command(_statement(database, table), dict(_parameters(table, some)))


def _statement(database: Database, table: str) -> str:
    key = _KEYS[table]

    def new(column: str, kind: str) -> str:
        values = f"arrayMap(value -> {kind}(value), {_LIST.format(name=column)})"
        return f"{column} = transform({key}, {_LIST.format(name='keys')}, {values}, {column})"

    values = f"{new('CostPico', 'toInt64')}, {new('CostSource', 'toUInt8')}"
    traces = f"TraceId IN (SELECT arrayJoin({_LIST.format(name='traces')})) AND " if table == schema.OTEL_TRACES.name else ""
    where = f"{traces}{key} IN (SELECT arrayJoin({_LIST.format(name='keys')}))"
    if database.knows("enable_lightweight_update"):
        return f"UPDATE {database.name}.{table} SET {values} WHERE {where} SETTINGS enable_lightweight_update = 1"
    return f"ALTER TABLE {database.name}.{table} UPDATE {values} WHERE {where} SETTINGS mutations_sync = 2"


def _parameters(table: str, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    spans = table == schema.OTEL_TRACES.name
    tails = (f"{row['TraceId']}.{row['SpanId']}" if spans else str(row["Digest"]) for row in rows)
    yield "keys", ",".join(f"{row['Tenant'].encode().hex().upper()}.{tail}" for row, tail in zip(rows, tails, strict=True))
    for column in ("CostPico", "CostSource"):
        yield column, ",".join(str(row[column]) for row in rows)
    if spans:
        yield "traces", ",".join(dict.fromkeys(row["TraceId"] for row in rows))
