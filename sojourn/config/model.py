"""The whole description of a collector: what the YAML says, checked, with its components found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol, TypeVar, cast

from pydantic import BeforeValidator, Field

from sojourn.component import Component, Exporter, Extension, Processor, Receiver
from sojourn.config.load import Document
from sojourn.config.problems import ConfigErrors, Problem, nearest
from sojourn.config.settings import describe
from sojourn.config.tree import Node
from sojourn.config.types import Duration, Endpoint, Size
from sojourn.errors import ConfigError

Kind = Literal["receivers", "processors", "exporters", "extensions"]
KINDS: Final[tuple[Kind, ...]] = ("receivers", "processors", "exporters", "extensions")
SIGNALS: Final = ("traces", "logs", "metrics")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


class Registry(Protocol):
    """Where the classes of components come from."""

    def names(self, kind: Kind) -> Sequence[str]:
        """The types that are installed."""
        ...

    def find(self, kind: Kind, type_: str, folder: Path | None) -> type[Component]:
        """The class of a type, or of './file.py:Class' beside `folder`. ConfigError if there is none, or if it cannot be loaded."""
        ...


class Pipeline(Component):
    receivers: tuple[str, ...] = ()
    """Ids of the receivers it takes data from."""
    processors: tuple[str, ...] = ()
    """Ids of the processors, in the order in which data passes them. Pipelines that share one share a lane: one thread, one commit."""
    exporters: tuple[str, ...] = ()
    """Ids of the exporters that all of its data goes to."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class MetricsTelemetry(Component):
    level: Literal["none", "basic", "normal", "detailed"] = "normal"
    """none switches /metrics off; the others are the same, as this collector counts only at the edges of its pipelines."""
    endpoint: Endpoint | None = None
    """Where /metrics answers in the Prometheus text format, for example 127.0.0.1:8888. Nothing listens without it."""


class LogsTelemetry(Component):
    level: Annotated[Literal["debug", "info", "warn", "error"], BeforeValidator(_lower)] = "info"
    """The least important messages that are still written to stderr."""


class Telemetry(Component):
    metrics: MetricsTelemetry = MetricsTelemetry()
    """What the collector tells about itself in numbers."""
    logs: LogsTelemetry = LogsTelemetry()
    """What the collector tells about itself in words."""


class WriteAheadLog(Component):
    max_size: Size = Field(default=2 << 30, ge=1 << 20, le=1 << 40)
    """How much one lane may hold on the disk that is not yet stored, for example 10GiB. When it is full, senders are told to come again
    later."""


class ServiceSettings(Component):
    """The collector itself: where it keeps things, how it gathers data, which pipelines and extensions run."""

    data_dir: Path | None = None
    """The directory that belongs to this collector: lock, name, write-ahead log, embedded database. One process at
    a time. Made if it is not there."""
    collector: str | None = Field(default=None, min_length=1, max_length=256)
    """This collector's stable name, stored with every row, for example gateway-1. Else one is made up and kept in data_dir."""
    extensions: tuple[str, ...] = ()
    """Ids of the extensions that are started."""
    pipelines: dict[str, Pipeline] = Field(default_factory=dict)
    """By signal: traces, logs or metrics, with /name behind it if there are several."""
    flush_interval: Duration = Field(default=1.0, ge=0.001, le=3600)
    """How long data is gathered before it is written, at most, for example 500ms. Longer groups cost less per span."""
    flush_rows: int = Field(default=20_000, ge=1, le=10_000_000)
    """How many rows are gathered before they are written, at most."""
    flush_bytes: Size | None = Field(default=None, ge=1024)
    """How many bytes of requests are gathered before they are written, at most, for example 32MiB. If it is not given: 64MiB, or 12MiB into
    the embedded database, which takes several times as much while it writes them."""
    queue_bytes: Size | None = Field(default=None, ge=1024)
    """Memory for data of one lane that is not yet written, for example 256MiB. When it is full, senders are told to come again later. If it
    is not given: 192MiB, or 32MiB into the embedded database."""
    write_ahead_log: WriteAheadLog = WriteAheadLog()
    """Where requests are kept, in data_dir, from the answer to their sender until they are stored (`acknowledge: durable`)."""
    shutdown_timeout: Duration = Field(default=30.0, le=3600)
    """How long a stopping collector tries to write what it has taken, for example 30s. What is in the write-ahead log then stays there."""
    telemetry: Telemetry = Telemetry()
    """What the collector tells about itself."""


