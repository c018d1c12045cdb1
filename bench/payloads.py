#!/usr/bin/env python3
"""Writes the requests that the load sender replays: deterministic, many different ones, shaped like the traces of agents.

usage: payloads.py DIRECTORY

Per workload one file NAME.otlp: Export…ServiceRequests, each behind the five bytes that gRPC puts before a message. Traces have
20 spans: an agent run whose turns call models, tools and retrieval. All spans name their session.

w1   512 spans a request, 510 bytes a span: 12 span and 6 resource attributes, an event on every 10th span, an error on every 50th
w2   1 span a request, the same shape: what it costs to answer a request
w3   64 spans a request with a prompt of 4 KB of words each: large values
logs, metrics   500 records or points a request: see signals.py
"""

from __future__ import annotations

import argparse
import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status
from signals import Signals

SEED = 4317
BEGIN = 1_780_000_000_000_000_000
SPANS_A_TRACE = 20
WORKLOADS = {  # name: (requests, spans a request, characters of the prompt)
    "w1": (48, 512, 0),
    "w2": (4096, 1, 0),
    "w3": (48, 64, 4096),
    "logs": (48, 500, 0),
    "metrics": (48, 500, 0),
}
RESOURCE = {
    "service.name": "trip-planner",
    "service.namespace": "travel",
    "service.version": "3.8.1",
    "deployment.environment.name": "production",
    "host.name": "node-17.fra.internal",
    "telemetry.sdk.language": "python",
}
MODELS = [
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4.1", "gpt-4.1-2025-04-14"),
    ("anthropic", "claude-sonnet-4", "claude-sonnet-4-20250514"),
    ("google", "gemini-2.5-flash", "gemini-2.5-flash"),
]
STEPS = [  # operation, span names, kind
    ("chat", ["chat gpt-4o-mini"], Span.SPAN_KIND_CLIENT),
    ("execute_tool", ["execute_tool trains", "execute_tool hotel"], Span.SPAN_KIND_INTERNAL),
    ("embeddings", ["embeddings"], Span.SPAN_KIND_CLIENT),
    ("retrieval", ["retrieve guides", "SELECT trains"], Span.SPAN_KIND_CLIENT),
]
ROUTES = ["/v1/trips/{id}", "/v1/chat", "/v1/search", "/v1/hotels"]
WORDS = """
agent answer arrival budget cabin cancel change city cost day depart detour early evening fare ferry find flight from guide
harbour hotel  hour island journey late leave luggage map may meal minute morning museum near night north offer on open over
park pass plan platform price  rail reserve return river road room route seat see ship south stay stop street summer ticket time
to tour track train travel trip two under  until via view visit walk weather week west window winter with
""".split()  # noqa: SIM905 (a list literal would fill a page)


def attribute(key: str, value: str | int | float | bool) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


class Writer:
    """Makes one request after another from one seeded source of chance."""

    def __init__(self, name: str) -> None:
        self.chance = random.Random(f"{SEED} {name}")
        self.now = BEGIN

    def request(self, spans: int, prompt: int) -> bytes:
        request = ExportTraceServiceRequest()
        resource_spans = request.resource_spans.add()
        resource_spans.resource.attributes.extend(attribute(*pair) for pair in RESOURCE.items())
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "opentelemetry.instrumentation.agents"
        scope_spans.scope.version = "0.52.0"
        for number in range(spans):
            if number % SPANS_A_TRACE == 0:
                self._begin_trace()
            self._span(scope_spans, number, prompt)
        return request.SerializeToString(deterministic=True)

    def _begin_trace(self) -> None:
        self.trace = self.chance.randbytes(16)
        self.open: list[bytes] = []  # the run and its turns: what a new span may stand below
        self.session = f"trip-{self.chance.getrandbits(32):08x}"
        self.conversation = f"conv-{self.chance.getrandbits(32):08x}"
        self.user = f"user-{self.chance.randrange(10**6):06d}"

    def _span(self, scope_spans: ScopeSpans, number: int, prompt: int) -> None:
        operation, names, kind = self.chance.choice(STEPS)
        if not self.open:
            operation, names, kind = "invoke_agent", ["invoke_agent trip_planner"], Span.SPAN_KIND_SERVER
        span = scope_spans.spans.add(trace_id=self.trace, span_id=self.chance.randbytes(8), name=self.chance.choice(names), kind=kind)
        if self.open:
            span.parent_span_id = self.chance.choice(self.open)
        self.open.append(span.span_id)
        self.now += self.chance.randrange(1_000_000, 90_000_000)
        span.start_time_unix_nano = self.now
        span.end_time_unix_nano = self.now + self.chance.randrange(200_000, 9_000_000_000)
        span.flags = 0x101
        span.attributes.extend(attribute(*pair) for pair in self._attributes(operation, prompt))
        if number % 10 == 9:
            self._event(span, failed=number % 50 == 49)

    def _attributes(self, operation: str, prompt: int) -> Iterator[tuple[str, str | int | float | bool]]:
        system, asked, answered = self.chance.choice(MODELS)
        yield "session.id", self.session
        yield "gen_ai.system", system
        yield "gen_ai.operation.name", operation
        yield "gen_ai.request.model", asked
        yield "gen_ai.usage.input_tokens", self.chance.randrange(20, 8000)
        yield "gen_ai.usage.output_tokens", self.chance.randrange(1, 2000)
        if prompt:
            yield "gen_ai.prompt.0.content", self._text(prompt)
            return
        yield "user.id", self.user
        yield "gen_ai.conversation.id", self.conversation
        yield "gen_ai.response.model", answered
        yield "gen_ai.request.temperature", round(self.chance.random(), 2)
        yield "http.route", self.chance.choice(ROUTES)
        yield "llm.is_streaming", self.chance.random() < 0.5

    def _text(self, characters: int) -> str:
        return " ".join(self.chance.choices(WORDS, k=characters // 3))[:characters]

    def _event(self, span: Span, failed: bool) -> None:
        if failed:
            span.status.code = Status.STATUS_CODE_ERROR
            span.status.message = "the booking service timed out"
            pairs: list[tuple[str, str | int]] = [("exception.type", "TimeoutError"), ("exception.message", "no answer in 9 s")]
        else:
            pairs = [("gen_ai.choice.finish_reason", "stop"), ("index", 0)]
        name = "exception" if failed else "gen_ai.choice"
        span.events.add(time_unix_nano=self.now + 1000, name=name, attributes=[attribute(*pair) for pair in pairs])


def _maker(name: str, items: int, prompt: int) -> Callable[[], bytes]:
    """What makes one request of a workload after another."""
    writer = Writer(name)
    if name.startswith("w"):
        return lambda: writer.request(items, prompt)
    resource = [attribute(*pair) for pair in RESOURCE.items()]
    signals = Signals(writer.chance, BEGIN, WORDS, resource, attribute)
    return lambda: getattr(signals, name)(items)  # type: ignore[no-any-return]


def write(directory: Path) -> dict[str, dict[str, float]]:
    """All workloads into `directory`; gives back their sizes."""
    directory.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for name, (requests, spans, prompt) in WORKLOADS.items():
        make, total = _maker(name, spans, prompt), 0
        with (directory / f"{name}.otlp").open("wb") as file:
            for _ in range(requests):
                body = make()
                total += len(body)
                file.write(b"\0" + struct.pack(">I", len(body)) + body)
        sizes[name] = {"requests": requests, "spans_per_request": spans, "bytes_per_span": round(total / requests / spans, 1)}
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    print(json.dumps(write(parser.parse_args().directory), indent=1))


if __name__ == "__main__":
    main()
