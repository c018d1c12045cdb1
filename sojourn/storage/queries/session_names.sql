-- What some sessions are called.
SELECT toString(Project) AS Project, SessionId, Name
FROM session_rows FINAL
WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))} AND Name != ''
