"""One row that a processor changed or made, put into messages: only what it changed is written anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sojourn.wire.values import attributes, texts, value

Row = Mapping[str, Any]

_KINDS: Final[dict[str, Any]] = {"Unspecified": 0, "Internal": 1, "Server": 2, "Client": 3, "Producer": 4, "Consumer": 5}
_STATUSES: Final[dict[str, Any]] = {"Unset": 0, "Ok": 1, "Error": 2}


class Change:
    """A row as it is, and as it came; a row that a processor made has no `then`."""

    def __init__(self, now: Row, then: Row | None) -> None:
        self.now, self._then = now, then

    def of(self, *columns: str) -> bool:
        """Whether one of these columns says something else than what came."""
        if self._then is None:
            return any(self.now.get(column) for column in columns)
        return any(column in self.now and self.now[column] != self._then[column] for column in columns)

    def then(self, column: str) -> Any:
        return None if self._then is None else self._then[column]

    def text(self, column: str) -> str:
        return str(self.now.get(column) or "")

    def set(self, message: Any, **fields: str) -> None:
        """Fields of a message, by their columns."""
        for field, column in fields.items():
            if self.of(column):
                setattr(message, field, self.now[column])

    def texts(self, message: Any, **fields: str) -> None:
        for field, column in fields.items():
            if self.of(column):
                setattr(message, field, self.text(column))

    def ids(self, message: Any, **fields: str) -> None:
        for field, column in fields.items():
            if self.of(column):
                setattr(message, field, bytes.fromhex(self.text(column)))

    def attributes(self, message: Any, column: str) -> None:
        """The field `attributes` of a message."""
        if self.of(column):
            replace(message.attributes, attributes(texts(self.now[column]), texts(self.then(column)), list(message.attributes)))

    def lists(self, *columns: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Columns of lists, element by element: as they are, and as they came."""
        now = [self.now.get(column) or [] for column in columns]
        then = [self.then(column) or [] for column in columns]
        return list(zip(*now, strict=True)), list(zip(*then, strict=True))


def replace(field: Any, messages: Iterator[Any] | Sequence[Any]) -> None:
    """The content of a repeated field."""
    kept = list(messages)
    copies = [type(message)() for message in kept]
    for copy, message in zip(copies, kept, strict=True):
        copy.CopyFrom(message)
    del field[:]
    field.extend(copies)


def matched(
    sent: Sequence[Any], then: Sequence[tuple[Any, ...]], now: Sequence[tuple[Any, ...]], key: Callable[[Any], Hashable]
) -> list[Any]:
    """For each element `now` the number of the message that it was sent in, None for one that is new."""
    if len(now) == len(then):
        return list(range(min(len(now), len(sent)))) + [None] * max(0, len(now) - len(sent))
    free: dict[Hashable, list[int | None]] = {}
    for number in range(min(len(then), len(sent)) - 1, -1, -1):
        free.setdefault(key(then[number]), []).append(number)
    return [free[key(element)].pop() if free.get(key(element)) else None for element in now]


def resource(message: Resource, change: Change) -> None:
    change.attributes(message, "ResourceAttributes")
    if change.of("ServiceName") and not change.of("ResourceAttributes"):
        kept = [pair for pair in message.attributes if pair.key != "service.name"]
        name = change.text("ServiceName")
        replace(message.attributes, [*kept, *([KeyValue(key="service.name", value=AnyValue(string_value=name))] if name else [])])


def scope(message: InstrumentationScope, change: Change) -> None:
    change.texts(message, name="ScopeName", version="ScopeVersion")
    change.set(message, dropped_attributes_count="ScopeDroppedAttrCount")
    change.attributes(message, "ScopeAttributes")


def span(message: Span, change: Change) -> None:
    change.ids(message, trace_id="TraceId", span_id="SpanId", parent_span_id="ParentSpanId")
    told = any(message.trace_id) and any(message.span_id)
    if not told or len(message.trace_id) != 16 or len(message.span_id) != 8 or len(message.parent_span_id) not in (0, 8):
        raise ValueError("a trace id has 32 hex digits, a span id 16")
    change.texts(message, trace_state="TraceState", name="SpanName")
    if change.of("Timestamp", "Duration"):
        message.start_time_unix_nano = change.now["Timestamp"]
        message.end_time_unix_nano = change.now["Timestamp"] + change.now["Duration"]
    if change.of("SpanKind"):
        message.kind = _KINDS[change.text("SpanKind")]
    if change.of("StatusCode"):
        message.status.code = _STATUSES[change.text("StatusCode")]
    if change.of("StatusMessage"):
        message.status.message = change.text("StatusMessage")
    change.attributes(message, "SpanAttributes")
    if change.of("Events.Timestamp", "Events.Name", "Events.Attributes"):
        _events(message, change)
    if change.of("Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes"):
        _links(message, change)


def _events(message: Span, change: Change) -> None:
    now, then = change.lists("Events.Timestamp", "Events.Name", "Events.Attributes")
    sent, events = list(message.events), []
    for number, (time, name, told) in zip(matched(sent, then, now, lambda event: event[:2]), now, strict=True):
        event, before = Span.Event(), (None, None, None)
        if number is not None:
            event.CopyFrom(sent[number])
            before = then[number]
        if time != before[0]:
            event.time_unix_nano = time
        event.name = name or ""
        replace(event.attributes, attributes(texts(told), texts(before[2]), list(event.attributes)))
        events.append(event)
    replace(message.events, events)


def _links(message: Span, change: Change) -> None:
    now, then = change.lists("Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes")
    sent, links = list(message.links), []
    for number, (trace, id_, state, told) in zip(matched(sent, then, now, lambda link: link[:2]), now, strict=True):
        link, before = Span.Link(), (None, None, None, None)
        if number is not None:
            link.CopyFrom(sent[number])
            before = then[number]
        link.trace_id, link.span_id, link.trace_state = bytes.fromhex(trace), bytes.fromhex(id_), state or ""
        replace(link.attributes, attributes(texts(told), texts(before[3]), list(link.attributes)))
        links.append(link)
    replace(message.links, links)


def record(message: LogRecord, change: Change) -> None:
    change.set(message, time_unix_nano="Timestamp", severity_number="SeverityNumber")
    change.ids(message, trace_id="TraceId", span_id="SpanId")
    change.texts(message, severity_text="SeverityText", event_name="EventName")
    if change.of("TraceFlags"):
        message.flags = message.flags & ~0xFF | change.now["TraceFlags"]
    if change.of("Body"):
        message.body.CopyFrom(value(change.text("Body"), message.body))
    change.attributes(message, "LogAttributes")
