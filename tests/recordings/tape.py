"""Recorded requests, in the order in which they arrived, as they were or cut up."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DATA = Path(__file__).parent / "data"
NAMES = sorted(path.name for path in DATA.iterdir())

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True)
class Request:
    body: bytes
    content_type: str


def traces(name: str) -> list[Request]:
    """The trace requests of a recording, byte for byte."""
    index = json.loads((DATA / name / "index.json").read_text())
    requests = []
    for entry in index:
        if entry["signal"] == "traces":
            content_type = JSON if "json" in entry["content_type"] else PROTOBUF
            requests.append(Request((DATA / name / entry["file"]).read_bytes(), content_type))
    return requests


def expected(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / name / "expected.json").read_text())
    return document


def parsed(request: Request) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
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


def exploded(requests: list[Request]) -> list[Request]:
    """The same spans, one per request."""
    return [Request(single.SerializeToString(), PROTOBUF) for request in requests for single in _single_spans(parsed(request))]


def _single_spans(message: ExportTraceServiceRequest) -> Iterator[ExportTraceServiceRequest]:
    for resource_spans in message.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                single = ExportTraceServiceRequest()
                resource = single.resource_spans.add(schema_url=resource_spans.schema_url)
                resource.resource.CopyFrom(resource_spans.resource)
                scope = resource.scope_spans.add(schema_url=scope_spans.schema_url)
                scope.scope.CopyFrom(scope_spans.scope)
                scope.spans.add().CopyFrom(span)
                yield single


def first_arrival(requests: list[Request]) -> int:
    """A time at which all of the recording can have arrived: just after the last end (ns since 1970)."""
    messages = [parsed(request) for request in requests]
    return max(
        span.end_time_unix_nano for m in messages for resource in m.resource_spans for scope in resource.scope_spans for span in scope.spans
    )
