"""The `otlp` receiver: takes OTLP over gRPC and HTTP, protobuf and JSON, and puts it into the lanes. Sockets and decoding are native."""

from __future__ import annotations

import errno
import json
import logging
import resource
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from sojourn.component import Component, Host, Receiver
from sojourn.config.types import Duration, Endpoint, Size
from sojourn.errors import SojournError
from sojourn.extensions.guards import Auth, ServerTls
from sojourn.extensions.watching import watching
from sojourn.scheduling import at_once_while_few, without_preempting

if TYPE_CHECKING:
    from sojourn import _native

_STOP_SECONDS: Final = 10.0
"""How long open requests may take once the receiver stops; those that wait for a commit get it within a flush."""
_MIB: Final = 1024 * 1024

log = logging.getLogger(__name__)


class Grpc(Component):
    """OTLP over gRPC: the unary `Export` of traces, logs and metrics."""

    endpoint: Endpoint = Endpoint("localhost", 4317)
    """Where to listen. Port 0 takes any free port."""
    transport: Literal["tcp"] = "tcp"
    """Kind of socket; only tcp."""
    max_recv_msg_size_mib: int | None = Field(default=None, gt=0, le=1024)
    """Largest message in MiB, before and after decompression, in place of the receiver's `max_request_size`."""
    tls: ServerTls | None = None
    """TLS on this port. Without it, it speaks plain text."""
    auth: Auth | None = None
    """Who may send, in place of the receiver's `auth`."""

    def settings(self) -> dict[str, object]:
        size = self.max_recv_msg_size_mib
        tls = self.tls and self.tls.settings()
        return {"endpoint": self.endpoint.bind, "max_request_bytes": size and size * _MIB, "tls": tls}


class Cors(Component):
    """Which web pages may send from a browser."""

    allowed_origins: tuple[str, ...] = ()
    """Origins that may send, such as `https://app.example.com`, `https://*.example.com` or `*` for every page."""
    allowed_headers: tuple[str, ...] = ()
    """Request headers that pages may set beside Accept, Content-Type, Content-Encoding and X-Requested-With; `*` for any."""
    exposed_headers: tuple[str, ...] = ()
    """Headers of the answer that pages may read."""
    max_age: int = Field(default=0, ge=0)
    """Seconds that a browser may remember what it may do; 0 leaves it to the browser."""


class Http(Component):
    """OTLP over HTTP/1.1 and HTTP/2, protobuf and JSON."""

    endpoint: Endpoint = Endpoint("localhost", 4318)
    """Where to listen. Port 0 takes any free port."""
    traces_url_path: str = "/v1/traces"
    """Path that takes traces."""
    logs_url_path: str = "/v1/logs"
    """Path that takes logs."""
    metrics_url_path: str = "/v1/metrics"
    """Path that takes metrics."""
    paths: tuple[str, ...] = ()
    """Further paths, for senders whose path cannot be changed; the last part names the signal: `/api/public/otel/v1/traces`."""
    cors: Cors | None = None
    """Lets web pages send from a browser. Without it they cannot."""
    max_request_body_size: Size | None = Field(default=None, gt=0, le=1024 * _MIB)
    """Largest body, before and after decompression, in place of the receiver's `max_request_size`."""
    tls: ServerTls | None = None
    """TLS on this port. Without it, it speaks plain text."""
    auth: Auth | None = None
    """Who may send, in place of the receiver's `auth`."""

    def told(self) -> dict[str, list[str]]:
        """All paths by signal. Raises PydanticCustomError (a ValueError) for a path that is no path, or fits no signal or two."""
        own = {"traces": self.traces_url_path, "logs": self.logs_url_path, "metrics": self.metrics_url_path}
        pairs = [*own.items(), *((path.rpartition("/")[2], path) for path in self.paths)]
        signals: dict[str, str] = {}
        for signal, path in pairs:
            if not path.startswith("/"):
                raise PydanticCustomError("path", "the path {path} must begin with /", {"path": path})
            if signal not in own:
                raise PydanticCustomError("path", "the path {path} must end with /traces, /logs or /metrics", {"path": path})
            if signals.setdefault(path, signal) != signal:
                message = "the path {path} is given for {first} and for {second}: a path takes one signal"
                raise PydanticCustomError("path", message, {"path": path, "first": signals[path], "second": signal})
        return {signal: [path for path, taken in signals.items() if taken == signal] for signal in own}

    def settings(self) -> dict[str, object]:
        return {
            "endpoint": self.endpoint.bind,
            "paths": self.told(),
            "cors": self.cors and self.cors.model_dump(),
            "max_request_bytes": self.max_request_body_size,
            "tls": self.tls and self.tls.settings(),
        }

    @model_validator(mode="after")
    def _paths_fit(self) -> Http:
        self.told()
        return self


