"""The gRPC port frame by frame: requests that wait hold nobody up, and hostile peers get nowhere."""

from __future__ import annotations

import resource
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from sojourn import _native
from tests.native.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Peer,
    frame,
    message,
)
from tests.native.wire import METHODS, connect, raw_lane, read_all, serving, spans


@pytest.fixture
def lane() -> _native.Lane:
    return raw_lane(flush_rows=1 << 30)


@pytest.fixture
def native(lane: _native.Lane) -> Iterator[_native.Server]:
    with serving({"traces": [lane]}) as native:
        yield native


def group(lane: _native.Lane, rows: int) -> _native.Delivery:
    """The group, once it has so many rows."""
    until = threading.Event()
    while lane.stats()["queued_rows"] < rows:
        until.wait(0.001)
    lane.flush()
    group = lane.next(10)
    assert group is not None
    return group


def test_a_whole_connection(native: _native.Server, lane: _native.Lane) -> None:
    """Requests one by one and many at once, in one piece and in many."""
    with Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1)))
        assert peer.status(1) == "0"
        peer.say(*(peer.request(stream, spans(2)) for stream in range(3, 203, 2)))
        assert {peer.status(stream) for stream in range(3, 203, 2)} == {"0"}
        body = message(spans(3))
        peer.say(frame(HEADERS, END_HEADERS, 203, peer.head()))
        for byte in range(len(body)):
            peer.say(frame(DATA, 0, 203, body[byte : byte + 1]))
        peer.say(frame(HEADERS, END_HEADERS | END_STREAM, 203, peer.encoder.encode([("trailer", "x")])))
        assert peer.status(203) == "0"
    assert group(lane, 204).rows == 204
    assert native.stats()['otelcol_receiver_requests_total{signal="traces",transport="grpc",outcome="success"}'] == 102
    assert native.stats()['sojourn_receiver_request_seconds_count{signal="traces",transport="grpc"}'] == 102


def test_who_waits_for_a_commit_holds_nobody_up(lane: _native.Lane) -> None:
    """While requests wait for their group, pings, other requests and other signals of the same connection go on."""
    with serving({"traces": [lane]}, acknowledge="committed") as native, Peer(native.grpc) as peer:
        peer.say(*(peer.request(stream, spans(1)) for stream in range(1, 101, 2)))
        peer.say(peer.request(101, b"", "metrics"))
        assert peer.status(101) == "0"
        peer.pong()
        first = group(lane, 50)
        peer.say(*(peer.request(stream, spans(1)) for stream in range(103, 203, 2)))
        second = group(lane, 50)
        second.refuse("no", 1.0)
        assert {peer.status(stream) for stream in range(103, 203, 2)} == {"14"}
        first.commit()
        assert {peer.status(stream) for stream in range(1, 101, 2)} == {"0"}


def test_who_waits_for_room_holds_nobody_up() -> None:
    """While the lane is nearly full its requests wait unread; their connection does not, and they go on when there is room."""
    lane = raw_lane(queue_bytes=100)
    with serving({"traces": [lane]}) as native, Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1)))
        assert peer.status(1) == "0"
        full = group(lane, 1)
        peer.say(*(peer.request(stream, spans(1)) for stream in (3, 5, 7)), peer.request(9, b"", "logs"))
        assert peer.status(9) == "0"
        peer.pong()
        full.commit()
        assert peer.status(3) == "0"
        for stream in (5, 7):
            group(lane, 1).commit()
            assert peer.status(stream) == "0"
    assert native.stats()['otelcol_receiver_accepted_spans_total{transport="grpc"}'] == 4


def test_a_body_that_waits_for_room_is_not_granted_more() -> None:
    """At most a window of it is held; the rest waits at the sender."""
    lane = raw_lane(queue_bytes=2000)
    with serving({"traces": [lane]}) as native, Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1, padding=1900)))
        assert peer.status(1) == "0"
        full = group(lane, 1)
        body = message(spans(3000, padding=500))
        window = (1 << 20) - 100
        frames = [frame(DATA, 0, 3, body[at : at + 16_000]) for at in range(0, window - 16_000, 16_000)]
        sent = len(frames) * 16_000
        peer.say(frame(HEADERS, END_HEADERS, 3, peer.head()), *frames)
        peer.say(frame(PING, payload=b"are you?"))
        while (told := peer.hear()) and told.kind != PING:
            assert told.kind != WINDOW_UPDATE
        full.commit()
        granted = struct.unpack(">I", peer.wait_for(WINDOW_UPDATE, 3).payload)[0]
        assert granted >= sent
        rest = [frame(DATA, 0, 3, body[at : at + 16_000]) for at in range(sent, len(body), 16_000)]
        peer.say(*rest, frame(DATA, END_STREAM, 3))
        assert peer.status(3) == "0"
        assert [taken for _, taken in group(lane, 3000).raw()] == [body[5:]]


