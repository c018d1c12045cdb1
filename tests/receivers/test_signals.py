"""Log records and metric points from the OpenTelemetry SDK into the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from sojourn.testing import Collector, at, run, span
from tests.native.log_records import event, record
from tests.native.points import FIELDS, point

RESOURCE = Resource({"service.name": "cli", "service.namespace": "shop"})


@pytest.fixture
def collector() -> Iterator[Collector]:
    with run(now=time.time_ns()) as running:
        yield running


Exporters = tuple[Callable[[Collector], Any], Callable[[Collector], Any]]
BOTH: dict[str, Exporters] = {
    "grpc": (
        lambda collector: GrpcLogs(endpoint=collector.endpoints["otlp_grpc"], insecure=True),
        lambda collector: GrpcMetrics(endpoint=collector.endpoints["otlp_grpc"], insecure=True),
    ),
    "http": (
        lambda collector: HttpLogs(endpoint=f"http://{collector.endpoints['otlp_http']}/v1/logs"),
        lambda collector: HttpMetrics(endpoint=f"http://{collector.endpoints['otlp_http']}/v1/metrics"),
    ),
}


@pytest.mark.parametrize("protocol", BOTH)
def test_log_records_of_the_sdk_are_stored(collector: Collector, protocol: str) -> None:
    """With all that the SDK says, and what Sojourn makes of it."""
    provider = LoggerProvider(RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(BOTH[protocol][0](collector)))
    now = time.time_ns()
    provider.get_logger("lib", "1.2").emit(
        LogRecord(
            timestamp=now,
            observed_timestamp=now,
            severity_text="WARN",
            severity_number=SeverityNumber.WARN,
            body={"said": ["hello", 1]},
            attributes={"session.id": "s", "n": 5},
            event_name="greeted",
        )
    )
    provider.shutdown()
    (row,) = collector.query("SELECT *, toUnixTimestamp64Nano(Timestamp) AS ns FROM otel_logs FINAL")
    assert (row["ns"], row["Body"], row["Event"], row["SeverityNumber"]) == (now, '{"said":["hello",1]}', "greeted", 13)
    assert (row["SessionId"], row["Project"], row["ServiceName"], len(row["LogTrace"])) == ("s", "shop", "cli", 32)
    assert row["LogAttributes"] == {"session.id": "s", "n": "5"}


@contextmanager
def meters(exporter: Any) -> Iterator[Any]:
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    exponential = View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], resource=RESOURCE, views=[exponential])
    yield provider.get_meter("lib")
    provider.shutdown()


@pytest.mark.parametrize("protocol", BOTH)
def test_metric_points_of_the_sdk_are_stored(collector: Collector, protocol: str) -> None:
    """Every kind that the SDK makes, in the table of its kind."""
    with meters(BOTH[protocol][1](collector)) as meter:
        meter.create_counter("tokens", unit="{token}").add(7, {"session.id": "s", "type": "input"})
        meter.create_gauge("size").set(1.5)
        meter.create_histogram("duration", explicit_bucket_boundaries_advisory=[1.0, 10.0]).record(3, {"session.id": "s"})
        meter.create_histogram("exponential").record(4.0)
    (total,) = collector.query("SELECT * FROM otel_metrics_sum FINAL WHERE MetricName = 'tokens'")
    told = (total["Value"], total["SessionId"], total["Attributes"], total["IsMonotonic"], total["AggregationTemporality"])
    assert told == (7.0, "s", {"session.id": "s", "type": "input"}, True, 2)
    (size,) = collector.query("SELECT * FROM otel_metrics_gauge FINAL")
    assert (size["Value"], size["SessionId"], size["Project"]) == (1.5, "", "shop")
    (spread,) = collector.query("SELECT * FROM otel_metrics_histogram FINAL WHERE MetricName = 'duration'")
    assert (spread["Count"], spread["BucketCounts"], spread["ExplicitBounds"], spread["Min"]) == (1, [0, 1, 0], [1.0, 10.0], 3.0)
    (exponential,) = collector.query("SELECT * FROM otel_metrics_exponential_histogram FINAL")
    assert (exponential["Count"], exponential["Sum"], exponential["PositiveBucketCounts"]) == (1, 4.0, [1])


def test_what_is_sent_again_changes_nothing() -> None:
    """In another request, in another order, much later."""
    logs = [record(attributes={"n": number}, time_unix_nano=at("09:00")) for number in range(3)]
    points = [point(kind, time_unix_nano=at("09:00")) for kind in FIELDS]
    with run(now="09:10") as collector:
        for order in (1, -1):
            for message in logs[::order]:
                collector.send(message.SerializeToString(), signal="logs")
            for message in points[::order]:
                collector.send(message.SerializeToString(), signal="metrics")
            collector.advance("90m")
        assert collector.query("SELECT count() AS n FROM otel_logs FINAL") == [{"n": 3}]
        for kind in FIELDS:
            assert collector.query(f"SELECT count() AS n FROM otel_metrics_{kind} FINAL") == [{"n": 1}]


def test_tokens_of_records_are_settled_as_opentelemetry_means_them() -> None:
    """Claude Code leaves cached tokens out of its input, Gemini CLI thoughts out of its output; Codex counts both in."""
    claude = {
        "session.id": "a",
        "model": "claude-sonnet-4",
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_tokens": 3,
        "cost_usd": 0.25,
    }
    gemini = {"session.id": "a", "model": "gemini-2.5-pro", "input_token_count": 10, "output_token_count": 5, "thoughts_token_count": 2}
    codex = {"session.id": "a", "model": "gpt-5", "input_token_count": "10", "output_token_count": "5", "cached_token_count": 3}
    events = [
        event("claude_code.api_request", claude, time_unix_nano=at("09:00")),
        event("gemini_cli.api_response", gemini, time_unix_nano=at("09:01")),
        event("codex.sse_event", codex | {"event.kind": "response.completed", "reasoning_token_count": 2}, time_unix_nano=at("09:02")),
    ]
    with run(now="09:10") as collector:
        for message in events:
            collector.send(message.SerializeToString(), signal="logs")
        columns = "Kind, Provider, InputTokens, OutputTokens, CacheReadTokens, ReasoningTokens, CostPico, CostSource"
        found = [tuple(row.values()) for row in collector.query(f"SELECT {columns} FROM otel_logs FINAL ORDER BY Timestamp")]
    assert found == [
        ("llm", "anthropic", 13, 5, 3, 0, 250_000_000_000, 1),
        ("llm", "gcp.gemini", 10, 7, 0, 2, 82_500_000, 2),
        ("llm", "openai", 10, 5, 3, 2, 59_125_000, 2),
    ]


def test_signals_of_a_lane_are_stored_together() -> None:
    """Pipelines that share a processor are one lane: spans, records and points of one group are committed at once."""
    with run(now="09:10") as collector:
        (lane,) = collector.service.lanes
        assert set(lane.paths) == {"traces", "logs", "metrics"}
        collector.send(span("turn", session="s", start=at("09:05")))
        collector.send(record(time_unix_nano=at("09:05")).SerializeToString(), signal="logs")
        collector.send(point("sum", time_unix_nano=at("09:05")).SerializeToString(), signal="metrics")
        collector.settle()
        assert (lane.stored, lane.lost) == (3, 0)


def test_a_thousand_days_do_not_harm_a_good_sender(caplog: pytest.LogCaptureFixture) -> None:
    """Records and points with odd clocks are stored in as many inserts as it takes."""
    caplog.set_level(logging.ERROR)
    day = 86_400 * 10**9
    with run(now="12:00") as collector:
        odd = [record(time_unix_nano=at("09:00") - number * day) for number in range(390)]
        points = [point("gauge", time_unix_nano=at("09:00") - number * day) for number in range(390)]
        for message in odd:
            collector.send(message.SerializeToString(), signal="logs")
        for other in points:
            collector.send(other.SerializeToString(), signal="metrics")
        for table, time_ in (("otel_logs", "Timestamp"), ("otel_metrics_gauge", "TimeUnix")):
            assert collector.query(f"SELECT uniqExact(toDate({time_})) AS days FROM {table}") == [{"days": 390}]
    assert not caplog.records
