-- One trace that is in no session, as far as its spans tell.
SELECT
    '' AS Project, '' AS SessionId, TraceId,
    argMin(SpanName, (ParentSpanId != '', Timestamp, SpanId)) AS Name,
    min(Timestamp) AS Start,
    max(addNanoseconds(Timestamp, Duration)) AS End,
    toUInt64(toUnixTimestamp64Nano(max(addNanoseconds(Timestamp, Duration))) - toUnixTimestamp64Nano(min(Timestamp))) AS WallNs,
    count() AS Spans,
    arraySort(groupUniqArray(ServiceName)) AS Services
FROM spans
WHERE Tenant = {tenant:String} AND TraceId = {trace:String}
GROUP BY TraceId
