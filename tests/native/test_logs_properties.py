"""Laws of decoding log records, against the reference decoder of opentelemetry-proto, and with any bytes at all."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.native.decoding import Decoder, any_value, put
from tests.native.log_records import record
from tests.native.test_decode_properties import IDS, PAIRS, TEXT, VALUE, as_json, mapped, text
from tests.native.wire import AT, JSON

EVENT = st.sampled_from(["claude_code.api_request", "gemini_cli.tool_call", "session.start", "codex.sse_event", "gen_ai.choice"]) | TEXT
EXTRA = st.lists(
    st.tuples(
        st.sampled_from(["event.name", "cost_usd", "model", "prompt", "success", "session.previous_id", "kind"]),
        EVENT | VALUE | st.just("response.completed"),
    ),
    max_size=3,
)


@st.composite
def log_requests(draw: Any) -> ExportLogsServiceRequest:
    message = ExportLogsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        holder = message.resource_logs.add(schema_url=draw(TEXT))
        _put(holder.resource.attributes, draw(PAIRS))
        for _ in range(draw(st.integers(0, 2))):
            scope = holder.scope_logs.add(schema_url=draw(TEXT))
            scope.scope.name, scope.scope.version = draw(TEXT), draw(TEXT)
            _put(scope.scope.attributes, draw(PAIRS))
            for _ in range(draw(st.integers(0, 3))):
                _record(draw, scope)
    return message


def _record(draw: Any, scope: Any) -> None:
    found = scope.log_records.add(
        time_unix_nano=AT - draw(st.integers(0, 10**12)),
        severity_number=draw(st.integers(0, 24)),
        severity_text=draw(TEXT),
        flags=draw(st.integers(0, 2**32 - 1)),
        trace_id=draw(st.just(b"") | st.binary(min_size=16, max_size=16).filter(any)),
        span_id=draw(st.just(b"") | IDS),
        event_name=draw(st.just("") | EVENT),
    )
    if draw(st.booleans()):
        found.body.CopyFrom(any_value(draw(VALUE)))
    _put(found.attributes, draw(PAIRS) + draw(EXTRA))


def _put(attributes: Any, pairs: list[tuple[str, Any]]) -> None:
    for key, value in pairs:
        put(attributes, {key: value})


def rows(message: ExportLogsServiceRequest) -> list[dict[str, Any]]:
    return [
        {
            "TraceId": found.trace_id.hex(),
            "SpanId": found.span_id.hex(),
            "TraceFlags": found.flags & 0xFF,
            "SeverityText": found.severity_text,
            "SeverityNumber": found.severity_number,
            "Body": text(found.body),
            "ResourceSchemaUrl": holder.schema_url,
            "ResourceAttributes": mapped(holder.resource.attributes),
            "ScopeSchemaUrl": scope.schema_url,
            "ScopeName": scope.scope.name,
            "ScopeVersion": scope.scope.version,
            "ScopeAttributes": mapped(scope.scope.attributes),
            "LogAttributes": mapped(found.attributes),
            "EventName": found.event_name,
        }
        for holder in message.resource_logs
        for scope in holder.scope_logs
        for found in scope.log_records
    ]


@given(st.lists(log_requests(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_decoding_is_what_the_reference_decoder_reads(messages: list[ExportLogsServiceRequest]) -> None:
    """Every column of the contrib exporter, for any valid messages in one group."""
    expected = [row for message in messages for row in rows(message)]
    decoder = Decoder()
    for message in messages:
        decoder.push(message)
    columns = decoder.logs()
    if not expected:
        assert columns is None
        return
    assert columns is not None
    assert columns.select(list(expected[0])).to_pylist() == expected


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    """Never a crash, as protobuf or as JSON."""
    for content_type in ("application/x-protobuf", JSON):
        try:
            Decoder().push(body, content_type, signal="logs")
        except ValueError:
            continue


@given(log_requests(), st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_requests_are_taken_or_leave_no_trace(message: ExportLogsServiceRequest, data: st.DataObject) -> None:
    """A byte changed, or the end cut off: either it is still a request, or the group is as before."""
    body = bytearray(message.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    good = record(attributes={"session.id": "x"})
    decoder, alone = Decoder(), Decoder()
    for each in (decoder, alone):
        each.push(good)
    try:
        decoder.push(bytes(body), signal="logs")
    except ValueError:
        assert decoder.logs() == alone.logs()
    else:
        assert decoder.logs() is not None


@given(log_requests())
@settings(max_examples=60, deadline=None)
def test_json_is_read_as_protobuf_is(message: ExportLogsServiceRequest) -> None:
    """OTLP/JSON of a message gives the columns of the message, its digest included."""
    decoder, other = Decoder(), Decoder()
    decoder.push(as_json(message), JSON, signal="logs")
    other.push(message)
    found, expected = decoder.logs(), other.logs()
    if expected is None:
        assert found is None
        return
    assert found is not None
    same = [name for name in expected.schema.names if name not in ("_fact", "_facets")]
    assert found.select(same).to_pylist() == expected.select(same).to_pylist()


@given(log_requests(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_digests_do_not_depend_on_the_request(message: ExportLogsServiceRequest, chance: Any) -> None:
    """Every record alone, in any order, has the digest that it has among the others."""
    together = Decoder()
    together.push(message)
    columns = together.logs()
    single = list(_single(message))
    chance.shuffle(single)
    apart = Decoder()
    for alone in single:
        apart.push(alone)
    found = apart.logs()
    assert (columns is None) == (found is None)
    if columns is not None and found is not None:
        assert sorted(columns.column("Digest").to_pylist()) == sorted(found.column("Digest").to_pylist())


def _single(message: ExportLogsServiceRequest) -> Any:
    for holder in message.resource_logs:
        for scope in holder.scope_logs:
            for found in scope.log_records:
                alone = ExportLogsServiceRequest()
                logs = alone.resource_logs.add(schema_url=holder.schema_url)
                logs.resource.CopyFrom(holder.resource)
                logs.scope_logs.add(scope=scope.scope, schema_url=scope.schema_url).log_records.add().CopyFrom(found)
                yield alone
