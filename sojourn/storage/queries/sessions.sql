-- Some sessions whole, in no order.
SELECT *
FROM sessions
WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))}
