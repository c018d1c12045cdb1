"""What a story is made of: spans with times counted from the story's beginning, in packets as a sender would export them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

Value = str | bool | int | float | Sequence[str]


@dataclass(frozen=True, slots=True)
class Service:
    """Who sends: becomes the resource."""

    name: str
    project: str = ""
    version: str = "1.4.2"

    def attributes(self) -> dict[str, Value]:
        project: dict[str, Value] = {"service.namespace": self.project} if self.project else {}
        return {"service.name": self.name, "service.version": self.version, "telemetry.sdk.language": "python", **project}


@dataclass(frozen=True, slots=True)
class Span:
    trace: bytes
    span: bytes
    parent: bytes
    name: str
    kind: str  # internal | server | client | consumer
    start: float  # seconds since the story began
    end: float
    attributes: Mapping[str, Value]
    error: str = ""
    """Message of the status ERROR, '' if all went well."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One export of one service."""

    due: float  # seconds since the story began
    service: Service
    spans: tuple[Span, ...]


@dataclass(slots=True)
class Trace:
    """Spans of one trace, in the making."""

    random: Random
    service: Service
    trace: bytes = b""
    sent: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trace = self.trace or self.random.randbytes(16)

    def identity(self) -> bytes:
        return self.random.randbytes(8)

    def span(
        self,
        name: str,
        start: float,
        end: float,
        parent: bytes,
        attributes: Mapping[str, Value],
        *,
        kind: str = "internal",
        error: str = "",
        identity: bytes = b"",
    ) -> Span:
        return Span(self.trace, identity or self.identity(), parent, name, kind, start, end, attributes, error)

    def send(self, *spans: Span, after: float = 0.2, service: Service | None = None) -> None:
        """Export spans `after` seconds behind the end of the last one."""
        self.sent.append(Packet(max(span.end for span in spans) + after, service or self.service, spans))

    def again(self, seconds: float = 1.0) -> None:
        """The answer to the last packet was lost on the way, so the sender sends it a second time."""
        self.sent.append(replace(self.sent[-1], due=self.sent[-1].due + seconds))
