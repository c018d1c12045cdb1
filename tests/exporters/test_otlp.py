"""The otlp exporter: bytes go on as they came, nothing is sent twice, nothing is dropped in silence."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from pydantic import ValidationError

from sojourn import _native
from sojourn.component import Batch, Host, Raw
from sojourn.errors import Rejected, SojournError, Unavailable
from sojourn.exporters.otlp import Forwarding, Otlp, join
from tests.native.wire import AT, METHODS, raw_lane, records, serving, spans

Answer = Callable[[bytes, grpc.ServicerContext], bytes]


class Other:
    """The other side: a gRPC server that answers as a test says and remembers what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.metadata: dict[str, str | bytes] = {}
        self.answer: Answer = lambda body, context: b""
        self.server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", 64 << 20)])
        names = {method: signal for signal, method in METHODS.items()}

        class Handler(grpc.GenericRpcHandler):
            def service(_, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
                signal = names[details.method]
                self.metadata = {item.key: item.value for item in details.invocation_metadata}
                return grpc.unary_unary_rpc_method_handler(lambda body, context: self._take(signal, body, context))

        self.server.add_generic_rpc_handlers((Handler(),))
        self.endpoint = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def _take(self, signal: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        answer = self.answer(body, context)
        self.got.append((signal, body))
        return answer

    def close(self) -> None:
        self.server.stop(None).wait()


@pytest.fixture
def other() -> Iterator[Other]:
    with closing(Other()) as other:
        yield other


def described(endpoint: str, **settings: Any) -> Otlp:
    return Otlp.model_validate({"endpoint": endpoint, "tls": {"insecure": True}} | settings)


@pytest.fixture
def forwarding(other: Other) -> Iterator[Forwarding]:
    with described(other.endpoint, headers={"Authorization": "Bearer x"}).open(host()) as forwarding:
        yield forwarding


def host() -> Host:
    return Host(_native.Clock(AT), "test", None)


def refusing(code: grpc.StatusCode, details: str = "no", delay: float | None = None) -> Answer:
    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        if delay is not None:
            info, wrapped = RetryInfo(), AnyMessage()
            info.retry_delay.FromNanoseconds(int(delay * 1e9))
            wrapped.Pack(info)
            status = Status(code=code.value[0], message=details, details=[wrapped])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(code, details)
        raise AssertionError

    return answer


def test_requests_arrive_as_one_and_byte_for_byte(other: Other, forwarding: Forwarding) -> None:
    """Requests of a group are put one behind the other, which adds up their resources; headers go with them."""
    forwarding.export(Raw("traces", (spans(2), spans(3))))
    assert other.got == [("traces", spans(2) + spans(3))]
    assert len(ExportTraceServiceRequest.FromString(other.got[0][1]).resource_spans) == 2
    assert other.metadata["authorization"] == "Bearer x"
    forwarding.export(Raw("logs", (records(1),)))
    assert other.got[1] == ("logs", records(1))


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_our_own_receiver_takes_it(compression: str) -> None:
    """From one Sojourn to the next, with and without compression; a plain URL needs no tls block."""
    lane = raw_lane()
    with serving({"traces": [lane]}) as native, ExitStack() as stack:
        description = Otlp.model_validate({"endpoint": f"http://{native.grpc}", "compression": compression})
        forwarding = stack.enter_context(description.open(host()))
        forwarding.export(Raw("traces", (spans(500),)))
    group = lane.next(10)
    assert group is not None
    assert group.raw() == [("traces", spans(500))]


def test_joining_stops_at_the_size() -> None:
    """Order stays; a request over the size goes alone."""
    assert list(join([b"aa", b"bb", b"c", b"dddddd", b"e"], 5)) == [(b"aa", b"bb", b"c"), (b"dddddd",), (b"e",)]
    assert list(join([], 5)) == []


def test_many_requests_are_in_flight(other: Other) -> None:
    """More requests than may be in flight are all sent."""
    with described(other.endpoint, max_request_size=1, in_flight=3).open(host()) as forwarding:
        forwarding.export(Raw("traces", tuple(spans(1, name=str(number)) for number in range(50))))
    assert sorted(body for _, body in other.got) == sorted(spans(1, name=str(number)) for number in range(50))


@pytest.mark.parametrize("code", ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"])
def test_what_may_pass_is_unavailable(other: Other, forwarding: Forwarding, code: str) -> None:
    """Retryable codes are 'later', with a wait of about initial_interval, and the next attempt sends it."""
    other.answer = refusing(grpc.StatusCode[code])
    group = Raw("traces", (spans(1),))
    with pytest.raises(Unavailable, match=code) as later:
        forwarding.export(group)
    assert 2.5 <= later.value.retry_after <= 7.5
    other.answer = lambda body, context: b""
    forwarding.export(group)
    assert other.got == [("traces", spans(1))]


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAUTHENTICATED", "UNIMPLEMENTED", "INTERNAL", "RESOURCE_EXHAUSTED", "UNKNOWN"])
def test_what_never_passes_is_rejected(other: Other, forwarding: Forwarding, code: str) -> None:
    """Permanent codes are 'never', with the words of the other side. RESOURCE_EXHAUSTED is one if it comes without RetryInfo."""
    other.answer = refusing(grpc.StatusCode[code], "bad data")
    with pytest.raises(Rejected, match=f"1 of 1 requests .*{code}: bad data"):
        forwarding.export(Raw("traces", (spans(1),)))


def test_a_bad_request_does_not_harm_its_neighbours(other: Other, forwarding: Forwarding) -> None:
    """Joined requests that are refused are sent one by one: only the bad one is lost, and that is said."""
    bad = spans(1, name="bad")
    refuse = refusing(grpc.StatusCode.INVALID_ARGUMENT)
    other.answer = lambda body, context: refuse(body, context) if b"bad" in body else b""
    with pytest.raises(Rejected, match="1 of 3 requests were refused"):
        forwarding.export(Raw("traces", (spans(1), bad, spans(2))))
    assert sorted(body for _, body in other.got) == sorted([spans(1), spans(2)])


def test_what_was_taken_is_not_sent_again(other: Other) -> None:
    """When a part of a group has to wait, the next attempt sends that part only."""
    refuse = refusing(grpc.StatusCode.UNAVAILABLE)
    other.answer = lambda body, context: refuse(body, context) if b"slow" in body else b""
    group = Raw("traces", (spans(1), spans(1, name="slow"), spans(2)))
    with described(other.endpoint, max_request_size=1).open(host()) as forwarding:
        with pytest.raises(Unavailable):
            forwarding.export(group)
        other.answer = lambda body, context: b""
        forwarding.export(group)
    assert sorted(body for _, body in other.got) == sorted(group.requests)


def test_the_other_side_may_ask_for_time(other: Other, forwarding: Forwarding) -> None:
    """RetryInfo is the least to wait: until then nothing is sent, whoever asks."""
    other.answer = refusing(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", delay=42.5)
    group = Raw("traces", (spans(1),))
    with pytest.raises(Unavailable) as later:
        forwarding.export(group)
    assert later.value.retry_after == 42.5
    other.answer = lambda body, context: b""
    with pytest.raises(Unavailable, match="asked for time") as later:
        forwarding.export(group)
    assert 40 < later.value.retry_after <= 42.5
    assert other.got == []


def test_our_own_later_is_understood() -> None:
    """A full Sojourn says when to come back, and the exporter waits at least that long."""
    full = raw_lane(queue_bytes=10)
    retry = {"initial_interval": "1ms", "max_interval": "1ms"}
    with serving({"traces": [full]}) as native, described(str(native.grpc), retry_on_failure=retry).open(host()) as forwarding:
        forwarding.export(Raw("traces", (spans(1),)))
        with pytest.raises(Unavailable, match="the queue is full") as later:
            forwarding.export(Raw("traces", (spans(1),)))
    assert later.value.retry_after == 1.0


def test_waits_grow_up_to_a_bound(other: Other) -> None:
    """Each wait is `multiplier` times the one before, at most max_interval, with chance around it."""
    other.answer = refusing(grpc.StatusCode.UNAVAILABLE)
    retry = {"initial_interval": "1s", "max_interval": "4s", "multiplier": 2, "randomization_factor": 0}
    group, waits = Raw("traces", (spans(1),)), []
    with described(other.endpoint, retry_on_failure=retry).open(host()) as forwarding:
        for _ in range(5):
            with pytest.raises(Unavailable) as later:
                forwarding.export(group)
            waits.append(later.value.retry_after)
    assert waits == [1, 2, 4, 4, 4]


@pytest.mark.parametrize("retry", [{"enabled": False}, {"max_elapsed_time": "1ns"}])
def test_giving_up_is_said(other: Other, retry: dict[str, Any]) -> None:
    """Without retries, or when their time is over, the data is rejected, never dropped in silence."""
    other.answer = refusing(grpc.StatusCode.UNAVAILABLE)
    with described(other.endpoint, retry_on_failure=retry).open(host()) as forwarding, pytest.raises(Rejected, match="given up"):
        forwarding.export(Raw("traces", (spans(1),)))


def test_nobody_there_is_unavailable() -> None:
    """A refused connection is 'later'."""
    with closing(Other()) as gone:
        endpoint = gone.endpoint
    with described(endpoint, timeout="2s").open(host()) as forwarding, pytest.raises(Unavailable, match=endpoint):
        forwarding.export(Raw("traces", (spans(1),)))


def test_a_partial_success_is_told_and_counted(other: Other, forwarding: Forwarding, caplog: pytest.LogCaptureFixture) -> None:
    """It is not sent again, as the specification asks, but the loss is an ERROR, once, and counted."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 7
    response.partial_success.error_message = "too old"
    other.answer = lambda body, context: response.SerializeToString()
    with caplog.at_level(logging.ERROR):
        forwarding.export(Raw("traces", (spans(1),)))
        forwarding.export(Raw("traces", (spans(1),)))
    assert [record.message.count("rejected 7 traces: too old") for record in caplog.records] == [1]
    assert forwarding.meters() == {"sojourn_exporter_rejected_items_total": 14}


def test_columns_are_refused(forwarding: Forwarding) -> None:
    """It sends requests; the engine makes them of rows."""
    with pytest.raises(TypeError, match="not rows"):
        forwarding.export(Batch("otel_traces", None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"endpoint": "gateway"}, "host:port"),
        ({"endpoint": "http://gateway:4317/v1/traces"}, "host:port"),
        ({"endpoint": "gateway:99999"}, "host:port"),
        ({"compression": "snappy"}, "gzip"),
        ({"tls": {"cert_file": "a.pem"}}, "belong together"),
        ({"retry_on_failure": {"multiplier": 0.5}}, "multiplier"),
        ({"timeout": 5}, "duration"),
    ],
)
def test_mistakes_are_told(settings: dict[str, Any], word: str) -> None:
    """Every wrong value is refused with what is right."""
    with pytest.raises(ValidationError, match=word):
        Otlp.model_validate({"endpoint": "gateway:4317"} | settings)


def test_a_missing_certificate_is_told() -> None:
    """The path, and what to do."""
    description = Otlp.model_validate({"endpoint": "gateway:4317", "tls": {"ca_file": "/nowhere/ca.pem"}})
    with pytest.raises(SojournError, match=r"/nowhere/ca\.pem: cannot be read"), description.open(host()):
        pass


def test_secrets_are_not_printed() -> None:
    """Headers are secrets."""
    description = described("gateway:4317", headers={"authorization": "Bearer hidden"})
    assert "hidden" not in repr(description) + description.model_dump_json()


def test_forwarding_loads_nothing_heavy() -> None:
    """A forwarding sidecar stays small: no numpy, pyarrow, chdb or protobuf, and no grpc before open()."""
    code = (
        "import sys, sojourn.exporters.otlp, sojourn.receivers.otlp\n"
        "assert 'grpc' not in sys.modules\n"
        "description = sojourn.exporters.otlp.Otlp(endpoint='http://127.0.0.1:1')\n"
        "with description.open(None): pass\n"
        "assert 'grpc' in sys.modules\n"
        "heavy = {'numpy', 'pyarrow', 'chdb', 'google.protobuf', 'starlette', 'clickhouse_connect'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
