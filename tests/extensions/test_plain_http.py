"""The small HTTP server answers GET and nothing else, whatever is sent to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sojourn.config.types import Endpoint
from sojourn.extensions import plain_http
from sojourn.extensions.plain_http import Answer, serve


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    def answer(path: str) -> Answer:
        if path == "/fail":
            raise RuntimeError("no")
        return Answer(200, f"you asked for {path}\n")

    with serve(Endpoint("127.0.0.1", 0), answer, "test") as where:
        host, _, port = where.rpartition(":")
        yield host, int(port)


def said(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", b"200", b"you asked for /a\n"),
        (b"HEAD / HTTP/1.0\r\n\r\n", b"200", b""),
        (b"POST / HTTP/1.1\r\n\r\nx=y", b"405", b"only GET is answered here\n"),
        (b"GET /fail HTTP/1.1\r\n\r\n", b"500", b"this cannot be answered now\n"),
        (b"nonsense\r\n\r\n", b"400", b"only GET is answered here\n"),
        (b"\x16\x03\x01\x02\x00\x01", b"400", b"only GET is answered here\n"),
        (b"", b"400", b"only GET is answered here\n"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"400", b""),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n", b"400", b""),
    ],
)
def test_any_bytes_get_an_answer(address: tuple[str, int], request_: bytes, status: bytes, body: bytes) -> None:
    """A wrong request is told so; a long one is cut off."""
    try:
        answer = said(address, request_)
    except OSError:  # reset: the rest of what was sent is not read
        assert len(request_) > plain_http.MAX_REQUEST
        return
    assert answer.split()[1] == status
    assert answer.endswith(body)


def test_silent_client_holds_nobody_up(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that say nothing do not keep others from their answer; too many of them are let go."""
    silent = [socket.create_connection(address, timeout=10) for _ in range(plain_http.MAX_OPEN - 1)]
    assert said(address, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
    for connection in silent:
        connection.close()


def test_taken_port_is_an_error(address: tuple[str, int]) -> None:
    """Two cannot listen at one port, and the second is told at once."""
    with pytest.raises(OSError, match="in use"), serve(Endpoint(*address), lambda path: Answer(200, ""), "second"):
        pass
