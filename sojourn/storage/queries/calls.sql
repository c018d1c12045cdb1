-- The spans of one trace by start, and whether they say something, as far as their previews tell: where its messages may stand.
SELECT SpanId, ParentSpanId, Kind, Start, Says
FROM
(
    SELECT SpanId, ParentSpanId, Kind, Timestamp AS Start, Input != '' OR Output != '' AS Says
    FROM otel_traces
    WHERE Tenant = {tenant:String} AND TraceId = {trace:String}
    ORDER BY Version DESC
    LIMIT 1 BY SpanId
)
ORDER BY Start, SpanId
LIMIT {limit:UInt32}
