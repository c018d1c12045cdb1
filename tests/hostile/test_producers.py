"""Conversations whose truth is known, told by the OpenTelemetry SDK in the words and with the habits of many frameworks."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sojourn.testing import Collector, at, run
from tests.hostile.producers import Conversation, Turn

CONVERSATIONS = max(120, int(os.environ.get("SOJOURN_EXAMPLES", "0")))


@pytest.mark.parametrize("seed", [1, 20_261_122])
def test_totals_are_what_really_happened(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the framework and its habits, in any order and in any batches, some of them sent twice."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    random = Random(seed)
    conversations = [Conversation(f"conversation {seed}/{number}", random, at("09:00")) for number in range(CONVERSATIONS)]
    spans = [span for conversation in conversations for turn in conversation.turns for span in _spans(turn)]
    sent = spans + random.sample(spans, len(spans) // 5)
    random.shuffle(sent)
    with run(now="12:00") as collector:
        _export(collector, sent, random)
        rows = {row["SessionId"]: row for row in collector.sessions()}
    wrong = [line for each in conversations for line in _differences(each, rows.get(each.session))]
    assert not wrong, f"seed {seed}: {len(wrong)} differences\n" + "\n".join(wrong[:40])
    assert rows.keys() == {each.session for each in conversations}


def _spans(turn: Turn) -> list[ReadableSpan]:
    """The spans of a trace as the SDK makes them."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    started: list[Any] = []
    for told in turn.spans:
        above = None if told.below is None else trace.set_span_in_context(started[told.below])
        tracer = provider.get_tracer(told.scope)
        span = tracer.start_span(told.name, above, attributes=told.attributes, start_time=told.start)
        if told.failed:
            span.set_status(trace.StatusCode.ERROR, "refused")
        started.append(span)
    for told, span in reversed(list(zip(turn.spans, started, strict=True))):
        span.end(told.end)
    return list(memory.get_finished_spans())


def _export(collector: Collector, spans: list[ReadableSpan], random: Random) -> None:
    exporter = OTLPSpanExporter(endpoint=f"http://{collector.endpoints['otlp_http']}/v1/traces")
    while spans:
        size = random.randint(1, 200)
        exporter.export(spans[:size])
        spans = spans[size:]
        if random.random() < 0.2:
            collector.settle()
    exporter.shutdown()


def _differences(each: Conversation, row: dict[str, Any] | None) -> list[str]:
    where = f"{each.session}: {each.name}: {', '.join(each.habits)}"
    if row is None:
        return [f"{where}: there is no such session"]
    return [f"{where}: {column} is {row[column]}, really {value}" for column, value in each.truth.items() if row[column] != value]
