"""A whole collector in the test's own process: against the embedded database, with a clock that is set by hand, on free ports.

    with run() as collector:
        collector.send(span("chat", session="s1", start=at("09:05"), tokens=(100, 20)))
        assert collector.sessions()[0]["InputTokens"] == 100

Nothing sleeps: `settle()` waits until everything that was sent is stored.
"""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sojourn.collector.registry import Installed
from sojourn.collector.service import Service, running
from sojourn.collector.write_ahead import FOLDER
from sojourn.config.load import Document, load
from sojourn.config.model import read
from sojourn.config.problems import Place
from sojourn.config.tree import Node, merge, parse
from sojourn.config.types import Endpoint, parse_duration

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from sojourn import _native
    from sojourn.storage.database import Database

DAY: Final = "2026-01-05"
"""The day on which tests happen unless they say otherwise: a Monday."""
TICK: Final = 0.02
Value = str | int | float | bool | bytes | list[Any] | dict[str, Any]


def at(text: str) -> int:
    """Nanoseconds since 1970 of '09:05', '09:05:30.250' (on DAY) or '2026-01-06T09:05', UTC."""
    moment = text if "T" in text else f"{DAY}T{text}"
    whole, _, fraction = moment.partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)


@dataclass(frozen=True, slots=True)
class Span:
    """A span as a test says it; `span()` makes one."""

    name: str
    trace: str
    id: str
    parent: Span | str | None
    start: int
    end: int
    service: str
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    scope: str
    error: str | None
    events: Sequence[tuple[str, int, Mapping[str, Value]]]

    @property
    def trace_id(self) -> str:
        """32 hex digits: those of `trace` if it is such an id, else made from it."""
        return _id(self.trace, 16)

    @property
    def span_id(self) -> str:
        """16 hex digits, made from the trace and `id`."""
        return self.id if re.fullmatch("[0-9a-f]{16}", self.id) else _id(f"{self.trace}/{self.id}", 8)

    @property
    def parent_id(self) -> str:
        if self.parent is None:
            return ""
        return self.parent.span_id if isinstance(self.parent, Span) else replace(self, id=self.parent).span_id

    def but(self, **changes: Any) -> Span:
        """The same span with other values; its ids stay."""
        return replace(self, **changes)


