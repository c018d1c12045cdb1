"""The server beside the protocols: when senders are answered, slow and many connections, start and stop."""

from __future__ import annotations

import errno
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status

from sojourn import _native
from tests.native.wire import METHODS, PROTOBUF, connect, raw_lane, read_all, serving, spans

HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n"


def post(native: _native.Server, body: bytes) -> httpx.Response:
    return httpx.post(f"http://{native.http}/v1/traces", content=body, headers={"content-type": PROTOBUF}, timeout=30)


def gathered(lane: _native.Lane, rows: int) -> _native.Delivery:
    """The group, once it has so many rows."""
    until = threading.Event()
    while lane.stats()["queued_rows"] < rows:
        until.wait(0.001)
    lane.flush()
    group = lane.next(10)
    assert group is not None
    assert group.rows == rows
    return group


@pytest.mark.parametrize("end", ["commit", "never", "later", "lost"])
def test_committed_is_answered_when_the_group_is_settled(end: str) -> None:
    """All senders of a group wait, and hear the same: stored, never, or later, with the delay that was told."""
    lane = raw_lane(flush_rows=1 << 30)
    with serving({"traces": [lane]}, acknowledge="committed") as native, ThreadPoolExecutor(3) as senders:
        answers = [senders.submit(post, native, spans(1)) for _ in range(3)]
        group = gathered(lane, 3)
        assert not any(answer.done() for answer in answers)
        if end == "commit":
            group.commit()
        elif end == "lost":
            del group
        else:
            group.refuse("the disk is full", None if end == "never" else 7.5)
        results = [answer.result(30) for answer in answers]
    expected = {"commit": (200, None), "never": (400, None), "later": (503, "8"), "lost": (503, "1")}[end]
    assert {(result.status_code, result.headers.get("retry-after")) for result in results} == {expected}
    if end in ("never", "later"):
        assert Status.FromString(results[0].content).message == "the disk is full"


def test_committed_waits_for_every_lane() -> None:
    """A request that went to two lanes is stored when both have stored it; one refusal is the answer."""
    lanes = [raw_lane(flush_rows=1 << 30), raw_lane(flush_rows=1 << 30)]
    with serving({"traces": lanes}, acknowledge="committed") as native, ThreadPoolExecutor(1) as senders:
        answer = senders.submit(post, native, spans(1))
        first, second = (gathered(lane, 1) for lane in lanes)
        first.commit()
        assert not answer.done()
        second.refuse("no", 1.0)
        assert answer.result(30).status_code == 503


def test_committed_answers_at_once_what_there_is_nothing_to_store_of() -> None:
    """An empty request, and one that nobody stores, wait for nothing."""
    with serving({"traces": [raw_lane()]}, acknowledge="committed") as native:
        assert post(native, b"").status_code == 200


def test_received_is_answered_at_once() -> None:
    """In memory is enough, whatever becomes of the group."""
    lane = raw_lane(flush_rows=1 << 30)
    with serving({"traces": [lane]}) as native:
        assert post(native, spans(1)).status_code == 200
    gathered(lane, 1).refuse("no", None)


def test_a_slow_header_is_cut_off() -> None:
    """A connection that sends no request in time is closed, in every phase of its beginning."""
    with serving({}, limits={"read_header_timeout": 0.2}) as native:
        for begun in (b"", b"PRI * HT", HEAD):
            with closing(connect(native.http)) as connection:
                connection.sendall(begun)
                assert read_all(connection) == b""


