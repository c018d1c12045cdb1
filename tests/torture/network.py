"""A way to the database that fails: connections are reset, stalled or cut off in the middle, in both directions."""

from __future__ import annotations

import random
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

STALL: Final = 1.5
"""Seconds for which nothing moves, before the connection is reset."""


@dataclass
class Proxy:
    """Passes everything on, unless it is evil: then most connections come to a bad end after some bytes."""

    target: int
    seed: int
    evil: bool = False
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def __post_init__(self) -> None:
        self.port = int(self._listener.getsockname()[1])
        self._chance = random.Random(self.seed)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.evil and self._chance.random() < 0.15:
                    self._spoil(data, source, sink)
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _spoil(self, data: bytes, source: socket.socket, sink: socket.socket) -> None:
        how = self._chance.choice(("reset", "stall", "truncate"))
        if how == "truncate":
            sink.sendall(data[: self._chance.randrange(len(data))])
        if how == "stall":
            threading.Event().wait(STALL)
        for end in (source, sink):
            if how != "truncate":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
