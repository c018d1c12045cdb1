"""Requests of log records and of metric points, made like those of spans: deterministic, many different ones, shaped like real ones.

logs      a service with command-line agents: plain records with a body of about 90 characters, and every third one an event of an agent
          (a call of a model, a result of a tool, a prompt); half of the records have a trace
metrics   counters of tokens and costs with session and user, durations as histograms of 15 buckets with an exemplar now and then, gauges
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

Value = str | int | float | bool
BOUNDS = [0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 10000.0]
LEVELS = [(9, "INFO"), (9, "INFO"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR")]
FILES = ["trips/search.py", "trips/book.py", "chat/turns.py", "hotels/offers.py"]


class Signals:
    """Makes requests of one signal from one source of chance, with the words of the spans' writer."""

    def __init__(
        self, chance: random.Random, begin: int, words: list[str], resource: list[KeyValue], attribute: Callable[[str, Value], KeyValue]
    ):
        self.chance, self.now, self.words, self.resource, self.attribute = chance, begin, words, resource, attribute

    def _sessions(self, number: int) -> None:
        if number % 20 == 0:
            self.trace = self.chance.randbytes(16)
            self.session = f"trip-{self.chance.getrandbits(32):08x}"
            self.user = f"user-{self.chance.randrange(10**6):06d}"

    def logs(self, records: int) -> bytes:
        request = ExportLogsServiceRequest()
        holder = request.resource_logs.add()
        holder.resource.attributes.extend(self.resource)
        scope = holder.scope_logs.add()
        scope.scope.name, scope.scope.version = "com.anthropic.claude_code.events", "2.0.1"
        for number in range(records):
            self._sessions(number)
            self.now += self.chance.randrange(1_000_000, 90_000_000)
            record = scope.log_records.add(time_unix_nano=self.now, observed_time_unix_nano=self.now + 1_000)
            if number % 3 == 0:
                self._event(record)
            else:
                self._line(record)
            if number % 2:
                record.trace_id, record.span_id, record.flags = self.trace, self.chance.randbytes(8), 1
        return request.SerializeToString(deterministic=True)

    def _line(self, record: LogRecord) -> None:
        record.severity_number, record.severity_text = self.chance.choice(LEVELS)
        record.body.string_value = " ".join(self.chance.choices(self.words, k=14))
        self._put(record, self._of_line())

    def _of_line(self) -> Iterator[tuple[str, Value]]:
        yield "session.id", self.session
        yield "code.file.path", self.chance.choice(FILES)
        yield "code.line.number", self.chance.randrange(1, 900)
        yield "thread.name", f"worker-{self.chance.randrange(8)}"
        yield "http.route", "/v1/trips/{id}"
        yield "user.id", self.user

    def _event(self, record: LogRecord) -> None:
        name = self.chance.choice(["api_request", "api_request", "tool_result", "user_prompt"])
        record.body.string_value = f"claude_code.{name}"
        self._put(record, self._of_event(name))

    def _of_event(self, name: str) -> Iterator[tuple[str, Value]]:
        yield "user.id", self.user
        yield "session.id", self.session
        yield "app.version", "2.0.1"
        yield "terminal.type", "xterm-256color"
        yield "event.name", name
        yield "event.sequence", self.chance.randrange(500)
        yield "prompt.id", f"{self.chance.getrandbits(64):016x}"
        if name == "api_request":
            yield "model", "claude-sonnet-4-20250514"
            for key in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "duration_ms"):
                yield key, str(self.chance.randrange(9000))
            yield "cost_usd", str(self.chance.randrange(10**5) / 10**6)
        elif name == "tool_result":
            yield "tool_name", self.chance.choice(["Bash", "Edit", "Read", "Grep"])
            yield "success", self.chance.choice(["true", "true", "false"])
            yield "duration_ms", str(self.chance.randrange(9000))
        else:
            yield "prompt_length", str(self.chance.randrange(400))

    def metrics(self, points: int) -> bytes:
        request = ExportMetricsServiceRequest()
        holder = request.resource_metrics.add()
        holder.resource.attributes.extend(self.resource)
        scope = holder.scope_metrics.add()
        scope.scope.name = "com.anthropic.claude_code"
        tokens = scope.metrics.add(name="claude_code.token.usage", unit="tokens", description="Number of tokens used")
        cost = scope.metrics.add(name="claude_code.cost.usage", unit="USD", description="Cost of the Claude Code session")
        duration = scope.metrics.add(name="http.server.request.duration", unit="ms", description="Duration of HTTP server requests")
        size = scope.metrics.add(name="process.memory.usage", unit="By", description="The amount of physical memory in use")
        tokens.sum.aggregation_temporality, cost.sum.aggregation_temporality, duration.histogram.aggregation_temporality = 1, 1, 2
        tokens.sum.is_monotonic = cost.sum.is_monotonic = True
        for number in range(points):
            self._sessions(number)
            self.now += self.chance.randrange(1_000_000, 90_000_000)
            self._point([tokens, tokens, cost, duration, size][number % 5])
        return request.SerializeToString(deterministic=True)

    def _point(self, metric: Metric) -> None:
        times = {"time_unix_nano": self.now, "start_time_unix_nano": self.now - 60_000_000_000}
        pairs: list[tuple[str, Value]] = [("host.cpu", self.chance.randrange(8)), ("process.pid", self.chance.randrange(30_000))]
        if metric.WhichOneof("data") == "sum":
            point = metric.sum.data_points.add(**times, as_double=self.chance.randrange(9000) / 8)
            pairs = [("session.id", self.session), ("user.id", self.user), ("model", "claude-sonnet-4-20250514")]
            pairs += [("type", self.chance.choice(["input", "output", "cacheRead"])), ("terminal.type", "xterm-256color")]
        elif metric.WhichOneof("data") == "histogram":
            counts = [self.chance.randrange(50) for _ in range(len(BOUNDS) + 1)]
            point = metric.histogram.data_points.add(**times, count=sum(counts), sum=sum(counts) * 31.5, min=0.25, max=4000.5)
            point.bucket_counts.extend(counts)
            point.explicit_bounds.extend(BOUNDS)
            pairs = [("http.route", "/v1/trips/{id}"), ("http.request.method", "GET"), ("http.response.status_code", 200)]
            if self.chance.random() < 0.2:
                point.exemplars.add(time_unix_nano=self.now, as_double=31.5, trace_id=self.trace, span_id=self.chance.randbytes(8))
        else:
            point = metric.gauge.data_points.add(**times, as_int=self.chance.randrange(2**31))
        self._put(point, pairs)

    def _put(self, holder: object, pairs: Iterator[tuple[str, Value]] | list[tuple[str, Value]]) -> None:
        holder.attributes.extend(self.attribute(*pair) for pair in pairs)  # type: ignore[attr-defined]
