"""OTLP log records → columns, as the contrib exporter stores them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sojourn import schema
from tests.native.decoding import Decoder, add_span, facts, put, request
from tests.native.log_records import add_record, decode_logs, flags, record, row
from tests.native.wire import AT, PROTOBUF

DAY = 86_400 * 10**9
TRACE, SPAN = b"\x0a" * 16, b"\x0b" * 8


def full() -> ExportLogsServiceRequest:
    message = record(
        {"service.name": "shop", "n": 5},
        "lib",
        attributes={"a": "x", "n": 1},
        body={"said": ["hello", 1]},
        severity_number=9,
        severity_text="INFO",
        trace_id=TRACE,
        span_id=SPAN,
        flags=0x101,
        event_name="happened",
        observed_time_unix_nano=AT,
        dropped_attributes_count=3,
    )
    logs = message.resource_logs[0]
    logs.schema_url, logs.scope_logs[0].schema_url = "https://resource", "https://scope"
    logs.scope_logs[0].scope.version = "1.2"
    put(logs.scope_logs[0].scope.attributes, {"s": True})
    return message


def test_a_record_becomes_the_row_of_the_contrib_exporter() -> None:
    """Ids in hex, the body and all values as text."""
    found = row(full())
    expected = {
        "TraceId": TRACE.hex(),
        "SpanId": SPAN.hex(),
        "TraceFlags": 1,
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": "shop",
        "Body": '{"said":["hello",1]}',
        "ResourceSchemaUrl": "https://resource",
        "ResourceAttributes": [("service.name", "shop"), ("n", "5")],
        "ScopeSchemaUrl": "https://scope",
        "ScopeName": "lib",
        "ScopeVersion": "1.2",
        "ScopeAttributes": [("s", "true")],
        "LogAttributes": [("a", "x"), ("n", "1")],
        "EventName": "happened",
        "Tenant": "",
        "Project": "",
        "Event": "happened",
        "LogTrace": "",
        "Kind": "span",
    }
    assert {name: found[name] for name in expected} == expected
    assert decode_logs(full()).column("Timestamp").cast("int64")[0].as_py() == AT - 1_000_000_000


def test_decoded_columns_are_those_of_the_schema() -> None:
    """In order, all but Collector, and the four that are never stored."""
    stored = [column.name for column in schema.OTEL_LOGS.columns if column.name != "Collector"]
    assert decode_logs(full()).schema.names == [*stored, "_fact", "_facets", "_total_tokens", "_trace"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        (True, "true"),
        (-5, "-5"),
        (0.5, "0.5"),
        (b"\x00\xff", "AP8="),
        ([1, "a", None], '[1,"a",null]'),
        ({"k": {"l": float("inf")}}, '{"k":{"l":"Infinity"}}'),
    ],
)
def test_bodies_of_every_kind_become_text(body: Any, text: str) -> None:
    """Lists and maps as JSON."""
    assert row(record(body=body))["Body"] == text


def test_the_time_falls_back_to_when_it_was_observed() -> None:
    """Then to its arrival. Times out of range are stored clamped, and flagged."""
    observed = decode_logs(record(time_unix_nano=0, observed_time_unix_nano=AT - 5))
    assert facts(observed)["start"][0] == AT - 5
    for sent, stored, said in [
        (0, AT, {"undated"}),
        (1, AT - 400 * DAY, {"bad_time"}),
        (2**64 - 1, AT + DAY, {"bad_time", "clock_skew"}),
        (AT + 700 * 10**9, AT + 700 * 10**9, {"clock_skew"}),
    ]:
        message = record(time_unix_nano=sent)
        fact = facts(decode_logs(message))[0]
        assert (fact["start"], fact["end"], flags(message)) == (stored, stored, said)


@pytest.mark.parametrize("ids", [{"trace_id": b"\x01\x02\x03"}, {"trace_id": bytes(16)}, {"span_id": b"abc"}, {"span_id": bytes(8)}])
def test_an_id_that_is_none_is_left_out(ids: dict[str, bytes]) -> None:
    """The specification: such a record belongs to no trace. It is stored all the same."""
    found = row(record(**({"trace_id": TRACE, "span_id": SPAN} | ids)))
    name = "TraceId" if "trace_id" in ids else "SpanId"
    assert found[name] == ""


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"severity_number": 16}, False),
        ({"severity_number": 17}, True),
        ({"attributes": {"error.type": "Oops"}}, True),
        ({"attributes": {"exception.type": "Oops"}}, True),
        ({"attributes": {"exception.message": "no"}}, True),
        ({"attributes": {"exception.escaped": True}}, False),
        ({"attributes": {"event.name": "claude_code.api_error"}}, True),
        ({"attributes": {"event.name": "claude_code.tool_result", "success": "false"}}, False),
    ],
)
def test_errors_are_told_by_severity_and_attributes(fields: dict[str, Any], error: bool) -> None:
    """ERROR is 17."""
    assert ("error" in flags(record(**fields))) is error


def test_invalid_utf8_is_repaired() -> None:
    """In bodies, names and attributes."""
    body = record({"service.name": "s@@"}, attributes={"k@@": "v@@"}, body="b@@", severity_text="t@@").SerializeToString()
    decoder = Decoder()
    decoder.push(body.replace(b"@@", b"\xff\xfe"), signal="logs")
    columns = decoder.logs()
    assert columns is not None
    found = columns.to_pylist()[0]
    assert (found["Body"], found["ServiceName"], found["SeverityText"]) == ("b\ufffd\ufffd", "s\ufffd\ufffd", "t\ufffd\ufffd")
    assert found["LogAttributes"] == [("k\ufffd\ufffd", "v\ufffd\ufffd")]


def test_of_two_equal_keys_the_first_counts() -> None:
    """As for spans."""
    message = record(attributes={"session.id": "one"})
    put(message.resource_logs[0].scope_logs[0].log_records[0].attributes, {"session.id": "two"})
    assert (row(message)["LogAttributes"], row(message)["SessionId"]) == ([("session.id", "one")], "one")


def test_a_bad_request_leaves_no_trace() -> None:
    """All or nothing: the group is as before, whatever was read of it."""
    decoder, alone = Decoder(), Decoder()
    good, bad = (
        full(),
        record({"service.name": "other"}, "scope", attributes={"new": "y", "session.id": "z"}, body="gone", trace_id=b"\x0c" * 16),
    )
    for each in (decoder, alone):
        each.push(good)
    broken = bad.SerializeToString() + b"\x0a\x05\x12"
    with pytest.raises(ValueError, match="ends in the middle"):
        decoder.push(broken, signal="logs")
    for each in (decoder, alone):
        each.push(record({"service.name": "last"}, attributes={"new": "x"}, body="kept"))
    assert decoder.logs() == alone.logs()


def test_a_group_holds_all_signals() -> None:
    """Rows and memory count together; each signal is handed out by itself, once."""
    decoder = Decoder()
    decoder.push(request())
    decoder.push(record())
    group = decoder.group()
    assert group is not None
    assert group.rows == 2
    assert (group.traces() is None, group.logs() is None, group.metrics()) == (False, False, {})
    assert (group.traces(), group.logs()) == (None, None)
    group.commit()


def test_resources_that_unfold_are_bounded() -> None:
    """A resource is repeated on every row: a small request must not become gigabytes."""
    message = record({f"key {number}": number for number in range(1000)})
    scope = message.resource_logs[0].scope_logs[0]
    scope.log_records.extend([scope.log_records[0]] * 100_000)
    with pytest.raises(ValueError, match="unfolds"):
        Decoder().push(message.SerializeToString(), PROTOBUF, signal="logs")


# --- the digest: what makes two records one


def digests(*messages: ExportLogsServiceRequest, at: int = AT) -> list[int]:
    found: list[int] = decode_logs(*messages, at=at).column("Digest").to_pylist()
    return found


def test_a_record_is_known_in_whatever_request_it_comes() -> None:
    """Alone or behind others, later, from another collector."""
    together = full()
    together.resource_logs[0].scope_logs[0].log_records.insert(0, record().resource_logs[0].scope_logs[0].log_records[0])
    assert digests(together)[1:] == digests(full()) == digests(full(), at=AT + DAY)
    assert 0 not in digests(together)


def test_the_order_of_attributes_does_not_matter() -> None:
    """Of the record, of its resource and of its scope."""
    one = record({"a": 1, "b": 2}, attributes={"c": 3, "d": [4]})
    other = record({"b": 2, "a": 1}, attributes={"d": [4], "c": 3})
    put(one.resource_logs[0].scope_logs[0].scope.attributes, {"x": 1, "y": 2})
    put(other.resource_logs[0].scope_logs[0].scope.attributes, {"y": 2, "x": 1})
    assert digests(one) == digests(other)


def test_every_field_makes_a_difference() -> None:
    """Two records that differ in anything that is stored are two."""
    changes: list[dict[str, Any]] = [
        {},
        {"time_unix_nano": AT},
        {"observed_time_unix_nano": AT},
        {"severity_number": 1},
        {"severity_text": "x"},
        {"body": "1"},
        {"body": 1},
        {"body": [1]},
        {"attributes": {"a": 1}},
        {"attributes": {"a": "1"}},
        {"attributes": {"a": True}},
        {"attributes": {"b": 1}},
        {"flags": 1},
        {"trace_id": TRACE},
        {"span_id": SPAN},
        {"event_name": "e"},
        {"resource": {"a": 1}},
        {"scope": "a"},
    ]
    found = [digests(record(**change))[0] for change in changes]
    assert len(set(found)) == len(changes)


def test_records_beside_spans_of_one_trace_share_nothing_but_its_id() -> None:
    """Numbers of traces are those of the signal's own dictionary."""
    decoder = Decoder()
    spans = request(trace_id=b"\x01" * 16)
    add_span(spans.resource_spans[0].scope_spans[0], trace_id=TRACE)
    decoder.push(spans)
    message = record(trace_id=TRACE)
    add_record(message.resource_logs[0].scope_logs[0])
    decoder.push(message)
    columns = decoder.logs()
    assert columns is not None
    assert columns.column("_trace").to_pylist() == [TRACE.hex(), ""]
    assert facts(columns)["trace"].tolist() == columns.column("_trace").indices.to_pylist() == [0, 1]
