"""What `lifecycle` has to say, worked out the slow way: plain Python over lists of traces, straight from `sessions.md` §3 and §4.

Shares nothing with the package, so that both would have to be wrong in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MINUTE = 60 * 10**9


@dataclass(frozen=True)
class Trace:
    """One trace in one session, as `aggregate` tells it."""

    session: tuple[str, str, str]
    trace_id: str
    start: int
    end: int
    arrival: int
    name: str = ""
    prompt_name: str = ""
    session_name: tuple[str, int, int] | None = None
    """Text, start of the span that told it, its span id."""
    user: tuple[str, int, int] | None = None
    numbers: dict[str, int] = field(default_factory=dict, hash=False)
    cost: int | None = None
    cost_sources: int = 0
    error: bool = False
    turn: bool = False
    flags: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    metadata: dict[str, tuple[str, int, int]] = field(default_factory=dict, hash=False)
    last_call: tuple[int, int, str] | None = None
    """Start of its last call, the span's id, its output."""
    prompts: tuple[tuple[int, int, str, int], ...] = ()
    """Prompts of users told in records: time, digest, text, and the last time of a record of this row before it (0: none)."""
    marks: tuple[tuple[int, str], ...] = ()
    """What ends the session at a time: explicit or continued."""
    previous: tuple[str, int] | None = None
    """The id of the session that this one says to continue, and when."""
    only_marks: bool = False
    """Nothing but its marks counts."""
    gone: bool = False
    """The trace is no longer in this session."""

    @property
    def spans(self) -> int:
        """0: made of log records alone, which is no trace but activity."""
        return self.numbers.get("Spans", 1)


@dataclass(frozen=True)
class Limits:
    idle_timeout: int = 30 * MINUTE
    active_window: int = 5 * MINUTE
    finalize_delay: int = MINUTE // 2
    max_duration: int = 24 * 60 * MINUTE
    max_traces: int = 10_000
    on_limit: str = "segment"
    allowed_lateness: int = 24 * 60 * MINUTE
    max_future_skew: int = 10 * MINUTE
    max_tokens: int | None = None
    max_cost: int | None = None


COUNTS = (
    "Spans", "Errors", "LlmCalls", "EmbeddingCalls", "ToolCalls",
    "InputTokens", "OutputTokens", "CacheReadTokens", "CacheWriteTokens", "ReasoningTokens",
    "LogRecords",
    "LogErrors",
)  # fmt: skip


def live(told: Iterable[Trace]) -> dict[tuple[str, str, str], list[Trace]]:
    """The rows of each session: of what was told about one trace in one session the last counts."""
    newest: dict[tuple[Any, str], Trace] = {}
    for trace in told:
        newest[trace.session, trace.trace_id] = trace
    sessions: dict[tuple[str, str, str], list[Trace]] = {}
    for trace in newest.values():
        if not trace.gone:
            sessions.setdefault(trace.session, []).append(trace)
    return {key: sorted(traces, key=in_order) for key, traces in sessions.items()}


def in_order(row: Trace) -> tuple[int, bool, str]:
    """Log records first, which stand for no trace id."""
    return row.start, row.spans > 0, row.trace_id


def segments(traces: list[Trace], marks: list[tuple[int, str]], limits: Limits) -> list[tuple[list[Trace], str]]:
    """Rows by segment, each with why it ended; '' for a last one that only silence can end."""
    out: list[tuple[list[Trace], str]] = []
    mine: list[Trace] = []
    last_end = last_start = 0
    for trace in traces:
        why = ""
        if mine:
            why = marked(marks, last_start, trace.start, last_end, limits)
            if not why and trace.start - last_end >= limits.idle_timeout:
                why = "idle_timeout"
            elif not why and limits.on_limit == "segment":
                if trace.end > mine[0].start + limits.max_duration:
                    why = "max_duration"
                elif trace.spans and count(mine) >= limits.max_traces:
                    why = "max_traces"
        if why:
            out.append((mine, why))
            mine = []
        mine = [*mine, trace]
        last_start, last_end = trace.start, max(last_end, trace.end)
    return [*out, (mine, marked(marks, last_start, None, last_end, limits))]


