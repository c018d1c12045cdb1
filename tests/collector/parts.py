"""Components for tests of the service: they write down when they open and close, and hand on what the test sends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sojourn import Component, Endpoint, Exporter, Extension, Host, Processor, Raw, Receiver, Service
from sojourn.config.load import load
from sojourn.config.model import Description, Kind, read
from sojourn.extensions.health_check import HealthCheck

BODY = bytes.fromhex("0a2012 1e121c 0a10000102030405060708090a0b0c0d0e0f 12080102030405060708".replace(" ", ""))
"""A request with one span that has ids and nothing else."""
STORY: list[Any] = []
"""What happened in the test that runs now."""


@dataclass
class Tap:
    lanes: dict[str, list[Any]]
    endpoints: dict[str, str] = field(default_factory=lambda: {"otlp_grpc": "127.0.0.1:1"})

    def send(self, signal: str, body: bytes) -> None:
        for lane in self.lanes[signal]:
            lane.push(signal, body, "application/x-protobuf", 1_000_000_000_000)

    def meters(self) -> dict[str, float]:
        return {'otelcol_receiver_accepted_spans_total{transport="test"}': 7.0}


class In(Receiver):
    """Takes what the test sends."""

    taps: ClassVar[dict[str, Tap]] = {}
    name: str = "in"
    """Its name in the story."""
    fails: bool = False
    """Cannot start."""
    listens: Endpoint = Endpoint("127.0.0.1", 4317)
    """Where strangers would be answered."""

    def unguarded(self) -> Iterator[Endpoint]:
        yield self.listens

    @contextmanager
    def open(self, host: Host, lanes: dict[str, list[Any]]) -> Iterator[Tap]:
        if self.fails:
            raise OSError(98, "Address already in use")
        STORY.append(f"open {self.name}")
        self.taps[self.name] = Tap(lanes)
        yield self.taps[self.name]
        STORY.append(f"close {self.name}")


class Out(Exporter):
    """Writes down the requests."""

    raw: ClassVar[bool] = True
    name: str = "out"
    """Its name in the story."""

    @contextmanager
    def open(self, host: Host) -> Iterator[Out]:
        STORY.append(f"open {self.name}")
        yield self
        STORY.append(f"close {self.name}")

    def export(self, batch: Raw) -> None:
        STORY.append((self.name, batch.signal, batch.requests))


class Beside(Extension):
    """Runs beside the pipelines."""

    endpoint: Endpoint = Endpoint("127.0.0.1", 0)
    """Where it would listen."""

    @contextmanager
    def open(self, service: Service) -> Iterator[None]:
        STORY.append(f"open beside, healthy: {service.health()[0]}")
        yield
        STORY.append(f"close beside, healthy: {service.health()[0]}")


class Parts:
    classes: ClassVar[dict[str, dict[str, type[Component]]]] = {
        "receivers": {"in": In},
        "processors": {"pass": Processor},
        "exporters": {"out": Out},
        "extensions": {"beside": Beside, "health_check": HealthCheck},
    }

    def names(self, kind: Kind) -> Sequence[str]:
        return sorted(self.classes[kind])

    def find(self, kind: Kind, type_: str, folder: Path | None) -> type[Component]:
        return self.classes[kind][type_]


def described(text: str, *settings: str) -> Description:
    return read(load([f"yaml:{text}"], ["service.flush_interval=5ms", *settings], {}), Parts())
