"""A database with sessions in it, and the page and the ClickHouse protocol in front of it."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn.component import Host
from sojourn.config.types import Endpoint
from sojourn.errors import Unavailable
from sojourn.storage import migrate
from sojourn.storage.address import Address
from sojourn.storage.database import Database
from sojourn.web.extension import Web

NOW = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
SECOND = 1_000_000_000
PATIENCE = 60.0  # seconds for an answer: the page gives up by itself after `query_timeout`, and a busy machine is no failure


class FixedClock:
    def now(self) -> int:
        return NOW


@dataclass
class Service:
    db: Database | None
    host: Host = field(default_factory=lambda: Host(clock=FixedClock(), collector="test", data_dir=None))

    def health(self) -> tuple[bool, dict[str, object]]:
        return True, {}

    def urls(self) -> dict[str, str]:
        return {}

    def database(self) -> Any:
        return self.db

    def ask(self, request: object, timeout: float) -> None:
        raise Unavailable("nothing here can do that")


class Store:
    """What a collector would have stored, in a few words."""

    def __init__(self, database: Database) -> None:
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
    row |= {"Search": _searchable({"SessionId": session_id, "Name": session_id} | columns)}
    row |= {"Revision": 1, "LastSeen": at(end)[:-6], "Version": 1, "Collector": "test"}
    return row | columns


def _searchable(columns: dict[str, Any]) -> str:
    texts = [columns[name] for name in ("SessionId", "Name", "UserId") if name in columns]
    return "\n".join([*texts, *(f"{key}={value}" for key, value in columns.get("Metadata", {}).items())]).lower()


@contextlib.contextmanager
def fresh_database(chdb_path: Path) -> Iterator[Database]:
    """A database of its own with all tables and views, for tests that share it."""
    with Database(Address(f"test_{uuid.uuid4().hex}", path=chdb_path)) as database:
        migrate.apply(database)
        yield database
        database.command(f"DROP DATABASE {database.name}", anywhere=True)


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@contextlib.contextmanager
def page(database: Database | None) -> Iterator[httpx.Client]:
    """The page on a free port."""
    with (
        Web(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database)) as listening,
        httpx.Client(base_url=f"http://{listening.endpoints['web']}", timeout=PATIENCE) as client,
    ):
        yield client


@contextlib.contextmanager
def stored(chdb_path: Path, *sessions: dict[str, object]) -> Iterator[httpx.Client]:
    """A page over these sessions, for tests that only look."""
    with fresh_database(chdb_path) as database, page(database) as client:
        Store(database).sessions(*sessions)
        yield client


@pytest.fixture
def web(database: Database) -> Iterator[httpx.Client]:
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


def log_row(digest: int, time: float = 0, session_id: str = "", **columns: object) -> dict[str, object]:
    """A stored log record that names `session_id` itself; `IdClass` 2 for one whose resource does."""
    row: dict[str, object] = {"Timestamp": at(time), "Digest": digest, "SessionId": session_id, "Event": f"event {digest}", "CostPico": -1}
    return row | {"IdClass": 0 if session_id else 255, "Arrival": at(time), "ServiceName": "cli"} | columns


def point_row(digest: int, time: float, value: float, session_id: str = "s", **columns: object) -> dict[str, object]:
    """A stored point of a delta counter; other kinds by other columns."""
    row: dict[str, object] = {"MetricName": "claude_code.token.usage", "MetricUnit": "tokens", "TimeUnix": at(time), "Value": value}
    row |= {"Digest": digest, "SessionId": session_id, "AggregationTemporality": 1, "IsMonotonic": True}
    return row | columns
