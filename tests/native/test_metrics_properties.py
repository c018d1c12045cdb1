"""Laws of decoding metric points, against the reference decoder of opentelemetry-proto, and with any bytes at all."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.native.decoding import Decoder, put
from tests.native.points import FIELDS, point
from tests.native.test_decode_properties import IDS, PAIRS, TEXT, as_json, mapped
from tests.native.wire import AT, JSON

DOUBLE = st.floats()
COUNT = st.integers(0, 2**64 - 1)
SMALL = st.integers(-(2**31), 2**31 - 1)
TIME = st.integers(0, 10**12).map(lambda ago: AT - ago)


def lists(items: Any) -> Any:
    return st.lists(items, max_size=3)


OWN: dict[str, dict[str, Any]] = {
    "gauge": {},
    "sum": {},
    "histogram": {
        "count": COUNT,
        "sum": DOUBLE,
        "bucket_counts": lists(COUNT),
        "explicit_bounds": lists(DOUBLE),
        "min": DOUBLE,
        "max": DOUBLE,
    },
    "exponential_histogram": {"count": COUNT, "sum": DOUBLE, "scale": SMALL, "zero_count": COUNT, "min": DOUBLE, "max": DOUBLE},
    "summary": {"count": COUNT, "sum": DOUBLE},
}


@st.composite
def metric_requests(draw: Any) -> ExportMetricsServiceRequest:
    message = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        holder = message.resource_metrics.add(schema_url=draw(TEXT))
        _put(holder.resource.attributes, draw(PAIRS))
        for _ in range(draw(st.integers(0, 2))):
            scope = holder.scope_metrics.add(schema_url=draw(TEXT))
            scope.scope.name, scope.scope.dropped_attributes_count = draw(TEXT), draw(st.integers(0, 2**32 - 1))
            _put(scope.scope.attributes, draw(PAIRS))
            for _ in range(draw(st.integers(0, 2))):
                _metric(draw, scope)
    return message


def _metric(draw: Any, scope: Any) -> None:
    kind = draw(st.sampled_from(list(FIELDS)))
    holder = getattr(scope.metrics.add(name=draw(TEXT), description=draw(TEXT), unit=draw(TEXT)), FIELDS[kind])
    if kind not in ("gauge", "summary"):
        holder.aggregation_temporality = draw(st.integers(0, 2))
    if kind == "sum":
        holder.is_monotonic = draw(st.booleans())
    for _ in range(draw(st.integers(0, 2))):
        _point(draw, kind, holder)


def _point(draw: Any, kind: str, holder: Any) -> None:
    common = {"time_unix_nano": draw(TIME), "start_time_unix_nano": draw(TIME), "flags": draw(st.integers(0, 2**32 - 1))}
    own = {name: draw(values) for name, values in OWN[kind].items() if draw(st.booleans())}
    found = holder.data_points.add(**common, **own)
    _put(found.attributes, draw(PAIRS))
    if not OWN[kind]:
        _number(draw, found)
    if kind == "exponential_histogram":
        for buckets in (found.positive, found.negative):
            buckets.offset = draw(SMALL)
            buckets.bucket_counts.extend(draw(lists(COUNT)))
    if kind == "summary":
        for _ in range(draw(st.integers(0, 2))):
            found.quantile_values.add(quantile=draw(DOUBLE), value=draw(DOUBLE))
    else:
        for _ in range(draw(st.integers(0, 2))):
            exemplar = found.exemplars.add(time_unix_nano=draw(TIME), span_id=draw(st.just(b"") | IDS))
            _number(draw, exemplar)
            _put(exemplar.filtered_attributes, draw(PAIRS))


def _number(draw: Any, found: Any) -> None:
    match draw(st.sampled_from(["none", "whole", "double"])):
        case "whole":
            found.as_int = draw(st.integers(-(2**63), 2**63 - 1))
        case "double":
            found.as_double = draw(DOUBLE)


def _put(attributes: Any, pairs: list[tuple[str, Any]]) -> None:
    for key, value in pairs:
        put(attributes, {key: value})


def value_of(found: Any) -> float:
    return float(found.as_int) if found.WhichOneof("value") == "as_int" else found.as_double


def rows(message: ExportMetricsServiceRequest) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for holder in message.resource_metrics:
        for scope in holder.scope_metrics:
            for metric in scope.metrics:
                kind = next((kind for kind, field in FIELDS.items() if metric.WhichOneof("data") == field), "")
                for each in getattr(metric, FIELDS[kind]).data_points if kind else ():
                    shared = {
                        "ResourceAttributes": mapped(holder.resource.attributes),
                        "ResourceSchemaUrl": holder.schema_url,
                        "ScopeName": scope.scope.name,
                        "ScopeAttributes": mapped(scope.scope.attributes),
                        "ScopeDroppedAttrCount": scope.scope.dropped_attributes_count,
                        "ScopeSchemaUrl": scope.schema_url,
                        "MetricName": metric.name,
                        "MetricDescription": metric.description,
                        "MetricUnit": metric.unit,
                        "Attributes": mapped(each.attributes),
                        "Flags": each.flags,
                        "StartTimeUnix": each.start_time_unix_nano,
                        "TimeUnix": each.time_unix_nano,
                    }
                    found.setdefault(kind, []).append(shared | own(kind, metric, each))
    return found


def own(kind: str, metric: Any, point: Any) -> dict[str, Any]:
    holder = getattr(metric, FIELDS[kind])
    columns: dict[str, Any] = {}
    if kind not in ("gauge", "summary"):
        columns["AggregationTemporality"] = holder.aggregation_temporality
    if kind != "summary":
        columns |= {
            "Exemplars.FilteredAttributes": [mapped(exemplar.filtered_attributes) for exemplar in point.exemplars],
            "Exemplars.TimeUnix": [exemplar.time_unix_nano for exemplar in point.exemplars],
            "Exemplars.Value": [value_of(exemplar) for exemplar in point.exemplars],
            "Exemplars.SpanId": [exemplar.span_id.hex() for exemplar in point.exemplars],
        }
    if not OWN[kind]:
        return columns | {"Value": value_of(point)} | ({"IsMonotonic": holder.is_monotonic} if kind == "sum" else {})
    columns |= {"Count": point.count, "Sum": point.sum}
    if kind == "summary":
        quantiles = {"Quantile": "quantile", "Value": "value"}
        return columns | {
            f"ValueAtQuantiles.{name}": [getattr(each, field) for each in point.quantile_values] for name, field in quantiles.items()
        }
    columns |= {"Min": point.min, "Max": point.max}
    if kind == "histogram":
        return columns | {"BucketCounts": list(point.bucket_counts), "ExplicitBounds": list(point.explicit_bounds)}
    signs = {"Positive": point.positive, "Negative": point.negative}
    return columns | {
        "Scale": point.scale,
        "ZeroCount": point.zero_count,
        **{f"{sign}Offset": buckets.offset for sign, buckets in signs.items()},
        **{f"{sign}BucketCounts": list(buckets.bucket_counts) for sign, buckets in signs.items()},
    }


def plain(value: Any) -> Any:
    """Times as numbers, and no number that differs from itself."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return getattr(value, "value", value)


