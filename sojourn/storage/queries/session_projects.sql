-- The projects that have a session of this id.
SELECT Project
FROM sessions
WHERE Tenant = {tenant:String} AND SessionId = {session:String}
ORDER BY Project
LIMIT 20
