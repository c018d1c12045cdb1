-- Some spans of one trace with everything in which messages may stand, each value at most so long.
SELECT
    SpanId, ParentSpanId, SpanName AS Name, Kind, Model, Tool, ServiceName AS Service, Timestamp AS Start, Duration AS DurationNs,
    lower(StatusCode) AS Status, CAST(bitTest(Flags, 0), 'Bool') AS Error, StatusMessage, InputTokens, OutputTokens,
    CAST(if(CostPico < 0, NULL, toDecimal128(CostPico, 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost,
    coalesce(nullIf(SpanAttributes['gen_ai.agent.name'], ''), SpanAttributes['agent.name']) AS Agent,
    mapApply((k, v) -> (k, substring(v, 1, {longest:UInt32})), mapFilter((k, v) -> match(k, {content:String}), SpanAttributes)) AS Attributes,
    `Events.Name` AS EventNames,
    arrayMap(m -> mapApply((k, v) -> (k, substring(v, 1, {longest:UInt32})), mapFilter((k, v) -> match(k, {content:String}), m)), arraySlice(`Events.Attributes`, 1, 1000)) AS EventAttributes
FROM otel_traces
WHERE Tenant = {tenant:String} AND TraceId = {trace:String} AND SpanId IN {spans:Array(String)}
ORDER BY Version DESC
LIMIT 1 BY SpanId
