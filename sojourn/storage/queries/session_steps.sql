-- What was done in some traces: calls of models and tools, agents, searches, by start; the first of each trace. Spans are found by their hours
-- and traces; of two copies of a span the greatest counts.
SELECT TraceId, SpanId, ParentSpanId, Name, Kind, Model, Tool, Start, DurationNs, Status, Error, StatusMessage, Tokens, Cost, Input, Output
FROM
(
    SELECT
        TraceId, SpanId, ParentSpanId, SpanName AS Name, Kind, Model, Tool, Timestamp AS Start, Duration AS DurationNs,
        lower(StatusCode) AS Status, CAST(bitTest(Flags, 0), 'Bool') AS Error, StatusMessage,
        toUInt64(InputTokens) + OutputTokens AS Tokens,
        CAST(if(CostPico < 0, NULL, toDecimal128(CostPico, 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost, Input, Output, Version
    FROM otel_traces
    WHERE Tenant = {tenant:String} AND TraceId IN {traces:Array(String)}
      AND toStartOfHour(Timestamp) >= toStartOfHour(fromUnixTimestamp64Nano({first:Int64})) AND Timestamp <= fromUnixTimestamp64Nano({last:Int64})
      AND Kind NOT IN ('span', 'chain', 'prompt') AND NOT (Kind = 'agent' AND ParentSpanId = '')
    ORDER BY Version DESC
    LIMIT 1 BY TraceId, SpanId
)
ORDER BY Start, SpanId
LIMIT {steps:UInt32} BY TraceId
