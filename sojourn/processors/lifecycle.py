"""`lifecycle`: the top level, from trace rows to sessions: segments, states, totals and events.

A session is folded afresh from its trace rows whenever one of them changes, and when silence changes its state. Boundaries depend on
event times only, so the order in which things arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from sojourn.component import Host, Process, Processor
from sojourn.config.types import Duration, Size

if TYPE_CHECKING:
    from sojourn.sessions.lifecycle import Rules

_LONGEST = 3650 * 86_400.0
Silence = Annotated[Duration, Field(ge=0, le=_LONGEST)]


class Lifecycle(Processor):
    """Tells when a session begins, pauses, breaks and ends, and keeps its totals."""

    idle_timeout: Silence = 1800.0
    """A silence of this length cuts a session into segments, and ends it."""
    active_window: Silence = 300.0
    """A session is active until it has been silent for this long; then it is idle until it ends."""
    finalize_delay: Silence = 30.0
    """How much longer than `idle_timeout` to wait before a session is told to have ended, for data that is on its way."""
    max_duration: Silence = 86_400.0
    """Longest segment: a trace that would end later begins the next one. 0 for no limit."""
    max_traces: Annotated[int, Field(ge=0)] = 10_000
    """Most traces in a segment: the next one begins another segment. 0 for no limit."""
    on_limit: Literal["segment", "flag"] = "segment"
    """What `max_duration` and `max_traces` do: begin another segment, or only set the flags over_duration and over_traces."""
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    """A session that has used more input and output tokens is flagged over_tokens, for example 2000000."""
    max_cost: Annotated[Decimal, Field(ge=0, le=9_000_000)] | None = None
    """A session that has cost more US dollars is flagged over_cost, for example 5.00."""
    allowed_lateness: Silence = 86_400.0
    """What comes later than this after a session's end corrects it without telling session.reopened, and flags it late_data."""
    max_future_skew: Silence = 600.0
    """Spans that end further ahead of their arrival than this flag the session clock_skew: some clock is wrong."""
    memory: Size = 128 * 1024 * 1024
    """How much the trace rows of live sessions may take; those of the longest silent sessions are dropped, and read back when needed."""

    @contextmanager
    def open(self, host: Host) -> Iterator[Process]:
        from sojourn.processors.keeping import Keeping

        yield Keeping(host, self.rules(), self.memory)

    def rules(self) -> Rules:
        """The parameters as whole numbers: nanoseconds and picodollars."""
        from sojourn.sessions.lifecycle import SECOND, Rules

        def ns(seconds: float) -> int:
            return round(seconds * SECOND)

        return Rules(
            idle_timeout=ns(self.idle_timeout),
            active_window=ns(self.active_window),
            finalize_delay=ns(self.finalize_delay),
            max_duration=ns(self.max_duration),
            max_traces=self.max_traces,
            cut_on_limit=self.on_limit == "segment",
            allowed_lateness=ns(self.allowed_lateness),
            max_future_skew=ns(self.max_future_skew),
            max_tokens=self.max_tokens,
            max_cost=None if self.max_cost is None else int(self.max_cost.scaleb(12)),
        )
