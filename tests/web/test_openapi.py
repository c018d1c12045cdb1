"""The OpenAPI document tells what the API answers and takes."""

from __future__ import annotations

from typing import Any

import httpx

from sojourn.web import parameters
from tests.web.conftest import Store, log_row, session_row, span_row, trace_row


def test_the_document_tells_the_truth(store: Store, web: httpx.Client) -> None:
    """Every address answers with what its schema requires, and refuses parameters that it does not name."""
    store.sessions({"session_id": "s"})
    store.insert("session_segment_rows", session_row("s") | {"Segment": 0})
    store.insert("session_trace_rows", trace_row("a" * 32))
    said = {"gen_ai.input.messages": '[{"role": "user", "content": "hi"}]'}
    store.insert("otel_traces", span_row("1" * 16, Kind="llm", Input="hi", SpanAttributes=said))
    store.insert("otel_logs", log_row(1, 1, "s"))
    store.insert("session_event_rows", {"Time": "2026-01-01 00:00:00", "SessionId": "s", "Event": "session.start", "Version": 1})
    store.insert(
        "session_event_rows", {"Time": "2026-01-01 00:00:00", "SessionId": "s", "Event": "session.alert", "Reason": "dear", "Version": 1}
    )
    told: dict[str, Any] = web.get("/openapi.json").json()
    for path, operations in told["paths"].items():
        if path in ("/openapi.json", "/live") or "get" not in operations:
            continue
        operation = operations["get"]
        address = path.replace("{id}", "a" * 32 if path.startswith("/traces") else "s")
        answer = web.get(address).json()
        fits(answer, operation["responses"]["200"]["content"]["application/json"]["schema"], told)
        assert web.get(address, params={"frobnicate": "1"}).status_code == 400
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and "enum" in parameter["schema"]:
                assert web.get(address, params={parameter["name"]: parameter["schema"]["enum"][0]}).status_code == 200
    known = {parameter["name"] for parameter in told["paths"]["/sessions.json"]["get"]["parameters"]}
    assert known == {*parameters.SESSIONS, "meta.KEY"} - {"meta"}


def test_what_changes_something_is_told_and_there(web: httpx.Client) -> None:
    """Every such address is known, and answers here with a failure that the document names."""
    paths = web.get("/openapi.json").json()["paths"]
    changing = {(path, method) for path, operations in paths.items() for method in operations if method != "get"}
    assert changing == {
        ("/sessions/{id}/name", "post"),
        ("/sessions/{id}/end", "post"),
        ("/sessions/{id}", "delete"),
        ("/rebuild", "post"),
    }
    for path, method in sorted(changing):
        body = {"name": "x"} if path.endswith("name") else {"sessions": ["s"]} if path == "/rebuild" else {}
        status = web.request(method, path.replace("{id}", "s"), json=body).status_code
        assert str(status) in paths[path][method]["responses"], (path, status)


def fits(value: Any, schema: dict[str, Any], told: dict[str, Any]) -> None:
    """As much of JSON Schema as the document uses."""
    schema = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    kinds = schema.get("type", "string")
    python: dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    assert isinstance(value, tuple(python[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))), (value, schema)
    for name in schema.get("required", ()):
        assert name in value, name
        fits(value[name], schema["properties"][name], told)
    for item in value if isinstance(value, list) else ():
        fits(item, schema.get("items", {}), told)
