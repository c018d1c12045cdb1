"""Words for log records and metric points, beside `sojourn.testing.span` for spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sojourn.testing import Span, Value, at, pairs, request


@dataclass(frozen=True)
class Log:
    """A log record as a story says it; `log()` makes one."""

    event: str
    time: int
    attributes: Mapping[str, Value]
    names: Span | None = None
    """The span in whose context it was written."""
    service: str = "shop"
    scope: str = "test"
    severity: int = 0
    body: str = ""
    resource: Mapping[str, Value] = field(default_factory=dict)
    trace: str = ""
    """32 hex digits, where it names a trace but no span."""


def log(event: str, time: str, session: str | None = None, *, severity: int = 0, **more: Any) -> Log:
    """A record: `log("gen_ai.choice", "09:05", session="s1", names=chat, attributes={...})`."""
    own = {} if session is None else {"session.id": session}
    attributes = own | dict(more.pop("attributes", {}))
    return Log(event, at(time), attributes, severity=severity, **more)


@dataclass(frozen=True)
class Point:
    """One point of a counter."""

    metric: str
    time: int
    value: float
    attributes: Mapping[str, Value]
    service: str = "shop"
    scope: str = "test"
    resource: Mapping[str, Value] = field(default_factory=dict)


Told = Span | Log | Point


def requests(told: Iterable[Told]) -> list[tuple[str, bytes]]:
    """(signal, request) of each, one per request, in this order."""
    return [_request(each) for each in told]


def _request(each: Told) -> tuple[str, bytes]:
    if isinstance(each, Span):
        return "traces", request(each).SerializeToString()
    return ("logs", _of_log(each)) if isinstance(each, Log) else ("metrics", _of_point(each))


def _of_log(told: Log) -> bytes:
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.extend(pairs({"service.name": told.service, **told.resource}))
    scope = resource.scope_logs.add()
    scope.scope.name = told.scope
    record = scope.log_records.add(time_unix_nano=told.time, observed_time_unix_nano=told.time, severity_number=told.severity)
    record.attributes.extend(pairs({"event.name": told.event, **told.attributes} if told.event else told.attributes))
    if told.body:
        record.body.string_value = told.body
    if told.names:
        record.trace_id, record.span_id = bytes.fromhex(told.names.trace_id), bytes.fromhex(told.names.span_id)
    elif told.trace:
        record.trace_id = bytes.fromhex(told.trace)
    return bytes(message.SerializeToString())


def _of_point(told: Point) -> bytes:
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    resource.resource.attributes.extend(pairs({"service.name": told.service, **told.resource}))
    scope = resource.scope_metrics.add()
    scope.scope.name = told.scope
    metric = scope.metrics.add(name=told.metric)
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = 1, True
    point = metric.sum.data_points.add(time_unix_nano=told.time, as_double=told.value)
    point.attributes.extend(pairs(told.attributes))
    return bytes(message.SerializeToString())
