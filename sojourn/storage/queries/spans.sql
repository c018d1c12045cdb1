-- The spans of one trace by start.
SELECT
    SpanId, ParentSpanId, SpanName AS Name, Kind, SpanKind, ServiceName AS Service,
    Timestamp AS Start, addNanoseconds(Timestamp, Duration) AS End, Duration AS DurationNs,
    lower(StatusCode) AS Status, StatusMessage,
    Project, SessionId, Segment, UserId, Model, Provider, Tool,
    InputTokens, OutputTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens, Cost, TimeToFirstTokenNs,
    Input, Output, ScopeName AS Scope, SpanAttributes AS Attributes, ResourceAttributes AS Resource,
    `Events.Timestamp` AS EventTimes, `Events.Name` AS EventNames, `Events.Attributes` AS EventAttributes,
    `Links.TraceId` AS LinkTraceIds, `Links.SpanId` AS LinkSpanIds, `Links.Attributes` AS LinkAttributes
FROM spans
WHERE Tenant = {tenant:String} AND TraceId = {trace:String}
  AND SpanId = {span:String} -- if span
  AND (Timestamp, SpanId) > (fromUnixTimestamp64Nano({after_start:Int64}), {after_id:String}) -- if after
ORDER BY Timestamp, SpanId
LIMIT {limit:UInt32}
