"""What is sent on behind processors: whoever decodes it sees what the processors left, and what they left alone goes on as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn.errors import Rejected
from sojourn.wire.going_on import SIGNALS, TABLES, Came, _rows
from sojourn.wire.writing import OUTLINES
from tests.native.decoding import SIGNALS as REQUESTS
from tests.native.decoding import Decoder, add_span, any_value
from tests.native.test_decode_properties import PAIRS, requests
from tests.native.test_logs_properties import log_requests
from tests.native.test_metrics_properties import metric_requests
from tests.native.wire import AT, PROTOBUF

Tables = dict[str, pa.RecordBatch]
TEXT = st.sampled_from(["", "x", "7", "-3", "true", "0.5", "12.0", "1e+21", "[1,2]", '{"a":[null,"b"]}', "[0.10]", "eA==", "[1"])
TIME = st.integers(0, 10**12).map(lambda ago: AT - ago)
NAMES = {"otel_traces": "SpanName", "otel_logs": "SeverityText"}
OWN = {"otel_traces": "SpanAttributes", "otel_logs": "LogAttributes"}


def decoded(*bodies: tuple[str, bytes]) -> Tables:
    """One group of requests, by table."""
    decoder = Decoder()
    for signal, body in bodies:
        decoder.push(body, PROTOBUF, signal=signal)
    group = decoder.group()
    if group is None:
        return {}
    found = {"otel_traces": group.traces(), "otel_logs": group.logs(), **group.metrics()}
    tables = {table: pa.record_batch(records) for table, records in found.items() if records is not None}
    group.commit()
    return tables


def came(*messages: Message) -> Came:
    bodies = [(REQUESTS[type(message)], message.SerializeToString()) for message in messages]
    return Came(7, bodies, decoded(*bodies))


def sent_on(group: Came, left: dict[str, list[pa.RecordBatch]]) -> list[tuple[str, bytes]]:
    return [(signal, body) for signal in TABLES for body in group.requests_of(signal, left)]


def told(rows: Sequence[Any]) -> Counter[str]:
    """Rows, whatever their order; of maps the order of keys means nothing."""

    def shown(name: str, value: Any) -> Any:
        return sorted(value) if name.endswith("Attributes") and "." not in name else value

    return Counter(repr({name: shown(name, value) for name, value in row.items()}) for row in rows)


def rows(table: str, records: pa.RecordBatch) -> list[dict[str, Any]]:
    return [dict(row) for row in _rows(table, records, range(records.num_rows))]


# --- a processor that does what a test says


def changed(draw: Any, table: str, row: dict[str, Any]) -> None:
    """One thing of a row becomes another."""
    what = draw(st.sampled_from(["name", "own", "own", "resource", "service", "scope", "time", "parts"]))
    if what == "name":
        row[NAMES.get(table, "MetricName")] = draw(TEXT)
    elif what == "own":
        column = OWN.get(table, "Attributes")
        row[column] = other(draw, row[column])
    elif what == "resource":
        row["ResourceAttributes"] = other(draw, row["ResourceAttributes"])
        row["ServiceName"] = dict(row["ResourceAttributes"]).get("service.name", "")
    elif what == "service":
        name = draw(TEXT.filter(bool))
        row["ServiceName"] = name
        row["ResourceAttributes"] = [pair for pair in row["ResourceAttributes"] if pair[0] != "service.name"] + [("service.name", name)]
    elif what == "scope":
        row["ScopeVersion"] = draw(TEXT)
        if "ScopeAttributes" in row:
            row["ScopeAttributes"] = other(draw, row["ScopeAttributes"])
    elif what == "time":
        row["TimeUnix" if "TimeUnix" in row else "Timestamp"] = draw(TIME)
    else:
        parts(draw, table, row)


def other(draw: Any, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Attributes of which some went, some have another value, and one is new."""
    kept = {key: draw(st.sampled_from([value, None]) | TEXT) for key, value in pairs}
    kept[draw(st.sampled_from(["new", "service.name"]))] = draw(TEXT)
    return [(key, value) for key, value in kept.items() if value is not None]


def parts(draw: Any, table: str, row: dict[str, Any]) -> None:
    """What only this table has."""
    if table == "otel_traces":
        row["TraceId"], row["SpanId"] = "ab" * 16, "cd" * 8
        row["SpanKind"], row["StatusCode"], row["StatusMessage"] = "Server", "Error", draw(TEXT)
        drop(row, draw, ["Events.Timestamp", "Events.Name", "Events.Attributes"])
        drop(row, draw, ["Links.TraceId", "Links.SpanId", "Links.TraceState", "Links.Attributes"])
    elif table == "otel_logs":
        row["Body"], row["TraceFlags"], row["SeverityNumber"], row["EventName"] = draw(TEXT), 3, 9, draw(TEXT)
    else:
        if "Value" in row:
            row["Value"] = draw(st.sampled_from([0.0, 2.0, 2.5, -1e30]))
        if "BucketCounts" in row:
            row["BucketCounts"], row["Min"] = [1, 2], -1.0
        if "Scale" in row:
            row["Scale"], row["PositiveBucketCounts"], row["NegativeOffset"] = -2, [5], 3
        if "ValueAtQuantiles.Value" in row:
            row["ValueAtQuantiles.Quantile"], row["ValueAtQuantiles.Value"] = [0.5], [9.0]
        else:
            names = ("TimeUnix", "TraceId", "SpanId", "Value", "FilteredAttributes")
            drop(row, draw, [f"Exemplars.{name}" for name in names])
        if "AggregationTemporality" in row:
            row["AggregationTemporality"] = 1
        if "IsMonotonic" in row:
            row["IsMonotonic"] = draw(st.booleans())


