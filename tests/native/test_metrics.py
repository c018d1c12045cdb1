"""OTLP metric points → columns, as the contrib exporter stores them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sojourn import schema
from tests.native.decoding import Decoder, put
from tests.native.log_records import record
from tests.native.points import FIELDS, add_point, decode_points, metric, point, row
from tests.native.wire import AT

DAY = 86_400 * 10**9
TRACE, SPAN = b"\x0a" * 16, b"\x0b" * 8
SHARED = {
    "ServiceName": "cli",
    "ResourceAttributes": [("service.name", "cli"), ("n", "5")],
    "ResourceSchemaUrl": "https://resource",
    "ScopeName": "lib",
    "ScopeVersion": "1.2",
    "ScopeAttributes": [("s", "true")],
    "ScopeDroppedAttrCount": 3,
    "ScopeSchemaUrl": "https://scope",
    "MetricName": "tokens",
    "MetricDescription": "used",
    "MetricUnit": "{token}",
    "Attributes": [("a", "x"), ("n", "1")],
    "Flags": 0,
}
EXEMPLARS = {
    "Exemplars.FilteredAttributes": [[("k", "v")], []],
    "Exemplars.Value": [0.5, 7.0],
    "Exemplars.SpanId": [SPAN.hex(), ""],
    "Exemplars.TraceId": [TRACE.hex(), ""],
}


def full(kind: str, **fields: Any) -> ExportMetricsServiceRequest:
    """One point with all that every kind has, and the fields of its own."""
    temporality = {} if kind in ("gauge", "summary") else {"aggregation_temporality": 2}
    message, holder = metric(kind, {"service.name": "cli", "n": 5}, **temporality, **({"is_monotonic": True} if kind == "sum" else {}))
    metrics = message.resource_metrics[0]
    metrics.schema_url, metrics.scope_metrics[0].schema_url = "https://resource", "https://scope"
    scope = metrics.scope_metrics[0].scope
    scope.name, scope.version, scope.dropped_attributes_count = "lib", "1.2", 3
    put(scope.attributes, {"s": True})
    found = add_point(holder, {"a": "x", "n": 1}, start_time_unix_nano=AT - 60_000_000_000, **fields)
    if kind != "summary":
        exemplar = found.exemplars.add(time_unix_nano=AT - 5, as_double=0.5, trace_id=TRACE, span_id=SPAN)
        put(exemplar.filtered_attributes, {"k": "v"})
        found.exemplars.add(as_int=7)
    return message


OWN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("gauge", {"as_double": 1.5}, {"Value": 1.5, **EXEMPLARS}),
    ("gauge", {"as_int": -3}, {"Value": -3.0}),
    ("gauge", {}, {"Value": 0.0}),
    ("sum", {"as_int": 3}, {"Value": 3.0, "AggregationTemporality": 2, "IsMonotonic": True, **EXEMPLARS}),
    (
        "histogram",
        {"count": 6, "sum": 9.5, "bucket_counts": [1, 2, 3], "explicit_bounds": [0.5, 10.0], "min": 0.25, "max": 11.0},
        {
            "Count": 6,
            "Sum": 9.5,
            "BucketCounts": [1, 2, 3],
            "ExplicitBounds": [0.5, 10.0],
            "Min": 0.25,
            "Max": 11.0,
            "AggregationTemporality": 2,
            **EXEMPLARS,
        },
    ),
    ("histogram", {"count": 2}, {"Count": 2, "Sum": 0.0, "BucketCounts": [], "ExplicitBounds": [], "Min": 0.0, "Max": 0.0}),
    (
        "exponential_histogram",
        {"count": 9, "sum": 1.0, "scale": -3, "zero_count": 2, "min": -1.0, "max": 2.0},
        {
            "Count": 9,
            "Sum": 1.0,
            "Scale": -3,
            "ZeroCount": 2,
            "PositiveOffset": 4,
            "PositiveBucketCounts": [1, 300],
            "NegativeOffset": -5,
            "NegativeBucketCounts": [2**63],
            "Min": -1.0,
            "Max": 2.0,
            "AggregationTemporality": 2,
            **EXEMPLARS,
        },
    ),
    (
        "summary",
        {"count": 2, "sum": 3.0},
        {"Count": 2, "Sum": 3.0, "ValueAtQuantiles.Quantile": [0.5, 1.0], "ValueAtQuantiles.Value": [1.0, 2.0]},
    ),
]


@pytest.mark.parametrize(("kind", "fields", "expected"), OWN)
def test_a_point_becomes_the_row_of_the_contrib_exporter(kind: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Of every kind; whole numbers become doubles, what is not told is 0."""
    message = full(kind, **fields)
    found = getattr(message.resource_metrics[0].scope_metrics[0].metrics[0], FIELDS[kind]).data_points[0]
    if kind == "exponential_histogram":
        found.positive.offset, found.negative.offset = 4, -5
        found.positive.bucket_counts.extend([1, 300])
        found.negative.bucket_counts.append(2**63)
    if kind == "summary":
        for quantile, value in [(0.5, 1.0), (1.0, 2.0)]:
            found.quantile_values.add(quantile=quantile, value=value)
    decoded = row(message)
    assert {name: decoded[name] for name in SHARED} == SHARED
    assert {name: decoded[name] for name in expected} == expected
    assert (decoded["TimeUnix"].value, decoded["StartTimeUnix"].value) == (AT - 10**9, AT - 60 * 10**9)
    if "Exemplars.Value" in expected:
        assert [time.value for time in decoded["Exemplars.TimeUnix"]] == [AT - 5, 0]