@dataclass(frozen=True, slots=True)
class Description:
    """A checked configuration: component ids, in the order of the YAML, and what each of them is."""

    receivers: Mapping[str, Receiver]
    processors: Mapping[str, Processor]
    exporters: Mapping[str, Exporter]
    extensions: Mapping[str, Extension]
    service: ServiceSettings
    tree: Node
    warnings: tuple[str, ...] = ()

    def section(self, kind: Kind) -> Mapping[str, Component]:
        return cast("Mapping[str, Component]", getattr(self, kind))

    def type_of(self, kind: Kind, id_: str) -> str:
        """The type a component was asked for by: 'session' of 'session/shop'."""
        node = self.tree.child(kind)
        own = node.child(id_) if node else None
        type_ = own.child("type") if own else None
        return str(type_.value) if type_ and type_.value is not None else id_.partition("/")[0].strip()

    def lanes(self) -> list[tuple[str, ...]]:
        """Pipelines in groups: those that share a processor, directly or through others, are one lane."""
        lanes: list[set[str]] = []
        for id_, pipeline in self.service.pipelines.items():
            near = [
                lane for lane in lanes if any(set(pipeline.processors) & set(self.service.pipelines[other].processors) for other in lane)
            ]
            lanes = [lane for lane in lanes if lane not in near] + [{id_}.union(*near)]
        order = list(self.service.pipelines)
        return sorted((tuple(sorted(lane, key=order.index)) for lane in lanes), key=lambda lane: order.index(lane[0]))


def read(document: Document, registry: Registry) -> Description:
    """Check a configuration and find its components; nothing is started. Raises ConfigErrors with everything that is wrong."""
    from sojourn.config.check import check

    reading = _Reading(document.tree, registry)
    description = reading.description(document.warnings)
    if description is not None:
        reading.problems += check(description)
    if reading.problems:
        raise ConfigErrors(reading.problems)
    assert description is not None
    return description


C = TypeVar("C", bound=Component)
_BASES: Final = {"receivers": Receiver, "processors": Processor, "exporters": Exporter, "extensions": Extension}


class _Reading:
    def __init__(self, tree: Node, registry: Registry) -> None:
        self._tree = tree
        self._registry = registry
        self.problems: list[Problem] = []

    def description(self, warnings: tuple[str, ...]) -> Description | None:
        """None if the service itself cannot be read, so that nothing can be checked against it."""
        for key, node in self._tree.children():
            if key == "connectors":
                self._wrong(node, (key,), "there are no connectors in Sojourn: send the data through one pipeline instead")
            elif key not in (*KINDS, "service"):
                self._wrong(node, (key,), f"unknown key{nearest(key, (*KINDS, 'service'))}")
        receivers, processors = self._section("receivers", Receiver), self._section("processors", Processor)
        exporters, extensions = self._section("exporters", Exporter), self._section("extensions", Extension)
        service = self._service()
        if service is None:
            return None
        return Description(receivers, processors, exporters, extensions, service, self._tree, warnings)

    def _wrong(self, node: Node, path: tuple[str, ...], message: str) -> None:
        self.problems.append(Problem(node.place, path, message))

    def _service(self) -> ServiceSettings | None:
        node = self._tree.child("service")
        if node is None:
            self._wrong(self._tree, ("service",), "is missing: add service with pipelines")
            return None
        try:
            return describe(ServiceSettings, node, ("service",))
        except ConfigErrors as errors:
            self.problems += errors.problems
            return None

    def _section(self, kind: Kind, base: type[C]) -> dict[str, C]:
        section = self._tree.child(kind)
        if section is None or section.value is None:
            return {}
        if not isinstance(section.value, dict):
            self._wrong(section, (kind,), "is not a map of component ids")
            return {}
        found: dict[str, C] = {}
        for id_, node in section.value.items():
            try:
                component = self._component(kind, id_, node)
                assert isinstance(component, base)
                found[id_] = component
            except ConfigErrors as errors:
                self.problems += errors.problems
        return found

    def _component(self, kind: Kind, id_: str, node: Node) -> Component:
        path = (kind, id_)
        wrong = next(_wrong_id(id_), None)
        if wrong:
            raise ConfigErrors([Problem(node.place, path, wrong)])
        if node.value is not None and not isinstance(node.value, dict):
            raise ConfigErrors([Problem(node.place, path, "is not a map: write its keys below it, or nothing")])
        type_node = node.child("type")
        type_ = str(type_node.value) if type_node else id_.partition("/")[0].strip()
        try:
            found = self._registry.find(kind, type_, (type_node or node).place.folder)
        except ConfigError as error:
            raise ConfigErrors([Problem((type_node or node).place, (*path, "type") if type_node else path, str(error))]) from None
        if not issubclass(found, _BASES[kind]):
            raise ConfigErrors(
                [
                    Problem(
                        node.place,
                        path,
                        f"{found.__name__} is not a {_BASES[kind].__name__}: derive it from sojourn.{_BASES[kind].__name__}",
                    )
                ]
            )
        return describe(found, _without_type(node), path)


def _without_type(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    return Node({key: child for key, child in node.value.items() if key != "type"}, node.place)


def _wrong_id(id_: str) -> Iterator[str]:
    """What is wrong with `type` or `type/name`."""
    type_, slash, name = (part.strip() for part in id_.partition("/"))
    if not _TYPE.fullmatch(type_):
        yield (
            "the type before the slash is empty"
            if not type_
            else f"{type_!r} is not a type: a letter, then letters, digits and _, at most 63"
        )
    elif slash and not name:
        yield f"the name after the slash is empty: write {type_} or {type_}/name"
    elif len(name) > 1024 or any(unicodedata.category(character)[0] in "ZCS" for character in name):
        yield "the name after the slash has blanks, control characters or symbols, or more than 1024 characters"
