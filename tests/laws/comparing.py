"""Rows of `session_trace_rows` as the database would show them, in the oracle's words."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sojourn.schema import FLAGS

Row = dict[str, Any]
Key = tuple[str, str, str, str]

NUMBERS = (
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
)
SETS = ("Services", "Models", "Providers", "Tools", "Tags", "OtherIds")
OWN_NUMBERS = ("Scores", "Measures")
PLAIN = ("Name", "PromptName", "SessionName", "UserId", "Turn", "Status", "Input", "Output")
NOT_COMPARED = {"clock_skew"}  # sessions.md 7


def key_of(row: Row) -> Key:
    """Tenant, project, session id, and the trace or the segment, where the row is of one."""
    return (row["Tenant"], row["Project"], row["SessionId"], str(row.get("TraceId", row.get("Segment", ""))))


def live(batches: list[pa.RecordBatch]) -> dict[Key, Row]:
    """What is left when every row replaces older ones of its key and deleted ones are gone."""
    newest: dict[Key, Row] = {}
    for batch in batches:
        for row in plain(batch).to_pylist():
            known = newest.get(key_of(row))
            if known is None or row["Version"] > known["Version"]:
                newest[key_of(row)] = row
    return {key: row for key, row in newest.items() if not row["Deleted"]}


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The stored columns, with times as whole numbers: Python's own times end at microseconds."""
    names = [name for name in batch.schema.names if not name.startswith("_")]
    columns = [batch.column(name) for name in names]
    return pa.RecordBatch.from_arrays([each.cast("int64") if pa.types.is_timestamp(each.type) else each for each in columns], names)


def of_product(row: Row) -> Row:
    """A row of session_trace_rows, without what laws do not compare."""
    bits = [name for name, bit in FLAGS.items() if bit >= 1 << 16 and row["Flags"] & bit]
    metadata = zip(row["Metadata.Key"], row["Metadata.Value"], row["Metadata.At"], row["Metadata.Span"], strict=True)
    return {
        **{name: row[name] for name in (*PLAIN, *NUMBERS)},
        **{name: sorted(row[name]) for name in SETS},
        "Start": row["Start"],
        "End": row["End"],
        "CostPico": row["CostPico"],
        "CostSources": row["CostSources"],
        "Flags": sorted(set(bits) - NOT_COMPARED),
        "Metadata": {key: (value, at, span) for key, value, at, span in metadata},
        **own_numbers(row),
    }


def own_numbers(row: Row) -> Row:
    """Scores and measures by their names."""
    scores = zip(row["Scores.Name"], row["Scores.Count"], row["Scores.Sum"], strict=True)
    measures = zip(row["Measures.Name"], row["Measures.Value"], strict=True)
    return {"Scores": {name: (count, total) for name, count, total in scores}, "Measures": dict(measures)}


def of_oracle(row: Row) -> Row:
    return {
        **{name: row[name] for name in (*PLAIN, *NUMBERS, "Start", "End")},
        **{name: sorted(row[name]) for name in SETS},
        "CostPico": -1 if row["CostPico"] is None else row["CostPico"],
        "CostSources": ("reported" in row["CostSources"]) + 2 * ("computed" in row["CostSources"]),
        "Flags": sorted(set(row["Flags"]) - NOT_COMPARED),
        "Metadata": {key: (value, at[0], int(at[2], 16)) for key, (at, value) in row["Metadata"].items()},
        **{name: row[name] for name in OWN_NUMBERS},
    }


OF_CALLS = (*NUMBERS[2:], "CostPico", "CostSources", "Models", "Providers", "Flags")
"""What a trace row says of its calls: in a session of which a service tells its calls in log records that is left open, sums are not."""

SESSION_PLAIN = ("Name", "NameSource", "UserId", "State", "EndReason", "Segments", "Status", "FirstTrace", "LastTrace")
PREVIEWS = ("FirstInput", "LastOutput")
SESSION_NUMBERS = (*NUMBERS, "LogRecords", "LogErrors", "Traces", "Turns", "WallNs", "ActiveNs", "TurnP50Ns", "TurnP95Ns")
SESSION_SETS = ("Services", "Models", "Providers", "Tools", "Tags")


def session_of_product(row: Row, traces: dict[Key, Row]) -> Row:
    """A row of session_rows or session_segment_rows, with what the views read from the rows of its first and last turn."""

    def said(trace: str, prompted: str, name: str) -> str:
        turn = traces.get((row["Tenant"], row["Project"], row["SessionId"], row[trace]), {})
        return str(turn.get(name, "") if row[trace] else row[prompted])

    return {
        "FirstInput": said("FirstTrace", "FirstPrompt", "Input"),
        "LastOutput": said("LastTrace", "LastAnswer", "Output"),
        **{name: row.get(name, 0) for name in (*SESSION_PLAIN, *SESSION_NUMBERS, "CostPico", "CostSources")},
        **{name: sorted(row[name]) for name in SESSION_SETS},
        "Start": row["Start"],
        "End": row["End"],
        "Flags": sorted(set(row["Flags"]) - NOT_COMPARED),
        "Metadata": dict(row["Metadata"]),
        **own_numbers(row),
        **({"Alerts": sorted(row["Alerts"])} if "Alerts" in row else {}),
    }


def session_of_oracle(row: Row) -> Row:
    sources = {"": 0, "reported": 1, "computed": 2, "mixed": 3}
    return {
        **{name: row[name] for name in (*SESSION_PLAIN, *SESSION_NUMBERS, *OWN_NUMBERS, *PREVIEWS, "Start", "End", "Metadata")},
        **({"Alerts": row["Alerts"]} if "Alerts" in row else {}),
        **{name: sorted(row[name]) for name in SESSION_SETS},
        "CostPico": -1 if row["CostPico"] is None else row["CostPico"],
        "CostSources": sources[row["CostSource"]],
        "Flags": sorted(set(row["Flags"]) - NOT_COMPARED),
    }


def differences(got: dict[Key, Row], want: dict[Key, Row]) -> dict[Any, Any]:
    """What differs, as {(row, column): (got, want)}; empty if nothing does."""
    found: dict[Any, Any] = dict.fromkeys(got.keys() - want.keys(), ("a row", "none"))
    found |= dict.fromkeys(want.keys() - got.keys(), ("none", "a row"))
    for key in got.keys() & want.keys():
        found |= {(*key, name): (got[key][name], want[key][name]) for name in want[key] if got[key][name] != want[key][name]}
    return found
