"""Where a session is cut (4), and which turns it has (3.6).

Decided here, where the specification is silent:

- Log traces are cut like traces, in the order (start, trace id, service), a log trace without a trace id first; they never exceed
  `max_traces`, which counts traces.
- A mark acts on what starts before it: a mark at or before the first start of a session changes nothing, one in the middle of a trace
  ends the segment, whose `End` is later then. It comes too late if it is later than the last end so far + `idle_timeout` (without
  `finalize_delay`, which waits for late arrivals and is no event time); at that very time it still counts. The last segment is ended as
  soon as its mark is known, also if its time is yet to come. Of several marks the earliest counts, at one time `explicit` before
  `continued`.
- `activity_after_end` is told of the segment behind a mark of either kind.
- A turn by a prompt belongs to the segment of its record's (log) trace and ends there: at the last end, not before the prompt and before
  the next prompt of the session, of a trace or log trace of the segment, or of the part of one in front of a prompt in it, which ends
  with its last record before that prompt; at the prompt itself if there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Row = dict[str, Any]
MINUTE = 60 * 10**9


@dataclass(frozen=True)
class Override:
    """4.6: other parameters for the sessions of a project, or for those in which a service has part, or of both."""

    project: str | None
    service: str | None
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    idle_timeout: int = 30 * MINUTE
    active_window: int = 5 * MINUTE
    finalize_delay: int = MINUTE // 2
    max_duration: int = 24 * 60 * MINUTE
    max_traces: int = 10_000
    on_limit: str = "segment"
    allowed_lateness: int = 24 * 60 * MINUTE
    max_tokens: int | None = None
    max_cost: int | None = None
    """In picodollars."""
    missing_id: str = "none"
    gap_attributes: tuple[str, ...] = ("user", "service")
    measures: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """3.10: by name sum, min or max, and the attribute."""
    overrides: tuple[Override, ...] = ()
    alerts: Mapping[str, Callable[[Row], bool]] = field(default_factory=dict)
    """5: by name the condition over the row of a session."""

    def of(self, project: str, services: Iterable[str]) -> Rules:
        """4.6: the first override that fits counts whole: what it does not name is as for everybody."""
        for each in self.overrides:
            if each.project in (None, project) and (each.service is None or each.service in services):
                return replace(self, **each.changes)
        return self


@dataclass
class Segment:
    rows: list[Row] = field(default_factory=list)
    reason: str = ""
    """Why it ended; '' for a last segment that only silence can end."""
    flags: set[str] = field(default_factory=set)


def in_order(row: Row) -> tuple[int, str, list[str]]:
    return (row["Start"], row["TraceId"], row["Services"])


def cut_segments(rows: list[Row], rules: Rules, marks: list[tuple[int, str]]) -> list[Segment]:
    """4.1, 4.2: cut by marks, by a gap, by max_duration and by max_traces."""
    segments = [Segment()]
    end, before = 0, None
    for row in sorted(rows, key=in_order):
        if before is not None:
            reason = _mark(marks, before, row["Start"], end, rules) or _silence_or_limit(segments[-1].rows, row, end, rules)
            if reason:
                segments[-1].reason = reason
                segments.append(Segment(flags={"activity_after_end"} if reason in ("explicit", "continued") else set()))
        segments[-1].rows.append(row)
        end, before = max(end, row["End"]), row["Start"]
    assert before is not None
    segments[-1].reason = _mark(marks, before, None, end, rules)
    for segment in segments:
        segment.flags |= _limits(segment.rows, rules) | _late(segment.rows, rules)
    return segments


def _limits(rows: list[Row], rules: Rules) -> set[str]:
    """4: limits that do not cut flag."""
    long = max(row["End"] for row in rows) - min(row["Start"] for row in rows) > rules.max_duration
    many = sum(row["Spans"] > 0 for row in rows) > rules.max_traces
    return ({"over_duration"} if long else set()) | ({"over_traces"} if many else set())


def _late(rows: list[Row], rules: Rules) -> set[str]:
    """4.4: something came later than `allowed_lateness` after the segment had ended, by what was known until then."""
    heard: int | None = None
    for row in sorted(rows, key=lambda row: row["Arrival"]):
        if heard is not None and row["Arrival"] - heard >= rules.idle_timeout + rules.finalize_delay + rules.allowed_lateness:
            return {"late_data"}
        heard = max(row["Arrival"], row["End"], heard or 0)
    return set()


def _mark(marks: list[tuple[int, str]], after: int, until: int | None, end: int, rules: Rules) -> str:
    """The first mark behind a start and not behind the next one, if it does not fall into a silence that had ended the segment before."""
    found = [(time, reason != "explicit", reason) for time, reason in marks if after < time and (until is None or time <= until)]
    return min(found)[2] if found and min(found)[0] <= end + rules.idle_timeout else ""


def _silence_or_limit(segment: list[Row], row: Row, end: int, rules: Rules) -> str:
    if row["Start"] - end >= rules.idle_timeout:
        return "idle_timeout"
    if rules.on_limit == "flag":
        return ""
    if row["End"] > segment[0]["Start"] + rules.max_duration:
        return "max_duration"
    traces = sum(each["Spans"] > 0 for each in segment)
    return "max_traces" if row["Spans"] and traces >= rules.max_traces else ""


@dataclass
class Turn:
    segment: int
    start: int
    end: int
    trace: Row | None
    """None for a turn that a prompt began."""
    text: str | None = None
    """Of the prompt."""


def turns_of(segments: list[list[Row]]) -> list[Turn]:
    """3.6: of user prompts, else of traces whose top-most span carries a user input, else of all traces."""
    numbered = [(number, row) for number, rows in enumerate(segments) for row in rows]
    prompts = sorted((*prompt, number) for number, row in numbered for prompt in row["Prompts"])
    if prompts:
        nexts = [prompt[0] for prompt in prompts[1:]] + [None]
        ends = [[end for row in rows for end in row["Ends"]] for rows in segments]
        return [
            Turn(number, time, max([time, *(end for end in ends[number] if end >= time and (until is None or end < until))]), None, text)
            for (time, _, text, number), until in zip(prompts, nexts, strict=True)
        ]
    traces = sorted(((number, row) for number, row in numbered if row["Spans"]), key=lambda pair: in_order(pair[1]))
    chosen = [pair for pair in traces if pair[1]["Turn"]] or traces
    return [Turn(number, row["Start"], row["End"], row) for number, row in chosen]
