"""Each bad sender stands between two requests of a good one, in the whole collector: the good one's session must come out exactly."""

from __future__ import annotations

import gzip
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sojourn.testing import Collector, at, request, run, span

SECOND = 10**9
DAY = 86_400 * SECOND
NOON = at("12:00")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with run(now="12:00") as collector:
        yield collector


class Neighbour:
    """A good sender whose one session must be whole whatever else arrives."""

    def __init__(self, collector: Collector) -> None:
        self.collector, self.name = collector, f"good {uuid.uuid4()}"
        self._send("before", 10)

    def _send(self, name: str, tokens: int) -> None:
        told = span(name, session=self.name, trace=f"{self.name} {name}", start=at("11:59"), tokens=(tokens, tokens))
        assert post(self.collector, request(told).SerializeToString()) == 200

    def is_whole(self) -> None:
        self._send("after", 20)
        row = session(self.collector, self.name)
        assert (row["Traces"], row["Spans"], row["InputTokens"], row["OutputTokens"], row["Flags"]) == (2, 2, 30, 30, [])


@pytest.fixture
def neighbour(collector: Collector) -> Iterator[Neighbour]:
    neighbour = Neighbour(collector)
    yield neighbour
    neighbour.is_whole()


def post(collector: Collector, body: bytes, **headers: str) -> int:
    address = f"http://{collector.endpoints['otlp_http']}/v1/traces"
    told = {"Content-Type": "application/x-protobuf", **{name.replace("_", "-"): value for name, value in headers.items()}}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(address, body, told), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def session(collector: Collector, name: str) -> dict[str, Any]:
    (row,) = collector.query("SELECT * FROM sessions WHERE SessionId = {name:String}", {"name": name})
    return row


def one(name: str, **fields: Any) -> Span:
    """A span of a session of that name, at noon; `fields` are those of the OTLP message."""
    values = {"trace_id": uuid.uuid4().bytes, "span_id": uuid.uuid4().bytes[:8], "name": "bad", "start_time_unix_nano": NOON - SECOND}
    told = Span(**{**values, "end_time_unix_nano": NOON, **fields})
    told.attributes.insert(0, KeyValue(key="session.id", value=AnyValue(string_value=name)))
    return told


def body(*spans: Span) -> bytes:
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().spans.extend(spans)
    return message.SerializeToString()


def usage(tokens: int) -> list[KeyValue]:
    texts = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
    attributes = [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in texts.items()]
    return [*attributes, KeyValue(key="gen_ai.usage.input_tokens", value=AnyValue(int_value=tokens))]


def nested(depth: int) -> bytes:
    """A span with an attribute of that many arrays within each other, written by hand: protobuf's own encoder is recursive."""
    value = b"\x0a\x01x"

    def field(number: int, content: bytes) -> bytes:
        size, out = len(content), bytearray([number << 3 | 2])
        while size > 127:
            out.append(size & 127 | 128)
            size >>= 7
        return bytes(out + bytearray([size])) + content

    for _ in range(depth):
        value = field(5, field(1, value))  # AnyValue.array_value, ArrayValue.values
    attribute = field(1, b"deep") + field(2, value)
    told = field(1, b"t" * 16) + field(2, b"s" * 8) + field(9, attribute)
    return field(1, field(2, field(2, told)))


WRONG_TYPES = {
    "a truncated request": body(one("x", attributes=usage(1)))[:-7],
    "a number where spans should be": b"\x0a\x04\x12\x02\x10\x05",
    "a text where a time should be": b"\x0a\x08\x12\x06\x12\x04\x3a\x02hi",
    "an unknown wire type": b"\x0a\x02\x0f\x0f",
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x0f",
    "nothing but noise": bytes(range(255, 0, -1)),
    "100 000 values in each other": nested(100_000),
}


@pytest.mark.parametrize("bad", WRONG_TYPES)
def test_a_request_that_cannot_be_read_is_refused_alone(collector: Collector, neighbour: Neighbour, bad: str) -> None:
    assert post(collector, WRONG_TYPES[bad]) == 400


