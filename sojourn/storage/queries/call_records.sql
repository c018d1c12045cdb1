-- Which spans of one trace have log records that may hold messages, or, with `whole`, what these records of some spans say, by time.
-- A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT DISTINCT SpanId -- if named
SELECT SpanId, Event AS Name, substring(any(Body), 1, {longest:UInt32}) AS Text, -- if whole
    any(mapApply((k, v) -> (k, substring(v, 1, {longest:UInt32})), mapFilter((k, v) -> match(k, {content:String}), LogAttributes))) AS Attributes -- if whole
FROM otel_logs
WHERE Tenant = {tenant:String} AND TraceId = {trace:String} AND SpanId != '' AND match(Event, {events:String})
  AND SpanId IN {spans:Array(String)} -- if whole
GROUP BY SpanId, Event, Digest -- if whole
ORDER BY min(Timestamp), Digest -- if whole
LIMIT {limit:UInt32}
