"""Temporary tables and views until the storage layer brings its own."""

from __future__ import annotations

from sojourn import schema

_MONEY = "if(CostPico < 0, NULL, toDecimal128(CostPico, 12) * toDecimal128('0.000000000001', 12))::Nullable(Decimal(38, 12)) AS Cost"
_SOURCE = "['', 'reported', 'computed', 'mixed'][CostSources + 1] AS CostSource"
_MORE = (
    f"InputTokens + OutputTokens AS TotalTokens, {_MONEY}, {_SOURCE}, '' AS FirstInput, '' AS LastOutput, "
    "CAST(map(), 'Map(String, Tuple(Count UInt64, Sum Decimal(38, 9)))') AS Scores, CAST(map(), 'Map(String, Int64)') AS Measures"
)
_HIDE = "CostPico, CostSources, Search, FirstTrace, LastTrace, Version, Deleted"


def statements() -> list[str]:
    keys = {
        "session_rows": "Tenant, Project, SessionId",
        "session_segment_rows": "Tenant, Project, SessionId, Segment",
        "session_trace_rows": "Tenant, Project, SessionId, TraceId",
        "session_event_rows": "Tenant, Project, SessionId, Time, Event",
        "otel_traces": "Tenant, TraceId, SpanId",
    }
    out = []
    for table in schema.TABLES:
        columns = ", ".join(f"`{column.name}` {column.type}" for column in table.columns)
        engine = (
            "ReplacingMergeTree(Version, Deleted)" if any(c.name == "Deleted" for c in table.columns) else "ReplacingMergeTree(Version)"
        )
        out.append(f"CREATE TABLE {table.name} ({columns}) ENGINE = {engine} ORDER BY ({keys[table.name]})")
    out.append(f"CREATE VIEW sessions AS SELECT * EXCEPT ({_HIDE}), {_MORE} FROM session_rows FINAL")
    out.append(f"CREATE VIEW session_segments AS SELECT * EXCEPT ({_HIDE}), {_MORE} FROM session_segment_rows FINAL")
    out.append(
        "CREATE VIEW session_traces AS SELECT Tenant, Project, SessionId, 0::UInt32 AS Segment, TraceId, Name, UserId, Start, End, "
        "toUInt64(toUnixTimestamp64Nano(End) - toUnixTimestamp64Nano(Start)) AS WallNs, Turn, Status, Spans, Errors, LlmCalls, EmbeddingCalls, "
        "ToolCalls, InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens, InputTokens + OutputTokens AS TotalTokens, "
        f"{_MONEY}, {_SOURCE}, Services, Models, Tools, CAST([], 'Array(String)') AS Flags, OtherIds, Input, Output FROM session_trace_rows FINAL"
    )
    out.append(
        "CREATE VIEW session_events AS SELECT Tenant, Time, Project, SessionId, Segment, Revision, Event, Reason, Attributes FROM session_event_rows FINAL"
    )
    out.append(f"CREATE VIEW spans AS SELECT * EXCEPT (CostPico, CostSource), 0::UInt32 AS Segment, {_MONEY} FROM otel_traces FINAL")
    return out
