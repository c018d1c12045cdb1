"""Any bytes on the sockets of the receiver: whoever sends them harms nobody, and the next sender is served."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn import _native
from tests.native.wire import PROTOBUF, connect, over_http2, raw_lane, serving, spans

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes(3) + b"\x04" + bytes(5)
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n"
LINES = [
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"content-encoding: gzip\r\n",
    b"content-type: application/json\r\n",
    b"\r\n",
]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A connection of HTTP/2 as nobody would make it: frames of any type, flags and stream, whose lengths may lie."""
    sent = PREFACE + (SETTINGS if draw(st.booleans()) else b"")
    for _ in range(draw(st.integers(0, 6))):
        body = draw(st.binary(max_size=40))
        length = draw(st.just(len(body)) | st.integers(0, 2**24 - 1))
        stream = draw(st.sampled_from([0, 1, 2, 3, 2**31 - 1]))
        sent += length.to_bytes(3, "big") + bytes([draw(st.integers(0, 12)), draw(st.integers(0, 255))]) + stream.to_bytes(4, "big") + body
    return sent


@pytest.fixture(scope="module")
def server() -> Iterator[_native.Server]:
    with serving({"traces": [raw_lane(flush_rows=1 << 30)]}, limits={"read_header_timeout": 1.0, "read_timeout": 1.0}) as server:
        yield server


def throw(endpoint: str | None, sent: bytes) -> None:
    with connect(endpoint) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def serves(server: _native.Server) -> None:
    answer = httpx.post(f"http://{server.http}/v1/traces", content=spans(1), headers={"content-type": PROTOBUF}, timeout=30)
    assert answer.status_code == 200
    answer = over_http2(server.grpc, "/nowhere", b"", {"content-type": "application/grpc"})
    assert answer.headers["grpc-status"] == "12"


@settings(max_examples=20, deadline=None)
@given(st.lists(frames() | st.binary(max_size=60), min_size=1, max_size=4))
def test_the_grpc_port_survives_anything(server: _native.Server, connections: list[bytes]) -> None:
    for sent in connections:
        throw(server.grpc, sent)
    serves(server)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(LINES) | st.binary(max_size=20), max_size=4), st.binary(max_size=40)), min_size=1, max_size=4
    )
)
def test_the_http_port_survives_anything(server: _native.Server, connections: list[tuple[list[bytes], bytes]]) -> None:
    for lines, body in connections:
        throw(server.http, HEAD + b"".join(lines) + body)
        throw(server.http, PREFACE + body)
    serves(server)
