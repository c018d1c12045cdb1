"""Requests, lanes and servers for the tests of the native core."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn import _native

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
AT = 1_790_000_000_000_000_000
LIMITS: dict[str, Any] = {"flush_interval": 60.0, "flush_rows": 1, "flush_bytes": 1 << 26, "queue_bytes": 1 << 28}


def spans(count: int = 1, name: str = "chat", padding: int = 0) -> bytes:
    """A request with `count` spans of one trace."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(count):
        span = scope.spans.add(trace_id=b"t" * 16, span_id=struct.pack(">Q", number + 1), name=name)
        span.start_time_unix_nano, span.end_time_unix_nano = AT, AT + 1_000_000
        if padding:
            span.attributes.add(key="padding").value.string_value = "x" * padding
    return request.SerializeToString()


def records(count: int) -> bytes:
    """A request with `count` log records."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(count):
        scope.log_records.add(time_unix_nano=AT + number)
    return request.SerializeToString()


def points(count: int) -> bytes:
    """A request with one gauge of `count` points."""
    request = ExportMetricsServiceRequest()
    gauge = request.resource_metrics.add().scope_metrics.add().metrics.add(name="size").gauge
    for number in range(count):
        gauge.data_points.add(as_int=number)
    return request.SerializeToString()


def raw_lane(**settings: Any) -> _native.Lane:
    """A lane that keeps requests as they came."""
    return _native.Lane(texts=None, lift="", decode=False, raw=True, **(LIMITS | settings))


@contextmanager
def serving(lanes: dict[str, list[_native.Lane]], http: dict[str, Any] | None = None, **settings: Any) -> Iterator[_native.Server]:
    """A server on free ports."""
    told = {"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0"} | (http or {})} | settings
    server = _native.Server(json.dumps(told), lanes, _native.Clock(AT))
    try:
        yield server
    finally:
        server.stop(5)


@dataclass
class HttpServer:
    """A server, its lane, and what is sent to it over HTTP."""

    native: _native.Server
    lane: _native.Lane

    def post(self, path: str = "/v1/traces", body: bytes | Iterator[bytes] = b"", kind: str = PROTOBUF, **headers: str) -> httpx.Response:
        told = {"content-type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"http://{self.native.http}{path}", content=body, headers=told, timeout=30)

    def taken(self) -> list[tuple[str, bytes]]:
        """The requests that reached the lane."""
        self.lane.flush()
        group = self.lane.next(0)
        return group.raw() if group else []


def connect(endpoint: str | None) -> socket.socket:
    assert endpoint is not None
    host, _, port = endpoint.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data


def over_http2(endpoint: str | None, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """POSTs over HTTP/2 with prior knowledge."""
    with httpx.Client(http1=False, http2=True, timeout=30) as client:
        return client.post(f"http://{endpoint}{path}", content=body, headers=headers)
