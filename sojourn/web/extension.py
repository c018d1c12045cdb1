"""The page and the HTTP API beside the collector."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sojourn.component import Extension, Service
from sojourn.config.types import Duration, Endpoint
from sojourn.extensions.guards import Auth, ServerTls

if TYPE_CHECKING:
    from sojourn.storage.database import Database

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """What a running extension tells the engine."""

    endpoints: dict[str, str]
    secured: tuple[str, ...] = ()
    """Those that speak TLS."""


class Web(Extension):
    """Sessions in the browser, and the same as JSON."""

    endpoint: Endpoint = Endpoint("127.0.0.1", 4321)
    """Where to listen. Behind a loopback address only requests to `localhost` and loopback addresses are answered."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names by which a reverse proxy on this machine asks for the page, such as `sojourn.example.org`."""
    query_timeout: Duration = 20.0
    """How long the database may work for one answer, for example 20s."""
    workers: int = 4
    """How many questions are put to the database at once."""
    auth: Auth | None = None
    """Who may see the page and ask the API; everybody sees what belongs to the tenant of their credential. Without it everybody sees all
    that was sent without authentication."""
    tls: ServerTls | None = None
    """TLS on this port. Without it, it speaks plain text."""

    def open(self, service: Service) -> AbstractContextManager[Listening]:
        return self._serve(service)

    def unguarded(self) -> Iterator[Endpoint]:
        if self.auth is None:
            yield self.endpoint

    def asks(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.auth is not None:
            yield ("auth",), self.auth.authenticator

    @contextlib.contextmanager
    def _serve(self, service: Service) -> Iterator[Listening]:
        database = service.database()
        if database is None:
            _log.info("web: not started: no exporter of this collector keeps sessions")
            yield Listening({})
            return
        with self._serve_database(service, database) as listening:
            yield listening

    @contextlib.contextmanager
    def _serve_database(self, service: Service, database: Database) -> Iterator[Listening]:
        from concurrent.futures import ThreadPoolExecutor

        from sojourn.web.app import Application
        from sojourn.web.gate import Gate
        from sojourn.web.reading import Reading, stop_reading
        from sojourn.web.serving import Friends, address, listen, serving

        socket = listen("extensions::web::endpoint", self.endpoint)
        workers = ThreadPoolExecutor(self.workers, thread_name_prefix="web-query")
        friends = Friends(self.endpoint, self.allowed_hosts)

        def inside(tenant: str) -> Application:
            reading = Reading(database, self.query_timeout, tenant)
            return Application(reading, service.host.clock.now, friends, workers, lambda: _endpoints(service), service.ask)

        application = Gate(self.auth.keyring(service.host), friends, inside) if self.auth else inside("")
        try:
            with serving(application, socket, "web", self.tls):
                try:
                    yield Listening({"web": address(socket)}, ("web",) if self.tls else ())
                finally:
                    application.stop()
                    stop_reading(database)
        finally:
            stop_reading(database)  # what was asked in the last moment
            workers.shutdown(cancel_futures=True)


def _endpoints(service: Service) -> dict[str, str]:
    """Where this collector takes OTLP and answers SQL, for the pages that tell about it."""
    return {name: url for name, url in service.urls().items() if name in ("otlp_grpc", "otlp_http", "clickhouse_http")}
