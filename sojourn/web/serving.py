"""Serve an ASGI application from a thread of its own, and tell friends from strangers by the Host header."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, MutableMapping
from email.utils import formatdate
from typing import Any, Final, cast

import uvicorn

from sojourn.config.types import Endpoint, is_loopback
from sojourn.errors import ConfigError
from sojourn.extensions.guards import ServerTls
from sojourn.extensions.watching import watching

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)
_LEAVE_SECONDS: Final = 3


def listen(where: str, endpoint: Endpoint) -> socket.socket:
    """A listening socket. ConfigError if the address cannot be had."""
    host = Endpoint.parse(endpoint.bind).host
    try:
        family, _, _, _, address = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=256)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{where}: cannot listen on {endpoint}: {reason}: choose another endpoint or stop what uses it") from error


def address(listening: socket.socket) -> str:
    """host:port of a listening socket."""
    host, port = listening.getsockname()[:2]
    return str(Endpoint(host, port))


@contextlib.contextmanager
def serving(application: Application, listening: socket.socket, name: str, tls: ServerTls | None = None) -> Iterator[None]:
    """Serve until left; then open requests have a moment to end. ConfigError if the files of TLS cannot be used."""
    settings = _settings(application)
    with contextlib.ExitStack() as stack:
        if tls is not None:
            settings.load()
            settings.ssl = stack.enter_context(secured(name, tls))
        yield from _serve(_Server(settings), listening, name)


def _serve(server: _Server, listening: socket.socket, name: str) -> Iterator[None]:
    thread = threading.Thread(target=_run, args=(server, listening, name), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.leave()
        thread.join(_LEAVE_SECONDS * 3)
        listening.close()


@contextlib.contextmanager
def secured(name: str, tls: ServerTls) -> Iterator[ssl.SSLContext]:
    """What TLS is spoken with; certificates are read again when they change, as long as this is open."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "1.3" else ssl.TLSVersion.TLSv1_2

    def read() -> None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
        if tls.client_ca_file is not None:
            context.load_verify_locations(tls.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED

    try:
        read()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"tls: {tls.cert_file}, {tls.key_file}: cannot be used: {error}: check the paths, and who may read them"
        ) from error
    with watching(f"{name}: tls", tls.files(), read):
        yield context


def _settings(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        cast(Any, _dated(application)),
        interface="asgi3",
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_LEAVE_SECONDS,
        limit_concurrency=512,
    )


class _Server(uvicorn.Server):
    """Sleeps until it is told to leave: uvicorn's own wakes ten times a second to look at the clock."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._leaving.wait()

    def leave(self) -> None:
        """Called from another thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._leaving.set)


def _dated(application: Application) -> Application:
    """Every answer says when it was given, as HTTP asks of whoever has a clock."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"date", formatdate(usegmt=True).encode())]
            await send(message)

        await application(scope, receive, dated)

    return serve


def _run(server: _Server, listening: socket.socket, name: str) -> None:
    try:
        server.run(sockets=[listening])
    except Exception:
        _log.exception("%s: stopped serving: restart the collector", name)


class Friends:
    """Who is answered: behind a loopback address only names that mean this machine (DNS rebinding), and for changes only our own page."""

    def __init__(self, endpoint: Endpoint, allowed: Collection[str] = ()) -> None:
        self._anyone = not endpoint.local
        self._allowed = {name.lower() for name in allowed}

    def welcome(self, scope: Scope) -> bool:
        if self._anyone:
            return True
        hosts = values(scope, b"host")
        name = _host_name(hosts[0]) if len(hosts) == 1 else ""
        return is_loopback(name) or name.endswith(".localhost") or name in self._allowed

    def may_change(self, scope: Scope) -> bool:
        """Whether a request that changes something comes from our own page or from no page at all (CSRF).

        Browsers say with every such request where it comes from; programs do not. `welcome` has been asked before.
        """
        if any(site not in ("same-origin", "none") for site in values(scope, b"sec-fetch-site")):
            return False
        return all(self._own(origin.lower(), values(scope, b"host")) for origin in values(scope, b"origin"))

    def _own(self, origin: str, hosts: list[str]) -> bool:
        """The scheme is not compared: a reverse proxy may speak TLS for us."""
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https") or len(hosts) != 1:
            return False
        return place == hosts[0].strip().lower() or _host_name(place) in self._allowed


def values(scope: Scope, header: bytes) -> list[str]:
    """Of a header, as often as it came."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


def _host_name(header: str) -> str:
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() and ":" in name else name
