"""Plugins in a whole collector: what they drop or change, the next collector sees so, and so do sessions and tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn import _native
from sojourn.sessions.lifting import lift_plan
from sojourn.testing import at, request, run, span
from sojourn.wire.lifting import Lifting
from tests.native.decoding import Decoder
from tests.native.wire import PROTOBUF, raw_lane, serving
from tests.wire.test_going_on import came, put, rows, sent_on

PLUGIN = '''
import pyarrow as pa
import pyarrow.compute as pc

from sojourn import Batch, Processor


class Tidy(Processor):
    """Drops health checks, gives sessions another id, doubles tokens, and hides passwords."""

    def process(self, batch):
        if batch.table != "otel_traces":
            return [batch]
        records = batch.records.filter(pc.not_equal(batch.records["SpanName"].cast("string"), "GET /health"))
        changed = [self.tidied(dict(pairs)) for pairs in records["SpanAttributes"].to_pylist()]
        index = records.schema.get_field_index("SpanAttributes")
        return [Batch(batch.table, records.set_column(index, "SpanAttributes", pa.array(changed, pa.map_(pa.string(), pa.string()))))]

    def tidied(self, attributes):
        if "session.id" in attributes:
            attributes["session.id"] = "tidy-" + attributes["session.id"]
        if "gen_ai.usage.input_tokens" in attributes:
            attributes["gen_ai.usage.input_tokens"] = str(2 * int(attributes["gen_ai.usage.input_tokens"]))
        attributes.pop("password", None)
        return list(attributes.items())
'''


@pytest.fixture
def tidy(tmp_path: Path) -> Path:
    (tmp_path / "tidy.py").write_text(PLUGIN)
    return tmp_path / "tidy.py"


def sent() -> ExportTraceServiceRequest:
    turn = span("turn", session="s", start=at("11:00"), lasts="10s", attributes={"password": "hunter2", "n": 7})
    chat = span("chat", session="s", parent=turn, start=at("11:00:01"), tokens=(100, 20), attributes={"list": [1, "x"]})
    return request(turn, span("GET /health", start=at("11:00"), session="probe"), chat, span("left alone", start=at("11:00:02")))


@pytest.mark.parametrize("processors", ["[tidy]", "[tidy, session]", "[redact, tidy, session, aggregate]"])
def test_the_next_collector_gets_what_the_plugin_left(tidy: Path, processors: str) -> None:
    """Through sockets on both sides: dropped, changed with its type, and the rest byte for byte."""
    lane = raw_lane()
    with serving({"traces": [lane]}) as other:
        config = f"""
receivers: {{otlp: {{protocols: {{http: }}}}}}
processors: {{redact: {{keys: [nothing]}}, tidy: {{type: "{tidy}:Tidy"}}, session: , aggregate: }}
exporters: {{otlp: {{endpoint: "http://{other.grpc}"}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: {processors}, exporters: [otlp]}}}}}}
"""
        with run(config) as collector:
            collector.send(sent())
            collector.settle()
    group = lane.next(10)
    assert group is not None
    ((signal, body),) = group.raw()
    assert signal == "traces"
    spans = {
        span.name: span
        for holder in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in holder.scope_spans
        for span in scope.spans
    }
    assert set(spans) == {"turn", "chat", "left alone"}
    whole = [span for holder in sent().resource_spans for scope in holder.scope_spans for span in scope.spans]
    assert next(span for span in whole if span.name == "left alone").SerializeToString() in body
    attributes = {name: {pair.key: pair.value for pair in span.attributes} for name, span in spans.items()}
    assert b"hunter2" not in body
    assert attributes["turn"]["n"].int_value == 7
    assert attributes["chat"]["gen_ai.usage.input_tokens"].int_value == 200
    assert [value.WhichOneof("value") for value in attributes["chat"]["list"].array_value.values] == ["int_value", "string_value"]


def test_sessions_follow_what_the_plugin_left(tidy: Path) -> None:
    """The id, the tokens, the stored columns, search: all from the attributes as they are now."""
    config = f"""
