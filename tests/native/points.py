"""Metric points for the tests of the native core."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.native.decoding import Decoder, put
from tests.native.wire import AT

FIELDS = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponential_histogram": "exponential_histogram",
    "summary": "summary",
}
"""Kind of point, which ends the name of its table → field of a metric."""


def metric(kind: str, resource: dict[str, Any] | None = None, **data: Any) -> tuple[ExportMetricsServiceRequest, Any]:
    """A request with one metric without points, and what holds its points."""
    message = ExportMetricsServiceRequest()
    metrics = message.resource_metrics.add()
    put(metrics.resource.attributes, resource or {})
    found = metrics.scope_metrics.add().metrics.add(name="tokens", description="used", unit="{token}")
    holder = getattr(found, FIELDS[kind])
    holder.SetInParent()
    for name, value in data.items():
        setattr(holder, name, value)
    return message, holder


def add_point(holder: Any, attributes: dict[str, Any] | None = None, **fields: Any) -> Any:
    point = holder.data_points.add(**({"time_unix_nano": AT - 1_000_000_000} | fields))
    put(point.attributes, attributes or {})
    return point


def point(
    kind: str, resource: dict[str, Any] | None = None, attributes: dict[str, Any] | None = None, **fields: Any
) -> ExportMetricsServiceRequest:
    """A request with one point."""
    message, holder = metric(kind, resource)
    add_point(holder, attributes, **fields)
    return message


def decode_points(*requests: ExportMetricsServiceRequest, at: int = AT, **plan: Any) -> dict[str, pa.RecordBatch]:
    """One group with all of the requests, by kind of point."""
    decoder = Decoder(**plan)
    for request in requests:
        decoder.push(request, at=at)
    found = decoder.metrics()
    for batch in found.values():
        batch.validate(full=True)
    return found


def row(*requests: ExportMetricsServiceRequest, **plan: Any) -> dict[str, Any]:
    """The last row of the only table."""
    (batch,) = decode_points(*requests, **plan).values()
    found: dict[str, Any] = batch.to_pylist()[-1]
    return found
