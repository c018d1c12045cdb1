"""HTTP/2 frame by frame, for peers that a library would not let us be."""

from __future__ import annotations

import socket
import struct
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

from hpack import Decoder, Encoder

from tests.native.wire import METHODS, connect

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENHANCE_YOUR_CALM = 11


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of RST_STREAM and GOAWAY."""
        return int.from_bytes(self.payload[4 if self.kind == GOAWAY else 0 :][:4], "big")


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def message(body: bytes, compressed: bool = False) -> bytes:
    """A message as gRPC frames it."""
    return struct.pack(">BI", compressed, len(body)) + body


@dataclass
class Peer:
    """A client of the gRPC port that says what a test wants it to say."""

    endpoint: str | None
    settings: bytes = b""
    io: socket.socket = field(init=False)
    encoder: Encoder = field(default_factory=Encoder)
    decoder: Decoder = field(default_factory=Decoder)
    read: bytes = b""

    def __post_init__(self) -> None:
        self.io = connect(self.endpoint)
        self.io.settimeout(30)
        self.say(PREFACE, frame(SETTINGS, payload=self.settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        with closing(self.io):
            pass

    def say(self, *frames: bytes) -> None:
        self.io.sendall(b"".join(frames))

    def head(self, signal: str = "traces", **more: str) -> bytes:
        """The header block of a request."""
        fields = {":method": "POST", ":scheme": "http", ":path": METHODS[signal], "content-type": "application/grpc", "te": "trailers"}
        block: bytes = self.encoder.encode(list((fields | more).items()))
        return block

    def request(self, stream: int, body: bytes, signal: str = "traces") -> bytes:
        """The frames of a whole request."""
        return frame(HEADERS, END_HEADERS, stream, self.head(signal)) + frame(DATA, END_STREAM, stream, message(body))

    def hear(self) -> Frame | None:
        """The next frame; None at the end."""
        while len(self.read) < 9 or len(self.read) < 9 + int.from_bytes(self.read[:3], "big"):
            try:
                chunk = self.io.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return None
            self.read += chunk
        length = int.from_bytes(self.read[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.read[3:9])
        told = Frame(kind, flags, stream, self.read[9 : 9 + length])
        self.read = self.read[9 + length :]
        return told

    def wait_for(self, kind: int, stream: int = 0) -> Frame:
        """The next frame of that kind."""
        while told := self.hear():
            if (told.kind, told.stream) == (kind, stream) and not (kind == SETTINGS and told.flags & ACK):
                return told
        raise AssertionError(f"the connection ended without a frame of kind {kind}")

    def status(self, stream: int) -> str:
        """How the request ended."""
        while told := self.hear():
            if told.kind == HEADERS:
                fields = dict(self.decoder.decode(told.payload))
                if told.stream == stream and told.flags & END_STREAM:
                    return str(fields["grpc-status"])
            if told.kind == RST_STREAM and told.stream == stream:
                return f"reset {told.code}"
        raise AssertionError("the connection ended without an answer")

    def pong(self) -> None:
        """Returns when everything that was said is understood."""
        self.say(frame(PING, payload=b"are you?"))
        self.wait_for(PING)

    def end(self) -> int | None:
        """How the connection ends: the code of the last GOAWAY, None if there was none."""
        code = None
        while told := self.hear():
            if told.kind == GOAWAY:
                code = told.code
        return code