def drop(row: dict[str, Any], draw: Any, columns: list[str]) -> None:
    keep = [draw(st.booleans()) for _ in row[columns[0]]]
    for column in columns:
        row[column] = [value for value, kept in zip(row[column], keep, strict=True) if kept]


def put(records: pa.RecordBatch, rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """The batch with other values in the columns that were sent: plain arrays, as processors make them."""
    for name in rows[0]:
        index, type_ = records.schema.get_field_index(name), plain(records.schema.field(name).type)
        records = records.set_column(index, name, pa.array([row[name] for row in rows], type_))
    return records


def plain(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return plain(type_.value_type)
    if pa.types.is_map(type_):
        return pa.map_(plain(type_.key_type), plain(type_.item_type))
    return pa.list_(plain(type_.value_type)) if pa.types.is_list(type_) else type_


@st.composite
def processed(draw: Any, messages: Any) -> tuple[Came, dict[str, list[pa.RecordBatch]], dict[str, list[Any]]]:
    """A group, what a processor left of it, and what it says."""
    group = came(*draw(st.lists(messages, min_size=1, max_size=3)))
    left: dict[str, list[pa.RecordBatch]] = {}
    expected: dict[str, list[Any]] = {}
    for table in group.tables:
        records = group.marked(table)
        kept = [row for row in range(records.num_rows) if draw(st.booleans())]
        if not kept:
            continue
        records = records.take(pa.array(draw(st.permutations(kept))))
        said = rows(table, records)
        if draw(st.booleans()):
            for row in said:
                if draw(st.booleans()):
                    changed(draw, table, row)
            records = put(records, said)
        left[table], expected[table] = [records], said
    return group, left, expected


def holds(told_by: tuple[Came, dict[str, list[pa.RecordBatch]], dict[str, list[Any]]]) -> None:
    group, left, expected = told_by
    found = decoded(*sent_on(group, left))
    assert set(found) == set(expected)
    for table, records in found.items():
        assert told(rows(table, records)) == told(expected[table])


@settings(max_examples=60, deadline=None)
@given(processed(requests()))
def test_spans_go_on_as_processors_left_them(group: Any) -> None:
    holds(group)


@settings(max_examples=60, deadline=None)
@given(processed(log_requests()))
def test_log_records_go_on_as_processors_left_them(group: Any) -> None:
    holds(group)


@settings(max_examples=60, deadline=None)
@given(processed(metric_requests()))
def test_metric_points_go_on_as_processors_left_them(group: Any) -> None:
    holds(group)


@settings(max_examples=40, deadline=None)
@given(st.lists(requests() | log_requests() | metric_requests(), min_size=1, max_size=4), st.data())
def test_what_is_left_alone_goes_on_byte_for_byte(messages: list[Any], data: Any) -> None:
    """All of it is the requests themselves; of a part every item has the bytes that it came in, in its order."""
    group = came(*messages)
    whole = {table: [group.marked(table)] for table in group.tables}
    assert sent_on(group, whole) == [(signal, body) for signal, body in ordered(group.requests) if items([(signal, body)])]
    part = {table: [records.filter(pa.array(data.draw(mask(records))))] for table, (records,) in whole.items()}
    before, after = items(group.requests), items(sent_on(group, part))
    assert not after - before


def ordered(requests: Any) -> list[tuple[str, bytes]]:
    return sorted(requests, key=lambda request: list(TABLES).index(request[0]))


def mask(records: pa.RecordBatch) -> Any:
    return st.lists(st.booleans(), min_size=records.num_rows, max_size=records.num_rows)


def items(bodies: Any) -> Counter[bytes]:
    """The bytes of all items: spans, records, points."""
    found: Counter[bytes] = Counter()
    for signal, body in bodies:
        outline = OUTLINES[signal]
        for resource in getattr(outline.request.FromString(body), outline.resources):
            for scope in getattr(resource, outline.scopes):
                for item in getattr(scope, outline.items):
                    inner = [item]
                    if signal == "metrics":
                        kind = item.WhichOneof("data")
                        inner = getattr(item, kind).data_points if kind else []
                    found.update(one.SerializeToString(deterministic=True) for one in inner)
    return found


# --- by example


def request(*names: str, unknown: bytes = b"") -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    holder = message.resource_spans.add(schema_url="url")
    holder.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = holder.scope_spans.add()
    for number, name in enumerate(names):
        span = add_span(scope, span_id=bytes([number + 1] * 8), name=name)
        span.attributes.add(key="n").value.int_value = number
        span.attributes.add(key="list").value.CopyFrom(any_value([1, "x"]))
        span.dropped_attributes_count = 3
        span.MergeFromString(unknown)
    return message


UNKNOWN = bytes([0xF8, 0x06, 0x2A])
"""Field 111, which nobody knows: 42."""


def test_types_counts_and_unknown_fields_stay_where_a_row_was_changed() -> None:
    """Only the attribute that was changed is written anew, as an integer, since it was one; a list stays a list."""
    group = came(request("a", "b", unknown=UNKNOWN))
    records = group.marked("otel_traces")
    attributes = [[("n", "0"), ("list", '[1,"x"]')], [("n", "10"), ("list", '[2,"y"]'), ("new", "1")]]
    at = records.schema.get_field_index("SpanAttributes")
    records = records.set_column(at, "SpanAttributes", pa.array(attributes, pa.map_(pa.string(), pa.string())))
    (body,) = group.requests_of("traces", {"otel_traces": [records]})
    first, second = [span for holder in ExportTraceServiceRequest.FromString(body).resource_spans for span in holder.scope_spans[0].spans]
    assert first == request("a", "b", unknown=UNKNOWN).resource_spans[0].scope_spans[0].spans[0]
    assert second.SerializeToString().endswith(UNKNOWN)
    assert second.dropped_attributes_count == 3
    values = {pair.key: pair.value for pair in second.attributes}
    assert values["n"].int_value == 10
    assert values["list"] == any_value([2, "y"])
    assert values["new"] == any_value("1")


def test_a_row_that_came_with_no_group_is_written_anew() -> None:
    """One that a processor made, or kept back from an earlier group: its values are all there."""
    group = came(request("a"))
    made = group.tables["otel_traces"]
    assert {signal for signal, _ in sent_on(group, {"otel_traces": [made]})} == {"traces"}
    found = decoded(*sent_on(Came(8, [], {}), {"otel_traces": [group.marked("otel_traces")]}))
    assert told(rows("otel_traces", found["otel_traces"])) == told(rows("otel_traces", made))


def test_the_second_copy_of_a_row_is_sent_too() -> None:
    group = came(request("a", "b"))
    records = group.marked("otel_traces").take(pa.array([0, 0, 1]))
    found = decoded(*sent_on(group, {"otel_traces": [records]}))
    assert sorted(found["otel_traces"]["SpanName"].to_pylist()) == ["a", "a", "b"]


def test_a_row_that_is_no_span_any_more_is_refused() -> None:
    """An id that a processor made and that is none cannot be sent: the row is to blame, not its neighbours."""
    group = came(request("a"))
    records = group.marked("otel_traces")
    records = records.set_column(records.schema.get_field_index("SpanId"), "SpanId", pa.array(["no id"]))
    with pytest.raises(Rejected, match="cannot be sent on") as refused:
        sent_on(group, {"otel_traces": [records]})
    assert refused.value.of_rows


def test_spans_that_decoding_rejected_are_not_sent_on() -> None:
    """Their sender was told so; and the rows behind them are still found."""
    message = request("a", "b", "c")
    message.resource_spans[0].scope_spans[0].spans[1].span_id = b"short"
    group = came(message)
    (body,) = group.requests_of("traces", {"otel_traces": [group.marked("otel_traces").take(pa.array([1]))]})
    assert [span.name for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans] == ["c"]


def test_texts_that_are_no_utf8_are_no_trouble() -> None:
    """The reference decoder refuses them, so such a request is written anew if something of it was changed."""
    body = request("a", "ZZ").SerializeToString().replace(b"ZZ", b"\xff\xfe")
    group = Came(1, [("traces", body)], decoded(("traces", body)))
    records = group.marked("otel_traces")
    assert sent_on(group, {"otel_traces": [records]}) == [("traces", body)]
    at = records.schema.get_field_index("SpanKind")
    records = records.set_column(at, "SpanKind", pa.array(["Server", "Client"]))
    found = decoded(*sent_on(group, {"otel_traces": [records]}))["otel_traces"]
    assert found["SpanKind"].to_pylist() == ["Server", "Client"]


@given(PAIRS)
def test_every_value_can_be_changed_into_its_own_text(pairs: Any) -> None:
    """What is written anew reads as it was meant, whatever type stood there before."""
    from sojourn.wire.values import value
    from tests.native.test_decode_properties import text

    for _, content in pairs:
        before = any_value(content)
        assert text(value(text(before), before)) == text(before)
        for other in ("", "7", "0.1", "true", "[1]", "{}", text(before) + " "):
            assert text(value(other, before)) == other


def test_all_tables_have_a_signal() -> None:
    assert len(SIGNALS) == 7
    assert np.iinfo(np.uint64).max > 7 << 32
