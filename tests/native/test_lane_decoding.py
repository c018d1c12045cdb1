"""Lanes that decode: from requests to one batch of columns per group."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from sojourn import _native
from sojourn.sessions.lifting import lift_plan
from tests.native.wire import AT, JSON, LIMITS, PROTOBUF, HttpServer, points, raw_lane, records, serving, spans


def decoding_lane(**settings: Any) -> _native.Lane:
    return _native.Lane(texts=_native.Texts(1 << 20), lift=lift_plan(), **(LIMITS | {"flush_rows": 1 << 30} | settings))


def cut(lane: _native.Lane) -> _native.Delivery:
    lane.flush()
    group = lane.next(10)
    assert group is not None
    return group


def names(group: _native.Delivery) -> list[str]:
    records = group.traces()
    assert records is not None
    result: list[str] = pa.record_batch(records)["SpanName"].to_pylist()
    return result


def test_a_group_is_one_batch() -> None:
    """Spans of all requests, protobuf and JSON, in order of arrival; it may be taken once."""
    lane = decoding_lane()
    lane.push("traces", spans(2, "a"), PROTOBUF, AT)
    lane.push(
        "traces",
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"b","traceId":"%s","spanId":"%s"}]}]}]}' % (b"1" * 32, b"2" * 16),
        JSON,
        AT,
    )
    group = cut(lane)
    assert group.rows == 3
    assert names(group) == ["a", "a", "b"]
    assert group.traces() is None
    assert group.raw() == []


def test_a_broken_request_leaves_no_trace_in_the_columns() -> None:
    """Over the wire: refused with 400, its neighbours in the same group are stored."""
    lane = decoding_lane()
    with serving({"traces": [lane]}) as native:
        server = HttpServer(native, lane)
        codes = [server.post(body=body).status_code for body in (spans(1, "a"), spans(5, "bad")[:-3], spans(1, "b"))]
    assert codes == [200, 400, 200]
    assert names(cut(lane)) == ["a", "b"]


def test_columns_and_bytes_together() -> None:
    """raw=True keeps the requests beside the columns."""
    lane = decoding_lane(raw=True)
    lane.push("traces", spans(2, "a"), PROTOBUF, AT)
    lane.push("logs", records(3), PROTOBUF, AT)
    group = cut(lane)
    assert group.rows == 5
    assert names(group) == ["a", "a"]
    assert group.raw() == [("traces", spans(2, "a")), ("logs", records(3))]


def test_all_signals_are_taken() -> None:
    """Rows of a group are spans, log records and metric points together; the answer is a full success, and they are counted."""
    lane = decoding_lane()
    bodies = {"traces": spans(1, "a"), "logs": records(2), "metrics": points(3)}
    with serving({signal: [lane] for signal in bodies}) as native:
        server = HttpServer(native, lane)
        answers = [server.post(f"/v1/{signal}", body) for signal, body in bodies.items()]
        stats = native.stats()
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * 3
    assert lane.stats()["queued_rows"] == 6
    assert stats['otelcol_receiver_accepted_log_records_total{transport="http"}'] == 2
    assert stats['otelcol_receiver_accepted_metric_points_total{transport="http"}'] == 3
    assert [pa.record_batch(table).num_rows for table in cut(lane).metrics().values()] == [3]


def test_what_one_lane_stores_is_not_rejected() -> None:
    """A signal that goes to two lanes, of which one keeps it, is a full success."""
    lanes = [decoding_lane(), raw_lane()]
    with serving({"logs": lanes}) as native:
        answer = HttpServer(native, lanes[1]).post("/v1/logs", records(2))
    assert (answer.status_code, answer.content) == (200, b"")
    assert lanes[1].next(10) is not None


def test_spans_that_cannot_be_stored_are_a_partial_success() -> None:
    """A span whose ids have the wrong length is rejected alone, and counted as refused."""
    lane = decoding_lane()
    request = ExportTraceServiceRequest.FromString(spans(3, "a"))
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = b"xyz"
    with serving({"traces": [lane]}) as native:
        answer = HttpServer(native, lane).post(body=request.SerializeToString())
        stats = native.stats()
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert partial.error_message
    assert stats['otelcol_receiver_accepted_spans_total{transport="http"}'] == 2
    assert stats['otelcol_receiver_refused_spans_total{transport="http"}'] == 1
    assert names(cut(lane)) == ["a", "a"]


def test_room_is_counted_in_memory_not_in_wire_bytes() -> None:
    """Small spans unfold to far more memory than they have bytes; the queue is bounded all the same."""
    lane = decoding_lane(queue_bytes=1 << 20)
    for _ in range(2000):
        lane.push("traces", spans(1), PROTOBUF, AT)
    assert 4 * 2000 * len(spans(1)) < lane.stats()["queued_bytes"] <= 1 << 20
    with pytest.raises(BlockingIOError, match="full"):
        lane.push("traces", spans(20_000), PROTOBUF, AT)


def test_a_wrong_plan_is_a_value_error() -> None:
    """And a lane that decodes needs texts."""
    with pytest.raises(ValueError, match=r"\S"):
        _native.Lane(texts=_native.Texts(1), lift="{", **LIMITS)
    with pytest.raises(ValueError, match="texts"):
        _native.Lane(texts=None, lift=lift_plan(), **LIMITS)
