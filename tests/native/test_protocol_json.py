"""OTLP/JSON: the same requests, answered in JSON."""

from __future__ import annotations

import json

import pytest

from tests.native.wire import JSON, HttpServer, raw_lane, serving


@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8"])
def test_an_empty_request_is_a_success(server: HttpServer, kind: str) -> None:
    """The response message without partial success is an empty object."""
    answer = server.post(kind=kind, body=b"{}")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"{}", JSON)


def test_later_is_told_in_json() -> None:
    """A full queue answers a JSON request in JSON."""
    lane = raw_lane(queue_bytes=20)
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}'
    with serving({"traces": [lane]}) as native:
        server = HttpServer(native, lane)
        assert server.post(kind=JSON, body=body).status_code == 200
        answer = server.post(kind=JSON, body=body)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "1", 14)


def test_bad_json_is_answered_in_json(server: HttpServer) -> None:
    """The status of a JSON request is JSON."""
    answer = server.post(kind=JSON, body=b'{"resourceSpans": [')
    assert (answer.status_code, answer.headers["content-type"]) == (400, JSON)
    assert answer.json()["code"] == 3
    assert answer.json()["message"]


def test_a_partial_success_in_json(server: HttpServer) -> None:
    """64-bit numbers are text in protobuf's JSON."""
    answer = server.post("/v1/logs", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}', JSON)
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "2"
    assert "not stored" in answer.json()["partialSuccess"]["errorMessage"]


def test_json_becomes_protobuf(server: HttpServer) -> None:
    """A lane that keeps bytes keeps protobuf, whatever was sent."""
    trace, span = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": trace, "spanId": span, "name": "chat", "kind": 3}]}]}]}
    assert server.post(kind=JSON, body=json.dumps(body).encode()).status_code == 200
    [(signal, taken)] = server.taken()
    assert signal == "traces"
    assert bytes.fromhex(trace) in taken
    assert bytes.fromhex(span) in taken
