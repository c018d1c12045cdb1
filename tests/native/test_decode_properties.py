"""Laws of decoding, against the reference decoder of opentelemetry-proto, and with any bytes at all."""

from __future__ import annotations

import base64
import json
import math
import re
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.native.decoding import Decoder, add_span, any_value, decode, put, request
from tests.native.wire import AT, JSON

TEXT = st.text(max_size=8)
KEY = st.sampled_from(["a", "b", "session.id", "gen_ai.usage.input_tokens", "metadata", "gen_ai.operation.name", ""]) | TEXT
LEAF = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXT | st.binary(max_size=6)
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6)
PAIRS = st.lists(st.tuples(KEY, VALUE), max_size=6)
IDS = st.binary(min_size=8, max_size=8).filter(any)


@st.composite
def requests(draw: Any) -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        holder = message.resource_spans.add()
        _put(holder.resource.attributes, draw(PAIRS))
        for _ in range(draw(st.integers(0, 2))):
            scope = holder.scope_spans.add()
            scope.scope.name, scope.scope.version = draw(TEXT), draw(TEXT)
            for _ in range(draw(st.integers(0, 3))):
                _span(draw, scope)
    return message


def _span(draw: Any, scope: Any) -> None:
    span = add_span(scope, trace_id=draw(st.binary(min_size=16, max_size=16).filter(any)), span_id=draw(IDS))
    span.parent_span_id = draw(st.just(b"") | IDS)
    span.name, span.trace_state, span.status.message = draw(TEXT), draw(TEXT), draw(TEXT)
    span.kind, span.status.code = draw(st.integers(0, 5)), draw(st.integers(0, 2))
    span.start_time_unix_nano = AT - draw(st.integers(0, 10**12))
    span.end_time_unix_nano = span.start_time_unix_nano + draw(st.integers(0, 10**12))
    _put(span.attributes, draw(PAIRS))
    for _ in range(draw(st.integers(0, 2))):
        _put(span.events.add(name=draw(TEXT), time_unix_nano=AT - draw(st.integers(0, 10**12))).attributes, draw(PAIRS))
    for _ in range(draw(st.integers(0, 2))):
        _put(span.links.add(trace_id=b"\x05" * 16, span_id=draw(IDS), trace_state=draw(TEXT)).attributes, draw(PAIRS))


def _put(attributes: Any, pairs: list[tuple[str, Any]]) -> None:
    for key, value in pairs:
        put(attributes, {key: value})


# --- the reference: protobuf's own decoder, and the rules for texts once more