def count(rows: list[Trace]) -> int:
    return sum(1 for row in rows if row.spans)


def marked(marks: list[tuple[int, str]], after: int, until: int | None, last_end: int, limits: Limits) -> str:
    """The earliest mark behind one start and not behind the next, unless a silence had ended the segment before it."""
    between = sorted((at, ["explicit", "continued"].index(why), why) for at, why in marks if at > after and (until is None or at <= until))
    return between[0][2] if between and between[0][0] <= last_end + limits.idle_timeout else ""


Turn = tuple[int, str, int, int]
"""Segment, text of the prompt, start, end."""


def prompted_turns(cuts: list[tuple[list[Trace], str]]) -> list[Turn]:
    """The turns that prompts begin: to the last end in the segment before the next prompt of the session."""
    prompts = sorted((at, span, text, number) for number, (rows, _) in enumerate(cuts) for row in rows for at, span, text, _ in row.prompts)
    turns = []
    for place, (at, _, text, number) in enumerate(prompts):
        until = prompts[place + 1][0] if place + 1 < len(prompts) else math.inf
        ends = [row.end for row in cuts[number][0]]
        ends += [before for row in cuts[number][0] for *_, before in row.prompts if before]
        turns.append((number, text, at, max([at, *(end for end in ends if at <= end < until)])))
    return turns


def state(traces: list[Trace], now: int, limits: Limits) -> str:
    last_end = max(trace.end for trace in traces)
    silent = now - max(max(trace.arrival for trace in traces), min(last_end, now))
    if silent < limits.active_window:
        return "active"
    return "idle" if silent < limits.idle_timeout + limits.finalize_delay else "ended"


def union(traces: list[Trace]) -> int:
    total, upto = 0, None
    for trace in traces:
        begin = trace.start if upto is None else max(trace.start, upto)
        total += max(trace.end - begin, 0)
        upto = trace.end if upto is None else max(upto, trace.end)
    return total


def nearest_rank(values: list[int], percent: int) -> int:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] if values else 0


def flags(traces: list[Trace], limits: Limits) -> set[str]:
    """Flags of one segment, but for those of budgets."""
    out = set().union(*(trace.flags for trace in traces))
    if any(trace.end - trace.arrival > limits.max_future_skew for trace in traces):
        out.add("clock_skew")
    if max(trace.end for trace in traces) - traces[0].start > limits.max_duration:
        out.add("over_duration")
    if count(traces) > limits.max_traces:
        out.add("over_traces")
    wait = limits.idle_timeout + limits.finalize_delay + limits.allowed_lateness
    by_arrival = sorted(traces, key=lambda trace: trace.arrival)
    for number, trace in enumerate(by_arrival[1:], 1):
        if trace.arrival - max(max(each.arrival, each.end) for each in by_arrival[:number]) >= wait:
            out.add("late_data")
    if len({key for trace in traces for key in trace.metadata}) > 64:
        out.add("truncated")
    return out


