"""Rows that processors changed, written as requests: each under its resource and scope, next to those that share them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from sojourn.errors import Rejected
from sojourn.wire import changing, points
from sojourn.wire.changing import Change, Row


@dataclass(frozen=True, slots=True)
class Outline:
    """The messages of a signal from the outside, and in which fields each holds the next."""

    request: type[Any]
    resource: type[Any]
    scope: type[Any]
    item: type[Any]
    resources: str
    scopes: str
    items: str


OUTLINES: Final = {
    "traces": Outline(ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span, "resource_spans", "scope_spans", "spans"),
    "logs": Outline(ExportLogsServiceRequest, ResourceLogs, ScopeLogs, LogRecord, "resource_logs", "scope_logs", "log_records"),
    "metrics": Outline(ExportMetricsServiceRequest, ResourceMetrics, ScopeMetrics, Metric, "resource_metrics", "scope_metrics", "metrics"),
}
Changed = tuple[str, int, Row, Row | None]
"""A row: its table, its number for whoever wrote it, what it says, and what came."""


class Writing:
    """One request in the making."""

    def __init__(self, signal: str) -> None:
        self._outline = OUTLINES[signal]
        self._request = self._outline.request()
        self._known: dict[tuple[bytes, ...], tuple[Any, int]] = {}
        self._rows: dict[tuple[int, ...], list[int]] = {}
        """The numbers of the rows by the place of the messages around them."""

    def body(self) -> bytes:
        return bytes(self._request.SerializeToString())

    def order(self) -> list[int]:
        """The numbers of the rows as they lie in the request."""
        return [number for _, numbers in sorted(self._rows.items()) for number in numbers]

    def add(self, row: Changed, resource: Any = None, scope: Any = None, item: Any = None, point: Any = None) -> None:
        """A row, with the messages that it came in, if it came in any. Raises Rejected for what has no place in a request."""
        table, number, now, then = row
        change = Change(now, then)
        try:
            resource, scope = self._resource(resource, change), self._scope(scope, change)
            if table in points.KINDS:
                self._point(points.KINDS[table], change, number, resource, scope, item, point)
            else:
                self._item(table, change, number, resource, scope, item)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Rejected(f"{table}: a row that a processor changed cannot be sent on: {error}: look at the processor") from error

    def _resource(self, message: Any, change: Change) -> Any:
        own = _copy(message) if message is not None else self._outline.resource()
        changing.resource(own.resource, change)
        change.texts(own, schema_url="ResourceSchemaUrl")
        return own

    def _scope(self, message: Any, change: Change) -> Any:
        own = _copy(message) if message is not None else self._outline.scope()
        changing.scope(own.scope, change)
        change.texts(own, schema_url="ScopeSchemaUrl")
        return own

    def _item(self, table: str, change: Change, number: int, resource: Any, scope: Any, item: Any) -> None:
        item = _copy(item) if item is not None else self._outline.item()
        put = changing.span if table == "otel_traces" else changing.record
        put(item, change)
        place, numbers = self._place(resource, scope)
        getattr(place, self._outline.items).append(item)
        numbers.append(number)

    def _point(self, kind: str, change: Change, number: int, resource: Any, scope: Any, metric: Any, point: Any) -> None:
        metric = _copy(metric) if metric is not None else Metric()
        points.metric(metric, kind, change)
        place, numbers = self._place(resource, scope, metric)
        own = getattr(place, kind).data_points.add()
        if point is not None:
            own.CopyFrom(point)
        points.point(own, kind, change)
        numbers.append(number)

    def _place(self, *around: Any) -> tuple[Any, list[int]]:
        """The message that holds what has these around it."""
        fields = (self._outline.resources, self._outline.scopes, self._outline.items)
        place: Any = self._request
        key: tuple[bytes, ...] = ()
        where: tuple[int, ...] = ()
        for message, field in zip(around, fields, strict=False):
            key = (*key, message.SerializeToString(deterministic=True))
            if key not in self._known:
                siblings = getattr(place, field)
                self._known[key] = siblings.add(), len(siblings) - 1
                self._known[key][0].CopyFrom(message)
            place, number = self._known[key]
            where = (*where, number)
        return place, self._rows.setdefault(where, [])


def rewritten(signal: str, body: bytes, rows: Iterable[Changed]) -> Writing:
    """A request whose items are these rows, in this order within each table, with what was changed of them."""
    writing, outline = Writing(signal), OUTLINES[signal]
    left: dict[str, Iterator[Changed]] = {}
    told = list(rows)
    for table in {row[0] for row in told}:
        left[table] = iter([row for row in told if row[0] == table])
    try:
        request = outline.request.FromString(body)
    except DecodeError:  # texts that are no UTF-8, which decoding repairs
        return anew(signal, told)
    for resource in getattr(request, outline.resources):
        around = _without(resource, outline.scopes)
        for scope in getattr(resource, outline.scopes):
            inner = _without(scope, outline.items)
            for item in getattr(scope, outline.items):
                _each(writing, left, signal, around, inner, item)
    return writing


def anew(signal: str, rows: Iterable[Changed]) -> Writing:
    """A request of rows that came in none; all their attributes are strings."""
    writing = Writing(signal)
    for table, number, now, _ in rows:
        writing.add((table, number, now, None))
    return writing


def _each(writing: Writing, left: dict[str, Iterator[Changed]], signal: str, resource: Any, scope: Any, item: Any) -> None:
    if signal != "metrics":
        writing.add(next(left["otel_traces" if signal == "traces" else "otel_logs"]), resource, scope, item)
        return
    kind = item.WhichOneof("data")
    sent = getattr(item, kind).data_points if kind else ()
    if sent:
        bare = _copy(item)
        del getattr(bare, kind).data_points[:]
        rows = left[points.TABLES[kind]]
        for point in sent:
            writing.add(next(rows), resource, scope, bare, point)


def _copy(message: Message) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _without(message: Message, field: str) -> Any:
    copy = _copy(message)
    copy.ClearField(field)
    return copy
