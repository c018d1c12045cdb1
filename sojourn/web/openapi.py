"""The API as an OpenAPI document, for clients that are made by machines. A test holds it against what is answered."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from sojourn.web import changing, parameters

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_TIME: Final[Json] = {"type": "string", "format": "date-time", "description": "RFC 3339 with nanoseconds"}
_MONEY: Final[Json] = {"type": ["string", "null"], "description": "US dollars as a decimal; null if unknown"}
_TEXTS: Final[Json] = {"type": "array", "items": _TEXT}
_MAP: Final[Json] = {"type": "object", "additionalProperties": _TEXT}
_CURSOR: Final[Json] = {"type": ["string", "null"], "description": "`after` for the next part; null at the end"}

_MEANINGS: Final = {
    "known": "a number that the stream told before, or that the page was read at: it is not told again",
    "search": "text in the id, the name, the user or the metadata",
    "project": "exactly this project",
    "user": "exactly this user",
    "state": "state of the session",
    "status": "ok or error",
    "service": "a service that took part",
    "model": "a model that was called",
    "tag": "a tag",
    "since": "active since then: RFC 3339, a date, or a time span before now such as 24h",
    "until": "active until then",
    "min_cost": "cost from, in US dollars",
    "min_tokens": "tokens from",
    "min_wall": "lasting at least, such as 60s",
    "sort": "a number or time of a session, - before it for descending",
    "limit": "at most so many",
    "after": "`next` of an earlier answer",
    "bucket": "length of a bucket, from 1m to 1d",
    "group": "what to tell apart",
    "session_id": "exactly this session",
    "name": "exactly this alert",
    "event": "exactly this event, such as session.end",
    "span": "only this span, with longer values",
}
_NAMES: Final = (
    "tenant",
    "project",
    "session_id",
    "name",
    "name_source",
    "user_id",
    "state",
    "end_reason",
    "cost_source",
    "status",
    "collector",
)
_SETS: Final = ("models", "providers", "services", "tools", "tags", "flags")
_COUNTS: Final = (
    *("segments", "traces", "turns", "spans", "errors", "llm_calls", "embedding_calls", "tool_calls", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "total_tokens", "wall_ns", "active_ns", "turn_p50_ns", "turn_p95_ns"),
    *("log_records", "log_errors", "revision"),
)


def document() -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sojourn",
            "version": _version(),
            "description": "Sessions of an OpenTelemetry Collector. Every page has a `.json` twin.",
        },
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }


def _version() -> str:
    try:
        return version("sojourn")
    except PackageNotFoundError:
        return "0"


def _paths() -> Json:
    listing = (
        "search",
        "session_id",
        "project",
        "user",
        "state",
        "status",
        "service",
        "model",
        "tag",
        "since",
        "until",
        "min_cost",
        "min_tokens",
        "min_wall",
    )
    return {
        "/sessions.json": _get("The list of sessions", {"sessions": _many("Session")}, (*listing, "sort", "limit", "after"), meta=True),
        "/sessions/{id}.json": _get("One session", _of_session(), ("project", "limit", "after"), "id"),
        "/sessions/{id}/logs.json": _get("Its log records by time", {"logs": _many("Log")}, ("project", "limit", "after"), "id"),
        "/sessions/{id}/metrics.json": _get(
            "Its metric series", {"series": _many(), "totals": _many()}, ("project", "limit", "after"), "id"
        ),
        "/traces/{id}.json": _get(
            "One trace with its spans by start", {"trace": {"type": "object"}, "spans": _many("Span")}, ("limit", "after"), "id"
        ),
        "/traces/{id}/messages.json": _get(
            "What was said in one trace, call by call, whole",
            {"trace": {"type": "object"}, "calls": _many("Call")},
            ("span", "limit", "after"),
            "id",
        ),
        "/metrics-over-time.json": _get("What came in over time", {"buckets": _many("Bucket")}, (*listing, "bucket", "group"), meta=True),
        "/events.json": _get(
            "Events, newest first", {"events": _many("Event")}, ("session_id", "project", "event", "since", "limit", "after")
        ),
        "/alerts.json": _get(
            "Alerts, newest first", {"alerts": _many("Alert")}, ("session_id", "project", "name", "since", "limit", "after")
        ),
        "/openapi.json": {"get": {"summary": "This document", "responses": {"200": {"description": "OpenAPI"}}}},
        "/live": {
            "get": {
                "summary": "Server-sent events: `change` whenever the list, or the session that is named, has changed",
                "parameters": [_parameter("session_id"), _parameter("project"), _parameter("known")],
                "responses": {"200": {"description": "a stream", "content": {"text/event-stream": {}}}},
            }
        },
        **_changes(),
    }


def _changes() -> Json:
    """What changes something. With authentication it needs the scopes that are named."""
    named = {"type": "object", "properties": {"name": _TEXT | {"maxLength": changing.LONGEST_NAME}}, "required": ["name"]}
    wanted = {"sessions": _TEXTS, "since": _TEXT, "project": _TEXT, "check": {"type": "boolean"}, "reprice": {"type": "boolean"}}
    found = {"description": "the session as it is now", "content": _json({"type": "object", "properties": _of_session()})}
    gone = {"description": "it is gone, and what comes late of it goes too"}
    lines = {"description": "lines of JSON while it goes on", "content": {"application/x-ndjson": {}}}
    return {
        "/sessions/{id}/name": {"post": _change("Rename a session for good", {"200": found}, ("project",), named)},
        "/sessions/{id}/end": {"post": _change("End a session: what starts later begins a new segment", {"200": found}, ("project",))},
        "/sessions/{id}": {"delete": _change("Delete a session with all that was stored of it", {"204": gone}, ("project",))},
        "/rebuild": {
            "post": _change("Fold sessions again from what was stored", {"200": lines}, (), {"type": "object", "properties": wanted})
        },
    }


def _change(summary: str, answer: Json, asked: tuple[str, ...], body: Json | None = None) -> Json:
    needs = "write and read" if asked else "admin"
    failures = [
        *_failures(named=bool(asked)),
        ("403", f"from another origin, or without the scopes {needs}"),
        ("413", "the body is too large"),
    ]
    part = [{"name": "id", "in": "path", "required": True, "schema": _TEXT, "description": "percent-encoded"}] if asked else []
    return {
        "summary": summary,
        "parameters": [*part, *(_parameter(name) for name in asked)],
        **({"requestBody": {"required": "required" in body, "content": _json(body)}} if body else {}),
        "responses": answer | _failed(failures),
    }


def _failed(failures: list[tuple[str, str]]) -> Json:
    return {status: {"description": words, "content": _json({"$ref": "#/components/schemas/Error"})} for status, words in failures}


def _get(summary: str, answer: Json, asked: tuple[str, ...], *parts: str, meta: bool = False) -> Json:
    paged = {"next": _CURSOR} if "after" in asked else {}
    schema = {"type": "object", "properties": answer | paged, "required": [*answer, *paged]}
    known = [{"name": part, "in": "path", "required": True, "schema": _TEXT, "description": "percent-encoded"} for part in parts]
    known += [_parameter(name) for name in asked]
    if meta:
        known.append(
            {"name": "meta.KEY", "in": "query", "schema": _TEXT, "description": "value of the metadata key KEY; for several keys too"}
        )
    responses = _failed(_failures(bool(parts)))
    return {
        "get": {
            "summary": summary,
            "parameters": known,
            "responses": {"200": {"description": "found", "content": _json(schema)}, **responses},
        }
    }


def _failures(named: bool) -> list[tuple[str, str]]:
    missing = [("404", "there is no such thing")] if named else []
    return [("400", "cannot be asked"), *missing, ("503", "the database cannot answer now")]


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _parameter(name: str) -> Json:
    known: dict[str, Json] = {
        "limit": {"type": "integer", "minimum": 1},
        "state": {"enum": list(parameters.STATES)},
        "status": {"enum": list(parameters.STATUSES)},
        "group": {"enum": list(parameters.GROUPS)},
        "sort": {"enum": [sign + name for name in parameters.SORTABLE for sign in ("", "-")], "default": "-end"},
    }
    return {"name": name, "in": "query", "schema": known.get(name, _TEXT), "description": _MEANINGS[name]}


def _many(name: str = "") -> Json:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"} if name else {"type": "object"}}


def _of_session() -> Json:
    return {
        "session": {"$ref": "#/components/schemas/Session"},
        "segments": _many("Session"),
        "traces": _many("Trace"),
        "events": _many("Event"),
    }


def _schemas() -> Json:
    shared: Json = dict.fromkeys(("project", "session_id", "name", "user_id", "status"), _TEXT) | {
        "start": _TIME,
        "end": _TIME,
        "cost": _MONEY,
    }
    counts: Json = dict.fromkeys(_COUNTS, _COUNT)
    session: Json = dict.fromkeys(_NAMES, _TEXT) | shared | counts | dict.fromkeys(_SETS, _TEXTS) | {"metadata": _MAP, "last_seen": _TIME}
    session |= {"first_input": _TEXT, "last_output": _TEXT, "scores": {"type": "object"}, "measures": {"type": "object"}}
    of_trace = (
        "spans",
        "errors",
        "llm_calls",
        "embedding_calls",
        "tool_calls",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "wall_ns",
        "turn",
        "segment",
    )
    trace: Json = shared | dict.fromkeys(of_trace, _COUNT) | {"trace_id": _TEXT, "input": _TEXT, "output": _TEXT}
    span: Json = dict.fromkeys(("span_id", "parent_span_id", "name", "kind", "status", "session_id", "model"), _TEXT)
    span |= {"start": _TIME, "end": _TIME, "duration_ns": _COUNT, "cost": _MONEY, "attributes": _MAP, "resource": _MAP, "segment": _COUNT}
    span |= {"input_tokens": _COUNT, "output_tokens": _COUNT, "events": _many(), "links": _many()}
    bucket: Json = {"start": _TIME, "cost": _MONEY} | dict.fromkeys(
        ("sessions", "traces", "errors", "total_tokens", "turns", "turn_p50_ns"), _COUNT
    )
    event: Json = dict.fromkeys(("project", "session_id", "event", "reason"), _TEXT) | {
        "time": _TIME,
        "segment": _COUNT,
        "revision": _COUNT,
        "attributes": _MAP,
    }
    log: Json = {
        "time": _TIME,
        "event": _TEXT,
        "body": _TEXT,
        "severity_text": _TEXT,
        "trace_id": _TEXT,
        "span_id": _TEXT,
        "attributes": _MAP,
        "resource": _MAP,
    }
    alert: Json = dict.fromkeys(("project", "session_id", "name", "severity", "condition", "values"), _TEXT)
    alert |= {"time": _TIME, "segment": _COUNT, "revision": _COUNT, "firing": {"type": "boolean"}}
    call: Json = dict.fromkeys(("span_id", "parent_span_id", "name", "kind", "model", "tool", "agent", "service", "status"), _TEXT)
    call |= {"start": _TIME, "duration_ns": _COUNT, "cost": _MONEY, "input_tokens": _COUNT, "output_tokens": _COUNT}
    call |= {"input": _many("Message"), "output": _many("Message"), "earlier": _COUNT}
    part: Json = dict.fromkeys(("type", "text", "name", "id"), _TEXT)
    found = {
        "Call": call,
        "Message": {"role": _TEXT, "name": _TEXT, "parts": _many("Part")},
        "Part": part,
        "Alert": alert,
        "Session": session,
        "Trace": trace,
        "Span": span,
        "Bucket": bucket,
        "Event": event,
        "Log": log,
        "Error": {"error": _TEXT},
    }
    return {name: {"type": "object", "properties": properties, "required": sorted(properties)} for name, properties in found.items()}