def test_a_bomb_is_refused(collector: Collector, neighbour: Neighbour) -> None:
    bomb = gzip.compress(bytes(200 << 20), 9)
    assert post(collector, bomb, Content_Encoding="gzip") in (400, 413)


def test_a_span_with_a_short_id_is_left_out_and_its_request_is_taken(collector: Collector, neighbour: Neighbour) -> None:
    name = f"short ids {uuid.uuid4()}"
    assert post(collector, body(one(name, trace_id=b"abc"), one(name, span_id=b"abc"), one(name))) == 200
    assert session(collector, name)["Spans"] == 1


def test_invalid_utf8_is_repaired(collector: Collector, neighbour: Neighbour) -> None:
    name = f"utf8 {uuid.uuid4()}"
    plain = body(one(name, attributes=[KeyValue(key="user.id", value=AnyValue(string_value="AAAA"))]))
    assert post(collector, plain.replace(b"AAAA", b"A\xff\xc3A")) == 200
    row = session(collector, name)
    assert row["UserId"].startswith("A")
    assert "\ufffd" in row["UserId"]


def test_an_id_of_300_characters_is_shortened_and_flagged(collector: Collector, neighbour: Neighbour) -> None:
    name = uuid.uuid4().hex + "ü" * 268
    assert post(collector, body(one(name))) == 200
    (row,) = collector.query("SELECT * FROM sessions WHERE startsWith(SessionId, {head:String})", {"head": name[:200]})
    assert len(row["SessionId"]) == 217
    assert row["Flags"] == ["truncated_id"]


@pytest.mark.parametrize(
    "name", ["it's'; DROP TABLE session_rows; --", "line\nbreak\ttab", 'quote" \\ back', "{curly:String}", "a/../b?c#d", "😀"]
)
def test_an_id_is_only_a_text(collector: Collector, neighbour: Neighbour, name: str) -> None:
    assert post(collector, body(one(name))) == 200
    assert session(collector, name)["Spans"] == 1


def test_of_equal_keys_the_first_counts(collector: Collector, neighbour: Neighbour) -> None:
    name = f"twice {uuid.uuid4()}"
    other = KeyValue(key="session.id", value=AnyValue(string_value="another"))
    assert post(collector, body(one(name, attributes=[other, *usage(5), *usage(7)]))) == 200
    assert session(collector, name)["InputTokens"] == 5


def test_a_span_that_ends_before_it_starts_takes_no_time(collector: Collector, neighbour: Neighbour) -> None:
    name = f"backwards {uuid.uuid4()}"
    assert post(collector, body(one(name, end_time_unix_nano=NOON - 60 * SECOND))) == 200
    row = session(collector, name)
    assert (row["WallNs"], row["Flags"]) == (0, ["bad_time"])