def test_a_slow_body_is_408() -> None:
    """A body that does not come to its end in time is answered and the connection closed; neighbours are not held up."""
    with serving({"traces": [raw_lane()]}, limits={"read_timeout": 0.2}) as native, closing(connect(native.http)) as slow:
        slow.sendall(HEAD + b"content-length: 100\r\n\r\nabc")
        assert post(native, spans(1)).status_code == 200
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed() -> None:
    """After a request a connection may be silent for idle_timeout."""
    with serving({}, limits={"read_header_timeout": 0.05, "idle_timeout": 0.05}) as native, closing(connect(native.http)) as connection:
        connection.sendall(HEAD + b"content-length: 0\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


def test_a_thousand_connections_come_and_go() -> None:
    """Connections opened and dropped, in any state, leave nothing behind."""
    with serving({"traces": [raw_lane()]}) as native:
        for begun in (b"", b"PRI", HEAD, HEAD + b"content-length: 9\r\n\r\nabc", b"\0\0\0"):
            for port in (native.grpc, native.http):
                connections = [connect(port) for _ in range(100)]
                for connection in connections:
                    connection.sendall(begun)
                for connection in connections:
                    connection.close()
        assert post(native, spans(1)).status_code == 200
        until = threading.Event()
        while sum(value for name, value in native.stats().items() if name.startswith("sojourn_receiver_connections")) > 1:
            until.wait(0.01)


def test_more_connections_than_allowed_wait() -> None:
    """Over max_connections a new one waits until another ends; it is not refused."""
    with serving({"traces": [raw_lane()]}, limits={"max_connections": 2}) as native, ThreadPoolExecutor(1) as senders:
        held = [connect(native.http) for _ in range(2)]
        for connection in held:
            connection.sendall(HEAD + b"content-length: 0\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        answer = senders.submit(post, native, spans(1))
        held[0].close()
        assert answer.result(30).status_code == 200
        held[1].close()


def test_an_address_in_use_is_an_error_of_the_constructor() -> None:
    """OSError with errno and the endpoint, and nothing is left listening."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match="in use") as refused:
            _native.Server(json.dumps({"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": endpoint}}), {}, _native.Clock())
    assert refused.value.errno == errno.EADDRINUSE
    assert refused.value.filename == endpoint


@pytest.mark.parametrize("settings", ["", "{", "[]", '{"grcp": {}}', '{"http": {"endpoint": 5}}', '{"acknowledge": "always"}'])
def test_wrong_settings_are_a_value_error(settings: str) -> None:
    """Settings are checked; an unknown key is an error."""
    with pytest.raises(ValueError, match="line 1"):
        _native.Server(settings, {}, _native.Clock())


def test_a_name_without_address_is_an_error() -> None:
    """The constructor says which endpoint it was."""
    with pytest.raises(OSError, match="endpoint") as refused:
        _native.Server('{"grpc": {"endpoint": "endpoint:99999"}}', {}, _native.Clock())
    assert refused.value.filename == "endpoint:99999"


def test_stop_lets_open_requests_finish() -> None:
    """stop() takes no new connections and waits for the requests that are open."""
    lane = raw_lane(flush_rows=1 << 30)
    with (
        serving({"traces": [lane]}, acknowledge="committed") as native,
        grpc.insecure_channel(native.grpc or "") as channel,
        ThreadPoolExecutor(2) as threads,
    ):
        over_http = threads.submit(post, native, spans(1))
        over_grpc = channel.unary_unary(METHODS["traces"]).future(spans(1))
        group = gathered(lane, 2)
        stopping = threads.submit(native.stop, 30)
        until = threading.Event()
        while listens(native.http):
            until.wait(0.001)
        assert not stopping.done()
        group.commit()
        assert over_http.result(30).status_code == 200
        assert over_grpc.result(30) == b""
        stopping.result(30)


def test_stop_cuts_off_what_does_not_finish() -> None:
    """After its timeout stop() returns whatever is open; so it does on a server that was stopped."""
    lane = raw_lane(flush_rows=1 << 30)
    with serving({"traces": [lane]}, acknowledge="committed") as native, ThreadPoolExecutor(1) as senders:
        answer = senders.submit(post, native, spans(1))
        group = gathered(lane, 1)
        native.stop(0.01)
        with pytest.raises(httpx.TransportError):
            answer.result(30)
        group.commit()
        native.stop(5)


def test_stop_does_not_wait_for_silent_connections() -> None:
    """Idle connections of both protocols, also ones that never answer the farewell, do not hold up the stop."""
    with serving({"traces": [raw_lane()]}) as native:
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        with closing(connect(native.http)) as http1, closing(connect(native.grpc)) as http2, closing(connect(native.http)):
            http1.sendall(HEAD + b"content-length: 0\r\n\r\n")
            http2.sendall(preface)
            assert http1.recv(1000)
            assert http2.recv(1000)
            stopping = threading.Thread(target=native.stop, args=(60,))
            stopping.start()
            stopping.join(20)
            assert not stopping.is_alive()


def test_a_port_is_free_once_its_server_stopped() -> None:
    """The same address can be listened on again at once."""
    with serving({}) as native:
        told = json.dumps({"grpc": {"endpoint": native.grpc}})
        native.stop(1)
        again = _native.Server(told, {}, _native.Clock())
        assert again.grpc == native.grpc
        again.stop(1)


def test_a_server_that_is_forgotten_stops() -> None:
    """Without stop(), dropping the object closes its ports."""
    server = _native.Server('{"grpc": {"endpoint": "127.0.0.1:0"}}', {}, _native.Clock())
    endpoint = server.grpc
    assert listens(endpoint)
    del server
    assert not listens(endpoint)


def test_workers_share_the_work() -> None:
    """Several threads serve the same ports and lanes."""
    lane = raw_lane(flush_rows=1 << 30)
    with serving({"traces": [lane]}, workers=3) as native, ThreadPoolExecutor(8) as senders:
        codes = {answer.status_code for answer in senders.map(lambda _: post(native, spans(1)), range(100))}
    assert codes == {200}
    gathered(lane, 100).commit()


def listens(endpoint: str | None) -> bool:
    try:
        connect(endpoint).close()
    except OSError:
        return False
    return True


def test_a_request_waits_for_room_before_it_is_told_later() -> None:
    """A full queue is slow, not deaf: as soon as a group is stored, those who wait are taken."""
    lane = raw_lane(queue_bytes=100)
    with serving({"traces": [lane]}) as native, ThreadPoolExecutor() as pool:
        assert post(native, spans(1)).status_code == 200
        group = gathered(lane, 1)
        waiting = pool.submit(post, native, spans(2))
        assert group.rows == 1
        group.commit()
        assert waiting.result(30).status_code == 200
        stats = native.stats()
    assert stats.get('otelcol_receiver_refused_spans_total{transport="http"}', 0) == 0


def test_stopping_ends_the_wait_for_room() -> None:
    """Whoever waits when the lane is closed is told "later" at once."""
    lane = raw_lane(queue_bytes=100)
    with serving({"traces": [lane]}) as native, ThreadPoolExecutor() as pool:
        assert post(native, spans(1)).status_code == 200
        waiting = pool.submit(post, native, spans(2))
        lane.close()
        assert waiting.result(30).status_code == 503
