"""Facts of spans and of log records → rows of traces and log traces (3), and the marks of 4.

Decided here, where the specification is silent about log records:

- Records with a trace id add to their trace where their session has spans of it: their number, errors, calls, user, services, flags and
  arrival, but not to its interval. Where it has none (they came before the spans, or name another session) they stand as a log trace
  does: activity from the first record to the last, no trace, no row in `session_traces`, until spans come. What is told twice in the
  trace still counts once: the session of the copy that counts has it. Spans of a trace without a session tell nothing to the sessions of
  its records.
- `Errors` are of spans; `LogErrors` never make a status. `LogRecords` and `LogErrors` are all records of the session but marks.
- A trace row sums what is counted: in a session of which a service tells its calls in records, the usage of its spans is in no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.oracle.binding import Key, Services, bound, key_of, marks_of, named, one_copy_each, one_record_each, session_of
from tests.oracle.calls import Calls, Tree, calls_of
from tests.oracle.cutting import MINUTE, Row, Rules
from tests.oracle.facts import Fact
from tests.oracle.figures import measures_of, scores_of
from tests.oracle.prices import priced
from tests.oracle.records import Record


@dataclass
class World:
    """All that sessions are made of."""

    rows: list[Row]
    """Traces, and log traces: those have no spans."""
    marks: list[tuple[Key, int, str]]
    """4: (session, time, explicit or continued)."""
    in_records: set[Key]
    """Sessions in which some service tells its calls in log records."""


def trace_rows(facts: Iterable[Fact], rules: Rules | None = None) -> list[Row]:
    """One row per trace that is in a session, without its segment."""
    return [row for row in world(facts, (), rules).rows if row["Spans"]]


def world(facts: Iterable[Fact], records: Iterable[Record] = (), rules: Rules | None = None) -> World:
    """Rows of traces and log traces, and marks, of any spans and log records in any order."""
    rules = rules or Rules()
    traces: dict[tuple[str, str], list[Fact]] = {}
    for fact in one_copy_each(facts):
        traces.setdefault((fact.tenant, fact.trace_id), []).append(fact)
    sessions = {trace: session_of(spans, rules) for trace, spans in traces.items()}
    known = list(bound(one_record_each(records), sessions))
    counting = [record for record in known if record.counts and record.bound]
    told = Services(counting)
    rows: list[Row] = []
    for trace in {*traces, *((record.tenant, record.trace_id) for record in counting if record.trace_id)}:
        mine = [record for record in counting if (record.tenant, record.trace_id) == trace]
        key = sessions.get(trace)
        rows += _rows_of_a_trace(key, traces[trace] if key else [], mine, told, rules)
    for spot, mine in _minutes(counting).items():
        rows.append(_log_row(spot[0], mine, calls_of(Tree([]), told.calls(mine))))
    prompted = {key_of(row) for row in rows if row["Prompts"]}
    for row in rows:
        if key_of(row) in prompted:
            row["Turn"] = 0  # 3.6: where the session has prompts no trace has Turn
    return World(rows, list(marks_of(traces, sessions, known)), told.sessions())


def _minutes(records: list[Record]) -> dict[tuple[Any, ...], list[Record]]:
    """1: log traces: records without a trace id, by session, service and UTC minute; those that tell no time are one."""
    found: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        if not record.trace_id:
            found.setdefault((record.bound, record.service, record.start // MINUTE if record.sent_end else 0), []).append(record)
    return found


def _rows_of_a_trace(key: Key | None, spans: list[Fact], records: list[Record], told: Services, rules: Rules) -> Iterator[Row]:
    """The row of the trace in its session, and one in every other session that records of the trace belong to."""
    for span in spans:
        span.price = priced(span)
    calls = calls_of(Tree(spans), told.calls(records), told.silent(key, spans))
    if key:
        mine = [record for record in records if record.bound == key]
        row = _trace_row(key, spans, mine, calls.of(lambda call: not isinstance(call, Record) or call.bound == key), told)
        yield row | {"Measures": measures_of(spans, rules.measures)}
    for other in {record.bound for record in records if record.bound and record.bound != key}:
        mine = [record for record in records if record.bound == other]
        yield _log_row(other, mine, calls.of(lambda call, other=other: isinstance(call, Record) and call.bound == other))  # type: ignore[misc]


def _trace_row(key: Key, spans: list[Fact], records: list[Record], calls: Calls, told: Services) -> Row:
    tree = Tree(spans)
    top = tree.topmost()
    others = sorted({span.session for span in spans if span.session} - {key[2]})
    tools = [span for span in spans if span.kind == "tool" and not told.tells_tools(key, span.service)]
    return {
        **named(key),
        "TraceId": top.trace_id,
        "OtherIds": others,
        "Name": top.name,
        "Status": "error" if top.error else "ok",  # 3.7
        "Turn": int("input" in top.flags),  # 3.6
        "Start": min(span.start for span in spans),
        "End": max(span.end for span in spans),
        "Spans": len(spans),
        "Errors": sum(span.error for span in spans),
        "ToolCalls": len(tools) + sum(record.is_tool_call for record in records),
        **_sums(calls),
        "Tags": sorted({tag for span in spans for tag in span.tags}),
        "Flags": sorted({*_flags([*spans, *records], calls), *(["conflicting_ids"] if others else []), *(["cycle"] if tree.cycle else [])}),
        "Input": top.input_text or _edge(calls.used, "input_text", first=True),
        "Output": top.output_text or _edge(calls.used, "output_text", first=False),
        **_latest([*spans, *records]),
        **_of_records(spans, records, calls),
    }


def _log_row(key: Key, records: list[Record], calls: Calls) -> Row:
    """What records alone tell: a log trace, or a trace of which the session has no spans (yet). It counts for activity, not as a trace."""
    times = [record.start for record in records]
    return {
        **named(key),
        "TraceId": records[0].trace_id,
        "OtherIds": [],
        "Name": "",
        "Status": "ok",
        "Turn": 0,
        "Start": min(times),
        "End": max(times),
        "Spans": 0,
        "Errors": 0,
        "ToolCalls": sum(record.is_tool_call for record in records),
        **_sums(calls),
        "Tags": [],
        "Flags": _flags(records, calls),
        "Input": "",
        "Output": "",
        **_latest(records),
        **_of_records([], records, calls),
    }


def _of_records(spans: list[Fact], records: list[Record], calls: Calls) -> Row:
    """Columns to which spans and records add alike, and what turns by prompts need (3.6)."""
    both = [*spans, *records]
    tools = {span.tool for span in spans} | {record.tool for record in records if record.is_tool_call}
    return {
        "Arrival": max(each.arrival for each in both),
        "Services": sorted({each.service for each in both} - {""}),
        "Tools": sorted(tools - {""}),
        "LogRecords": len(records),
        "LogErrors": sum(record.error for record in records),
        "Scores": scores_of(both),
        "Measures": {},
        "Prompts": [(record.start, record.span_id, record.prompt) for record in records if record.prompt is not None],
        "Ends": _ends(spans or records, records),
        "Calls": sorted((call.start, call.trace_id, call.span_id, call.output_text) for call in calls.used),
    }


def _ends(whole: Iterable[Fact], records: list[Record]) -> list[int]:
    """3.6: where turns can end: at the end of the trace or log trace, and at its last record before each prompt in it."""
    prompts = [record.start for record in records if record.prompt is not None]
    before = [[record.start for record in records if record.start < prompt] for prompt in prompts]
    return [max(each.end for each in whole), *(max(times) for times in before if times)]


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


def _edge(calls: list[Fact], name: str, first: bool) -> str:
    """3.9: else the input of its first and the output of its last call."""
    ordered = sorted(calls, key=lambda call: (call.start, call.span_id))
    return getattr(ordered[0 if first else -1], name) if ordered else ""


def _flags(told: Iterable[Fact], calls: Calls) -> list[str]:
    flags = {flag for each in told for flag in each.flags} - {"input"}
    if calls.twice:
        flags.add("told_twice")
    if any(call.price is None for call in calls.used):
        flags.add("unpriced")
    return sorted(flags)


def _latest(spans: Iterable[Fact]) -> Row:
    """3.8: latest means by (span start, trace id, span id); a log record has its time and its digest."""
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