def number(value: float) -> str:
    """The digits of repr(), laid out as ECMAScript does."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    shortest = Decimal(repr(value)).normalize()
    if 1e-6 <= abs(value) < 1e21:
        return format(shortest, "f")
    sign, digits, _ = shortest.as_tuple()
    mantissa = "".join(map(str, digits))
    mantissa = mantissa[0] + ("." + mantissa[1:] if len(mantissa) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{shortest.adjusted():+d}"


def text(value: Any) -> str:
    which = value.WhichOneof("value")
    if which is None:
        return ""
    if which in ("array_value", "kvlist_value"):
        return nested(value)
    return {
        "string_value": lambda: value.string_value,
        "bool_value": lambda: "true" if value.bool_value else "false",
        "int_value": lambda: str(value.int_value),
        "double_value": lambda: number(value.double_value),
        "bytes_value": lambda: base64.b64encode(value.bytes_value).decode(),
    }[which]()


def nested(value: Any) -> str:
    which = value.WhichOneof("value")
    if which is None:
        return "null"
    if which == "array_value":
        return "[" + ",".join(nested(item) for item in value.array_value.values) + "]"
    if which == "kvlist_value":
        return "{" + ",".join(f"{quoted(pair.key)}:{nested(pair.value)}" for pair in value.kvlist_value.values) + "}"
    plain = which in ("bool_value", "int_value") or (which == "double_value" and math.isfinite(value.double_value))
    return text(value) if plain else quoted(text(value))


def quoted(value: str) -> str:
    """Escapes are read one by one: what follows a backslash that is itself escaped is a letter."""
    escapes = {r"\b": r"\u0008", r"\f": r"\u000c"}
    return re.sub(r"\\.", lambda found: escapes.get(found[0], found[0]), json.dumps(value, ensure_ascii=False))


def mapped(attributes: Any) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for pair in attributes:
        found.setdefault(pair.key, text(pair.value))
    return list(found.items())


def rows(message: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    kinds = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
    return [
        {
            "TraceId": span.trace_id.hex(),
            "SpanId": span.span_id.hex(),
            "ParentSpanId": span.parent_span_id.hex(),
            "TraceState": span.trace_state,
            "SpanName": span.name,
            "SpanKind": kinds[span.kind],
            "ResourceAttributes": mapped(holder.resource.attributes),
            "ScopeName": scope.scope.name,
            "ScopeVersion": scope.scope.version,
            "SpanAttributes": mapped(span.attributes),
            "Duration": span.end_time_unix_nano - span.start_time_unix_nano,
            "StatusCode": ("Unset", "Ok", "Error")[span.status.code],
            "StatusMessage": span.status.message,
            "Events.Name": [event.name for event in span.events],
            "Events.Attributes": [mapped(event.attributes) for event in span.events],
            "Links.SpanId": [link.span_id.hex() for link in span.links],
            "Links.TraceState": [link.trace_state for link in span.links],
            "Links.Attributes": [mapped(link.attributes) for link in span.links],
        }
        for holder in message.resource_spans
        for scope in holder.scope_spans
        for span in scope.spans
    ]


@given(st.lists(requests(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_decoding_is_what_the_reference_decoder_reads(messages: list[ExportTraceServiceRequest]) -> None:
    """Every column of the contrib exporter, for any valid messages in one group."""
    expected = [row for message in messages for row in rows(message)]
    decoder = Decoder()
    for message in messages:
        decoder.push(message)
    columns = decoder.columns()
    if not expected:
        assert columns is None
        return
    assert columns is not None
    columns.validate(full=True)
    found = columns.select(list(expected[0])).to_pylist()
    assert found == expected


@pytest.mark.parametrize(("key", "told"), [("\b\f", r"\u0008\u000c"), (r"\b", r"\\b"), ('\\\b"\n', r"\\\u0008\"\n")])
def test_keys_inside_values_are_escaped(key: str, told: str) -> None:
    """By both in the same way; a backslash before a letter is two backslashes and the letter."""
    message = request(attributes={"a": {key: None}})
    (row,) = rows(message)
    expected = [("a", f'{{"{told}":null}}')]
    assert decode(message).column("SpanAttributes").to_pylist()[0] == row["SpanAttributes"] == expected


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    """Never a crash, as protobuf or as JSON."""
    for content_type in ("application/x-protobuf", JSON):
        try:
            Decoder().push(body, content_type)
        except ValueError:
            continue


@given(requests(), st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_requests_are_taken_or_leave_no_trace(message: ExportTraceServiceRequest, data: st.DataObject) -> None:
    """A byte changed, or the end cut off: either it is still a request, or the group is as before."""
    body = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    good = ExportTraceServiceRequest()
    add_span(good.resource_spans.add().scope_spans.add(), {"session.id": "x"})
    decoder = Decoder()
    decoder.push(good)
    try:
        decoder.push(bytes(body))
    except ValueError:
        assert decoder.columns() == decode(good)
    else:
        columns = decoder.columns()
        assert columns is not None
        columns.validate(full=True)


def as_json(message: Message) -> bytes:
    from google.protobuf import json_format

    tree = json_format.MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(_hex_ids(tree)).encode()


def _hex_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_hex_ids(item) for item in node]
    if not isinstance(node, dict):
        return node
    ids = ("traceId", "spanId", "parentSpanId")
    return {key: base64.b64decode(value).hex() if key in ids else _hex_ids(value) for key, value in node.items()}


@given(requests())
@settings(max_examples=60, deadline=None)
def test_json_is_read_as_protobuf_is(message: ExportTraceServiceRequest) -> None:
    """OTLP/JSON of a message gives the columns of the message."""
    decoder, other = Decoder(), Decoder()
    decoder.push(as_json(message), JSON)
    other.push(message)
    found, expected = decoder.columns(), other.columns()
    if expected is None:
        assert found is None
        return
    assert found is not None
    same = [name for name in expected.schema.names if name not in ("Version", "_fact", "_facets")]
    assert found.select(same).to_pylist() == expected.select(same).to_pylist()


def test_the_reference_writes_numbers_as_we_do() -> None:
    """The rule itself, on examples."""
    for value, expected in [
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e21, "1e+21"),
        (123456789.25, "123456789.25"),
        (1e-5, "0.00001"),
    ]:
        assert number(value) == expected
        assert text(any_value(value)) == expected
