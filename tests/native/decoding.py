"""Decoding as a function: requests in, columns out, through a lane that nobody listens to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from sojourn import _native, schema
from sojourn.sessions.lifting import lift_plan
from tests.native.wire import AT, PROTOBUF

SIGNALS = {ExportTraceServiceRequest: "traces", ExportLogsServiceRequest: "logs", ExportMetricsServiceRequest: "metrics"}
FACT = np.dtype(list(schema.FACT))
FACET = np.dtype(list(schema.FACET))
TRACE, SPAN = b"\x01" * 16, b"\x02" * 8


class Decoder:
    """Takes requests; `columns()` cuts the group and gives its batch."""

    def __init__(self, **plan: Any) -> None:
        self.texts = _native.Texts(1 << 24)
        limits: dict[str, Any] = {"flush_interval": 60.0, "flush_rows": 1 << 30, "flush_bytes": 1 << 30, "queue_bytes": 1 << 30}
        self._lane = _native.Lane(texts=self.texts, lift=lift_plan(**plan), **limits)

    def push(self, request: Message | bytes, content_type: str = PROTOBUF, at: int = AT, signal: str = "") -> None:
        """Bytes are a request of `signal`, by default of traces."""
        body = request if isinstance(request, bytes) else request.SerializeToString()
        self._lane.push(signal or SIGNALS.get(type(request), "traces"), body, content_type, at)

    def group(self) -> _native.Delivery | None:
        self._lane.flush()
        return self._lane.next(0)

    def columns(self) -> pa.RecordBatch | None:
        """The spans of the group."""
        group = self.group()
        return _taken(group, group and group.traces())

    def logs(self) -> pa.RecordBatch | None:
        """The log records of the group."""
        group = self.group()
        return _taken(group, group and group.logs())

    def metrics(self) -> dict[str, pa.RecordBatch]:
        """The points of the group by kind: gauge, sum, …"""
        group = self.group()
        tables = group.metrics() if group else {}
        return {table.removeprefix("otel_metrics_"): pa.record_batch(records) for table, records in tables.items()}

    def text(self, value: int) -> str | None:
        found: str | None = pa.array(self.texts.lookup(np.array([value], np.uint64)))[0].as_py()
        return found


def _taken(group: _native.Delivery | None, records: Any) -> pa.RecordBatch | None:
    if group is not None:
        group.commit()
    if records is None:
        return None
    batch = pa.record_batch(records)
    batch.validate(full=True)
    return batch


def decode(*requests: ExportTraceServiceRequest | bytes, **plan: Any) -> pa.RecordBatch:
    """One group with all of the requests."""
    decoder = Decoder(**plan)
    for request in requests:
        decoder.push(request)
    columns = decoder.columns()
    assert columns is not None
    columns.validate(full=True)
    return columns


def facts(columns: pa.RecordBatch) -> Any:
    return np.frombuffer(columns.column("_fact").buffers()[1], FACT, len(columns))


def facets(columns: pa.RecordBatch, row: int = 0) -> list[tuple[int, str, str]]:
    """(what, key, value) of a row."""
    parts = [columns.column(f"Facets.{name}")[row].as_py() for name in ("What", "Key", "Value")]
    return list(zip(*parts, strict=True))


def request(resource: dict[str, Any] | None = None, **span: Any) -> ExportTraceServiceRequest:
    """A request with one span; `attributes` is a dictionary of Python values."""
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add()
    put(spans.resource.attributes, resource or {})
    add_span(spans.scope_spans.add(), **span)
    return message


def add_span(scope: Any, attributes: dict[str, Any] | None = None, **fields: Any) -> Any:
    given = {"trace_id": TRACE, "span_id": SPAN, "start_time_unix_nano": AT - 5_000_000_000, "end_time_unix_nano": AT - 1_000_000_000}
    span = scope.spans.add(**(given | fields))
    put(span.attributes, attributes or {})
    return span


def put(attributes: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        attributes.add(key=key).value.CopyFrom(any_value(value))


def any_value(value: Any) -> AnyValue:
    message = AnyValue()
    match value:
        case bool():
            message.bool_value = value
        case int():
            message.int_value = value
        case float():
            message.double_value = value
        case str():
            message.string_value = value
        case bytes():
            message.bytes_value = value
        case list():
            message.array_value.SetInParent()
            message.array_value.values.extend(any_value(item) for item in value)
        case dict():
            message.kvlist_value.SetInParent()
            put(message.kvlist_value.values, value)
    return message


def lifted(attributes: dict[str, Any], **plan: Any) -> dict[str, Any]:
    """The row of a span with these attributes."""
    row: dict[str, Any] = decode(request(attributes=attributes), **plan).to_pylist()[0]
    return row
