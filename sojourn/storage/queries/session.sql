-- One session.
SELECT *
FROM sessions
WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String}
LIMIT 1
