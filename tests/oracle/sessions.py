"""Rows of traces and log traces → rows of sessions and segments (3, and the states of 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tests.oracle.binding import Key, key_of, named
from tests.oracle.cutting import Row, Rules, Segment, Turn, cut_segments, in_order, turns_of
from tests.oracle.figures import combined, summed


def sessions_of(
    rows: Iterable[Row],
    now: int,
    rules: Rules | None = None,
    marks: Iterable[tuple[Key, int, str]] = (),
    names: Mapping[Key, str] | None = None,
) -> tuple[list[Row], list[Row]]:
    """(session rows, segment rows) at `now`; `names` are those that people gave."""
    every, marks = rules or Rules(), list(marks)
    grouped: dict[Key, list[Row]] = {}
    for row in rows:
        grouped.setdefault(key_of(row), []).append(row)
    sessions, segments = [], []
    for key, parts in grouped.items():
        rules = every.of(key[1], {service for row in parts for service in row["Services"]})
        cut = cut_segments(parts, rules, [(time, reason) for session, time, reason in marks if session == key])
        turns = turns_of([segment.rows for segment in cut])
        prompted = any(row["Prompts"] for row in parts)
        for number, segment in enumerate(cut):
            state = _state(parts, now, rules, segment.reason)
            mine = [turn for turn in turns if turn.segment == number]
            segments.append({**named(key), "Segment": number, **_summary(segment.rows, mine, cut, prompted, rules), **state})
            segments[-1]["Flags"] = sorted({*segments[-1]["Flags"], *segment.flags})
        sessions.append({**named(key), **_summary(parts, turns, cut, prompted, rules), **_state(parts, now, rules, cut[-1].reason)})
        sessions[-1]["Flags"] = sorted({*sessions[-1]["Flags"], *(flag for segment in cut for flag in segment.flags)})
    for row in (*sessions, *segments):
        if manual := (names or {}).get(key_of(row)):  # 3.8: a manual rename wins for good
            row |= {"Name": manual, "NameSource": "manual"}
    for row in sessions:
        row["Alerts"] = _alerts(row, every)
    return sessions, segments


def _state(rows: list[Row], now: int, rules: Rules, reason: str) -> Row:
    """4.3: every segment that something has ended is ended, whatever the clock says; else silence decides.

    An `active_window` that is longer than what ends a session goes first.
    """
    if reason:
        return {"State": "ended", "EndReason": reason}
    arrival, end = max(row["Arrival"] for row in rows), max(row["End"] for row in rows)
    silent = now - max(arrival, min(end, now))
    if silent < rules.active_window:
        return {"State": "active", "EndReason": ""}
    ended = silent >= rules.idle_timeout + rules.finalize_delay
    return {"State": "ended", "EndReason": "idle_timeout"} if ended else {"State": "idle", "EndReason": ""}


def _alerts(row: Row, rules: Rules) -> list[str]:
    """5: those that fire; `max_tokens` and `max_cost` alert too, also where only some sessions have them."""
    limits = {name for each in (rules, *(replace(rules, **each.changes) for each in rules.overrides)) for name in _limited(each)}
    return sorted({name for name, holds in rules.alerts.items() if holds(row)} | (limits & set(row["Flags"])))


def _limited(rules: Rules) -> set[str]:
    return {name for name, limit in (("over_tokens", rules.max_tokens), ("over_cost", rules.max_cost)) if limit is not None}


_SUMMED = [
    "Spans",
    "Errors",
    "LogRecords",
    "LogErrors",
    "LlmCalls",
    "EmbeddingCalls",
    "ToolCalls",
    "InputTokens",
    "OutputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "ReasoningTokens",
]


def _summary(rows: list[Row], turns: list[Turn], cut: list[Segment], prompted: bool, rules: Rules) -> Row:
    ordered = sorted(rows, key=in_order)
    traces = [row for row in ordered if row["Spans"]]
    start, end = ordered[0]["Start"], max(row["End"] for row in ordered)
    costs = [row["CostPico"] for row in ordered if row["CostPico"] is not None]
    sources = sorted({source for row in ordered for source in row["CostSources"]})
    walls = sorted(turn.end - turn.start for turn in turns)
    row: Row = {
        "Start": start,
        "End": end,
        "WallNs": end - start,
        "ActiveNs": _union(ordered),  # 3.5
        "Segments": len(cut),
        "Traces": len(traces),
        "Turns": len(turns),
        "CostPico": sum(costs) if costs else None,
        "CostSource": "mixed" if len(sources) > 1 else "".join(sources),
        "TurnP50Ns": _percentile(walls, 50),
        "TurnP95Ns": _percentile(walls, 95),
        **_edges(ordered, traces, turns, prompted),
        **{name: sum(each[name] for each in ordered) for name in _SUMMED},
        **{
            name: sorted({item for each in ordered for item in each[name]})
            for name in ("Services", "Models", "Providers", "Tools", "Tags", "Flags")
        },
    }
    row["TotalTokens"] = row["InputTokens"] + row["OutputTokens"]
    over = {"over_tokens": (row["TotalTokens"], rules.max_tokens), "over_cost": (sum(costs), rules.max_cost)}
    row["Flags"] = sorted({*row["Flags"], *(flag for flag, (sum_, limit) in over.items() if limit is not None and sum_ > limit)})
    row["Scores"] = summed(score for each in ordered for score in each["Scores"].items())
    told = [(name, each["Measures"][name]) for each in ordered for name in each["Measures"]]
    row["Measures"] = {name: combined(rules.measures[name][0], [value for key, value in told if key == name]) for name, _ in told}
    row.update(_described(ordered, traces))
    return row


def _edges(rows: list[Row], traces: list[Row], turns: list[Turn], prompted: bool) -> Row:
    """3.6, 3.9: what the first and the last turn say. With prompts: the first prompt, the last call, and any trace's status."""
    if prompted:
        calls = sorted(call for row in rows for call in row["Calls"])
        status = "error" if any(trace["Status"] == "error" for trace in traces) else "ok"
        return {
            "Status": status, "FirstTrace": "", "LastTrace": "",
            "FirstInput": turns[0].text if turns else "", "LastOutput": calls[-1][-1] if calls else "",
        }  # fmt: skip
    told = [turn.trace for turn in turns if turn.trace]
    return {
        "Status": "error" if any(trace["Status"] == "error" for trace in told) else "ok",
        "FirstTrace": told[0]["TraceId"] if told else "",
        "LastTrace": told[-1]["TraceId"] if told else "",
        "FirstInput": told[0]["Input"] if told else "",
        "LastOutput": told[-1]["Output"] if told else "",
    }