def test_waiting_for_room_ends_when_patience_does() -> None:
    """After some seconds a request is decoded all the same, and the lane says that it is full."""
    lane = raw_lane(queue_bytes=10)
    with serving({"traces": [lane]}) as native, Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1)), peer.request(3, spans(1)))
        assert (peer.status(1), peer.status(3)) == ("0", "14")


def test_closing_a_lane_ends_the_wait_for_room() -> None:
    """Whoever waits when the lane is closed is told "later" at once."""
    lane = raw_lane(queue_bytes=10)
    with serving({"traces": [lane]}) as native, Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1)), peer.request(3, spans(1)))
        assert peer.status(1) == "0"
        peer.pong()
        lane.close()
        assert peer.status(3) == "14"


def test_bad_data_has_details(native: _native.Server) -> None:
    """INVALID_ARGUMENT comes with google.rpc.BadRequest, as OTLP asks."""
    with grpc.insecure_channel(native.grpc or "") as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(METHODS["traces"])(b"\xff" * 20, timeout=30)
    status = Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"])
    assert (status.code, status.message) == (3, refused.value.details())
    detail = BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].description == status.message


def test_many_calls_over_few_streams(lane: _native.Lane) -> None:
    """A client that is told how many streams it may open keeps to it, and all its calls are answered."""
    with serving({"traces": [lane]}, limits={"max_concurrent_streams": 2}) as native, grpc.insecure_channel(native.grpc or "") as channel:
        call = channel.unary_unary(METHODS["traces"])
        assert {pending.result(30) for pending in [call.future(spans(1)) for _ in range(300)]} == {b""}
    assert group(lane, 300).rows == 300


def test_streams_over_the_limit_are_refused(lane: _native.Lane) -> None:
    """REFUSED_STREAM tells a client that nothing was done, so that it may try again."""
    with serving({"traces": [lane]}, limits={"max_concurrent_streams": 2}) as native, Peer(native.grpc) as peer:
        peer.say(*(frame(HEADERS, END_HEADERS, stream, peer.head()) for stream in (1, 3, 5)))
        assert peer.status(5) == "reset 7"
        peer.say(frame(DATA, END_STREAM, 5, message(spans(1))), frame(DATA, END_STREAM, 1, message(spans(1))))
        assert peer.status(1) == "0"


def test_metadata_of_all_sorts(native: _native.Server) -> None:
    """Any number of fields that clients add, in text or binary, new in every call or the same."""
    with grpc.insecure_channel(native.grpc or "") as channel:
        call = channel.unary_unary(METHODS["traces"])
        for number in range(100):
            metadata = [(f"x-{number}-{field}", "v" * field) for field in range(0, 60)] + [("x-bin", bytes(range(256))), ("x-same", "same")]
            assert call(spans(1), metadata=metadata, timeout=30) == b""


def test_too_many_fields_are_431(native: _native.Server) -> None:
    """A list of fields over 32 KiB is refused; the connection goes on."""
    with Peer(native.grpc) as peer:
        block = peer.head(**{f"x-{number}": "v" * 1000 for number in range(40)})
        parts = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
        peer.say(frame(HEADERS, END_STREAM, 1, parts[0]))
        peer.say(*(frame(CONTINUATION, END_HEADERS if part is parts[-1] else 0, 1, part) for part in parts[1:]))
        answer = peer.wait_for(HEADERS, 1)
        assert dict(peer.decoder.decode(answer.payload)) == {":status": "431"}
        peer.say(peer.request(3, spans(1)))
        assert peer.status(3) == "0"


def test_a_deadline_of_the_client(lane: _native.Lane) -> None:
    """Calls that their client gives up end without harm: what was taken is stored, and others get their answers."""
    with serving({"traces": [lane]}, acknowledge="committed") as native, grpc.insecure_channel(native.grpc or "") as channel:
        call = channel.unary_unary(METHODS["traces"])
        with pytest.raises(grpc.RpcError) as late:
            call(spans(1), timeout=0.2)
        assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        there = call.future(spans(1), timeout=30)
        group(lane, 2).commit()
        assert there.result() == b""


def test_a_slow_body_is_deadline_exceeded(lane: _native.Lane) -> None:
    """A body that does not come to its end in time is answered, and its connection goes on."""
    with serving({"traces": [lane]}, limits={"read_timeout": 0.2}) as native, Peer(native.grpc) as peer:
        peer.say(frame(HEADERS, END_HEADERS, 1, peer.head()), frame(DATA, 0, 1, message(spans(1))[:-1]))
        assert peer.status(1) == "4"
        peer.say(frame(HEADERS, END_HEADERS, 3, peer.head()))
        assert peer.status(3) == "4"
        peer.say(peer.request(5, spans(1)))
        assert peer.status(5) == "0"


