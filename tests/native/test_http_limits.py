"""Hostile peers of the HTTP port, which speaks HTTP/1.1 and HTTP/2: floods, and headers that never end."""

from __future__ import annotations

import resource
from contextlib import closing

import httpx

from tests.native.frames import END_HEADERS, ENHANCE_YOUR_CALM, HEADERS, RST_STREAM, Peer, frame
from tests.native.wire import PROTOBUF, connect, raw_lane, serving, spans


def test_streams_that_are_reset_at_once() -> None:
    """CVE-2023-44487: whoever opens streams and resets them again and again is sent away; others are served, memory stays."""
    with serving({"traces": [raw_lane()]}) as native:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Peer(native.http) as peer:
            stream = 1
            try:
                for _ in range(400):
                    flood = b""
                    for _ in range(100):
                        flood += frame(HEADERS, END_HEADERS, stream, peer.head()) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
                        stream += 2
                    peer.say(flood)
            except OSError:
                pass  # it was sent away already
            assert peer.end() in (ENHANCE_YOUR_CALM, None)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
        answer = httpx.post(f"http://{native.http}/v1/traces", content=spans(), headers={"content-type": PROTOBUF}, timeout=30)
        assert answer.status_code == 200


def test_headers_are_bounded() -> None:
    """Too many, too long, or without an end: 431, or the connection ends; nobody else notices."""
    with serving({"traces": [raw_lane()]}, limits={"read_header_timeout": 1.0}) as native:
        for head in (b"x: " + b"y" * 100_000, b"".join(b"x%d: y\r\n" % number for number in range(5_000))):
            with closing(connect(native.http)) as io:
                try:
                    io.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n")
                    answer = io.recv(100)
                except ConnectionError:
                    answer = b""
                assert answer == b"" or b" 431 " in answer
        with closing(connect(native.http)) as io:
            io.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nx: ")  # and nothing more
            io.settimeout(30)
            assert b" 200 " not in io.recv(100)
        answer = httpx.post(f"http://{native.http}/v1/traces", content=spans(), headers={"content-type": PROTOBUF}, timeout=30)
        assert answer.status_code == 200
