"""OTLP/gRPC as the specification asks: status codes, retry information, limits."""

from __future__ import annotations

import gzip
import resource
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import httpx
import pytest
import zstandard
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from sojourn import _native
from tests.native.wire import METHODS, over_http2, points, raw_lane, records, serving, spans


@dataclass
class Sender:
    """A gRPC client that sends bytes as they are."""

    native: _native.Server
    channel: grpc.Channel = field(init=False)

    def __post_init__(self) -> None:
        assert self.native.grpc is not None
        self.channel = grpc.insecure_channel(self.native.grpc, [("grpc.use_local_subchannel_pool", 1)])

    def send(self, body: bytes, signal: str = "traces", method: str = "", **options: object) -> bytes:
        answer: bytes = self.channel.unary_unary(method or METHODS[signal])(body, timeout=30, **options)
        return answer

    def refusal(self, body: bytes, **options: object) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as refused:
            self.send(body, **options)
        return refused.value


@pytest.fixture
def lane() -> _native.Lane:
    return raw_lane(flush_rows=1 << 30)


@pytest.fixture
def sender(lane: _native.Lane) -> Iterator[Sender]:
    with serving({"traces": [lane]}) as native:
        sender = Sender(native)
        with sender.channel:
            yield sender


def taken(lane: _native.Lane) -> list[bytes]:
    lane.flush()
    group = lane.next(0)
    return [body for _, body in group.raw()] if group else []


def test_a_request_is_taken(sender: Sender, lane: _native.Lane) -> None:
    """The answer to a full success is an empty message."""
    assert sender.send(spans(3)) == b""
    assert taken(lane) == [spans(3)]


def test_an_empty_request_is_a_success(sender: Sender, lane: _native.Lane) -> None:
    """Nothing to store is no mistake."""
    assert sender.send(b"") == b""
    assert taken(lane) == []


def test_a_large_request_in_many_frames(sender: Sender, lane: _native.Lane) -> None:
    """Bodies larger than a frame and a window are put together again."""
    body = spans(3000, padding=1000)
    assert len(body) > 3 << 20
    assert sender.send(body) == b""
    assert taken(lane) == [body]


def test_compressed_requests_are_taken(sender: Sender, lane: _native.Lane) -> None:
    """gzip and deflate as grpc's own clients send them."""
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        assert sender.send(spans(500), compression=compression) == b""
    assert taken(lane) == [spans(500)] * 2


@pytest.mark.parametrize("body", [spans(1)[:-1], b"\xff" * 20, b"\x0f"], ids=["cut", "no protobuf", "wire type 7"])
def test_bad_data_is_invalid_argument(sender: Sender, lane: _native.Lane, body: bytes) -> None:
    """Never: INVALID_ARGUMENT. Neighbours in the group are stored."""
    sender.send(spans(1))
    refused = sender.refusal(body)
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "protobuf" in refused.details()
    sender.send(spans(2))
    assert taken(lane) == [spans(1), spans(2)]


@pytest.mark.parametrize("method", ["/opentelemetry.proto.collector.trace.v1.TraceService/Import", "/grpc.health.v1.Health/Check", "/"])
def test_unknown_methods_are_unimplemented(sender: Sender, method: str) -> None:
    """UNIMPLEMENTED says what this is."""
    refused = sender.refusal(spans(1), method=method)
    assert refused.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "OTLP" in refused.details()


def test_later_is_unavailable_with_retry_info(lane: _native.Lane) -> None:
    """A full queue is UNAVAILABLE, and tells when to come back."""
    full = raw_lane(queue_bytes=10)
    with serving({"traces": [full]}) as native, Sender(native).channel as channel:
        call = channel.unary_unary(METHODS["traces"])
        call(spans(1))
        with pytest.raises(grpc.RpcError) as refused:
            call(spans(1))
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    trailers = dict(refused.value.trailing_metadata())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (14, refused.value.details())
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToNanoseconds() == 1_000_000_000


def test_too_large_is_resource_exhausted_without_retry_info() -> None:
    """A message over the limit will never be taken: no RetryInfo, so that clients do not send it again."""
    with serving({}, max_request_bytes=1_000_000) as native:
        sender = Sender(native)
        with sender.channel:
            refused = sender.refusal(bytes(5_000_000))
            assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "grpc-status-details-bin" not in dict(refused.trailing_metadata())
            assert sender.send(b"") == b""


