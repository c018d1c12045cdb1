"""Answers GET over HTTP with a short text: enough for health and metrics, and light enough for a sidecar.

The standard library's http.server would do the same with 2 MB more resident memory, for e-mail parsing and TLS that nobody uses here.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sojourn.config.types import Endpoint

MAX_REQUEST: Final = 8192
MAX_OPEN: Final = 32
TIMEOUT: Final = 3.0
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, endpoint: Endpoint, answer: Callable[[str], Answer]) -> None:
        bind = Endpoint.parse(endpoint.bind)
        self.address_family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
        self.answer = answer
        self.open = threading.BoundedSemaphore(MAX_OPEN)
        super().__init__((bind.host, bind.port), _Request)

    def process_request(self, request: object, client_address: object) -> None:
        """A thread for each, but never more than MAX_OPEN: whoever comes then is let go."""
        if self.open.acquire(blocking=False):
            super().process_request(request, client_address)  # type: ignore[arg-type]
        else:
            self.shutdown_request(request)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self.open.release()

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("plain_http: a client went away", exc_info=True)


class _Request(socketserver.StreamRequestHandler):
    timeout = TIMEOUT
    server: _Server

    def handle(self) -> None:
        method, path = self._read()
        answer = self._ask(path) if method in ("GET", "HEAD") else Answer(405 if method else 400, "only GET is answered here\n")
        body = answer.body.encode()
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.wfile.write(head.encode() + (b"" if method == "HEAD" else body))

    def _read(self) -> tuple[str, str]:
        """Method and path of the request; ('', '') for what is none. The head is read to its end, so that closing does not reset."""
        line = self.rfile.readline(MAX_REQUEST)
        left = MAX_REQUEST - len(line)
        while left > 0 and (header := self.rfile.readline(left)) not in (b"\r\n", b"\n", b""):
            left -= len(header)
        parts = line.split()
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1.") or left <= 0:
            return "", ""
        return parts[0].decode("latin-1"), parts[1].decode("latin-1").partition("?")[0]

    def _ask(self, path: str) -> Answer:
        try:
            return self.server.answer(path)
        except Exception:
            log.exception("plain_http: cannot answer %s", path)
            return Answer(500, "this cannot be answered now\n")


@contextmanager
def serve(endpoint: Endpoint, answer: Callable[[str], Answer], name: str) -> Iterator[str]:
    """Answer GET of any path with `answer(path)`, each in a thread of its own; gives host:port. OSError if the port is taken."""
    server = _Server(endpoint, answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name=name)
    thread.start()
    try:
        host, port = server.server_address[:2]
        yield str(Endpoint(str(host), int(port)))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
