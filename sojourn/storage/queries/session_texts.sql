-- What was asked and answered first and last in some sessions: of traces that are named by project, session and id.
SELECT Project, SessionId, TraceId, Input, Output
FROM
(
    SELECT Project, SessionId, TraceId, Input, Output, Deleted
    FROM session_trace_rows
    WHERE Tenant = {tenant:String} AND (Project, SessionId, TraceId) IN {keys:Array(Tuple(String, String, String))}
    ORDER BY Version DESC
    LIMIT 1 BY Project, SessionId, TraceId
)
WHERE Deleted = 0
