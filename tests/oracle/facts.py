"""What one span, or one log record, says about itself: what everything else is worked out from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mark:
    """4: something that ends a session, or says which other session goes on in this one."""

    what: str
    """session.start or session.end"""
    time: int
    previous: str = ""
    """Of session.start: the id of the session that ends here."""


@dataclass
class Fact:
    """One span, or one log record, read."""

    tenant: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    scope: str
    service: str
    project: str
    arrival: int
    start: int
    end: int
    sent_end: int
    digest: int
    event: str = ""
    """Of a log record: the name of the event."""
    session: str = ""
    id_class: int = 255
    kind: str = "span"
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int | None = None
    """As reported, in picodollars."""
    price: tuple[int, str] | None = None
    """What it costs and whether that was reported or computed."""
    model: str = ""
    provider: str = ""
    tool: str = ""
    user: str = ""
    response: str = ""
    error: bool = False
    session_name: str = ""
    prompt_name: str = ""
    input_text: str = ""
    output_text: str = ""
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    marks: list[Mark] = field(default_factory=list)
    scores: list[tuple[str, int]] = field(default_factory=list)
    """Name and value in 10^-9 of every judgement of it."""
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)
    """As sent: the configuration may ask for any of them (2.4, 3.10)."""
    resource: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_model(self) -> bool:
        return self.kind in ("llm", "embedding", "rerank")

    @property
    def has_usage(self) -> bool:
        return bool(self.input or self.output or self.cache_read or self.cache_write or self.reasoning or self.cost)

    @property
    def version(self) -> tuple[int, int]:
        return (self.sent_end, self.digest)