def span(
    name: str,
    *,
    session: str | None = None,
    trace: str | None = None,
    id: str | None = None,
    parent: Span | str | None = None,
    start: int | None = None,
    end: int | None = None,
    lasts: str = "1s",
    service: str = "shop",
    model: str | None = None,
    tokens: tuple[int, int] | None = None,
    user: str | None = None,
    error: str | None = None,
    attributes: Mapping[str, Value] | None = None,
    resource: Mapping[str, Value] | None = None,
    scope: str = "test",
    events: Sequence[tuple[str, int, Mapping[str, Value]]] = (),
) -> Span:
    """A span: `span("chat", session="s1", start=at("09:05"), model="gpt-4o", tokens=(100, 20))`.

    `trace` and `id` are any text; the same text is the same trace or span. Without them a child is in its parent's trace, and everything
    else is told apart by name and start. `tokens` are input and output, and make it a chat call. `error` is the message of an error.
    """
    begin = at("09:00") if start is None else start
    said: dict[str, Value] = {}
    if session is not None:
        said["session.id"] = session
    if user is not None:
        said["user.id"] = user
    if model is not None or tokens is not None:
        said |= {"gen_ai.operation.name": "chat", "gen_ai.request.model": model or "gpt-4o", "gen_ai.response.model": model or "gpt-4o"}
    if tokens is not None:
        said |= {"gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}
    return Span(
        name=name,
        trace=trace or (parent.trace if isinstance(parent, Span) else f"{name} {begin}"),
        id=id or f"{name} {begin}",
        parent=parent,
        start=begin,
        end=begin + round(parse_duration(lasts) * 1e9) if end is None else end,
        service=service,
        attributes=said | dict(attributes or {}),
        resource=dict(resource or {}),
        scope=scope,
        error=error,
        events=events,
    )


def request(*spans: Span) -> ExportTraceServiceRequest:
    """One OTLP request with these spans, in this order."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = ExportTraceServiceRequest()
    for told in spans:
        resource = message.resource_spans.add()
        resource.resource.attributes.extend(pairs({"service.name": told.service, **told.resource}))
        scope = resource.scope_spans.add()
        scope.scope.name = told.scope
        out = scope.spans.add(
            trace_id=bytes.fromhex(told.trace_id),
            span_id=bytes.fromhex(told.span_id),
            parent_span_id=bytes.fromhex(told.parent_id),
            name=told.name,
            start_time_unix_nano=told.start,
            end_time_unix_nano=told.end,
            attributes=pairs(told.attributes),
        )
        if told.error is not None:
            out.status.code, out.status.message = 2, told.error
        for name, moment, attributes in told.events:
            out.events.add(name=name, time_unix_nano=moment, attributes=pairs(attributes))
    return message


def _id(text: str, size: int) -> str:
    return text if re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text) else hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Attributes as OTLP writes them."""
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def _any(value: Value) -> AnyValue:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

    match value:
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    raise TypeError(f"OTLP has no value for a {type(value).__name__}: {value!r}")


@dataclass(slots=True)
class Collector:
    """A running collector, and what a test wants of it."""

    service: Service
    clock: _native.Clock

    @property
    def endpoints(self) -> dict[str, str]:
        """Where it really listens, by the names of endpoints.json."""
        return self.service.endpoints

    def set(self, time: str | int) -> None:
        """Set the clock, such as to '09:05'."""
        self.clock.set(at(time) if isinstance(time, str) else time)

    def advance(self, duration: str) -> None:
        """Let time pass, such as '31m', and let everything happen that is due then."""
        self.clock.set(self.clock.now() + round(parse_duration(duration) * 1e9))
        self.settle()

    def send(self, *spans: Span | bytes | ExportTraceServiceRequest, signal: str = "traces", tenant: str = "") -> None:
        """One request with these spans, or requests as they are, as if a tenant had just sent them. ValueError if they are bad."""
        told = [item for item in spans if isinstance(item, Span)]
        bodies = [item if isinstance(item, bytes) else item.SerializeToString() for item in spans if not isinstance(item, Span)]
        for body in [request(*told).SerializeToString(), *bodies] if told else bodies:
            for lane in self.service.lanes:
                if signal in lane.paths:
                    lane.queue.push(signal, body, "application/x-protobuf", self.clock.now(), tenant)

    def settle(self, timeout: float = 60.0) -> None:
        """Wait until everything that was sent is stored and whatever was due has been done. AssertionError if that does not happen."""
        for lane in self.service.lanes:
            for _ in range(2):  # what the first round defers, the second does
                before = lane.ticks
                lane.queue.flush()
                if not lane.wait(lambda lane=lane, before=before: lane.idle() and lane.ticks >= before + 2, timeout):  # type: ignore[misc]
                    raise AssertionError(f"lane {lane.name} has not settled in {timeout} s: {self.service.health()[1]}")

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of the database by column name. Settles first."""
        self.settle()
        database = self.service.database()
        assert database is not None, "no exporter of this configuration has a database"
        return list(database.client().query(sql, parameters=dict(parameters or {})).named_results())

    def sessions(self, where: str = "1") -> list[dict[str, Any]]:
        """The sessions as people see them, in the order of their start."""
        return self.query(f"SELECT * FROM sessions WHERE {where} ORDER BY Start, SessionId")


@contextmanager
def run(
    config: str | Path | None = None, settings: Sequence[str] = (), *, now: str | int = "12:00", data_dir: Path | None = None
) -> Iterator[Collector]:
    """A collector with `config` (YAML, or the path of a file; the built-in configuration without it) and `--set` settings.

    Everything listens on free ports of this machine only, whatever the configuration says. The embedded database gets a name of its own
    in the one directory of this process, unless `data_dir` says where it shall be.
    """
    from sojourn import _native

    clock = _native.Clock(at(now) if isinstance(now, str) else now)
    if data_dir is None:
        shutil.rmtree(directory() / FOLDER, ignore_errors=True)  # what another test was told is safe is no business of this one
    else:
        _let_go_of_engine()
    description = read(_document(config, settings, data_dir), Installed())
    with running(description, clock, TICK) as service:
        if data_dir is None:
            _keep_engine(service.database())
        yield Collector(service, clock)


_engine: list[Client] = []
"""What keeps the embedded engine open from one collector to the next: starting it costs more than most tests."""


def _keep_engine(database: Database | None) -> None:
    from sojourn.storage import embedded

    path = directory() / "db"
    if database is not None and database.path == path and not _engine:
        _engine.append(embedded.connect(path))
        atexit.register(_let_go_of_engine)


def _let_go_of_engine() -> None:
    """A process can have only one directory open."""
    from sojourn.storage import embedded

    while _engine:
        embedded.release(directory() / "db", _engine.pop())


def _document(config: str | Path | None, settings: Sequence[str], data_dir: Path | None) -> Document:
    sources = [] if config is None else [str(config) if isinstance(config, Path) else f"yaml:{config}"]
    document = load(sources, settings)
    tree = _on_free_ports(document.tree)
    quick = merge(parse("service: {flush_interval: 5ms}", Place("sojourn.testing")), tree)
    home = f"service: {{data_dir: '{data_dir or directory()}'}}\n"
    own = parse(home + _own_databases(tree) + _receivers(tree) + _extensions(tree), Place("sojourn.testing"))
    return Document(merge(quick, own), document.warnings)


_FREE: Final = "127.0.0.1:0"
_LISTENING: Final = ("web", "clickhouse_http", "health_check")


def _receivers(tree: Node) -> str:
    """What receivers of OTLP leave open. They answer at once: tests share one data directory, and must not find in its log what another
    one left there."""
    receivers = tree.child("receivers")
    lines = []
    for id_, receiver in receivers.children() if receivers else ():
        if id_.partition("/")[0] == "otlp":
            protocols = receiver.child("protocols")
            names = [name for name, each in (protocols.children() if protocols else ()) if each.child("endpoint") is None]
            ports = ", ".join(f"{name}: {{endpoint: '{_FREE}'}}" for name in names)
            answers = "" if _says(receivers, id_, "acknowledge") else "acknowledge: received, "
            lines.append(f"  {id_}: {{{answers}protocols: {{{ports}}}}}\n")
    return f"receivers:\n{''.join(lines)}" if lines else ""


def _extensions(tree: Node) -> str:
    """Ports for those that listen and do not say where."""
    extensions = tree.child("extensions")
    ids = [id_ for id_, _ in extensions.children() if id_.partition("/")[0] in _LISTENING] if extensions else []
    lines = "".join(f"  {id_}: {{endpoint: '{_FREE}'}}\n" for id_ in ids if not _says(extensions, id_, "endpoint"))
    return f"extensions:\n{lines}" if lines else ""


def _on_free_ports(node: Node, key: str = "") -> Node:
    """The same configuration with port 0 of this machine wherever something listens."""
    if isinstance(node.value, dict):
        return Node({name: child if name == "exporters" else _on_free_ports(child, name) for name, child in node.value.items()}, node.place)
    if key == "endpoint" and isinstance(node.value, str):
        return Node(str(Endpoint("127.0.0.1", 0)), node.place)
    return node


def _own_databases(tree: Node) -> str:
    """A database of its own for every exporter into the embedded one."""
    exporters = tree.child("exporters")
    ids = [id_ for id_, exporter in (exporters.children() if exporters else ()) if _is_embedded(id_, exporter)]
    ids = [id_ for id_ in ids if not _says(exporters, id_, "database")]
    lines = "".join(f"  {id_}: {{database: test_{uuid.uuid4().hex[:12]}}}\n" for id_ in ids)
    return f"exporters:\n{lines}" if lines else ""


def _says(kind: Node | None, id_: str, key: str) -> bool:
    """Whether the configuration itself gives a value: what it leaves empty is ours."""
    described = kind.child(id_) if kind else None
    return described is not None and described.child(key) is not None


def _is_embedded(id_: str, exporter: Node) -> bool:
    endpoint = exporter.child("endpoint")
    return id_.partition("/")[0] == "clickhouse" and (endpoint is None or str(endpoint.value).startswith("chdb:"))


@cache
def directory() -> Path:
    """The data directory of this process' collectors: a process can have only one embedded database open."""
    from sojourn.storage import embedded

    embedded.synced = False
    path = Path(tempfile.mkdtemp(prefix="sojourn-test-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
