"""The otlp receiver: what people write in YAML, and what SDKs deliver."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from pydantic import ValidationError

from sojourn import _native
from sojourn.component import Host
from sojourn.errors import SojournError
from sojourn.receivers.otlp import Otlp, Running
from tests.native.wire import AT, PROTOBUF, raw_lane, spans

ANYWHERE = {"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0"}}


def described(**settings: Any) -> Otlp:
    return Otlp.model_validate({"protocols": ANYWHERE} | settings)


def host() -> Host:
    return Host(_native.Clock(AT), "test", None)


@pytest.fixture
def lane() -> _native.Lane:
    return raw_lane(flush_rows=1 << 30)


@pytest.fixture
def running(lane: _native.Lane) -> Iterator[Running]:
    with described().open(host(), {"traces": [lane]}) as running:
        yield running


def delivered(lane: _native.Lane) -> list[str]:
    """Names of the spans that reached the lane."""
    lane.flush()
    group = lane.next(10)
    requests = [ExportTraceServiceRequest.FromString(body) for _, body in group.raw()] if group else []
    scopes = [scope for request in requests for resource in request.resource_spans for scope in resource.scope_spans]
    return [span.name for scope in scopes for span in scope.spans]


def send(exporter: SpanExporter) -> list[SpanExportResult]:
    """Two spans through the SDK; gives what its exporter said."""
    results: list[SpanExportResult] = []
    export = exporter.export
    exporter.export = lambda batch: (results.append(export(batch)), results[-1])[1]  # type: ignore[method-assign]
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("agent"), tracer.start_as_current_span("chat"):
        pass
    provider.shutdown()
    return results


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_the_sdk_delivers_over_grpc(running: Running, lane: _native.Lane, compression: grpc.Compression | None) -> None:
    """The OpenTelemetry SDK's gRPC exporter, plain and with gzip."""
    exporter = GrpcExporter(endpoint=running.endpoints["otlp_grpc"], insecure=True, compression=compression)
    assert send(exporter) == [SpanExportResult.SUCCESS] * 2
    assert delivered(lane) == ["chat", "agent"]


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_sdk_delivers_over_http(running: Running, lane: _native.Lane, compression: Compression) -> None:
    """The OpenTelemetry SDK's HTTP exporter, with every compression that it has."""
    exporter = HttpExporter(endpoint=f"http://{running.endpoints['otlp_http']}/v1/traces", compression=compression)
    assert send(exporter) == [SpanExportResult.SUCCESS] * 2
    assert delivered(lane) == ["chat", "agent"]


def test_a_running_receiver_tells_where_it_listens_and_what_it_counts(running: Running) -> None:
    """Port 0 becomes the port in use; requests are counted by signal and transport."""
    assert set(running.endpoints) == {"otlp_grpc", "otlp_http"}
    assert all(not endpoint.endswith(":0") for endpoint in running.endpoints.values())
    httpx.post(f"http://{running.endpoints['otlp_http']}/v1/traces", content=spans(3), headers={"content-type": PROTOBUF})
    assert running.meters()['otelcol_receiver_accepted_spans_total{transport="http"}'] == 3


@pytest.mark.parametrize("block", [None, {}])
def test_an_empty_block_means_defaults_and_a_missing_one_off(block: object) -> None:
    """`grpc:` with nothing after it is what people paste."""
    description = Otlp.model_validate({"protocols": {"grpc": block}})
    assert description.protocols.grpc is not None
    assert str(description.protocols.grpc.endpoint) == "localhost:4317"
    assert description.protocols.http is None
    assert description.settings()["http"] is None


@pytest.mark.parametrize("endpoint", ["localhost:0", "0.0.0.0:0", "[::1]:0", ":0", "127.0.0.1:0"])
def test_endpoints_of_all_kinds(endpoint: str) -> None:
    """Names, addresses of both families, every interface."""
    if endpoint.startswith("[") and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Otlp.model_validate({"protocols": {"http": {"endpoint": endpoint}}}).open(host(), {}) as running:
        port = running.endpoints["otlp_http"].rpartition(":")[2]
        name = "[::1]" if endpoint.startswith("[") else "127.0.0.1"
        assert httpx.post(f"http://{name}:{port}/v1/traces", headers={"content-type": PROTOBUF}).status_code == 200


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"protocols": {}}, "no protocol is configured"),
        ({"protocols": {"grcp": {}}}, "grcp"),
        ({"protocols": {"grpc": {"endpoint": "4317"}}}, "host:port"),
        ({"protocols": {"grpc": {"transport": "unix"}}}, "tcp"),
        ({"acknowledge": "always"}, "received"),
        ({"max_request_size": "64 bananas"}, "size"),
        ({"read_timeout": 60}, "duration"),
        ({"protocols": {"http": {"traces_url_path": "v1"}}}, "begin with /"),
        ({"protocols": {"http": {"paths": ["/api/otel"]}}}, "must end with /traces"),
        ({"protocols": {"http": {"paths": ["/v1/logs"], "traces_url_path": "/v1/logs"}}}, "one signal"),
        ({"protocols": {"http": {"cors": {"max_age": -1}}}}, "max_age"),
        ({"workers": 0}, "workers"),
    ],
)
def test_mistakes_are_told(settings: dict[str, Any], word: str) -> None:
    """Every wrong value is refused with what is right."""
    with pytest.raises(ValidationError, match=word):
        described(**settings)


