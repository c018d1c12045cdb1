-- One trace that is in a session.
SELECT *
FROM session_traces
WHERE Tenant = {tenant:String} AND TraceId = {trace:String}
ORDER BY SessionId != '' DESC, Project, SessionId
LIMIT 1