def summary(rows: list[Trace], only_turns: bool, prompts: list[Turn] | None, limits: Limits) -> dict[str, Any]:
    traces = [row for row in rows if row.spans]
    turns = [] if prompts is not None else [trace for trace in traces if trace.turn or not only_turns]
    durations = [trace.end - trace.start for trace in turns] + [end - start for *_, start, end in prompts or []]
    costs = [row.cost for row in rows if row.cost is not None]
    latest = [
        (trace.session_name[1], trace.trace_id, trace.session_name[2], trace.session_name[0]) for trace in traces if trace.session_name
    ]
    users = [(row.user[1], row.trace_id, row.user[2], row.user[0]) for row in rows if row.user]
    calls = [(row.last_call[0], row.trace_id, row.last_call[1], row.last_call[2]) for row in rows if row.last_call]
    metadata: dict[str, tuple[int, str, int, str]] = {}
    for row in rows:
        for key, (value, at, span) in row.metadata.items():
            metadata[key] = max(metadata.get(key, (at, row.trace_id, span, value)), (at, row.trace_id, span, value))
    sources = 0
    for row in rows:
        sources |= row.cost_sources
    sums = {name: sum(row.numbers.get(name, 1 if name == "Spans" else 0) for row in rows) for name in COUNTS}
    over = set()
    if limits.max_tokens is not None and sums["InputTokens"] + sums["OutputTokens"] > limits.max_tokens:
        over.add("over_tokens")
    if limits.max_cost is not None and sum(costs) > limits.max_cost:
        over.add("over_cost")
    return {
        "Name": max(latest)[3] if latest else traces[0].prompt_name or traces[0].name if traces else "",
        "NameSource": "explicit" if latest else "derived",
        "UserId": max(users)[3] if users else "",
        "Start": rows[0].start,
        "End": max(row.end for row in rows),
        "WallNs": max(row.end for row in rows) - rows[0].start,
        "ActiveNs": union(rows),
        "Traces": len(traces),
        "Turns": len(durations),
        **sums,
        "CostPico": min(sum(costs), 2**63 - 1) if costs else -1,
        "CostSources": sources,
        "Services": sorted(set().union(*(row.services for row in rows))),
        "Models": sorted(set().union(*(row.models for row in rows))),
        "Providers": sorted(set().union(*(row.providers for row in rows))),
        "Tools": sorted(set().union(*(row.tools for row in rows))),
        "Tags": sorted(set().union(*(row.tags for row in rows))),
        "Status": "error" if any(trace.error for trace in (turns if prompts is None else traces)) else "ok",
        "over": over,
        "Metadata": {key: metadata[key][3] for key in sorted(metadata, key=str.encode)[:64]},
        "FirstTrace": turns[0].trace_id if turns else "",
        "LastTrace": turns[-1].trace_id if turns else "",
        "FirstPrompt": prompts[0][1] if prompts else "",
        "LastAnswer": max(calls)[3] if calls and prompts is not None else "",
        "TurnP50Ns": nearest_rank(durations, 50),
        "TurnP95Ns": nearest_rank(durations, 95),
    }


def rows(key: tuple[str, str, str], told: list[Trace], now: int, limits: Limits) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """The session's row and its segments' rows, without Revision, LastSeen and Version; None if there is nothing but marks."""
    traces = [row for row in told if not row.only_marks]
    if not traces:
        return None
    only_turns = any(trace.turn and trace.spans for trace in traces)
    cuts = segments(traces, [mark for row in told for mark in row.marks], limits)
    turns = prompted_turns(cuts) if any(row.prompts for row in traces) else None
    out, every = [], set()
    last, before = state(traces, now, limits), ""
    for number, (mine, why) in enumerate(cuts):
        row = summary(mine, only_turns, None if turns is None else [turn for turn in turns if turn[0] == number], limits)
        own = flags(mine, limits) | ({"activity_after_end"} if before in ("explicit", "continued") else set())
        every |= own
        row["Flags"] = sorted(own | row.pop("over"))
        row["State"] = "ended" if why else last
        row["EndReason"] = why or ("idle_timeout" if row["State"] == "ended" else "")
        out.append({"Segment": number, "Segments": len(cuts), **named(key, row)})
        before = why
    whole = summary(traces, only_turns, turns, limits)
    whole["Flags"] = sorted(
        every | ({"truncated"} if len({key for trace in traces for key in trace.metadata}) > 64 else set()) | whole.pop("over")
    )
    whole |= {"State": out[-1]["State"], "EndReason": out[-1]["EndReason"], "Segments": len(cuts)}
    return named(key, whole), out


def named(key: tuple[str, str, str], row: dict[str, Any]) -> dict[str, Any]:
    found = "".join(f"\n{name}={value}" for name, value in row["Metadata"].items())
    search = f"{key[2]}\n{row['Name']}\n{row['UserId']}{found}".lower()
    return {"Tenant": key[0], "Project": key[1], "SessionId": key[2], "Search": search, **row}
