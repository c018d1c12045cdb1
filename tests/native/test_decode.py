"""OTLP spans → columns, as the contrib exporter stores them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn import _native
from sojourn.schema import FLAGS
from tests.native.decoding import SPAN, TRACE, Decoder, add_span, decode, facts, put, request
from tests.native.wire import AT, JSON

DAY = 86_400 * 10**9


def row(message: ExportTraceServiceRequest | bytes, **plan: Any) -> dict[str, Any]:
    found: dict[str, Any] = decode(message, **plan).to_pylist()[0]
    return found


def flags(message: ExportTraceServiceRequest) -> set[str]:
    value = int(facts(decode(message))["flags"][0])
    return {name for name, bit in FLAGS.items() if value & bit}


def full() -> ExportTraceServiceRequest:
    message = request({"service.name": "shop", "n": 5}, attributes={"a": "x", "empty": ""}, name="chat", kind=3, trace_state="k=v")
    scope = message.resource_spans[0].scope_spans[0]
    scope.scope.name, scope.scope.version = "lib", "1.2"
    span = scope.spans[0]
    span.parent_span_id = b"\x00\x00\x00\x00\x00\x00\x00\x09"
    span.status.code, span.status.message = 2, "boom"
    event = span.events.add(name="exception", time_unix_nano=AT - 2)
    put(event.attributes, {"exception.type": "Oops"})
    link = span.links.add(trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, trace_state="s")
    put(link.attributes, {"l": 1})
    return message


def test_a_span_becomes_the_row_of_the_contrib_exporter() -> None:
    """Ids in hex, kinds and states as words, everything else as text."""
    found = row(full())
    expected = {
        "TraceId": TRACE.hex(),
        "SpanId": SPAN.hex(),
        "ParentSpanId": "0000000000000009",
        "TraceState": "k=v",
        "SpanName": "chat",
        "SpanKind": "Client",
        "ServiceName": "shop",
        "ResourceAttributes": [("service.name", "shop"), ("n", "5")],
        "ScopeName": "lib",
        "ScopeVersion": "1.2",
        "SpanAttributes": [("a", "x"), ("empty", "")],
        "Duration": 4_000_000_000,
        "StatusCode": "Error",
        "StatusMessage": "boom",
        "Events.Name": ["exception"],
        "Events.Attributes": [[("exception.type", "Oops")]],
        "Links.TraceId": ["ab" * 16],
        "Links.SpanId": ["cd" * 8],
        "Links.TraceState": ["s"],
        "Links.Attributes": [[("l", "1")]],
        "Tenant": "",
        "Project": "",
        "Kind": "",
    }
    assert {name: found[name] for name in expected} == expected
    assert decode(full()).column("Timestamp").cast("int64")[0].as_py() == AT - 5_000_000_000
    assert found["Events.Timestamp"][0].value == AT - 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (-(2**63), str(-(2**63))),
        (12.0, "12"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-7"),
        (float("nan"), "NaN"),
        (b"\x00\xff", "AP8="),
        ([], "[]"),
        ({}, "{}"),
        (["a\n", 1, None, [True], {"k": b"x"}, 0.5], '["a\\n",1,null,[true],{"k":"eA=="},0.5]'),
        (None, ""),
    ],
)
def test_values_become_text(value: Any, text: str) -> None:
    """Numbers and truth values in their shortest text, lists and maps as JSON, bytes in base64."""
    assert row(request(attributes={"v": value}))["SpanAttributes"] == [("v", text)]


def test_of_two_equal_keys_the_first_counts() -> None:
    """As `map[key]` reads it in ClickHouse: on spans, resources and events."""
    message = request({"service.name": "first"}, attributes={"session.id": "one"})
    span = message.resource_spans[0].scope_spans[0].spans[0]
    put(span.attributes, {"session.id": "two", "b": "x"})
    put(message.resource_spans[0].resource.attributes, {"service.name": "second"})
    found = row(message)
    assert found["SpanAttributes"] == [("session.id", "one"), ("b", "x")]
    assert (found["SessionId"], found["ServiceName"]) == ("one", "first")


def test_times_out_of_range_are_clamped_and_flagged() -> None:
    """Stored between 400 days before and one day after arrival; a span that ends before it starts has no duration."""
    found = decode(request(start_time_unix_nano=0, end_time_unix_nano=2**64 - 1))
    fact = facts(found)[0]
    assert (fact["start"], fact["end"]) == (AT - 400 * DAY, AT + DAY)
    assert fact["sent_end"] == 2**64 - 1
    assert flags(request(start_time_unix_nano=0, end_time_unix_nano=2**64 - 1)) == {"root", "bad_time", "clock_skew"}
    assert flags(request(start_time_unix_nano=AT + 700 * 10**9, end_time_unix_nano=AT + 700 * 10**9)) == {"root", "clock_skew"}
    backwards = request(start_time_unix_nano=AT, end_time_unix_nano=AT - 1)
    assert row(backwards)["Duration"] == 0
    assert flags(backwards) == {"root", "bad_time"}


@pytest.mark.parametrize(
    "ids", [{"trace_id": b"\x01\x02\x03"}, {"trace_id": bytes(16)}, {"span_id": b""}, {"span_id": bytes(8)}, {"parent_span_id": b"abc"}]
)
def test_a_span_with_a_bad_id_is_refused_alone(ids: dict[str, bytes]) -> None:
    """Its neighbours are stored, with their own attributes and events."""
    message = full()
    scope = message.resource_spans[0].scope_spans[0]
    bad = add_span(scope, {"lost": "x"}, **ids)
    bad.events.add(name="lost", time_unix_nano=AT)
    bad.links.add(trace_id=TRACE, span_id=SPAN)
    add_span(scope, {"kept": "y"}, span_id=b"\x07" * 8)
    rows = decode(message).to_pylist()
    assert [found["SpanAttributes"] for found in rows] == [[("a", "x"), ("empty", "")], [("kept", "y")]]
    assert [found["Events.Name"] for found in rows] == [["exception"], []]
    assert [len(found["Links.SpanId"]) for found in rows] == [1, 0]


def test_invalid_utf8_is_repaired() -> None:
    """Bytes that are no UTF-8 become U+FFFD wherever they stand, and what is lifted is repaired the same way."""
    body = request({"service.name": "s@@"}, attributes={"k@@": "v@@", "session.id": "id@@"}, name="n@@").SerializeToString()
    decoder = Decoder()
    decoder.push(body.replace(b"@@", b"\xff\xfe"))
    columns = decoder.columns()
    assert columns is not None
    found = columns.to_pylist()[0]
    assert found["SpanAttributes"] == [("k\ufffd\ufffd", "v\ufffd\ufffd"), ("session.id", "id\ufffd\ufffd")]
    assert (found["SpanName"], found["ServiceName"], found["SessionId"]) == ("n\ufffd\ufffd", "s\ufffd\ufffd", "id\ufffd\ufffd")
    assert decoder.text(facts(columns)["name"][0]) == "n\ufffd\ufffd"
    assert decoder.text(facts(columns)["session"][0]) == "\0\0id\ufffd\ufffd"


def test_a_bad_request_leaves_no_trace_in_the_group() -> None:
    """The group after a refused request is the group without it, to the last dictionary entry."""
    good = [request({"service.name": f"s{n}"}, attributes={"session.id": f"id{n}", f"k{n}": "v"}, name=f"n{n}") for n in range(3)]
    bad = full().SerializeToString() + b"\x0a\x7f"
    decoder = Decoder()
    for message in good:
        decoder.push(message)
        with pytest.raises(ValueError, match="protobuf"):
            decoder.push(bad)
    assert decoder.columns() == decode(*good)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def deep(levels: int) -> bytes:
    """A request whose attribute value is a list in a list, and so on."""
    sizes = [0]
    for _ in range(levels):
        inner = 1 + len(_varint(sizes[-1])) + sizes[-1]
        sizes.append(1 + len(_varint(inner)) + inner)
    parts = []
    for size in reversed(sizes[:-1]):
        inner = 1 + len(_varint(size)) + size
        parts.append(b"\x2a" + _varint(inner) + b"\x0a" + _varint(size))
    value = b"".join(parts)
    pair = b"\x0a\x01v\x12" + _varint(len(value)) + value
    span = b"\x0a\x10" + TRACE + b"\x12\x08" + SPAN + b"\x4a" + _varint(len(pair)) + pair
    scope = b"\x12" + _varint(len(span)) + span
    resource = b"\x12" + _varint(len(scope)) + scope
    return b"\x0a" + _varint(len(resource)) + resource


def test_100_000_levels_are_refused() -> None:
    """Nesting is bounded, whatever the size."""
    assert row(deep(60))["SpanAttributes"][0][1].count("[") == 60
    with pytest.raises(ValueError, match="nested"):
        decode(deep(100_000))


def test_what_is_too_much_is_cut_and_flagged() -> None:
    """Values end at 1 MiB, attributes at 1,024; ids beyond them are still found."""
    assert len(row(request(attributes={"v": "é" * 600_000}))["SpanAttributes"][0][1].encode()) == 1 << 20
    many = {f"k{n}": n for n in range(1030)} | {"session.id": "late"}
    found = row(request(attributes=many))
    assert (len(found["SpanAttributes"]), found["SessionId"]) == (1024, "late")
    assert flags(request(attributes=many)) == {"root", "truncated"}


def test_a_resource_that_repeats_too_often_is_refused() -> None:
    """A small request cannot be made to fill the memory."""
    message = request({f"k{n}": "v" for n in range(1000)})
    scope = message.resource_spans[0].scope_spans[0]
    for number in range(40_000):
        scope.spans.add(trace_id=TRACE, span_id=(number + 1).to_bytes(8, "big"))
    with pytest.raises(ValueError, match="unfolds"):
        decode(message)


def test_versions_tell_copies_apart() -> None:
    """Version is (end as sent, digest of resource, scope and span): the same content has the same digest."""
    message = full()
    holder = message.resource_spans[0]
    content = b"".join(part.SerializeToString() for part in (holder.resource, holder.scope_spans[0].scope, holder.scope_spans[0].spans[0]))
    found = row(message)["Version"]
    assert int.from_bytes(found, "little") == ((AT - 1_000_000_000) << 64) | _native.digest(content)


def test_fields_in_any_order_and_told_twice_are_one_message() -> None:
    """Protobuf lets the resource stand behind the spans, and come in parts."""
    whole = full()
    holder = whole.resource_spans[0]
    resource = holder.resource.SerializeToString()
    scope = holder.scope_spans[0].SerializeToString()
    first, second = (_pair(index, holder) for index in (0, 1))
    shuffled = b"\x12" + _varint(len(scope)) + scope + b"\x0a" + _varint(len(first)) + first + b"\x0a" + _varint(len(second)) + second
    assert first + second == resource
    assert decode(b"\x0a" + _varint(len(shuffled)) + shuffled) == decode(whole)


def _pair(index: int, holder: Any) -> bytes:
    pair = holder.resource.attributes[index].SerializeToString()
    return b"\x0a" + _varint(len(pair)) + pair


def test_trace_numbers_are_dictionary_indices() -> None:
    """`_fact.trace` numbers the traces of the group."""
    messages = [request(trace_id=bytes([n]) * 16) for n in (1, 2, 1, 3)]
    columns = decode(*messages)
    assert columns.column("TraceId").indices.to_pylist() == facts(columns)["trace"].tolist() == [0, 1, 0, 2]


def test_json_gives_the_same_columns() -> None:
    """OTLP/JSON: hex ids, numbers as texts, enums as integers."""
    text = """{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"lib"},"spans":[{
        "traceId":"01010101010101010101010101010101","spanId":"0202020202020202","name":"chat","kind":3,
        "startTimeUnixNano":"1789999995000000000","endTimeUnixNano":1789999999000000000,
        "attributes":[{"key":"b","value":{"bytesValue":"AP8="}},{"key":"i","value":{"intValue":"7"}},{"key":"d","value":{"doubleValue":0.5}},
        {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"},{"boolValue":false}]}}},
        {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"intValue":-1}}]}}},{"key":"e","value":{}}],
        "status":{"code":2,"message":"boom"},"flags":257}]}],
        "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}}]}"""
    attributes = {"b": b"\x00\xff", "i": 7, "d": 0.5, "l": ["x", False], "m": {"k": -1}, "e": None}
    message = request({"service.name": "shop"}, attributes=attributes, name="chat", kind=3)
    span = message.resource_spans[0].scope_spans[0].spans[0]
    span.status.code, span.status.message = 2, "boom"
    message.resource_spans[0].scope_spans[0].scope.name = "lib"
    decoder = Decoder()
    decoder.push(text.encode(), JSON)
    columns = decoder.columns()
    assert columns is not None
    expected = decode(message)
    same = [name for name in columns.schema.names if name not in ("Version", "_fact")]
    assert columns.select(same) == expected.select(same)


def test_bad_json_is_refused_with_its_place() -> None:
    """The message says where."""
    with pytest.raises(ValueError, match="line 1 column"):
        Decoder().push(b'{"resourceSpans": [{', JSON)
