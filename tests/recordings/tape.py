"""Recorded requests, in the order in which they arrived, as they were or cut up."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DATA = Path(__file__).parent / "data"
NAMES = sorted(path.name for path in DATA.iterdir())

PROTOBUF, JSON = "application/x-protobuf", "application/json"


MESSAGES: dict[str, Any] = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest, "metrics": ExportMetricsServiceRequest}


@dataclass(frozen=True)
class Request:
    body: bytes
    content_type: str
    signal: str = "traces"


def traces(name: str) -> list[Request]:
    """The trace requests of a recording, byte for byte."""
    return [request for request in requests(name) if request.signal == "traces"]


def requests(name: str) -> list[Request]:
    """The requests of all signals of a recording, byte for byte."""
    found = []
    for entry in json.loads((DATA / name / "index.json").read_text()):
        content_type = JSON if "json" in entry["content_type"] else PROTOBUF
        found.append(Request((DATA / name / entry["file"]).read_bytes(), content_type, entry["signal"]))
    return found


WITH_OTHER_SIGNALS = [name for name in NAMES if any(request.signal != "traces" for request in requests(name))]


def expected(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / name / "expected.json").read_text())
    return document


def parsed(request: Request) -> Any:
    """The request as a message of its signal."""
    message = MESSAGES[request.signal]()
    if request.content_type == JSON:
        return json_format.ParseDict(_ids_as_base64(json.loads(request.body)), message, ignore_unknown_fields=True)
    message.ParseFromString(request.body)
    return message


def _ids_as_base64(node: Any) -> Any:
    """OTLP/JSON writes ids in hex where protobuf's own JSON writes base64."""
    if isinstance(node, list):
        return [_ids_as_base64(item) for item in node]
    if not isinstance(node, dict):
        return node
    ids = ("traceId", "spanId", "parentSpanId")
    return {key: base64.b64encode(bytes.fromhex(value)).decode() if key in ids else _ids_as_base64(value) for key, value in node.items()}


def together(requests: list[Request]) -> list[Request]:
    """The same as one request of each signal."""
    messages: dict[str, Any] = {}
    for request in requests:
        messages.setdefault(request.signal, MESSAGES[request.signal]()).MergeFrom(parsed(request))
    return [Request(message.SerializeToString(), PROTOBUF, signal) for signal, message in messages.items()]


def exploded(requests: list[Request]) -> list[Request]:
    """The same spans, log records and metrics, one per request."""
    return [Request(single, PROTOBUF, request.signal) for request in requests for single in _singles(request)]


_LEVELS = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


def _singles(request: Request) -> Iterator[bytes]:
    resources, scopes, items = _LEVELS[request.signal]
    for outer in getattr(parsed(request), resources):
        for inner in getattr(outer, scopes):
            for item in getattr(inner, items):
                single = MESSAGES[request.signal]()
                resource = getattr(single, resources).add(schema_url=outer.schema_url)
                resource.resource.CopyFrom(outer.resource)
                scope = getattr(resource, scopes).add(schema_url=inner.schema_url)
                scope.scope.CopyFrom(inner.scope)
                getattr(scope, items).add().CopyFrom(item)
                yield single.SerializeToString()


def first_arrival(requests: list[Request]) -> int:
    """A time at which all of the recording can have arrived: just after the last span ended (ns since 1970)."""
    messages = [parsed(request) for request in requests if request.signal == "traces"]
    return max(
        span.end_time_unix_nano for m in messages for resource in m.resource_spans for scope in resource.scope_spans for span in scope.spans
    )
