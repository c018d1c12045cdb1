"""A ClickHouse server for tests that kill it: the embedded engine behind the HTTP protocol, in a process of its own.

python -m tests.torture.database DIRECTORY PORT
"""

from __future__ import annotations

import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame

from sojourn.storage import embedded
from tests.torture.server import INSERTS

_TRANSPORT: Final = re.compile(
    "query|database|default_format|user|password|role|client_.*|session_.*|query_id|wait_end_of_query|enable_http_compression|param_.*|"
    "send_progress_in_http_headers|http_headers_.*|compress|decompress|buffer_size|cancel_http_readonly_queries_on_client_close"
)
_INSERT: Final = re.compile(rb"\s*INSERT\s+INTO\s+(.*?)\s+FORMAT\s+Native\s*", re.IGNORECASE | re.DOTALL)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    path_of_engine: str

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return None  # the sender died: nothing of this counts
        pairs = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if "lz4" in self.headers.get("content-encoding", ""):
            body = lz4.frame.decompress(body)
        if self.headers.get("content-type", "").startswith("multipart/form-data"):
            pairs |= _form(self.headers["content-type"], body)
            body = b""
        if not pairs.get("query") and not body:
            return self._answer(200, b"Ok.\n")
        try:
            self._answer(200, self._run(pairs, body), pairs)
        except RuntimeError as error:
            self._answer(500, f"{error}\n".encode(), pairs, code=re.search(r"Code: (\d+)", str(error)))
        return None

    def _run(self, pairs: dict[str, str], body: bytes) -> bytes:
        connection: Any = chdb.connect(self.path_of_engine)  # type: ignore[no-untyped-call]
        try:
            if database := pairs.get("database"):
                connection.query(f"USE `{database}`")
            query = pairs.get("query", "").encode()
            if found := _INSERT.match(query or body):
                os.write(1, INSERTS + b"\n")
                _insert(connection, found[1].decode(), body if query else body[found.end() :], pairs)
                return b""
            parameters = {name.removeprefix("param_"): value for name, value in pairs.items() if name.startswith("param_")}
            answer = connection.query((query + b"\n" + body).decode(), pairs.get("default_format", "TabSeparated"), params=parameters)
            return bytes(answer.bytes())
        finally:
            connection.close()

    def _answer(self, status: int, body: bytes, pairs: dict[str, str] | None = None, code: re.Match[str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if pairs:
            self.send_header("X-ClickHouse-Format", pairs.get("default_format", "Native"))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code[1])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def _insert(connection: Any, target: str, block: bytes, pairs: dict[str, str]) -> None:
    settings = {name: value for name, value in pairs.items() if not _TRANSPORT.fullmatch(name)}
    chosen = " SETTINGS " + ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items()) if settings else ""
    file = os.memfd_create("insert")  # send_insert() does not tell what went wrong while rows were written
    with os.fdopen(file, "wb") as memory:
        memory.write(block)
        memory.flush()
        connection.query(f"INSERT INTO {target} FROM INFILE '/dev/fd/{file}'{chosen} FORMAT Native")


def _literal(value: str) -> str:
    return value if re.fullmatch(r"\d+", value) else "'" + value.replace("'", "\\'") + "'"


def _form(content_type: str, body: bytes) -> dict[str, str]:
    from email.parser import BytesParser

    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = ((part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in message.walk())
    return {str(name): payload.decode() for name, payload in parts if name and isinstance(payload, bytes)}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # those who are killed in the middle are what this is for
            super().handle_error(request, client_address)


def main(directory: str, port: str) -> None:
    client = embedded.connect(Path(directory))
    Handler.path_of_engine = directory
    server = Server(("127.0.0.1", int(port)), Handler)
    print(f"listening on {server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    finally:
        embedded.release(Path(directory), client)


if __name__ == "__main__":
    main(*sys.argv[1:])
