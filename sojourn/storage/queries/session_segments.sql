-- The segments of one session, in their order.
SELECT *
FROM session_segments
WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String}
ORDER BY Segment
LIMIT {limit:UInt32}