@pytest.mark.parametrize("table", schema.OTEL_METRICS, ids=lambda table: table.name)
def test_decoded_columns_are_those_of_the_schema(table: schema.Table) -> None:
    """In order, all but Collector."""
    kind = table.name.removeprefix("otel_metrics_")
    (batch,) = decode_points(full(kind)).values()
    assert batch.schema.names == [column.name for column in table.columns if column.name != "Collector"]


def test_kinds_go_into_tables_of_their_own() -> None:
    """One request with all of them, twice; tables without points are left out."""
    messages = [full(kind) for kind in FIELDS]
    assert {kind: len(batch) for kind, batch in decode_points(*messages, *messages).items()} == dict.fromkeys(FIELDS, 2)
    assert list(decode_points(full("gauge"))) == ["gauge"]
    assert decode_points(metric("gauge")[0], ExportMetricsServiceRequest()) == {}


def test_a_point_without_a_recorded_value_says_so() -> None:
    """Flag 1."""
    assert row(point("gauge", flags=1))["Flags"] == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324])
def test_odd_values_are_stored_as_they_are(value: float) -> None:
    """No number is too odd."""
    found = row(point("gauge", as_double=value))["Value"]
    assert math.copysign(1, found) == math.copysign(1, value)
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_buckets_that_do_not_fit_their_bounds_are_stored_as_they_are() -> None:
    """It is not the collector's to judge."""
    found = row(point("histogram", bucket_counts=[1], explicit_bounds=[1.0, 2.0, 3.0]))
    assert (found["BucketCounts"], found["ExplicitBounds"]) == ([1], [1.0, 2.0, 3.0])


def test_times_are_clamped_where_the_partition_depends_on_them() -> None:
    """As for spans; a start that is not told stays 1970."""
    for sent, stored in [(0, AT - 400 * DAY), (2**64 - 1, AT + DAY)]:
        assert row(point("sum", time_unix_nano=sent))["TimeUnix"].value == stored
    assert row(point("sum"))["StartTimeUnix"].value == 0


@pytest.mark.parametrize(
    ("resource", "attributes", "expected"),
    [
        ({}, {"session.id": " s "}, ("s", 0)),
        ({"session.id": "r"}, {"conversation.id": "c"}, ("c", 1)),
        ({"session.id": "r"}, {}, ("r", 2)),
        ({}, {"other": "x"}, ("", 255)),
    ],
)
def test_a_point_names_its_session_as_a_span_does(resource: dict[str, str], attributes: dict[str, str], expected: tuple[str, int]) -> None:
    """Its own attributes, then its resource; one point's id is not the next one's."""
    before = point("gauge", attributes={"session.id": "before"})
    found = row(before, point("gauge", resource, attributes))
    assert (found["SessionId"], found["IdClass"]) == expected


def test_a_project_is_that_of_the_resource() -> None:
    """service.namespace by default."""
    assert row(point("sum", {"service.namespace": "p"}))["Project"] == "p"