def test_durable_is_the_default_where_there_is_a_directory(tmp_path: Path) -> None:
    """What is promised without being asked needs a place to keep it."""
    assert described().settings(tmp_path)["acknowledge"] == "durable"
    assert described().settings(None)["acknowledge"] == "received"
    assert described(acknowledge="received").settings(tmp_path)["acknowledge"] == "received"


def test_everything_the_collector_calls_by_name() -> None:
    """Keys that people paste from the Collector's configurations."""
    http = {
        "endpoint": "0.0.0.0:4318",
        "traces_url_path": "/t",
        "metrics_url_path": "/m",
        "logs_url_path": "/l",
        "max_request_body_size": "20MiB",
        "cors": {"allowed_origins": ["https://*.example.com"], "allowed_headers": ["x-key"], "exposed_headers": [], "max_age": 7200},
    }
    grpc_ = {"endpoint": "0.0.0.0:4317", "transport": "tcp", "max_recv_msg_size_mib": 16}
    description = Otlp.model_validate({"protocols": {"grpc": grpc_, "http": http}})
    assert description.settings() == {
        "grpc": {"endpoint": "0.0.0.0:4317", "max_request_bytes": 16 << 20, "tls": None},
        "http": {
            "endpoint": "0.0.0.0:4318",
            "paths": {"traces": ["/t"], "logs": ["/l"], "metrics": ["/m"]},
            "cors": {"allowed_origins": ("https://*.example.com",), "allowed_headers": ("x-key",), "exposed_headers": (), "max_age": 7200},
            "max_request_bytes": 20 << 20,
            "tls": None,
        },
        "acknowledge": "received",
        "max_request_bytes": 64 << 20,
        "workers": 1,
        "limits": {
            "max_connections": 4096,
            "max_concurrent_streams": 256,
            "read_header_timeout": 60.0,
            "read_timeout": 60.0,
            "idle_timeout": 600.0,
        },
    }


def test_further_paths(lane: _native.Lane) -> None:
    """The last part of a further path names its signal."""
    protocols = {"http": {"endpoint": "127.0.0.1:0", "paths": ["/api/public/otel/v1/traces"]}}
    with described(protocols=protocols).open(host(), {"traces": [lane]}) as running:
        for path in ("/v1/traces", "/api/public/otel/v1/traces"):
            url = f"http://{running.endpoints['otlp_http']}{path}"
            assert httpx.post(url, content=spans(1), headers={"content-type": PROTOBUF}).status_code == 200
    assert len(delivered(lane)) == 2


def test_an_address_in_use_is_told() -> None:
    """One sentence: where, what, what to do."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        message = rf"^{endpoint}: the address is in use: stop the process .* or set another endpoint"
        with pytest.raises(SojournError, match=message), described(protocols={"http": {"endpoint": endpoint}}).open(host(), {}):
            pass


def test_an_address_of_another_machine_is_told() -> None:
    """192.0.2.1 belongs to nobody (RFC 5737)."""
    protocols = {"grpc": {"endpoint": "192.0.2.1:0"}}
    with pytest.raises(SojournError, match="no such address"), described(protocols=protocols).open(host(), {}):
        pass


def test_what_asks_nobody_is_told() -> None:
    """The service warns of it, unless only this machine reaches it; a protocol's own `auth` goes before the receiver's."""
    for auth, unguarded in (({}, [4317, 4318]), ({"auth": {"authenticator": "bearer"}}, [])):
        protocols = {"grpc": {"endpoint": ":4317"}, "http": {"endpoint": ":4318"}}
        assert [endpoint.port for endpoint in Otlp.model_validate({"protocols": protocols, **auth}).unguarded()] == unguarded
    own = {"grpc": {"auth": {"authenticator": "bearer"}}, "http": {}}
    assert [endpoint.port for endpoint in described(protocols=own).unguarded()] == [4318]
    assert list(described(protocols=own).asks()) == [(("protocols", "grpc", "auth"), "bearer")]


def test_leaving_ends_the_wait_for_a_commit(lane: _native.Lane) -> None:
    """Senders that wait for a commit get it although flush_interval is long: leaving cuts the group."""

    def store() -> None:
        group = lane.next(30)
        assert group is not None
        group.commit()

    with ThreadPoolExecutor(2) as threads:
        with described(acknowledge="committed").open(host(), {"traces": [lane]}) as running:
            url = f"http://{running.endpoints['otlp_http']}/v1/traces"
            answer = threads.submit(httpx.post, url, content=spans(1), headers={"content-type": PROTOBUF}, timeout=30)
            until = threading.Event()
            while not lane.stats()["queued_rows"]:
                until.wait(0.001)
            stored = threads.submit(store)
        assert answer.result(30).status_code == 200
        stored.result(30)


@pytest.mark.skipif(sys.platform != "linux", reason="the policy is Linux's")
def test_receiving_does_not_preempt(running: Running) -> None:
    """The threads that receive wait for their turn; the one that started them is as before."""
    assert httpx.post(f"http://{running.endpoints['otlp_http']}/v1/traces", headers={"content-type": PROTOBUF}).status_code == 200
    policies = set()  # of threads that receive: at least the one that answered has its name by now
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # of another test, and gone
            if (thread / "comm").read_text().strip() == "otlp":
                policies.add(os.sched_getscheduler(int(thread.name)))
    assert policies == {os.SCHED_BATCH}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
