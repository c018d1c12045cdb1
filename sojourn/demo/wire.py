"""Packets as OTLP bytes."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from sojourn.demo.story import Packet, Span, Value

_KINDS = {
    "internal": WireSpan.SPAN_KIND_INTERNAL,
    "server": WireSpan.SPAN_KIND_SERVER,
    "client": WireSpan.SPAN_KIND_CLIENT,
    "consumer": WireSpan.SPAN_KIND_CONSUMER,
}


def request(packet: Packet, beginning: int) -> bytes:
    """A serialised ExportTraceServiceRequest of a story that began at `beginning`, in nanoseconds since 1970."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.extend(_attributes(packet.service.attributes()))
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "sojourn.demo", "1"
    scope.spans.extend(_span(span, beginning) for span in packet.spans)
    return bytes(message.SerializeToString(deterministic=True))


def _span(span: Span, beginning: int) -> WireSpan:
    failed = Status(code=Status.STATUS_CODE_ERROR, message=span.error) if span.error else Status()
    return WireSpan(
        trace_id=span.trace,
        span_id=span.span,
        parent_span_id=span.parent,
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=beginning + round(span.start * 1e9),
        end_time_unix_nano=beginning + round(span.end * 1e9),
        attributes=_attributes(span.attributes),
        status=failed,
    )


def _attributes(values: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=text) for text in value]))
