-- The traces of one session as its timeline draws them: without what was said in them.
SELECT TraceId, Name, Start, End, Turn, Status, Errors, TotalTokens, Cost
FROM session_traces
WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String}
ORDER BY Start, TraceId
LIMIT {limit:UInt32}
