-- The traces of one session by start.
SELECT *
FROM session_traces
WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String}
  AND (Start, TraceId) > (fromUnixTimestamp64Nano({after_start:Int64}), {after_id:String}) -- if after
ORDER BY Start, TraceId
LIMIT {limit:UInt32}
