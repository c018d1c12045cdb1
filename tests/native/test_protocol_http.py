"""OTLP/HTTP as the specification asks: what is taken, what is refused, and in which words."""

from __future__ import annotations

import gzip
import resource
import zlib
from contextlib import closing

import httpx
import pytest
import zstandard
from google.protobuf.json_format import ParseDict
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.native.wire import AT, JSON, PROTOBUF, HttpServer, connect, over_http2, points, raw_lane, read_all, records, serving, spans


def test_a_request_is_taken(server: HttpServer) -> None:
    """200 with the response message of OTLP, which is empty when everything was taken, in the encoding of the request."""
    answer = server.post(body=spans(3))
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, PROTOBUF, b"")
    assert server.taken() == [("traces", spans(3))]


@pytest.mark.parametrize("kind", [PROTOBUF, "Application/X-Protobuf;a=b"])
def test_an_empty_request_is_a_success(server: HttpServer, kind: str) -> None:
    """Nothing to store is no mistake; parameters and case of the content type do not matter."""
    answer = server.post(kind=kind)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", PROTOBUF)


def test_further_paths_take_the_signal_too(server: HttpServer) -> None:
    """For senders whose path cannot be changed."""
    assert server.post("/api/public/otel/v1/traces", spans(1)).status_code == 200
    assert server.taken() == [("traces", spans(1))]


@pytest.mark.parametrize("path", ["/", "/v1/trace", "/v1/traces/", "/v1/traces/x", "/V1/TRACES", "/v1/profiles"])
def test_unknown_paths_are_404(server: HttpServer, path: str) -> None:
    """404 says which paths there are."""
    answer = server.post(path, spans(1))
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (404, "text/plain")
    assert "/v1/traces" in answer.text


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_other_methods_are_405(server: HttpServer, method: str) -> None:
    """405 in plain text names POST."""
    answer = httpx.request(method, f"http://{server.native.http}/v1/traces")
    assert (answer.status_code, answer.headers["allow"], answer.headers["content-type"].split(";")[0]) == (405, "POST", "text/plain")
    assert method == "HEAD" or "POST" in answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", ";application/json"])
def test_other_content_types_are_415(server: HttpServer, kind: str) -> None:
    """415 in plain text names both types."""
    answer = server.post(kind=kind)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (415, "text/plain")
    assert PROTOBUF in answer.text
    assert JSON in answer.text


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", lambda body: gzip.compress(body[:10]) + gzip.compress(body[10:])),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("deflate", zlib.compress),
        ("zlib", zlib.compress),
        ("identity", bytes),
    ],
)
def test_compressed_requests_are_taken(server: HttpServer, coding: str, compress: object) -> None:
    """gzip (also of several members), zstd, and deflate, which means the zlib container."""
    assert callable(compress)
    body = spans(200, padding=100)
    assert server.post(body=compress(body), content_encoding=coding).status_code == 200
    assert server.taken() == [("traces", body)]


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "snappy"])
def test_other_codings_are_415(server: HttpServer, coding: str) -> None:
    """415 tells in Accept-Encoding which codings there are (RFC 9110, 15.5.16)."""
    answer = server.post(body=spans(1), content_encoding=coding)
    assert answer.status_code == 415
    assert "gzip" in answer.headers["accept-encoding"]


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (spans(1)[:-1], "identity"),
        (b"\xff" * 30, "identity"),
        (b"\x08\x01" + b"\x0f", "identity"),
        (gzip.compress(spans(1))[:-9], "gzip"),
        (b"not gzip", "gzip"),
        (zstandard.ZstdCompressor().compress(spans(9))[:-3], "zstd"),
        (zlib.compress(spans(9))[:-6], "deflate"),
    ],
    ids=["cut", "no protobuf", "wire type 7", "cut gzip", "no gzip", "cut zstd", "cut deflate"],
)
def test_bad_requests_are_400(server: HttpServer, body: bytes, coding: str) -> None:
    """400 carries a google.rpc.Status in the encoding of the request, and nothing of the request is kept."""
    answer = server.post(body=body, content_encoding=coding)
    assert (answer.status_code, answer.headers["content-type"]) == (400, PROTOBUF)
    status = Status.FromString(answer.content)
    assert status.code == 3
    detail = BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].description == status.message
    assert server.taken() == []