receivers: {{otlp: {{protocols: {{http: }}}}}}
processors: {{tidy: {{type: "{tidy}:Tidy"}}, session: , aggregate: , lifecycle: }}
exporters: {{clickhouse: }}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [tidy, session, aggregate, lifecycle], exporters: [clickhouse]}}}}}}
"""
    with run(config) as collector:
        collector.send(sent())
        sessions = {row["SessionId"]: row for row in collector.sessions()}
        assert (sessions["tidy-s"]["InputTokens"], sessions["tidy-s"]["Spans"]) == (200, 2)
        assert "s" not in sessions
        stored = collector.query("SELECT SessionId, InputTokens, mapKeys(SpanAttributes) AS Keys FROM otel_traces WHERE SpanName = 'chat'")
        assert [(row["SessionId"], row["InputTokens"]) for row in stored] == [("tidy-s", 200)]


def lifting(texts: _native.Texts) -> Lifting:
    return Lifting(texts, lift_plan())


def again(change: Callable[[dict[str, Any]], None], *messages: ExportTraceServiceRequest) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Spans after a processor that changes some, decoded again; and as they would have been decoded at once."""
    group = came(*messages)
    records = group.marked("otel_traces")
    said = rows("otel_traces", records)
    for row in said:
        change(row)
    changed = put(records, said)
    texts = _native.Texts(1 << 20)
    lifted = lifting(texts).again(group, "otel_traces", changed)
    decoder = Decoder()
    for _, body in sent_on(group, {"otel_traces": [changed]}):
        decoder.push(body, PROTOBUF)
    at_once = decoder.columns()
    assert at_once is not None
    return lifted, at_once


def test_lifting_is_decoding() -> None:
    """Every column of every row is what decoding gives, in the order in which the processor left the rows; its own columns stay."""

    def change(row: dict[str, Any]) -> None:
        attributes = dict(row["SpanAttributes"])
        if "session.id" in attributes and row["SpanName"] != "left alone":
            row["SpanAttributes"] = [*(attributes | {"session.id": f"x-{row['SpanName']}", "user.id": "ann"}).items()]

    lifted, at_once = again(change, sent(), request(span("more", session="t", tokens=(1, 2)), span("last")))
    assert [name for name in lifted.schema.names if name not in at_once.schema.names] == ["_row"]
    order = {id_: number for number, id_ in enumerate(at_once["SpanId"].to_pylist())}
    expected = at_once.take(pa.array([order[id_] for id_ in lifted["SpanId"].to_pylist()]))
    assert lifted["SpanName"].to_pylist() == ["turn", "GET /health", "chat", "left alone", "more", "last"]
    assert set(lifted["SessionId"].to_pylist()) == {"x-turn", "x-GET /health", "x-chat", "x-more", ""}
    for name in expected.schema.names:
        if name != "_fact":  # holds the number of the trace in the dictionary, which is in another order
            assert lifted[name].to_pylist() == expected[name].to_pylist(), name
    numbers = [int.from_bytes(fact[:4], "little") for fact in lifted["_fact"].to_pylist()]
    assert [lifted["TraceId"].dictionary[number].as_py() for number in numbers] == lifted["TraceId"].to_pylist()


def test_what_nobody_changed_is_not_decoded_again() -> None:
    group = came(sent())
    records = group.marked("otel_traces")
    part = records.take(pa.array([2, 0]))
    work = lifting(_native.Texts(1 << 20))
    assert work.again(group, "otel_traces", records) is records
    assert work.again(group, "otel_traces", part) is part
    assert work.again(group, "session_rows", part) is part


def refused() -> tuple[list[dict[str, Any]], list[str]]:
    """The sessions that are stored, and the spans that are in the dead letters, where the other side takes nothing."""
    lane = raw_lane()
    with serving({"logs": [lane]}, http={"endpoint": "127.0.0.1:0"}) as other:
        config = f"""
receivers: {{otlp: {{protocols: {{http: }}}}}}
processors: {{session: , aggregate: , lifecycle: }}
exporters: {{clickhouse: , otlp: {{endpoint: "http://{other.http}"}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [session, aggregate, lifecycle], exporters: [clickhouse, otlp]}}}}}}
"""
        with run(config) as collector:
            collector.send(sent())
            collector.settle()
            sessions = collector.sessions()
            folder = collector.service.host.data_dir
            assert folder is not None
            letters = [json.loads(line) for file in (folder / "dead-letters").glob("*") for line in file.read_text().splitlines()]
            shutil.rmtree(folder / "dead-letters")
    return sessions, [letter["row"]["SpanName"] for letter in letters if "exporters::otlp" in letter["reason"]]


def test_what_the_other_side_never_takes_is_in_the_dead_letters_and_sessions_are_right() -> None:
    """A plain HTTP port speaks no gRPC: a permanent refusal. The database has everything all the same."""
    sessions, letters = refused()
    assert sorted(letters) == ["GET /health", "chat", "left alone", "turn"]
    found = {session["SessionId"]: session["InputTokens"] for session in sessions}
    assert (found["s"], found["probe"]) == (100, 0)
