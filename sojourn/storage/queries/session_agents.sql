-- What the agents of one session did when: their spans in its traces by start, found by their hours; of two copies of a span the greatest counts.
SELECT TraceId, SpanId, Name, Start, addNanoseconds(Start, DurationNs) AS End, Error
FROM
(
    SELECT
        TraceId, SpanId, Timestamp AS Start, Duration AS DurationNs, CAST(bitTest(Flags, 0), 'Bool') AS Error,
        substringUTF8(coalesce(nullIf(SpanAttributes['gen_ai.agent.name'], ''), nullIf(SpanAttributes['agent.name'], ''), nullIf(SpanAttributes['graph.node.id'], ''), SpanName), 1, 200) AS Name
    FROM otel_traces
    WHERE Tenant = {tenant:String} AND Kind = 'agent' AND TraceId IN {traces:Array(String)}
      AND toStartOfHour(Timestamp) >= toStartOfHour(fromUnixTimestamp64Nano({first:Int64})) AND Timestamp <= fromUnixTimestamp64Nano({last:Int64})
    ORDER BY Version DESC
    LIMIT 1 BY TraceId, SpanId
)
ORDER BY Start, End DESC, SpanId
LIMIT {limit:UInt32}