class Protocols(Component):
    """What is listened on. A protocol without a block is off; an empty block means its defaults."""

    grpc: Grpc | None = None
    """OTLP over gRPC."""
    http: Http | None = None
    """OTLP over HTTP."""

    @model_validator(mode="before")
    @classmethod
    def _empty_block_is_on(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: {} if block is None and key in cls.model_fields else block for key, block in value.items()}
        return value

    @model_validator(mode="after")
    def _one_is_on(self) -> Protocols:
        if self.grpc is None and self.http is None:
            raise PydanticCustomError("protocols", "no protocol is configured: add grpc, http or both")
        return self


class Otlp(Receiver):
    """Takes OTLP from SDKs, agents and other collectors."""

    protocols: Protocols
    """What is listened on: grpc, http or both."""
    acknowledge: Literal["durable", "committed", "received"] | None = None
    """When a sender is answered: `durable` once the request is in the write-ahead log (needs service::data_dir), `committed` once it is
    stored, `received` once it is decoded and in memory. If it is not given: durable where there is a data_dir, else received."""
    auth: Auth | None = None
    """Who may send, over either protocol; what a sender sends belongs to the tenant of its credential. Without it anybody may."""
    max_request_size: Size = Field(default=64 * _MIB, gt=0, le=1024 * _MIB)
    """Largest request, before and after decompression; senders of larger ones are told never to send them again."""
    max_connections: int = Field(default=4096, gt=0)
    """Connections that may be open on each port; more of them wait."""
    max_concurrent_streams: int = Field(default=256, gt=0)
    """Requests that one HTTP/2 connection may have open."""
    read_header_timeout: Duration = 60.0
    """How long a new connection may take to its first request."""
    read_timeout: Duration = 60.0
    """How long the body of a request may take."""
    idle_timeout: Duration = 600.0
    """How long a connection may be silent."""
    workers: int = Field(default=1, gt=0, le=64)
    """Threads that read, decode and answer. One takes more than a hundred thousand requests a second."""

    def open(self, host: Host, lanes: dict[str, list[_native.Lane]]) -> AbstractContextManager[Running]:
        return _running(self, host, lanes)

    def unguarded(self) -> Iterator[Endpoint]:
        for protocol in (self.protocols.grpc, self.protocols.http):
            if protocol is not None and self._auth(protocol) is None:
                yield protocol.endpoint

    def asks(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.auth is not None:
            yield ("auth",), self.auth.authenticator
        for name, protocol in (("grpc", self.protocols.grpc), ("http", self.protocols.http)):
            if protocol is not None and protocol.auth is not None:
                yield ("protocols", name, "auth"), protocol.auth.authenticator

    def _auth(self, protocol: Grpc | Http) -> Auth | None:
        return protocol.auth or self.auth

    def keyrings(self, host: Host) -> dict[str, _native.Keyring]:
        """The credentials that each protocol asks for."""
        asking = {"grpc": self.protocols.grpc, "http": self.protocols.http}
        auth = {name: self._auth(protocol) for name, protocol in asking.items() if protocol is not None}
        return {name: each.keyring(host) for name, each in auth.items() if each is not None}

    def secured(self) -> tuple[str, ...]:
        """The endpoints that speak TLS, by name."""
        named = (("otlp_grpc", self.protocols.grpc), ("otlp_http", self.protocols.http))
        return tuple(name for name, protocol in named if protocol is not None and protocol.tls is not None)

    def tls_files(self) -> list[Path]:
        protocols = (self.protocols.grpc, self.protocols.http)
        return [file for protocol in protocols if protocol is not None and protocol.tls for file in protocol.tls.files()]

    def durable(self, host: Host) -> bool:
        return self.acknowledges(host.data_dir) == "durable"

    def acknowledges(self, data_dir: Path | None) -> str:
        """When senders are answered in a collector with this data directory."""
        return self.acknowledge or ("received" if data_dir is None else "durable")

    def settings(self, data_dir: Path | None = None) -> dict[str, object]:
        """What the native server is told."""
        return {
            "grpc": self.protocols.grpc and self.protocols.grpc.settings(),
            "http": self.protocols.http and self.protocols.http.settings(),
            "acknowledge": self.acknowledges(data_dir),
            "max_request_bytes": self.max_request_size,
            "workers": self.workers,
            "limits": {
                "max_connections": self.max_connections,
                "max_concurrent_streams": self.max_concurrent_streams,
                "read_header_timeout": self.read_header_timeout,
                "read_timeout": self.read_timeout,
                "idle_timeout": self.idle_timeout,
            },
        }


class Running:
    """A receiver that listens."""

    def __init__(self, server: _native.Server, secured: tuple[str, ...] = ()) -> None:
        self._server = server
        self.secured = secured

    @property
    def endpoints(self) -> dict[str, str]:
        """host:port by name: otlp_grpc, otlp_http."""
        told = {"otlp_grpc": self._server.grpc, "otlp_http": self._server.http}
        return {name: endpoint for name, endpoint in told.items() if endpoint is not None}

    def meters(self) -> dict[str, float]:
        return self._server.stats()


@contextmanager
def _running(description: Otlp, host: Host, lanes: dict[str, list[_native.Lane]]) -> Iterator[Running]:
    server = _listen(description, host, lanes)
    try:
        waiting = at_once_while_few("otlp", lambda: _requests(server)) if description.durable(host) else nullcontext()
        with watching("otlp: tls", description.tls_files(), server.reload_tls), waiting:
            yield Running(server, description.secured())
    finally:
        for lane in {lane for group in lanes.values() for lane in group}:
            lane.flush()  # senders that wait for a commit need not wait for the flush interval too
        server.stop(_STOP_SECONDS)


def _requests(server: _native.Server) -> float:
    """How many were answered."""
    return sum(count for name, count in server.stats().items() if name.startswith("otelcol_receiver_requests_total"))


def _listen(description: Otlp, host: Host, lanes: dict[str, list[_native.Lane]]) -> _native.Server:
    from sojourn import _native

    if not isinstance(host.clock, _native.Clock):
        raise TypeError(f"the otlp receiver needs the native clock, not {type(host.clock).__name__}")
    _make_room(description.max_connections)
    try:
        with without_preempting():
            return _native.Server(json.dumps(description.settings(host.data_dir)), lanes, host.clock, description.keyrings(host))
    except OSError as error:
        if not error.filename:  # it has not come to listening
            raise SojournError(f"tls: {error.strerror}: check the path, and who may read it") from error
        raise SojournError(f"{error.filename}: {_advice(error)}") from error


def _make_room(connections: int) -> None:
    """Raise the limit of open files as far as this user may, as Go does for every program: else connections starve the database."""
    wanted = 2 * connections + 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        with suppress(OSError, ValueError):  # macOS knows a lower limit than it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == unlimited else min(wanted, hard), hard))


def _advice(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the address is in use: stop the process that listens there, or set another endpoint (port 0 takes any free one)"
    if error.errno == errno.EACCES:
        return "this user may not listen there: choose a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address: listen on 127.0.0.1 or 0.0.0.0"
    return f"cannot listen: {error.strerror}: check the endpoint"