def test_a_bomb_is_refused_within_bounded_memory(sender: Sender) -> None:
    """The limit holds for what comes out of gzip, too."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    answer = framed(sender, b"\x01" + struct.pack(">I", len(bomb)) + bomb, "gzip")
    assert answer.headers["grpc-status"] == "8"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def framed(sender: Sender, body: bytes, coding: str = "identity") -> httpx.Response:
    """Sends a body with its prefix made by hand. An answer without message has its status among the headers."""
    headers = {"content-type": "application/grpc+proto", "te": "trailers", "grpc-encoding": coding}
    return over_http2(sender.native.grpc, METHODS["traces"], body, headers)


@pytest.mark.parametrize(
    ("body", "coding", "code"),
    [
        (b"", "identity", "3"),
        (b"\0\0\0", "identity", "3"),
        (b"\0\0\0\0\5abc", "identity", "3"),
        (b"\0\0\0\0\0" * 2, "identity", "3"),
        (b"\2\0\0\0\0", "identity", "3"),
        (b"\0\xff\xff\xff\xff", "identity", "8"),
        (b"\1\0\0\0\3abc", "gzip", "3"),
        (b"\0\0\0\0\0", "snappy", "12"),
    ],
)
def test_broken_frames_are_refused(sender: Sender, body: bytes, coding: str, code: str) -> None:
    """A prefix is never believed; an unknown coding is UNIMPLEMENTED."""
    answer = framed(sender, body, coding)
    assert answer.status_code == 200
    assert answer.headers["grpc-status"] == code
    assert ("grpc-accept-encoding" in answer.headers) == (code == "12")


def test_zstd_is_taken(sender: Sender, lane: _native.Lane) -> None:
    """The Collector's exporters may be told to send zstd."""
    body = zstandard.ZstdCompressor().compress(spans(9))
    answer = framed(sender, b"\1" + struct.pack(">I", len(body)) + body, "zstd")
    assert (answer.status_code, answer.content) == (200, bytes(5))
    assert "grpc-status" not in answer.headers
    assert taken(lane) == [spans(9)]


def test_a_flag_without_coding_is_refused(sender: Sender) -> None:
    """A message that says it is compressed, of a request that names no coding, is not guessed at."""
    body = gzip.compress(spans(1))
    assert framed(sender, b"\1" + struct.pack(">I", len(body)) + body).headers["grpc-status"] == "3"


def test_what_is_no_grpc_is_415(sender: Sender) -> None:
    """OTLP/HTTP sent to this port by mistake is told so."""
    assert over_http2(sender.native.grpc, "/v1/traces", spans(1), {"content-type": "application/x-protobuf"}).status_code == 415


def test_signals_that_nobody_stores(sender: Sender) -> None:
    """Logs and metrics are a partial success that counts what was rejected."""
    logs = ExportLogsServiceResponse.FromString(sender.send(records(3), "logs")).partial_success
    assert (logs.rejected_log_records, "not stored" in logs.error_message) == (3, True)
    metrics = ExportMetricsServiceResponse.FromString(sender.send(points(5), "metrics")).partial_success
    assert metrics.rejected_data_points == 5
    assert sender.send(b"", "metrics") == b""


def test_many_senders_at_once(sender: Sender, lane: _native.Lane) -> None:
    """Calls in flight on one connection and on several are all taken."""
    call = sender.channel.unary_unary(METHODS["traces"])
    others = [Sender(sender.native) for _ in range(4)]
    calls = [call.future(spans(2)) for _ in range(200)]
    calls += [other.channel.unary_unary(METHODS["traces"]).future(spans(2)) for other in others for _ in range(50)]
    assert {pending.result(30) for pending in calls} == {b""}
    assert len(taken(lane)) == 400
    assert sender.native.stats()['otelcol_receiver_accepted_spans_total{transport="grpc"}'] == 800
    for other in others:
        other.channel.close()


def test_a_client_that_cancels_harms_nobody(lane: _native.Lane) -> None:
    """In committed mode a sender may give up while it waits; its data is stored all the same, and others get their answers."""
    with serving({"traces": [lane]}, acknowledge="committed") as native:
        sender = Sender(native)
        with sender.channel as channel:
            call = channel.unary_unary(METHODS["traces"])
            arrived = threading.Event()
            gone, there = call.future(spans(1)), call.future(spans(2))
            while lane.stats()["queued_rows"] < 3:
                arrived.wait(0.001)
            gone.cancel()
            lane.flush()
            group = lane.next(10)
            assert group is not None
            assert group.rows == 3
            group.commit()
            assert there.result(30) == b""
