"""OTLP spans → facts: what one span says about itself, before anything is known of its trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.oracle.describing import read_descriptions
from tests.oracle.facts import Fact, Mark
from tests.oracle.figures import EVALUATION, read_scores
from tests.oracle.identity import read_identity, shortened
from tests.oracle.telling import read_call
from tests.oracle.values import attributes_of, plain_text, valid_text

SECOND = 10**9
DAY = 86_400 * SECOND
OWN_SCOPE = "sojourn"


def read_request(request: Any, arrival: int, digest: Callable[[bytes], int], tenant: str = "") -> list[Fact]:
    """Facts of all spans of an ExportTraceServiceRequest that arrived at `arrival` (ns since 1970)."""
    facts = []
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                parts = (resource_spans.resource, scope_spans.scope, span)
                content = b"".join(part.SerializeToString() for part in parts)
                facts.append(_read(span, scope_spans.scope.name, attributes_of(resource_spans.resource), arrival, digest(content), tenant))
    return facts


def _read(span: Any, scope: str, resource: dict[str, Any], arrival: int, digest: int, tenant: str) -> Fact:
    attributes = attributes_of(span)
    start, end, flags = _times(span, arrival)
    fact = Fact(
        tenant=tenant,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id="" if not any(span.parent_span_id) else span.parent_span_id.hex(),
        name=span.name,
        scope=scope,
        service=plain_text(resource.get("service.name")),
        project=plain_text(resource.get("service.namespace")),
        arrival=arrival,
        start=start,
        end=end,
        sent_end=span.end_time_unix_nano,
        digest=digest,
        flags=flags,
        attributes=attributes,
        resource=resource,
    )
    read_identity(fact, attributes, resource)
    read_call(fact, attributes, span.name)
    # 3.7
    fact.error = span.status.code == 2 or "error.type" in attributes or any(event.name == "exception" for event in span.events)
    read_descriptions(fact, attributes, span)
    read_scores(fact, attributes, [attributes_of(event) for event in span.events if event.name == EVALUATION])
    fact.marks = [] if scope == OWN_SCOPE else _marks(fact, attributes, span)
    return fact


def _marks(fact: Fact, attributes: dict[str, Any], span: Any) -> list[Mark]:
    """4: a span attribute `session.end=true` is a mark at the span's end; span events are marks at their time."""
    marks = [Mark("session.end", fact.end)] if _is_true(attributes.get("session.end")) else []
    for event in span.events:
        if event.name in ("session.start", "session.end"):
            marks.append(Mark(event.name, clamped(event.time_unix_nano, fact.arrival), previous_id(attributes_of(event))))
    return marks


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def previous_id(attributes: dict[str, Any]) -> str:
    return shortened(valid_text(attributes.get("session.previous_id")))


def _times(span: Any, arrival: int) -> tuple[int, int, set[str]]:
    """4.5: times outside [arrival - 400 d, arrival + 1 d] are clamped and flagged."""
    flags = set()
    start, end = clamped(span.start_time_unix_nano, arrival), clamped(span.end_time_unix_nano, arrival)
    if (start, end) != (span.start_time_unix_nano, span.end_time_unix_nano):
        flags.add("bad_time")
    if span.end_time_unix_nano < span.start_time_unix_nano:
        flags.add("bad_time")
    return start, max(start, end), flags


def clamped(time: int, arrival: int) -> int:
    """Onto the second of the edge, so that it is the same for all that arrives within one."""
    arrival -= arrival % SECOND
    return min(max(time, arrival - 400 * DAY), arrival + DAY)
