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
    gone: bool = False
    """The trace is no longer in this session."""


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
    """The traces of each session: of what was told about one trace in one session the last counts."""
    newest: dict[tuple[Any, str], Trace] = {}
    for trace in told:
        newest[trace.session, trace.trace_id] = trace
    sessions: dict[tuple[str, str, str], list[Trace]] = {}
    for trace in newest.values():
        if not trace.gone:
            sessions.setdefault(trace.session, []).append(trace)
    return {key: sorted(traces, key=lambda trace: (trace.start, trace.trace_id)) for key, traces in sessions.items()}


def segments(traces: list[Trace], limits: Limits) -> list[tuple[list[Trace], str]]:
    """Traces by segment, each with why it ended; '' for the last."""
    out: list[tuple[list[Trace], str]] = []
    mine: list[Trace] = []
    last_end = None
    for trace in traces:
        why = ""
        if mine:
            assert last_end is not None
            if trace.start - last_end >= limits.idle_timeout:
                why = "idle_timeout"
            elif limits.on_limit == "segment":
                if trace.end > mine[0].start + limits.max_duration:
                    why = "max_duration"
                elif len(mine) + 1 > limits.max_traces:
                    why = "max_traces"
        if why:
            out.append((mine, why))
            mine = []
        mine.append(trace)
        last_end = trace.end if last_end is None else max(last_end, trace.end)
    out.append((mine, ""))
    return out


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
    if len(traces) > limits.max_traces:
        out.add("over_traces")
    wait = limits.idle_timeout + limits.finalize_delay + limits.allowed_lateness
    by_arrival = sorted(traces, key=lambda trace: trace.arrival)
    for number, trace in enumerate(by_arrival[1:], 1):
        if trace.arrival - max(max(each.arrival, each.end) for each in by_arrival[:number]) >= wait:
            out.add("late_data")
    if len({key for trace in traces for key in trace.metadata}) > 64:
        out.add("truncated")
    return out


def summary(traces: list[Trace], only_turns: bool, limits: Limits) -> dict[str, Any]:
    turns = [trace for trace in traces if trace.turn or not only_turns]
    durations = [trace.end - trace.start for trace in turns]
    costs = [trace.cost for trace in traces if trace.cost is not None]
    latest = [
        (trace.session_name[1], trace.trace_id, trace.session_name[2], trace.session_name[0]) for trace in traces if trace.session_name
    ]
    users = [(trace.user[1], trace.trace_id, trace.user[2], trace.user[0]) for trace in traces if trace.user]
    metadata: dict[str, tuple[int, str, int, str]] = {}
    for trace in traces:
        for key, (value, at, span) in trace.metadata.items():
            metadata[key] = max(metadata.get(key, (at, trace.trace_id, span, value)), (at, trace.trace_id, span, value))
    sources = 0
    for trace in traces:
        sources |= trace.cost_sources
    tokens = sum(trace.numbers.get("InputTokens", 0) + trace.numbers.get("OutputTokens", 0) for trace in traces)
    over = {"over_tokens"} if limits.max_tokens is not None and tokens > limits.max_tokens else set()
    if limits.max_cost is not None and sum(costs) > limits.max_cost:
        over.add("over_cost")
    return {
        "Name": max(latest)[3] if latest else traces[0].prompt_name or traces[0].name,
        "NameSource": "explicit" if latest else "derived",
        "UserId": max(users)[3] if users else "",
        "Start": traces[0].start,
        "End": max(trace.end for trace in traces),
        "WallNs": max(trace.end for trace in traces) - traces[0].start,
        "ActiveNs": union(traces),
        "Traces": len(traces),
        "Turns": len(turns),
        **{name: sum(trace.numbers.get(name, 0) for trace in traces) for name in COUNTS},
        "CostPico": min(sum(costs), 2**63 - 1) if costs else -1,
        "CostSources": sources,
        "Services": sorted(set().union(*(trace.services for trace in traces))),
        "Models": sorted(set().union(*(trace.models for trace in traces))),
        "Providers": sorted(set().union(*(trace.providers for trace in traces))),
        "Tools": sorted(set().union(*(trace.tools for trace in traces))),
        "Tags": sorted(set().union(*(trace.tags for trace in traces))),
        "Status": "error" if any(trace.error for trace in turns) else "ok",
        "over": over,
        "Metadata": {key: metadata[key][3] for key in sorted(metadata, key=str.encode)[:64]},
        "FirstTrace": turns[0].trace_id if turns else "",
        "LastTrace": turns[-1].trace_id if turns else "",
        "FirstPrompt": "",
        "LastAnswer": "",
        "TurnP50Ns": nearest_rank(durations, 50),
        "TurnP95Ns": nearest_rank(durations, 95),
    }


def rows(key: tuple[str, str, str], traces: list[Trace], now: int, limits: Limits) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The session's row and its segments' rows, without Revision, LastSeen and Version."""
    only_turns = any(trace.turn for trace in traces)
    cuts = segments(traces, limits)
    last = state(traces, now, limits)
    out, every = [], set()
    for number, (mine, why) in enumerate(cuts):
        row = summary(mine, only_turns, limits)
        told = flags(mine, limits)
        every |= told
        row["Flags"] = sorted(told | row.pop("over"))
        row["State"] = "ended" if number < len(cuts) - 1 else last
        row["EndReason"] = why or ("idle_timeout" if row["State"] == "ended" else "")
        out.append({"Segment": number, "Segments": len(cuts), **named(key, row)})
    whole = summary(traces, only_turns, limits)
    whole["Flags"] = sorted(
        every | ({"truncated"} if len({key for trace in traces for key in trace.metadata}) > 64 else set()) | whole.pop("over")
    )
    whole |= {"State": last, "EndReason": "idle_timeout" if last == "ended" else "", "Segments": len(cuts)}
    return named(key, whole), out


def named(key: tuple[str, str, str], row: dict[str, Any]) -> dict[str, Any]:
    found = "".join(f"\n{name}={value}" for name, value in row["Metadata"].items())
    search = f"{key[2]}\n{row['Name']}\n{row['UserId']}{found}".lower()
    return {"Tenant": key[0], "Project": key[1], "SessionId": key[2], "Search": search, **row}