@pytest.mark.parametrize("begun", [b"", PREFACE[:9], PREFACE, PREFACE + frame(SETTINGS), PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1)])
def test_a_slow_beginning_is_cut_off(begun: bytes) -> None:
    """A connection without a request in time is closed, in every phase of its beginning."""
    with serving({}, limits={"read_header_timeout": 0.2}) as native, connect(native.grpc) as connection:
        connection.sendall(begun)
        assert read_all(connection)[3] == SETTINGS


def test_a_silent_connection_is_closed(lane: _native.Lane) -> None:
    """After a request a connection may be silent for idle_timeout; pings do not count."""
    with serving({"traces": [lane]}, limits={"idle_timeout": 0.2}) as native, Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1)))
        assert peer.status(1) == "0"
        peer.pong()
        assert peer.end() == 0


def test_who_does_not_read_answers_is_cut_off(lane: _native.Lane) -> None:
    """Answers that nobody takes are bounded: reading stops, and after a while the connection ends."""
    with serving({"traces": [lane]}, limits={"read_timeout": 0.3}) as native, Peer(native.grpc) as peer:
        peer.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, peer.head()))
        block = peer.head()
        requests = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, stream, block) for stream in range(3, 1 << 20, 2))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ConnectionError):
            peer.say(requests)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


def test_who_reads_late_gets_every_answer(native: _native.Server) -> None:
    """Where answers are not read, requests are not read either; both go on when they are."""

    def answered() -> float:
        return native.stats().get('otelcol_receiver_requests_total{signal="traces",transport="grpc",outcome="failed"}', 0)

    with Peer(native.grpc) as peer:
        peer.io.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        peer.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, peer.head()))
        block, streams = peer.head(), range(3, 80_000, 2)
        talking = threading.Thread(target=peer.say, args=[frame(HEADERS, END_HEADERS | END_STREAM, stream, block) for stream in streams])
        talking.start()
        before, until = -1.0, threading.Event()
        while before != (before := answered()):
            until.wait(0.1)
        assert before < len(streams)
        heard: list[int] = []
        while len(heard) < len(streams) + 1:
            told = peer.hear()
            assert told is not None
            if told.kind == HEADERS:
                heard.append(told.stream)
        assert heard == [1, *streams]
        talking.join()


Flood = Callable[[Peer], bytes]
FLOODS: dict[str, Flood] = {
    "rapid reset": lambda peer: b"".join(
        frame(HEADERS, END_HEADERS, stream, peer.head()) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(1, 40_000, 2)
    ),
    "pings": lambda _: frame(PING, payload=bytes(8)) * 20_000,
    "settings": lambda _: frame(SETTINGS) * 20_000,
    "priorities": lambda _: frame(PRIORITY, 0, 1, bytes(5)) * 20_000,
    "windows": lambda _: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01") * 20_000,
    "empty data": lambda peer: frame(HEADERS, END_HEADERS, 1, peer.head()) + frame(DATA, 0, 1) * 20_000,
    "continuation": lambda _: frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, bytes(1000)) * 20_000,
    "unknown": lambda _: frame(200, 0, 0, b"x") * 20_000,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_are_cut_off(native: _native.Server, flood: str) -> None:
    """Frames that cost us work and give us nothing end the connection; neighbours are served meanwhile."""
    with Peer(native.grpc) as peer, Peer(native.grpc) as neighbour:
        said = FLOODS[flood](peer)
        told: list[int | None] = []
        listener = threading.Thread(target=lambda: told.append(peer.end()))
        listener.start()
        with suppress(ConnectionError):  # it may be cut off before everything is said
            peer.say(said)
        listener.join()
        assert told in ([ENHANCE_YOUR_CALM], [None])
        neighbour.say(neighbour.request(1, spans(1)))
        assert neighbour.status(1) == "0"


def test_http_1_is_turned_away(native: _native.Server) -> None:
    """Whoever speaks HTTP/1.1 here is told so in the GOAWAY and closed."""
    with connect(native.grpc) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"gRPC" in read_all(connection)


def test_a_stop_is_announced(lane: _native.Lane) -> None:
    """GOAWAY, then whatever was begun is served, then the last GOAWAY with the last stream that was."""
    with serving({"traces": [lane]}, acknowledge="committed") as native, Peer(native.grpc) as peer:
        peer.say(peer.request(1, spans(1)))
        held = group(lane, 1)
        stopping = threading.Thread(target=native.stop, args=(30,))
        stopping.start()
        assert peer.wait_for(GOAWAY).payload[:4] == b"\x7f\xff\xff\xff"
        ping = peer.wait_for(PING)
        peer.say(peer.request(3, spans(1)), frame(PING, 1, 0, ping.payload))
        assert peer.wait_for(GOAWAY).payload[:4] == b"\0\0\0\x03"
        held.commit()
        assert peer.status(1) == "0"
        group(lane, 1).commit()
        assert peer.status(3) == "0"
        assert peer.end() is None
        stopping.join()
