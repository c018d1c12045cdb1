"""ASGI: requests in, blocks out, errors as ClickHouse writes them."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Final

from sojourn.web.clickhouse import compression, credentials, request
from sojourn.web.clickhouse.engine import Engine, Result
from sojourn.web.clickhouse.refusal import Refused, told
from sojourn.web.clickhouse.request import MAX_BODY, Query
from sojourn.web.serving import Friends, Receive, Scope, Send

if TYPE_CHECKING:
    from sojourn import _native

_log = logging.getLogger(__name__)
_WAIT_SECONDS: Final = 30
_SLOWEST_READER_SECONDS: Final = 60
_OK: Final = {"/ping", "/replicas_status", "/"}
_CONTENT_TYPES: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
}


class Gone(Exception):
    """The client has left or does not read."""


class Application:
    """At most `concurrent` queries at once; further ones wait a while, then are told that there are too many."""

    def __init__(
        self, engine: Engine, friends: Friends, workers: Executor, concurrent: int, keyring: _native.Keyring | None = None
    ) -> None:
        self._keyring = keyring
        self._engine = engine
        self._friends = friends
        self._workers = workers
        self._places = asyncio.Semaphore(concurrent)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def noticing(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._respond(scope, receive, noticing)
        except Gone:
            _log.debug("clickhouse_http: the client left before the answer ended")
        except Refused as error:
            await _refuse(send, error)
        except Exception as error:
            if begun:
                raise  # the connection breaks, so that nobody takes the part for the whole
            _log.exception("clickhouse_http: cannot answer")
            await _refuse(send, told(error))

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._friends.welcome(scope):
            raise Refused(497, "ACCESS_DENIED", "This host name does not belong here: use the address that the collector printed")
        if scope["method"] not in ("GET", "POST", "HEAD"):
            raise Refused(48, "NOT_IMPLEMENTED", f"{scope['method']} is not done here")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = b"query=" in scope["query_string"] or scope["method"] == "POST"
        if scope["path"] in _OK and not asked:
            await _whole(send, 200, b"Ok.\n")
        elif scope["path"] != "/":
            await _whole(send, 404, f"There is no handle {scope['path'][:100]}\n\nUse / or /ping for health checks.\n".encode())
        elif not self._friends.may_change(scope):
            raise Refused(497, "ACCESS_DENIED", "Pages of other origins do not ask here")
        else:
            if self._keyring is not None:
                credentials.check(self._keyring, headers, scope["query_string"])
            query = request.read(scope["query_string"], headers, await _read_body(receive))
            await self._query(query, receive, send)

    async def _query(self, query: Query, receive: Receive, send: Send) -> None:
        try:
            await asyncio.wait_for(self._places.acquire(), _WAIT_SECONDS)
        except TimeoutError:
            raise Refused(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many simultaneous queries: try again later") from None
        leaving = asyncio.ensure_future(receive())
        try:
            result = await self._work(self._engine.run, query)
            await self._send_result(query, result, leaving, send)
        finally:
            leaving.cancel()
            self._places.release()

    async def _send_result(self, query: Query, result: Result, leaving: asyncio.Future[Any], send: Send) -> None:
        tag = secrets.token_hex(8)
        chunks = iter(compression.pack(_with_error(result.chunks(), tag), query.encoding))
        try:
            chunk = await self._work(next, chunks, None)
            await send({"type": "http.response.start", "status": 200, "headers": _headers(query, result, tag)})
            while chunk is not None:
                if leaving.done():
                    raise Gone
                await _in_time(send({"type": "http.response.body", "body": chunk, "more_body": True}))
                chunk = await self._work(next, chunks, None)
            await send({"type": "http.response.body", "body": b""})
        finally:
            await self._work(result.close)

    async def _work(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)


def _with_error(chunks: Iterator[bytes], tag: str) -> Iterator[bytes]:
    """What fails after the first block has been sent is told behind the data, as servers do since 25.11."""
    yield next(chunks, b"")
    try:
        yield from chunks
    except Refused as error:
        message = f"{error}\n".encode()
        yield b"\r\n__exception__\r\n" + tag.encode() + b"\r\n" + message + f"{len(message)} {tag}\r\n__exception__\r\n".encode()


async def _in_time(sending: Any) -> None:
    try:
        await asyncio.wait_for(sending, _SLOWEST_READER_SECONDS)
    except TimeoutError:
        raise Gone from None


async def _read_body(receive: Receive) -> bytes:
    parts, length, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        more = message.get("more_body", False)
        if length > MAX_BODY:
            raise Refused(223, "QUERY_IS_TOO_LARGE", f"The request body is longer than {MAX_BODY} bytes")
    return b"".join(parts)


def _headers(query: Query, result: Result, tag: str) -> list[tuple[bytes, bytes]]:
    headers = {
        "content-type": _CONTENT_TYPES.get(result.format, "application/octet-stream"),
        "x-clickhouse-query-id": query.query_id,
        "x-clickhouse-format": result.format,
        "x-clickhouse-timezone": result.timezone,
        "x-clickhouse-server-display-name": "sojourn",
        "x-clickhouse-exception-tag": tag,
        "x-clickhouse-summary": json.dumps(result.summary),
        "x-content-type-options": "nosniff",
    }
    if query.encoding:
        headers["content-encoding"] = query.encoding
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def _refuse(send: Send, error: Refused) -> None:
    challenge = {"www_authenticate": 'Basic realm="sojourn", charset="UTF-8"'} if error.status == 401 else {}
    await _whole(send, error.status, f"{error}\n".encode(), x_clickhouse_exception_code=str(error.code), **challenge)


async def _whole(send: Send, status: int, body: bytes, **headers: str) -> None:
    pairs = [(b"content-type", b"text/plain; charset=UTF-8"), (b"x-content-type-options", b"nosniff")]
    pairs += [(b"content-length", str(len(body)).encode()), (b"x-clickhouse-server-display-name", b"sojourn")]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
