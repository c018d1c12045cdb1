-- The sessions to fold again: those that have a row, and those that a span or log record names. A line that ends in `-- if NAME` stands only
-- where NAME is asked for.
SELECT Project, SessionId, max(Known) AS Traces
FROM
(
    SELECT Project, SessionId, Traces AS Known
    FROM session_rows FINAL
    WHERE Tenant = {tenant:String}
      AND SessionId IN {ids:Array(String)} -- if ids
      AND greatest(End, toDateTime64(LastSeen, 9)) >= fromUnixTimestamp64Nano({since:Int64}) -- if since
    UNION ALL
    SELECT Project, SessionId, 0
    FROM otel_traces
    WHERE Tenant = {tenant:String} AND SessionId != ''
      AND SessionId IN {ids:Array(String)} -- if ids
      AND Arrival >= fromUnixTimestamp64Nano({since:Int64}) -- if since
    UNION ALL
    SELECT Project, SessionId, 0
    FROM otel_logs
    WHERE Tenant = {tenant:String} AND SessionId != ''
      AND SessionId IN {ids:Array(String)} -- if ids
      AND Arrival >= fromUnixTimestamp64Nano({since:Int64}) -- if since
)
WHERE Project = {project:String} -- if project
GROUP BY Project, SessionId
ORDER BY Project, SessionId
LIMIT {limit:UInt32}
