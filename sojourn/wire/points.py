"""One metric point that a processor changed or made, put into messages."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric, SummaryDataPoint

from sojourn.wire.changing import Change, matched, replace
from sojourn.wire.values import attributes, texts

KINDS: Final = {
    "otel_metrics_gauge": "gauge",
    "otel_metrics_sum": "sum",
    "otel_metrics_histogram": "histogram",
    "otel_metrics_exponential_histogram": "exponential_histogram",
    "otel_metrics_summary": "summary",
}
"""The field of a metric in which the points of a table are."""
TABLES: Final = {kind: table for table, kind in KINDS.items()}


def metric(message: Metric, kind: str, change: Change) -> None:
    """What the points of a metric share."""
    change.texts(message, name="MetricName", description="MetricDescription", unit="MetricUnit")
    data = getattr(message, kind)
    data.SetInParent()
    if kind not in ("gauge", "summary"):
        change.set(data, aggregation_temporality="AggregationTemporality")
    if kind == "sum":
        change.set(data, is_monotonic="IsMonotonic")


def point(message: Any, kind: str, change: Change) -> None:
    change.attributes(message, "Attributes")
    change.set(message, start_time_unix_nano="StartTimeUnix", time_unix_nano="TimeUnix", flags="Flags")
    if kind in ("gauge", "sum"):
        _number(message, change)
    else:
        change.set(message, count="Count", sum="Sum")
    if kind == "histogram":
        _lists(message, change, bucket_counts="BucketCounts", explicit_bounds="ExplicitBounds")
    if kind == "exponential_histogram":
        _exponential(message, change)
    if kind in ("histogram", "exponential_histogram"):
        change.set(message, min="Min", max="Max")
    if kind == "summary":
        _quantiles(message, change)
    else:
        _exemplars(message, change)


def _number(message: Any, change: Change) -> None:
    if change.of("Value"):
        _set_number(message, change.now["Value"])


def _set_number(message: Any, number: float) -> None:
    """An integer stays one, if it can."""
    if message.WhichOneof("value") == "as_int" and number.is_integer() and abs(number) <= 1 << 53:
        message.as_int = int(number)
    else:
        message.as_double = number


def _lists(message: Any, change: Change, **fields: str) -> None:
    for field, column in fields.items():
        if change.of(column):
            numbers = getattr(message, field)
            del numbers[:]
            numbers.extend(change.now[column] or [])


def _exponential(message: Any, change: Change) -> None:
    change.set(message, scale="Scale", zero_count="ZeroCount")
    for side, name in ((message.positive, "Positive"), (message.negative, "Negative")):
        change.set(side, offset=f"{name}Offset")
        _lists(side, change, bucket_counts=f"{name}BucketCounts")


def _quantiles(message: SummaryDataPoint, change: Change) -> None:
    columns = ("ValueAtQuantiles.Quantile", "ValueAtQuantiles.Value")
    if change.of(*columns):
        now, _ = change.lists(*columns)
        del message.quantile_values[:]
        for quantile, number in now:
            message.quantile_values.add(quantile=quantile, value=number)


def _exemplars(message: Any, change: Change) -> None:
    parts = ("TimeUnix", "TraceId", "SpanId", "Value", "FilteredAttributes")
    columns = tuple(f"Exemplars.{part}" for part in parts)
    if not change.of(*columns):
        return
    now, then = change.lists(*columns)
    sent, exemplars = list(message.exemplars), []
    for number, element in zip(matched(sent, then, now, lambda told: told[:3]), now, strict=True):
        exemplars.append(_exemplar(None if number is None else sent[number], None if number is None else then[number], element))
    replace(message.exemplars, exemplars)


def _exemplar(sent: Exemplar | None, before: tuple[Any, ...] | None, now: tuple[Any, ...]) -> Exemplar:
    exemplar = Exemplar()
    if sent is not None:
        exemplar.CopyFrom(sent)
    then = before or (None,) * len(now)
    time, trace, span, number, told = now
    if time != then[0]:
        exemplar.time_unix_nano = time
    if (trace, span) != then[1:3]:
        exemplar.trace_id, exemplar.span_id = bytes.fromhex(trace), bytes.fromhex(span)
    if number != then[3]:
        _set_number(exemplar, number)
    replace(exemplar.filtered_attributes, attributes(texts(told), texts(then[4]), list(exemplar.filtered_attributes)))
    return exemplar
