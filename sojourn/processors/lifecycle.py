"""`lifecycle`: the top level, from trace rows to sessions: segments, states, totals and events.

A session is folded afresh from its trace rows whenever one of them changes, and when silence changes its state. Boundaries depend on
event times only, so the order in which things arrive does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sojourn.component import Component, Host, Process, Processor
from sojourn.config.types import Duration, Size

if TYPE_CHECKING:
    from sojourn.sessions.alerts import Alerts
    from sojourn.sessions.lifecycle import Rules
    from sojourn.sessions.overrides import Override

_LONGEST = 3650 * 86_400.0
Silence = Annotated[Duration, Field(ge=0, le=_LONGEST)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Dollars = Annotated[Decimal, Field(ge=0, le=9_000_000)]


class Rule(Component):
    """Other parameters for some sessions: those of a project, those in which a service has part, or those of both."""

    project: str | None = None
    """The project of these sessions, for example shop."""
    service: Annotated[str, Field(min_length=1)] | None = None
    """A service that has part in these sessions, by its service.name, for example nightly-batch."""
    idle_timeout: Silence | None = None
    """idle_timeout of these sessions."""
    active_window: Silence | None = None
    """active_window of these sessions."""
    finalize_delay: Silence | None = None
    """finalize_delay of these sessions."""
    max_duration: Silence | None = None
    """max_duration of these sessions."""
    max_traces: Count | None = None
    """max_traces of these sessions."""
    on_limit: Literal["segment", "flag"] | None = None
    """on_limit of these sessions."""
    max_tokens: Count | None = None
    """max_tokens of these sessions."""
    max_cost: Dollars | None = None
    """max_cost of these sessions."""
    allowed_lateness: Silence | None = None
    """allowed_lateness of these sessions."""
    max_future_skew: Silence | None = None
    """max_future_skew of these sessions."""

    @model_validator(mode="after")
    def _of_something(self) -> Rule:
        if self.project is None and self.service is None:
            raise PydanticCustomError("rule", "is for no sessions: give it a project or a service")
        return self


class AlertRule(Component):
    """When people are told of a session."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """What the alert is called, for example expensive."""
    condition: Annotated[str, Field(min_length=1)]
    """When it fires, by the columns of the session: `cost > 5`, `errors >= 3 and wall > 2h`, `state == "idle" and silent > 20m`."""
    severity: Literal["info", "warning", "critical"] = "warning"
    """How bad it is."""
    receivers: tuple[str, ...] = ()
    """Ids of the webhook exporters that tell it, for example webhook/slack; without any, those that tell session.alert."""

    @field_validator("condition")
    @classmethod
    def _readable(cls, value: str) -> str:
        from sojourn.sessions.conditions import BadCondition, parse

        try:
            parse(value)
        except BadCondition as error:
            raise PydanticCustomError("condition", "{reason}", {"reason": str(error)}) from None
        return value


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
    max_traces: Count = 10_000
    """Most traces in a segment: the next one begins another segment. 0 for no limit."""
    on_limit: Literal["segment", "flag"] = "segment"
    """What `max_duration` and `max_traces` do: begin another segment, or only set the flags over_duration and over_traces."""
    max_tokens: Count | None = None
    """A session that has used more input and output tokens is flagged over_tokens, and an alert of that name tells it, for example 2000000.
    """
    max_cost: Dollars | None = None
    """A session that has cost more US dollars is flagged over_cost and told by an alert of that name, for example 5.00."""
    allowed_lateness: Silence = 86_400.0
    """What comes later than this after a session's end corrects it without telling session.reopened, and flags it late_data."""
    max_future_skew: Silence = 600.0
    """Spans that end further ahead of their arrival than this flag the session clock_skew: some clock is wrong."""
    rules: tuple[Rule, ...] = ()
    """Other parameters for sessions of a project or a service; the first rule that fits a session counts."""
    alerts: Annotated[tuple[AlertRule, ...], Field(max_length=50)] = ()
    """When people are told of a session; each alert once, and again only after its condition was false in between."""
    max_sessions: Annotated[int, Field(ge=1, le=100_000_000)] = 2_000_000
    """Sessions that are watched at once. More new ones are counted and flagged limited; their end is told with up to a minute's delay."""
    memory: Size = 128 * 1024 * 1024
    """How much the trace rows of live sessions may take; those of the longest silent sessions are dropped, and read back when needed."""

    @contextmanager
    def open(self, host: Host) -> Iterator[Process]:
        from sojourn.processors.keeping import Keeping
        from sojourn.sessions.overrides import Book

        book = Book(_rules(self), self.overrides(), host.texts)
        yield Keeping(host, book, self.watched(), self.memory, self.max_sessions)

    @field_validator("alerts")
    @classmethod
    def _distinct(cls, value: tuple[AlertRule, ...]) -> tuple[AlertRule, ...]:
        names = [alert.name for alert in value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise PydanticCustomError("alerts", "{reason}", {"reason": f"has two alerts {twice!r}: an alert is known by its name"})
        return value

    def overrides(self) -> list[Override]:
        from sojourn.sessions.overrides import Override

        own = [{name: value for name in _PARAMETERS if (value := getattr(rule, name)) is not None} for rule in self.rules]
        return [
            Override(rule.project, rule.service, _rules(self.model_copy(update=parameters)))
            for rule, parameters in zip(self.rules, own, strict=True)
        ]

    def watched(self) -> Alerts:
        """The alerts, and one for each of max_tokens and max_cost where these are set."""
        from sojourn.sessions.alerts import Alert, Alerts
        from sojourn.sessions.conditions import parse

        found = [Alert(alert.name, parse(alert.condition), alert.severity, alert.receivers) for alert in self.alerts]
        for key, flag in (("max_tokens", "over_tokens"), ("max_cost", "over_cost")):
            if any(getattr(rule, key) is not None for rule in (self, *self.rules)) and flag not in {alert.name for alert in found}:
                found.append(Alert(flag, parse(f'"{flag}" in flags'), "warning"))
        return Alerts(found)


_PARAMETERS: Final = tuple(name for name in Rule.model_fields if name not in ("project", "service"))


def _rules(of: Lifecycle) -> Rules:
    """The parameters as whole numbers: nanoseconds and picodollars."""
    from sojourn.sessions.lifecycle import NEVER, SECOND, Rules

    def ns(seconds: float) -> int:
        return round(seconds * SECOND)

    return Rules(
        idle_timeout=ns(of.idle_timeout),
        active_window=ns(of.active_window),
        finalize_delay=ns(of.finalize_delay),
        max_duration=ns(of.max_duration) or NEVER,
        max_traces=of.max_traces or NEVER,
        cut_on_limit=of.on_limit == "segment",
        allowed_lateness=ns(of.allowed_lateness),
        max_future_skew=ns(of.max_future_skew),
        max_tokens=NEVER if of.max_tokens is None else of.max_tokens,
        max_cost=NEVER if of.max_cost is None else int(of.max_cost.scaleb(12)),
    )
