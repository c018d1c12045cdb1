"""Rows of any table in a few words: what is not said has the default of its type."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sojourn import schema
from sojourn.component import Batch
from sojourn.storage.arrow import arrow_schema, arrow_type

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z
TRACE = "0123456789abcdef0123456789abcdef"


def default(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    if pa.types.is_string(kind):
        return ""
    if pa.types.is_boolean(kind):
        return False
    return bytes(16) if pa.types.is_fixed_size_binary(kind) else 0


def records(table: schema.Table, *rows: dict[str, Any]) -> pa.RecordBatch:
    full = arrow_schema(table)
    columns = [pa.array([row.get(field.name, default(field.type)) for row in rows], field.type) for field in full]
    return pa.RecordBatch.from_arrays(columns, schema=full)


def batch(table: schema.Table, *rows: dict[str, Any]) -> Batch:
    return Batch(table.name, records(table, *rows))


def version(end: int, digest: int) -> bytes:
    return digest.to_bytes(8, "little") + end.to_bytes(8, "little")


def span(number: int = 1, start: int = NOON, **columns: Any) -> dict[str, Any]:
    row = {"Timestamp": start, "TraceId": TRACE, "SpanId": f"{number:016x}", "Version": version(start + SECOND, 1), "CostPico": -1}
    return {**row, "Arrival": start, "IdClass": 255, **columns}


def trace(session: str = "s", trace_id: str = TRACE, start: int = NOON, seconds: int = 10, **columns: Any) -> dict[str, Any]:
    row = {
        "SessionId": session,
        "TraceId": trace_id,
        "Start": start,
        "End": start + seconds * SECOND,
        "Spans": 1,
        "Version": 1,
        "CostPico": -1,
    }
    return {**row, **columns}


def session(session_id: str = "s", start: int = NOON, seconds: int = 10, **columns: Any) -> dict[str, Any]:
    row = {"SessionId": session_id, "Name": session_id, "State": "active", "Start": start, "End": start + seconds * SECOND}
    return {**row, "Version": 1, "CostPico": -1, "Segments": 1, **columns}


__all__ = ["NOON", "SECOND", "TRACE", "arrow_type", "batch", "default", "records", "session", "span", "trace", "version"]
