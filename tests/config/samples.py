"""Small components to describe in tests, and a registry that knows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from sojourn import Component, ConfigError, Endpoint, Exporter, Extension, Processor, Receiver, Secret, Size, Url
from sojourn.collector.registry import REPLACED, Installed, from_file
from sojourn.config.model import Kind


class Grpc(Component):
    endpoint: Endpoint = Endpoint("127.0.0.1", 4317)


class Protocols(Component):
    grpc: Grpc | None = None


class Source(Receiver):
    protocols: Protocols = Protocols()
    acknowledge: Literal["received", "committed", "durable"] = "received"
    limit: Size = 64 << 20
    tags: tuple[str, ...] = ()


class Sink(Exporter):
    path: str = ""
    count: int = 0
    token: Secret | None = None
    database: Url | None = None


class Forward(Exporter):
    raw: ClassVar[bool] = True
    endpoint: str


class Health(Extension):
    endpoint: Endpoint = Endpoint("127.0.0.1", 0)


class Samples:
    """Finds the samples; what is not among them is told as the real registry tells it."""

    classes: ClassVar[dict[str, dict[str, type[Component]]]] = {
        "receivers": {"source": Source},
        "processors": {"session": Processor, "aggregate": Processor, "lifecycle": Processor, **dict.fromkeys("abc", Processor)},
        "exporters": {"sink": Sink, "forward": Forward},
        "extensions": {"health": Health},
    }

    def names(self, kind: Kind) -> Sequence[str]:
        return sorted(self.classes[kind])

    def find(self, kind: Kind, type_: str, folder: Path | None) -> type[Component]:
        if ".py:" in type_:
            return from_file(type_, folder)
        if type_ in self.classes[kind] and (kind, type_) not in REPLACED:
            return self.classes[kind][type_]
        raise ConfigError(Installed._unknown(self, kind, type_))  # type: ignore[arg-type]