def test_a_bad_request_leaves_no_trace() -> None:
    """All or nothing, in all five tables."""
    decoder, alone = Decoder(), Decoder()
    everything = ExportMetricsServiceRequest()
    for kind in FIELDS:
        everything.MergeFrom(full(kind))
    for each in (decoder, alone):
        each.push(everything)
    with pytest.raises(ValueError, match="ends in the middle"):
        decoder.push(everything.SerializeToString().replace(b"tokens", b"others") + b"\x0a\x05\x12", signal="metrics")
    for each in (decoder, alone):
        each.push(everything)
        each.push(record())
    assert decoder.metrics() == alone.metrics()


def test_lists_that_are_not_packed_are_read_too() -> None:
    """Writers may do so, and the JSON path does."""
    message = point("histogram").SerializeToString()
    packed = point("histogram", bucket_counts=[1, 2]).SerializeToString()
    assert len(packed) > len(message)
    loose = b"".join(b"\x31" + number.to_bytes(8, "little") for number in (1, 2))
    body = _wrapped(b"\x19" + (AT - 10**9).to_bytes(8, "little") + loose)
    decoder = Decoder()
    decoder.push(body, signal="metrics")
    assert decoder.metrics()["histogram"].column("BucketCounts").to_pylist() == [[1, 2]]


def _wrapped(point: bytes) -> bytes:
    """Request, resource, scope, metric and histogram around the bytes of a point."""
    for number in (1, 9, 2, 2, 1):
        point = bytes([number << 3 | 2, len(point)]) + point
    return point


@pytest.mark.parametrize("damage", [b"\x32\x07" + b"\x00" * 7, b"\x30\x05", b"\x3a\x01\x00"])
def test_lists_of_a_wrong_length_are_refused(damage: bytes) -> None:
    """Seven bytes are no double."""
    with pytest.raises(ValueError, match="protobuf"):
        Decoder().push(_wrapped(damage), signal="metrics")


# --- the digest: what makes two points one


def digests(*messages: ExportMetricsServiceRequest, at: int = AT) -> list[int]:
    return [digest for batch in decode_points(*messages, at=at).values() for digest in batch.column("Digest").to_pylist()]


def test_a_point_is_known_in_whatever_request_it_comes() -> None:
    """Whatever stands beside it, whenever it comes, in whatever order its attributes stand."""
    for kind in FIELDS:
        (alone,) = digests(full(kind))
        assert digests(point(kind), full(kind), at=AT + DAY)[1] == alone
    one, other = point("sum", {"a": 1, "b": 2}, {"c": 3, "d": 4}), point("sum", {"b": 2, "a": 1}, {"d": 4, "c": 3})
    assert digests(one) == digests(other)


def test_every_field_makes_a_difference() -> None:
    """Two points that differ in anything that is stored are two."""
    changes: list[tuple[str, dict[str, Any]]] = [
        *(("gauge", change) for change in ({}, {"as_int": 0}, {"as_int": 1}, {"as_double": 1.0}, {"as_double": 0.0}, {"flags": 1})),
        *(("gauge", change) for change in ({"time_unix_nano": AT}, {"start_time_unix_nano": AT}, {"attributes": {"a": 1}})),
        *(("gauge", change) for change in ({"as_int": 2**53}, {"as_int": 2**53 + 1}, {"resource": {"a": 1}})),
        ("sum", {}),
        *(("histogram", change) for change in ({}, {"count": 1}, {"sum": 1}, {"min": 1}, {"max": 1}, {"bucket_counts": [0]})),
        *(("histogram", change) for change in ({"bucket_counts": [1, 0]}, {"bucket_counts": [0, 1]}, {"explicit_bounds": [0]})),
        *(("exponential_histogram", change) for change in ({}, {"count": 1}, {"scale": 1}, {"zero_count": 1}, {"zero_threshold": 1})),
        *(("summary", change) for change in ({}, {"count": 1}, {"sum": 1})),
    ]
    found = [digests(point(kind, **change))[0] for kind, change in changes]
    assert len(set(found)) == len(changes)


def test_a_metric_of_another_name_unit_or_temporality_is_another() -> None:
    """Its description too."""
    messages = [point("sum") for _ in range(6)]
    metrics = [message.resource_metrics[0].scope_metrics[0].metrics[0] for message in messages]
    metrics[1].name, metrics[2].unit, metrics[3].description = "x", "x", "x"
    metrics[4].sum.aggregation_temporality, metrics[5].sum.is_monotonic = 1, True
    assert len(set(digests(*messages))) == 6
