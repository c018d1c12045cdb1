"""The embedded database for every ClickHouse client, while the collector runs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from sojourn.component import Extension, Service
from sojourn.config.types import Duration, Endpoint, Size
from sojourn.extensions.guards import Auth, ServerTls
from sojourn.web.extension import Listening

if TYPE_CHECKING:
    from sojourn.storage.database import Database

_log = logging.getLogger(__name__)


class ClickhouseHttp(Extension):
    """The ClickHouse HTTP protocol, read-only, for clickhouse-connect, curl, Grafana and others."""

    endpoint: Endpoint = Endpoint("127.0.0.1", 8123)
    """Where to listen. Behind a loopback address only requests to `localhost` and loopback addresses are answered."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names by which a reverse proxy on this machine asks."""
    query_timeout: Duration = 60.0
    """How long one query may take, for example 60s. Clients may ask for less."""
    max_memory: Size = 1024 * 1024 * 1024
    """How much memory one query may use, for example 1GiB."""
    max_result_rows: int = 10_000_000
    """How many rows one query may answer."""
    concurrent_queries: int = 4
    """How many queries run at once; further ones wait."""
    auth: Auth | None = None
    """Who may ask: SQL sees every tenant, so only credentials with the scope admin. A token is presented as one, or as the password of any
    user. Without it everybody may."""
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
        if database is None or not database.embedded:
            _log.info("clickhouse_http: not started: it serves the embedded database only; ask your ClickHouse server itself")
            yield Listening({})
            return
        with self._serve_database(service, database) as listening:
            yield listening

    @contextlib.contextmanager
    def _serve_database(self, service: Service, database: Database) -> Iterator[Listening]:
        from concurrent.futures import ThreadPoolExecutor

        from sojourn.web.clickhouse.app import Application
        from sojourn.web.clickhouse.engine import Engine
        from sojourn.web.reading import stop_reading
        from sojourn.web.serving import Friends, address, listen, serving

        socket = listen("extensions::clickhouse_http::endpoint", self.endpoint)
        workers = ThreadPoolExecutor(self.concurrent_queries, thread_name_prefix="clickhouse-query")
        limits = {
            "max_execution_time": max(1, round(self.query_timeout)),
            "max_memory_usage": self.max_memory,
            "max_result_rows": self.max_result_rows,
        }
        friends = Friends(self.endpoint, self.allowed_hosts)
        keyring = self.auth.keyring(service.host) if self.auth else None
        application = Application(Engine(database, limits), friends, workers, self.concurrent_queries, keyring)
        try:
            with serving(application, socket, "clickhouse_http", self.tls):
                try:
                    yield Listening({"clickhouse_http": address(socket)}, ("clickhouse_http",) if self.tls else ())
                finally:
                    stop_reading(database)
        finally:
            stop_reading(database)  # what was asked in the last moment
            workers.shutdown(cancel_futures=True)