@given(st.lists(metric_requests(), min_size=1, max_size=2))
@settings(max_examples=100, deadline=None)
def test_decoding_is_what_the_reference_decoder_reads(messages: list[ExportMetricsServiceRequest]) -> None:
    """Every column of the contrib exporter, of every kind, for any valid messages in one group."""
    expected: dict[str, list[dict[str, Any]]] = {}
    decoder = Decoder()
    for message in messages:
        decoder.push(message)
        for kind, points in rows(message).items():
            expected.setdefault(kind, []).extend(points)
    found = decoder.metrics()
    assert {kind: plain(batch.select(list(expected[kind][0])).to_pylist()) for kind, batch in found.items()} == plain(expected)


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    """Never a crash, as protobuf or as JSON."""
    for content_type in ("application/x-protobuf", JSON):
        try:
            Decoder().push(body, content_type, signal="metrics")
        except ValueError:
            continue


@given(metric_requests(), st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_requests_are_taken_or_leave_no_trace(message: ExportMetricsServiceRequest, data: st.DataObject) -> None:
    """A byte changed, or the end cut off: either it is still a request, or the group is as before."""
    body = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    decoder, alone = Decoder(), Decoder()
    for each in (decoder, alone):
        for kind in FIELDS:
            each.push(point(kind, {"service.name": "x"}, {"session.id": "x"}))
    try:
        decoder.push(bytes(body), signal="metrics")
    except ValueError:
        assert decoder.metrics() == alone.metrics()
    else:
        for batch in decoder.metrics().values():
            batch.validate(full=True)


@given(metric_requests())
@settings(max_examples=60, deadline=None)
def test_json_is_read_as_protobuf_is(message: ExportMetricsServiceRequest) -> None:
    """OTLP/JSON of a message gives the columns of the message, its digests included."""
    decoder, other = Decoder(), Decoder()
    decoder.push(as_json(message), JSON, signal="metrics")
    other.push(message)
    found, expected = decoder.metrics(), other.metrics()
    told, said = ([(kind, plain(each[kind].to_pylist())) for kind in sorted(each)] for each in (found, expected))
    assert repr(told) == repr(said)  # NaN is no number, but one word


@given(metric_requests(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_digests_do_not_depend_on_the_request(message: ExportMetricsServiceRequest, chance: Any) -> None:
    """Every metric alone, in any order, has the digests that it has among the others."""
    together, apart = Decoder(), Decoder()
    together.push(message)
    single = list(_single(message))
    chance.shuffle(single)
    for alone in single:
        apart.push(alone)
    found, expected = (
        {kind: sorted(batch.column("Digest").to_pylist()) for kind, batch in decoder.metrics().items()} for decoder in (apart, together)
    )
    assert found == expected


def _single(message: ExportMetricsServiceRequest) -> Any:
    for holder in message.resource_metrics:
        for scope in holder.scope_metrics:
            for found in scope.metrics:
                alone = ExportMetricsServiceRequest()
                metrics = alone.resource_metrics.add(schema_url=holder.schema_url)
                metrics.resource.CopyFrom(holder.resource)
                metrics.scope_metrics.add(scope=scope.scope, schema_url=scope.schema_url).metrics.add().CopyFrom(found)
                yield alone