@pytest.mark.parametrize("time", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_impossible_times_are_clamped_and_flagged(collector: Collector, neighbour: Neighbour, time: int) -> None:
    name = f"time {time}"
    assert post(collector, body(one(name, start_time_unix_nano=time, end_time_unix_nano=time))) == 200
    row = session(collector, name)
    assert "bad_time" in row["Flags"]
    assert row["Start"].value >= NOON - 400 * DAY if hasattr(row["Start"], "value") else True
    assert row["WallNs"] == 0


def test_1000_spans_on_1000_days(collector: Collector, neighbour: Neighbour) -> None:
    name = f"days {uuid.uuid4()}"
    spans = [one(name, start_time_unix_nano=NOON - day * DAY, end_time_unix_nano=NOON - day * DAY + SECOND) for day in range(1000)]
    assert post(collector, body(*spans)) == 200
    row = session(collector, name)
    assert (row["Traces"], row["Spans"]) == (1000, 1000)
    assert "bad_time" in row["Flags"]
    (stored,) = collector.query("SELECT count() AS n FROM otel_traces WHERE SessionId = {name:String}", {"name": name})
    assert stored["n"] == 1000


@pytest.mark.parametrize("length", [1, 2, 3, 1000])
def test_spans_that_are_their_own_ancestors(collector: Collector, neighbour: Neighbour, length: int) -> None:
    name, trace = f"cycle {length}", uuid.uuid4().bytes
    ids = [(number + 1).to_bytes(8) for number in range(length)]
    ring = [one(name, trace_id=trace, span_id=ids[at], parent_span_id=ids[at - 1], attributes=usage(3)) for at in range(length)]
    assert post(collector, body(*ring)) == 200
    row = session(collector, name)
    assert (row["Spans"], row["InputTokens"], row["LlmCalls"]) == (length, 3, 1)
    assert "cycle" in row["Flags"]


def test_a_trace_of_100_000_spans(collector: Collector, neighbour: Neighbour) -> None:
    name, trace, size = f"large {uuid.uuid4()}", uuid.uuid4().bytes, 5000
    root = one(name, trace_id=trace, span_id=(1).to_bytes(8))
    for part in range(20):
        spans = [one(name, trace_id=trace, span_id=(2 + part * size + at).to_bytes(8), parent_span_id=root.span_id) for at in range(size)]
        for at_, told in enumerate(spans):
            told.attributes.extend(usage(at_ + 1))
        assert post(collector, body(*spans)) == 200
    assert post(collector, body(root)) == 200
    row = session(collector, name)
    assert (row["Traces"], row["Spans"], row["LlmCalls"]) == (1, 100_001, 100_000)
    assert row["InputTokens"] == 20 * sum(range(1, size + 1))


def test_a_chain_of_20_000_spans(collector: Collector, neighbour: Neighbour) -> None:
    name, trace = f"chain {uuid.uuid4()}", uuid.uuid4().bytes
    spans = [one(name, trace_id=trace, span_id=(n + 1).to_bytes(8), parent_span_id=n.to_bytes(8) if n else b"") for n in range(20_000)]
    spans[-1].attributes.extend(usage(9))
    assert post(collector, body(*spans)) == 200
    row = session(collector, name)
    assert (row["Spans"], row["InputTokens"], row["LlmCalls"]) == (20_000, 9, 1)


def test_thousands_of_attributes_and_a_huge_one(collector: Collector, neighbour: Neighbour) -> None:
    name = f"wide {uuid.uuid4()}"
    many = [KeyValue(key=f"agentmark.metadata.k{at:05}", value=AnyValue(string_value="v" * 300)) for at in range(5000)]
    many.append(KeyValue(key="input.value", value=AnyValue(string_value="i" * (4 << 20))))
    deep = AnyValue(
        kvlist_value=KeyValueList(values=[KeyValue(key="a", value=AnyValue(array_value=ArrayValue(values=[AnyValue()] * 1000)))])
    )
    assert post(collector, body(one(name, attributes=[*many, KeyValue(key="deep", value=deep)]))) == 200
    row = session(collector, name)
    assert len(row["Metadata"]) == 64
    assert {len(value) for value in row["Metadata"].values()} == {256}
    assert len(row["FirstInput"]) == 500
    assert "truncated" in row["Flags"]


def test_10_000_sessions_in_one_request(collector: Collector, neighbour: Neighbour) -> None:
    head = uuid.uuid4().hex
    assert post(collector, body(*[one(f"{head} {number}") for number in range(10_000)])) == 200
    (row,) = collector.query(
        "SELECT count() AS n, sum(Spans) AS spans FROM sessions WHERE startsWith(SessionId, {head:String})", {"head": head}
    )
    assert (row["n"], row["spans"]) == (10_000, 10_000)


def test_money_beyond_all_sums(collector: Collector, neighbour: Neighbour) -> None:
    name = f"rich {uuid.uuid4()}"
    rich = [KeyValue(key="gen_ai.usage.cost", value=AnyValue(double_value=1e300)), *usage(2**40)]
    assert post(collector, body(*[one(name, attributes=rich) for _ in range(50)])) == 200
    row = session(collector, name)
    assert row["Cost"] > 0
    assert "limited" in row["Flags"]
