"""A database with sessions in it, and the page and the ClickHouse protocol in front of it."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from sojourn.component import Host
from sojourn.config.types import Endpoint
from sojourn.web.extension import Web
from tests.web import tables

NOW = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
SECOND = 1_000_000_000


class FixedClock:
    def now(self) -> int:
        return NOW


class TemporaryDatabase:
    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._local = threading.local()
        self._clients: list[Client] = []

    def client(self) -> Client:
        if not hasattr(self._local, "client"):
            self._local.client = clickhouse_connect.get_client(interface="chdb", path=str(self.path), database=self.name)
            self._clients.append(self._local.client)
        return self._local.client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@dataclass
class Service:
    db: TemporaryDatabase | None
    host: Host = field(default_factory=lambda: Host(clock=FixedClock(), collector="test", data_dir=None))

    def health(self) -> tuple[bool, dict[str, object]]:
        return True, {}

    def database(self) -> Any:
        return self.db


class Store:
    """What a collector would have stored, in a few words."""

    def __init__(self, database: TemporaryDatabase) -> None:
        self.database = database

    def insert(self, table: str, *rows: dict[str, object]) -> None:
        body = "\n".join(json.dumps(row) for row in rows).encode()
        self.database.client().raw_insert(table, insert_block=body, fmt="JSONEachRow", settings={"date_time_input_format": "best_effort"})

    def sessions(self, *sessions: dict[str, object]) -> None:
        self.insert("session_rows", *(session_row(**session) for session in sessions))


def at(second: float) -> str:
    """A time that many seconds after the tests' 2025-12-31T23:00:00Z."""
    nanoseconds = NOW - 3600 * SECOND + round(second * SECOND)
    return f"{nanoseconds // SECOND}.{nanoseconds % SECOND:09d}"


def session_row(session_id: str = "s", start: float = 0, end: float = 10, **columns: object) -> dict[str, object]:
    wall = round((end - start) * SECOND)
    row: dict[str, object] = {"SessionId": session_id, "Name": session_id, "NameSource": "derived", "State": "active", "Status": "ok"}
    row |= {"Start": at(start), "End": at(end), "WallNs": wall, "ActiveNs": wall, "Segments": 1, "Traces": 1, "Turns": 1, "CostPico": -1}
    row |= {"Revision": 1, "LastSeen": at(end)[:-6], "Version": 1, "Collector": "test"}
    return row | columns


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one directory that this process' engine may open."""
    return tmp_path_factory.mktemp("chdb")


@pytest.fixture(scope="session", autouse=True)
def _engine(directory: Path) -> Iterator[None]:
    """Keep the engine open between tests."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(directory))
    yield
    client.close()


@contextlib.contextmanager
def fresh_database(directory: Path) -> Iterator[TemporaryDatabase]:
    name = f"test_{uuid.uuid4().hex}"
    with ExitStack() as stack:
        client = clickhouse_connect.get_client(interface="chdb", path=str(directory))
        stack.callback(client.close)
        client.command(f"CREATE DATABASE {name}")
        database = TemporaryDatabase(directory, name)
        for statement in tables.statements():
            database.client().command(statement)
        stack.callback(client.command, f"DROP DATABASE {name}")
        stack.callback(database.close)
        yield database


@pytest.fixture
def database(directory: Path) -> Iterator[TemporaryDatabase]:
    with fresh_database(directory) as database:
        yield database


@pytest.fixture
def store(database: TemporaryDatabase) -> Store:
    return Store(database)


@contextlib.contextmanager
def page(database: TemporaryDatabase | None) -> Iterator[httpx.Client]:
    """The page on a free port."""
    with (
        Web(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database)) as listening,
        httpx.Client(base_url=f"http://{listening.endpoints['web']}") as client,
    ):
        yield client


@pytest.fixture
def web(database: TemporaryDatabase) -> Iterator[httpx.Client]:
    with page(database) as client:
        yield client


def trace_row(trace_id: str, session_id: str = "s", start: float = 0, end: float = 1, **columns: object) -> dict[str, object]:
    row: dict[str, object] = {"TraceId": trace_id, "SessionId": session_id, "Name": "turn", "Start": at(start), "End": at(end)}
    return row | {"Status": "ok", "Spans": 1, "CostPico": -1, "Version": 1} | columns


def span_row(
    span_id: str, trace_id: str = "a" * 32, parent: str = "", start: float = 0, end: float = 1, **columns: object
) -> dict[str, object]:
    row: dict[str, object] = {"TraceId": trace_id, "SpanId": span_id, "ParentSpanId": parent, "SpanName": f"span {span_id}", "Kind": "span"}
    row |= {"Timestamp": at(start), "Duration": round((end - start) * SECOND), "StatusCode": "Unset", "CostPico": -1, "Version": 1}
    return row | columns
