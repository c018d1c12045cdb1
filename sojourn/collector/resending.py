"""A stored row as the request that it came from, as far as the row tells: attributes are texts, as in the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_KINDS: Final = {"Internal": 1, "Server": 2, "Client": 3, "Producer": 4, "Consumer": 5}
_STATUSES: Final = {"Ok": 1, "Error": 2}


def request(table: str, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """In OTLP's JSON. None for what is neither a span nor a log record."""
    if table == "otel_traces":
        return {"resourceSpans": [_in_its_scope(row, "scopeSpans", {"spans": [_span(row)]})]}
    if table == "otel_logs":
        return {"resourceLogs": [_in_its_scope(row, "scopeLogs", {"logRecords": [_record(row)]})]}
    return None


def _in_its_scope(row: Mapping[str, Any], key: str, inside: dict[str, Any]) -> dict[str, Any]:
    scope = {"name": row.get("ScopeName") or "", "version": row.get("ScopeVersion") or ""}
    return {"resource": {"attributes": _attributes(row.get("ResourceAttributes"))}, key: [{"scope": scope, **inside}]}


def _span(row: Mapping[str, Any]) -> dict[str, Any]:
    start = int(row["Timestamp"])
    return {
        "traceId": row["TraceId"],
        "spanId": row["SpanId"],
        "parentSpanId": row.get("ParentSpanId") or "",
        "traceState": row.get("TraceState") or "",
        "name": row.get("SpanName") or "",
        "kind": _KINDS.get(row.get("SpanKind") or "", 0),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(row.get("Duration") or 0)),
        "attributes": _attributes(row.get("SpanAttributes")),
        "status": {"code": _STATUSES.get(row.get("StatusCode") or "", 0), "message": row.get("StatusMessage") or ""},
        "events": [
            {"timeUnixNano": str(time), "name": name, "attributes": _attributes(attributes)}
            for time, name, attributes in _nested(row, "Events", "Timestamp", "Name", "Attributes")
        ],
        "links": [
            {"traceId": trace, "spanId": span, "traceState": state, "attributes": _attributes(attributes)}
            for trace, span, state, attributes in _nested(row, "Links", "TraceId", "SpanId", "TraceState", "Attributes")
        ],
    }


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "timeUnixNano": str(int(row["Timestamp"])),
        "traceId": row.get("TraceId") or "",
        "spanId": row.get("SpanId") or "",
        "severityText": row.get("SeverityText") or "",
        "severityNumber": int(row.get("SeverityNumber") or 0),
        "body": {"stringValue": row.get("Body") or ""},
        "eventName": row.get("EventName") or "",
        "attributes": _attributes(row.get("LogAttributes")),
    }


def _nested(row: Mapping[str, Any], name: str, *columns: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(row.get(f"{name}.{column}") or () for column in columns), strict=True)


def _attributes(pairs: Any) -> list[dict[str, Any]]:
    """A map as pyarrow and JSON write it: pairs, or an object."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs or ()
    return [{"key": key, "value": {"stringValue": value}} for key, value in items]