def _percentile(lengths: list[int], percent: int) -> int:
    """3.5: exact, by nearest rank: the ceil(p * n)-th of the sorted values."""
    rank = (len(lengths) * percent + 99) // 100
    return lengths[rank - 1] if lengths else 0


def _union(traces: list[Row]) -> int:
    """1: activity is the union of the trace intervals."""
    length, reached = 0, 0
    for trace in traces:
        begin = max(trace["Start"], reached)
        length += max(trace["End"] - begin, 0)
        reached = max(reached, trace["End"])
    return length


def _described(rows: list[Row], traces: list[Row]) -> Row:
    """3.8; a session of records alone has no name."""
    named = [trace for trace in traces if trace["SessionName"]]
    users = [row for row in rows if row["UserId"]]
    metadata: dict[str, tuple[Any, str]] = {}
    for trace in traces:
        for key, (at, value) in trace["Metadata"].items():
            if key not in metadata or at > metadata[key][0]:
                metadata[key] = (at, value)
    kept = sorted(metadata, key=str.encode)[:64]
    row: Row = {"Metadata": {key: metadata[key][1] for key in kept}}
    row["UserId"] = max(users, key=lambda trace: trace["UserAt"])["UserId"] if users else ""
    if named:
        row["Name"], row["NameSource"] = max(named, key=lambda trace: trace["SessionNameAt"])["SessionName"], "explicit"
    else:
        row["Name"], row["NameSource"] = (traces[0]["PromptName"] or traces[0]["Name"]) if traces else "", "derived"
    return row
