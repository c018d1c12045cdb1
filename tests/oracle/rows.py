"""Facts of spans → rows of traces, segments and sessions (sessions.md 2, 3 and the boundaries and states of 4)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.oracle.calls import Calls, Tree, calls_of
from tests.oracle.reading import Fact

MINUTE = 60 * 10**9
Row = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    idle_timeout: int = 30 * MINUTE
    active_window: int = 5 * MINUTE
    finalize_delay: int = MINUTE // 2
    max_duration: int = 24 * 60 * MINUTE
    max_traces: int = 10_000
    missing_id: str = "none"


def one_copy_each(facts: Iterable[Fact]) -> list[Fact]:
    """3.1: of copies of a span the one with the greatest (end as sent, digest) counts; the others vanish wholly.

    Identical copies are one; it arrived when the first of them did.
    """
    best: dict[tuple[str, str, str], Fact] = {}
    for fact in facts:
        key = (fact.tenant, fact.trace_id, fact.span_id)
        known = best.get(key)
        if known is None or fact.version > known.version or (fact.version == known.version and fact.arrival < known.arrival):
            best[key] = fact
    return list(best.values())


def trace_rows(facts: Iterable[Fact], rules: Rules | None = None) -> list[Row]:
    """One row per trace that is in a session, without its segment."""
    rules = rules or Rules()
    traces: dict[tuple[str, str], list[Fact]] = {}
    for fact in one_copy_each(facts):
        traces.setdefault((fact.tenant, fact.trace_id), []).append(fact)
    rows = (_trace_row(spans, rules) for spans in traces.values())
    return [row for row in rows if row is not None]


def _trace_row(spans: list[Fact], rules: Rules) -> Row | None:
    for span in spans:
        span.price = priced(span)
    tree = Tree(spans)
    top = tree.topmost()
    # 2.2: the winner is the least (class, not root, start, span id); root = no parent id.
    candidates = sorted((span for span in spans if span.session), key=lambda s: (s.id_class, s.parent_id != "", s.start, s.span_id))
    if candidates:
        session, project = candidates[0].session, candidates[0].project
    elif rules.missing_id == "trace":  # 2.4
        session, project = top.trace_id, top.project
    else:
        return None
    calls = calls_of(tree)
    others = sorted({span.session for span in candidates} - {session})
    return {
        "Tenant": top.tenant,
        "Project": project,
        "SessionId": session,
        "TraceId": top.trace_id,
        "OtherIds": others,
        "Name": top.name,
        "Status": "error" if top.error else "ok",  # 3.7
        "Turn": int("input" in top.flags),  # 3.6
        "Start": min(span.start for span in spans),
        "End": max(span.end for span in spans),
        "Arrival": max(span.arrival for span in spans),
        "Spans": len(spans),
        "Errors": sum(span.error for span in spans),
        "ToolCalls": sum(span.kind == "tool" for span in spans),
        **_sums(calls),
        "Services": sorted({span.service for span in spans} - {""}),
        "Tools": sorted({span.tool for span in spans} - {""}),
        "Tags": sorted({tag for span in spans for tag in span.tags}),
        "Flags": _flags(spans, tree, calls, others),
        "Input": top.input_text or _edge(calls.used, "input_text", first=True),
        "Output": top.output_text or _edge(calls.used, "output_text", first=False),
        **_latest(spans),
    }


def _sums(calls: Calls) -> Row:
    known = [call.price for call in calls.used if call.price is not None]
    return {
        "LlmCalls": calls.llm,
        "EmbeddingCalls": calls.embedding,
        "InputTokens": sum(call.input for call in calls.used),
        "OutputTokens": sum(call.output for call in calls.used),
        "CacheReadTokens": sum(call.cache_read for call in calls.used),
        "CacheWriteTokens": sum(call.cache_write for call in calls.used),
        "ReasoningTokens": sum(call.reasoning for call in calls.used),
        "CostPico": sum(cost for cost, _ in known) if known else None,  # 3.4: the sum of what is known, NULL if nothing is
        "CostSources": sorted({source for _, source in known}),
        "Models": sorted({call.model for call in calls.used} - {""}),
        "Providers": sorted({call.provider for call in calls.used} - {""}),
    }


def priced(span: Fact) -> tuple[int, str] | None:
    """3.4: reported, else computed from the bundled price table by (provider, response model, day), else NULL."""
    if span.cost is not None:
        return span.cost, "reported"
    cost = computed(span) if span.model and (span.input or span.output) else None
    return None if cost is None else (cost, "computed")


_TABLE = {"gcp.gemini": "google", "gcp.vertex_ai": "google", "aws.bedrock": "aws", "azure.ai.openai": "azure", "x_ai": "x-ai"}


def computed(call: Fact) -> int | None:
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=max(call.input, call.cache_read + call.cache_write),
        output_tokens=call.output,
        cache_read_tokens=call.cache_read,
        cache_write_tokens=call.cache_write,
    )
    when = datetime.datetime.fromtimestamp(call.start // 10**9, datetime.UTC)
    provider = _TABLE.get(call.provider, call.provider) or None
    try:
        price = calc_price(usage, call.model, provider_id=provider, genai_request_timestamp=when)
    except LookupError:
        return None
    if getattr(price.model_price, "input_mtok", None) is None and getattr(price.model_price, "output_mtok", None) is None:
        return None
    return round(price.total_price * 10**12)  # a Decimal: rounded half to even


def _edge(calls: list[Fact], name: str, first: bool) -> str:
    """3.9: else the input of its first and the output of its last call."""
    ordered = sorted(calls, key=lambda call: (call.start, call.span_id))
    return getattr(ordered[0 if first else -1], name) if ordered else ""


def _flags(spans: list[Fact], tree: Tree, calls: Calls, others: list[str]) -> list[str]:
    flags = {flag for span in spans for flag in span.flags} - {"input"}
    if others:
        flags.add("conflicting_ids")
    if calls.told_twice:
        flags.add("told_twice")
    if tree.cycle:
        flags.add("cycle")
    if any(call.price is None for call in calls.used):
        flags.add("unpriced")
    return sorted(flags)


def _latest(spans: list[Fact]) -> Row:
    """3.8: latest means by (span start, trace id, span id)."""
    row: Row = {"SessionName": "", "UserId": "", "PromptName": "", "Metadata": {}}
    for span in sorted(spans, key=lambda span: (span.start, span.span_id)):
        at = (span.start, span.trace_id, span.span_id)
        if span.session_name:
            row["SessionName"], row["SessionNameAt"] = span.session_name, at
        if span.user:
            row["UserId"], row["UserAt"] = span.user, at
        if span.prompt_name and not row["PromptName"]:
            row["PromptName"] = span.prompt_name
        for key, value in span.metadata.items():
            row["Metadata"][key] = (at, value)
    return row


# --- sessions


def sessions_of(rows: Iterable[Row], now: int, rules: Rules | None = None) -> tuple[list[Row], list[Row]]:
    """(session rows, segment rows) at `now`."""
    rules = rules or Rules()
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row["Tenant"], row["Project"], row["SessionId"]), []).append(row)
    sessions, segments = [], []
    for key, traces in grouped.items():
        cut = cut_segments(traces, rules)
        # 3.6: its traces whose top-most span carries a user input, else all its traces. A segment's turns are the session's.
        turns = [trace["TraceId"] for trace in traces if trace["Turn"]] or [trace["TraceId"] for trace in traces]
        for number, part in enumerate(cut):
            last = number == len(cut) - 1
            segments.append({**_key(key), "Segment": number, **_summary(part, turns, len(cut)), **_state(traces, now, rules, last)})
        sessions.append({**_key(key), **_summary(traces, turns, len(cut)), **_state(traces, now, rules, True)})
    return sessions, segments


def _key(key: tuple[str, str, str]) -> Row:
    return {"Tenant": key[0], "Project": key[1], "SessionId": key[2]}


def cut_segments(traces: list[Row], rules: Rules) -> list[list[Row]]:
    """4.1: taken by (start, trace id); cut by a gap, by max_duration and by max_traces."""
    segments: list[list[Row]] = []
    end = 0
    for trace in sorted(traces, key=lambda trace: (trace["Start"], trace["TraceId"])):
        if not segments or trace["Start"] - end >= rules.idle_timeout or _exceeds(segments[-1], trace, rules):
            segments.append([])
        segments[-1].append(trace)
        end = max(end, trace["End"])
    return segments


def _exceeds(segment: list[Row], trace: Row, rules: Rules) -> bool:
    return trace["End"] > segment[0]["Start"] + rules.max_duration or len(segment) >= rules.max_traces


def _state(traces: list[Row], now: int, rules: Rules, last: bool) -> Row:
    """4.3: every segment but the last is ended, whatever the clock says."""
    arrival, end = max(trace["Arrival"] for trace in traces), max(trace["End"] for trace in traces)
    silent = now - max(arrival, min(end, now))
    if not last or silent >= rules.idle_timeout + rules.finalize_delay:
        return {"State": "ended"}
    return {"State": "active" if silent < rules.active_window else "idle"}


_SUMMED = [
    "Spans",
    "Errors",
    "LlmCalls",
    "EmbeddingCalls",
    "ToolCalls",
    "InputTokens",
    "OutputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "ReasoningTokens",
]


def _summary(traces: list[Row], turn_ids: list[str], segments: int) -> Row:
    ordered = sorted(traces, key=lambda trace: (trace["Start"], trace["TraceId"]))
    turns = [trace for trace in ordered if trace["TraceId"] in turn_ids]
    start, end = ordered[0]["Start"], max(trace["End"] for trace in ordered)
    costs = [trace["CostPico"] for trace in ordered if trace["CostPico"] is not None]
    sources = sorted({source for trace in ordered for source in trace["CostSources"]})
    walls = sorted(turn["End"] - turn["Start"] for turn in turns)
    row: Row = {
        "Start": start,
        "End": end,
        "WallNs": end - start,
        "ActiveNs": _union(ordered),  # 3.5
        "Segments": segments,
        "Traces": len(ordered),
        "Turns": len(turns),
        "CostPico": sum(costs) if costs else None,
        "CostSource": "mixed" if len(sources) > 1 else "".join(sources),
        "Status": "error" if any(turn["Status"] == "error" for turn in turns) else "ok",
        "TurnP50Ns": _percentile(walls, 50),
        "TurnP95Ns": _percentile(walls, 95),
        "FirstTrace": turns[0]["TraceId"] if turns else "",
        "LastTrace": turns[-1]["TraceId"] if turns else "",
        "FirstInput": turns[0]["Input"] if turns else "",
        "LastOutput": turns[-1]["Output"] if turns else "",
        **{name: sum(trace[name] for trace in ordered) for name in _SUMMED},
        **{
            name: sorted({item for trace in ordered for item in trace[name]})
            for name in ("Services", "Models", "Providers", "Tools", "Tags", "Flags")
        },
    }
    row["TotalTokens"] = row["InputTokens"] + row["OutputTokens"]
    row.update(_described(ordered))
    return row


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


def _described(traces: list[Row]) -> Row:
    """3.8"""
    named = [trace for trace in traces if trace["SessionName"]]
    users = [trace for trace in traces if trace["UserId"]]
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
        row["Name"], row["NameSource"] = traces[0]["PromptName"] or traces[0]["Name"], "derived"
    return row
