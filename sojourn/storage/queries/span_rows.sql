-- The spans of one trace by start, as a waterfall draws them: without what they say, and only with `says` with whether they say something
-- (as far as their previews tell: where its messages may stand). Of two copies of a span the greatest counts.
SELECT SpanId, ParentSpanId, Name, Kind, Service, Start, addNanoseconds(Start, DurationNs) AS End, DurationNs, Status, Error, Model, Tool, Tokens, Cost
    , Says  -- if says
FROM
(
    SELECT
        SpanId, ParentSpanId, SpanName AS Name, Kind, ServiceName AS Service, Timestamp AS Start, Duration AS DurationNs,
        lower(StatusCode) AS Status, CAST(bitTest(Flags, 0), 'Bool') AS Error, Model, Tool, toUInt64(InputTokens) + OutputTokens AS Tokens,
        CAST(if(CostPico < 0, NULL, toDecimal128(CostPico, 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost
        , Input != '' OR Output != '' AS Says  -- if says
    FROM otel_traces
    WHERE Tenant = {tenant:String} AND TraceId = {trace:String}
    ORDER BY Version DESC
    LIMIT 1 BY SpanId
)
ORDER BY Start, SpanId
LIMIT {limit:UInt32}