def test_bad_json_is_400_in_json(server: HttpServer) -> None:
    """The same details, as protobuf's JSON writes them."""
    answer = server.post(body=b"[", kind=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (400, JSON)
    status = ParseDict(answer.json(), Status())
    detail = BadRequest()
    assert status.details[0].Unpack(detail)
    assert (status.code, detail.field_violations[0].description) == (3, status.message)


def bomb(compressed: str, size: int) -> bytes:
    """`size` zero bytes, compressed."""
    chunk = bytes(1 << 20)
    packer = {"gzip": lambda: zlib.compressobj(9, wbits=31), "deflate": lambda: zlib.compressobj(9)}[compressed]()
    return b"".join(packer.compress(chunk) for _ in range(size >> 20)) + packer.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_refused_within_bounded_memory(server: HttpServer, coding: str) -> None:
    """300 MB in 300 kB: 413, and never more memory than the limit of 64 MiB needs."""
    body = zstandard.ZstdCompressor().compress(bytes(300 << 20)) if coding == "zstd" else bomb(coding, 300 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = server.post(body=body, content_encoding=coding)
    assert answer.status_code == 413
    assert Status.FromString(answer.content).code == 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(chunked: bool) -> None:
    """413 for a body over the limit, whether its length is told or not; the sender gets to read the answer."""
    with serving({}, max_request_bytes=100_000) as native:
        body = bytes(1_000_000)
        answer = HttpServer(native, raw_lane()).post(body=iter([body]) if chunked else body)
    assert answer.status_code == 413
    assert "100000 bytes" in Status.FromString(answer.content).message


def test_a_sender_that_asks_first_is_refused_before_it_sends() -> None:
    """`Expect: 100-continue` with a length over the limit: 413 at once."""
    with serving({}, max_request_bytes=1000) as native, closing(connect(native.http)) as connection:
        head = ("POST /v1/traces HTTP/1.1", "host: x", f"content-type: {PROTOBUF}", "content-length: 5000", "expect: 100-continue", "", "")
        connection.sendall("\r\n".join(head).encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_the_limit_of_http_may_differ() -> None:
    """`max_request_bytes` of the protocol goes before the common one."""
    with serving({}, http={"max_request_bytes": 10}) as native:
        assert HttpServer(native, raw_lane()).post(body=spans(1)).status_code == 413


def test_later_is_503_with_a_delay(server: HttpServer) -> None:
    """A full queue is 503 with Retry-After and RetryInfo, never a permanent code; the refused items are counted."""
    lane = raw_lane(queue_bytes=100)
    with serving({"traces": [lane]}) as native:
        full = HttpServer(native, lane)
        assert full.post(body=spans(1)).status_code == 200
        answer = full.post(body=spans(2))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        status = Status.FromString(answer.content)
        assert status.code == 14
        assert status.details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo"
        stats = native.stats()
        in_json = ParseDict(full.post(body=b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}', kind=JSON).json(), Status())
        retry = RetryInfo()
        assert in_json.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 1
    assert stats['otelcol_receiver_accepted_spans_total{transport="http"}'] == 1
    assert stats['otelcol_receiver_refused_spans_total{transport="http"}'] == 2
    assert stats['otelcol_receiver_requests_total{signal="traces",transport="http",outcome="refused"}'] == 1


def test_a_signal_that_nobody_stores_is_a_partial_success(server: HttpServer) -> None:
    """Logs and metrics are counted, rejected and answered with 200, so that senders go on with the rest."""
    logs = ExportLogsServiceResponse.FromString(server.post("/v1/logs", records(3)).content)
    assert logs.partial_success.rejected_log_records == 3
    assert "not stored" in logs.partial_success.error_message
    metrics = ExportMetricsServiceResponse.FromString(server.post("/v1/metrics", points(5)).content)
    assert metrics.partial_success.rejected_data_points == 5
    assert server.post("/v1/logs").content == b""


def test_http2_with_prior_knowledge(server: HttpServer) -> None:
    """The same port speaks HTTP/2 without TLS."""
    answer = over_http2(server.native.http, "/v1/traces", spans(2), {"content-type": PROTOBUF})
    assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
    assert server.taken() == [("traces", spans(2))]


def test_connections_are_kept(server: HttpServer) -> None:
    """Several requests go over one connection, refused ones between them."""
    with httpx.Client() as client:
        url = f"http://{server.native.http}/v1/traces"
        codes = [client.post(url, content=body, headers={"content-type": PROTOBUF}).status_code for body in (spans(1), b"\xff", spans(2))]
        assert server.native.stats()['sojourn_receiver_connections{transport="http"}'] <= 1
    assert codes == [200, 400, 200]
    assert [body for _, body in server.taken()] == [spans(1), spans(2)]


def test_a_body_that_ends_early_harms_nobody(server: HttpServer) -> None:
    """A sender that goes away in the middle of its body leaves nothing behind."""
    with closing(connect(server.native.http)) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nabc")
    assert server.post(body=spans(1)).status_code == 200
    assert server.taken() == [("traces", spans(1))]


def test_garbage_is_refused(server: HttpServer) -> None:
    """Bytes that are no HTTP close the connection; so does a header over the limit. Others go on."""
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000):
        with closing(connect(server.native.http)) as connection:
            connection.sendall(garbage)
            assert read_all(connection).startswith((b"HTTP/1.1 4", b""))
    assert server.post(body=spans(1)).status_code == 200


def test_the_arrival_is_the_servers_clock(server: HttpServer) -> None:
    """Arrival is stamped once per request, by the clock that was passed in."""
    server.post(body=spans(1))
    server.lane.flush()
    group = server.lane.next(0)
    assert group is not None
    assert group.oldest == AT


def test_a_request_goes_to_every_lane_of_its_signal() -> None:
    """All lanes get it; if one is full none gets it, else the resent request would be stored twice."""
    wide, narrow = raw_lane(), raw_lane(queue_bytes=100)
    with serving({"traces": [wide, narrow]}) as native:
        server = HttpServer(native, wide)
        assert server.post(body=spans(1)).status_code == 200
        assert server.post(body=spans(2)).status_code == 503
    assert server.taken() == [("traces", spans(1))]
    group = narrow.next(0)
    assert group is not None
    assert group.raw() == [("traces", spans(1))]


def test_traces_response_type(server: HttpServer) -> None:
    """Where no lane takes traces, the answer is the traces' partial success."""
    with serving({}) as native:
        answer = HttpServer(native, raw_lane()).post(body=spans(4))
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 4
