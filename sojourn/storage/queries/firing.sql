-- Which alerts of some sessions still fire.
SELECT Project, SessionId, Alerts
FROM session_rows FINAL
WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))} AND notEmpty(Alerts)
